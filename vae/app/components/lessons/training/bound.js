// From the ELBO to the importance-weighted bound in three lines, with the draws of one picture.

import { element, markup, nats, say, svg } from "../../shared/dom.js";
import { eager } from "../../shared/hand.js";
import { redrawn } from "../../shared/paint.js";
import { chart } from "./plot.js";
import { stepsOf } from "./steps.js";

const LINES = [
  ["Every draw of <z> ~ q(<z>|<x>) gives a weight.", "w = p(<x>, <z>) / q(<z>|<x>), and E w = p(<x>)"],
  ["The mean of k weights is right on average as well.", "E [(w₁ + … + wₖ) / k] = p(<x>)"],
  [
    "The logarithm bends downwards, so its mean is too low, and less so the steadier the mean (Jensen).",
    "Lₖ = E log [(w₁ + … + wₖ) / k] ≤ log p(<x>)",
  ],
];
const HALF_LOG_2PI = 0.5 * Math.log(2 * Math.PI);

/**
 * log w of each draw, nats.
 * @param {{ eps: Float32Array, fit: Float32Array, mu: Float32Array, sigma: Float32Array }} draws
 */
export function logWeights({ eps, fit, mu, sigma }) {
  return Array.from(fit, (value, i) => {
    let log = value;
    for (let d = 0; d < 2; d++) {
      const z = mu[d] + sigma[d] * eps[2 * i + d];
      log += -0.5 * z * z - HALF_LOG_2PI + 0.5 * eps[2 * i + d] ** 2 + HALF_LOG_2PI + Math.log(sigma[d]);
    }
    return log;
  });
}

// L_k: the mean over all whole groups of k draws.
export function bound(logs, k) {
  const groups = Math.floor(logs.length / k);
  let sum = 0;
  for (let group = 0; group < groups; group++) {
    const part = logs.slice(group * k, (group + 1) * k);
    const most = Math.max(...part);
    sum += most + Math.log(part.reduce((total, log) => total + Math.exp(log - most), 0) / k);
  }
  return sum / groups;
}

export const SIZES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]; // of k

export class Bound {
  constructor(training, [slow, at]) {
    this.training = training;
    this.data = training.data;
    this.slow = this.data.slow[slow] === undefined ? 1 : slow;
    this.at = SIZES[at] ? at : 0;
    this.build();
  }

  begin() {
    this.choose(this.slow, false);
  }

  end() {}

  build() {
    this.steps = stepsOf(this.training, (slow) => this.choose(slow));
    this.slider = eager(
      element("input", {
        type: "range",
        min: 0,
        max: SIZES.length - 1,
        step: 1,
        "data-testid": "k",
        "aria-label": "k, the number of draws in a mean",
        oninput: () => this.turn(Number(this.slider.value)),
      }),
    );
    this.told = element("span", { "data-testid": "k-is" });
    this.value = element("span", { class: "number", "data-testid": "bound" });
    this.exact = element("span", { "data-testid": "evidence" });
    this.plot = element("div", { class: "narrow" });
    const lines = LINES.map(([why, formula], i) =>
      element(
        "div",
        { class: "line-of" },
        element("div", { class: "quiet" }, `${i + 1}. `, markup(why)),
        element("div", { class: "formula-of" }, markup(formula)),
      ),
    );
    this.root = element(
      "div",
      { class: "training" },
      element("div", { class: "proof" }, ...lines),
      element(
        "p",
        { class: "says" },
        markup(
          "With k = 1 that is the ELBO. With larger k it is the IWAE bound, after Burda, Grosse and Salakhutdinov (2016).",
        ),
      ),
      element(
        "div",
        { class: "row" },
        this.steps.box,
        this.steps.picture,
        markup("1,000 draws of its q, in groups of k"),
      ),
      element(
        "div",
        { class: "line scrubbed" },
        this.told,
        element("div", { class: "track" }, this.slider),
        element("span", {}, this.value, " nats"),
      ),
      element(
        "div",
        { class: "quiet" },
        markup("Dashed: log p(<x>) itself, by quadrature: "),
        this.exact,
        " nats. The bound of 1,000 draws is itself a draw, and may come out a little above.",
      ),
      this.plot,
    );
  }

  choose(slow, tell = true) {
    this.slow = slow;
    const step = this.steps.show(slow);
    const { file } = this.training;
    const logs = logWeights({
      eps: file.of("tried"),
      fit: file.of(`${step}.slow.draws.log_likelihood`),
      mu: file.of(`${step}.slow.mu`),
      sigma: file.of(`${step}.slow.sigma`),
    });
    this.bounds = SIZES.map((k) => bound(logs, k));
    const [evidence] = file.of(`${step}.slow.evidence`);
    say(this.exact, nats(evidence, 2));
    const [low, high] = [Math.min(...this.bounds), Math.max(evidence, ...this.bounds)];
    const room = Math.max(0.2, 0.1 * (high - low));
    const ticks = [low, (low + high) / 2, high].map((value) => Number(value.toFixed(1)));
    const { made, across, up } = chart({
      high: 220,
      label: "The bound for each k",
      testid: "bounds",
      x: { range: [1, 1000], ticks: [1, 10, 100, 1000], name: "k →", scale: Math.log },
      y: { range: [low - room, high + room], ticks: [...new Set(ticks)], name: "↑ bound, nats" },
    });
    this.places = this.bounds.map((value, i) => [across(SIZES[i]), up(value)]);
    this.dot = svg("circle", { class: "here", r: 6 });
    made.append(svg("line", { class: "exact", x1: across(1), x2: across(1000), y1: up(evidence), y2: up(evidence) }));
    made.append(svg("polyline", { class: "gone", points: this.places.join(" ") }), this.dot);
    this.plot.replaceChildren(made);
    this.slider.value = String(this.at);
    this.turn(this.at, tell);
    redrawn(this.steps.picture);
  }

  turn(at, tell = true) {
    this.at = at;
    const k = SIZES[at];
    say(this.told, k === 1 ? "k = 1: the ELBO" : `k = ${k.toLocaleString("en")}`);
    this.slider.setAttribute("aria-valuetext", this.told.textContent);
    say(this.value, nats(this.bounds[at], 2));
    this.dot.setAttribute("transform", `translate(${this.places[at]})`);
    if (tell) this.training.moved(this.slow, at);
  }
}
