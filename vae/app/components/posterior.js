// q(z|x) beside the true p(z|x) on the plane, both sides of the identity, and its derivation, for a picture under the hand.

const MASSES = [0.5, 0.9, 0.99]; // what the rings hold
const RADII = MASSES.map((mass) => Math.sqrt(-2 * Math.log(1 - mass))); // of q's, in σ
const FINE = 160; // rows of places of what is drawn
const REST = 300; // ms after which a hand rests, and numbers are taken thoroughly
const EASE = 90; // ms in which the view comes nearer by a factor of e
const DEPTHS = 1024; // the protocol's steps of a nat
const TERMS = 16; // numbers of an answer before the levels
const STEPS_A_SECOND = 120; // of refining

const KEYS = ["built", "mu0", "mu1", "sigma0", "sigma1", "reconstruction", "error", "kl", "prior", "entropy", "likelihoodAtMu", "priorAtMu", "evidence", "evidenceError", "gap", "gapError"];

// "E_q[log p(<x>|<z>)]"
function formula(text) {
  return element("span", {}, ...text.split("_q").flatMap((part, i) => (i ? [element("sub", {}, "q"), markup(part)] : [markup(part)])));
}

// Each line: why, and its terms: sign, symbols, and the number from what is known.
const LINES = [
  ["Bayes’ rule, here at <z> = <mu>", [["", "log p(<x>)", (n) => n.evidence], ["=", "log p(<x>|<z>)", (n) => n.likelihoodAtMu], ["+", "log p(<z>)", (n) => n.priorAtMu], ["−", "log p(<z>|<x>)", (n) => n.likelihoodAtMu + n.priorAtMu - n.evidence]]],
  ["It holds at every <z>, so on average over any q", [["", "log p(<x>)", (n) => n.evidence], ["=", "E_q[log p(<x>|<z>)]", (n) => n.reconstruction], ["+", "E_q[log p(<z>)]", (n) => n.prior], ["−", "E_q[log p(<z>|<x>)]", (n) => -n.entropy - n.gap]]],
  ["Add E_q[log q(<z>)] and take it away again", [["", "log p(<x>)", (n) => n.evidence], ["=", "E_q[log p(<x>|<z>)]", (n) => n.reconstruction], ["+", "E_q[log p(<z>) − log q(<z>)]", (n) => n.prior + n.entropy], ["+", "E_q[log q(<z>) − log p(<z>|<x>)]", (n) => n.gap]]],
  ["Two of them are divergences", [["", "log p(<x>)", (n) => n.evidence], ["=", "E_q[log p(<x>|<z>)]", (n) => n.reconstruction], ["−", "KL(q || p(<z>))", (n) => n.kl], ["+", "KL(q || p(<z>|<x>))", (n) => n.gap]]],
  ["No divergence is negative", [["", "log p(<x>)", (n) => n.evidence], ["≥", "ELBO", (n) => n.reconstruction - n.kl]]],
];

// The places around `at` and their weights: a cubic (Catmull and Rom), which is exact where a log density is quadratic.
function between(at, count) {
  const first = Math.min(count - 2, Math.max(0, Math.floor(at)));
  const t = at - first;
  const weights = [((2 - t) * t - 1) * t / 2, ((3 * t - 5) * t * t + 2) / 2, ((4 - 3 * t) * t + 1) * t / 2, ((t - 1) * t * t) / 2];
  return [weights.map((_, i) => Math.min(count - 1, Math.max(0, first + i - 1))), weights];
}

class Posterior {
  constructor(parent) {
    this.root = parent.appendChild(element("div", { class: "lab" }));
    this.rev = null;
    this.version = 0; // of x
    this.live = new Live(() => this.tell());
    this.slow = new Live(); // its answers take long, and would keep a hand's waiting
    this.resized = new ResizeObserver(() => this.plane && this.redraw());
  }

