// Bytes and numbers as text, as they are in a component's data.

/** @param {Base64} text */
export function fromBase64(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/** @param {Uint8Array} bytes */
export function toBase64(bytes) {
  return btoa(bytes.reduce((text, byte) => text + String.fromCharCode(byte), ""));
}

/**
 * float32 numbers, or those of another kind
 * @template {Float32Array | Uint8Array | Uint32Array} [Numbers=Float32Array]
 * @param {Base64} text
 * @param {{ new (buffer: ArrayBuffer): Numbers }} kind
 */
export function numbersOf(text, kind = /** @type {any} */ (Float32Array)) {
  return new kind(fromBase64(text).buffer);
}
