// One z in ten classes: a row of pictures, the chosen one large, and under each what its class costs.

import { fromBase64 } from "../shared/base64.js";
import { element, labelled, markup, nats, say } from "../shared/dom.js";
import { Settling, eager } from "../shared/hand.js";
import { nth, paint, redrawn } from "../shared/paint.js";
import { term } from "../shared/svg.js";
import { mounted } from "../shared/mounted.js";

class Conditions {
  constructor(parent) {
    this.root = element("div", { class: "lab" });
    parent.append(this.root);
    this.settling = new Settling(() => this.component.setStateValue("see", `${this.style}_${this.y}`));
  }

  end() {
    this.settling.stop();
  }

  update(component) {
    const { data } = component;
    this.component = component;
    if (data.rev === this.rev) return;
    this.data = data;
    this.rev = data.rev;
    this.pixels = fromBase64(data.pictures);
    this.elbos = data.reconstructions.map((reconstruction, y) => reconstruction - data.kls[y]);
    const [style, y] = data.see.split("_").map(Number);
    this.style = style > 0 && style < data.styles ? style : 0;
    this.build();
    this.choose(data.see && y >= 0 && y < data.classes ? y : data.y, false);
  }

  build() {
    const { classes, x, shape } = this.data;
    this.large = element("canvas", { class: "picture", role: "img", "data-testid": "decoded" });
    const given = element("canvas", { class: "picture", role: "img", "aria-label": "The picture x" });
    paint(given, fromBase64(x), shape);
    this.slider = eager(
      element("input", {
        type: "range",
        min: 0,
        max: classes - 1,
        step: 1,
        "aria-label": "Class y",
        "data-testid": "class",
        oninput: () => this.choose(Number(this.slider.value)),
      }),
    );
    this.cells = Array.from({ length: classes }, (_, y) => {
      const picture = element("canvas", { class: "picture" });
      const likelihood = element("i", { class: "cost" });
      const bound = element("i", { class: "cost bound" });
      const button = element(
        "button",
        { class: "class", onclick: () => this.choose(y) },
        picture,
        element("span", {}, String(y)),
        element("span", { class: "costs" }, likelihood, bound),
      );
      return { button, picture, likelihood, bound };
    });
    this.read = {};
    const number = (sign, name, words, symbol) => {
      this.read[name] = element("span", { class: "number", "data-testid": `read-${name}` });
      this.read[`${name}-note`] = element("span", { class: "quiet" });
      return term(sign, this.read[name], labelled(words, symbol), this.read[`${name}-note`]);
    };
    this.own = element("button", { "data-testid": "own", onclick: () => this.turn(0) }, "Style of x");
    this.another = element(
      "button",
      { "data-testid": "another", onclick: () => this.turn((this.style % (this.data.styles - 1)) + 1) },
      "Another style",
    );
    this.root.replaceChildren(
      element(
        "div",
        { class: "conditioned" },
        element("figure", {}, this.large, (this.caption = element("figcaption"))),
        element(
          "div",
          {},
          element(
            "div",
            { class: "given-class" },
            element("figure", {}, given, element("figcaption", {}, markup("<x>"))),
            element("div", { class: "row" }, this.own, this.another),
          ),
          element("div", { class: "track section" }, this.slider),
          element("div", { class: "classes answer veil" }, ...this.cells.map((one) => one.button)),
          (this.guess = element("div", { class: "guess", "data-testid": "guess" })),
          element(
            "div",
            { class: "quiet key" },
            element("i", { class: "cost" }),
            markup("−log p(<x>|<z>, y)"),
            element("i", { class: "cost bound" }),
            markup("−ELBO given y"),
            markup("in nats, shorter explains more"),
          ),
        ),
      ),
      element(
        "div",
        { class: "formulas" },
        element(
          "div",
          { class: "equation", "data-testid": "formula" },
          number("", "elbo", "lower bound", "ELBO ≤ log p(<x>|y)"),
          number("=", "reconstruction", "reconstruction", "E log p(<x>|<z>, y)"),
          number("−", "kl", "what <z> tells", "KL(q(<z>|<x>, y) ‖ N(0, I))"),
        ),
      ),
    );
    const { label, errors } = this.data;
    const [best, second] = [...this.elbos.keys()].sort((a, b) => this.elbos[b] - this.elbos[a]);
    const verdict = label === null ? "" : best === label ? ", and it is right" : `, but its label is ${label}`;
    const lead = `${nats(this.elbos[best] - this.elbos[second])} ± ${nats(Math.hypot(errors[best], errors[second]))}`;
    say(this.guess, `Highest ELBO: class ${best}, by ${lead} nats${verdict}.`);
    this.draw();
  }

  turn(style) {
    this.style = style;
    this.draw();
    this.choose(this.y);
  }

  picture(y) {
    const { classes, shape } = this.data;
    return nth(this.pixels, shape, this.style * classes + y);
  }

  draw() {
    const { elbos } = this;
    const now = this.data.likelihoods[this.style];
    const most = -Math.min(...now, ...elbos);
    const best = { likelihood: Math.max(...now), bound: Math.max(...elbos) };
    this.cells.forEach((cell, y) => {
      paint(cell.picture, this.picture(y), this.data.shape);
      for (const [name, value] of [
        ["likelihood", now[y]],
        ["bound", elbos[y]],
      ]) {
        cell[name].style.height = `${(-100 * value) / most}%`;
        cell[name].toggleAttribute("data-best", value === best[name]);
      }
      cell.button.setAttribute(
        "aria-label",
        `Class ${y}: −log p(x|z, y) ${nats(-now[y])}, −ELBO ${nats(-elbos[y])} nats`,
      );
    });
    this.own.setAttribute("aria-pressed", String(this.style === 0));
    this.another.setAttribute("aria-pressed", String(this.style > 0));
  }

  choose(y, tell = true) {
    if (tell) this.settling.later();
    const { likelihoods, reconstructions, errors, kls, styles } = this.data;
    this.y = y;
    this.slider.value = y;
    paint(this.large, this.picture(y), this.data.shape);
    this.large.setAttribute("aria-label", `The style decoded as class ${y}`);
    redrawn(this.large);
    this.large.dataset.y = y;
    this.large.dataset.style = String(this.style);
    this.cells.forEach((cell, index) => cell.button.setAttribute("aria-pressed", String(index === y)));
    const origin = this.style
      ? `drawn from N(0, I), ${this.style} of ${styles - 1}`
      : `the mean of q(z|x, y = ${this.data.y})`;
    this.caption.replaceChildren(
      markup("p(<x>|<z>, y) of y = "),
      `${y}, `,
      markup("<z>"),
      ` ${origin}: `,
      markup("log p(<x>|<z>, y) = "),
      `${nats(likelihoods[this.style][y])} nats`,
    );
    say(this.read.elbo, nats(this.elbos[y]));
    say(this.read.reconstruction, nats(reconstructions[y]));
    say(this.read.kl, nats(kls[y]));
    say(this.read["elbo-note"], `of x, told y = ${y}`);
    say(this.read["reconstruction-note"], `± ${nats(errors[y])}`);
    say(this.read["kl-note"], "nats");
  }
}

export default await mounted((parent) => new Conditions(parent), "lessons/diagram.css", "lessons/conditions.css");
