// Explore: one picture, and the latents that make it, as sliders or as a plane.

import { fromBase64 } from "../shared/base64.js";
import { announce, element, nats, say, subscript } from "../shared/dom.js";
import { MORE, Settling, eager } from "../shared/hand.js";
import { paint, redrawn } from "../shared/paint.js";
import { LATTICE, STEP, onLattice } from "../shared/geometry.js";
import { Kind, Live } from "../shared/live.js";
import { normal } from "../shared/svg.js";
import { mounted } from "../shared/mounted.js";
import { drawShares, markInput, percent } from "./explore/marks.js";
import { Named } from "./explore/named.js";
import { Plane } from "./explore/plane.js";
import { Readouts } from "./explore/readouts.js";
import { typed, wrong } from "./explore/typed.js";

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
    this.named = null;
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
    this.last = null; // what is known of the picture on screen
    this.untold = false; // a hand has let go, and nothing was said of it yet
    this.corrected = null; // what was typed last and could not be taken, until something moves
    this.touched = null; // the latent whose slider was moved last
    if (data.model !== this.model) {
      this.model = data.model;
      this.view = data.named ? "named" : "sliders";
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
    this.untold = true;
    this.tell();
  }

  // Said once the numbers are those of the place where the hand let go.
  tell() {
    if (!this.untold || this.picture.dataset.z !== this.z.join(",")) return;
    this.untold = false;
    const where = this.plane ? `${this.plane.words()}: ` : "";
    const corrected = this.corrected ? `${this.corrected.sentence}. ` : "";
    announce(`${corrected}${where}${this.readouts.verdict.textContent}`);
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
    this.last = { answer, z };
    this.drawNumbers();
    this.tell();
  }

  drawNumbers() {
    if (!this.last) return;
    const { answer, z } = this.last;
    this.readouts.show(answer, this.compared ? this.seen : null);
    this.root.classList.toggle("passing", Number.isNaN(answer.drift));
    drawShares(this.rows, answer.round_trip_kl);
    this.named?.show(answer.mean, z);
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
    if (this.corrected) this.corrected.row.note.hidden = true;
    this.corrected = null;
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
      markInput(row, preset.mu[index], preset.sigma[index], this.data.reach[index]);
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
    this.named?.place();
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
    this.readouts = new Readouts(this.thumb, data.latents, data.grey);
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
    this.drawNumbers();
  }

  viewButtons() {
    const { flat, named } = this.data;
    const views = named ? { named: "By name", sliders: "By number" } : { sliders: "Sliders" };
    const all = Object.entries(flat ? views : { ...views, plane: "Plane" });
    if (all.length === 1) return [];
    const look = ([view, text]) =>
      element("button", { "aria-pressed": this.view === view, onclick: () => this.look(view) }, text);
    return [element("span", { class: "row", style: "margin-left:auto" }, ...all.map(look))];
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
    this.named = this.view === "named" ? new Named(this) : null;
    const beside = this.view === "plane" ? [] : [this.named?.box ?? this.buildSliders()];
    return this.plane ? [this.plane.box, ...beside] : beside;
  }

  buildSliders() {
    const { order, active } = this.data;
    const first = Math.min(this.fitting(), Math.max(active, 1));
    const box = element("div", { class: "section" }, ...order.slice(0, first).map((index) => this.slider(index)));
    const fold = (word, from, to) => {
      if (to <= from) return;
      const rows = order.slice(from, to).map((index) => this.slider(index));
      const summary = element("summary", {}, `${to - from} ${word}`);
      const details = element("details", { ontoggle: () => this.drawNumbers() }, summary, ...rows);
      for (const index of order.slice(from, to)) this.rows.get(index).fold = details;
      box.append(details);
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
    const { kl } = this.data;
    const share = percent(kl[index] / kl.reduce((sum, value) => sum + value, 0), kl.length);
    const name = `z${index}, ${share} of the KL on average`;
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
      share: element("span", { "data-testid": `share-${index}` }),
      note: element("span", { class: "correction", hidden: "", "data-testid": `note-${index}` }),
      typed: null,
      fold: null, // where it is folded away, until somebody opens it
    };
    this.rows.set(index, row);
    return element(
      "div",
      { class: "latent" },
      element("b", { class: "z", "data-word": "z" }, `z${subscript(index)}`),
      element("div", { class: "track" }, row.band, row.tick, input),
      row.value,
      element("div", { class: "share", title: `share of this picture's KL; on average ${share}` }, row.bar, row.share),
      row.note,
    );
  }

  type(index) {
    const row = this.rows.get(index);
    typed(row, `z${index}`, nats(this.z[index], 2), (value) => {
      const sentence = wrong(value, this.data.reach[index]);
      if (!Number.isNaN(value)) this.moveTo(this.z.with(index, value));
      if (sentence) this.correct(row, sentence);
      if (!Number.isNaN(value)) this.commit();
    });
  }

  // What was typed is not what was taken: the sentence stays until something moves.
  correct(row, sentence) {
    this.corrected = { row, sentence };
    row.note.hidden = false;
    say(row.note, sentence);
    announce(sentence);
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

export default await mounted((parent) => new Explore(parent), "named.css");
