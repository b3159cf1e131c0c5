// Chapter 2: a model's layers with what each gives for one picture, and z = mu + sigma eps step by step.

import { numbersOf } from "../../shared/base64.js";
import { element, markup, nats, say, subscript, svg } from "../../shared/dom.js";
import { Settling, eager } from "../../shared/hand.js";
import { paint, redrawn } from "../../shared/paint.js";
import { Kind, Live } from "../../shared/live.js";
import { arrow, arrowhead, normals, set, term } from "../../shared/svg.js";
import { mounted } from "../../shared/mounted.js";
import { FAR, Plot, height } from "./plot.js";
import { count, cut, drawTensor, greys } from "./tensors.js";

const STEP_SECONDS = 1.2; // seconds for a step
const SLOWER = 4;
const STEPS = [
  "The encoder reads <x>",
  "<eps> is drawn from N(0, I)",
  "Each <eps> is scaled by its <sigma>",
  "And moved by its <mu>: <z> = <mu> + <sigma><eps>",
  "The decoder reads <z>",
];
const [DREW, SCALED, MOVED, LAST] = [2, 3, 4, 5]; // when a step is over
const NAMES = { mu: "μ", sigma: "σ", eps: "ε", z: "z" };
const MEANT = { z: "latent", mu: "mean", sigma: "standard deviation", eps: "noise" };
const GREYS = { mu: [-2, 2], sigma: [0, 1], eps: [-2, 2], z: [-2, 2] }; // black and white
const APPEAR = { mu: 1, sigma: 1, eps: DREW, z: MOVED };

const said = (value) => Math.round(100 * value) / 100; // as a link says it
const share = (time, from) => Math.min(1, Math.max(0, time - from));

class Structure {
  /** @type {Float32Array} */
  mu;
  /** @type {Float32Array} */
  sigma;
  /** @type {Float32Array} */
  eps;

  constructor(parent) {
    this.root = parent.appendChild(element("div", { class: "lab" }));
    this.rev = null;
    this.slow = false;
    this.live = new Live();
    this.resized = new ResizeObserver(() => this.drawArrows());
    this.settling = new Settling(() =>
      this.component.setStateValue("see", Array.from(this.eps, (value) => value.toFixed(2)).join("_")),
    );
  }

  end() {
    this.live.close();
    this.resized.disconnect();
    this.settling.stop();
    this.stop();
  }

  update(component) {
    const { data } = component;
    this.component = component;
    this.live.through(component);
    if (data.rev === this.rev) return;
    this.rev = data.rev;
    this.data = data;
    this.stop();
    const { shape, order } = data;
    const d = order.length;
    [this.mu, this.sigma, this.eps] = cut(numbersOf(data.latents), [[d], [d], [d]]);
    this.chosen = order[0];
    this.time = LAST;
    this.build();
    this.fill([this.x, ...this.encoder], numbersOf(data.encoded), [shape, ...data.encoder.map((layer) => layer.shape)]);
    this.decoded(numbersOf(data.decoded), this.z);
    this.moved();
  }

  get z() {
    return this.mu.map((mu, i) => mu + this.sigma[i] * this.eps[i]);
  }

  // ---- values ----

  // Another eps: everything after it follows.
  choose(eps) {
    this.stop();
    this.eps = eps;
    this.time = LAST;
    this.moved();
    this.settling.later();
    const { z, rev } = this;
    this.live.ask(Kind.DECODING, z, ({ outputs }) => this.rev === rev && this.decoded(outputs, z));
  }

  decoded(values, z) {
    this.fill([...this.decoder, this.xhat], values, [
      ...this.data.decoder.map((layer) => layer.shape),
      this.data.shape,
    ]);
    paint(
      this.peek,
      Uint8ClampedArray.from(values.subarray(-count(this.data.shape)), (value) => 255 * value),
      this.data.shape,
    );
    this.xhat.canvas.dataset.z = z.join(",");
    redrawn(this.xhat.canvas);
  }

  fill(boxes, values, shapes) {
    cut(values, shapes).forEach((part, i) => {
      const { canvas, about } = boxes[i];
      if (!about) {
        paint(
          canvas,
          Uint8ClampedArray.from(part, (value) => 255 * value),
          shapes[i],
        );
        return;
      }
      const [black, white] = greys(part);
      drawTensor(canvas, part, shapes[i], black, white);
      canvas.title = canvas.ariaLabel = `${about}; black is ${nats(black, 2)} or less, white ${nats(white, 2)} or more`;
    });
  }

