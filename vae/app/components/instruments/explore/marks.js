// What stands on and beside the sliders of the latents: where the input lies, and what each tells of the picture.

import { nats, say } from "../../shared/dom.js";
import { THUMB } from "../../shared/hand.js";

/**
 * The tick of an input's mu on a slider that reaches `far`, and the band of its sigma.
 * @param {{ tick: HTMLElement, band: HTMLElement }} row
 */
export function markInput(row, mu, sigma, far) {
  const share = (value) => (Math.min(far, Math.max(-far, value)) + far) / (2 * far);
  const at = (value) => `calc(${THUMB / 2}px + (100% - ${THUMB}px) * ${share(value)})`;
  row.tick.style.left = at(mu);
  row.band.style.left = at(mu - sigma);
  row.band.style.right = `calc(100% - ${at(mu + sigma)})`;
}

const MANY = 50; // latents, of which each has a share of a few percent at most

/** A share of the KL of so many latents, in words. */
export const percent = (share, latents) => `${nats(100 * share, latents > MANY ? 1 : 0)} %`;

/**
 * The shares of a picture's KL, as bars and in numbers, of those that can be seen: the others are drawn when they are
 * unfolded.
 * @param {Map<number, any>} rows by latent
 * @param {number[]} kl
 */
export function drawShares(rows, kl) {
  if (Number.isNaN(kl[0])) return; // not told while the hand moves
  const most = Math.max(...kl) || 1;
  const sum = kl.reduce((total, value) => total + value, 0) || 1;
  for (const [index, row] of rows) {
    const length = Math.round((100 * kl[index]) / most);
    const share = percent(kl[index] / sum, kl.length);
    if ((row.length === length && row.told === share) || row.fold?.open === false) continue;
    row.length = length;
    row.told = share;
    row.bar.style.transform = `scaleX(${length / 100})`;
    say(row.share, share);
  }
}
