// Interpolate: the pictures on the way from one picture to another, under the hand, with what is measured there.

const THUMBS = 12; // pictures in a strip
const NUDGE = 0.02; // of an arrow key in the square, of its side
const TITLES = { straight: "Straight", spherical: "Spherical", following: "Following the data" };
const TOLD = {
  length: "Lengths are in radians of the decoder’s Fisher–Rao metric.",
  following: "Following the data minimises their energy, relative to the straight path’s, minus the mean of log q(<z>) / d.",
};
const CHARTS = {
  towards: { label: "log p(<x>|<z>) of A, and of B dotted", colour: "--x", series: ["towards_a", "towards_b"] },
  density: { label: "log q(<z>), all pictures", colour: "--z", series: ["log_density"] },
  kl: { label: "KL, encoded again", colour: "--sigma", series: ["kl"] },
};
const VERDICTS = [
  ["length", "length", (judged) => nats(judged.length), Math.min],
  ["largest_step", "largest step", (judged) => nats(judged.largest_step, 2), Math.min],
  ["lowest_density", "least log q(<z>)", (judged) => nats(judged.lowest_density), Math.max],
  ["shell", "|<z>| / √d", (judged) => judged.shell.map((radius) => nats(radius, 2)).join("–"), null],
];

function picture(source) {
  const image = new Image();
  image.src = `data:image/png;base64,${source}`;
  return image.decode().then(() => image);
}

const floats = (text) => new Float32Array(fromBase64(text).buffer);
const clamp = (share) => Math.min(1, Math.max(0, share));

class Journey {
  constructor(parent) {
    this.root = parent.appendChild(element("div", { class: "lab" }));
    this.live = new Live();
    // A dialog gives the keyboard's focus back to this shadow's host: the button that opened it takes it from there.
    const { host } = parent.getRootNode();
    host.tabIndex = -1;
    host.style.outline = "none";
    host.addEventListener("focus", (event) => host.shadowRoot.activeElement ?? this.root.querySelector(`[data-testid=end-${this.opener}]`)?.focus());
  }

  end() {
    this.live.close();
    this.playing = false;
    clearTimeout(this.settling);
  }

  async update(component) {
    this.component = component;
    const { data } = component;
    this.data = data;
    this.live.through(component);
    if (data.rev === this.rev) return;
    this.rev = data.rev;
    this.playing = false;
    if (data.mode === "four") await this.buildSquare();
    else await this.buildWays();
  }

  // ---- the ends ----

  endOf({ letter, name, pixels }) {
    const canvas = element("canvas", {});
    paint(canvas, this.planes(fromBase64(pixels)), this.data.shape);
    const label = `${letter}: ${name}; choose another`;
    return element(
      "button",
      { class: "end", title: label, "aria-label": label, "data-testid": `end-${letter}`, onclick: () => this.change(letter) },
      canvas,
      element("span", {}, letter),
    );
  }

  // h x w x c bytes -> c x h x w
  planes(pixels) {
    const [channels] = this.data.shape;
    if (channels === 1) return pixels;
    const size = pixels.length / channels;
    return Uint8Array.from(pixels, (_, i) => pixels[(i % size) * channels + Math.floor(i / size)]);
  }

  change(letter) {
    this.stop();
    this.opener = letter;
    this.component.setTriggerValue("change", letter);
  }

  poor() {
    const sentences = this.data.ends.filter((end) => end.poor).map((end) => `${end.letter} ${end.poor}: the way begins or ends at what the model makes of it.`);
    return element("div", { class: "quiet", "data-testid": "poor" }, sentences.join(" "));
  }

  // What has the keyboard's focus keeps it, though it is made anew; after a dialog it is what opened the dialog, which
  // may close before or after this.
  rebuild(content) {
    const held = this.root.getRootNode().activeElement?.dataset.testid ?? (this.opener && `end-${this.opener}`);
    this.root.replaceChildren(content);
    if (!held) return;
    const refocus = () => {
      if (document.activeElement === document.body) this.root.querySelector(`[data-testid="${held}"]`)?.focus({ preventScroll: true });
    };
    refocus();
    setTimeout(() => (refocus(), (this.opener = null)), 1000);
  }

  big(label) {
    const [, height, width] = this.data.shape;
    return element("canvas", { class: "picture", "data-testid": "decoded", role: "img", "aria-label": label, width, height });
  }

  drawn(where) {
    this.picture.dataset.at = where;
    redrawn(this.picture);
  }

