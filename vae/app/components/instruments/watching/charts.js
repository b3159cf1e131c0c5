// What is drawn beside the pictures of a training: curves over its moments, encodings in the plane, and what latents tell.

import { element, svg } from "../../shared/dom.js";
import { set } from "../../shared/svg.js";

const [WIDE, HIGH, LEFT, RIGHT, TOP, BOTTOM] = [360, 130, 46, 8, 10, 20]; // units of a curve's drawing
const SIDE = 300; // and of the plane's
const USED = 0.05; // nats: a latent that tells less is dark

/** @param {number} value */
const short = (value) => (Math.abs(value) >= 10_000 ? `${Math.round(value / 1000)}k` : String(Math.round(value)));

// One number over the moments: of the pictures that it learns from, and of those that it has never seen.
export class Curve {
  /**
   * @param {string} title
   * @param {"distortion" | "rate"} name
   * @param {string} [floor] what the dashed line is called
   */
  constructor(title, name, floor = "") {
    this.name = name;
    this.train = svg("polyline", { class: "train" });
    this.held = svg("polyline", { class: "held" });
    this.floor = svg("path", { class: "floor" });
    this.here = svg("path", { class: "moment" });
    this.ticks = svg("g", { class: "ticks" });
    this.drawing = svg(
      "svg",
      { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "data-testid": `curve-${name}` },
      svg("path", { class: "frame", d: `M${LEFT},${TOP}V${HIGH - BOTTOM}H${WIDE - RIGHT}` }),
      this.ticks,
      this.floor,
      this.train,
      this.held,
      this.here,
    );
    const key = (kind, word) => element("span", { class: "key" }, element("i", { class: kind }), word);
    this.root = element(
      "figure",
      { class: "curve" },
      element(
        "figcaption",
        { class: "quiet" },
        element("b", {}, title),
        key("held", "new pictures"),
        key("train", "those it learns from"),
        ...(floor ? [key("floor", floor)] : []),
      ),
      this.drawing,
    );
    this.title = title;
  }

  /** @param {Moment[]} frames */
  draw(frames) {
    this.frames = frames;
    const values = frames.flatMap((frame) => [frame.train[this.name], frame.validation[this.name]]);
    const floor = this.name === "distortion" ? (frames.at(-1).floor ?? NaN) : NaN;
    if (Number.isFinite(floor)) values.push(floor);
    const some = values.filter(Number.isFinite).sort((a, b) => a - b);
    // the first moments may be far above all others: they leave the drawing at its top
    const high = Math.min(some.at(-1), some[0] + 3 * (some[Math.floor(0.75 * some.length)] - some[0]) || 1);
    const low = some[0];
    const room = 0.06 * (high - low || 1);
    const steps = Math.max(1, frames.at(-1).step);
    this.across = (step) => LEFT + (step / steps) * (WIDE - RIGHT - LEFT);
    const up = (value) =>
      HIGH - BOTTOM - ((Math.min(value, high + room) - low + room) / (high - low + 2 * room)) * (HIGH - BOTTOM - TOP);
    for (const [line, part] of /** @type {const} */ ([
      [this.train, "train"],
      [this.held, "validation"],
    ])) {
      set(line, {
        points: frames.map((frame) => `${this.across(frame.step)},${up(frame[part][this.name])}`).join(" "),
      });
    }
    set(this.floor, { d: Number.isFinite(floor) ? `M${LEFT},${up(floor)}H${WIDE - RIGHT}` : "" });
    const text = (x, y, word, anchor) => svg("text", { x, y, "text-anchor": anchor }, word);
    this.ticks.replaceChildren(
      text(LEFT - 5, up(low) + 4, short(low), "end"),
      text(LEFT - 5, up(high) + 4, short(high), "end"),
      text(WIDE - RIGHT, HIGH - 5, `step ${steps.toLocaleString("en")}`, "end"),
    );
    const last = frames.at(-1);
    set(this.drawing, {
      "aria-label": `${this.title}: ${short(last.validation[this.name])} of new pictures, ${short(last.train[this.name])} of those it learns from`,
    });
  }

  /** @param {number} place */
  mark(place) {
    const x = this.across(this.frames[place].step);
    set(this.here, { d: `M${x},${TOP}V${HIGH - BOTTOM}` });
  }
}

// The encodings of some pictures in the plane, in the colours of their classes, which are named where there is one each.
export class Scatter {
  /** @param {WatchingData} data */
  constructor({ labels, classes, colours }) {
    this.dots = labels.map((label) => svg("circle", { r: 3, fill: colours[label % colours.length] }));
    const named = classes.length > 1 && classes.length <= colours.length ? classes : [];
    this.keys = element(
      "div",
      { class: "classes quiet", "data-testid": "classes" },
      ...named.map((name, place) =>
        element("span", { class: "key" }, element("i", { style: `background: ${colours[place]}` }), name),
      ),
    );
    this.root = svg(
      "svg",
      { viewBox: `0 0 ${SIDE} ${SIDE}`, class: "scatter", role: "img", "data-testid": "scatter" },
      ...this.dots,
    );
    set(this.root, { "aria-label": `${labels.length} pictures where the network's numbers put them` });
  }

  /** @param {[number, number][]} points */
  draw(points) {
    const far = Math.max(0.5, ...points.map(([x, y]) => Math.max(Math.abs(x), Math.abs(y))));
    const at = (value) => SIDE / 2 + (value / far) * (SIDE / 2 - 8);
    points.forEach(([x, y], i) => this.dots[i] && set(this.dots[i], { cx: at(x), cy: at(-y) }));
  }
}

// A bar for each latent, lit where it tells something.
export class Bars {
  constructor() {
    this.root = element("div", { class: "bars", role: "img", "data-testid": "kl" });
  }

  /** @param {number[]} kl */
  draw(kl) {
    if (this.root.childElementCount !== kl.length) {
      this.root.replaceChildren(...kl.map(() => element("i")));
    }
    const most = Math.max(1, ...kl);
    [...this.root.children].forEach((bar, i) => {
      const { style } = /** @type {HTMLElement} */ (bar);
      style.height = `${(100 * kl[i]) / most}%`;
      bar.className = kl[i] > USED ? "" : "dark";
    });
    const used = kl.filter((value) => value > USED).length;
    this.root.setAttribute("aria-label", `${used} of ${kl.length} numbers are used`);
  }
}
