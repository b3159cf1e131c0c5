// One gradient estimated in two ways, draw by draw: through z, and through log q(z).

import { element, markup, nats, say, svg } from "../../shared/dom.js";
import { eager } from "../../shared/hand.js";
import { redrawn } from "../../shared/paint.js";
import { stepsOf } from "./steps.js";

const WAYS = [
  ["pathwise", "Through <z>", "∂ log p(<x>|<z>) / ∂<z>, since <z> = <mu> + <sigma><eps> moves with <mu>"],
  ["score", "Through log q", "log p(<x>|<z>) · <eps> / <sigma>, which needs only the number log p(<x>|<z>)"],
  ["baseline", "Through log q, less a baseline", "the same, with the mean of the other draws taken off log p(<x>|<z>)"],
];
const [WIDE, HIGH, BINS, REACH] = [360, 92, 49, 3.2]; // of a histogram; it shows REACH standard deviations to each side

/**
 * The estimates of d E log p(x|z) / d mu_0 of each draw; as vae/train/gradients.py has them.
 * @param {{ eps: Float32Array, fit: Float32Array, gradient: Float32Array, sigma: number }} draws
 */
export function estimates({ eps, fit, gradient, sigma }) {
  const n = fit.length;
  const sum = fit.reduce((total, value) => total + value, 0);
  const of = (value) => Array.from({ length: n }, (_, i) => value(i));
  return {
    pathwise: of((i) => gradient[2 * i]),
    score: of((i) => (fit[i] * eps[2 * i]) / sigma),
    baseline: of((i) => ((fit[i] - (sum - fit[i]) / (n - 1)) * eps[2 * i]) / sigma),
  };
}

export function spread(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1) };
}

// three digits that count, without an exponent
const short = (value) => Number(value.toPrecision(3)).toLocaleString("en").replace("-", "−");

export class Gradients {
  constructor(training, [slow, draws]) {
    this.training = training;
    this.data = training.data;
    this.slow = this.data.slow[slow] === undefined ? 1 : slow;
    this.draws = draws >= 1 && draws <= 1000 ? draws : 10;
    this.build();
  }

  begin() {
    this.choose(this.slow, false);
  }

  end() {}

  build() {
    this.steps = stepsOf(this.training, (slow) => this.choose(slow));
    this.exact = element("span", { class: "number", "data-testid": "exact" });
    this.count = eager(
      element("input", {
        type: "range",
        min: 0,
        max: 3,
        step: 0.01,
        "data-testid": "draws",
        "aria-label": "Number of draws",
        oninput: () => this.average(Math.round(10 ** Number(this.count.value))),
      }),
    );
    this.counted = element("span", { "data-testid": "counted" });
    this.rows = Object.fromEntries(
      WAYS.map(([key, title, formula]) => {
        const plot = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, class: "axes", role: "img" });
        const read = Object.fromEntries(
          ["mean", "variance", "needs"].map((name) => [
            name,
            element("span", { class: "number", "data-testid": `${key}-${name}` }),
          ]),
        );
        const cell = (label, number) => element("div", { class: "cell" }, markup(label), number);
        const box = element(
          "div",
          { class: "way-of" },
          element("div", {}, element("h3", {}, markup(title)), element("div", { class: "quiet" }, markup(formula))),
          plot,
          element(
            "div",
            { class: "readouts" },
            cell("mean of these draws", read.mean),
            cell("variance of one draw", read.variance),
            cell("draws for the same error", read.needs),
          ),
        );
        return [key, { plot, read, box }];
      }),
    );
    this.root = element(
      "div",
      { class: "training" },
      element(
        "div",
        { class: "row" },
        this.steps.box,
        this.steps.picture,
        element(
          "span",
          {},
          markup("the slope of E log p(<x>|<z>) in the first <mu>, by quadrature: "),
          this.exact,
          " nats",
        ),
      ),
      element("div", { class: "line scrubbed" }, this.counted, element("div", { class: "track" }, this.count)),
      ...Object.values(this.rows).map(({ box }) => box),
    );
  }

  choose(slow, tell = true) {
    this.slow = slow;
    const step = this.steps.show(slow);
    const { file } = this.training;
    this.found = estimates({
      eps: file.of("tried"),
      fit: file.of(`${step}.slow.draws.log_likelihood`),
      gradient: file.of(`${step}.slow.draws.gradient`),
      sigma: file.of(`${step}.slow.sigma`)[0],
    });
    this.slope = file.of(`${step}.slow.exact`)[0];
    say(this.exact, nats(this.slope, 2));
    const best = spread(this.found.pathwise).variance;
    for (const [key, { plot, read }] of Object.entries(this.rows)) {
      const { variance } = spread(this.found[key]);
      say(read.variance, short(variance));
      say(read.needs, `× ${short(variance / best)}`);
      this.histogram(plot, this.found[key], Math.sqrt(variance));
    }
    this.count.value = String(Math.log10(this.draws));
    this.average(this.draws, tell);
    redrawn(this.steps.picture);
  }

  histogram(plot, values, deviation) {
    const half = REACH * deviation;
    const counts = Array.from({ length: BINS }, () => 0);
    for (const value of values) {
      const bin = Math.floor(((value - this.slope + half) / (2 * half)) * BINS);
      if (bin >= 0 && bin < BINS) counts[bin] += 1;
    }
    const most = Math.max(...counts);
    const [bottom, wide] = [HIGH - 18, WIDE / BINS];
    const x = (value) => (value * WIDE) / (2 * half) + WIDE / 2;
    const ticks = [-2, 0, 2].map((by) => by * deviation);
    plot.replaceChildren(
      ...counts.map((count, i) =>
        svg("rect", {
          class: "bin",
          x: i * wide,
          width: wide - 0.7,
          y: bottom - (count / most) * (bottom - 4),
          height: (count / most) * (bottom - 4),
        }),
      ),
      svg("line", { class: "exact", x1: WIDE / 2, x2: WIDE / 2, y1: 0, y2: bottom }),
      ...ticks.map((by) =>
        svg("text", { class: "axis", x: x(by), y: HIGH - 4, "text-anchor": "middle" }, short(this.slope + by)),
      ),
    );
    plot.setAttribute(
      "aria-label",
      `1,000 estimates around ${nats(this.slope, 2)}, standard deviation ${short(deviation)}`,
    );
  }

  average(draws, tell = true) {
    this.draws = draws;
    say(this.counted, `The first ${draws.toLocaleString("en")} of 1,000 draws`);
    this.count.setAttribute("aria-valuetext", `${draws} draws`);
    for (const [key, { read }] of Object.entries(this.rows))
      say(read.mean, short(spread(this.found[key].slice(0, draws)).mean));
    if (tell) this.training.moved(this.slow, draws);
  }
}
