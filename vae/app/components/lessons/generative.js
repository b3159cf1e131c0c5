// Chapter 1: z from the prior and x from the decoder, and the encoder's way back from x to z.

import { element, labelled, markup, nats, say, svg } from "../shared/dom.js";
import { paint, redrawn } from "../shared/paint.js";
import { Kind, Live } from "../shared/live.js";
import { arrow, arrowhead, normals, term } from "../shared/svg.js";
import { Settling } from "../shared/hand.js";
import { mounted } from "../shared/mounted.js";

const FAR = 4; // standard deviations of the prior that the axis shows to each side
const WIDE = 360;
const BELL = 64; // the prior's height; the latents' rows are below it

// "p(<x>|<z>)" as SVG's text, with the symbols in their colours
const written = (text, x, y) =>
  svg(
    "text",
    { x, y, "text-anchor": "middle" },
    ...text.split(/(<\w>)/).map((part) => (/^<\w>$/.test(part) ? svg("tspan", { class: part[1] }, part[1]) : part)),
  );

const across = (value) => WIDE / 2 + (Math.min(FAR, Math.max(-FAR, value)) / FAR) * (WIDE / 2);

class Generative {
  /** @type {HTMLCanvasElement} */
  picture;
  /** @type {HTMLCanvasElement} */
  drawn;

  constructor(parent) {
    this.root = parent.appendChild(element("div", { class: "lab" }));
    this.rev = null;
    this.live = new Live();
    this.settling = new Settling(() => this.component.setStateValue("see", this.seen));
  }

  end() {
    this.settling.stop();
    this.live.close();
  }

  update(component) {
    const { data } = component;
    this.component = component;
    this.live.through(component);
    if (data.rev === this.rev) return;
    this.rev = data.rev;
    this.data = data;
    this.z = new Float32Array(data.z);
    this.samples = this.sum = 0;
    this.build();
    this.shown(this.live.read(Kind.ANCESTRY, data.answer), this.z);
  }

  sample(z) {
    const { latents, rev } = this.data;
    const body = new DataView(new ArrayBuffer(4 * latents + 4));
    z.forEach((value, i) => body.setFloat32(4 * i, value, true));
    const seed = Math.floor(Math.random() * 2 ** 32);
    body.setUint32(4 * latents, seed, true);
    this.z = z;
    this.seen = [seed, ...Array.from(z, (value) => value.toFixed(2))].join("_"); // what a link says
    this.settling.later();
    this.live.ask(Kind.ANCESTRY, body, (answer) => this.rev === rev && this.shown(answer, z));
  }

  // z, its picture, its posterior and all numbers change together, so that they are always about each other
  shown(answer, z) {
    const { latents, order, shape } = this.data;
    const { log_prior: prior, log_likelihood: likelihood, log_posterior: posterior, within, mu, sigma } = answer;
    paint(this.picture, answer.mean, shape);
    paint(this.drawn, answer.x, shape);
    this.picture.dataset.z = z.join(",");
    redrawn(this.picture);
    order.forEach((dimension, i) => {
      const { dot, band, tick, title } = this.rows[i];
      const [low, high] = [mu[dimension] - sigma[dimension], mu[dimension] + sigma[dimension]].map(across);
      dot.style.transform = `translateX(${across(z[dimension])}px)`;
      tick.style.transform = `translateX(${across(mu[dimension])}px)`;
      band.style.transform = `translateX(${low}px) scaleX(${Math.max(1, high - low)})`;
      say(
        title,
        `z${dimension} = ${nats(z[dimension], 2)}; the encoder says ${nats(mu[dimension], 2)} ± ${nats(sigma[dimension], 2)}`,
      );
    });
    say(this.read.joint, nats(prior + likelihood));
    say(this.read.prior, nats(prior));
    say(this.read.likelihood, nats(likelihood));
    say(this.read.posterior, nats(posterior));
    say(this.read.within, `${Math.round(within * latents)} of ${latents}`);
    this.samples += 1;
    this.sum += within;
    say(
      this.read.average,
      `${Math.round((100 * this.sum) / this.samples)} % over ${this.samples} ${this.samples > 1 ? "samples" : "sample"}; 68 % on average if q(z|x) were p(z|x)`,
    );
  }