  end() {
    this.ended = true;
    this.live.close();
    this.slow.close();
    this.resized.disconnect();
    for (const timer of [this.resting, this.again]) clearTimeout(timer);
    this.stop();
  }

  update(component) {
    this.component = component;
    const { data } = component;
    this.live.through(component);
    this.slow.connect(data.live.path, data.live.token);
    if (data.rev === this.rev) return;
    this.rev = data.rev;
    this.data = data;
    this.given = fromBase64(data.levels);
    this.line = 1;
    this.zoom = 1;
    this.view = null;
    this.numbers = null;
    this.at = [data.shape[2] >> 1, data.shape[1] >> 1];
    this.build();
    this.turn(this.given);
  }

  build() {
    const { refined } = this.data;
    this.plane = element("canvas", {
      class: "over", "data-testid": "plane", tabindex: 0, role: "application",
      "aria-label": "The plane of z around the posterior: plus and minus zoom, 0 fits it again",
      onkeydown: (event) => this.planeKey(event),
      ondblclick: () => this.magnify(0),
    });
    this.plane.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    const box = element("div", { class: "plane" }, this.plane);
    this.resized.disconnect();
    this.resized.observe(box);
    this.bits = element("canvas", {
      class: "pad", "data-testid": "x", tabindex: 0, role: "application",
      "aria-label": "The pixels of x: arrow keys move, Space turns a pixel over",
      onpointerdown: (event) => this.down(event),
      onpointermove: (event) => this.move(event),
      onpointerup: () => (this.pen = null),
      onpointercancel: () => (this.pen = null),
      onkeydown: (event) => this.padKey(event),
      onblur: () => this.paintBits(),
    });
    const button = (word, onclick, attributes = {}) => element("button", { onclick, ...attributes }, word);
    this.refineButton = button("Refine q", () => this.refine(), { "data-testid": "refine" });
    this.refinement = element("div", { "data-testid": "refinement" });
    this.identity = {};
    const cell = (sign, label, name) => {
      const number = (this.identity[name] = element("span", { class: "number", "data-testid": name }));
      return element("span", { class: "term" }, element("i", {}, sign), element("span", {}, number, element("br"), element("span", { class: "quiet" }, formula(label))));
    };
    this.verdict = element("div", { class: "quiet", "data-testid": "verdict" });
    this.lines = element("div", { class: "proof", "data-testid": "lines", tabindex: 0, role: "group", "aria-label": "The derivation: arrow keys turn its lines", onkeydown: (event) => this.proofKey(event) });
    this.root.replaceChildren(
      element(
        "div",
        { class: "beside-q" },
        element("div", {}, box,
          element("div", { class: "row under" }, ...[["−", 1 / 1.5, "Zoom out"], ["+", 1.5, "Zoom in"], ["Fit", 0, "Fit"]].map(([word, by, label]) => button(word, () => this.magnify(by), { "aria-label": label })),
            element("span", { class: "quiet" }, markup("rings hold 50, 90 and 99 %: "), element("b", { class: "z" }, "p(z|x)"), ", ", element("b", { class: "sigma" }, "q(z|x)"), " around ", element("b", { class: "mu" }, "μ"))),
          this.live.status),
        element("div", { class: "side" },
          element("figure", {}, this.bits, element("figcaption", {}, markup("<x>: draw on it, or rub out"))),
          element("div", {},
            element("div", { class: "row presets" }, ...this.data.presets.map((preset, i) => button(preset, () => this.turn(this.preset(i)))), button("Clear", () => this.turn(new Uint8Array(this.given.length)))),
            element("div", { class: "row under" }, this.refineButton, element("span", { class: "quiet" }, refined.says))),
          this.refinement),
        element("div", { class: "sums" },
          element("div", { class: "identity", "data-testid": "identity" }, cell("", "log p(<x>)", "evidence"), cell("−", "KL(q || p(<z>|<x>))", "gap"), cell("=", "E_q[log p(<x>|<z>)]", "reconstruction"), cell("−", "KL(q || p(<z>))", "kl")),
          this.verdict),
      ),
      this.lines,
    );
    this.writeLines();
  }

