// Two densities on a line under the hand, and the Kullback-Leibler divergence in both directions, in nats.

const VIEW = 7.4; // the line is drawn from -VIEW to VIEW
const MEAN = { min: -3.5, max: 3.5 };
const SIGMA = { p: { min: 0.3, max: 1.5 }, q: { min: 0.3, max: 3.8 } }; // q's reaches the moments of any p
const WEIGHTS = [0.6, 0.4]; // of p's components
const REACH = 50; // the quadrature runs from -REACH to REACH: over 12 of the widest sigma from any mean
const STEP = 0.02; // a fifteenth of the narrowest sigma
const SAMPLES = 400; // of a drawn curve
const HALF_LOG_TAU = 0.5 * Math.log(2 * Math.PI);
const DRIFT = 900; // milliseconds on the way to matched moments
const STILL = 1e-6; // where gradient descent stops: the squared length of the natural gradient
const DIRECTIONS = {
  pq: { of: "p", label: "KL(p‖q)", told: "Matching mean and variance gives the least: q covers all of p." },
  qp: { of: "q", label: "KL(q‖p)", told: "Gradient descent from where q is: q may settle on one mode." },
};

const bounded = (value, { min, max }) => Math.min(max, Math.max(min, value));

function gaussian(x, { mean, sigma }) {
  return -0.5 * ((x - mean) / sigma) ** 2 - Math.log(sigma) - HALF_LOG_TAU;
}

// log density at x of [{weight, mean, sigma}, ...], through the larger term so that far tails stay finite
function logDensity(x, mixture) {
  if (mixture.length === 1) return gaussian(x, mixture[0]);
  const terms = mixture.map((part) => Math.log(part.weight) + gaussian(x, part));
  const largest = Math.max(...terms);
  return largest + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - largest), 0));
}

// the expectation of f(x, log a(x) - log b(x)) under a: the trapezoid rule, exact to rounding for smooth densities
function expectation(a, b, f) {
  let sum = 0;
  for (let i = -REACH / STEP; i <= REACH / STEP; i++) {
    const x = i * STEP;
    const log = logDensity(x, a);
    if (log > -700) sum += Math.exp(log) * f(x, log - logDensity(x, b));
  }
  return sum * STEP;
}

const divergence = (a, b) => expectation(a, b, (x, gap) => gap);

function closedForm(a, b) {
  return Math.log(b.sigma / a.sigma) + (a.sigma ** 2 + (a.mean - b.mean) ** 2) / (2 * b.sigma ** 2) - 0.5;
}

function moments(mixture) {
  const mean = mixture.reduce((sum, part) => sum + part.weight * part.mean, 0);
  const variance = mixture.reduce((sum, part) => sum + part.weight * (part.sigma ** 2 + (part.mean - mean) ** 2), 0);
  return { mean, sigma: Math.sqrt(variance) };
}

// One step of natural gradient descent of KL(q||p) in (mean, log sigma), halved until the divergence falls; `rate` is
// the last step's. Returns null where it no longer falls.
function descend(q, p, rate) {
  const score = { mean: 0, log: 0 };
  const before = expectation([q], p, (x, gap) => {
    const u = (x - q.mean) / q.sigma;
    score.mean += STEP * Math.exp(gaussian(x, q)) * gap * u;
    score.log += STEP * Math.exp(gaussian(x, q)) * gap * 0.5 * (u * u - 1);
    return gap;
  });
  if (score.mean ** 2 + score.log ** 2 < STILL) return null;
  for (let size = Math.min(0.5, 2 * rate); size > 1e-6; size /= 2) {
    const next = {
      ...q,
      mean: bounded(q.mean - size * q.sigma * score.mean, MEAN),
      sigma: bounded(q.sigma * Math.exp(-size * score.log), SIGMA.q),
    };
    if (divergence([next], p) < before) return { q: next, rate: size };
  }
  return null;
}

function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  set(made, attributes);
  made.append(...children);
  return made;
}

function set(made, attributes) {
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
}

class Divergence {
  constructor(parent) {
    this.parts = [{ mean: -1.8, sigma: 0.7 }, { mean: 1.7, sigma: 0.5 }];
    this.q = { weight: 1, mean: 0.6, sigma: 1 };
    this.mixed = true;
    this.build(parent);
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(this.line);
  }

