// Chapter 2: a model's layers with what each gives for one picture, and z = mu + sigma eps step by step.

const FAR = 4; // of mu, sigma, eps and z, to each side of the plot
const [WIDE, HIGH] = [360, 190];
const ASPECT = 9; // of a strip
const TAIL = 0.02; // share of a tensor's values, at each end, that are all drawn black or white: few values lie far out
const STEP_SECONDS = 1.2; // seconds for a step
const SLOWER = 4;
const STEPS = ["The encoder reads <x>", "<eps> is drawn from N(0, I)", "Each <eps> is scaled by its <sigma>", "And moved by its <mu>: <z> = <mu> + <sigma><eps>", "The decoder reads <z>"];
const [DREW, SCALED, MOVED, LAST] = [2, 3, 4, 5]; // when a step is over
const NAMES = { mu: "μ", sigma: "σ", eps: "ε", z: "z" };
const GREYS = { mu: [-2, 2], sigma: [0, 1], eps: [-2, 2], z: [-2, 2] }; // black and white
const APPEAR = { mu: 1, sigma: 1, eps: DREW, z: MOVED };

const share = (time, from) => Math.min(1, Math.max(0, time - from));
const count = (shape) => shape.reduce((product, size) => product * size, 1);
const height = (value) => HIGH / 2 - (Math.min(FAR, Math.max(-FAR, value)) / FAR) * (HIGH / 2 - 6);

// The number of rows, without a remainder, that makes n tiles most nearly as wide as a strip.
function folded(n, aspect) {
  const wanted = Math.sqrt((n * aspect) / ASPECT);
  let best = 1;
  for (let rows = 1; rows <= n; rows++) if (n % rows === 0 && Math.abs(Math.log(rows / wanted)) < Math.abs(Math.log(best / wanted))) best = rows;
  return best;
}

// A tensor as a picture, its channels side by side, between two greys.
function drawTensor(canvas, values, shape, black, white) {
  const [channels, tall, wide] = shape.length === 3 ? shape : [count(shape), 1, 1];
  const rows = folded(channels, wide / tall);
  const columns = channels / rows;
  const pixels = new Uint8ClampedArray(channels * tall * wide);
  const scale = 255 / Math.max(white - black, 1e-9);
  values.forEach((value, i) => {
    const [channel, within] = [Math.floor(i / (tall * wide)), i % (tall * wide)];
    const row = Math.floor(channel / columns) * tall + Math.floor(within / wide);
    pixels[row * columns * wide + (channel % columns) * wide + (within % wide)] = (value - black) * scale;
  });
  paint(canvas, pixels, [1, rows * tall, columns * wide]);
}

// Values for black and white; all of a tensor that has hardly any others.
function greys(values) {
  const sorted = values.toSorted();
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  return at(TAIL) < at(1 - TAIL) ? [at(TAIL), at(1 - TAIL)] : [at(0), at(1)];
}

// Values that lie one after the other -> one array for each shape
function cut(values, shapes) {
  let from = 0;
  return shapes.map((shape) => values.subarray(from, (from += count(shape))));
}

const floats = (text) => new Float32Array(fromBase64(text).buffer);

class Structure {
  constructor(parent) {
    this.root = parent.appendChild(element("div", { class: "lab" }));
    this.rev = null;
    this.live = new Live();
    this.resized = new ResizeObserver(() => this.drawArrows());
  }

  end() {
    this.live.close();
    this.resized.disconnect();
    this.stop();
  }

  update(component) {
    const { data } = component;
    this.live.through(component);
    if (data.rev === this.rev) return;
    this.rev = data.rev;
    this.data = data;
    this.stop();
    const { shape, order } = data;
    const d = order.length;
    [this.mu, this.sigma, this.eps] = cut(floats(data.latents), [[d], [d], [d]]);
    this.chosen = order[0];
    this.time = LAST;
    this.build();
    this.fill([this.x, ...this.encoder], floats(data.encoded), [shape, ...data.encoder.map((layer) => layer.shape)]);
    this.decoded(floats(data.decoded), this.z);
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
    const { z, rev } = this;
    this.live.ask(Kind.DECODING, this.data.model, z, (buffer) => this.rev === rev && this.decoded(new Float32Array(buffer, HEADER), z));
  }

