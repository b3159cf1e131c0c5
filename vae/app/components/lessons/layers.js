// The chain z1 -> z2 -> ... -> x: layers above the chosen one are kept, it and those below are drawn again.

import { fromBase64 } from "../shared/base64.js";
import { element, markup, nats, say, subscript } from "../shared/dom.js";
import { NEXT, Settling } from "../shared/hand.js";
import { nth, paint, redrawn } from "../shared/paint.js";
import { mounted } from "../shared/mounted.js";

class Layers {
  constructor(parent) {
    this.root = element("div", { class: "lab" });
    parent.append(this.root);
    this.settling = new Settling(() => this.component.setStateValue("see", `${this.layer + 1}_${this.round}`));
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
    const [layer, round] = data.see.split("_").map(Number);
    this.round = round > 0 && round < data.rounds ? round : 0;
    this.build();
    this.draw();
    this.choose(layer >= 1 && layer <= data.layers.length ? layer - 1 : 0, false); // the question asks about the next
  }

  build() {
    const { layers, kl, silent, count, x, reconstruction, shape } = this.data;
    const still = (pixels, label, caption) => {
      const canvas = element("canvas", { class: "picture", role: "img", "aria-label": label });
      paint(canvas, fromBase64(pixels), shape);
      return element("figure", {}, canvas, element("figcaption", {}, caption));
    };
    this.large = Array.from({ length: count }, (_, i) =>
      element("canvas", {
        class: "picture",
        role: "img",
        "aria-label": `Sample ${i + 1}`,
        "data-testid": i ? `sample-${i}` : "decoded",
      }),
    );
    const most = Math.max(...kl, 1e-6);
    this.rungs = layers.map((size, layer) => {
      const strip = Array.from({ length: Math.min(count, 5) }, () => element("canvas", { class: "picture" }));
      const bar = element("i");
      bar.style.transform = `scaleX(${Math.max(0, kl[layer]) / most})`;
      const cost = `${size} latents tell ${nats(Math.max(0, kl[layer]))} nats, their KL${silent[layer] ? ": silent, x tells it nothing" : ""}`;
      const button = element(
        "button",
        {
          class: silent[layer] ? "rung silent" : "rung",
          role: "radio",
          "data-testid": `layer-${layer + 1}`,
          "aria-label": `Resample from z${subscript(layer + 1)} down: ${cost}`,
          onclick: () => this.choose(layer),
        },
        element("span", { class: "node" }, element("b", {}, `z${subscript(layer + 1)}`)),
        element(
          "span",
          {},
          element("span", { class: "strip-row answer veil" }, ...strip),
          element("span", { class: "share" }, bar, element("span", {}, cost)),
        ),
      );
      return { button, strip };
    });
    const graph = element(
      "div",
      {
        class: "chain",
        role: "radiogroup",
        "aria-label": "Layer to resample from",
        onkeydown: (event) => this.key(event),
      },
      ...this.rungs.map((rung) => rung.button),
      element("div", { class: "rung" }, element("span", { class: "node end-node" }, element("b", { class: "x" }, "x"))),
    );
    this.title = element("div", { class: "row chosen-layer", role: "status" });
    this.root.replaceChildren(
      element(
        "div",
        { class: "sides" },
        element(
          "div",
          { class: "drawn-again" },
          element(
            "div",
            { class: "pair" },
            still(x, "The picture x", markup("<x>")),
            still(reconstruction, "Decoded from one z of its posterior", markup("all of <z> kept")),
          ),
          this.title,
          element("div", { class: "samples" }, ...this.large),
          element(
            "div",
            { class: "row section" },
            element("button", { "data-testid": "another", onclick: () => this.again() }, "Draw again"),
          ),
        ),
        graph,
      ),
    );
  }

  picture(layer, i) {
    const { layers, count, shape } = this.data;
    return nth(this.pixels, shape, (this.round * layers.length + layer) * count + i);
  }

  draw() {
    this.rungs.forEach(({ strip }, layer) =>
      strip.forEach((canvas, i) => paint(canvas, this.picture(layer, i), this.data.shape)),
    );
  }

  again() {
    this.round = (this.round + 1) % this.data.rounds;
    this.draw();
    this.choose(this.layer);
  }

  key(event) {
    const by = NEXT[event.key];
    if (!by) return;
    event.preventDefault();
    this.choose(Math.min(this.rungs.length - 1, Math.max(0, this.layer + by)));
    this.rungs[this.layer].button.focus();
  }

  choose(layer, tell = true) {
    this.layer = layer;
    if (tell) this.settling.later();
    this.large.forEach((canvas, i) => paint(canvas, this.picture(layer, i), this.data.shape));
    const [first] = this.large;
    redrawn(first);
    first.dataset.layer = layer + 1;
    first.dataset.round = String(this.round);
    this.rungs.forEach(({ button }, index) => {
      button.setAttribute("aria-checked", index === layer);
      button.tabIndex = index === layer ? 0 : -1;
      button.toggleAttribute("data-kept", index < layer);
    });
    const span = (from, to) => (from === to ? `z${subscript(from)}` : `z${subscript(from)} to z${subscript(to)}`);
    const last = this.rungs.length;
    say(
      this.title,
      layer
        ? `${span(1, layer)} kept, ${span(layer + 1, last)} drawn again`
        : `${span(1, last)} drawn again: samples of the prior`,
    );
  }
}

export default await mounted((parent) => new Layers(parent), "lessons/layers.css");