  update() {}

  end() {
    this.watch.disconnect();
    this.halt();
  }

  get p() {
    return this.mixed ? this.parts.map((part, i) => ({ ...part, weight: WEIGHTS[i] })) : [{ ...this.parts[0], weight: 1 }];
  }

  build(parent) {
    this.shapes = Object.fromEntries(["p", "q"].map((name) => [name, svg("path", { class: `density ${name}` })]));
    this.axis = svg("g", { class: "axis" });
    this.line = svg("svg", { class: "density-line", role: "group", "aria-label": "The densities p and q, with handles for their means and widths" }, this.axis, this.shapes.p, this.shapes.q);
    this.handles = [
      ...this.handle("p0", "p", "first", () => this.parts[0]),
      ...this.handle("p1", "p", "second", () => this.parts[1]),
      ...this.handle("q", "q", "", () => this.q),
    ];
    this.kinds = [["Two Gaussians", true], ["One Gaussian", false]].map(([text, mixed]) => {
      const button = element("button", { onclick: () => (this.halt(), (this.mixed = mixed), this.draw()) }, text);
      return { button, mixed };
    });
    this.names = { p: element("span", { "data-testid": "density-p" }), q: element("span", { "data-testid": "density-q" }) };
    const head = element(
      "div",
      { class: "densities" },
      element("div", { class: "row" }, ...this.kinds.map(({ button }) => button)),
      element("div", { class: "names" }, this.names.p, this.names.q),
    );
    this.sides = Object.fromEntries(Object.keys(DIRECTIONS).map((key) => [key, this.side(key)]));
    this.root = parent.appendChild(
      element("div", { class: "lab" }, head, this.line, element("div", { class: "sides" }, this.sides.pq.box, this.sides.qp.box)),
    );
  }

  // what one direction shows: its number, the integrand, the way to its minimum and the formula
  side(key) {
    const { label, told, of } = DIRECTIONS[key];
    const number = element("span", { class: "number", "data-testid": `kl-${key}` });
    const [adds, takes] = [svg("path", { class: `adds ${of}` }), svg("path", { class: `takes ${of}` })];
    const zero = svg("line", { class: "zero" });
    const picture = svg("svg", { class: "integrand", role: "img", "aria-label": `The integrand of ${label}: the area above the line minus the area below it is ${label}` }, adds, takes, zero);
    const button = element("button", { "data-testid": `least-${key}`, onclick: () => this.minimise(key) }, `Move q to the least ${label}`);
    const formula = element("div", { class: "formula", "data-testid": `formula-${key}` });
    const box = element(
      "div",
      {},
      element("div", { class: "verdict" }, element("span", { class: "label" }, label), number, element("span", { class: "quiet" }, "nats"), button),
      picture,
      formula,
      element("div", { class: "quiet" }, told),
    );
    return { box, number, adds, takes, zero, picture, formula };
  }

  // A handle for the mean and one for the width, at mean + sigma: p's on the line, q's below it, so that neither hides
  // the other when p and q agree.
  handle(id, name, which, read) {
    const rail = svg("line", { class: `rail ${name}` });
    const stem = svg("line", { class: `stem ${name}` });
    this.line.append(stem, rail);
    return ["mean", "sigma"].map((quantity) => {
      const range = quantity === "mean" ? MEAN : SIGMA[name];
      const knob = svg(
        "g",
        { class: `knob ${name} ${quantity}`, role: "slider", tabindex: 0, "data-testid": `${id}-${quantity}`, "aria-valuemin": range.min, "aria-valuemax": range.max, "aria-orientation": "horizontal" },
        svg("rect", { class: "reach", y: -20, height: 40 }),
        svg("circle", { class: "dot", r: 8 }),
      );
      const move = (value) => {
        this.halt();
        read()[quantity] = bounded(Math.round(100 * value) / 100, range);
        this.draw();
      };
      knob.addEventListener("pointerdown", (event) => {
        if (event.button !== 0) return;
        event.preventDefault();
        this.halt();
        knob.focus();
        knob.setPointerCapture(event.pointerId);
        this.grabbed = { x: event.clientX, value: read()[quantity] };
      });
      knob.addEventListener("pointermove", (event) => {
        if (!knob.hasPointerCapture(event.pointerId)) return;
        move(this.grabbed.value + ((event.clientX - this.grabbed.x) * 2 * VIEW) / this.line.clientWidth);
      });
      knob.addEventListener("keydown", (event) => {
        const by = { ArrowRight: 0.05, ArrowUp: 0.05, ArrowLeft: -0.05, ArrowDown: -0.05, PageUp: 0.5, PageDown: -0.5, Home: -Infinity, End: Infinity }[event.key];
        if (by === undefined) return;
        event.preventDefault();
        move(bounded(read()[quantity] + by, range));
      });
      this.line.append(knob);
      return { id, name, which, quantity, read, knob, rail, stem };
    });
  }

