// Explore: one picture, and the latents that make it, as sliders or as a plane.

import { fromBase64 } from "../shared/base64.js";
import { announce, element, nats, say, subscript } from "../shared/dom.js";
import { MORE, Settling, THUMB, eager } from "../shared/hand.js";
import { paint, redrawn } from "../shared/paint.js";
import { LATTICE, STEP, onLattice } from "../shared/geometry.js";
import { Kind, Live } from "../shared/live.js";
import { normal } from "../shared/svg.js";
import { mounted } from "../shared/mounted.js";
import { Plane } from "./explore/plane.js";
import { Readouts } from "./explore/readouts.js";
import { typed } from "./explore/typed.js";

const PATIENCE = 5; // ms that sliders and pin wait for the picture
const ROW = 42; // pixels of a slider

class Explore {
  /** @type {ExploreData} */
  data;
  /** @type {Component<ExploreData>} */
  component;
  /** @type {HTMLCanvasElement} */
  picture;
  /** @type {Place} */
  z;
  /** @type {Preset & { x: Uint8Array, z: Place }} */
  given;

  constructor(parent) {
    this.root = parent.appendChild(element("div", { class: "lab" }));
    this.rev = null;
    this.live = new Live(() => this.plane?.askTiles());
    this.settling = new Settling(() => this.commit());
    this.plane = null;
  }

  end() {
    this.live.close();
    this.plane?.end();
    this.settling.stop();
    clearTimeout(this.placing);
  }

  // ---- Python -> here ----