  commit(at) {
    clearTimeout(this.settling);
    this.component.setStateValue("place", { path: this.chosen, at });
  }

  // ---- playing ----

  // `journey` tells, when play begins, how to go to the next frame and how to show it
  playButton(journey) {
    this.play = element("button", { class: "play", onclick: () => (this.playing ? this.stop() : this.start(journey())) }, "Play");
    return this.play;
  }

  start({ next, show }) {
    this.play.textContent = "Pause";
    const run = (this.playing = {}); // another one may begin before this one's next frame
    let before = performance.now(), due = 0;
    const tick = (now) => {
      if (this.playing !== run) return;
      due += ((now - before) * this.data.speed) / 1000;
      before = now;
      if (due >= 1) {
        for (; due >= 1; due--) next();
        show();
      }
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  stop() {
    if (!this.playing) return;
    this.playing = false;
    this.play.textContent = "Play";
    this.commit(this.data.mode === "four" ? this.at : [this.index / (this.count - 1)]);
  }

  // ---- along a way ----

  async buildWays() {
    const { ways, mode, ends, chosen, at, most, rev } = this.data;
    const entries = await Promise.all(
      Object.entries(ways).map(async ([name, way]) => {
        const series = Object.fromEntries(Object.entries(way.series).map(([key, text]) => [key, floats(text)]));
        return [name, { ...way, image: await picture(way.strip), series }];
      }),
    );
    if (rev !== this.rev) return;
    this.ways = Object.fromEntries(entries);
    this.chosen = chosen;
    this.count = this.way.series.kl.length;
    const share = at.length ? at[0] : mode === "sum" ? 1 / most : 0.5;
    this.index = Math.round(share * (this.count - 1));
    this.picture = this.big("The picture at this step of the way");
    this.scrub = eager(
      element("input", {
        type: "range", min: 0, max: this.count - 1, step: 1, value: this.index, "data-testid": "scrub",
        "aria-label": mode === "sum" ? "How much of A minus B" : "Along the way from A to B",
        oninput: () => (this.stop(), this.show(Number(this.scrub.value))),
        onchange: () => this.commit([this.index / (this.count - 1)]),
      }),
    );
    this.position = element("span", { class: "quiet", "data-testid": "position" });
    const track = element("div", { class: "track" }, this.scrub);
    const buttons = ends.map((end) => this.endOf(end));
    const line =
      mode === "sum"
        ? [element("div", { class: "row sum" }, buttons[0], "−", buttons[1], "+", buttons[2]), track]
        : [element("div", { class: "line" }, buttons[0], track, buttons[1])];
    this.rebuild(
      element(
        "div",
        { class: "sides" },
        element("div", { class: "journeyed" }, this.picture, ...line, element("div", { class: "row" }, this.playButton(() => this.alongWay()), this.position), this.poor(), this.live.status),
        element("div", {}, this.strips(), this.charts()),
      ),
    );
    this.choose(this.chosen);
  }

  get way() {
    return this.ways[this.chosen];
  }

  strips() {
    const best = (key, of) => of && Object.keys(this.ways).length > 1 && of(...Object.values(this.ways).map((way) => way.judged[key]));
    this.rows = {};
    const rows = Object.entries(this.ways).map(([name, way]) => {
      const [, height, width] = this.data.shape;
      const canvas = element("canvas", { width: THUMBS * width, height, role: "img", "aria-label": `${TITLES[name] ?? "The way"} as a strip` });
      const pen = canvas.getContext("2d");
      for (let i = 0; i < THUMBS; i++) {
        const frame = Math.round((i * (this.count - 1)) / (THUMBS - 1));
        pen.drawImage(way.image, frame * width, 0, width, height, i * width, 0, width, height);
      }
      const marker = element("i", { class: "marker" });
      const strip = element("div", { class: "strip", onpointerdown: (event) => this.grab(event, name, strip), onpointermove: (event) => event.buttons && this.grab(event, name, strip), onpointerup: () => this.commit([this.index / (this.count - 1)]) }, canvas, marker);
      const title = element("button", { class: "name", "data-testid": `path-${name}`, onclick: () => (this.choose(name), this.commit([this.index / (this.count - 1)])) }, TITLES[name] ?? "C + t (A − B)");
      const verdicts = VERDICTS.map(([key, label, text, of]) => {
        const number = element("span", { class: way.judged[key] === best(key, of) ? "number best" : "number", "data-testid": `${name}-${key}` });
        number.textContent = text(way.judged);
        return number;
      });
      this.rows[name] = { title, marker };
      return element("div", { class: "way" }, element("div", { class: "verdicts" }, title, ...verdicts), strip);
    });
    const head = element("div", { class: "verdicts quiet" }, element("span"), ...VERDICTS.map(([, label]) => markup(label)));
    const told = element("div", { class: "quiet" }, markup(this.data.mode === "sum" ? TOLD.length : `${TOLD.length} ${TOLD.following}`));
    return element("div", { "data-testid": "ways" }, head, ...rows, told);
  }

  grab(event, name, strip) {
    if (event.type === "pointerdown") strip.setPointerCapture(event.pointerId);
    this.stop();
    const box = strip.getBoundingClientRect();
    this.index = Math.round(clamp((event.clientX - box.left) / box.width) * (this.count - 1));
    this.choose(name);
  }

  choose(name) {
    this.chosen = name;
    for (const [other, { title }] of Object.entries(this.rows)) title.setAttribute("aria-pressed", other === name);
    for (const chart of this.drawnCharts) chart.choose(name);
    this.show(this.index);
  }

  show(index) {
    const [, height, width] = this.data.shape;
    this.index = index;
    this.picture.getContext("2d").drawImage(this.way.image, index * width, 0, width, height, 0, 0, width, height);
    this.drawn(index);
    this.scrub.value = index;
    const share = index / (this.count - 1);
    say(this.position, this.data.mode === "sum" ? `t = ${(share * this.data.most).toFixed(2)}` : `step ${index + 1} of ${this.count}`);
    for (const [name, { marker }] of Object.entries(this.rows)) {
      marker.style.transform = `translateX(${100 * share}%)`;
      marker.style.opacity = name === this.chosen ? 1 : 0.35;
    }
    for (const chart of this.drawnCharts) chart.mark(index);
  }

  // from end to end and back, from where it stands
  alongWay() {
    let step = this.index === this.count - 1 ? -1 : 1;
    const next = () => {
      if (this.index + step < 0 || this.index + step >= this.count) step = -step;
      this.index += step;
    };
    return { next, show: () => this.show(this.index) };
  }

  // ---- charts: the chosen way in colour, the others behind it ----

  charts() {
    const wanted = this.data.mode === "sum" ? ["density", "kl"] : ["towards", "density", "kl"];
    this.drawnCharts = wanted.map((name) => this.chart(CHARTS[name], name));
    return element("div", { class: "charts" }, ...this.drawnCharts.map((chart) => chart.box));
  }

  chart({ label, colour, series }, testid) {
    const all = Object.values(this.ways).flatMap((way) => series.flatMap((key) => Array.from(way.series[key])));
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const at = (value) => 38 - (36 * (value - low)) / Math.max(1e-6, high - low);
    const points = (values) => Array.from(values, (value, i) => `${(i / (this.count - 1)) * 100},${at(value)}`).join(" ");
    const plot = svg("svg", { viewBox: "0 0 100 40", preserveAspectRatio: "none", role: "img", "aria-label": label.replaceAll(/[<>]/g, "") });
    const lines = Object.entries(this.ways).flatMap(([name, way]) =>
      series.map((key, i) => {
        const line = svg("polyline", { points: points(way.series[key]), "vector-effect": "non-scaling-stroke", "stroke-dasharray": i ? "2 3" : "none" });
        plot.append(line);
        return [name, line];
      }),
    );
    const marker = element("i", { class: "marker" });
    const value = element("span", { class: "number", "data-testid": `read-${testid}` });
    return {
      box: element("div", { class: "plot", style: `--line: var(${colour})` }, element("div", {}, markup(label), value), element("div", { class: "lines" }, plot, marker), element("span", { class: "quiet" }, `${nats(high, 0)}`, element("br"), `${nats(low, 0)}`)),
      choose: (name) => {
        for (const [other, line] of lines) {
          line.setAttribute("class", other === name ? "chosen" : "");
          if (other === name) plot.append(line);
        }
      },
      mark: (index) => {
        marker.style.transform = `translateX(${(100 * index) / (this.count - 1)}%)`;
        say(value, series.map((key) => nats(this.way.series[key][index])).join(" · "));
      },
    };
  }

  // ---- between four ----

  async buildSquare() {
    const { square, ends, at, shape, rev, latents } = this.data;
    const [, height, width] = shape;
    const image = await picture(square.strip);
    if (rev !== this.rev) return;
    this.at = at.length === 2 ? at.slice() : [0.5, 0.5];
    this.read = {};
    this.picture = this.big("The picture at this place between the four");
    const sheet = element("canvas", { width: square.side * width, height: square.side * height });
    for (let i = 0; i < square.side ** 2; i++)
      sheet.getContext("2d").drawImage(image, i * width, 0, width, height, (i % square.side) * width, Math.floor(i / square.side) * height, width, height);
    this.spot = element("div", { class: "pin" });
    this.square = element(
      "div",
      {
        class: "square", tabindex: 0, role: "application", "data-testid": "square", "aria-label": "The square between four pictures: arrow keys move",
        onpointerdown: (event) => (this.square.setPointerCapture(event.pointerId), this.stop(), this.point(event)),
        onpointermove: (event) => (event.buttons || (event.pointerType === "mouse" && !this.playing)) && this.point(event, event.buttons === 0),
        onpointerup: () => this.commit(this.at),
        onpointerleave: () => this.playing || this.visit(this.at),
        onkeydown: (event) => this.nudge(event),
      },
      sheet,
      this.spot,
    );
    const cell = (label, name) => element("div", { class: "cell" }, markup(label), (this.read[name] = element("span", { class: "number", "data-testid": `read-${name}` })));
    const corners = ends.map((end) => this.endOf(end));
    this.rebuild(
      element(
        "div",
        { class: "sides" },
        element("div", {}, this.picture, element("div", { class: "readouts" }, cell("log p(<z>)", "prior"), cell("KL, encoded again", "kl"), cell("encoded again", "drift")), element("div", { class: "row around" }, this.playButton(() => this.aroundFour()), element("span", { class: "quiet" }, "around the four: A, B, D, C")), this.poor(), this.live.status),
        element("div", { class: "four" }, corners[0], element("span"), corners[1], this.square, corners[2], element("span"), corners[3]),
      ),
    );
    this.latents = latents;
    this.visit(this.at);
  }

  point(event, passing = false) {
    const box = this.square.getBoundingClientRect();
    const at = [clamp((event.clientX - box.left) / box.width), clamp((event.clientY - box.top) / box.height)];
    if (!passing) this.at = at;
    this.visit(at);
  }

  nudge(event) {
    const by = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!by) return;
    event.preventDefault();
    this.stop();
    this.at = this.at.map((share, axis) => clamp(share + by[axis] * NUDGE));
    this.visit(this.at);
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.commit(this.at), 350);
  }

