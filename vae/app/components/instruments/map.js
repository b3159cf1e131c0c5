// The latent map: every test picture as a point, and the picture of any place between them.

import { fromBase64, numbersOf } from "../shared/base64.js";
import { element, nats, say } from "../shared/dom.js";
import { STEP, coordinates, movedTo, onLattice } from "../shared/geometry.js";
import { Settling, UP } from "../shared/hand.js";
import { Kind, Live } from "../shared/live.js";
import { mounted } from "../shared/mounted.js";
import { Beside } from "./map/beside.js";
import { Chart } from "./map/chart.js";
import { Float } from "./map/float.js";
import { Marks } from "./map/marks.js";
import { PICKED, Tools } from "./map/tools.js";

const MAPLESS =
  "The map cannot be drawn: plotly.js, the program that draws it, did not come from the server. Reload the page to try again.";

// 0 .. count - 1 in an order of chance, the same each time: no class lies over another.
function shuffled(count) {
  const rows = Array.from({ length: count }, (_, row) => row);
  let state = 1;
  for (let last = count - 1; last > 0; last--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const other = Math.floor((state / 2 ** 32) * (last + 1));
    [rows[last], rows[other]] = [rows[other], rows[last]];
  }
  return rows;
}

// What is looked at stays as it was when the visitor comes back to the page in this tab.
function remembered(what) {
  try {
    return JSON.parse(sessionStorage.getItem(`map.${what}`)) ?? {};
  } catch {
    return {}; // no storage here, or somebody else's words in it
  }
}

function remember(what, value) {
  try {
    sessionStorage.setItem(`map.${what}`, JSON.stringify(value));
  } catch {
    // where nothing may be kept, the page begins anew
  }
}

class LatentMap {
  /** @type {MapData} */
  data;
  /** @type {Component<MapData>} */
  component;
  /** @type {Place} */
  z;

  constructor(parent) {
    this.root = parent.appendChild(element("div", { class: "lab" }));
    this.live = new Live(() => this.chart.askTiles());
    this.awaited = null; // the turn of a group that was kept, until the page knows of it
    this.untold = new Map(); // what Python is to be told then
    this.settling = new Settling(() => this.commit());
    this.rev = null;
    this.ended = false;
    this.wandered = false; // what is shown is not z's
    this.selected = []; // rows of points
    this.chart = new Chart(this);
    this.marks = new Marks(this);
    this.float = new Float(this);
    this.tools = new Tools(this, remembered("look"));
    this.beside = new Beside(this);
    this.build();
  }

  end() {
    this.ended = true;
    this.keepView();
    this.live.close();
    this.chart.end();
    this.settling.stop();
  }

  // ---- Python -> here ----

  /** @param {Component<MapData>} component */
  async update(component) {
    this.component = component;
    const { data } = component;
    this.data = data;
    this.live.through(component);
    const turned = data.rev !== this.rev;
    if (data.turn !== this.turn || turned) {
      this.z = data.z.slice();
      this.beside.base = null; // the direction's slider begins where z is
      this.beside.turnSlider(0);
    }
    this.turn = data.turn;
    if (turned) {
      this.rev = data.rev;
      this.xy = numbersOf(data.xy);
      this.every = numbersOf(data.labels, Uint8Array);
      this.rows = numbersOf(data.rows, Uint32Array);
      this.labels = Uint8Array.from(this.rows, (index) => this.every[index]);
      this.values = Object.fromEntries(Object.entries(data.values).map(([name, text]) => [name, numbersOf(text)]));
      this.rank = numbersOf(data.rank);
      this.order = shuffled(this.labels.length);
      this.tools.hidden.clear();
      this.chart.tiled = null;
      this.selected = [];
    }
    const regrouped = this.takeGroups(data.groups) || turned;
    this.live.input(fromBase64(data.levels));
    this.beside.turnDirection();
    const there = await this.chart.comes(data.plotly);
    if (this.ended) return; // the visitor did not wait for it
    this.area.hidden = !there;
    say(this.mapless, there ? "" : MAPLESS);
    if (there) {
      if (turned || !this.chart.drawn) this.chart.draw(this.keptView() ?? this.chart.whole());
      else if (regrouped) this.chart.draw();
      else this.follow();
    }
    const about = JSON.stringify([data.rev, data.given, this.z]);
    if (about !== this.about) this.show(this.z);
    this.about = about;
    this.told(data.kept);
  }

