// Why a reconstruction is blurred: one place, the pictures that are encoded around it, their mean, and what is decoded.

import { fromBase64 } from "../../shared/base64.js";
import { element, labelled, markup, nats, say, svg } from "../../shared/dom.js";
import { UP, eager } from "../../shared/hand.js";
import { paint, redrawn } from "../../shared/paint.js";
import { paintShown } from "../../shared/sheets.js";
import { LatentMap, SIZE, chart } from "./plot.js";

const AROUND = 12; // pictures
const CLOSE = 15; // tiles of which the first is chosen

export class Likelihood {
  /** @type {HTMLCanvasElement} */
  decoded;
  /** @type {HTMLCanvasElement} */
  mean;

  constructor(training, [tile, said]) {
    this.training = training;
    this.data = training.data;
    const { side } = this.data;
    this.tile = tile >= 0 && tile < side * side ? tile : null;
    this.said = said >= 0 && said <= 100 ? said / 100 : 0.9;
    this.build();
  }

  async begin() {
    const step = this.data.steps.at(-1);
    this.mu = this.training.file.of(`${step}.mu`);
    this.sheet = await this.training.file.sheet(step);
    if (!this.ended) this.take(this.tile ?? this.mixed(), false);
  }

  end() {
    this.ended = true;
  }

  build() {
    const { data } = this;
    this.map = new LatentMap("The map after training: choose a tile", "tiles", data.reach);
    const canvas = this.map.canvas;
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", "The map after training: arrow keys choose a tile");
    canvas.addEventListener("click", (event) => this.take(this.tileAt(this.map.under(event))));
    canvas.addEventListener("keydown", (event) => {
      const by = UP[event.key];
      if (!by) return;
      event.preventDefault();
      const { side } = data;
      const [row, column] = [Math.floor(this.tile / side) - by[1], (this.tile % side) + by[0]];
      if (row >= 0 && row < side && column >= 0 && column < side) this.take(row * side + column);
    });
    /** @returns {[HTMLCanvasElement, HTMLElement]} */
    const figure = (testid, caption) => {
      const made = element("canvas", { class: "picture", role: "img", "data-testid": testid, "aria-label": caption });
      return [made, element("figure", {}, made, element("figcaption", {}, markup(caption)))];
    };
    const [decoded, decodedFigure] = figure("decoded", "decoded here: the mean of p(<x>|<z>)");
    const [mean, meanFigure] = figure("mean", `the mean of the ${AROUND} pictures around`);
    [this.decoded, this.mean] = [decoded, mean];
    this.around = Array.from({ length: AROUND }, () => element("canvas", { class: "thumb" }));
    this.slider = eager(
      element("input", {
        type: "range",
        min: 0.01,
        max: 0.99,
        step: 0.01,
        "data-testid": "answer",
        "aria-label": "The decoder's grey for this pixel",
        oninput: () => this.answer(Number(this.slider.value)),
      }),
    );
    this.read = {};
    const number = (name) => (this.read[name] = element("span", { class: "number", "data-testid": `read-${name}` }));
    const cell = (words, symbol, name) => element("div", { class: "cell" }, labelled(words, symbol), number(name));
    this.plots = element("div", {});
    this.share = element("p", { class: "says", "data-testid": "share" });
    this.root = element(
      "div",
      { class: "training" },
      element(
        "div",
        { class: "sides" },
        element(
          "div",
          {},
          canvas,
          element("div", { class: "quiet" }, "Choose a tile by a click or with the arrow keys."),
        ),
        element(
          "div",
          {},
          element("div", { class: "thumbs" }, ...this.around),
          element("div", { class: "two-pictures" }, decodedFigure, meanFigure),
          this.share,
          this.plots,
          element("div", { class: "track" }, this.slider),
          element(
            "div",
            { class: "readouts" },
            cell("the decoder’s grey", "", "answer"),
            cell("Bernoulli", "−E log p, nats", "bernoulli"),
            cell("Gaussian, <sigma> = 0.5", "−E log p, nats", "gaussian"),
          ),
          element(
            "p",
            { class: "says" },
            markup(
              "Both losses are lowest at the mean, so both decoders learn means, and a mean of unlike pictures is blurred. " +
                "A Bernoulli asks for bits, and its own samples are specks around that mean. " +
                "A Gaussian asks how wide it is: halve its <sigma>, and an error counts four times beside the KL.",
            ),
          ),
        ),
      ),
    );
  }

  // The pictures that are encoded nearest to the middle of a tile.
  nearest(tile) {
    const { side, reach, rows } = this.data;
    const middle = (i) => ((2 * i + 1) / side - 1) * reach;
    const [z0, z1] = [middle(tile % side), -middle(Math.floor(tile / side))];
    return rows
      .map((index, i) => ({ index, i, away: Math.hypot(this.mu[2 * i] - z0, this.mu[2 * i + 1] - z1) }))
      .sort((a, b) => a.away - b.away)
      .slice(0, AROUND);
  }

