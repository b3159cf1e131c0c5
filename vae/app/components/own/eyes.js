// The visitor's own picture, as it came, with two dots to drag onto the eyes and the square that is read around them.

import { announce, element, say } from "../shared/dom.js";
import { DOWN, Settling } from "../shared/hand.js";
import { mounted } from "../shared/mounted.js";

const STEP = 0.004; // of the long side, for an arrow key; with Shift FAST times as far
const FAST = 5;
const APART = 0.01; // of the long side, at least
const NAMES = ["left", "right"];

/** @typedef {[number, number]} Place of an eye, in shares of the picture's width and height */

const within = (value) => Math.min(1, Math.max(0, value));

class Eyes {
  /** @param {Node} parent */
  constructor(parent) {
    this.root = parent.appendChild(element("div", { class: "lab own eyes" }));
    this.rev = null;
    this.settling = new Settling(() => this.commit());
    this.build();
  }

  end() {
    this.settling.stop();
  }

  /** @param {Component<EyesData>} component */
  update(component) {
    this.component = component;
    const { data } = component;
    if (data.rev === this.rev) return;
    this.rev = data.rev;
    this.size = [data.width, data.height];
    this.usual = data.usual;
    this.image.src = data.picture;
    this.image.width = data.width;
    this.image.height = data.height;
    this.byHand = data.by_hand;
    const [leftX, leftY, rightX, rightY] = data.eyes;
    this.told = String(data.eyes);
    this.place([
      [leftX, leftY],
      [rightX, rightY],
    ]);
    say(this.said, data.said);
  }

  build() {
    this.image = element("img", { alt: "Your picture, as it came", draggable: "false", "data-testid": "original" });
    this.square = element("div", { class: "square", "data-testid": "square" });
    this.dots = NAMES.map((name, i) =>
      element("div", {
        class: "dot",
        tabindex: 0,
        role: "application",
        "data-testid": `${name}-eye`,
        onkeydown: (event) => this.key(event, i),
        onblur: () => this.settled(),
        onpointerdown: (event) => this.down(event, i),
        onpointermove: (event) => this.move(event),
        onpointerup: () => this.up(),
        onpointercancel: () => this.cancel(),
      }),
    );
    this.sheet = element(
      "div",
      { class: "sheet", onclick: (event) => this.tap(event) },
      this.image,
      this.square,
      ...this.dots,
    );
    this.again = element("button", { onclick: () => this.reset() }, "Find the eyes again");
    this.said = element("span", { class: "quiet", role: "status", "data-testid": "eyes-said" });
    this.root.append(this.sheet, element("div", { class: "row" }, this.again, this.said));
  }

  // ---- the dots ----

  /** @param {Place[]} eyes */
  place(eyes) {
    this.at = eyes;
    eyes.forEach(([x, y], i) => {
      const where = `${Math.round(100 * x)} % from the left, ${Math.round(100 * y)} % from the top`;
      Object.assign(this.dots[i].style, { left: `${100 * x}%`, top: `${100 * y}%` });
      this.dots[i].setAttribute(
        "aria-label",
        `The eye on the ${NAMES[i]}: ${where}. Arrow keys move it, with Shift faster, Escape finds the eyes again`,
      );
    });
    this.frame();
    this.again.disabled = !this.byHand;
  }

  // The square that is read: a portrait whose eyes lie where they always do.
  frame() {
    const [width, height] = this.size;
    const [[ax, ay], [bx, by]] = this.at.map(([x, y]) => [x * width, y * height]);
    const [[cx, cy], [dx, dy]] = this.usual;
    // a place p of the portrait, from its middle, is at turn * p + start: complex numbers
    const [wide, down] = [dx - cx, dy - cy];
    const length = wide * wide + down * down;
    const turn = [((bx - ax) * wide + (by - ay) * down) / length, ((by - ay) * wide - (bx - ax) * down) / length];
    const [fromX, fromY] = [0.5 - cx, 0.5 - cy];
    const middle = [ax + turn[0] * fromX - turn[1] * fromY, ay + turn[1] * fromX + turn[0] * fromY];
    Object.assign(this.square.style, {
      left: `${(100 * middle[0]) / width}%`,
      top: `${(100 * middle[1]) / height}%`,
      width: `${(100 * Math.hypot(...turn)) / width}%`,
      transform: `translate(-50%, -50%) rotate(${Math.atan2(turn[1], turn[0])}rad)`,
    });
  }

  // where a pointer is, in shares of the picture
  point(event) {
    const { left, top, width, height } = this.sheet.getBoundingClientRect();
    return [(event.clientX - left) / width, (event.clientY - top) / height];
  }

  // how far two places are apart, in shares of the long side
  apart([ax, ay], [bx, by]) {
    const [width, height] = this.size;
    return Math.hypot((ax - bx) * width, (ay - by) * height) / Math.max(width, height);
  }

  /**
   * One eye somewhere else, on the picture and not on the other eye.
   * @param {number} eye
   * @param {Place} to
   */
  bring(eye, to) {
    const place = /** @type {Place} */ (to.map(within));
    if (this.apart(place, this.at[1 - eye]) < APART) return;
    const eyes = [...this.at];
    eyes[eye] = place;
    this.byHand = true;
    this.place(eyes);
  }

  down(event, eye) {
    if (event.button !== 0) return;
    const [x, y] = this.point(event);
    const [atX, atY] = this.at[eye];
    this.held = { eye, off: [atX - x, atY - y], before: this.at, byHand: this.byHand };
    this.dots[eye].setPointerCapture(event.pointerId);
    this.dots[eye].focus({ preventScroll: true });
    event.preventDefault();
  }

  move(event) {
    if (!this.held) return;
    const [x, y] = this.point(event);
    const { eye, off } = this.held;
    this.bring(eye, [x + off[0], y + off[1]]);
  }

  up() {
    if (!this.held) return;
    this.held = null;
    this.commit();
  }

  // the browser took the finger for a swipe of the page
  cancel() {
    if (!this.held) return;
    this.byHand = this.held.byHand;
    this.place(this.held.before);
    this.held = null;
  }

  // beside the dots: the nearer one goes there
  tap(event) {
    if (this.dots.includes(event.target)) return;
    const to = /** @type {Place} */ (this.point(event));
    const eye = this.apart(to, this.at[0]) <= this.apart(to, this.at[1]) ? 0 : 1;
    this.bring(eye, to);
    this.dots[eye].focus({ preventScroll: true });
    this.commit();
  }

  key(event, eye) {
    const by = DOWN[event.key];
    if (by) {
      const long = Math.max(...this.size);
      const step = STEP * (event.shiftKey ? FAST : 1);
      const [x, y] = this.at[eye];
      this.bring(eye, [x + (by[0] * step * long) / this.size[0], y + (by[1] * step * long) / this.size[1]]);
      this.settling.later();
      announce(this.dots[eye].getAttribute("aria-label").split(".")[0]);
    } else if (event.key === "Escape") this.reset();
    else return;
    event.preventDefault();
  }

  // ---- telling ----

  reset() {
    this.settling.stop();
    if (this.byHand) this.component.setStateValue("eyes", { of: this.rev, eyes: null });
  }

  settled() {
    if (this.settling.timer) this.commit();
  }

  commit() {
    this.settling.stop();
    const eyes = this.at.flat().map((share) => Math.round(100000 * share) / 100000);
    if (String(eyes) === this.told) return;
    this.told = String(eyes);
    say(this.said, "The eyes are where you put the dots.");
    this.component.setStateValue("eyes", { of: this.rev, eyes });
  }
}

export default await mounted((parent) => new Eyes(parent), "own.css");
