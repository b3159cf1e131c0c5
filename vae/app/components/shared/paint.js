// Pictures on canvases: bytes as they come from a decoder, and the colours of the page.

const SHARP = 48; // pixels on a side, up to which they are seen as squares: as in look/html.py

/**
 * The canvas for pictures of a shape, so many of them across and down; empty, if it was of another.
 * @param {HTMLCanvasElement} canvas
 * @param {Shape} shape
 * @param {[number, number]} many
 */
export function fitted(canvas, [, height, width], [across, down] = [1, 1]) {
  if (canvas.width !== across * width || canvas.height !== down * height) {
    canvas.width = across * width;
    canvas.height = down * height;
  }
  const rendering = Math.max(height, width) > SHARP ? "auto" : "";
  if (canvas.style.imageRendering !== rendering) canvas.style.imageRendering = rendering;
  return canvas;
}

/**
 * Draw c x h x w bytes, pixel by pixel; CSS makes them large.
 * @param {HTMLCanvasElement} canvas
 * @param {Pixels} pixels
 * @param {Shape} shape
 */
export function paint(canvas, pixels, shape) {
  fitted(canvas, shape);
  const [channels, height, width] = shape;
  const image = new ImageData(width, height);
  const plane = width * height;
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = pixels[i + (channels === 3 ? c * plane : 0)];
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/**
 * The i-th of pictures that lie one after the other.
 * @param {Uint8Array} pixels
 * @param {Shape} shape
 * @param {number} i
 */
export function nth(pixels, shape, i) {
  const size = shape.reduce((product, side) => product * side, 1);
  return pixels.subarray(i * size, (i + 1) * size);
}

/**
 * Of the ink of either of two pictures, the share that both have: 1 where they are the same.
 * @param {Pixels} one
 * @param {Pixels} other
 */
export function inkInCommon(one, other) {
  let [both, either] = [0, 0];
  for (let i = 0; i < one.length; i++) {
    both += Math.min(one[i], other[i]);
    either += Math.max(one[i], other[i]);
  }
  return either ? both / either : 1;
}

/**
 * How near two pictures are, in dB: their PSNR, 99 at most.
 * @param {Pixels} one
 * @param {Pixels} other
 */
export function nearness(one, other) {
  let squares = 0;
  for (let i = 0; i < one.length; i++) squares += (one[i] - other[i]) ** 2;
  return Math.min(99, -10 * Math.log10(squares / one.length / 255 ** 2));
}

/**
 * Counts on the canvas itself how often it was painted, for those who wait for it.
 * @param {HTMLCanvasElement} canvas
 */
export function redrawn(canvas) {
  canvas.dataset.drawn = String(Number(canvas.dataset.drawn ?? 0) + 1);
}

/**
 * Tiles of a square, row by row, on one sheet; `looks` may say how strongly the i-th is seen, or 0.
 * @param {HTMLCanvasElement} canvas
 * @param {Uint8Array} pixels
 * @param {Shape} shape
 * @param {number} side
 * @param {(i: number) => number} looks
 */
export function paintTiles(canvas, pixels, shape, side, looks = () => 1) {
  const [channels, height, width] = shape;
  const pen = fitted(canvas, shape, [side, side]).getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  const tile = document.createElement("canvas");
  for (let i = 0; i < side * side; i++) {
    pen.globalAlpha = looks(i);
    if (pen.globalAlpha === 0) continue;
    paint(tile, pixels.subarray(i * channels * height * width), shape);
    pen.drawImage(tile, (i % side) * width, Math.floor(i / side) * height);
  }
  return canvas;
}

// Registered as colours, they reach a canvas as "rgb(...)", resolved for the light or dark page that it is on.
for (const symbol of ["x", "xhat", "z", "mu", "sigma", "eps"]) {
  try {
    CSS.registerProperty({ name: `--${symbol}`, syntax: "<color>", inherits: true, initialValue: "gray" });
  } catch (error) {
    // another version of this module was first
    if (/** @type {DOMException} */ (error).name !== "InvalidModificationError") throw error;
  }
}

// red, green and blue of such a colour
export const rgbOf = (colour) =>
  colour
    .match(/[\d.]+/g)
    .slice(0, 3)
    .map(Number);
