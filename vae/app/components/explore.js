// Explore: one picture, and the latents that make it, as sliders or as a plane.

const STEP = 0.05; // of an arrow key; with Shift a tenth of it
const LATTICE = 1000; // places are kept to 1/1000, so that a link says them exactly
const PATIENCE = 5; // ms that sliders and pin wait for the picture
const TILES = 16; // decoded pictures on a side of the plane

const onLattice = (value) => Math.round(value * LATTICE) / LATTICE + 0;
const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);

class Explore {
  constructor(parent) {
    this.root = parent.appendChild(element("div", { class: "lab" }));
    this.rev = null;
    this.live = new Live(() => this.askTiles());
    this.resized = new ResizeObserver(() => this.plane && this.drawPlane());
  }

  end() {
    this.live.close();
    this.resized.disconnect();
    for (const timer of [this.settling, this.placing]) clearTimeout(timer);
  }

  // ---- Python -> here ----

  update(component) {
    this.component = component;
    this.live.through(component);
    const { data } = component;
    if (data.rev === this.rev) return;
    this.rev = data.rev;
    this.adopt(data);
  }

  adopt(data) {
    this.data = data;
    const levels = fromBase64(data.levels);
    this.presets = data.presets.map((preset, i) => ({
      ...preset,
      x: levels.slice(i * data.pixels, (i + 1) * data.pixels),
      z: this.within(preset.mu),
    }));
    this.given = this.presets.find((preset) => preset.id === data.given);
    this.z = data.z.slice();
    if (data.model !== this.model) {
      this.model = data.model;
      this.view = "sliders";
      this.axes = data.latents === 2 ? [0, 1] : data.order.slice(0, 2);
    }
    this.build();
    this.show(this.z);
    this.shown(fromBase64(data.answer).buffer, this.z);
  }

  // ---- here -> Python ----

  commit() {
    clearTimeout(this.settling);
    this.component.setStateValue("place", { z: this.z, given: this.given.id });
  }

