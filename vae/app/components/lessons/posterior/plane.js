// The plane of z: the true posterior from its rasters, q on it, and a view that follows both.

import { element } from "../../shared/dom.js";
import { redrawn, rgbOf } from "../../shared/paint.js";

const MASSES = [0.5, 0.9, 0.99]; // what the rings hold
const RADII = MASSES.map((mass) => Math.sqrt(-2 * Math.log(1 - mass))); // of q's, in σ
const FINE = 160; // rows of places of what is drawn
const EASE = 90; // ms in which the view comes nearer by a factor of e
const DEPTHS = 1024; // the protocol's steps of a nat

// The places around `at` and their weights: a cubic (Catmull and Rom), which is exact where a log density is quadratic.
function between(at, count) {
  const first = Math.min(count - 2, Math.max(0, Math.floor(at)));
  const t = at - first;
  const weights = [
    (((2 - t) * t - 1) * t) / 2,
    ((3 * t - 5) * t * t + 2) / 2,
    (((4 - 3 * t) * t + 1) * t) / 2,
    ((t - 1) * t * t) / 2,
  ];
  return [weights.map((_, i) => Math.min(count - 1, Math.max(0, first + i - 1))), weights];
}

export class Plane {
  /** @type {HTMLCanvasElement | undefined} */
  sheet;

  constructor(posterior) {
    this.posterior = posterior;
    this.rasters = null; // depths below the best log p(z|x)
    this.best = 0;
    this.levels = [];
    this.framed = false; // a frame is asked for
    this.before = undefined; // when the last one was
    this.painted = null; // p(z|x) as it was drawn last
    this.resized = new ResizeObserver(() => this.redraw());
    this.begin();
  }

  begin() {
    this.zoom = 1;
    this.view = null;
    this.canvas = element("canvas", {
      class: "over",
      "data-testid": "plane",
      tabindex: 0,
      role: "application",
      "aria-label": "The plane of z around the posterior: plus and minus zoom, 0 fits it again",
      onkeydown: (event) => this.key(event),
      ondblclick: () => this.magnify(0),
    });
    this.canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.box = element("div", { class: "plane" }, this.canvas);
    this.resized.disconnect();
    this.resized.observe(this.box);
  }

  end() {
    this.resized.disconnect();
  }

  // An answer about a version of x.
  shows({ best, levels, squares, depths }, version, thorough) {
    let start = 0; // of a square's depths
    this.rasters = squares?.map((square) => {
      const end = start + square.rows * square.columns;
      const raster = { ...square, depths: depths.subarray(start, end) };
      start = end;
      return raster;
    });
    if (squares) [this.best, this.levels] = [best, Array.from(levels)];
    this.fit();
    this.canvas.dataset.version = version;
    this.canvas.dataset.answers = String(Number(this.canvas.dataset.answers ?? 0) + 1);
    this.canvas.dataset.thorough = thorough;
    this.redraw();
  }

  // ---- the plane ----