  /** @param {Component<ExploreData>} component */
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
    this.compared = !data.sampled;
    this.touched = null; // the latent whose slider was moved last
    if (data.model !== this.model) {
      this.model = data.model;
      this.view = "sliders";
      this.axes = data.flat ? [0, 1] : data.order.slice(0, 2);
    }
    this.build();
    this.show(this.z);
    this.shown(this.live.read(Kind.PLACE, data.answer), this.z);
  }

  // ---- here -> Python ----

  commit() {
    this.settling.stop();
    const place = { z: this.z, given: this.given.id, sampled: !this.compared, latent: this.touched };
    this.component.setStateValue("place", place);
    announce(this.readouts.verdict.textContent);
  }

  // ---- the picture of a place ----

  show(z) {
    const place = z.slice();
    this.live.place(place, (answer) => this.shown(answer, place));
  }

  shown(answer, z) {
    if (this.placing) this.place();
    paint(this.picture, answer.mean, this.data.shape);
    this.picture.dataset.z = z.join(",");
    redrawn(this.picture);
    this.kl = answer.round_trip_kl;
    this.readouts.show(answer, this.compared ? this.seen : null);
    this.drawBars();
  }

  // Those that can be seen: the others are drawn when they are unfolded.
  drawBars() {
    const most = Math.max(1, ...this.kl);
    for (const [index, row] of this.rows) {
      const length = Math.round((100 * this.kl[index]) / most);
      if (row.length !== length && row.bar.checkVisibility())
        row.bar.style.transform = `scaleX(${(row.length = length) / 100})`;
    }
  }

  // ---- moving ----

  within(z) {
    return z.map((value, i) => onLattice(Math.min(this.data.reach[i], Math.max(-this.data.reach[i], value))));
  }

  // A place that comes from no picture has none that it could be compared with.
  compare(compared) {
    this.compared = compared;
    this.root.classList.toggle("alone", !compared);
    this.readouts.name(compared ? this.given.name : "no picture: this z was not encoded from one");
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
    this.live.input(preset.x);
    this.seen = preset.x.map((level) => (255 * level) / (this.data.grey - 1));
    paint(this.thumb, this.seen, this.data.shape);
    this.compare(this.compared);
    for (const [index, row] of this.rows) {
      const far = this.data.reach[index];
      const share = (value) => (Math.min(far, Math.max(-far, value)) + far) / (2 * far);
      const at = (value) => `calc(${THUMB / 2}px + (100% - ${THUMB}px) * ${share(value)})`;
      const [mu, sigma] = [preset.mu[index], preset.sigma[index]];
      row.tick.style.left = at(mu);
      row.band.style.left = at(mu - sigma);
      row.band.style.right = `calc(100% - ${at(mu + sigma)})`;
    }
    this.plane?.drawMarks();
  }

  // Put sliders and pin where z is.
  place() {
    clearTimeout(this.placing);
    this.placing = null;
    for (const [index, row] of this.rows) {
      if (Number(row.input.value) !== this.z[index]) row.input.value = this.z[index];
      if (!row.typed) say(row.value, nats(this.z[index], 2));
    }
    for (const button of this.presetButtons) {
      const preset = this.presets[Number(button.dataset.preset)];
      const here = preset === this.given && preset.z.every((value, i) => Math.abs(value - this.z[i]) < 1.5 / LATTICE);
      if (button.ariaPressed !== String(here)) button.ariaPressed = here;
    }
    this.plane?.movePins();
  }

  reset(index) {
    this.moveTo(this.z.with(index, this.given.mu[index]));
    this.settling.later();
  }

  sample() {
    this.compare(false);
    this.moveTo(this.z.map(normal));
    this.commit();
  }

  origin() {
    this.compare(false);
    this.moveTo(this.z.map(() => 0));
    this.commit();
  }

  start(preset) {
    this.compare(true);
    this.moveTo(preset.mu, preset);
    this.commit();
  }

  // ---- the parts ----

  build() {
    const { data } = this;
    this.rows = new Map();
    // kept when sliders and plane change places, so that it does not go black until the next answer
    this.picture ??= element("canvas", {
      class: "picture",
      "data-testid": "decoded",
      role: "img",
      "aria-label": "The picture decoded from the latents",
    });
    this.thumb = element("canvas", {
      class: "picture",
      "data-testid": "given",
      role: "img",
      "aria-label": "The current input x",
    });
    this.readouts = new Readouts(this.thumb, data.latents);
    this.presetButtons = this.presets.map((preset, i) =>
      element("button", { "data-preset": i, title: preset.name, onclick: () => this.start(preset) }, preset.label),
    );
    const controls = element(
      "div",
      {},
      element("div", { class: "row presets", role: "group", "aria-label": "Start from" }, ...this.presetButtons),
      element(
        "div",
        { class: "row section" },
        element(
          "button",
          { onclick: () => this.sample(), title: "z drawn from the prior N(0, I)" },
          "A random picture",
        ),
        element("button", { onclick: () => this.origin(), title: "z = 0" }, "The middle"),
        ...this.viewButtons(),
      ),
      ...this.buildView(),
    );
    this.root.replaceChildren(
      element(
        "div",
        { class: "sides" },
        element(
          "div",
          { class: "left" },
          element("div", { class: "seen" }, this.picture, this.readouts.first, this.live.status),
          this.readouts.numbers,
        ),
        controls,
      ),
    );
    this.give(this.given);
    this.place();
  }

  viewButtons() {
    if (this.data.flat) return [];
    const look = (view, text) =>
      element("button", { "aria-pressed": this.view === view, onclick: () => this.look(view) }, text);
    return [element("span", { style: "flex:1" }), look("sliders", "Sliders"), look("plane", "Plane")];
  }

  look(view) {
    this.view = view;
    this.build();
    this.show(this.z);
  }

  // of the plane
  turn(axes) {
    this.axes = axes;
    this.build();
    this.show(this.z);
  }

  buildView() {
    const both = this.data.flat;
    this.plane?.end();
    this.plane = both || this.view === "plane" ? new Plane(this, this.axes) : null;
    if (!this.plane) return [this.buildSliders()];
    return both ? [this.plane.box, this.buildSliders()] : [this.plane.box];
  }

  buildSliders() {
    const { order, active } = this.data;
    const first = Math.min(this.fitting(), Math.max(active, 1));
    const box = element("div", { class: "section" }, ...order.slice(0, first).map((index) => this.slider(index)));
    const fold = (word, from, to) => {
      if (to <= from) return;
      const rows = order.slice(from, to).map((index) => this.slider(index));
      const summary = element("summary", {}, `${to - from} ${word}`);
      box.append(element("details", { ontoggle: () => this.drawBars() }, summary, ...rows));
    };
    fold("more", first, active);
    fold("unused", Math.max(first, active), order.length);
    return box;
  }

  // How many sliders there is room for beside the picture.
  fitting() {
    const above = Math.max(0, this.root.getBoundingClientRect().top + scrollY) || 200;
    return Math.max(this.data.shown, Math.floor((innerHeight - above - 4 * ROW) / ROW));
  }

  slider(index) {
    const far = this.data.reach[index];
    const share = this.data.kl[index] / this.data.kl.reduce((sum, value) => sum + value, 0);
    const name = `z${index}, ${(100 * share).toFixed(0)} % of the KL`;
    const input = element("input", {
      type: "range",
      min: -far,
      max: far,
      step: 1 / LATTICE,
      "data-testid": `latent-${index}`,
      "aria-label": name,
      title: "Arrow keys move, Enter types a number, Backspace or a right click resets",
      oninput: () => {
        this.touched = index;
        this.moveTo(this.z.with(index, Number(input.value)));
      },
      onchange: () => this.commit(),
      oncontextmenu: (event) => {
        event.preventDefault();
        this.reset(index);
      },
      onkeydown: (event) => this.key(event, index),
    });
    const row = {
      input: eager(input),
      tick: element("span", { class: "tick" }),
      band: element("span", { class: "band" }),
      value: element("span", { class: "value", title: "Click to type a number", onclick: () => this.type(index) }),
      bar: element("i"),
      typed: null,
    };
    this.rows.set(index, row);
    return element(
      "div",
      { class: "latent" },
      element("b", { class: "z", "data-word": "z" }, `z${subscript(index)}`),
      element("div", { class: "track" }, row.band, row.tick, input),
      row.value,
      element(
        "div",
        { class: "share", title: "share of the KL on average; the bar is this picture's" },
        row.bar,
        element("span", {}, `${(100 * share).toFixed(0)} %`),
      ),
    );
  }

  type(index) {
    const row = this.rows.get(index);
    typed(row, `z${index}`, nats(this.z[index], 2), (value) => {
      this.moveTo(this.z.with(index, value));
      this.commit();
    });
  }

  key(event, index) {
    const by = { ...MORE, PageUp: 10, PageDown: -10 }[event.key];
    if (event.key === "Enter") return this.type(index);
    if (event.key === "Backspace" || event.key === "Delete") this.reset(index);
    else if (by) this.moveTo(this.z.with(index, this.z[index] + by * STEP * (event.shiftKey ? 0.1 : 1)));
    else return;
    event.preventDefault();
    this.settling.later();
  }
}

export default await mounted((parent) => new Explore(parent));
