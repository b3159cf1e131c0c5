// The browser's end of vae/app/live/sockets.py: a connection that asks only for the newest. Where the socket is away,
// Python's script answers the same messages: slower, one at a time.
//
// A component asks about its model, or about the one that `which` counts in `data.live.models`.

import { fieldsOf, HEADER } from "./answers.js";
import { fromBase64, toBase64 } from "./base64.js";
import { element, say } from "./dom.js";
import { KINDS } from "./told.js";

export const Kind = KINDS;
// what no new connection could mend, in words
const OVER = {
  4400: "This page and its server are of different versions: reload it",
  4401: "This page's session is over: reload it",
  4403: "The server does not know this address: its owner can add it to server.corsAllowedOrigins",
  4404: "This model is no longer on the server: reload the page",
};
const UNKNOWN = 4401; // the server does not know the token: after a long cut the script may have that of a new session
const SPOILT = [4413, 4422]; // the request was at fault: asked again, it would close the next socket too
const LATE = 300; // ms without an answer, after which the page says quietly that one is on its way: page.css
const HAND_RESTS = 120; // ms after which a hand rests
const PACE = 6; // ms between requests of a kind: a fast hand must not use up what a session may ask for

const late = new Set(); // flights, on whichever of the page's sockets, that take longer

function sign(flight) {
  late.add(flight);
  document.body.toggleAttribute("data-waits", true);
}

// Streamlit's own connection: without it, what its script is asked is lost.
const connected = () =>
  /** @type {HTMLElement | null} */ (document.querySelector("[data-testid=stApp]"))?.dataset.testConnectionState ===
  "CONNECTED";

function message(kind, model, sequence, body) {
  const bytes = new Uint8Array(HEADER + body.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 1);
  view.setUint8(1, kind);
  view.setUint16(2, model, true);
  view.setUint32(4, sequence, true);
  bytes.set(new Uint8Array(body.buffer ?? body, body.byteOffset ?? 0, body.byteLength), HEADER);
  return bytes;
}

export class Live {
  // `status` is for the component to show: it says when the socket is away; onReady() is called when it is there again
  constructor(onReady = () => {}) {
    this.onReady = onReady;
    this.status = element("div", { class: "status", role: "status" });
    this.token = null;
    this.socket = null;
    this.ready = false;
    this.closed = false;
    this.over = ""; // why no connection is tried any more
    this.run = null; // which of its runs the script spoke of last
    this.refused = false; // the server does not know the token, and the script has not said that it has no other
    this.attempts = 0;
    /** @type {Component<{ live: LiveData }> | null} */
    this.component = null;
    this.sequence = 0;
    this.flying = new Map(); // kind -> {sequence, request, watch, slow}, the last two timers
    this.resting = new Set(); // kinds of which one was sent just now
    this.waiting = new Map(); // kind -> {model, body, done}
    /** @type {LiveModel[]} */
    this.models = [];
    this.inputs = new Map(); // the same -> bytes
    this.asking = null; // what Python is asked, {n, kind, request}
  }

  /**
   * The component that this belongs to, at each of its updates: the way to Python.
   * @param {Component<{ live: LiveData }>} component
   */
  through(component) {
    this.component = component;
    const { heard, run } = component.data.live;
    const anew = run !== this.run;
    this.run = run;
    this.connect(component.data.live);
    if (this.refused && anew) this.giveUp();
    if (!this.asking || heard?.n !== this.asking.n) return;
    const { request } = this.asking;
    this.asking = null;
    if (heard.message) {
      const { buffer } = fromBase64(heard.message);
      this.answer(request, buffer, new DataView(buffer).getUint8(1));
    }
    this.askPython();
  }

  // The models by their numbers in this session. In another session they have other numbers, and what waits is about
  // the same models.
  number(models, anew) {
    const before = this.models;
    this.models = models;
    if (!anew) return;
    const now = (model) => models[before.indexOf(model)] ?? model;
    for (const request of this.waiting.values()) request.model = now(request.model);
    for (const { request } of this.flying.values()) request.model = now(request.model);
    if (this.asking) this.asking.request.model = now(this.asking.request.model);
    this.inputs = new Map(Array.from(this.inputs, ([model, bytes]) => [now(model), bytes]));
  }

  answer({ model, done }, buffer, kind) {
    if (kind === Kind.SENTENCE) done({ sentence: new TextDecoder().decode(new Uint8Array(buffer, HEADER)) });
    else done(fieldsOf(kind, buffer, model));
  }

  /**
   * An answer that came with the data, in base64.
   * @param {number} kind
   * @param {Base64} text
   */
  read(kind, text) {
    return fieldsOf(kind, fromBase64(text).buffer, this.models[0]);
  }

  askPython() {
    if (!this.component || this.ready || this.asking || !this.attempts || this.closed || !connected()) return;
    const [kind, request] = this.waiting.entries().next().value ?? [];
    if (!request) return;
    this.waiting.delete(kind);
    const n = `${performance.timeOrigin + performance.now()}`;
    this.asking = { n, kind, request };
    const input = message(Kind.INPUT, request.model.number, 0, this.inputs.get(request.model) ?? new Uint8Array());
    const question = message(kind, request.model.number, 0, request.body);
    this.component.setStateValue("question", { n, input: toBase64(input), message: toBase64(question) });
  }

  // Where the route is, is for the page to say: a proxy may have put a prefix before the server's own paths. Streamlit's
  // page asks for its scripts relative to its own address too, so wherever there is a page at all this leads to its server.
  /** @param {LiveData} live */
  connect({ path, token, models }) {
    this.number(models, token !== this.token);
    if (token === this.token && this.socket) return;
    this.address = new URL(path, document.baseURI);
    this.address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    this.token = token;
    this.refused = false;
    this.attempts = 0;
    this.open();
  }

