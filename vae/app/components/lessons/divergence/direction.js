// One direction of the divergence: its integrand, its number, the way to its minimum, and the formula.

import { element, markup, nats, say, svg } from "../../shared/dom.js";
import { set } from "../../shared/svg.js";
import { closedForm, divergence, stepForward, stepReverse } from "./kl.js";

export const VIEW = 8; // the line is drawn from -VIEW to VIEW
export const DIRECTIONS = {
  pq: {
    of: "p",
    other: "q",
    label: "KL(p‖q)",
    step: stepForward,
    told: "Mass-covering: one Gaussian takes the mean and variance of p.",
  },
  qp: {
    of: "q",
    other: "p",
    label: "KL(q‖p)",
    step: stepReverse,
    told: "Mode-seeking: q may keep to one mode; which one depends on where it starts.",
  },
};

export const round = (value) => nats(value, Math.abs(100 * value - Math.round(100 * value)) < 1e-6 ? 2 : 3);
const nat = (value) => nats(value, value < 10 ? 3 : value < 100 ? 2 : 1);

export function symbol(name, text) {
  return element("b", { class: name }, text);
}

// A curve over the line, closed at its foot.
export function area(places, heights, zero, across) {
  const points = places.map((x, i) => `L${across(x).toFixed(1)},${heights[i].toFixed(2)}`);
  return `M${across(-VIEW)},${zero} ${points.join(" ")} L${across(VIEW)},${zero}`;
}

export class Direction {
  constructor(divergence, key) {
    const { label, told, of } = DIRECTIONS[key];
    this.divergence = divergence;
    this.key = key;
    this.adds = svg("path", { class: "adds" });
    this.takes = svg("path", { class: "takes" });
    this.zero = svg("line", { class: "zero" });
    this.text = svg("text", { x: 0, y: 14 });
    this.band = svg(
      "svg",
      {
        class: `integrand ${of}`,
        role: "img",
        "data-testid": `integrand-${key}`,
        "aria-label": `The integrand of ${label}: area above the line minus area below it`,
      },
      this.adds,
      this.takes,
      this.zero,
      this.text,
    );
    this.number = element("span", { class: "number", "data-testid": `kl-${key}` });
    this.formula = element("div", { class: "formula", "data-testid": `formula-${key}` });
    this.run = element("button", {
      class: "run",
      "data-testid": `least-${key}`,
      onclick: () => (divergence.running === key ? divergence.halt() : divergence.run(key)),
    });
    const step = element("button", { "data-testid": `step-${key}`, onclick: () => divergence.stepOnce(key) }, "Step");
    this.box = element(
      "div",
      {},
      element(
        "div",
        { class: "verdict" },
        element("b", { class: of }, label),
        this.number,
        markup("nats of KL divergence"),
      ),
      element("div", { class: "row" }, this.run, step),
      element("div", { class: "quiet told answer veil" }, told),
      this.formula,
    );
  }

  // The integrand's `terms` at places on the line, and all that is said of it.
  draw(terms, { low, high }, places, across) {
    const { band, adds, takes, zero } = this;
    const at = (value) => (band.clientHeight * (high - value)) / (high - low);
    set(adds, {
      d: area(
        places,
        terms.map((term) => at(Math.max(term, 0))),
        at(0),
        across,
      ),
    });
    set(takes, {
      d: area(
        places,
        terms.map((term) => at(Math.min(term, 0))),
        at(0),
        across,
      ),
    });
    set(zero, { x1: 0, x2: band.clientWidth, y1: at(0), y2: at(0) });
    const { of, other } = DIRECTIONS[this.key];
    say(this.text, `${of} ln(${of}/${other})`);
    this.tell();
  }

  tell() {
    const { key, number, formula, run } = this;
    const { parts, running } = this.divergence;
    const { of, other, label } = DIRECTIONS[key];
    const [a, b] = [parts[of], parts[other]];
    const found = nat(divergence(a, b));
    say(number, found);
    say(run, running === key ? "Pause" : `Minimise ${label}`);
    const name = (one) => element("span", { class: one }, symbol(one, one));
    const integral = element("div", {}, "∫ ", name(of), " ln(", name(of), " / ", name(other), `) dx = ${found}`);
    if (a.length + b.length > 2) {
      formula.replaceChildren(integral, element("div", { class: "quiet" }, "A mixture has no closed form."));
      return;
    }
    const mu = ({ mean }) => symbol("mu", round(mean));
    const subtracted = ({ mean }) => symbol("mu", mean < 0 ? `(${round(mean)})` : round(mean));
    const sigma = (one) => symbol("sigma", round(one.sigma));
    const [one, two] = [a[0], b[0]];
    const closed = element("span", { "data-testid": `closed-${key}` }, nat(Math.max(0, closedForm(one, two))));
    const form = [
      "ln(",
      sigma(two),
      " / ",
      sigma(one),
      ") + [",
      sigma(one),
      "² + (",
      mu(one),
      " − ",
      subtracted(two),
      ")²] / (2 · ",
      sigma(two),
      "²) − ½ = ",
    ];
    formula.replaceChildren(integral, element("div", {}, ...form, closed));
  }
}