  // Draw mu, sigma, eps and z, and read out the chosen latent.
  moved() {
    const { order } = this.data;
    const { chosen } = this;
    const values = { mu: this.mu, sigma: this.sigma, eps: this.eps, z: this.z };
    for (const name in NAMES) {
      drawTensor(
        this.strips[name].canvas,
        order.map((i) => values[name][i]),
        [1, 1, order.length],
        ...GREYS[name],
      );
      say(this.read[name], nats(values[name][chosen], 3));
      say(this.names[name], `${NAMES[name]}${subscript(chosen)}`);
    }
    order.forEach((i, column) => {
      const { band, tick, ring } = this.plot.columns[column];
      const [low, high] = [this.mu[i] - this.sigma[i], this.mu[i] + this.sigma[i]].map(height);
      set(band, { y: high, height: Math.max(1.5, low - high) });
      set(tick, { y: height(this.mu[i]) - 1 });
      set(ring, { cy: height(this.eps[i]) });
    });
    say(this.names.slider, `ε${subscript(chosen)}`);
    this.slider.value = this.eps[chosen];
    const column = order.indexOf(chosen);
    this.plot.mark(column, chosen);
    this.slider.ariaLabel = `ε of latent ${chosen}`;
    this.show();
  }

  // ---- time ----

  // What there is after so many steps; the rest waits, dim.
  show() {
    const { time } = this;
    const present = (box, from) => box.classList.toggle("waits", time < from - 1e-9);
    this.encoder.forEach(({ box }, i) => present(box, (i + 1) / (this.encoder.length + 1)));
    for (const name in NAMES) present(this.strips[name].row, APPEAR[name]);
    this.arrows.forEach((arrow, i) => arrow.classList.toggle("waits", time < [1, MOVED][i] - 1e-9));
    this.decoder.forEach(({ box }, i) => present(box, MOVED + (i + 1) / (this.decoder.length + 1)));
    present(this.xhat.box, LAST);
    const [drawn, scaled, moved] = [1, DREW, SCALED].map((from) => share(time, from));
    this.data.order.forEach((i, column) => {
      const { band, tick, ring, dot } = this.plot.columns[column];
      const spread = this.eps[i] * (1 - scaled + scaled * this.sigma[i]);
      band.style.opacity = tick.style.opacity = time < 1 ? "0" : "1";
      ring.style.opacity = String(0.6 * drawn);
      dot.style.opacity = String(drawn);
      set(dot, { cy: height(spread + moved * this.mu[i]) });
      dot.classList.toggle("is-z", time >= MOVED);
    });
    this.scrub.value = time;
    const step = Math.min(STEPS.length - 1, Math.max(0, Math.ceil(time - 1e-9) - 1));
    if (this.step !== step) this.caption.replaceChildren(markup(`${(this.step = step) + 1}. ${STEPS[step]}`));
    this.scrub.ariaValueText = this.caption.textContent;
  }