  draw() {
    const [width, height] = [this.line.clientWidth, this.line.clientHeight];
    if (!width) return;
    const { p } = this, q = [this.q];
    const floor = height - 78; // under it: p's handles, the scale and q's handles
    const across = (x) => ((x + VIEW) / (2 * VIEW)) * width;
    const places = Array.from({ length: SAMPLES + 1 }, (_, i) => VIEW * ((2 * i) / SAMPLES - 1));
    const logs = { p: places.map((x) => logDensity(x, p)), q: places.map((x) => logDensity(x, q)) };
    const top = 1.08 * Math.exp(Math.max(Math.log(0.42), ...logs.p, ...logs.q));
    const up = (density) => floor * (1 - density / top);
    const area = (heights, zero) => `M0,${zero} ${places.map((x, i) => `L${across(x).toFixed(1)},${heights[i].toFixed(2)}`).join(" ")} L${width},${zero}`;
    for (const name of ["p", "q"]) set(this.shapes[name], { d: area(logs[name].map((log) => up(Math.exp(log))), floor) });
    this.drawScale(across, floor, width);
    this.place(across, up, floor, { p, q });

    const terms = { pq: logs.p.map((log, i) => Math.exp(log) * (log - logs.q[i])), qp: logs.q.map((log, i) => Math.exp(log) * (log - logs.p[i])) };
    const high = 1.1 * Math.max(0.4, ...terms.pq, ...terms.qp);
    const low = 1.1 * Math.min(-0.15, ...terms.pq, ...terms.qp);
    for (const [key, side] of Object.entries(this.sides)) this.drawSide(side, terms[key], [low, high], places);
    this.tell(p, q);
  }

  drawScale(across, floor, width) {
    const marks = [-6, -4, -2, 0, 2, 4, 6].map((x) => svg("text", { x: across(x), y: floor + 43, "text-anchor": "middle" }, String(x).replace("-", "−")));
    this.axis.replaceChildren(svg("line", { x1: 0, x2: width, y1: floor, y2: floor }), ...marks);
  }

  place(across, up, floor, densities) {
    for (const { id, name, which, quantity, read, knob, rail, stem } of this.handles) {
      const { mean, sigma } = read();
      const y = name === "p" ? floor + 14 : floor + 62;
      const hidden = id === "p1" && !this.mixed;
      const value = read()[quantity];
      const whose = name === "p" && this.mixed ? `the ${which} Gaussian of p` : name;
      for (const made of [knob, rail, stem]) made.style.display = hidden ? "none" : "";
      set(rail, { x1: across(mean), x2: across(mean + sigma), y1: y, y2: y });
      set(stem, { x1: across(mean), x2: across(mean), y1: y, y2: up(Math.exp(logDensity(mean, densities[name]))) });
      // Where a finger takes hold of it: outwards, and inwards half the way to the other handle.
      const inwards = Math.min(20, (across(mean + sigma) - across(mean)) / 2);
      set(knob.firstChild, { x: quantity === "mean" ? -20 : -inwards, width: 20 + inwards });
      set(knob, {
        transform: `translate(${across(quantity === "mean" ? mean : mean + sigma)} ${y})`,
        "aria-label": `${quantity === "mean" ? "mean" : "standard deviation"} of ${whose}`,
        "aria-valuenow": Number(value.toFixed(4)),
        "aria-valuetext": nats(value, 2),
      });
    }
  }

