// z as the pictures that it is: a channel each, the first first, and what it tells of the photo.

import { fromBase64 } from "../../shared/base64.js";
import { element, markup, nats } from "../../shared/dom.js";
import { nth, paint } from "../../shared/paint.js";

export class Channels {
  /**
   * @param {PhotosData} data
   * @param {(keep: number) => void} choose
   */
  constructor(data, choose) {
    const [count, rows, columns] = data.map;
    this.size = /** @type {Pair} */ ([rows, columns]);
    this.bits = data.told === null ? null : fromBase64(data.told);
    this.most = data.most;
    const means = fromBase64(data.means);
    this.cells = Array.from({ length: count }, (_, i) => {
      const canvas = element("canvas", { role: "img", "aria-label": `Number ${i + 1} of each place` });
      paint(canvas, nth(means, [1, rows, columns], i), [1, rows, columns]);
      const words = this.bits ? `${i + 1} · ${nats(data.costs[i], 3)} bits` : String(i + 1);
      return element(
        "button",
        {
          class: "channel",
          title: `Keep the numbers up to this one`,
          "aria-label": `Keep ${i + 1}`,
          "data-testid": `channel-${i + 1}`,
          onclick: () => choose(i + 1),
        },
        canvas,
        element("span", { class: "quiet" }, words),
      );
    });
    const side = (this.side = data.shape[1] / rows);
    const cost = this.bits
      ? ` Below each stands what it tells, in bits per pixel of the photo${data.ordered ? ": mostly the first tell most" : ""}.`
      : "";
    this.box = element(
      "section",
      {},
      element("h2", {}, `The ${count} small pictures`),
      element(
        "p",
        { class: "quiet" },
        markup(
          `Each place of the photo, ${side} × ${side} pixels, is one number in each of them: black for −${data.farthest}, white for ${data.farthest}.${cost}`,
        ),
      ),
      element("div", { class: "channels" }, ...this.cells),
    );
  }

  /** @param {number} keep */
  keep(keep) {
    this.cells.forEach((cell, i) => {
      cell.classList.toggle("cut", i >= keep);
      cell.ariaPressed = String(i + 1 === keep);
    });
  }

  /**
   * What the first channels tell of each place: 0 for the least and 1 for the most, which are said in bits per pixel;
   * null where nothing says it.
   * @param {number} keep
   */
  told(keep) {
    if (!this.bits) return null;
    const [rows, columns] = this.size;
    const sums = new Float32Array(rows * columns);
    for (let k = 0; k < keep; k++) nth(this.bits, [1, rows, columns], k).forEach((level, i) => (sums[i] += level));
    const [least, most] = [Math.min(...sums), Math.max(...sums)];
    const bits = (sum) => nats((sum / 255) * (this.most / this.side ** 2), 2);
    return {
      shares: sums.map((sum) => (sum - least) / (most - least || 1)),
      shape: this.size,
      words: `from ${bits(least)} to ${bits(most)} per pixel`,
    };
  }
}