  open() {
    clearTimeout(this.retry);
    if (this.closed) return;
    this.over = "";
    const old = this.socket;
    const socket = (this.socket = new WebSocket(this.address));
    if (old) old.close();
    socket.binaryType = "arraybuffer";
    socket.onopen = () => socket.send(message(Kind.HELLO, 0, 0, new TextEncoder().encode(this.token)));
    socket.onmessage = (event) => socket === this.socket && this.receive(event.data);
    socket.onclose = (event) => socket === this.socket && this.lost(event.code);
  }

  lost(code) {
    this.refused = code === UNKNOWN;
    this.over = this.refused ? "" : (OVER[code] ?? "");
    if (this.asking && !connected()) this.takeBack();
    for (const [kind, { request }] of this.flying) {
      this.land(kind);
      if (!SPOILT.includes(code) && !this.waiting.has(kind)) this.waiting.set(kind, request);
    }
    const pause = Math.min(8000, 300 * 2 ** this.attempts++);
    this.setReady(false);
    this.askPython();
    clearTimeout(this.retry);
    if (this.closed) return;
    if (this.refused && connected()) document.vaeLab.runAgain(); // else the page sees to it once it is connected
    if (!this.refused && !this.over) this.retry = setTimeout(() => this.open(), pause);
  }

  giveUp() {
    this.refused = false;
    this.over = OVER[UNKNOWN];
    this.setReady(false);
  }

  // What Python has not answered waits again, unless there is something newer.
  takeBack() {
    const { kind, request } = this.asking;
    if (!this.waiting.has(kind)) this.waiting.set(kind, request);
    this.asking = null;
  }

  // what to tell the visitor
  why() {
    const said = this.over || "reconnecting";
    return connected() ? `${said}; until then each move takes a moment` : said;
  }

  close() {
    this.closed = true;
    this.ready = false; // what is due a moment later is not sent
    clearTimeout(this.retry);
    clearTimeout(this.silent);
    clearTimeout(this.restingHand);
    for (const kind of this.flying.keys()) this.land(kind);
    this.socket?.close();
  }

  // A flight is over, answered or not.
  land(kind) {
    const flight = this.flying.get(kind);
    this.flying.delete(kind);
    clearTimeout(flight.watch);
    clearTimeout(flight.slow);
    if (late.delete(flight) && !late.size) document.body.toggleAttribute("data-waits", false);
  }

  setReady(ready) {
    this.ready = ready;
    clearTimeout(this.silent);
    if (!ready) this.silent = setTimeout(() => say(this.status, this.why()), 600); // a short break is not worth a word
    else {
      say(this.status, "");
      this.onReady();
    }
  }

  receive(buffer) {
    const view = new DataView(buffer);
    const kind = view.getUint8(1);
    if (kind === Kind.HELLO) {
      this.attempts = 0;
      for (const [model, bytes] of this.inputs) this.socket.send(message(Kind.INPUT, model.number, 0, bytes));
      this.setReady(true);
      if (this.asking) {
        this.takeBack(); // what Python would answer late must not overtake what is answered here
        this.component.setStateValue("question", null);
      }
      for (const waiting of this.waiting.keys()) this.next(waiting);
      return;
    }
    const sequence = view.getUint32(4, true);
    const [asked, flight] = [...this.flying].find(([, one]) => one.sequence === sequence) ?? [];
    if (!flight || ![asked, Kind.SENTENCE].includes(kind)) return;
    this.land(asked);
    this.next(asked);
    this.answer(flight.request, buffer, kind);
  }

  /**
   * The x of the places that follow; empty for none.
   * @param {Uint8Array} bytes
   */
  input(bytes) {
    const [model] = this.models;
    this.inputs.set(model, bytes);
    if (this.ready) this.socket.send(message(Kind.INPUT, model.number, 0, bytes));
  }

  /**
   * done(answer) is called with the fields of the answer to the newest request of its kind, or its `sentence`; those
   * it overtook are forgotten.
   * @param {number} kind
   * @param {ArrayBufferLike | ArrayBufferView} body
   * @param {(answer: any) => void} done
   * @param {number} which
   */
  ask(kind, body, done, which = 0) {
    this.waiting.set(kind, { model: this.models[which], body, done });
    this.next(kind);
  }

  /**
   * A place under the hand. Where all of its numbers take long, what passes is answered without some, and the place
   * where the hand rests once more.
   * @param {Place} z
   * @param {(answer: any) => void} done
   */
  place(z, done) {
    clearTimeout(this.restingHand);
    const body = new Float32Array(z);
    if (!this.ready || !this.models[0].slow) return this.ask(Kind.PLACE, body, done);
    this.waiting.delete(Kind.PLACE);
    const turn = (this.turn = {});
    const newest = (answer) => turn === this.turn && done(answer);
    this.ask(Kind.PASSING, body, done);
    this.restingHand = setTimeout(() => this.ask(Kind.PLACE, body, newest), HAND_RESTS);
  }

  next(kind) {
    const request = this.waiting.get(kind);
    if (!this.ready) return this.askPython();
    if (!request || this.flying.has(kind)) return;
    if (this.resting.has(kind)) return;
    this.resting.add(kind);
    setTimeout(() => {
      this.resting.delete(kind);
      this.next(kind);
    }, PACE);
    this.waiting.delete(kind);
    const sequence = (this.sequence = (this.sequence + 1) >>> 0);
    const flight = { sequence, request, watch: setTimeout(() => this.lost(), request.model.patience), slow: 0 };
    flight.slow = setTimeout(() => sign(flight), LATE);
    this.flying.set(kind, flight);
    this.socket.send(message(kind, request.model.number, sequence, request.body));
  }
}
