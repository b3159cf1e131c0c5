// Two densities on a line under the hand, and the Kullback-Leibler divergence in both directions, in nats.

import { announce, element, nats, svg } from "../../shared/dom.js";
import { ENDS, MORE, Settling } from "../../shared/hand.js";
import { mounted } from "../../shared/mounted.js";
import { set } from "../../shared/svg.js";
import { DIRECTIONS, Direction, VIEW, area, round, symbol } from "./direction.js";
import { logDensity } from "./kl.js";
import { latentsOf } from "./latents.js";

const MEAN = { min: -4, max: 4 };
const SIGMA = { p: { min: 0.05, max: 2 }, q: { min: 0.05, max: 4.5 } }; // q's reaches the variance of any p
const WEIGHTS = [0.6, 0.4]; // of a mixture
const GRAB = 36; // pixels between a pointer and the handle that it takes
const SETTLED = 500; // milliseconds after the last key until the link follows
const STEP = 0.05; // of an arrow key
const KEYS = {
  ...Object.fromEntries(Object.entries(MORE).map(([key, by]) => [key, STEP * by])),
  PageUp: 10 * STEP,
  PageDown: -10 * STEP,
  ...ENDS,
};
const bounded = (value, { min, max }) => Math.min(max, Math.max(min, value));

class Divergence {
  constructor(parent) {
    this.settling = new Settling(() => this.commit(), SETTLED);
    this.parts = null; // of the densities p and q
    this.chips = [];
    this.running = null; // the direction whose minimum is looked for
    this.build(parent);
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(this.line);
  }

  /** @param {Component<DivergenceData>} component */
  update(component) {
    this.component = component;
    if (!this.parts) this.parts = { p: this.read("p"), q: this.read("q") };
    this.showLatents();
    this.draw();
  }

  end() {
    this.watch.disconnect();
    this.settling.stop();
    cancelAnimationFrame(this.frame);
  }

  // [mean, sigma] or [mean, sigma, mean, sigma] -> the parts of a density
  read(name) {
    return this.pairs(this.component.data[name]);
  }

  pairs(numbers) {
    return this.weighted(numbers.length === 2 ? [numbers] : [numbers.slice(0, 2), numbers.slice(2)]);
  }

  weighted(pairs) {
    return pairs.map(([mean, sigma], i) => ({ weight: pairs.length === 1 ? 1 : WEIGHTS[i], mean, sigma }));
  }

  commit() {
    this.settling.stop();
    const numbers = (parts) => parts.flatMap(({ mean, sigma }) => [mean, sigma]);
    this.component.setStateValue("place", { p: numbers(this.parts.p), q: numbers(this.parts.q) });
  }

  // What a hand has changed, for those who do not see it.
  tell() {
    const said = (key) => this.sides[key].number.textContent;
    announce(`KL from p to q ${said("pq")} nats, from q to p ${said("qp")} nats`);
  }

  // ---- what there is ----

  build(parent) {
    this.axis = svg("g", { class: "axis" });
    this.shapes = Object.fromEntries(["p", "q"].map((name) => [name, svg("path", { class: `density ${name}` })]));
    this.line = svg(
      "svg",
      {
        class: "density-line",
        role: "group",
        "data-testid": "densities",
        "aria-label": "The densities p and q, with handles for means and widths",
      },
      this.axis,
      this.shapes.p,
      this.shapes.q,
    );
    this.handles = ["p", "q"].flatMap((name) =>
      [0, 1].flatMap((index) => [-1, 1, 0].map((side) => this.handle(name, index, side))),
    );
    this.listen();
    this.names = {
      p: element("span", { "data-testid": "density-p" }),
      q: element("span", { "data-testid": "density-q" }),
    };
    this.kinds = Object.fromEntries(
      ["p", "q"].map((name) => [
        name,
        element(
          "button",
          {
            class: "kind",
            "data-testid": `mixture-${name}`,
            "aria-label": `${name} is a mixture of two`,
            onclick: () => this.mix(name),
          },
          "mixture",
        ),
      ]),
    );
    const head = ["p", "q"].map((name) => element("div", { class: "row" }, this.names[name], this.kinds[name]));
    this.sides = Object.fromEntries(Object.keys(DIRECTIONS).map((key) => [key, new Direction(this, key)]));
    this.latents = element("div", { class: "section" });
    const { pq, qp } = this.sides;
    this.root = parent.appendChild(
      element(
        "div",
        { class: "lab" },
        element("div", { class: "densities" }, ...head),
        this.line,
        pq.band,
        qp.band,
        element("div", { class: "sides" }, pq.box, qp.box),
        this.latents,
      ),
    );
  }