  // Go on to a time, or from the start where everything is over.
  play(until) {
    const from = this.time >= LAST ? 0 : this.time;
    const end = until ?? Math.min(LAST, Math.floor(from + 1e-9) + 1);
    this.stop();
    this.time = from;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.time = Math.min(LAST, Math.floor(from + 1e-9) + 1);
      return this.show();
    }
    this.playing = true;
    say(this.playButton, "Pause");
    let before = performance.now();
    const tick = (now) => {
      if (!this.playing) return;
      this.time = Math.min(end, this.time + (now - before) / (1000 * STEP_SECONDS * (this.slow ? SLOWER : 1)));
      before = now;
      this.show();
      if (this.time < end) requestAnimationFrame(tick);
      else this.stop();
    };
    requestAnimationFrame(tick);
  }

  stop() {
    this.playing = false;
    if (this.playButton) say(this.playButton, "Play");
  }

  // ---- the parts ----

  build() {
    const { encoder, decoder } = this.data;
    this.read = {};
    this.names = {};
    const most = Math.max(...[...encoder, ...decoder].map(({ shape }) => count(shape)));
    this.x = this.picture("input", `<x>, ${this.data.input}`, "The picture that the encoder reads");
    this.xhat = this.picture("decoded", "<xhat>, the mean of p(<x>|<z>)", "The mean of p(x|z)");
    this.encoder = encoder.map((layer, i) => this.layer(layer, most, `encoder-${i}`));
    this.decoder = decoder.map((layer, i) => this.layer(layer, most, `decoder-${i}`));
    const boxes = (list) => list.map(({ box }) => box);
    this.step = null;
    this.arrows = [arrow(), arrow()];
    this.diagram = element(
      "div",
      { class: "structure" },
      element("div", { class: "flow", "aria-label": "Encoder", role: "group" }, this.x.box, ...boxes(this.encoder)),
      this.middle(),
      element(
        "div",
        { class: "flow up", "aria-label": "Decoder", role: "group" },
        ...boxes(this.decoder),
        this.xhat.box,
      ),
      svg("svg", { class: "arrows", "aria-hidden": true }, arrowhead(), ...this.arrows),
    );
    this.root.replaceChildren(this.diagram, this.formula());
    this.resized.disconnect();
    this.resized.observe(this.diagram);
  }

  // From the encoder's last layer to mu and sigma, and from z to the decoder's first.
  drawArrows() {
    const origin = this.diagram.getBoundingClientRect();
    const box = (node) => {
      const { left, right, top, bottom } = node.getBoundingClientRect();
      return {
        left: left - origin.left,
        right: right - origin.left,
        top: top - origin.top,
        bottom: bottom - origin.top,
      };
    };
    const middle = ({ top, bottom }) => (top + bottom) / 2;
    const [last, mu, sigma, z, first] = [
      this.encoder.at(-1).canvas,
      this.strips.mu.row,
      this.strips.sigma.row,
      this.strips.z.row,
      this.decoder[0].canvas,
    ].map(box);
    const turn = (from, to, at, high, bend) => `M${from + 8} ${at}H${bend}V${high}H${to - 8}`;
    this.arrows[0].setAttribute(
      "d",
      turn(last.right, mu.left, middle(last), (mu.top + sigma.bottom) / 2, mu.left - 26),
    );
    this.arrows[1].setAttribute("d", turn(z.right, first.left, middle(z), middle(first), z.right + 26));
  }

  picture(testid, caption, label) {
    const canvas = element("canvas", { class: "picture", role: "img", "aria-label": label, "data-testid": testid });
    const shape = element("span", { class: "quiet" }, this.data.shape.join(" × "));
    return {
      canvas,
      box: element("div", { class: "box whole" }, canvas, element("div", { class: "row" }, markup(caption), shape)),
    };
  }

  layer({ kind, shape, parameters }, most, testid) {
    const canvas = element("canvas", { role: "img", "data-testid": testid });
    const size =
      shape.length === 3 && shape[0] <= 3 ? "3.2rem" : `${Math.max(20, 100 * Math.sqrt(count(shape) / most))}%`;
    canvas.style.width = size;
    const about = parameters ? `${kind}, ${parameters.toLocaleString("en")} parameters` : kind;
    const label = element("div", { class: "row" }, kind, element("span", { class: "quiet" }, shape.join(" × ")));
    return { canvas, about, box: element("div", { class: "box" }, label, canvas) };
  }

  middle() {
    const d = this.data.order.length;
    this.caption = element("div", { class: "step", "data-testid": "step" });
    this.scrub = eager(
      element("input", {
        type: "range",
        min: 0,
        max: LAST,
        step: 0.01,
        "data-testid": "scrub",
        "aria-label": "How far the way has been gone",
        oninput: () => {
          this.stop();
          this.time = Number(this.scrub.value);
          this.show();
        },
      }),
    );
    this.playButton = element("button", { onclick: () => (this.playing ? this.stop() : this.play(LAST)) }, "Play");
    const slow = element("button", { "aria-pressed": String(this.slow) }, "Slow motion");
    slow.addEventListener("click", () => {
      this.slow = !this.slow;
      slow.ariaPressed = String(this.slow);
    });
    const controls = element(
      "div",
      { class: "row" },
      this.playButton,
      element("button", { onclick: () => this.play() }, "Step"),
      slow,
    );
    this.plot = new Plot(d, (column) => {
      this.chosen = this.data.order[column];
      this.moved();
    });
    this.strips = Object.fromEntries(Object.keys(NAMES).map((name) => [name, this.strip(name, d)]));
    this.slider = eager(
      element("input", {
        type: "range",
        min: -FAR,
        max: FAR,
        step: 0.01,
        "data-testid": "eps",
        oninput: () => this.choose(this.eps.with(this.chosen, Number(this.slider.value))),
      }),
    );
    const { mu, sigma, eps, z } = this.strips;
    this.names.slider = element("b", { class: "eps" });
    this.peek = element("canvas", { class: "peek", "aria-hidden": true });
    const another = element("button", { onclick: () => this.choose(normals(d).map(said)) }, "Another ε");
    const handle = element(
      "div",
      { class: "handle" },
      this.names.slider,
      this.peek,
      element("div", { class: "track" }, this.slider),
      another,
    );
    return element(
      "div",
      { class: "middle" },
      element("div", {}, this.caption, element("div", { class: "track" }, this.scrub), controls),
      element("div", { class: "latents" }, mu.row, sigma.row, eps.row, handle, this.plot.row, z.row),
      this.live.status,
    );
  }

  strip(name, d) {
    const [black, white] = GREYS[name];
    const label = `${NAMES[name]} of ${d} latents; black is ${nats(black, 0)} or less, white ${nats(white, 0)} or more`;
    const canvas = element("canvas", {
      role: "img",
      title: label,
      "aria-label": label,
      "data-testid": `strip-${name}`,
    });
    return {
      canvas,
      row: element(
        "div",
        { class: "strip-row" },
        element("span", {}, markup(`<${name}>`), element("span", { class: "quiet" }, ` ${d}`)),
        canvas,
      ),
    };
  }

  formula() {
    const value = (sign, name) => {
      this.names[name] = element("b", { class: name });
      this.read[name] = element("span", { class: `number ${name}`, "data-testid": `read-${name}` });
      return term(sign, this.read[name], element("span", { class: "label" }, `${MEANT[name]} `, this.names[name]));
    };
    const terms = [value("", "z"), value("=", "mu"), value("+", "sigma"), value("×", "eps")];
    return element(
      "div",
      { class: "formulas" },
      element("div", { class: "equation", "data-testid": "formula" }, ...terms),
    );
  }
}

export default await mounted((parent) => new Structure(parent), "lessons/diagram.css", "lessons/structure.css");
