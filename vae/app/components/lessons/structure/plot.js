// One column for each latent: the band of q(z|x), the eps drawn, and the dot that becomes z.

import { element, nats, svg } from "../../shared/dom.js";
import { MORE } from "../../shared/hand.js";

export const FAR = 4; // of mu, sigma, eps and z, to each side
const [WIDE, HIGH] = [360, 190];

export const height = (value) => HIGH / 2 - (Math.min(FAR, Math.max(-FAR, value)) / FAR) * (HIGH / 2 - 6);

export class Plot {
  // choose(column) is called where a hand takes another
  constructor(d, choose) {
    this.chosen = 0;
    this.wide = WIDE / d;
    this.here = svg("rect", { class: "here", width: this.wide, height: HIGH });
    const thick = Math.min(16, 0.7 * this.wide);
    this.columns = Array.from({ length: d }, (_, i) => {
      const middle = (i + 0.5) * this.wide;
      return {
        band: svg("rect", { class: "q-band", x: middle - thick / 2, width: thick }),
        tick: svg("rect", { class: "q-tick", x: middle - thick / 2, width: thick, height: 2 }),
        ring: svg("circle", { class: "ring", cx: middle, r: 3 }),
        dot: svg("circle", { class: "moving", cx: middle, r: 4 }),
      };
    });
    const parts = ["band", "tick", "ring", "dot"].flatMap((part) => this.columns.map((column) => column[part]));
    const lines = [-4, -2, 0, 2, 4].map((value) =>
      svg("line", { x1: 0, x2: WIDE, y1: height(value), y2: height(value) }),
    );
    const at = (column) => choose(Math.min(d - 1, Math.max(0, column)));
    this.box = element(
      "div",
      {
        class: "latent-plot",
        tabindex: 0,
        role: "slider",
        "aria-valuemin": 1,
        "aria-valuemax": d,
        "data-testid": "plot",
        "aria-label": "Which latent the slider below moves, those that say most first",
        onclick: (event) =>
          at(Math.floor(((event.clientX - this.box.getBoundingClientRect().left) / this.box.clientWidth) * d)),
        onkeydown: (event) => {
          const by = { ...MORE, Home: -d, End: d }[event.key];
          if (!by) return;
          event.preventDefault();
          at(this.chosen + by);
        },
      },
      svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}` }, this.here, ...lines, ...parts),
    );
    const axis = element(
      "div",
      { class: "levels quiet" },
      ...[4, 2, 0, -2, -4].map((value) => element("span", {}, nats(value, 0))),
    );
    this.row = element("div", { class: "strip-row tall" }, axis, this.box);
  }

  mark(column, latent) {
    this.chosen = column;
    this.box.ariaValueNow = String(column + 1);
    this.box.ariaValueText = `latent ${latent}`;
    this.here.setAttribute("x", String(column * this.wide));
  }
}
