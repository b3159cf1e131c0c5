// Kullback-Leibler divergences on a line, in nats, and the way to their minimum. A density is a list of
// {weight, mean, sigma}, one Gaussian or a mixture of several; no page is needed.

const HALF_LOG_TAU = 0.5 * Math.log(2 * Math.PI);
const TAILS = 12; // the quadrature ends at so many sigma, where a Gaussian is 1e-32 of its peak
const TOWARDS = 0.1; // of the way to matched moments in one step
const DESCENT = 0.25; // of a natural gradient in one step, at most
const STILL = 1e-3; // a step that would move no mean or log sigma further, in sigma, is the last

function logGaussian(x, { mean, sigma }) {
  return -0.5 * ((x - mean) / sigma) ** 2 - Math.log(sigma) - HALF_LOG_TAU;
}

// log density at x, through the larger term so that far tails stay finite
export function logDensity(x, density) {
  if (density.length === 1) return logGaussian(x, density[0]);
  const terms = density.map((part) => Math.log(part.weight) + logGaussian(x, part));
  const largest = Math.max(...terms);
  return largest + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - largest), 0));
}

// f(x, u, mass) at the nodes x = mean + sigma u of the trapezoid rule under one Gaussian, which is exact to rounding
// for smooth f; `others` are the densities inside f, which the nodes must resolve too
function integrate(part, others, f) {
  const narrowest = Math.min(...others.flat().map(({ sigma }) => sigma));
  const step = Math.min(0.1, 0.02 / part.sigma, narrowest / (6 * part.sigma));
  const nodes = Math.ceil(TAILS / step);
  for (let i = -nodes; i <= nodes; i++) {
    const u = i * step;
    f(part.mean + part.sigma * u, u, step * Math.exp(-0.5 * u * u - HALF_LOG_TAU));
  }
}

// KL(a || b) as the integral of a (ln a - ln b)
export function divergence(a, b) {
  let sum = 0;
  for (const part of a) {
    integrate(part, [a, b], (x, u, mass) => {
      sum += part.weight * mass * (logDensity(x, a) - logDensity(x, b));
    });
  }
  return Math.max(0, sum); // rounding may leave -1e-16
}

// KL(a || b) of two Gaussians {mean, sigma}
export function closedForm(a, b) {
  return Math.log(b.sigma / a.sigma) + (a.sigma ** 2 + (a.mean - b.mean) ** 2) / (2 * b.sigma ** 2) - 0.5;
}

function furthest(from, to) {
  return Math.max(
    ...from.map((part, i) =>
      Math.max(Math.abs(to[i].mean - part.mean) / part.sigma, Math.abs(Math.log(to[i].sigma / part.sigma))),
    ),
  );
}

// One step of q towards the least KL(p || q), as {q, done}: a part of a step of expectation maximisation, which for one
// Gaussian leads straight to the mean and variance of p. The weights stay.
export function stepForward(p, q) {
  const sums = q.map(() => [0, 0, 0]); // of 1, x and x^2 under p, each x shared between the parts of q
  for (const part of p) {
    integrate(part, [p, q], (x, u, mass) => {
      const log = logDensity(x, q);
      q.forEach((own, k) => {
        const share =
          part.weight * mass * (q.length === 1 ? 1 : Math.exp(Math.log(own.weight) + logGaussian(x, own) - log));
        sums[k][0] += share;
        sums[k][1] += share * x;
        sums[k][2] += share * x * x;
      });
    });
  }
  const towards = (pace) =>
    q.map((own, k) => {
      const [mass, first, second] = sums[k];
      if (mass < 1e-9) return own; // nothing of p is this part's
      const mean = own.mean + pace * (first / mass - own.mean);
      const square = own.sigma ** 2 + own.mean ** 2;
      return { ...own, mean, sigma: Math.sqrt(square + pace * (second / mass - square) - mean * mean) };
    });
  const whole = towards(1);
  const done = furthest(q, whole) < STILL;
  return { q: done ? whole : towards(TOWARDS), done };
}

// One step of q down KL(q || p), as {q, done}: natural gradient descent in the mean and log sigma of each part, halved
// until the divergence falls.
export function stepReverse(p, q) {
  const slopes = q.map((part) => {
    let [mean, log] = [0, 0];
    integrate(part, [p, q], (x, u, mass) => {
      const gap = mass * (logDensity(x, q) - logDensity(x, p));
      mean += gap * u;
      log += 0.5 * gap * (u * u - 1);
    });
    return { mean, log };
  });
  const longest = Math.max(...slopes.flatMap(({ mean, log }) => [Math.abs(mean), Math.abs(log)]));
  if (longest < STILL) return { q, done: true };
  const before = divergence(q, p);
  for (let size = Math.min(DESCENT, 0.3 / longest); size > 1e-7; size /= 2) {
    const next = q.map((part, k) => ({
      ...part,
      mean: part.mean - size * part.sigma * slopes[k].mean,
      sigma: part.sigma * Math.exp(-size * slopes[k].log),
    }));
    if (divergence(next, p) < before) return { q: next, done: false };
  }
  return { q, done: true };
}
