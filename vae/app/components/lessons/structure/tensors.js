// Tensors as pictures: their channels side by side, in greys.

import { paint } from "../../shared/paint.js";

const ASPECT = 9; // of a strip
const TAIL = 0.02; // share of a tensor's values, at each end, that are all drawn black or white: few values lie far out

export const count = (shape) => shape.reduce((product, size) => product * size, 1);

// The number of rows, without a remainder, that makes n tiles most nearly as wide as a strip.
function folded(n, aspect) {
  const wanted = Math.sqrt((n * aspect) / ASPECT);
  let best = 1;
  for (let rows = 1; rows <= n; rows++) {
    const away = (one) => Math.abs(Math.log(one / wanted));
    if (n % rows === 0 && away(rows) < away(best)) best = rows;
  }
  return best;
}

// A tensor as a picture, its channels side by side, between two greys.
export function drawTensor(canvas, values, shape, black, white) {
  const [channels, tall, wide] = shape.length === 3 ? shape : [count(shape), 1, 1];
  const rows = folded(channels, wide / tall);
  const columns = channels / rows;
  const pixels = new Uint8ClampedArray(channels * tall * wide);
  const scale = 255 / Math.max(white - black, 1e-9);
  values.forEach((value, i) => {
    const [channel, within] = [Math.floor(i / (tall * wide)), i % (tall * wide)];
    const row = Math.floor(channel / columns) * tall + Math.floor(within / wide);
    pixels[row * columns * wide + (channel % columns) * wide + (within % wide)] = (value - black) * scale;
  });
  paint(canvas, pixels, [1, rows * tall, columns * wide]);
}

// Values for black and white; all of a tensor that has hardly any others.
export function greys(values) {
  const sorted = values.toSorted();
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  return at(TAIL) < at(1 - TAIL) ? [at(TAIL), at(1 - TAIL)] : [at(0), at(1)];
}

// Values that lie one after the other -> one array for each shape
export function cut(values, shapes) {
  let from = 0;
  return shapes.map((shape) => {
    const part = values.subarray(from, from + count(shape));
    from += part.length;
    return part;
  });
}
