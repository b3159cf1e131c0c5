// The browser's end of vae/app/live.py: its messages, and a connection that asks only for the newest.

const Kind = { HELLO: 0, INPUT: 1, PLACE: 2, PICTURES: 3, DRAWING: 4, SENTENCE: 5, EXAMPLE: 6, NEAR: 7, POSTERIOR: 10, REFINE: 11 };
const HEADER = 8;
const FOR_GOOD = [4403, 4404]; // nothing that a new connection could mend
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
  // onState(true or false) tells whether requests are answered here; false means: ask Python instead
  constructor(onState) {
    this.onState = onState;
    this.token = null;
    this.socket = null;
    this.ready = false;
    this.closed = false;
    this.attempts = 0;
    this.sequence = 0;
    this.flying = new Map(); // kind -> {sequence, request}
    this.resting = new Set(); // kinds of which one was sent just now
    this.waiting = new Map(); // kind -> {model, body, done}
    this.inputs = new Map(); // model -> bytes
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
    const old = this.socket;
    const socket = (this.socket = new WebSocket(this.address));
    if (old) old.close();
    socket.binaryType = "arraybuffer";
    socket.onopen = () => socket.send(message(Kind.HELLO, 0, 0, new TextEncoder().encode(this.token)));
    socket.onmessage = (event) => socket === this.socket && this.receive(event.data);
    socket.onclose = (event) => {
      if (socket !== this.socket) return;
      for (const [kind, { request }] of this.flying) if (!this.waiting.has(kind)) this.waiting.set(kind, request);
      this.flying.clear();
      this.setReady(false);
      if (FOR_GOOD.includes(event.code)) return;
      this.retry = setTimeout(() => this.open(), Math.min(8000, 300 * 2 ** this.attempts++));
    };
  }

  close() {
    this.closed = true;
    clearTimeout(this.retry);
    this.socket?.close();
  }

  setReady(ready) {
    this.ready = ready;
    this.onState(ready);
  }

  receive(buffer) {
    const view = new DataView(buffer);
    const kind = view.getUint8(1);
    if (kind === Kind.HELLO) {
      this.attempts = 0;
      for (const [model, bytes] of this.inputs) this.socket.send(message(Kind.INPUT, model, 0, bytes));
      this.setReady(true);
      for (const waiting of this.waiting.keys()) this.next(waiting);
      return;
    }
    const asked = kind === Kind.SENTENCE ? Kind.DRAWING : kind;
    const flight = this.flying.get(asked);
    if (!flight || flight.sequence !== view.getUint32(4, true)) return;
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
    if (!request || !this.ready || this.flying.has(kind)) return;
    if (this.resting.has(kind)) return;
    this.resting.add(kind);
    setTimeout(() => (this.resting.delete(kind), this.next(kind)), PACE);
    this.waiting.delete(kind);
    const sequence = (this.sequence = (this.sequence + 1) >>> 0);
    this.flying.set(kind, { sequence, request });
    this.socket.send(message(kind, request.model, sequence, request.body));
  }
}
