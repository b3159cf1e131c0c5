// What floats beside the pointer on the map: the picture of its place, and the test picture that it points at.

import { element, markup } from "../../shared/dom.js";
import { Kind } from "../../shared/live.js";
import { paint } from "../../shared/paint.js";
import { paintShown } from "../../shared/sheets.js";

export class Float {
  constructor(map) {
    this.map = map;
    this.previewed = null; // the row of a point
    this.hovering = false;
    this.decoded = element("canvas", { "data-testid": "floated" });
    this.thumb = element("canvas", { "data-testid": "hovered" });
    const lettered = (canvas, symbol) => element("div", { hidden: "" }, canvas, markup(`<${symbol}>`));
    this.parts = { xhat: lettered(this.decoded, "xhat"), x: lettered(this.thumb, "x") };
    this.box = element("div", { class: "float", hidden: "", "aria-hidden": "true" }, this.parts.xhat, this.parts.x);
    this.aim = element("div", { class: "aim", hidden: "" });
  }

  // A test picture, beside what is decoded; where the view cannot be decoded, what its own place decodes to is shown.
  preview(row) {
    this.aim.hidden = row === null;
    if (row === null) {
      this.previewed = null;
      this.parts.x.hidden = true;
      return;
    }
    const [across, up] = this.map.chart.axes();
    const [x, y] = [across._offset + across.d2p(this.map.xy[2 * row]), up._offset + up.d2p(this.map.xy[2 * row + 1])];
    this.aim.style.transform = `translate(${x}px, ${y}px)`;
    if (this.previewed === row) return;
    this.previewed = row;
    const { shape, along, pictures } = this.map.data;
    const index = this.map.rows[row];
    paintShown(this.thumb, pictures, index, shape).then((painted) => {
      if (!painted || this.previewed !== row) return;
      this.thumb.dataset.index = index;
      this.parts.x.hidden = this.box.hidden = false;
    });
    if (along) return;
    this.map.live.ask(Kind.EXAMPLE, new Uint32Array([index]), ({ mu }) => {
      if (this.previewed === row) this.map.show(Array.from(mu));
    });
  }

  hide() {
    this.hovering = false; // an answer may still come
    this.preview(null);
    this.box.hidden = this.parts.xhat.hidden = true;
  }

  shows(pixels) {
    paint(this.decoded, pixels, this.map.data.shape);
    this.box.hidden = this.parts.xhat.hidden = false;
  }
}