  preset(i) {
    return fromBase64(this.data.levelsOf).slice(i * this.given.length, (i + 1) * this.given.length);
  }

  // ---- x ----

  turn(x) {
    this.x = x.slice();
    this.changed();
  }

  changed() {
    this.version++;
    this.forget();
    this.paintBits();
    this.ask();
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.rest(), REST);
  }

  paintBits() {
    const [, height, width] = this.data.shape;
    paint(this.bits, this.x.map((bit) => 255 * bit), this.data.shape);
    if (this.bits.getRootNode().activeElement !== this.bits || !this.keyed) return;
    const pen = this.bits.getContext("2d");
    pen.fillStyle = this.x[this.at[1] * width + this.at[0]] ? "#1f7fc0" : "#56b4e9";
    pen.fillRect(this.at[0], Math.min(this.at[1], height - 1), 1, 1);
  }

  pixel(event) {
    const [, height, width] = this.data.shape;
    const box = this.bits.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
  }

  down(event) {
    const [, height, width] = this.data.shape;
    this.keyed = false;
    this.bits.setPointerCapture(event.pointerId);
    this.last = this.pixel(event);
    const [column, row] = this.last.map(Math.floor);
    if (column < 0 || row < 0 || column >= width || row >= height) return;
    this.pen = { bit: 1 - this.x[row * width + column] };
    this.dab(column + 0.5, row + 0.5, 0.5);
    this.changed();
  }

  move(event) {
    if (!this.pen) return;
    const to = this.pixel(event);
    const steps = Math.ceil(Math.hypot(to[0] - this.last[0], to[1] - this.last[1]) * 2);
    if (!steps) return;
    for (let i = 1; i <= steps; i++) this.dab(...to.map((value, axis) => this.last[axis] + ((value - this.last[axis]) * i) / steps), 1.1);
    this.last = to;
    this.changed();
  }

  // every pixel whose middle is within the pen
  dab(x, y, radius) {
    const [, height, width] = this.data.shape;
    for (let row = Math.max(0, Math.floor(y - radius)); row < Math.min(height, y + radius); row++)
      for (let column = Math.max(0, Math.floor(x - radius)); column < Math.min(width, x + radius); column++)
        if (Math.hypot(column + 0.5 - x, row + 0.5 - y) <= radius) this.x[row * width + column] = this.pen.bit;
  }

  padKey(event) {
    const [, height, width] = this.data.shape;
    const by = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    this.keyed = true;
    if (by) {
      this.at = [width, height].map((side, axis) => Math.min(side - 1, Math.max(0, this.at[axis] + by[axis])));
      this.paintBits();
    } else if (event.key === " ") {
      const place = this.at[1] * width + this.at[0];
      this.x[place] = 1 - this.x[place];
      this.changed();
    } else return;
    event.preventDefault();
  }

  // ---- asking ----

  ask(thorough = false) {
    const version = this.version;
    const body = new Uint8Array(1 + this.x.length);
    body[0] = thorough;
    body.set(this.x, 1);
    (thorough ? this.slow : this.live).ask(Kind.POSTERIOR, this.data.model, body, (buffer) => this.answered(buffer, version, thorough));
  }

  // A hand that rests gets the numbers taken thoroughly, and Python learns of x.
  rest() {
    if (this.numbers?.built === 1) this.ask(true);
    const packed = new Uint8Array(Math.ceil(this.x.length / 8));
    this.x.forEach((bit, i) => (packed[i >> 3] |= bit << (7 - (i & 7))));
    const id = `b${toBase64(packed).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
    if (this.x.some((bit, i) => bit !== this.given[i])) {
      this.given = this.x.slice();
      this.component.setStateValue("x", id);
    }
  }

  answered(buffer, version, thorough) {
    if (this.ended || (thorough && version !== this.version)) return;
    const values = new Float32Array(buffer, HEADER, TERMS);
    const numbers = Object.fromEntries(KEYS.map((key, i) => [key, values[i]]));
    const first = !this.numbers || this.numbers.built !== 1;
    this.numbers = numbers;
    this.rasters = null;
    clearTimeout(this.again);
    if (numbers.built === 1) {
      const floats = new Float32Array(buffer, HEADER, TERMS + 19);
      [this.best, ...this.levels] = floats.slice(TERMS, TERMS + 4);
      let offset = HEADER + 4 * (TERMS + 19);
      this.rasters = [0, 1, 2].map((i) => {
        const [left, bottom, width, rows, columns] = floats.slice(TERMS + 4 + 5 * i, TERMS + 9 + 5 * i);
        const depths = new Uint16Array(buffer, offset, rows * columns);
        offset += 2 * rows * columns;
        return { left, bottom, width, rows, columns, depths };
      });
      if (first) this.resting = setTimeout(() => this.rest(), REST);
    } else if (numbers.built < 1) this.again = setTimeout(() => this.ask(), 200);
    this.thorough = thorough;
    this.tell();
    this.writeNumbers();
    if (this.refinement.dataset.done) {
      this.buildChart(); // log p(x) is another, or known now
      this.showStep(this.walked.steps.length - 1);
      this.split();
    }
    this.fit();
    this.plane.dataset.version = version;
    this.plane.dataset.answers = Number(this.plane.dataset.answers ?? 0) + 1;
    this.plane.dataset.thorough = thorough;
    this.redraw();
  }

  tell() {
    const built = this.numbers?.built;
    const text = built === undefined || built === 1 ? "" : built < 1 ? `decoding the plane for p(z|x), once: ${Math.round(100 * built)} %` : "the plane for p(z|x) could not be built: the server’s log says why";
    if (this.live.ready) say(this.live.status, text);
  }

  // ---- the plane ----

  // The square that holds q's and p(z|x)'s outer rings.
  fit() {
    const { mu0, mu1, sigma0, sigma1 } = this.numbers;
    const reach = RADII[2];
    let [left, right, low, high] = [mu0 - reach * sigma0, mu0 + reach * sigma0, mu1 - reach * sigma1, mu1 + reach * sigma1];
    const rasters = this.rasters ?? [];
    rasters.forEach(({ left: x, bottom: y, width, rows, columns, depths }, i) => {
      const finer = rasters[i + 1] ?? { left: 0, bottom: 0, width: 0, rows: 0, columns: 0 };
      const known = (place, from, count) => place > from && place < from + count * finer.width;
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < columns; column++) {
          if (this.best - depths[row * columns + column] / DEPTHS < this.levels[2]) continue;
          const [across, up] = [x + (column + 0.5) * width, y + (row + 0.5) * width];
          if (known(across, finer.left, finer.columns) && known(up, finer.bottom, finer.rows)) continue;
          [left, right] = [Math.min(left, across - width), Math.max(right, across + width)];
          [low, high] = [Math.min(low, up - width), Math.max(high, up + width)];
        }
    });
    this.target = { x: (left + right) / 2, y: (low + high) / 2, wide: 0.6 * (right - left), high: 0.6 * (high - low) };
    this.view ??= { x: this.target.x, y: this.target.y, half: this.half() };
  }

  // half of the view's height, in z
  half() {
    const { wide, high } = this.target;
    return Math.min(8, Math.max(high, (wide * this.plane.clientHeight) / Math.max(1, this.plane.clientWidth)) / this.zoom);
  }

  magnify(by) {
    this.zoom = by ? Math.min(20, Math.max(0.05, this.zoom * by)) : 1;
    this.redraw();
  }

  // of a pinch on a touchpad, or with Ctrl; else the page scrolls
  wheel(event) {
    if (!event.ctrlKey) return;
    event.preventDefault();
    this.magnify(Math.exp(-event.deltaY / 200));
  }

  planeKey(event) {
    const by = { "+": 1.25, "=": 1.25, "-": 0.8, 0: 0 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    this.magnify(by);
  }

  redraw() {
    if (this.framed || !this.view || this.ended) return;
    this.framed = true;
    requestAnimationFrame((now) => {
      this.framed = false;
      const half = this.half();
      const share = 1 - Math.exp(-Math.min(60, now - (this.before ?? now - 16)) / EASE);
      const still = Math.abs(Math.log(half / this.view.half)) < 0.003 && Math.hypot(this.target.x - this.view.x, this.target.y - this.view.y) < 0.003 * half;
      const near = still || matchMedia("(prefers-reduced-motion: reduce)").matches ? 1 : share;
      this.view.half *= (half / this.view.half) ** near;
      for (const axis of ["x", "y"]) this.view[axis] += (this.target[axis] - this.view[axis]) * near;
      this.before = now;
      this.draw();
      if (near < 1) this.redraw();
      else this.before = undefined;
    });
  }

  // log p(z|x) at FINE rows of places of the view from above, each from the finest raster that holds it
  sampled(columns) {
    const { x, y, half } = this.view;
    const step = (2 * half) / (FINE - 1);
    const [west, north] = [x - (step * (columns - 1)) / 2, y + half];
    const found = new Float32Array(FINE * columns).fill(-64);
    for (const { left, bottom, width, rows, columns: across, depths } of this.rasters) {
      const inside = (from, to, count) => [Math.max(0, Math.ceil(from / step)), Math.min(count - 1, Math.floor(to / step))];
      const [from, to] = inside(left + width / 2 - west, left + (across - 0.5) * width - west, columns);
      const [top, end] = inside(north - bottom - (rows - 0.5) * width, north - bottom - width / 2, FINE);
      const places = Array.from({ length: columns }, (_, column) => between((west + column * step - left) / width - 0.5, across));
      const along = new Float32Array(across); // the depths between four rows
      for (let row = top; row <= end; row++) {
        const [at, by] = between((north - row * step - bottom) / width - 0.5, rows);
        for (let i = 0; i < across; i++) {
          along[i] = 0;
          for (let k = 0; k < 4; k++) along[i] += by[k] * depths[at[k] * across + i];
        }
        for (let column = from; column <= to; column++) {
          const [i, weights] = places[column];
          const depth = weights[0] * along[i[0]] + weights[1] * along[i[1]] + weights[2] * along[i[2]] + weights[3] * along[i[3]];
          found[row * columns + column] = this.best - depth / DEPTHS;
        }
      }
    }
    return found;
  }

  draw() {
    const { plane, view } = this;
    const [wide, high] = [plane.clientWidth, plane.clientHeight].map((length) => Math.round(length * devicePixelRatio));
    if (!wide || !high) return;
    if (plane.width !== wide || plane.height !== high) Object.assign(plane, { width: wide, height: high });
    const pen = plane.getContext("2d");
    const style = getComputedStyle(plane);
    const colour = (name) => style.getPropertyValue(name);
    const dpr = devicePixelRatio;
    const unit = high / (2 * view.half);
    const xy = (a, b) => [wide / 2 + (a - view.x) * unit, high / 2 - (b - view.y) * unit];
    pen.fillStyle = colour("--st-secondary-background-color");
    pen.fillRect(0, 0, wide, high);
    if (this.rasters) pen.drawImage(this.truth(wide, high, colour("--z")), 0, 0);
    const { mu0, mu1, sigma0, sigma1 } = this.numbers;
    const ellipse = ([a, b], [across, up], strong) => {
      RADII.forEach((radius, i) => {
        pen.strokeStyle = colour("--sigma");
        pen.globalAlpha = (strong ? 1 : 0.4) * (1 - 0.28 * i);
        pen.lineWidth = (strong ? 2.2 : 1.2) * dpr;
        pen.beginPath();
        pen.ellipse(...xy(a, b), radius * across * unit, radius * up * unit, 0, 0, 2 * Math.PI);
        pen.stroke();
      });
      pen.globalAlpha = strong ? 1 : 0.4;
      pen.fillStyle = colour("--mu");
      pen.beginPath();
      pen.arc(...xy(a, b), 4 * dpr, 0, 2 * Math.PI);
      pen.fill();
      pen.globalAlpha = 1;
    };
    const walked = this.walked?.inPlane && this.walked.steps[this.shownStep];
    ellipse([mu0, mu1], [sigma0, sigma1], !walked);
    if (walked) ellipse(walked.mu, walked.sigma, true);
    this.scale(pen, colour("--st-text-color"), style.fontFamily, unit, wide, high);
    redrawn(plane);
    plane.dataset.half = view.half.toFixed(4);
  }

  // p(z|x) as a picture, which stays while only q moves
  truth(wide, high, colour) {
    const key = [this.view.x, this.view.y, this.view.half, wide, high, colour].join();
    if (this.painted?.key === key && this.painted.rasters === this.rasters) return this.painted.canvas;
    const canvas = this.painted?.canvas ?? element("canvas");
    Object.assign(canvas, { width: wide, height: high });
    const pen = canvas.getContext("2d");
    const columns = Math.round((FINE * wide) / high) + 2;
    const density = this.sampled(columns);
    const step = high / (FINE - 1);
    pen.translate(wide / 2 - (step * (columns - 1)) / 2, 0);
    this.shade(pen, density, columns, step, colour);
    pen.lineJoin = "round";
    pen.strokeStyle = colour;
    pen.lineWidth = 1.6 * devicePixelRatio;
    this.levels.forEach((level, i) => {
      pen.globalAlpha = 1 - 0.28 * i;
      this.contour(pen, density, columns, step, level);
    });
    this.painted = { key, rasters: this.rasters, canvas };
    return canvas;
  }

  shade(pen, density, columns, step, colour) {
    const rgb = [1, 3, 5].map((i) => parseInt(colour.trim().slice(i, i + 2), 16));
    const image = new ImageData(columns, FINE);
    const whole = new Uint32Array(image.data.buffer);
    const solid = rgb[0] | (rgb[1] << 8) | (rgb[2] << 16);
    for (let i = 0; i < density.length; i++) whole[i] = solid | (Math.min(150, 150 * Math.exp(0.6 * (density[i] - this.best))) << 24);
    this.sheet ??= element("canvas");
    Object.assign(this.sheet, { width: columns, height: FINE });
    this.sheet.getContext("2d").putImageData(image, 0, 0);
    pen.drawImage(this.sheet, -step / 2, -step / 2, columns * step, FINE * step);
  }

  // Marching squares: where a line between neighbouring places crosses the level.
  contour(pen, density, columns, step, level) {
    const corners = [[0, 0], [1, 0], [1, 1], [0, 1]];
    pen.beginPath();
    for (let row = 0; row + 1 < FINE; row++)
      for (let column = 0; column + 1 < columns; column++) {
        const i = row * columns + column;
        const [a, b, c, d] = [density[i] >= level, density[i + 1] >= level, density[i + columns + 1] >= level, density[i + columns] >= level];
        if (a === b && b === c && c === d) continue;
        const values = [density[i], density[i + 1], density[i + columns + 1], density[i + columns]];
        const crossings = [];
        for (let edge = 0; edge < 4; edge++) {
          const next = (edge + 1) % 4;
          if (values[edge] >= level === values[next] >= level) continue;
          const share = (level - values[edge]) / (values[next] - values[edge]);
          crossings.push([0, 1].map((axis) => corners[edge][axis] + share * (corners[next][axis] - corners[edge][axis])));
        }
        for (let k = 0; k + 1 < crossings.length; k += 2) {
          pen.moveTo((column + crossings[k][0]) * step, (row + crossings[k][1]) * step);
          pen.lineTo((column + crossings[k + 1][0]) * step, (row + crossings[k + 1][1]) * step);
        }
      }
    pen.stroke();
  }

  // A bar of a round length, and the names of the axes.
  scale(pen, colour, font, unit, wide, high) {
    const dpr = devicePixelRatio;
    const most = wide / 4 / unit;
    const ten = 10 ** Math.floor(Math.log10(most));
    const length = [5, 2, 1].map((factor) => factor * ten).find((value) => value <= most);
    const [x, y] = [14 * dpr, high - 14 * dpr];
    pen.strokeStyle = pen.fillStyle = colour;
    pen.lineWidth = 2 * dpr;
    pen.beginPath();
    pen.moveTo(x, y);
    pen.lineTo(x + length * unit, y);
    pen.stroke();
    pen.font = `${13 * dpr}px ${font}`;
    pen.textAlign = "left";
    pen.fillText(String(Number(length.toPrecision(1))), x, y - 7 * dpr);
    pen.globalAlpha = 0.6;
    pen.fillText("z₁ ↑", x, 24 * dpr);
    pen.textAlign = "right";
    pen.fillText("z₀ →", wide - x, y);
    pen.globalAlpha = 1;
    this.plane.dataset.scale = length;
  }

  // ---- numbers ----

  writeNumbers() {
    const n = this.numbers;
    for (const name of ["evidence", "gap", "reconstruction", "kl"]) say(this.identity[name], nats(n[name], 2));
    const [left, right] = [n.evidence - n.gap, n.reconstruction - n.kl];
    const error = 3 * n.error + n.evidenceError + n.gapError;
    const apart = Math.abs(left - right);
    const known = Number.isFinite(left);
    say(this.verdict, known ? `${nats(left, 3)} nats by quadrature and ${nats(right, 3)} by draws of q: ${nats(apart, 3)} apart, ${apart <= error ? "within" : "beyond"} the error of ${nats(error, 3)} (3 standard errors of the draws, and the quadratures’).` : "The left side is taken once the plane is decoded.");
    this.verdict.dataset.holds = known ? apart <= error : "";
    this.lines.querySelectorAll("[data-term]").forEach((place) => {
      const [line, term] = place.dataset.term.split(".").map(Number);
      say(place, nats(LINES[line][1][term][2](n), 2));
    });
  }

  writeLines() {
    const button = (word, by, off) => element("button", { onclick: () => this.turnLine(by), disabled: off && "", "aria-label": `${word} line` }, word);
    const rows = LINES.slice(0, this.line).map(([why, terms], line) =>
      element("div", { class: "line-of" }, element("div", { class: "quiet" }, formula(why)),
        element("div", { class: "identity" }, ...terms.map(([sign, label], term) =>
          element("span", { class: "term" }, element("i", {}, sign), element("span", {}, formula(label), element("br"), element("span", { class: "value", "data-term": `${line}.${term}` })))))),
    );
    const focused = this.lines.contains(this.lines.getRootNode().activeElement) && this.lines.getRootNode().activeElement.textContent;
    this.lines.replaceChildren(...rows, element("div", { class: "row" }, button("Back", -1, this.line === 1), button("Next", 1, this.line === LINES.length), element("span", { class: "quiet" }, `line ${this.line} of ${LINES.length}`)));
    if (focused) ([...this.lines.querySelectorAll("button")].find((one) => one.textContent === focused && !one.disabled) ?? this.lines).focus();
    if (this.numbers) this.writeNumbers();
  }

  turnLine(by) {
    this.line = Math.min(LINES.length, Math.max(1, this.line + by));
    this.writeLines();
  }

  proofKey(event) {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    this.turnLine(by);
  }

  // ---- refining ----

  forget() {
    this.stop();
    this.walked = null;
    this.refinement.replaceChildren();
    delete this.refinement.dataset.done;
    this.refineButton.disabled = false;
  }

  stop() {
    cancelAnimationFrame(this.ticking);
  }

  refine() {
    const { refined } = this.data;
    const version = this.version;
    this.forget();
    this.refineButton.disabled = true;
    this.slow.ask(Kind.REFINE, refined.model, this.x, (buffer) => {
      if (this.ended || version !== this.version) return;
      this.refineButton.disabled = false;
      const d = refined.latents;
      const [bound, first, last] = new Float32Array(buffer, HEADER, 3);
      const values = new Float32Array(buffer, HEADER + 12);
      const row = 2 * d + 2;
      const steps = Array.from({ length: values.length / row }, (_, i) => {
        const one = values.slice(i * row, (i + 1) * row);
        return { mu: one.slice(0, d), sigma: one.slice(d, 2 * d), elbo: one[2 * d], error: one[2 * d + 1] };
      });
      this.walked = { steps, bound, first, last, inPlane: refined.model === this.data.model };
      this.buildChart();
      this.play();
    });
  }

  // What the ELBO climbs towards: log p(x) where it is known, else a bound.
  get ceiling() {
    return this.walked.inPlane ? this.numbers.evidence : this.walked.bound;
  }

  buildChart() {
    const { steps, inPlane } = this.walked;
    const all = [...steps.map((step) => step.elbo), this.ceiling].filter(Number.isFinite);
    const [low, high] = [Math.min(...all), Math.max(...all)];
    this.height = (value) => 38 - (36 * (value - low)) / Math.max(1e-6, high - low);
    const plot = svg("svg", { viewBox: "0 0 100 40", preserveAspectRatio: "none", role: "img", "aria-label": "The ELBO of each step" });
    this.climb = svg("polyline", { class: "chosen", "vector-effect": "non-scaling-stroke" });
    plot.append(this.climb);
    const y = this.height(this.ceiling);
    if (Number.isFinite(y)) plot.prepend(svg("line", { x1: 0, x2: 100, y1: y, y2: y, "vector-effect": "non-scaling-stroke", class: "ceiling" }));
    this.reached = element("span", { class: "number", "data-testid": "elbo" });
    this.parts = element("div", { class: "readouts two", "data-testid": "errors" });
    this.refinement.replaceChildren(
      element("div", { class: "refined", style: "--line: var(--sigma)" }, element("div", { class: "row spread" }, element("span", {}, "ELBO ", this.reached), element("span", { class: "quiet" }, formula(inPlane ? "log p(<x>) " : "IWAE bound, k = 2000: "), nats(this.ceiling, 2))), element("div", { class: "lines" }, plot)),
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
    this.climb.setAttribute("points", steps.slice(0, index + 1).map((step, i) => `${(100 * i) / (steps.length - 1)},${this.height(step.elbo)}`).join(" "));
    say(this.reached, `${nats(steps[index].elbo, 2)} ± ${nats(steps[index].error, 2)}`);
    this.redraw();
  }

  // The gap below log p(x): what refining removed, and what no Gaussian with these axes can.
  split() {
    const { steps, first, last, inPlane } = this.walked;
    const exact = Number.isFinite(first) && Number.isFinite(last);
    const [before, after] = exact ? [first, last] : [steps[0].elbo, steps.at(-1).elbo];
    const cell = (label, name, value) => element("div", { class: "cell" }, element("span", { class: "label" }, label), element("span", { class: "number", "data-testid": name }, nats(value, 2)));
    this.parts.replaceChildren(cell("amortisation error, refined away", "amortisation", after - before), cell(inPlane ? "family error, left" : "family error, at least", "family", this.ceiling - after));
    this.refinement.dataset.done = steps.length - 1;
  }
}

export default mounted((parent) => new Posterior(parent));
