// What the answers to messages say, by name: see vae/app/live/messages.py for how they lie.

import { HEADER, parts } from "./live.js";

/**
 * PLACE and PASSING
 * @param {ArrayBuffer} buffer
 * @param {number} latents
 */
export function placeAnswer(buffer, latents) {
  const { numbers, pixels } = parts(buffer, 6 + latents);
  const [prior, further, drift, likelihood, posterior, distance] = numbers;
  return { prior, further, drift, likelihood, posterior, distance, kl: numbers.subarray(6), pixels };
}

/**
 * NEAR, of so many pictures
 * @param {ArrayBuffer} buffer
 * @param {number} count
 */
export function nearAnswer(buffer, count) {
  const { numbers, pixels } = parts(buffer, 1 + 2 * count);
  return {
    density: numbers[0],
    distances: numbers.subarray(1, 1 + count),
    indices: numbers.subarray(1 + count),
    pixels,
  };
}

/**
 * EXAMPLE
 * @param {ArrayBuffer} buffer
 * @param {number} latents
 */
export function exampleAnswer(buffer, latents) {
  const { numbers, pixels } = parts(buffer, latents);
  return { mu: numbers, pixels };
}

/**
 * DRAWING, of pictures with so many pixels
 * @param {ArrayBuffer} buffer
 * @param {number} latents
 * @param {number} size
 */
export function drawingAnswer(buffer, latents, size) {
  const { numbers, pixels } = parts(buffer, 2 + 3 * latents);
  const [reconstruction, error] = numbers;
  const [levels, mean] = [pixels.subarray(size, 2 * size), pixels.subarray(2 * size)];
  return { reconstruction, error, kl: numbers.subarray(2 + 2 * latents), levels, mean };
}

/**
 * ANCESTRY
 * @param {ArrayBuffer} buffer
 * @param {number} latents
 */
export function ancestryAnswer(buffer, latents) {
  const { numbers, pixels } = parts(buffer, 4 + 2 * latents);
  const [prior, likelihood, posterior, within] = numbers;
  const [mu, sigma] = [numbers.subarray(4, 4 + latents), numbers.subarray(4 + latents)];
  const half = pixels.length / 2;
  return { prior, likelihood, posterior, within, mu, sigma, mean: pixels.subarray(0, half), x: pixels.subarray(half) };
}

// POSTERIOR: numbers by name, and where the plane is built the rasters, from the widest to the finest
const SIDES = [
  "built",
  "mu0",
  "mu1",
  "sigma0",
  "sigma1",
  "reconstruction",
  "error",
  "kl",
  "prior",
  "entropy",
  "likelihoodAtMu",
  "priorAtMu",
  "evidence",
  "evidenceError",
  "gap",
  "gapError",
];

/** @param {ArrayBuffer} buffer */
export function posteriorAnswer(buffer) {
  const terms = new Float32Array(buffer, HEADER, SIDES.length);
  const numbers = Object.fromEntries(SIDES.map((name, i) => [name, terms[i]]));
  if (numbers.built !== 1) return { numbers, best: 0, levels: [], rasters: null };
  const floats = new Float32Array(buffer, HEADER, SIDES.length + 19);
  const [best, ...levels] = floats.subarray(SIDES.length, SIDES.length + 4);
  let offset = HEADER + floats.byteLength;
  const rasters = [0, 1, 2].map((i) => {
    const [left, bottom, width, rows, columns] = floats.subarray(SIDES.length + 4 + 5 * i);
    const depths = new Uint16Array(buffer, offset, rows * columns);
    offset += depths.byteLength;
    return { left, bottom, width, rows, columns, depths };
  });
  return { numbers, best, levels, rasters };
}

/**
 * REFINE, in so many latents
 * @param {ArrayBuffer} buffer
 * @param {number} latents
 */
export function refineAnswer(buffer, latents) {
  const [bound, first, last] = new Float32Array(buffer, HEADER, 3);
  const values = new Float32Array(buffer, HEADER + 12);
  const row = 2 * latents + 2;
  const steps = Array.from({ length: values.length / row }, (_, i) => {
    const one = values.subarray(i * row, (i + 1) * row);
    const [mu, sigma] = [one.subarray(0, latents), one.subarray(latents, 2 * latents)];
    return { mu, sigma, elbo: one[2 * latents], error: one[2 * latents + 1] };
  });
  return { bound, first, last, steps };
}