  // The square that holds q's and p(z|x)'s outer rings.
  fit() {
    const { mu, sigma } = this.posterior.numbers;
    const reach = RADII[2];
    let [left, right, low, high] = [
      mu[0] - reach * sigma[0],
      mu[0] + reach * sigma[0],
      mu[1] - reach * sigma[1],
      mu[1] + reach * sigma[1],
    ];
    const rasters = this.rasters ?? [];
    rasters.forEach(({ left: x, bottom: y, width, rows, columns, depths }, i) => {
      const finer = rasters[i + 1] ?? { left: 0, bottom: 0, width: 0, rows: 0, columns: 0 };
      const known = (place, from, count) => place > from && place < from + count * finer.width;
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < columns; column++) {
          if (this.best - depths[row * columns + column] / DEPTHS < this.levels[2]) continue;
          const [across, up] = [x + (column + 0.5) * width, y + (row + 0.5) * width];
          if (known(across, finer.left, finer.columns) && known(up, finer.bottom, finer.rows)) continue;
          [left, right] = [Math.min(left, across - width), Math.max(right, across + width)];
          [low, high] = [Math.min(low, up - width), Math.max(high, up + width)];
        }
    });
    this.target = { x: (left + right) / 2, y: (low + high) / 2, wide: 0.6 * (right - left), high: 0.6 * (high - low) };
    this.view ??= { x: this.target.x, y: this.target.y, half: this.half() };
  }

  // half of the view's height, in z
  half() {
    const { wide, high } = this.target;
    return Math.min(
      8,
      Math.max(high, (wide * this.canvas.clientHeight) / Math.max(1, this.canvas.clientWidth)) / this.zoom,
    );
  }

  magnify(by) {
    this.zoom = by ? Math.min(20, Math.max(0.05, this.zoom * by)) : 1;
    this.redraw();
  }

  // of a pinch on a touchpad, or with Ctrl; else the page scrolls
  wheel(event) {
    if (!event.ctrlKey) return;
    event.preventDefault();
    this.magnify(Math.exp(-event.deltaY / 200));
  }

  key(event) {
    const by = { "+": 1.25, "=": 1.25, "-": 0.8, 0: 0 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    this.magnify(by);
  }

  redraw() {
    if (this.framed || !this.view || this.posterior.ended) return;
    this.framed = true;
    requestAnimationFrame((now) => {
      this.framed = false;
      const half = this.half();
      const share = 1 - Math.exp(-Math.min(60, now - (this.before ?? now - 16)) / EASE);
      const still =
        Math.abs(Math.log(half / this.view.half)) < 0.003 &&
        Math.hypot(this.target.x - this.view.x, this.target.y - this.view.y) < 0.003 * half;
      const near = still || matchMedia("(prefers-reduced-motion: reduce)").matches ? 1 : share;
      this.view.half *= (half / this.view.half) ** near;
      for (const axis of ["x", "y"]) this.view[axis] += (this.target[axis] - this.view[axis]) * near;
      this.before = now;
      this.draw();
      if (near < 1) this.redraw();
      else this.before = undefined;
    });
  }

  // log p(z|x) at FINE rows of places of the view from above, each from the finest raster that holds it
  sampled(columns) {
    const { x, y, half } = this.view;
    const step = (2 * half) / (FINE - 1);
    const [west, north] = [x - (step * (columns - 1)) / 2, y + half];
    const found = new Float32Array(FINE * columns).fill(-64);
    for (const { left, bottom, width, rows, columns: across, depths } of this.rasters) {
      const inside = (from, to, count) => [
        Math.max(0, Math.ceil(from / step)),
        Math.min(count - 1, Math.floor(to / step)),
      ];
      const [from, to] = inside(left + width / 2 - west, left + (across - 0.5) * width - west, columns);
      const [top, end] = inside(north - bottom - (rows - 0.5) * width, north - bottom - width / 2, FINE);
      const places = Array.from({ length: columns }, (_, column) =>
        between((west + column * step - left) / width - 0.5, across),
      );
      const along = new Float32Array(across); // the depths between four rows
      for (let row = top; row <= end; row++) {
        const [at, by] = between((north - row * step - bottom) / width - 0.5, rows);
        for (let i = 0; i < across; i++) {
          along[i] = 0;
          for (let k = 0; k < 4; k++) along[i] += by[k] * depths[at[k] * across + i];
        }
        for (let column = from; column <= to; column++) {
          const [i, weights] = places[column];
          const depth =
            weights[0] * along[i[0]] + weights[1] * along[i[1]] + weights[2] * along[i[2]] + weights[3] * along[i[3]];
          found[row * columns + column] = this.best - depth / DEPTHS;
        }
      }
    }
    return found;
  }

  draw() {
    const { canvas: plane, view } = this;
    const [wide, high] = [plane.clientWidth, plane.clientHeight].map((length) => Math.round(length * devicePixelRatio));
    if (!wide || !high) return;
    if (plane.width !== wide || plane.height !== high) Object.assign(plane, { width: wide, height: high });
    const pen = plane.getContext("2d");
    const style = getComputedStyle(plane);
    const colour = (name) => style.getPropertyValue(name);
    const dpr = devicePixelRatio;
    const unit = high / (2 * view.half);
    const xy = ([a, b]) => [wide / 2 + (a - view.x) * unit, high / 2 - (b - view.y) * unit];
    pen.fillStyle = colour("--st-secondary-background-color");
    pen.fillRect(0, 0, wide, high);
    if (this.rasters) pen.drawImage(this.truth(wide, high, colour("--z")), 0, 0);
    const { mu, sigma } = this.posterior.numbers;
    const ellipse = (middle, [across, up], strong) => {
      const [left, top] = xy(middle);
      RADII.forEach((radius, i) => {
        pen.strokeStyle = colour("--sigma");
        pen.globalAlpha = (strong ? 1 : 0.4) * (1 - 0.28 * i);
        pen.lineWidth = (strong ? 2.2 : 1.2) * dpr;
        pen.beginPath();
        pen.ellipse(left, top, radius * across * unit, radius * up * unit, 0, 0, 2 * Math.PI);
        pen.stroke();
      });
      pen.globalAlpha = strong ? 1 : 0.4;
      pen.fillStyle = colour("--mu");
      pen.beginPath();
      pen.arc(left, top, 4 * dpr, 0, 2 * Math.PI);
      pen.fill();
      pen.globalAlpha = 1;
    };
    const { walked: way, shownStep } = this.posterior.refining;
    const walked = way?.inPlane && way.steps[shownStep];
    ellipse(mu, sigma, !walked);
    if (walked) ellipse(walked.mu, walked.sigma, true);
    this.scale(pen, colour("--st-text-color"), style.fontFamily, unit, wide, high);
    redrawn(plane);
    plane.dataset.half = view.half.toFixed(4);
  }

  // p(z|x) as a picture, which stays while only q moves
  truth(wide, high, colour) {
    const key = [this.view.x, this.view.y, this.view.half, wide, high, colour].join();
    if (this.painted?.key === key && this.painted.rasters === this.rasters) return this.painted.canvas;
    const canvas = this.painted?.canvas ?? element("canvas");
    Object.assign(canvas, { width: wide, height: high });
    const pen = canvas.getContext("2d");
    const columns = Math.round((FINE * wide) / high) + 2;
    const density = this.sampled(columns);
    const step = high / (FINE - 1);
    pen.translate(wide / 2 - (step * (columns - 1)) / 2, 0);
    this.shade(pen, density, columns, step, colour);
    pen.lineJoin = "round";
    pen.strokeStyle = colour;
    pen.lineWidth = 1.6 * devicePixelRatio;
    this.levels.forEach((level, i) => {
      pen.globalAlpha = 1 - 0.28 * i;
      this.contour(pen, density, columns, step, level);
    });
    this.painted = { key, rasters: this.rasters, canvas };
    return canvas;
  }

  shade(pen, density, columns, step, colour) {
    const rgb = rgbOf(colour);
    const image = new ImageData(columns, FINE);
    const whole = new Uint32Array(image.data.buffer);
    const solid = rgb[0] | (rgb[1] << 8) | (rgb[2] << 16);
    for (let i = 0; i < density.length; i++)
      whole[i] = solid | (Math.min(150, 150 * Math.exp(0.6 * (density[i] - this.best))) << 24);
    this.sheet ??= element("canvas");
    Object.assign(this.sheet, { width: columns, height: FINE });
    this.sheet.getContext("2d").putImageData(image, 0, 0);
    pen.drawImage(this.sheet, -step / 2, -step / 2, columns * step, FINE * step);
  }

  // Marching squares: where a line between neighbouring places crosses the level.
  contour(pen, density, columns, step, level) {
    const corners = [
      [0, 0],
      [1, 0],
      [1, 1],
      [0, 1],
    ];
    pen.beginPath();
    for (let row = 0; row + 1 < FINE; row++)
      for (let column = 0; column + 1 < columns; column++) {
        const i = row * columns + column;
        const [a, b, c, d] = [
          density[i] >= level,
          density[i + 1] >= level,
          density[i + columns + 1] >= level,
          density[i + columns] >= level,
        ];
        if (a === b && b === c && c === d) continue;
        const values = [density[i], density[i + 1], density[i + columns + 1], density[i + columns]];
        const crossings = [];
        for (let edge = 0; edge < 4; edge++) {
          const next = (edge + 1) % 4;
          if (values[edge] >= level === values[next] >= level) continue;
          const share = (level - values[edge]) / (values[next] - values[edge]);
          crossings.push(
            [0, 1].map((axis) => corners[edge][axis] + share * (corners[next][axis] - corners[edge][axis])),
          );
        }
        for (let k = 0; k + 1 < crossings.length; k += 2) {
          pen.moveTo((column + crossings[k][0]) * step, (row + crossings[k][1]) * step);
          pen.lineTo((column + crossings[k + 1][0]) * step, (row + crossings[k + 1][1]) * step);
        }
      }
    pen.stroke();
  }

  // A bar of a round length, and the names of the axes.
  scale(pen, colour, font, unit, wide, high) {
    const dpr = devicePixelRatio;
    const most = wide / 4 / unit;
    const ten = 10 ** Math.floor(Math.log10(most));
    const length = [5, 2, 1].map((factor) => factor * ten).find((value) => value <= most);
    const [x, y] = [14 * dpr, high - 14 * dpr];
    pen.strokeStyle = pen.fillStyle = colour;
    pen.lineWidth = 2 * dpr;
    pen.beginPath();
    pen.moveTo(x, y);
    pen.lineTo(x + length * unit, y);
    pen.stroke();
    pen.font = `${13 * dpr}px ${font}`;
    pen.textAlign = "left";
    pen.fillText(String(Number(length.toPrecision(1))), x, y - 7 * dpr);
    pen.globalAlpha = 0.6;
    pen.fillText("z₁ ↑", x, 24 * dpr);
    pen.textAlign = "right";
    pen.fillText("z₀ →", wide - x, y);
    pen.globalAlpha = 1;
    this.canvas.dataset.scale = String(length);
  }
}
