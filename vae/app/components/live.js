// The browser's end of vae/app/live.py: its messages, and a connection that asks only for the newest. Where the socket is
// away, Python's script answers the same messages: slower, one at a time.

const Kind = { HELLO: 0, INPUT: 1, PLACE: 2, PICTURES: 3, DRAWING: 4, SENTENCE: 5, EXAMPLE: 6, NEAR: 7, ANCESTRY: 8, DECODING: 9, POSTERIOR: 10, REFINE: 11 };
const HEADER = 8;
// what no new connection could mend, in words
const OVER = {
  4400: "This page and its server are of different versions: reload it",
  4401: "This page's session is over: reload it",
  4403: "The server does not know this address: its owner can add it to server.corsAllowedOrigins",
  4404: "This model is no longer on the server: reload the page",
};
const SPOILT = [4413, 4422]; // the request was at fault: asked again, it would close the next socket too
const DEAD = 10000; // ms without an answer: the line is dead, though nobody said so
const PACE = 6; // ms between requests of a kind: a fast hand must not use up what a session may ask for

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

// numbers and pictures of an answer, which begins with 8 bytes of header, so that the floats are aligned
function parts(buffer, numbers) {
  return {
    numbers: new Float32Array(buffer, HEADER, numbers),
    pixels: new Uint8Array(buffer, HEADER + 4 * numbers),
  };
}

class Live {
  // `status` is for the component to show: it says when the socket is away; onReady() is called when it is there again
  constructor(onReady = () => {}) {
    this.onReady = onReady;
    this.status = element("div", { class: "status", role: "status" });
    this.token = null;
    this.socket = null;
    this.ready = false;
    this.closed = false;
    this.over = ""; // why no connection is tried any more
    this.attempts = 0;
    this.sequence = 0;
    this.flying = new Map(); // kind -> {sequence, request, watch}
    this.resting = new Set(); // kinds of which one was sent just now
    this.waiting = new Map(); // kind -> {model, body, done}
    this.inputs = new Map(); // model -> bytes
    this.asking = null; // what Python is asked, {n, kind, request}
  }

  // The component that this belongs to, at each of its updates: the way to Python.
  through(component) {
    this.component = component;
    const { path, token, heard } = component.data.live;
    this.connect(path, token);
    if (!this.asking || heard?.n !== this.asking.n) return;
    const { request } = this.asking;
    this.asking = null;
    if (heard.message) {
      const { buffer } = fromBase64(heard.message);
      request.done(buffer, new DataView(buffer).getUint8(1));
    }
    this.askPython();
  }

  askPython() {
    if (!this.component || this.ready || this.asking || !this.attempts || this.closed) return;
    const [kind, request] = this.waiting.entries().next().value ?? [];
    if (!request) return;
    this.waiting.delete(kind);
    const n = `${performance.timeOrigin + performance.now()}`;
    this.asking = { n, kind, request };
    const input = message(Kind.INPUT, request.model, 0, this.inputs.get(request.model) ?? new Uint8Array());
    const question = message(kind, request.model, 0, request.body);
    this.component.setStateValue("question", { n, input: toBase64(input), message: toBase64(question) });
  }

  // path is that of the route on this page's server
  connect(path, token) {
    if (token === this.token && this.socket) return;
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.address = `${scheme}//${location.host}${path}`;
    this.token = token;
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
    this.over = OVER[code] ?? "";
    for (const [kind, { request, watch }] of this.flying) {
      clearTimeout(watch);
      if (!SPOILT.includes(code) && !this.waiting.has(kind)) this.waiting.set(kind, request);
    }
    this.flying.clear();
    const pause = Math.min(8000, 300 * 2 ** this.attempts++);
    this.setReady(false);
    this.askPython();
    clearTimeout(this.retry);
    if (!this.over && !this.closed) this.retry = setTimeout(() => this.open(), pause);
  }

  // what to tell the visitor
  why() {
    return `${this.over || "reconnecting"}; until then each move takes a moment`;
  }

  close() {
    this.closed = true;
    clearTimeout(this.retry);
    clearTimeout(this.silent);
    for (const { watch } of this.flying.values()) clearTimeout(watch);
    this.socket?.close();
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
      for (const [model, bytes] of this.inputs) this.socket.send(message(Kind.INPUT, model, 0, bytes));
      this.setReady(true);
      if (this.asking) {
        // what Python would answer late must not overtake what is answered here
        if (!this.waiting.has(this.asking.kind)) this.waiting.set(this.asking.kind, this.asking.request);
        this.asking = null;
        this.component.setStateValue("question", null);
      }
      for (const waiting of this.waiting.keys()) this.next(waiting);
      return;
    }
    const asked = kind === Kind.SENTENCE ? Kind.DRAWING : kind;
    const flight = this.flying.get(asked);
    if (!flight || flight.sequence !== view.getUint32(4, true)) return;
    clearTimeout(flight.watch);
    this.flying.delete(asked);
    this.next(asked);
    flight.request.done(buffer, kind);
  }

  // the x of the places that follow; empty for none
  input(model, bytes) {
    this.inputs.set(model, bytes);
    if (this.ready) this.socket.send(message(Kind.INPUT, model, 0, bytes));
  }

  // done(answer, kind) is called for the newest request of its kind; those it overtook are forgotten
  ask(kind, model, body, done) {
    this.waiting.set(kind, { model, body, done });
    this.next(kind);
  }

  next(kind) {
    const request = this.waiting.get(kind);
    if (!this.ready) return this.askPython();
    if (!request || this.flying.has(kind)) return;
    if (this.resting.has(kind)) return;
    this.resting.add(kind);
    setTimeout(() => (this.resting.delete(kind), this.next(kind)), PACE);
    this.waiting.delete(kind);
    const sequence = (this.sequence = (this.sequence + 1) >>> 0);
    this.flying.set(kind, { sequence, request, watch: setTimeout(() => this.lost(), DEAD) });
    this.socket.send(message(kind, request.model, sequence, request.body));
  }
}
