// The drawing pad: what is drawn is prepared, encoded and decoded while it is being drawn.

import { fromBase64, toBase64 } from "../shared/base64.js";
import { announce, element, markup, nats, numbers } from "../shared/dom.js";
import { DOWN } from "../shared/hand.js";
import { inkInCommon, paint, redrawn, rgbOf } from "../shared/paint.js";
import { Kind, Live } from "../shared/live.js";
import { mounted } from "../shared/mounted.js";

const SIDE = 140; // pixels of the pad, 5 for each of MNIST's
const BRUSH = 12; // pixels of the pen's width at first
const [THIN, THICK] = [5, 28];
const PEN_STEP = 3; // of an arrow key

class Pad {
  /** @type {PadData} */
  data;
  /** @type {Component<PadData>} */
  component;

  constructor(parent) {
    this.root = parent.appendChild(element("div", { class: "lab" }));
    this.rev = null;
    this.live = new Live();
    this.width = BRUSH;
    this.erases = false;
  }

  end() {
    this.live.close();
  }

  /** @param {Component<PadData>} component */
  update(component) {
    this.component = component;
    const { data } = component;
    this.live.through(component);
    if (data.rev === this.rev) return;
    this.rev = data.rev;
    this.data = data;
    this.build();
    if (data.canvas) {
      const grey = fromBase64(data.canvas);
      this.base = new ImageData(SIDE, SIDE);
      grey.forEach((value, i) => this.base.data.set([value, value, value, 255], 4 * i));
      this.redraw();
      this.ask();
    }
  }

  build() {
    this.pad = element("canvas", {
      class: "pad",
      width: SIDE,
      height: SIDE,
      tabindex: 0,
      "data-testid": "pad",
      role: "application",
      "aria-label": "Drawing pad: arrow keys move the pen, Space lowers and lifts it",
      onpointerdown: (event) => this.down(event),
      onpointermove: (event) => this.move(event),
      onpointerup: () => this.up(),
      onpointercancel: () => this.up(),
      onkeydown: (event) => this.key(event),
      onfocus: () => this.showTip(this.pad.matches(":focus-visible")),
      onblur: () => this.showTip(false),
    });
    this.tip = element("div", { class: "tip", hidden: "", "data-testid": "pen" });
    this.pen = this.pad.getContext("2d", { willReadFrequently: true });
    this.strokes = [];
    this.base = null;
    this.at = [SIDE / 2, SIDE / 4];
    const shown = (testid, label) => {
      const canvas = element("canvas", { class: "picture", "data-testid": testid, role: "img", "aria-label": label });
      paint(canvas, new Uint8Array(this.data.shape.reduce((product, side) => product * side, 1)), this.data.shape);
      return canvas;
    };
    this.bits = shown("x", "The bits the model reads of the drawing");
    this.mean = shown("decoded", "What the model makes of the drawing");
    this.gap = shown("difference", "Where the two differ");
    this.gap.classList.add("dark");
    this.bars = element("div", {
      class: "bars",
      role: "img",
      "aria-label": "KL of each latent",
      title: "KL of each latent",
    });
    this.heights = this.data.order.map(() => element("i", { style: "height:0" }));
    this.bars.append(...this.heights);
    this.numbers = element("span", { "data-testid": "sketch" });
    this.told = markup("lower bound ELBO = reconstruction − KL, in nats");
    this.told.hidden = true;
    this.eraser = element("button", { "aria-pressed": this.erases, onclick: () => this.turn() }, "Eraser");
    this.brush = element("input", {
      type: "range",
      min: THIN,
      max: THICK,
      value: this.width,
      "aria-label": "Width of the pen",
      oninput: () => {
        this.width = Number(this.brush.value);
        this.showTip();
      },
    });
    const figure = (canvas, ...caption) => element("figure", {}, canvas, element("figcaption", {}, ...caption));
    this.root.replaceChildren(
      element(
        "div",
        { class: "drawn" },
        figure(
          element("div", { class: "paper" }, this.pad, this.tip),
          element(
            "span",
            { class: "row" },
            this.eraser,
            element("button", { onclick: () => this.undo() }, "Undo"),
            element("button", { onclick: () => this.clear() }, "Clear"),
          ),
          element("label", { class: "width" }, "Width", this.brush),
        ),
        figure(this.bits, markup("<x>, the bits that are read"), this.bars),
        figure(this.mean, markup("<xhat> at z = <mu>"), numbers(this.told, element("br"), this.numbers)),
        figure(
          this.gap,
          element("b", { class: "x" }, "missed"),
          " and ",
          element("b", { class: "xhat" }, "added"),
          " ink",
        ),
      ),
      this.live.status,
    );
    this.redraw();
  }

  // ---- drawing ----