  drawSide({ picture, adds, takes, zero }, terms, [low, high], places) {
    const [width, height] = [picture.clientWidth, picture.clientHeight];
    const at = (value) => (height * (high - value)) / (high - low);
    const path = (keep) => `M0,${at(0)} ${terms.map((term, i) => `L${((i / (places.length - 1)) * width).toFixed(1)},${at(keep(term, 0)).toFixed(2)}`).join(" ")} L${width},${at(0)}Z`;
    set(adds, { d: path(Math.max) });
    set(takes, { d: path(Math.min) });
    set(zero, { x1: 0, x2: width, y1: at(0), y2: at(0) });
  }

  tell(p, q) {
    for (const { button, mixed } of this.kinds) button.setAttribute("aria-pressed", mixed === this.mixed);
    const normal = ({ mean, sigma }) => ["N(", symbol("mu", nats(mean, 2)), ", ", symbol("sigma", nats(sigma, 2)), "²)"];
    const terms = p.flatMap((part, i) => [...(i ? [" + "] : []), ...(p.length > 1 ? [`${part.weight} `] : []), ...normal(part)]);
    this.names.p.replaceChildren(element("b", { class: "p" }, "p"), " = ", ...terms);
    this.names.q.replaceChildren(element("b", { class: "q" }, "q"), " = ", ...normal(q[0]));
    this.formulate("pq", p, q);
    this.formulate("qp", q, p);
  }

  formulate(key, a, b) {
    const [first, second] = key === "pq" ? ["p", "q"] : ["q", "p"];
    const { number, formula } = this.sides[key];
    say(number, nats(Math.max(0, divergence(a, b)), 3));
    const integral = ["∫ ", element("b", { class: first }, first), " (ln ", element("b", { class: first }, first), " − ln ", element("b", { class: second }, second), ") dx"];
    if (this.mixed) {
      formula.replaceChildren(element("div", {}, ...integral), element("div", { class: "quiet" }, "No closed form for a mixture."));
      return;
    }
    const mu = ({ mean }) => symbol("mu", nats(mean, 2));
    const subtracted = ({ mean }) => symbol("mu", mean < 0 ? `(${nats(mean, 2)})` : nats(mean, 2));
    const sigma = (one) => symbol("sigma", nats(one.sigma, 2));
    const [one, other] = [a[0], b[0]];
    formula.replaceChildren(
      element("div", {}, ...integral, " in closed form:"),
      element(
        "div",
        {},
        "ln (", sigma(other), " / ", sigma(one), ") + [", sigma(one), "² + (", mu(one), " − ", subtracted(other), ")²] / (2 · ", sigma(other), "²) − ½ = ",
        element("span", { "data-testid": `closed-${key}` }, nats(Math.max(0, closedForm(one, other)), 3)),
      ),
    );
  }

  // ---- to the minimum ----

  halt() {
    cancelAnimationFrame(this.frame);
    delete this.line.dataset.moving;
  }

  minimise(key) {
    this.halt();
    this.line.dataset.moving = key;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const step = key === "pq" ? this.matching() : this.descending();
    const tick = (now) => {
      let more = step(now);
      while (still && more) more = step(Infinity);
      this.draw();
      if (more) this.frame = requestAnimationFrame(tick);
      else this.halt();
    };
    this.frame = requestAnimationFrame(tick);
  }

  matching() {
    const from = { ...this.q }, to = moments(this.p);
    let begun;
    return (now) => {
      begun ??= now === Infinity ? -Infinity : now;
      const share = Math.min(1, (now - begun) / DRIFT);
      const eased = share * share * (3 - 2 * share);
      for (const name of ["mean", "sigma"]) this.q[name] = share < 1 ? from[name] + eased * (to[name] - from[name]) : to[name];
      return share < 1;
    };
  }

  descending() {
    const { p } = this;
    let rate = 0.05;
    return () => {
      const found = descend(this.q, p, rate);
      if (found) ({ q: this.q, rate } = found);
      return found !== null;
    };
  }
}

function symbol(name, text) {
  return element("b", { class: name }, text);
}

export default mounted((parent) => new Divergence(parent));
