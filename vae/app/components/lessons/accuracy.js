// How well the class can be read off features: a curve for each kind, over the dimension, and one dimension in words.

import { element, say, svg } from "../shared/dom.js";
import { ENDS, MORE, Settling, swiped } from "../shared/hand.js";
import { set } from "../shared/svg.js";
import { mounted } from "../shared/mounted.js";

const [PLOT_HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [400, 44, 14, 16, 40];
const percent = (share) => `${(100 * share).toFixed(1)} %`;

class Accuracy {
  constructor(parent) {
    this.root = parent.appendChild(element("div", { class: "lab" }));
    this.settling = new Settling(() =>
      this.component.setStateValue("see", `${this.kind}_${this.columns[this.chosen]}`),
    );
    this.observer = new ResizeObserver(() => this.draw());
  }

  end() {
    this.settling.stop();
    this.observer.disconnect();
  }

  update(component) {
    const { data } = component;
    this.component = component;
    if (data.rev === this.rev) return;
    this.data = data;
    this.rev = data.rev;
    this.columns = [...new Set(data.curves.flatMap((curve) => curve.dimensions))].sort((a, b) => a - b);
    const [kind, dimension] = data.see.split("_").map(Number);
    this.kind = data.kinds[kind] ? kind : 0;
    this.chosen = this.columns.indexOf(this.columns.includes(dimension) ? dimension : data.latents);
    this.kinds = data.kinds.map((word, kind) =>
      element("button", { "data-testid": `kind-${kind}`, onclick: () => this.read(kind) }, word),
    );
    this.svg = svg("svg", {
      class: "accuracy",
      role: "slider",
      tabindex: 0,
      "data-testid": "accuracy",
      "aria-valuemin": this.columns[0],
      "aria-valuemax": this.columns.at(-1),
      "aria-label": "Share of pictures whose class is read off right, over the dimension of the features",
    });
    const follow = ({ clientX }) => this.turn(this.nearest(clientX - this.svg.getBoundingClientRect().left));
    this.svg.addEventListener("pointermove", follow);
    this.svg.addEventListener("pointerdown", follow);
    this.svg.addEventListener("keydown", (event) => this.key(event));
    swiped(
      this.svg,
      () => this.chosen,
      (before) => this.turn(before),
    );
    this.words = element("div", { class: "status answer", "data-testid": "point" });
    const key = data.curves.map(({ name, css }) =>
      element("span", { class: "row" }, element("i", { class: `dot ${css}` }), name),
    );
    this.root.replaceChildren(
      element("div", { class: "row" }, ...this.kinds),
      element("div", { class: "veil" }, this.svg),
      element("div", { class: "row keys" }, ...key),
      this.words,
    );
    this.observer.disconnect();
    this.observer.observe(this.root);
    this.read(this.kind, false);
  }

  read(kind, tell = true) {
    this.kind = kind;
    if (tell) this.settling.later();
    this.kinds.forEach((button, index) => button.setAttribute("aria-pressed", index === kind));
    this.draw();
  }

  key(event) {
    const by = { ...MORE, ...ENDS }[event.key];
    if (!by) return;
    event.preventDefault();
    this.turn(this.chosen + by);
  }

  turn(index) {
    if (index === this.chosen) return;
    this.choose(index);
    this.settling.later();
  }

  across(dimension) {
    return LEFT + 6 + ((this.width - LEFT - RIGHT - 12) * Math.log(dimension)) / Math.log(this.columns.at(-1));
  }

  nearest(x) {
    const away = this.columns.map((dimension) => Math.abs(this.across(dimension) - x));
    return away.indexOf(Math.min(...away));
  }

  // One dimension, and what every curve says there: points may cover each other, words do not.
  choose(index) {
    this.chosen = Math.min(this.columns.length - 1, Math.max(0, index));
    const dimension = this.columns[this.chosen];
    const found = this.data.curves.flatMap(({ dimensions, models, shares }) => {
      const i = dimensions.indexOf(dimension);
      return i < 0 ? [] : [`${models[i]} ${percent(shares[this.kind][i])}`];
    });
    say(this.words, `${dimension} ${dimension === 1 ? "dimension" : "dimensions"}: ${found.join(", ")}`);
    this.svg.ariaValueNow = dimension;
    this.svg.ariaValueText = this.words.textContent;
    const x = this.across(dimension);
    set(this.guide, { x1: x, x2: x });
  }

  draw() {
    this.width = this.root.clientWidth;
    if (!this.width) return;
    const { curves, pixels, dimensions } = this.data;
    const right = this.width - RIGHT;
    const down = (share) => TOP + (1 - share) * (PLOT_HEIGHT - TOP - BOTTOM);
    this.guide = svg("line", { class: "guide", y1: down(1), y2: down(0) });
    /** @type {SVGElement[]} */
    const parts = [this.guide];
    for (const share of [0, 0.25, 0.5, 0.75, 1]) {
      parts.push(svg("line", { class: "grid", x1: LEFT, x2: right, y1: down(share), y2: down(share) }));
      parts.push(svg("text", { x: LEFT - 8, y: down(share) + 4, "text-anchor": "end" }, `${100 * share} %`));
    }
    for (const dimension of this.columns)
      parts.push(
        svg("text", { x: this.across(dimension), y: PLOT_HEIGHT - 20, "text-anchor": "middle" }, String(dimension)),
      );
    parts.push(svg("text", { x: (this.width + LEFT) / 2, y: PLOT_HEIGHT - 3, "text-anchor": "middle" }, "dimensions"));
    const level = down(pixels[this.kind]);
    parts.push(svg("line", { class: "level", x1: LEFT, x2: right, y1: level, y2: level }));
    parts.push(
      svg("text", { class: "x", x: LEFT + 6, y: level - 6 }, `all ${dimensions} pixels: ${percent(pixels[this.kind])}`),
    );
    for (const { css, dimensions: at, shares } of [...curves].reverse()) {
      const places = at.map((dimension, i) => [this.across(dimension), down(shares[this.kind][i])]);
      parts.push(svg("polyline", { class: `${css} answer`, points: places.join(" ") }));
      parts.push(...places.map(([cx, cy]) => svg("circle", { class: `${css} answer`, cx, cy, r: 6 })));
    }
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${PLOT_HEIGHT}`);
    this.svg.replaceChildren(...parts);
    this.choose(this.chosen);
  }
}

export default await mounted((parent) => new Accuracy(parent), "lessons/accuracy.css");