  // The points of groups A and B on this view; whether they are others than before.
  takeGroups(given) {
    const key = JSON.stringify([this.rev, given]);
    if (key === this.grouped) return false;
    this.grouped = key;
    const where = new Map(Array.from(this.rows, (index, row) => [index, row]));
    this.groups = Object.entries(given).map(([group, text]) => {
      const rows = Array.from(numbersOf(text, Uint32Array), (index) => where.get(index)).filter(
        (row) => row !== undefined,
      );
      const mean = (axis) => rows.reduce((sum, row) => sum + this.xy[2 * row + axis], 0) / rows.length;
      return { group, rows, mean: [mean(0), mean(1)] };
    });
    return true;
  }

  // ---- the parts ----

  build() {
    this.pin = element("div", { class: "pin" });
    this.area = element(
      "div",
      {
        class: "area",
        "data-testid": "map",
        tabindex: 0,
        role: "application",
        "aria-label": `Latent map: arrow keys move z, with Shift in small steps; plus and minus zoom; Enter takes the nearest test picture, A or B the ${PICKED} points nearest on the map as a group`,
        onpointermove: (event) => this.onMove(event),
        onpointerdown: (event) => this.onDown(event),
        onpointerleave: () => this.restore(),
        onkeydown: (event) => this.onKey(event),
      },
      this.chart.box,
      this.pin,
      this.marks.sheet,
      this.float.aim,
      this.float.box,
    );
    this.mapless = element("div", { role: "alert" });
    this.root.replaceChildren(
      this.tools.row,
      this.tools.hint,
      element(
        "div",
        { class: "mapped" },
        element("div", {}, this.tools.legend, this.mapless, this.area),
        this.beside.box,
      ),
    );
    this.chart.watch();
  }

  // ---- what is seen, kept of each model and projection ----

  keepView() {
    if (!this.chart.drawn) return;
    remember("views", { ...remembered("views"), [this.chart.drawnRev]: this.chart.seen() });
    remember("look", { colourBy: this.tools.colourBy, layers: this.tools.layers });
  }

  keptView() {
    const ranges = remembered("views")[this.rev];
    return Array.isArray(ranges) && ranges.flat().length === 4 && ranges.flat().every(Number.isFinite) ? ranges : null;
  }

  // What lies on the chart goes where its axes go.
  follow() {
    this.movePin();
    this.marks.draw();
  }

  movePin() {
    this.pin.hidden = !this.data.along || !this.chart.drawn;
    if (this.pin.hidden) return;
    const [across, down] = this.chart.axes();
    const [a, b] = this.at(this.z);
    const [x, y] = [across._offset + across.d2p(a), down._offset + down.d2p(b)];
    const inside =
      x >= across._offset &&
      x <= across._offset + across._length &&
      y >= down._offset &&
      y <= down._offset + down._length;
    this.pin.hidden = !inside;
    this.pin.style.transform = `translate(${x}px, ${y}px)`;
  }

  // ---- places ----

  at(z) {
    return coordinates(this.data.along, z);
  }

  // Where a place is, for those who do not see the map; nothing where it has no place on it.
  words(z) {
    if (!this.data.along) return "";
    const [at, titles] = [this.at(z), this.data.titles.map((title) => title.replace(/<[^>]*>/g, ""))];
    return titles.map((title, axis) => `${title} ${nats(at[axis], 2)}`).join(", ");
  }

  /** @param {number} index of a test picture */
  classOf(index) {
    return this.data.classes[this.every[index]];
  }

  movedTo(to, z = this.z) {
    return movedTo(this.data.along, to, z);
  }

  onMove(event) {
    if (event.pointerType === "touch" || this.tools.selecting || event.buttons) return this.float.hide();
    const box = this.area.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    this.float.preview(this.chart.pointed(event));
    const width = this.float.aim.hidden ? 92 : 188;
    this.float.box.style.transform = `translate(${x + 20 + width > box.width ? x - 16 - width : x + 20}px, ${Math.max(0, y - 104)}px)`;
    const place = this.chart.under(event);
    this.float.hovering = true;
    if (place) this.show(this.movedTo(place), true);
    else if (this.float.previewed === null) this.restore();
  }