  build() {
    const { latents } = this.data;
    this.read = {};
    const note = (text) => element("span", { class: "quiet" }, text);
    const number = (name) => (this.read[name] = element("span", { class: "number", "data-testid": `read-${name}` }));
    /** @returns {[HTMLCanvasElement, HTMLElement]} */
    const figure = (testid, label, caption) => {
      const canvas = element("canvas", { class: "picture", "data-testid": testid, role: "img", "aria-label": label });
      return [canvas, element("figure", {}, canvas, element("figcaption", {}, markup(caption)))];
    };
    const [mean, meanFigure] = figure("decoded", "The mean of p(x|z)", "<xhat>, the mean of p(<x>|<z>)");
    const [drawn, drawnFigure] = figure("sampled", "A picture drawn from p(x|z)", "<x>, drawn from p(<x>|<z>)");
    [this.picture, this.drawn] = [mean, drawn];
    this.read.average = note("");
    const fresh = () => this.sample(normals(latents).map((value) => Math.round(100 * value) / 100)); // as a link says it
    this.root.replaceChildren(
      element(
        "div",
        { class: "sides two-models" },
        element(
          "div",
          {},
          this.graph(),
          element(
            "div",
            { class: "row" },
            element("button", { class: "first", onclick: fresh }, "Sample z, then x"),
            element("button", { onclick: () => this.sample(this.z) }, "Sample x again"),
          ),
          element("div", { class: "pictures" }, meanFigure, drawnFigure),
          this.live.status,
        ),
        element(
          "div",
          {},
          this.axis(),
          element(
            "div",
            { class: "quiet legend" },
            element("em", {}, "●"),
            markup("the <z> that made <x>"),
            element("i"),
            markup("q(<z>|<x>): <mu> ± <sigma>, from <x> alone"),
          ),
        ),
      ),
      element(
        "div",
        { class: "formulas" },
        element(
          "div",
          { class: "equation", "data-testid": "formula" },
          term("", number("joint"), labelled("density of both", "log p(<x>, <z>)"), note("in nats")),
          term("=", number("prior"), labelled("density of <z>", "log p(<z>)"), note("the prior")),
          term("+", number("likelihood"), labelled("density of <x> given <z>", "log p(<x>|<z>)"), note("the decoder")),
        ),
        element(
          "div",
          { class: "equation" },
          term("", number("posterior"), labelled("density of <z> given <x>", "log q(<z>|<x>)"), note("the encoder")),
          element(
            "div",
            { class: "answer veil" },
            term("", number("within"), markup("latents with <z> within <mu> ± <sigma>"), this.read.average),
          ),
        ),
      ),
    );
  }

  // an arrow each way between z and x, and one from the prior
  graph() {
    const node = (name, x) =>
      svg("g", { class: name }, svg("circle", { class: "node", cx: x, cy: 60, r: 25 }), written(`<${name}>`, x, 65));
    return svg(
      "svg",
      {
        class: "graph",
        viewBox: "0 0 360 124",
        role: "img",
        "aria-label":
          "The graphical model: from N(0, I) to z, from z to x by p(x|z), and dashed from x back to z by q(z|x)",
      },
      arrowhead(),
      written("N(0, I)", 32, 65),
      arrow({ d: "M66 60H126" }),
      node("z", 153),
      arrow({ d: "M174 43C215 14 264 14 304 42" }),
      written("p(<x>|<z>)", 239, 14),
      arrow({ d: "M304 78C264 106 215 106 175 78", "stroke-dasharray": "5 4" }),
      written("q(<z>|<x>)", 239, 119),
      node("x", 326),
    );
  }

  // the prior of one latent, and below it a row for each, those that say most first: where it is, and where q looks
  axis() {
    const { latents } = this.data;
    const row = Math.max(7, Math.min(60, 264 / latents));
    const base = BELL + latents * row + 8;
    const bell = Array.from({ length: 81 }, (_, i) => (i / 40 - 1) * FAR).map(
      (value) => `${across(value).toFixed(1)},${(BELL - (BELL - 6) * Math.exp(-0.5 * value * value)).toFixed(1)}`,
    );
    this.rows = Array.from({ length: latents }, (_, i) => {
      const middle = BELL + 4 + (i + 0.5) * row;
      const thick = Math.min(16, 0.8 * row);
      const title = svg("title");
      const parts = {
        band: svg("rect", { class: "q-band", y: middle - thick / 2, width: 1, height: thick }),
        tick: svg("rect", { class: "q-tick", x: -1, y: middle - thick / 2, width: 2, height: thick }),
        dot: svg("circle", { class: "dot", cy: middle, r: Math.min(5, 0.33 * row) }),
      };
      return {
        ...parts,
        title,
        group: svg(
          "g",
          {},
          title,
          svg("rect", { class: "hit", y: middle - row / 2, width: WIDE, height: row }),
          parts.band,
          parts.tick,
          parts.dot,
        ),
      };
    });
    return svg(
      "svg",
      {
        class: "bell",
        viewBox: `-10 0 ${WIDE + 20} ${base + 18}`,
        role: "img",
        "data-testid": "latents",
        "aria-label": `The ${latents} latents, each on the axis of its prior N(0, 1): z, and the encoder's mean and standard deviation`,
      },
      svg("polygon", { points: bell.join(" ") }),
      ...[-4, -2, 0, 2, 4].flatMap((value) => [
        svg("line", { x1: across(value), x2: across(value), y1: value ? BELL : 6, y2: base }),
        written(nats(value, 0), across(value), base + 15),
      ]),
      ...this.rows.map(({ group }) => group),
    );
  }
}

export default await mounted((parent) => new Generative(parent), "lessons/diagram.css", "lessons/generative.css");
