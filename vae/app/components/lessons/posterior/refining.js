// A better q for one picture, by steps of its ELBO, and what is left of the gap.

import { element, labelled, nats, say, svg } from "../../shared/dom.js";
import { Kind } from "../../shared/live.js";
import { formula } from "./formula.js";

const STEPS_A_SECOND = 120;

export class Refining {
  constructor(posterior) {
    this.posterior = posterior;
    this.walked = null; // the steps
    this.shownStep = 0;
    this.ticking = 0;
    this.button = element("button", { "data-testid": "refine", onclick: () => this.refine() }, "Refine q");
    this.box = element("div", { "data-testid": "refinement" });
  }

  forget() {
    this.stop();
    this.walked = null;
    this.box.replaceChildren();
    delete this.box.dataset.done;
    this.button.disabled = false;
  }

  stop() {
    cancelAnimationFrame(this.ticking);
  }

  refine() {
    const { refined } = this.posterior.data;
    const version = this.posterior.version;
    this.forget();
    this.button.disabled = true;
    const which = 1; // the model of the sidebar; the other is the one whose plane is shown
    const done = (answer) => {
      if (this.posterior.ended || version !== this.posterior.version) return;
      this.button.disabled = false;
      this.walked = { ...answer, inPlane: refined.here };
      this.buildChart();
      this.play();
    };
    this.posterior.slow.ask(Kind.REFINE, this.posterior.x, done, which);
  }

  // What the ELBO climbs towards: log p(x) where it is known, else a bound.
  get ceiling() {
    return this.walked.inPlane ? this.posterior.numbers.log_evidence : this.walked.bound;
  }

  // After an answer: log p(x) is another, or known now.
  again() {
    if (!this.box.dataset.done) return;
    this.buildChart();
    this.showStep(this.walked.steps.length - 1);
    this.split();
  }

  buildChart() {
    const { steps, inPlane } = this.walked;
    const all = [...steps.map((step) => step.elbo), this.ceiling].filter(Number.isFinite);
    const [low, high] = [Math.min(...all), Math.max(...all)];
    this.height = (value) => 38 - (36 * (value - low)) / Math.max(1e-6, high - low);
    const plot = svg("svg", {
      viewBox: "0 0 100 40",
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": "The ELBO of each step",
    });
    this.climb = svg("polyline", { class: "chosen", "vector-effect": "non-scaling-stroke" });
    plot.append(this.climb);
    const y = this.height(this.ceiling);
    if (Number.isFinite(y))
      plot.prepend(
        svg("line", { x1: 0, x2: 100, y1: y, y2: y, "vector-effect": "non-scaling-stroke", class: "ceiling" }),
      );
    this.reached = element("span", { class: "number", "data-testid": "elbo" });
    this.parts = element("div", { class: "readouts two", "data-testid": "errors" });
    this.box.replaceChildren(
      element(
        "div",
        { class: "refined", style: "--line: var(--sigma)" },
        element(
          "div",
          { class: "row spread" },
          element("span", {}, "ELBO ", this.reached),
          element(
            "span",
            { class: "quiet" },
            formula(inPlane ? "log p(<x>) " : "IWAE bound, k = 2000: "),
            nats(this.ceiling, 2),
          ),
        ),
        element("div", { class: "lines" }, plot),
      ),
      this.parts,
    );
  }

  play() {
    const { steps } = this.walked;
    const start = performance.now();
    const tick = (now) => {
      this.showStep(Math.min(steps.length - 1, Math.max(0, Math.floor(((now - start) * STEPS_A_SECOND) / 1000))));
      if (this.shownStep < steps.length - 1) this.ticking = requestAnimationFrame(tick);
      else this.split();
    };
    this.ticking = requestAnimationFrame(tick);
  }

  showStep(index) {
    const { steps } = this.walked;
    this.shownStep = index;
    this.climb.setAttribute(
      "points",
      steps
        .slice(0, index + 1)
        .map((step, i) => `${(100 * i) / (steps.length - 1)},${this.height(step.elbo)}`)
        .join(" "),
    );
    say(this.reached, `${nats(steps[index].elbo, 2)} ± ${nats(steps[index].error, 2)}`);
    this.posterior.plane.redraw();
  }

  // The gap below log p(x): what refining removed, and what no Gaussian with these axes can.
  split() {
    const { steps, first, last, inPlane } = this.walked;
    const exact = Number.isFinite(first) && Number.isFinite(last);
    const [before, after] = exact ? [first, last] : [steps[0].elbo, steps.at(-1).elbo];
    const cell = (label, name, value) =>
      element(
        "div",
        { class: "cell" },
        element("span", { class: "label" }, label),
        element("span", { class: "number", "data-testid": name }, nats(value, 2)),
      );
    this.parts.replaceChildren(
      cell(labelled("what the encoder missed, refined away", "amortisation error"), "amortisation", after - before),
      cell(
        labelled(inPlane ? "what no such q can reach" : "what no such q can reach, at least", "family error"),
        "family",
        this.ceiling - after,
      ),
    );
    this.box.dataset.done = String(steps.length - 1);
  }
}