  restore() {
    this.float.hide();
    if (this.wandered) this.show(this.z);
    this.wandered = false;
  }

  // While a button is down, Plotly lays a cover over the page, so the end of a click is seen by the window only.
  onDown(down) {
    this.float.hide();
    if (down.button !== 0) return;
    const over = new AbortController(); // a swipe of the page ends by pointercancel, and is no click
    const end = (event) => {
      over.abort();
      if (event.type === "pointerup") this.onUp(event, down.clientX, down.clientY);
    };
    for (const kind of ["pointerup", "pointercancel"])
      addEventListener(kind, end, { capture: true, signal: over.signal });
  }

  onUp(event, x, y) {
    if (this.tools.selecting || this.chart.pinch || Math.hypot(event.clientX - x, event.clientY - y) > 4) return;
    const [row, place] = [this.chart.pointed(event), this.chart.under(event)];
    if (row !== null) this.pick(this.rows[row]);
    else if (place) this.moveTo(this.movedTo(place));
  }

  onKey(event) {
    if (event.key === "Enter" && event.target === this.area && this.beside.nearest) this.pick(this.beside.nearest[0]);
    const group = event.key.toUpperCase();
    const plain = event.target === this.area && !event.ctrlKey && !event.metaKey && !event.altKey;
    const times = { "+": 1.25, "=": 1.25, "-": 0.8 }[event.key];
    if (plain && times) return this.chart.zoom(times, this.chart.middle());
    if (plain && this.data.along && (group === "A" || group === "B")) return this.keep(group, this.around());
    const by = UP[event.key];
    if (!by || !this.data.along || event.target !== this.area) return;
    const [a, b] = this.at(this.z);
    const step = STEP * (event.shiftKey ? 0.1 : 1);
    event.preventDefault();
    this.moveTo(this.movedTo([a + by[0] * step, b + by[1] * step]));
  }

  within(z) {
    const { farthest } = this.data;
    return z.map((value) => onLattice(Math.min(farthest, Math.max(-farthest, value))));
  }

  moveTo(z) {
    this.z = this.within(z);
    this.beside.base = null;
    this.beside.turnSlider(0);
    this.movePin();
    this.show(this.z);
    this.settling.later();
  }

  commit() {
    this.settling.stop();
    this.tell("place", { z: this.z, given: this.data.given });
  }

  pick(index) {
    this.tell("picked", { index, turn: Math.random() });
  }

  // All that Python is told comes with what the select boxes hold: told before they show a group just kept, it undid it.
  tell(name, value) {
    if (this.awaited !== null) return this.untold.set(name, value);
    if (name === "kept") this.awaited = value.turn;
    this.component.setStateValue(name, value);
  }

  told(turn) {
    if (turn !== this.awaited) return;
    this.awaited = null;
    const untold = [...this.untold];
    this.untold.clear();
    for (const [name, value] of untold) this.tell(name, value);
  }

  keep(group, picked = this.selected) {
    this.tell("kept", { group, rows: picked.map((row) => this.rows[row]), turn: Math.random() });
    this.selected = [];
    this.tools.selecting = null;
    this.chart.unselect();
    this.tools.build();
  }

  // the points nearest to the pin, on the plane
  around() {
    const [a, b] = this.at(this.z);
    const far = Array.from(this.labels, (_, row) => (this.xy[2 * row] - a) ** 2 + (this.xy[2 * row + 1] - b) ** 2);
    return Array.from(far.keys())
      .sort((one, other) => far[one] - far[other])
      .slice(0, PICKED);
  }

  // ---- what is there ----

  show(z, floating = false) {
    const { typical } = this.data;
    if (z !== this.z) this.wandered = true;
    this.live.place(z, (answer) => {
      this.beside.shows(z, answer);
      if (floating && this.float.hovering) this.float.shows(answer.mean);
    });
    this.live.ask(Kind.NEAR, new Float32Array(z), (answer) => {
      const below = typical.filter((value) => value < answer.log_density).length / typical.length;
      this.area.classList.toggle("empty", below === 0);
      this.beside.showsNear(z, answer, below);
    });
  }
}

export default await mounted((parent) => new LatentMap(parent));