  // Of the tiles around which pictures lie closest, the one with most different digits.
  mixed() {
    const labels = fromBase64(this.data.labels);
    const tiles = Array.from({ length: this.data.side ** 2 }, (_, tile) => {
      const near = this.nearest(tile);
      return { tile, far: near.at(-1).away, kinds: new Set(near.map(({ i }) => labels[i])).size };
    });
    const close = tiles.sort((a, b) => a.far - b.far).slice(0, CLOSE);
    return close.reduce((best, one) => (one.kinds > best.kinds ? one : best)).tile;
  }

  tileAt([z0, z1]) {
    const { side, reach } = this.data;
    const place = (value) => Math.min(side - 1, Math.max(0, Math.floor(((value / reach + 1) / 2) * side)));
    return place(-z1) * side + place(z0);
  }

  async take(tile, tell = true) {
    this.tile = tile;
    const { side, shape } = this.data;
    const [row, column] = [Math.floor(tile / side), tile % side];
    this.map.tiles(this.sheet, 0.85);
    this.map.pen.strokeStyle = "#fff";
    this.map.pen.lineWidth = 4;
    this.map.pen.strokeRect((column * SIZE) / side, (row * SIZE) / side, SIZE / side, SIZE / side);
    const near = this.nearest(tile);
    const [, height, width] = shape;
    [this.decoded.width, this.decoded.height] = [width, height];
    this.decoded
      .getContext("2d")
      .drawImage(this.sheet, column * width, row * height, width, height, 0, 0, width, height);
    const painted = await Promise.all(
      near.map(({ index }, i) => paintShown(this.around[i], this.data.sheets, index, shape)),
    );
    if (this.ended || this.tile !== tile || !painted.every(Boolean)) return;
    const grey = this.around.map((canvas) => canvas.getContext("2d").getImageData(0, 0, width, height).data);
    const mean = Float32Array.from(
      { length: width * height },
      (_, at) => grey.reduce((sum, data) => sum + data[4 * at], 0) / AROUND,
    );
    paint(this.mean, Uint8Array.from(mean, Math.round), shape);
    // the pixel about which these pictures agree least
    const at = mean.reduce((best, value, i) => (Math.abs(value - 127) < Math.abs(mean[best] - 127) ? i : best), 0);
    this.inked = mean[at] / 255;
    say(
      this.share,
      `They agree least about the pixel in row ${Math.floor(at / width) + 1}, column ${(at % width) + 1}: ` +
        `it is ink in ${Math.round(100 * this.inked)} of 100. Which grey should the decoder answer?`,
    );
    this.curves();
    this.answer(this.said, tell);
    redrawn(this.decoded);
    this.decoded.dataset.tile = String(tile);
  }

  losses(m) {
    const a = this.inked;
    return {
      bernoulli: -(a * Math.log(m) + (1 - a) * Math.log(1 - m)),
      gaussian: (a * (1 - m) ** 2 + (1 - a) * m ** 2) / (2 * 0.25) + Math.log(0.5 * Math.sqrt(2 * Math.PI)),
    };
  }

  curves() {
    const { made, across, up } = chart({
      high: 190,
      label: "What each grey costs under a Bernoulli and under a Gaussian",
      testid: "losses",
      x: { range: [0, 1], ticks: [0, 0.25, 0.5, 0.75, 1], name: "the decoder’s grey →" },
      y: { range: [0, 2.6], ticks: [0, 1, 2], name: "↑ −E log p, nats" },
    });
    const greys = Array.from({ length: 99 }, (_, i) => (i + 1) / 100);
    for (const kind of ["bernoulli", "gaussian"])
      made.append(
        svg("polyline", {
          class: `loss ${kind}`,
          points: greys.map((m) => `${across(m)},${up(Math.min(2.6, this.losses(m)[kind]))}`).join(" "),
        }),
      );
    made.append(
      svg("line", { class: "exact", x1: across(this.inked), x2: across(this.inked), y1: up(2.2), y2: up(0) }),
      svg("text", { class: "axis", x: across(this.inked), y: up(2.25), "text-anchor": "middle" }, "their mean"),
    );
    this.marks = ["bernoulli", "gaussian"].map((kind) => svg("circle", { class: `mark ${kind}`, r: 5 }));
    made.append(...this.marks);
    this.placed = (m) => {
      const found = this.losses(m);
      this.marks.forEach((mark, i) =>
        mark.setAttribute(
          "transform",
          `translate(${across(m)},${up(Math.min(2.6, found[i ? "gaussian" : "bernoulli"]))})`,
        ),
      );
    };
    this.plots.replaceChildren(made);
  }

  answer(m, tell = true) {
    this.said = m;
    this.slider.value = String(m);
    const { bernoulli, gaussian } = this.losses(m);
    this.placed(m);
    say(this.read.answer, m.toFixed(2));
    say(this.read.bernoulli, nats(bernoulli, 3));
    say(this.read.gaussian, nats(gaussian, 3));
    if (tell) this.training.moved(this.tile, Math.round(100 * m));
  }
}
