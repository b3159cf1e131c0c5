// The visitor's own picture, as it came, with a box around the part of it that is read.

import { announce, element, say } from "../shared/dom.js";
import { DOWN, Settling } from "../shared/hand.js";
import { mounted } from "../shared/mounted.js";

const WHOLE = [0, 0, 1, 1]; // left, top, right, bottom, in shares of the picture
const LEAST = 0.04; // of the picture: the smallest box
const STEP = 0.02; // of an arrow key
const CORNERS = { nw: [0, 1], ne: [2, 1], sw: [0, 3], se: [2, 3] }; // which two sides of the box each of them moves

/** @typedef {[number, number, number, number]} Box */

const within = (value, low, high) => Math.min(high, Math.max(low, value));

class Crop {
  /** @param {Node} parent */
  constructor(parent) {
    this.root = parent.appendChild(element("div", { class: "lab own crop" }));
    this.rev = null;
    this.settling = new Settling(() => this.commit());
    this.build();
  }

  end() {
    this.settling.stop();
  }

  /** @param {Component<CropData>} component */
  update(component) {
    this.component = component;
    const { data } = component;
    if (data.rev === this.rev) return;
    this.rev = data.rev;
    this.image.src = data.picture;
    this.image.width = data.width;
    this.image.height = data.height;
    this.told = String(data.box);
    this.place(/** @type {Box} */ (data.box));
  }

  build() {
    this.image = element("img", { alt: "Your picture, as it came", draggable: "false", "data-testid": "original" });
    this.box = element("div", {
      class: "box",
      tabindex: 0,
      role: "application",
      "data-testid": "box",
      onkeydown: (event) => this.key(event),
      onblur: () => this.settled(),
    });
    for (const corner of Object.keys(CORNERS))
      this.box.append(element("i", { class: `corner ${corner}`, "data-corner": corner, "data-testid": corner }));
    this.sheet = element(
      "div",
      {
        class: "sheet",
        onpointerdown: (event) => this.down(event),
        onpointermove: (event) => this.move(event),
        onpointerup: () => this.up(),
        onpointercancel: () => this.cancel(),
      },
      this.image,
      this.box,
    );
    this.whole = element("button", { onclick: () => this.reset() }, "Whole picture");
    this.said = element("span", { class: "quiet" });
    this.root.append(this.sheet, element("div", { class: "row" }, this.whole, this.said));
  }

  // ---- the box ----

  /** @param {Box} box */
  place(box) {
    this.at = box;
    const [left, top, right, bottom] = box;
    const whole = String(box) === String(WHOLE);
    const share = (value) => `${100 * value}%`;
    Object.assign(this.box.style, {
      left: share(left),
      top: share(top),
      width: share(right - left),
      height: share(bottom - top),
    });
    this.box.classList.toggle("whole", whole);
    const percent = (value) => `${Math.round(100 * value)} %`;
    this.words = whole
      ? "the whole picture"
      : `${percent(right - left)} by ${percent(bottom - top)} of the picture, ${percent(left)} from the left, ${percent(top)} from the top`;
    this.box.setAttribute(
      "aria-label",
      `The part that is read: ${this.words}. Arrow keys move the box, with Shift they resize it, Escape takes the whole picture`,
    );
    say(this.said, whole ? "Drag a box around one thing." : "Only what is in the box is read.");
    this.whole.disabled = whole;
  }

  // where a pointer is, in shares of the picture
  point(event) {
    const { left, top, width, height } = this.sheet.getBoundingClientRect();
    return [within((event.clientX - left) / width, 0, 1), within((event.clientY - top) / height, 0, 1)];
  }

  down(event) {
    if (event.button !== 0) return;
    const [x, y] = this.point(event);
    const [left, top, right, bottom] = this.at;
    const { corner } = /** @type {HTMLElement} */ (event.target).dataset;
    const inside = x > left && x < right && y > top && y < bottom && String(this.at) !== String(WHOLE);
    this.held = { x, y, before: this.at, does: "draw", corner };
    if (corner) this.held.does = "resize";
    else if (inside) this.held.does = "move";
    this.sheet.setPointerCapture(event.pointerId);
    this.box.focus({ preventScroll: true });
    event.preventDefault();
  }

  move(event) {
    if (!this.held) return;
    const { x, y, before, does, corner } = this.held;
    const [atX, atY] = this.point(event);
    if (does === "move") this.place(this.moved(before, atX - x, atY - y));
    else if (does === "resize") this.place(this.resized(before, CORNERS[corner], [atX, atY]));
    else if (Math.abs(atX - x) > LEAST / 2 || Math.abs(atY - y) > LEAST / 2)
      this.place(this.ordered([Math.min(x, atX), Math.min(y, atY), Math.max(x, atX), Math.max(y, atY)]));
  }

  up() {
    if (!this.held) return;
    this.held = null;
    this.commit();
  }

  // the browser took the finger for a swipe of the page
  cancel() {
    if (this.held) this.place(this.held.before);
    this.held = null;
  }

  key(event) {
    const by = DOWN[event.key];
    if (by) {
      const [x, y] = by.map((way) => way * STEP);
      const [, , right, bottom] = this.at;
      this.place(event.shiftKey ? this.resized(this.at, [2, 3], [right + x, bottom + y]) : this.moved(this.at, x, y));
      this.settling.later();
    } else if (event.key === "Escape") this.reset();
    else return;
    announce(this.words);
    event.preventDefault();
  }

  /** @param {Box} box */
  moved([left, top, right, bottom], x, y) {
    const [byX, byY] = [within(x, -left, 1 - right), within(y, -top, 1 - bottom)];
    return /** @type {Box} */ ([left + byX, top + byY, right + byX, bottom + byY]);
  }

  // two of its sides where a corner goes, the others stay
  /** @param {Box} box */
  resized(box, sides, to) {
    const found = /** @type {Box} */ ([...box]);
    sides.forEach((side, i) => {
      const [low, high] = side < 2 ? [0, box[side + 2] - LEAST] : [box[side - 2] + LEAST, 1];
      found[side] = within(to[i], low, high);
    });
    return found;
  }

  // no smaller than the least, and within the picture
  /** @param {Box} box */
  ordered([left, top, right, bottom]) {
    const [x, y] = [Math.min(left, 1 - LEAST), Math.min(top, 1 - LEAST)];
    return /** @type {Box} */ ([x, y, Math.max(right, x + LEAST), Math.max(bottom, y + LEAST)]);
  }

  // ---- telling ----

  reset() {
    this.place(/** @type {Box} */ ([...WHOLE]));
    this.commit();
  }

  settled() {
    if (this.settling.timer) this.commit();
  }

  commit() {
    this.settling.stop();
    const box = this.at.map((share) => Math.round(1000 * share) / 1000);
    if (String(box) === this.told) return;
    this.told = String(box);
    this.component.setStateValue("box", { of: this.rev, box });
  }
}

export default await mounted((parent) => new Crop(parent), "own.css");