  // Along the square's edges as the film goes, from the frame that is nearest to where it stands.
  aroundFour() {
    const { steps, square } = this.data;
    const margin = 0.5 / square.side;
    const corners = [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]];
    const place = (frame) => {
      const edge = Math.floor((4 * frame) / steps), share = (4 * frame) / steps - edge;
      return corners[edge].map((from, axis) => margin + (1 - 2 * margin) * (from + share * (corners[edge + 1][axis] - from)));
    };
    const far = Array.from({ length: steps }, (_, frame) => Math.hypot(...place(frame).map((share, axis) => share - this.at[axis])));
    let frame = far.indexOf(Math.min(...far));
    return { next: () => (frame = (frame + 1) % steps), show: () => this.visit((this.at = place(frame))) };
  }

  // the centres of the outer pictures are the four themselves
  visit(at) {
    const { side } = this.data.square;
    const [across, down] = at.map((share) => clamp((share * side - 0.5) / (side - 1)));
    const [a, b, c, d] = this.data.ends.map((end) => end.mu);
    const mix = (from, to, share) => from.map((value, i) => (1 - share) * value + share * to[i]);
    const z = mix(mix(a, b, across), mix(c, d, across), down);
    this.spot.style.left = `${100 * at[0]}%`;
    this.spot.style.top = `${100 * at[1]}%`;
    this.live.ask(Kind.PLACE, this.data.model, new Float32Array(z), (buffer) => {
      const { numbers, pixels } = parts(buffer, 6 + this.latents);
      paint(this.picture, pixels, this.data.shape);
      this.drawn(at.map((share) => share.toFixed(3)).join(","));
      this.picture.dataset.z = z.join(",");
      say(this.read.prior, nats(numbers[0]));
      say(this.read.drift, `${nats(numbers[2])} σ`);
      say(this.read.kl, nats(numbers.subarray(6).reduce((sum, value) => sum + value, 0)));
    });
  }
}

export default mounted((parent) => new Journey(parent));