  // A handle on the curve at mean + side * sigma. The keyboard reaches one of the two for the width.
  handle(name, index, side) {
    const quantity = side === 0 ? "mean" : "sigma";
    const range = side === 0 ? MEAN : SIGMA[name];
    const knob = svg(
      "g",
      { class: `knob ${name} ${quantity}` },
      svg("circle", { class: "reach", r: 16 }),
      svg("circle", { class: "dot", r: side === 0 ? 8 : 6.5 }),
    );
    if (side >= 0)
      set(knob, {
        role: "slider",
        tabindex: 0,
        "data-testid": `${name}${index}-${quantity}`,
        "aria-valuemin": range.min,
        "aria-valuemax": range.max,
        "aria-orientation": "horizontal",
      });
    this.line.append(knob);
    const handle = { name, index, side, quantity, range, knob };
    knob.addEventListener("keydown", (event) => {
      const by = KEYS[event.key];
      if (by === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.move(handle, this.parts[name][index][quantity] + by);
      this.settling.later();
    });
    return handle;
  }

  // ---- by hand ----

  listen() {
    let grabbed = null;
    this.line.addEventListener("pointerdown", (event) => {
      const handle = event.button === 0 && this.nearest(event);
      if (!handle) return;
      event.preventDefault();
      this.halt();
      this.line.setPointerCapture(event.pointerId);
      const at = this.parts[handle.name][handle.index];
      grabbed = {
        handle,
        x: event.clientX,
        value: at[handle.quantity],
        scale: (2 * VIEW * (handle.side || 1)) / this.line.clientWidth,
      };
      (handle.side < 0 ? this.handles[this.handles.indexOf(handle) + 1] : handle).knob.focus({ preventScroll: true });
    });
    this.line.addEventListener("pointermove", (event) => {
      if (grabbed) this.move(grabbed.handle, grabbed.value + (event.clientX - grabbed.x) * grabbed.scale);
    });
    this.line.addEventListener("pointerup", () => {
      if (grabbed) this.commit();
      grabbed = null;
    });
    this.line.addEventListener("pointercancel", () => {
      if (grabbed) this.move(grabbed.handle, grabbed.value);
      grabbed = null;
    });
  }

  nearest(event) {
    const box = this.line.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const near = this.handles
      .filter(({ at }) => at)
      .map((handle) => ({ handle, far: Math.hypot(handle.at.x - x, handle.at.y - y) }));
    // of handles at one place the last, which is drawn on top
    const best = near.reduce((least, one) => (one.far <= least.far ? one : least));
    return best.far <= GRAB ? best.handle : null;
  }

  move({ name, index, quantity, range }, value) {
    this.halt();
    this.parts[name][index][quantity] = bounded(Math.round(100 * bounded(value, range)) / 100, range);
    this.draw();
    this.tell();
  }

  mix(name) {
    this.halt();
    const [{ mean, sigma }, second] = this.parts[name];
    const beside = mean > 0 ? mean - 3 : mean + 3;
    this.parts[name] = this.weighted(
      second
        ? [[mean, sigma]]
        : [
            [mean, sigma],
            [beside, bounded(sigma, SIGMA.p)],
          ],
    );
    this.draw();
    this.tell();
    this.commit();
  }

  // ---- to the minimum ----

  halt() {
    if (!this.running) return;
    cancelAnimationFrame(this.frame);
    this.running = null;
    this.draw();
  }

  step(key) {
    const { q, done } = DIRECTIONS[key].step(this.parts.p, this.parts.q);
    this.parts.q = q.map((part) => ({ ...part, mean: bounded(part.mean, MEAN), sigma: bounded(part.sigma, SIGMA.q) }));
    return done;
  }

  stepOnce(key) {
    this.halt();
    this.step(key);
    this.draw();
    this.tell();
    this.settling.later();
  }

  run(key) {
    this.halt();
    this.running = key;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const tick = () => {
      let done = this.step(key);
      for (let i = 0; still && !done && i < 2000; i++) done = this.step(key);
      if (done) {
        this.halt();
        this.tell();
        this.commit();
      } else {
        this.draw();
        this.frame = requestAnimationFrame(tick);
      }
    };
    this.frame = requestAnimationFrame(tick);
  }

  // ---- the model's latents ----

  showLatents() {
    const { data } = this.component;
    if (data.rev === this.rev) return;
    this.rev = data.rev;
    const { chips, parts } = latentsOf(data, (p, q) => this.put(p, q));
    this.chips = chips;
    this.latents.replaceChildren(...parts);
  }

  put(p, q) {
    this.halt();
    this.parts = { p: this.pairs(p), q: this.pairs(q) };
    this.draw();
    this.tell();
    this.commit();
  }

  // ---- drawing ----

  draw() {
    const [width, height] = [this.line.clientWidth, this.line.clientHeight];
    if (!width || !this.parts) return;
    const { p, q } = this.parts;
    const floor = height - 24;
    const across = (x) => ((x + VIEW) / (2 * VIEW)) * width;
    const places = this.places();
    const logs = { p: places.map((x) => logDensity(x, p)), q: places.map((x) => logDensity(x, q)) };
    const top = 1.1 * Math.exp(Math.max(Math.log(0.42), ...logs.p, ...logs.q));
    const up = (density) => floor * (1 - density / top);
    for (const name of ["p", "q"])
      set(this.shapes[name], {
        d: area(
          places,
          logs[name].map((log) => up(Math.exp(log))),
          floor,
          across,
        ),
      });
    const marks = [-6, -4, -2, 0, 2, 4, 6].map((x) =>
      svg("text", { x: across(x), y: floor + 18, "text-anchor": "middle" }, nats(x, 0)),
    );
    this.axis.replaceChildren(svg("line", { x1: 0, x2: width, y1: floor, y2: floor }), ...marks);
    for (const handle of this.handles) this.place(handle, across, up);

    const terms = {
      pq: logs.p.map((log, i) => Math.exp(log) * (log - logs.q[i])),
      qp: logs.q.map((log, i) => Math.exp(log) * (log - logs.p[i])),
    };
    const range = {
      high: 1.1 * Math.max(0.4, ...terms.pq, ...terms.qp),
      low: 1.1 * Math.min(-0.15, ...terms.pq, ...terms.qp),
    };
    for (const key of Object.keys(DIRECTIONS)) {
      this.sides[key].draw(terms[key], range, places, across);
    }
    for (const name of ["p", "q"]) this.name(name);
    for (const { button, mean, sigma } of this.chips ?? []) {
      const shown =
        p.length + q.length === 2 && p[0].mean === 0 && p[0].sigma === 1 && q[0].mean === mean && q[0].sigma === sigma;
      button.setAttribute("aria-pressed", shown);
    }
  }

  // where curves are drawn: evenly, and finely where a part is narrow
  places() {
    const even = Array.from({ length: 401 }, (_, i) => VIEW * (i / 200 - 1));
    const fine = [...this.parts.p, ...this.parts.q].flatMap(({ mean, sigma }) =>
      Array.from({ length: 81 }, (_, i) => mean + sigma * (i / 10 - 4)),
    );
    return [...even, ...fine.filter((x) => Math.abs(x) <= VIEW)].sort((a, b) => a - b);
  }

  place(handle, across, up) {
    const { name, index, side, quantity, knob } = handle;
    const part = this.parts[name][index];
    knob.style.display = part ? "" : "none";
    knob.ariaHidden = String(!part || side < 0); // Chromium tells of sliders that are not drawn, too
    handle.at = null;
    if (!part) return;
    const x = part.mean + side * part.sigma;
    handle.at = { x: across(x), y: up(Math.exp(logDensity(x, this.parts[name]))) };
    set(knob, { transform: `translate(${handle.at.x.toFixed(1)} ${handle.at.y.toFixed(1)})` });
    if (side < 0) return;
    const whose = this.parts[name].length === 1 ? name : `the ${["first", "second"][index]} Gaussian of ${name}`;
    set(knob, {
      "aria-label": `${quantity === "mean" ? "mean" : "standard deviation"} of ${whose}`,
      "aria-valuenow": Number(part[quantity].toFixed(4)),
      "aria-valuetext": round(part[quantity]),
    });
  }

  name(name) {
    const parts = this.parts[name];
    const terms = parts.flatMap(({ weight, mean, sigma }, i) => [
      i ? " + " : "",
      parts.length > 1 ? `${weight} ` : "",
      "N(",
      symbol("mu", round(mean)),
      ", ",
      symbol("sigma", round(sigma)),
      "²)",
    ]);
    this.names[name].replaceChildren(element("span", { class: name }, symbol(name, name)), " = ", ...terms);
    this.kinds[name].setAttribute("aria-pressed", String(parts.length > 1));
  }
}

export default await mounted((parent) => new Divergence(parent), "lessons/divergence.css");