  point(event) {
    const box = this.pad.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * SIDE, ((event.clientY - box.top) / box.height) * SIDE];
  }

  // where the arrow keys have the pen; a mouse or a finger shows itself
  showTip(shown = !this.tip.hidden) {
    this.tip.hidden = !shown;
    this.tip.classList.toggle("down", Boolean(this.drawing));
    const share = (value) => `${(100 * value) / SIDE}%`;
    Object.assign(this.tip.style, { left: share(this.at[0]), top: share(this.at[1]), width: share(this.width) });
  }

  down(event) {
    this.showTip(false);
    this.pad.setPointerCapture(event.pointerId);
    this.begin(this.point(event));
  }

  begin(point) {
    this.drawing = { points: [point], width: this.width, erases: this.erases };
    this.strokes.push(this.drawing);
    this.redraw();
    this.ask();
  }

  move(event) {
    if (!this.drawing) return;
    const events = event.getCoalescedEvents?.() ?? [];
    this.drawing.points.push(...(events.length ? events : [event]).map((one) => this.point(one)));
    this.redraw();
    this.ask();
  }

  up() {
    if (!this.drawing) return;
    this.drawing = null;
    this.commit("Pen up. ");
  }

  key(event) {
    const by = DOWN[event.key];
    if (event.key === " " && this.drawing) this.up();
    else if (event.key === " ") this.begin([...this.at]);
    else if (event.key === "Backspace") this.undo();
    else if (by) {
      this.at = this.at.map((value, i) => Math.min(SIDE - 1, Math.max(0, value + by[i] * PEN_STEP)));
      this.drawing?.points.push([...this.at]);
      this.redraw();
      if (this.drawing) this.ask();
    } else return;
    if (by || this.drawing) announce(this.words()); // else what comes back is said
    this.showTip(true);
    event.preventDefault();
  }

  // where the arrow keys have the pen, for those who do not see it
  words() {
    const [across, down] = this.at.map((value) => `${Math.round((100 * value) / SIDE)} %`);
    const tool = this.erases ? "Eraser" : "Pen";
    return `${tool} ${this.drawing ? "down" : "up"}, ${across} from the left, ${down} from the top`;
  }

  // from pen to eraser and back
  turn() {
    this.erases = !this.erases;
    this.eraser.ariaPressed = String(this.erases);
  }

  undo() {
    if (!this.strokes.pop()) this.base = null;
    this.redraw();
    this.commit();
  }

  clear() {
    this.strokes = [];
    this.base = null;
    this.redraw();
    this.commit();
  }

  redraw() {
    const { pen } = this;
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, SIDE, SIDE);
    if (this.base) pen.putImageData(this.base, 0, 0);
    pen.lineCap = pen.lineJoin = "round";
    for (const { points, width, erases } of this.strokes) {
      pen.beginPath();
      pen.moveTo(points[0][0], points[0][1]);
      // through the middles, with the points as handles: smooth however few they are
      for (let i = 1; i + 1 < points.length; i++) {
        const [[x, y], [nextX, nextY]] = [points[i], points[i + 1]];
        pen.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
      }
      pen.lineTo(points.at(-1)[0] + 0.1, points.at(-1)[1]); // a line without length is no dot
      const drawn = (across, shade) => {
        pen.lineWidth = across;
        pen.strokeStyle = shade;
        pen.stroke();
      };
      if (!erases) drawn(width + 3, "#ffffff60");
      drawn(width, erases ? "#000" : "#fff");
    }
  }

  grey() {
    const { data } = this.pen.getImageData(0, 0, SIDE, SIDE);
    return Uint8Array.from({ length: SIDE * SIDE }, (_, i) => data[4 * i]);
  }

  // ---- asking ----

  // then() is called once the answer is drawn, if no newer drawing overtakes it
  ask(then = () => {}) {
    const grey = this.grey();
    const body = new Uint8Array(4 + grey.length);
    new DataView(body.buffer).setUint16(0, SIDE, true);
    new DataView(body.buffer).setUint16(2, SIDE, true);
    body.set(grey, 4);
    this.live.ask(Kind.DRAWING, body, (answer) => {
      this.answered(answer);
      then();
    });
  }

  answered({ sentence, levels, mean, kl_per_dimension: kl, reconstruction, reconstruction_error: error }) {
    if (sentence) return this.nothing(sentence);
    const { shape, grey, order } = this.data;
    const bits = levels.map((level) => (255 * level) / (grey - 1));
    this.comes = `${Math.round(100 * inkInCommon(mean, bits))} % of the ink as in the drawing`;
    paint(this.bits, bits, shape);
    paint(this.mean, mean, shape);
    paint(this.gap, this.difference(bits, mean), [3, shape[1], shape[2]]);
    redrawn(this.mean);
    const most = Math.max(1, ...kl);
    order.forEach((index, i) => {
      this.heights[i].style.height = `${(100 * kl[index]) / most}%`;
    });
    const total = kl.reduce((sum, value) => sum + value, 0);
    this.told.hidden = false;
    this.numbers.textContent = `ELBO ${nats(reconstruction - total)} = ${nats(reconstruction)} − ${nats(total)} nats, ± ${nats(error)}`;
  }

  // x less x̂ as colours on black: x's where the model misses ink, x̂'s where it adds ink
  difference(x, mean) {
    const style = getComputedStyle(this.gap); // the picture is dark on every page
    const [missed, added] = ["--x", "--xhat"].map((name) => rgbOf(style.getPropertyValue(name)));
    const [channels, ...sides] = this.data.shape;
    const plane = sides[0] * sides[1];
    const colours = new Uint8Array(3 * plane);
    for (let i = 0; i < plane; i++) {
      let gap = 0;
      for (let c = 0; c < channels; c++) gap += (x[c * plane + i] - mean[c * plane + i]) / (255 * channels);
      const colour = gap > 0 ? missed : added;
      for (let c = 0; c < 3; c++) colours[c * plane + i] = Math.abs(gap) * colour[c];
    }
    return colours;
  }

  // what was read of a drawing that is gone
  nothing(sentence) {
    this.comes = sentence;
    for (const canvas of [this.bits, this.mean, this.gap])
      paint(canvas, new Uint8Array(this.data.shape.reduce((product, side) => product * side, 1)), this.data.shape);
    for (const bar of this.heights) bar.style.height = "0";
    this.told.hidden = true;
    this.numbers.textContent = "";
  }

  // The picture first, the ledger after it: Python computes for a while.
  commit(said = "") {
    this.ask(() => {
      announce(`${said}${this.comes}`);
      this.send();
    });
  }

  send() {
    const grey = this.grey();
    const empty = grey.every((value) => value === 0);
    this.component.setStateValue("drawing", empty ? "" : toBase64(grey));
  }
}

export default await mounted((parent) => new Pad(parent));
