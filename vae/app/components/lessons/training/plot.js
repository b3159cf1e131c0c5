// Places on the map of two latents, and numbers on axes.

import { element, nats, svg } from "../../shared/dom.js";
import { rgbOf } from "../../shared/paint.js";

export const SIZE = 728; // pixels of a map's canvas, on each side

// A map: the decoded pictures as they lie, darkened, and what is drawn on top of them.
export class LatentMap {
  constructor(label, testid, reach) {
    this.reach = reach;
    this.canvas = element("canvas", { class: "picture map", role: "img", "aria-label": label, "data-testid": testid });
    this.canvas.width = this.canvas.height = SIZE;
    this.pen = this.canvas.getContext("2d");
  }

  /**
   * where a place of latent space is, in the canvas's pixels
   * @returns {[number, number]}
   */
  at(z0, z1) {
    return [((z0 / this.reach + 1) / 2) * SIZE, ((1 - z1 / this.reach) / 2) * SIZE];
  }

  /**
   * and where in latent space a pointer is
   * @returns {[number, number]}
   */
  under(event) {
    const box = this.canvas.getBoundingClientRect();
    const share = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    return [(2 * share[0] - 1) * this.reach, (1 - 2 * share[1]) * this.reach];
  }

  tiles(sheet, strength) {
    this.pen.globalAlpha = 1;
    this.pen.fillStyle = "#000";
    this.pen.fillRect(0, 0, SIZE, SIZE);
    this.pen.globalAlpha = strength;
    this.pen.drawImage(sheet, 0, 0, SIZE, SIZE);
    this.pen.globalAlpha = 1;
  }

  dot(z0, z1, colour, radius) {
    this.pen.fillStyle = colour;
    this.pen.beginPath();
    this.pen.arc(...this.at(z0, z1), radius, 0, 2 * Math.PI);
    this.pen.fill();
  }

  ring([z0, z1], sigma, colour) {
    this.pen.strokeStyle = colour;
    this.pen.lineWidth = 2;
    this.pen.beginPath();
    const scale = SIZE / 2 / this.reach;
    this.pen.ellipse(...this.at(z0, z1), sigma[0] * scale, sigma[1] * scale, 0, 0, 2 * Math.PI);
    this.pen.stroke();
  }

  arrow(from, by, colour, width) {
    const [x, y] = this.at(...from);
    const [right, down] = [(by[0] * SIZE) / 2 / this.reach, (-by[1] * SIZE) / 2 / this.reach];
    const long = Math.hypot(right, down);
    if (long < 1) return;
    const head = Math.min(0.6 * long, 3 + 2.5 * width) / long;
    const [hx, hy] = [right * head, down * head];
    Object.assign(this.pen, { strokeStyle: colour, fillStyle: colour, lineWidth: width });
    this.pen.beginPath();
    this.pen.moveTo(x, y);
    this.pen.lineTo(x + right - hx, y + down - hy);
    this.pen.stroke();
    this.pen.beginPath();
    this.pen.moveTo(x + right, y + down);
    this.pen.lineTo(x + right - hx - 0.5 * hy, y + down - hy + 0.5 * hx);
    this.pen.lineTo(x + right - hx + 0.5 * hy, y + down - hy - 0.5 * hx);
    this.pen.fill();
  }
}

// a symbol's colour as it is on pictures: the dark page's
export function onPictures(node, symbol) {
  return `rgb(${rgbOf(getComputedStyle(node).getPropertyValue(`--${symbol}`)).join(",")})`;
}

// a tick's number: with a real minus, and as few decimals as it has
const shown = (tick) => nats(tick, (String(tick).split(".")[1] ?? "").length);

/**
 * An empty chart: its axes, the ticks on them, and the functions that place numbers.
 * @param {{ wide?: number, high?: number, label: string, testid: string, x: ChartAxis, y: ChartAxis }} what
 */
export function chart({ wide = 380, high = 250, label, testid, x, y }) {
  const [left, bottom, top, right] = [50, 40, 12, 18];
  const place = (axis, from, to) => {
    const [low, high] = axis.range.map(axis.scale ?? ((value) => value));
    return (value) => from + (((axis.scale ?? ((one) => one))(value) - low) / (high - low)) * (to - from);
  };
  const [across, up] = [place(x, left, wide - right), place(y, high - bottom, top)];
  const made = svg("svg", {
    viewBox: `0 0 ${wide} ${high}`,
    role: "img",
    "aria-label": label,
    "data-testid": testid,
    class: "axes",
  });
  made.append(svg("path", { class: "frame", d: `M${left},${top}V${high - bottom}H${wide - right}` }));
  for (const tick of x.ticks)
    made.append(
      svg("text", { class: "axis", x: across(tick), y: high - bottom + 15, "text-anchor": "middle" }, shown(tick)),
    );
  for (const tick of y.ticks)
    made.append(svg("text", { class: "axis", x: left - 6, y: up(tick) + 4, "text-anchor": "end" }, shown(tick)));
  made.append(
    svg("text", { class: "name", x: wide - right, y: high - 6, "text-anchor": "end" }, x.name),
    svg("text", { class: "name", x: left + 6, y: top + 6 }, y.name),
  );
  return { made, across, up };
}
