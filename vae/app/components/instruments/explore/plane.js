// Explore's plane: the two latents themselves, two of many, or the first two principal components, through z.

import { announce, element, nats, subscript } from "../../shared/dom.js";
import { STEP, coordinates, covariance, ellipse, movedTo, onLattice, tiles } from "../../shared/geometry.js";
import { RAW, UP } from "../../shared/hand.js";
import { Kind } from "../../shared/live.js";
import { paintTiles } from "../../shared/paint.js";

const TILES = 16; // decoded pictures on a side of the plane

export class Plane {
  // `explore` has z and all that is known of it; `axes` are two latents, or "pca"
  constructor(explore, axes) {
    this.explore = explore;
    this.axes = axes;
    this.ghost = null; // the place under a pointer that only passes
    this.held = false;
    this.tiled = null; // what the tiles show
    this.width = 0;
    this.tiles = element("canvas");
    this.marks = element("canvas", {
      class: "over dark",
      "data-testid": "plane",
      tabindex: 0,
      role: "application",
      "aria-label": `Latent plane, ${this.names().join(" across and ")} up: arrow keys move z, with Shift in small steps`,
      [`on${RAW}`]: (event) => this.onPointer(event),
      onpointerdown: (event) => this.onPointer(event),
      onpointerup: (event) => this.onPointer(event),
      onpointerleave: (event) => this.onLeave(event),
      onpointercancel: (event) => this.onLeave(event),
      onkeydown: (event) => this.key(event),
      onfocus: () => announce(this.words()),
    });
    this.pin = element("div", { class: "pin" });
    this.spot = element("div", { class: "spot" });
    this.square = element("div", { class: "plane" }, this.tiles, this.marks, this.pin, this.spot);
    this.box = element("div", { class: "section" }, this.square);
    if (!explore.data.flat) this.box.prepend(this.axisChoice());
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(this.square);
  }

  end() {
    this.resized.disconnect();
  }

  axisChoice() {
    const { order } = this.explore.data;
    const pca = this.axes === "pca";
    const pair = pca ? order.slice(0, 2) : this.axes;
    const select = (side, word) => {
      const options = order
        .filter((index) => index !== pair[1 - side])
        .map((index) => {
          const option = element("option", { value: index }, `z${subscript(index)}`);
          option.selected = index === pair[side];
          return option;
        });
      const made = element(
        "select",
        { "aria-label": word, onchange: () => this.explore.turn(pair.with(side, Number(made.value))) },
        ...options,
      );
      return made;
    };
    const both = element(
      "button",
      { "aria-pressed": pca, onclick: () => this.explore.turn(pca ? pair : "pca") },
      "Principal components",
    );
    const of = element(
      "span",
      { class: "row", style: pca ? "color: var(--quiet)" : "" },
      select(0, "horizontal latent"),
      "×",
      select(1, "vertical latent"),
    );
    return element("div", { class: "row", style: "padding-bottom:.7rem" }, of, both);
  }

  // ---- places ----

  // two orthonormal directions, and how far the plane reaches along each
  directions() {
    const { latents, components, reach } = this.explore.data;
    if (this.axes === "pca") return { along: components.directions, far: components.reach };
    const unit = (index) => Array.from({ length: latents }, (_, i) => (i === index ? 1 : 0));
    return { along: this.axes.map(unit), far: Math.max(...this.axes.map((index) => reach[index])) };
  }

  // of its two directions
  names() {
    return this.axes === "pca" ? ["component 1", "component 2"] : this.axes.map((index) => `z${index}`);
  }

  // Where z is, for those who do not see the pin.
  words() {
    const at = this.at(this.explore.z);
    return this.names()
      .map((name, axis) => `${name} ${nats(at[axis], 2)}`)
      .join(", ");
  }

  at(z) {
    return coordinates(this.directions().along, z);
  }

  movedTo(to, z = this.explore.z) {
    return movedTo(this.directions().along, to, z);
  }

  under(event) {
    const box = this.marks.getBoundingClientRect();
    const { far } = this.directions();
    const across = (2 * (event.clientX - box.left)) / box.width - 1;
    const up = 1 - (2 * (event.clientY - box.top)) / box.height;
    return [across * far, up * far];
  }

  // ---- by hand ----

  onPointer(event) {
    const { explore } = this;
    if (event.type === "pointerdown") {
      this.marks.setPointerCapture(event.pointerId);
      this.held = true;
    }
    const z = this.movedTo(this.under(event));
    if (this.held) {
      this.ghost = null;
      explore.moveTo(z);
    } else if (event.type !== "pointerup" && event.pointerType !== "touch") {
      this.ghost = z.map(onLattice);
      this.movePins();
      explore.show(this.ghost);
    }
    if (event.type === "pointerup" && this.held) {
      this.held = false;
      explore.commit();
      this.askTiles();
    }
  }

