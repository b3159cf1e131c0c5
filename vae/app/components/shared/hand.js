// What a hand does to an instrument: with pointer, finger and keys, until it rests.

// The moves of a pointer before the browser gathers them for the next frame, where it tells: an answer to them may still
// be in time for that frame.
export const RAW = "onpointerrawupdate" in window ? "pointerrawupdate" : "pointermove";
export const THUMB = 16; // pixels of a slider's thumb

// A finger that the browser takes for a swipe of the page has not meant what it touched: `hold` gives what there was
// before, and `back` puts it there again.
export function swiped(node, hold, back) {
  let held = null;
  node.addEventListener("pointerdown", (event) => (held = event.pointerType === "touch" ? { before: hold() } : null), {
    capture: true,
  });
  node.addEventListener("pointercancel", () => held && back(held.before));
  return node;
}

// Whether a key only leads past what it is pressed on, or on a picture that one draws on only within it.
/** @param {Event} event */
export function onlyLeads(event) {
  if (!(event instanceof KeyboardEvent)) return false;
  const { key } = event;
  const isDrawn = event.composedPath()[0] instanceof HTMLCanvasElement;
  return /^(Tab|F6|Escape|Shift|Control|Alt|Meta)$/.test(key) || (isDrawn && key.startsWith("Arrow"));
}

// A range input that follows a mouse or pen at once; fingers and keys move it as ever.
export function eager(input) {
  swiped(
    input,
    () => input.value,
    (before) => {
      input.value = before;
      input.dispatchEvent(new Event("input"));
    },
  );
  const follow = (event) => {
    const box = input.getBoundingClientRect();
    const share = (event.clientX - box.left - THUMB / 2) / (box.width - THUMB);
    const before = input.value;
    input.value = Number(input.min) + Math.min(1, Math.max(0, share)) * (input.max - input.min);
    if (input.value !== before) input.dispatchEvent(new Event("input"));
  };
  input.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch" || event.button !== 0) return;
    event.preventDefault();
    input.focus();
    input.setPointerCapture(event.pointerId);
    follow(event);
  });
  input.addEventListener(RAW, (event) => event.buttons && input.hasPointerCapture(event.pointerId) && follow(event));
  input.addEventListener(
    "pointerup",
    (event) => input.hasPointerCapture(event.pointerId) && input.dispatchEvent(new Event("change")),
  );
  return input;
}

// Where an arrow key leads, [across, up], and the same where down is the second.
export const UP = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
export const DOWN = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
// And along one line, or a list whose next is below.
export const MORE = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 };
export const ENDS = { Home: -Infinity, End: Infinity };
export const NEXT = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

const RESTS = 350; // ms after its last key at which a hand has let go

// What is done once a hand has rested for a while, or at once.
export class Settling {
  /** @param {() => void} act */
  constructor(act, rests = RESTS) {
    this.act = act;
    this.rests = rests;
    this.timer = 0;
  }

  later() {
    this.stop();
    this.timer = setTimeout(this.act, this.rests);
  }

  stop() {
    clearTimeout(this.timer);
  }
}
