// A recorded training as it lies in its file: a safetensors file is a header in JSON, and then the numbers themselves.

/** @type {Map<string, Promise<Recorded>>} */
const files = new Map();

// 16-bit floats, which not every browser can read by itself.
const halves = (bytes) =>
  Float32Array.from(new Uint16Array(bytes), (bits) => {
    const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
    const size = exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : (fraction / 1024) * 2 ** -14;
    return bits >> 15 ? -size : size;
  });
const KINDS = {
  F16: halves,
  F32: (bytes) => new Float32Array(bytes),
  U8: (bytes) => new Uint8Array(bytes),
  I16: (bytes) => new Int16Array(bytes),
};

export class Recorded {
  /** @param {ArrayBuffer} file */
  constructor(file) {
    const head = Number(new DataView(file).getBigUint64(0, true));
    this.places = JSON.parse(new TextDecoder().decode(new Uint8Array(file, 8, head)));
    this.numbers = file.slice(8 + head);
    this.read = new Map();
  }

  // All numbers of one tensor, row by row.
  of(name) {
    if (!this.read.has(name)) {
      const { dtype, data_offsets: offsets } = this.places[name];
      this.read.set(name, KINDS[dtype](this.numbers.slice(...offsets)));
    }
    return this.read.get(name);
  }

  /** @param {number} step */
  sheet(step) {
    return createImageBitmap(new Blob([this.of(`${step}.sheet`)], { type: "image/png" }));
  }

  // The bits of the i-th picture of a minibatch, as bytes to paint.
  picture(step, i, pixels) {
    const wide = Math.ceil(pixels / 8);
    const bits = this.of(`${step}.slow.x`).subarray(i * wide, (i + 1) * wide);
    return Uint8Array.from({ length: pixels }, (_, at) => 255 * ((bits[at >> 3] >> (7 - (at & 7))) & 1));
  }
}

/**
 * Fetched once for the page.
 * @param {string} path
 */
export function recorded(path) {
  const address = new URL(path, document.baseURI).href;
  if (!files.has(address)) files.set(address, fetched(address));
  return files.get(address);
}

async function fetched(address) {
  const answer = await fetch(address);
  if (!answer.ok) {
    files.delete(address);
    throw new Error(`${address}: ${answer.status}`);
  }
  return new Recorded(await answer.arrayBuffer());
}
