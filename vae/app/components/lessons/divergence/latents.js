// Densities of the model's own to put in the place of p and q: its latents, and a true posterior.

import { fromBase64 } from "../../shared/base64.js";
import { element, nats, subscript } from "../../shared/dom.js";
import { paint } from "../../shared/paint.js";
import { symbol } from "./direction.js";
import { closedForm } from "./kl.js";

/**
 * @param {DivergenceData} data
 * @param {(p: number[], q: number[]) => void} put
 */
export function latentsOf({ latents, total, count, about, pixels, shape, modes, times, picture }, put) {
  const canvas = element("canvas", { role: "img", "aria-label": about });
  paint(canvas, fromBase64(pixels), shape);
  const chips = latents.map(([index, mean, sigma]) => ({
    mean,
    sigma,
    button: element(
      "button",
      { "data-testid": `latent-${index}`, onclick: () => put([0, 1], [mean, sigma]) },
      symbol("z", `z${subscript(index)}`),
      ` ${nats(closedForm({ mean, sigma }, { mean: 0, sigma: 1 }), 2)}`,
    ),
  }));
  const told = element(
    "div",
    {},
    "In a VAE p is N(0, 1) and q(",
    symbol("z", "z"),
    "|",
    symbol("x", "x"),
    `) one Gaussian a latent. KL(q‖p) of this picture, all ${count} latents together: `,
    element("b", { "data-testid": "kl-latents" }, nats(total, 2)),
    ` nats${latents.length < count ? "; the strongest" : ""}:`,
  );
  const posterior = element(
    "div",
    { class: "row section" },
    element(
      "button",
      { "data-testid": "modes", onclick: () => put(modes.p, modes.q) },
      "A true posterior with two modes",
    ),
    element(
      "span",
      { class: "quiet" },
      `p(z|x) of test picture ${picture}, and the model’s q, along the line through the modes, ${times} times as wide`,
    ),
  );
  const own = element(
    "div",
    { class: "given" },
    canvas,
    element("div", {}, told, element("div", { class: "row chips" }, ...chips.map(({ button }) => button))),
  );
  return { chips, parts: [own, posterior] };
}
