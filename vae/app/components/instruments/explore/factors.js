// What is measured of a picture, as vae/latent/named/factors.py does it: of those factors that a slider is named after.

import { fromBase64 } from "../../shared/base64.js";

const LEAST = 1e-6; // of ink, so that a blank picture has numbers too

/** Levels in [0, 1], row by row and colour after colour. @typedef {{ levels: Float64Array, rows: number, columns: number }} Grey */

/**
 * @param {Pixels} bytes
 * @param {Shape} shape
 * @returns {Grey}
 */
export function grey(bytes, [, rows, columns]) {
  return { levels: Float64Array.from(bytes, (level) => level / 255), rows, columns };
}

/** @param {Grey} picture */
const total = ({ levels }) =>
  Math.max(
    LEAST,
    levels.reduce((sum, level) => sum + level, 0),
  );

// 0 beyond the border
/** @param {Grey} picture */
function at({ levels, rows, columns }, row, column) {
  return row < 0 || column < 0 || row >= rows || column >= columns ? 0 : levels[row * columns + column];
}

// Second moments of the ink about its middle, pixels^2.
/** @param {Grey} picture */
function spread(picture) {
  const { levels, columns } = picture;
  const ink = total(picture);
  const mean = (value) =>
    levels.reduce((sum, level, i) => sum + level * value(Math.floor(i / columns), i % columns), 0) / ink;
  const middle = [mean((row) => row), mean((_, column) => column)];
  return {
    down: mean((row) => (row - middle[0]) ** 2),
    across: mean((_, column) => (column - middle[1]) ** 2),
    both: mean((row, column) => (row - middle[0]) * (column - middle[1])),
  };
}

/** @param {Grey} picture */
function slant(picture) {
  const { down, both } = spread(picture);
  return (Math.atan(-both / Math.max(LEAST, down)) * 180) / Math.PI;
}

/** @param {Grey} picture */
function width(picture) {
  const { down, across, both } = spread(picture);
  return Math.sqrt(12 * Math.max(0, across - both ** 2 / Math.max(LEAST, down)));
}

/** @param {Grey} picture */
const breadth = (picture) => Math.sqrt(12 * spread(picture).across);

/** @param {Grey} picture */
const height = (picture) => Math.sqrt(12 * spread(picture).down);

/** @param {Grey} picture */
function stroke(picture) {
  let edge = 0;
  for (let row = -1; row < picture.rows; row++)
    for (let column = -1; column < picture.columns; column++) {
      const here = at(picture, row, column);
      edge += Math.hypot(at(picture, row, column + 1) - here, at(picture, row + 1, column) - here);
    }
  return (2 * total(picture)) / Math.max(LEAST, edge);
}

/** @param {Grey} picture */
const ink = (picture) => (100 * total(picture)) / picture.levels.length;

/** @param {Grey} picture */
const brightness = (picture) => (100 * picture.levels.reduce((sum, level) => sum + level ** 2, 0)) / total(picture);

/** @param {Grey} picture */
function texture(picture) {
  let differs = 0;
  for (let row = 0; row < picture.rows; row++)
    for (let column = 0; column < picture.columns; column++) {
      let around = 0;
      for (const down of [-1, 0, 1]) for (const right of [-1, 0, 1]) around += at(picture, row + down, column + right);
      differs += Math.abs(at(picture, row, column) - around / 9);
    }
  return (100 * differs) / total(picture);
}

// ---- of colours ----

/** How light each pixel is. @param {Grey} picture */
function luminance({ levels, rows, columns }) {
  const size = rows * columns;
  const light = new Float64Array(size);
  for (let i = 0; i < size; i++)
    light[i] = 0.2126 * levels[i] + 0.7152 * levels[i + size] + 0.0722 * levels[i + 2 * size];
  return light;
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

// The mean over the pixels of what their red, green and blue say.
/** @param {Grey} picture */
function overPixels({ levels, rows, columns }, says) {
  const size = rows * columns;
  let sum = 0;
  for (let i = 0; i < size; i++) sum += says(levels[i], levels[i + size], levels[i + 2 * size]);
  return (100 * sum) / size;
}

/** @param {Grey} picture */
const light = (picture) => 100 * mean(luminance(picture));

/** @param {Grey} picture */
function contrast(picture) {
  const values = luminance(picture);
  const middle = mean(values);
  return 100 * Math.sqrt(mean(values.map((value) => (value - middle) ** 2)));
}

/** @param {Grey} picture */
const warmth = (picture) => overPixels(picture, (red, _, blue) => red - blue);

/** @param {Grey} picture */
const saturation = (picture) => overPixels(picture, (...colours) => Math.max(...colours) - Math.min(...colours));

/** @param {Grey} picture */
function sideways(picture) {
  const values = luminance(picture);
  const half = Math.ceil(picture.columns / 2); // a middle column belongs to the left, as in Python
  const side = (isRight) => mean(values.filter((_, i) => i % picture.columns >= half === isRight));
  return 100 * (side(true) - side(false));
}

/**
 * The log-odds of a class, as vae/latent/named/classes.py reads them of the means over squares of `block` pixels.
 * @param {{ weights: Base64, scale: number, offset: number, block: number }} reading
 * @returns {(picture: Grey) => number}
 */
export function classReader({ weights, scale, offset, block }) {
  const bytes = new Int8Array(fromBase64(weights).buffer);
  return ({ levels, rows, columns }) => {
    const [tall, wide] = [rows / block, columns / block];
    const weight = (i) => {
      const [plane, row, column] = [Math.floor(i / (rows * columns)), Math.floor(i / columns) % rows, i % columns];
      return bytes[(plane * tall + Math.floor(row / block)) * wide + Math.floor(column / block)];
    };
    return offset + (scale / block ** 2) * levels.reduce((sum, level, i) => sum + level * weight(i), 0);
  };
}

const COLOUR = { light, contrast, warmth, saturation, sideways };

const INK = { slant, stroke, width, height, ink };

/** By the preparation of the pictures and the factor's name. @type {Record<string, Record<string, (picture: Grey) => number>>} */
export const MEASURES = {
  digit: INK,
  drawing: INK,
  thing: INK,
  plain: INK,
  garment: { length: height, width: breadth, brightness, texture, cloth: ink },
  crop: COLOUR,
  face: COLOUR,
};