  decoded(values, z) {
    this.fill([...this.decoder, this.xhat], values, [...this.data.decoder.map((layer) => layer.shape), this.data.shape]);
    paint(this.peek, Uint8ClampedArray.from(values.subarray(-count(this.data.shape)), (value) => 255 * value), this.data.shape);
    this.xhat.canvas.dataset.z = z.join(",");
    redrawn(this.xhat.canvas);
  }

  fill(boxes, values, shapes) {
    cut(values, shapes).forEach((part, i) => {
      const { canvas, about } = boxes[i];
      if (!about) {
        paint(canvas, Uint8ClampedArray.from(part, (value) => 255 * value), shapes[i]);
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
      drawTensor(this.strips[name].canvas, order.map((i) => values[name][i]), [1, 1, order.length], ...GREYS[name]);
      say(this.read[name], nats(values[name][chosen], 3));
      say(this.names[name], `${NAMES[name]}${subscript(chosen)}`);
    }
    order.forEach((i, column) => {
      const { band, tick, ring } = this.columns[column];
      const [low, high] = [this.mu[i] - this.sigma[i], this.mu[i] + this.sigma[i]].map(height);
      band.setAttribute("y", high);
      band.setAttribute("height", Math.max(1.5, low - high));
      tick.setAttribute("y", height(this.mu[i]) - 1);
      ring.setAttribute("cy", height(this.eps[i]));
    });
    say(this.names.slider, `ε${subscript(chosen)}`);
    this.slider.value = this.eps[chosen];
    const column = order.indexOf(chosen);
    this.here.setAttribute("x", (column * WIDE) / order.length);
    this.plot.ariaValueNow = column + 1;
    this.plot.ariaValueText = `latent ${chosen}`;
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
      const { band, tick, ring, dot } = this.columns[column];
      const spread = this.eps[i] * (1 - scaled + scaled * this.sigma[i]);
      band.style.opacity = tick.style.opacity = time < 1 ? 0 : 1;
      ring.style.opacity = 0.6 * drawn;
      dot.style.opacity = drawn;
      dot.setAttribute("cy", height(spread + moved * this.mu[i]));
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
      element("div", { class: "flow up", "aria-label": "Decoder", role: "group" }, ...boxes(this.decoder), this.xhat.box),
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
      return { left: left - origin.left, right: right - origin.left, top: top - origin.top, bottom: bottom - origin.top };
    };
    const middle = ({ top, bottom }) => (top + bottom) / 2;
    const [last, mu, sigma, z, first] = [this.encoder.at(-1).canvas, this.strips.mu.row, this.strips.sigma.row, this.strips.z.row, this.decoder[0].canvas].map(box);
    const turn = (from, to, at, high, bend) => `M${from + 8} ${at}H${bend}V${high}H${to - 8}`;
    this.arrows[0].setAttribute("d", turn(last.right, mu.left, middle(last), (mu.top + sigma.bottom) / 2, mu.left - 26));
    this.arrows[1].setAttribute("d", turn(z.right, first.left, middle(z), middle(first), z.right + 26));
  }

  picture(testid, caption, label) {
    const canvas = element("canvas", { class: "picture", role: "img", "aria-label": label, "data-testid": testid });
    const shape = element("span", { class: "quiet" }, this.data.shape.join(" × "));
    return { canvas, box: element("div", { class: "box whole" }, canvas, element("div", { class: "row" }, markup(caption), shape)) };
  }

  layer({ kind, shape, parameters }, most, testid) {
    const canvas = element("canvas", { role: "img", "data-testid": testid });
    const size = shape.length === 3 && shape[0] <= 3 ? "3.2rem" : `${Math.max(20, 100 * Math.sqrt(count(shape) / most))}%`;
    canvas.style.width = size;
    const about = parameters ? `${kind}, ${parameters.toLocaleString("en")} parameters` : kind;
    const label = element("div", { class: "row" }, kind, element("span", { class: "quiet" }, shape.join(" × ")));
    return { canvas, about, box: element("div", { class: "box" }, label, canvas) };
  }

  middle() {
    const d = this.data.order.length;
    this.caption = element("div", { class: "step", "data-testid": "step" });
    this.scrub = eager(element("input", { type: "range", min: 0, max: LAST, step: 0.01, "data-testid": "scrub", "aria-label": "How far the way has been gone", oninput: () => (this.stop(), (this.time = Number(this.scrub.value)), this.show()) }));
    this.playButton = element("button", { onclick: () => (this.playing ? this.stop() : this.play(LAST)) }, "Play");
    const slow = element("button", { "aria-pressed": Boolean(this.slow), onclick: () => (slow.ariaPressed = this.slow = !this.slow) }, "Slow");
    const controls = element("div", { class: "row" }, this.playButton, element("button", { onclick: () => this.play() }, "Step"), slow);
    this.strips = Object.fromEntries(Object.keys(NAMES).map((name) => [name, this.strip(name, d)]));
    this.slider = eager(element("input", { type: "range", min: -FAR, max: FAR, step: 0.01, "data-testid": "eps", oninput: () => this.choose(this.eps.with(this.chosen, Number(this.slider.value))) }));
    const { mu, sigma, eps, z } = this.strips;
    this.names.slider = element("b", { class: "eps" });
    this.peek = element("canvas", { class: "peek", "aria-hidden": true });
    const another = element("button", { onclick: () => this.choose(normals(d)) }, "Another ε");
    const handle = element("div", { class: "handle" }, this.names.slider, this.peek, element("div", { class: "track" }, this.slider), another);
    return element(
      "div",
      { class: "middle" },
      element("div", {}, this.caption, element("div", { class: "track" }, this.scrub), controls),
      element("div", { class: "latents" }, mu.row, sigma.row, eps.row, handle, this.buildPlot(d), z.row),
      this.live.status,
    );
  }

  strip(name, d) {
    const [black, white] = GREYS[name];
    const label = `${NAMES[name]} of ${d} latents; black is ${nats(black, 0)} or less, white ${nats(white, 0)} or more`;
    const canvas = element("canvas", { role: "img", title: label, "aria-label": label, "data-testid": `strip-${name}` });
    return { canvas, row: element("div", { class: "strip-row" }, element("span", {}, markup(`<${name}>`), element("span", { class: "quiet" }, ` ${d}`)), canvas) };
  }

  // One column for each latent: the band of q(z|x), the eps drawn, and the dot that becomes z.
  buildPlot(d) {
    const wide = WIDE / d;
    const thick = Math.min(16, 0.7 * wide);
    this.here = svg("rect", { class: "here", width: wide, height: HIGH });
    this.columns = Array.from({ length: d }, (_, i) => {
      const middle = (i + 0.5) * wide;
      return {
        band: svg("rect", { class: "q-band", x: middle - thick / 2, width: thick }),
        tick: svg("rect", { class: "q-tick", x: middle - thick / 2, width: thick, height: 2 }),
        ring: svg("circle", { class: "ring", cx: middle, r: 3 }),
        dot: svg("circle", { class: "moving", cx: middle, r: 4 }),
      };
    });
    const parts = ["band", "tick", "ring", "dot"].flatMap((part) => this.columns.map((column) => column[part]));
    const lines = [-4, -2, 0, 2, 4].map((value) => svg("line", { x1: 0, x2: WIDE, y1: height(value), y2: height(value) }));
    const at = (index) => ((this.chosen = this.data.order[Math.min(d - 1, Math.max(0, index))]), this.moved());
    this.plot = element(
      "div",
      {
        class: "latent-plot", tabindex: 0, role: "slider", "aria-valuemin": 1, "aria-valuemax": d, "data-testid": "plot", "aria-label": "Which latent the slider below moves, those that say most first",
        onclick: (event) => at(Math.floor(((event.clientX - this.plot.getBoundingClientRect().left) / this.plot.clientWidth) * d)),
        onkeydown: (event) => {
          const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, Home: -d, End: d }[event.key];
          if (!by) return;
          event.preventDefault();
          at(this.data.order.indexOf(this.chosen) + by);
        },
      },
      svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}` }, this.here, ...lines, ...parts),
    );
    const axis = element("div", { class: "levels quiet" }, ...[4, 2, 0, -2, -4].map((value) => element("span", {}, nats(value, 0))));
    return element("div", { class: "strip-row tall" }, axis, this.plot);
  }

  formula() {
    const value = (sign, name) => {
      this.names[name] = element("b", { class: name });
      this.read[name] = element("span", { class: `number ${name}`, "data-testid": `read-${name}` });
      return term(sign, this.read[name], this.names[name]);
    };
    const terms = [value("", "z"), value("=", "mu"), value("+", "sigma"), value("×", "eps")];
    return element("div", { class: "formulas" }, element("div", { class: "equation", "data-testid": "formula" }, ...terms));
  }
}

export default mounted((parent) => new Structure(parent));
