// Above the map: what it is coloured by, its layers, what selects points, and what the colours mean.

import { element, markup, nats, refocused, say } from "../../shared/dom.js";

export const PICKED = 200; // points around the pin that a key takes as a group
const VIRIDIS = "#440154, #482878, #3e4989, #31688e, #26828e, #1f9e89, #35b779, #6ece58, #b5de2b, #fde725";

export class Tools {
  constructor(map, { colourBy = "class", layers = { pictures: false, density: true } }) {
    this.map = map;
    this.colourBy = colourBy;
    this.layers = layers;
    this.hidden = new Set(); // labels of classes
    this.selecting = null; // "select" or "lasso"
    this.legend = element("div", { class: "row legend", role: "group", "aria-label": "What the colours mean" });
    this.row = element("div", { class: "row", style: "padding-bottom:.6rem" });
    this.hint = element("div", { class: "quiet hint", role: "note" });
  }

  build() {
    const button = (text, onclick) => element("button", { onclick }, text);
    const toggle = (text, pressed, onclick) => element("button", { "aria-pressed": `${pressed}`, onclick }, text);
    const names = { class: "class", elbo: "ELBO", kl: "KL", reconstruction: "reconstruction" };
    const select = element(
      "select",
      { "aria-label": "Colour by", onchange: (event) => this.colour(event.target.value) },
      ...Object.entries(names).map(([value, text]) => {
        const isOne = value === "class" && this.map.data.classes.length === 1; // pictures without classes
        const option = element("option", { value }, isOne ? "one colour" : `colour by ${text}`);
        option.selected = value === this.colourBy;
        return option;
      }),
    );
    const layer = (name, text) =>
      toggle(text, this.layers[name], () => {
        this.layers[name] = !this.layers[name];
        this.map.chart.draw();
        this.map.chart.askTiles();
      });
    const decodable = this.map.data.along !== null;
    const selecting = (mode, text) =>
      toggle(text, this.selecting === mode, () => {
        this.selecting = this.selecting === mode ? null : mode;
        this.map.chart.drags(this.selecting ?? "pan");
        this.build();
      });
    const keys = decodable ? `; by keyboard, A or B on the map takes the ${PICKED} points nearest to the pin` : "";
    const fingers = matchMedia("(pointer: coarse)").matches ? "Two fingers move the map and enlarge it" : "";
    say(
      this.hint,
      this.selecting ? (this.map.selected.length ? "" : `Drag around points, by mouse or finger${keys}`) : fingers,
    );
    this.map.area.classList.toggle("selecting", Boolean(this.selecting));
    const kept = this.map.selected.length;
    const keep = (group) => button(`${kept} as ${group}`, () => this.map.keep(group));
    const whole = button("Whole map", () => this.map.chart.draw(this.map.chart.whole()));
    const made = [
      select,
      ...(decodable ? [layer("pictures", "Decoded"), layer("density", "Density")] : []),
      selecting("select", "Box"),
      selecting("lasso", "Lasso"),
      ...(kept ? [keep("A"), keep("B")] : []),
      whole,
    ];
    // one of them may not be there any more
    const remake = () => this.row.replaceChildren(...made);
    refocused(
      this.row,
      (one) => one.textContent,
      remake,
      () => this.map.area,
    );
  }

  colour(by) {
    this.colourBy = by;
    this.map.chart.draw();
  }

  // Beside the points and not over them: the classes, which can be hidden, or the colours' values.
  buildLegend() {
    if (this.colourBy !== "class") {
      const [low, high] = this.map.chart.span().map((value) => element("span", {}, nats(value)));
      this.legend.replaceChildren(
        low,
        element("i", { class: "scale", style: `background: linear-gradient(90deg, ${VIRIDIS})` }),
        high,
        markup("nats"),
      );
      return;
    }
    const buttons = this.map.data.classes.map((name, label) =>
      element(
        "button",
        {
          class: "class",
          "data-label": label,
          "aria-pressed": `${!this.hidden.has(label)}`,
          title: "hide or show",
          onclick: () => this.hide(label),
        },
        element("i", { style: `background: ${this.map.data.colours[label]}` }),
        name,
      ),
    );
    refocused(
      this.legend,
      (one) => one.dataset.label,
      () => this.legend.replaceChildren(...buttons),
    );
  }

  hide(label) {
    if (!this.hidden.delete(label)) this.hidden.add(label);
    this.map.chart.draw();
  }
}
