// Places in latent space, as lists of numbers, and planes through them.

export const STEP = 0.05; // of an arrow key; with Shift a tenth of it
export const LATTICE = 1000; // places are kept to 1/1000, so that a link says them exactly

/** @param {number} value */
export const onLattice = (value) => Math.round(value * LATTICE) / LATTICE + 0;
/** @type {(a: Place, b: Place) => number} */
export const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);

/**
 * Where z is on the plane of two orthonormal directions.
 * @param {Place[]} along
 * @param {Place} z
 */
export function coordinates(along, z) {
  return along.map((direction) => dot(direction, z));
}

/**
 * z moved within its plane to the coordinates (a, b)
 * @param {Place[]} along
 * @param {number[]} to
 * @param {Place} z
 */
export function movedTo(along, [a, b], z) {
  const [da, db] = [a - dot(along[0], z), b - dot(along[1], z)];
  return z.map((value, i) => value + da * along[0][i] + db * along[1][i]);
}

/**
 * One place for each tile of a square, row by row from above: `place` says which, by shares from -1 to 1.
 * @param {number} side
 * @param {number} latents
 * @param {(across: number, up: number) => Place} place
 */
export function tiles(side, latents, place) {
  const places = new Float32Array(side * side * latents);
  /** @param {number} i */
  const share = (i) => (2 * i + 1) / side - 1;
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      places.set(place(share(column), -share(row)), (row * side + column) * latents);
    }
  }
  return places;
}

/**
 * The covariance on the plane of a Gaussian with standard deviations sigma: [aa, ab, bb].
 * @param {Place[]} along
 * @param {Place} sigma
 * @returns {[number, number, number]}
 */
export function covariance([u, v], sigma) {
  /** @type {(one: Place, other: Place) => number} */
  const of = (one, other) => one.reduce((sum, value, i) => sum + value * other[i] * sigma[i] ** 2, 0);
  return [of(u, u), of(u, v), of(v, v)];
}

/**
 * The ellipse of one standard deviation, as a canvas draws it, with y downwards: its half axes and angle.
 * @param {[number, number, number]} covariance
 */
export function ellipse([aa, ab, bb]) {
  const middle = (aa + bb) / 2;
  const spread = Math.hypot((aa - bb) / 2, ab);
  /** @param {number} variance */
  const half = (variance) => Math.sqrt(Math.max(0, variance));
  return { long: half(middle + spread), short: half(middle - spread), angle: -0.5 * Math.atan2(2 * ab, aa - bb) };
}

/**
 * The same around (a, b) as points: Cholesky's factor maps the unit circle to it.
 * @param {number[]} middle
 * @param {[number, number, number]} covariance
 */
export function outline([a, b], [aa, ab, bb], count = 64) {
  const l11 = Math.sqrt(aa);
  const l21 = ab / l11;
  const l22 = Math.sqrt(Math.max(0, bb - l21 * l21));
  return Array.from({ length: count }, (_, i) => {
    const [cos, sin] = [Math.cos((2 * Math.PI * i) / count), Math.sin((2 * Math.PI * i) / count)];
    return [a + l11 * cos, b + l21 * cos + l22 * sin];
  });
}