  onLeave(event) {
    if (this.held && event.type === "pointerleave") return;
    if (this.held) this.explore.commit();
    this.held = false;
    if (this.ghost) this.explore.show(this.explore.z);
    this.ghost = null;
    this.movePins();
  }

  key(event) {
    const { explore } = this;
    const by = UP[event.key];
    if (event.key === "Backspace" || event.key === "Delete") {
      explore.compare(true);
      explore.moveTo(explore.given.mu);
    } else if (by) {
      const [a, b] = this.at(explore.z);
      const step = STEP * (event.shiftKey ? 0.1 : 1);
      explore.moveTo(this.movedTo([a + by[0] * step, b + by[1] * step]));
    } else return;
    event.preventDefault();
    announce(this.words());
    explore.settling.later();
  }

  // ---- drawing ----

  // The decoded manifold: one request for all tiles, again where z left the plane it was decoded on.
  askTiles() {
    const { live, data } = this.explore;
    if (!live.ready) return;
    const { latents, shape, model } = data;
    const { far } = this.directions();
    const base = this.movedTo([0, 0]);
    const key = JSON.stringify([this.axes, base.map((value) => value.toFixed(2)), model]);
    if (key === this.tiled) return;
    const places = tiles(TILES, latents, (across, up) => this.movedTo([across * far, up * far], base));
    live.ask(Kind.PICTURES, places, ({ means }) => {
      this.tiled = key;
      paintTiles(this.tiles, means, shape, TILES);
      this.tiles.dataset.tiles = String(TILES * TILES);
    });
  }

  draw() {
    this.width = this.square.clientWidth;
    this.drawMarks();
    this.movePins();
    this.askTiles();
  }

  // z and the place under the pointer are elements of their own: to draw the rest again at each move would cost frames.
  movePins() {
    const { far } = this.directions();
    const put = (pin, z) => {
      pin.hidden = !z;
      if (!z) return;
      const [x, y] = this.at(z).map((value, axis) => ((1 + (axis ? -value : value) / far) * this.width) / 2);
      pin.style.transform = `translate(${x}px, ${y}px)`;
    };
    put(this.pin, this.explore.z);
    put(this.spot, this.ghost);
  }

  // The prior's rings, the posterior q(z|x) at its scale, and the pictures to start from.
  drawMarks() {
    const canvas = this.marks;
    const side = Math.round(this.width * devicePixelRatio);
    if (!side) return;
    if (canvas.width !== side) canvas.width = canvas.height = side;
    const pen = canvas.getContext("2d");
    const { along, far } = this.directions();
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(name);
    const unit = side / (2 * far);
    const dpr = devicePixelRatio;
    /** @param {number[]} at */
    const xy = ([a, b]) => [side / 2 + a * unit, side / 2 - b * unit];
    pen.clearRect(0, 0, side, side);
    pen.setLineDash([4 * dpr, 5 * dpr]);
    for (const radius of [1, 2]) {
      pen.strokeStyle = "#ffffff90";
      pen.lineWidth = dpr;
      pen.beginPath();
      pen.arc(side / 2, side / 2, radius * unit, 0, 2 * Math.PI);
      pen.stroke();
    }
    pen.setLineDash([]);
    const { mu, sigma } = this.explore.given;
    const [x, y] = xy(this.at(mu));
    const { long, short, angle } = ellipse(covariance(along, sigma));
    const around = (shade, width) => {
      pen.strokeStyle = shade;
      pen.lineWidth = width * dpr;
      pen.beginPath();
      pen.ellipse(x, y, long * unit, short * unit, angle, 0, 2 * Math.PI);
      pen.stroke();
    };
    around("#000a", 4);
    around(colour("--sigma"), 2);
    pen.fillStyle = colour("--mu");
    pen.beginPath();
    pen.arc(x, y, 2.5 * dpr, 0, 2 * Math.PI);
    pen.fill();
    if (!this.explore.data.flat) return;
    pen.font = `600 ${13 * dpr}px ${colour("--st-font")}`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    for (const preset of this.explore.presets) {
      const [left, top] = xy(this.at(preset.mu));
      const word = preset.own ? "x" : preset.label;
      pen.strokeStyle = "#000c";
      pen.lineWidth = 4 * dpr;
      pen.strokeText(word, left, top);
      pen.fillStyle = "#fff";
      pen.fillText(word, left, top);
    }
  }
}