  settle() {
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.commit(), 350);
  }

  // ---- the picture of a place ----

  show(z) {
    const place = z.slice();
    this.live.ask(Kind.PLACE, this.data.model, new Float32Array(place), (buffer) => this.shown(buffer, place));
  }

  shown(buffer, z) {
    if (this.placing) this.place();
    const { latents, shape } = this.data;
    const { numbers, pixels } = parts(buffer, 6 + latents);
    const [prior, further, drift, likelihood, posterior, distance] = numbers;
    paint(this.picture, pixels, shape);
    this.picture.dataset.z = z.join(",");
    redrawn(this.picture);
    const kl = numbers.subarray(6);
    say(this.read.prior, nats(prior));
    say(this.read.further, `${nats(100 * further, 0)} % of samples lie further out`);
    say(this.read.again, nats(kl.reduce((sum, value) => sum + value, 0)));
    say(this.read.drift, `encoded again, ${nats(drift)} σ away`);
    say(this.read.likelihood, nats(likelihood));
    say(this.read.posterior, nats(posterior));
    say(this.read.distance, nats(distance));
    const most = Math.max(1, ...kl);
    for (const [index, row] of this.rows) {
      const length = Math.round((100 * kl[index]) / most);
      if (row.length !== length && row.bar.checkVisibility()) row.bar.style.transform = `scaleX(${(row.length = length) / 100})`;
    }
  }

  // ---- moving ----

  within(z) {
    return z.map((value, i) => onLattice(Math.min(this.data.reach[i], Math.max(-this.data.reach[i], value))));
  }

  moveTo(z, given = this.given) {
    this.z = this.within(z);
    if (given !== this.given) this.give(given);
    this.show(this.z);
    // Sliders and pin move with the picture: a frame of their own would make the picture wait for the next one.
    this.placing ??= setTimeout(() => this.place(), PATIENCE);
  }

  give(preset) {
    this.given = preset;
    this.live.input(this.data.model, preset.x);
    paint(this.thumb, preset.x.map((level) => (255 * level) / (this.data.grey - 1)), this.data.shape);
    say(this.givenName, preset.name);
    for (const [index, row] of this.rows) {
      const far = this.data.reach[index];
      const share = (value) => (Math.min(far, Math.max(-far, value)) + far) / (2 * far);
      const at = (value) => `calc(${THUMB / 2}px + (100% - ${THUMB}px) * ${share(value)})`;
      const [mu, sigma] = [preset.mu[index], preset.sigma[index]];
      row.tick.style.left = at(mu);
      row.band.style.left = at(mu - sigma);
      row.band.style.right = `calc(100% - ${at(mu + sigma)})`;
    }
    if (this.plane) this.drawMarks();
  }

  // Put sliders and pin where z is.
  place() {
    clearTimeout(this.placing);
    this.placing = null;
    for (const [index, row] of this.rows) {
      if (Number(row.input.value) !== this.z[index]) row.input.value = this.z[index];
      say(row.value, nats(this.z[index], 2));
    }
    for (const button of this.presetButtons) {
      const preset = this.presets[Number(button.dataset.preset)];
      const here = preset === this.given && preset.z.every((value, i) => Math.abs(value - this.z[i]) < 1.5 / LATTICE);
      if (button.ariaPressed !== String(here)) button.ariaPressed = here;
    }
    if (this.plane) this.movePins();
  }

  reset(index) {
    this.moveTo(this.z.with(index, this.given.mu[index]));
    this.settle();
  }

  sample() {
    const draw = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
    this.moveTo(this.z.map(draw));
    this.commit();
  }

  // ---- the parts ----

  build() {
    const { data } = this;
    this.rows = new Map();
    // kept when sliders and plane change places, so that it does not go black until the next answer
    this.picture ??= element("canvas", { class: "picture", "data-testid": "decoded", role: "img", "aria-label": "The picture decoded from the latents" });
    this.thumb = element("canvas", { class: "picture", "data-testid": "given", role: "img", "aria-label": "The current input x" });
    this.givenName = element("span", { class: "quiet note" });
    this.read = {};
    const number = (name) => (this.read[name] = element("span", { class: "number", "data-testid": `read-${name}` }));
    const note = (name) => (this.read[name] = element("span", { class: "quiet note" }));
    const cell = (label, value, under) => element("div", { class: "cell" }, markup(label), value, under);
    const said = (text) => element("span", { class: "quiet note" }, text);
    const readouts = element(
      "div",
      { class: "readouts", "data-testid": "readouts" },
      cell("log p(<z>), nats", number("prior"), note("further")),
      cell("KL of x̂, nats", number("again"), note("drift")),
      element("div", { class: "given" }, this.thumb, element("div", { class: "cell" }, markup("input <x>"), this.givenName)),
      cell("log p(<x>|<z>)", number("likelihood"), said("nats")),
      cell("log q(<z>|<x>)", number("posterior"), said("nats")),
      cell("‖(<z> − <mu>) / <sigma>‖²", number("distance"), said(`${data.latents} on average under q`)),
    );
    this.presetButtons = this.presets.map((preset, i) =>
      element("button", { "data-preset": i, title: preset.name, onclick: () => (this.moveTo(preset.mu, preset), this.commit()) }, preset.label),
    );
    const controls = element(
      "div",
      {},
      element("div", { class: "row presets", role: "group", "aria-label": "Start from" }, ...this.presetButtons),
      element(
        "div",
        { class: "row section" },
        element("button", { onclick: () => this.sample() }, "Sample the prior"),
        element("button", { onclick: () => (this.moveTo(this.z.map(() => 0)), this.commit()) }, "Origin"),
        ...this.viewButtons(),
      ),
      ...this.buildView(),
    );
    this.root.replaceChildren(
      element("div", { class: "sides" }, element("div", { class: "seen" }, this.picture, readouts, this.live.status), controls),
    );
    this.give(this.given);
    this.place();
  }

  viewButtons() {
    if (this.data.latents === 2) return [];
    const look = (view, text) =>
      element("button", { "aria-pressed": this.view === view, onclick: () => this.look(view) }, text);
    return [element("span", { style: "flex:1" }), look("sliders", "Sliders"), look("plane", "Plane")];
  }

  look(view) {
    this.view = view;
    this.build();
    this.show(this.z);
  }

  buildView() {
    this.plane = null;
    if (this.data.latents === 2) return [this.buildPlane(), this.buildSliders()];
    return [this.view === "plane" ? this.buildPlane() : this.buildSliders()];
  }

  buildSliders() {
    const { order, active, shown } = this.data;
    const first = Math.min(shown, Math.max(active, 1));
    const box = element("div", { class: "section" }, ...order.slice(0, first).map((index) => this.slider(index)));
    for (const [word, from, to] of [["more", first, active], ["silent", Math.max(first, active), order.length]]) {
      if (to > from) {
        const rows = order.slice(from, to).map((index) => this.slider(index));
        box.append(element("details", {}, element("summary", {}, `${to - from} ${word}`), ...rows));
      }
    }
    return box;
  }

  slider(index) {
    const far = this.data.reach[index];
    const share = this.data.kl[index] / this.data.kl.reduce((sum, value) => sum + value, 0);
    const name = `z${index}, ${(100 * share).toFixed(0)} % of the KL`;
    const input = element("input", {
      type: "range", min: -far, max: far, step: 1 / LATTICE, "data-testid": `latent-${index}`, "aria-label": name,
      title: "Arrow keys move, Backspace or a right click resets",
      oninput: () => this.moveTo(this.z.with(index, Number(input.value))),
      onchange: () => this.commit(),
      oncontextmenu: (event) => (event.preventDefault(), this.reset(index)),
      onkeydown: (event) => this.key(event, index),
    });
    const row = {
      input: eager(input),
      tick: element("span", { class: "tick" }),
      band: element("span", { class: "band" }),
      value: element("span", { class: "value" }),
      bar: element("i"),
    };
    this.rows.set(index, row);
    return element(
      "div",
      { class: "latent" },
      markup(`<z>${subscript(index)}`),
      element("div", { class: "track" }, row.band, row.tick, input),
      row.value,
      element("div", { class: "share", title: "share of the KL on average; the bar is this picture's" }, row.bar, element("span", {}, `${(100 * share).toFixed(0)} %`)),
    );
  }

  key(event, index) {
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
    if (event.key === "Backspace" || event.key === "Delete") this.reset(index);
    else if (by) this.moveTo(this.z.with(index, this.z[index] + by * STEP * (event.shiftKey ? 0.1 : 1)));
    else return;
    event.preventDefault();
    this.settle();
  }
}
