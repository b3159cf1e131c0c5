// What the answers to messages say, by name: vae/app/live/layouts.py says how they lie.

import { LAYOUTS } from "./told.js";

export const HEADER = 8; // bytes, so that floats are aligned
const NUMBERS = { f4: Float32Array, u1: Uint8Array, u2: Uint16Array };

/**
 * The fields of an answer; null for those that it leaves out.
 * @param {number} kind
 * @param {ArrayBuffer} buffer
 * @param {Sizes} sizes
 * @returns {any}
 */
export function fieldsOf(kind, buffer, sizes) {
  return read(LAYOUTS[kind], buffer, HEADER, sizes)[0];
}

/**
 * The fields from a place on, and where they end.
 * @param {Layout} layout
 * @param {ArrayBuffer} buffer
 * @param {number} at
 * @param {Sizes} sizes
 * @returns {[Record<string, any>, number]}
 */
function read(layout, buffer, at, sizes) {
  /** @type {Record<string, any>} */
  const found = {};
  for (const [name, kind, count] of layout) {
    if (at >= buffer.byteLength) found[name] = null;
    else if (typeof kind === "string") {
      const rest = (buffer.byteLength - at) / NUMBERS[kind].BYTES_PER_ELEMENT;
      const values = new NUMBERS[kind](buffer, at, count === "rest" ? rest : (sizes[count] ?? count));
      found[name] = count === 1 ? values[0] : values;
      at += values.byteLength;
    } else {
      const rows = (found[name] = []);
      while (at < buffer.byteLength && rows.length !== count) {
        const [row, end] = read(kind, buffer, at, sizes);
        rows.push(row);
        at = end;
      }
    }
  }
  return [found, at];
}
