// Beside the map: the picture of a place, how crowded it is there, its neighbours, and a slider along a difference.

import { announce, element, labelled, nats, numbers, say } from "../../shared/dom.js";
import { eager } from "../../shared/hand.js";
import { paint, redrawn } from "../../shared/paint.js";
import { paintShown } from "../../shared/sheets.js";

const NEAREST = 8;
const SAID = 3; // of them aloud

// In words, by the same share, at least.
/** @type {[number, string][]} */
const CROWDED = [
  [0.25, "Many pictures lie around here"],
  [0.02, "Few pictures lie around here"],
  [-1, "Hardly any picture lies here"],
];

// How a place compares, by the share of the places of pictures that are less dense.
function standing(share) {
  if (share === 0) return "emptier than any picture's place";
  if (share === 1) return "denser than any picture's place";
  return `denser than ${Math.round(100 * share)} % of pictures' places`;
}

export class Beside {
  constructor(map) {
    this.map = map;
    this.base = null; // where z was when the slider was taken
    this.directed = null; // the name of the direction
    this.nearest = null; // indices of test pictures
    this.build();
  }

  // ---- the difference of two groups ----

  turnDirection() {
    const { direction } = this.map.data;
    this.directionBox.hidden = !direction;
    if (!direction || direction.name === this.directed) return;
    this.directed = direction.name;
    this.base = null;
    this.turnSlider(0);
    say(this.directionName, direction.name);
  }

  // How far along, in steps of the whole difference of the groups' means.
  turnSlider(value) {
    this.slider.value = value;
    const steps = `${value > 0 ? "+" : ""}${nats(value, 2)} ×`;
    this.slider.ariaValueText = `${steps} the difference`;
    say(this.directionValue, steps);
  }

  follow() {
    this.base ??= this.map.z;
    this.turnSlider(Number(this.slider.value));
    const { vector } = this.map.data.direction;
    this.map.z = this.map.within(this.base.map((value, i) => value + Number(this.slider.value) * vector[i]));
    if (this.map.data.along) this.map.movePin();
    this.map.show(this.map.z);
  }

  // ---- the parts ----

  build() {
    this.picture = element("canvas", {
      class: "picture",
      "data-testid": "decoded",
      role: "img",
      "aria-label": "The picture decoded at this place",
    });
    this.near = Array.from({ length: NEAREST }, (_, i) => this.neighbour(i));
    this.slider = eager(
      element("input", {
        type: "range",
        min: -2,
        max: 2,
        step: 0.01,
        value: 0,
        "data-testid": "direction",
        "aria-label": "Along the difference of the groups",
        oninput: () => this.follow(),
        onchange: () => this.map.commit(),
      }),
    );
    this.directionName = element("span", { class: "label" });
    this.directionValue = element("span", { class: "value", "data-testid": "direction-value" });
    this.directionBox = element(
      "div",
      { class: "section", hidden: "" },
      element("div", { class: "between" }, this.directionName, this.directionValue),
      element("div", { class: "track" }, this.slider),
    );
    this.read = {};
    this.verdict = element("div", { class: "verdict", "data-testid": "verdict" });
    this.standing = element("div", { class: "quiet" });
    this.box = element(
      "div",
      { class: "beside" },
      this.picture,
      element("div", { class: "told" }, this.verdict, this.standing),
      this.directionBox,
      element("div", { class: "section quiet" }, "the nearest pictures, and how far they are"),
      element(
        "div",
        { class: "nears", role: "group", "aria-label": "The nearest pictures" },
        ...this.near.map(({ button }) => button),
      ),
      numbers(
        element(
          "div",
          { class: "readouts two" },
          this.cell("how crowded it is here", "log q(<z>), nats", "density"),
          this.cell("shift when encoded again", "in <sigma>", "drift"),
        ),
      ),
      this.map.live.status,
    );
  }

  neighbour(i) {
    const [canvas, far] = [element("canvas"), element("span", { class: "quiet" })];
    const attributes = {
      class: "near",
      "data-testid": `near-${i}`,
      "aria-label": "A test picture near this place",
      onclick: () => this.map.pick(this.nearest[i]),
    };
    return { canvas, far, button: element("button", attributes, canvas, far) };
  }

  cell(words, symbol, name) {
    const number = element("span", { class: "number", "data-testid": `read-${name}` });
    this.read[name] = number;
    return element("div", { class: "cell" }, labelled(words, symbol), number);
  }

  // ---- what is there ----

  shows(z, { drift, mean }) {
    paint(this.picture, mean, this.map.data.shape);
    this.picture.dataset.z = z.join(",");
    redrawn(this.picture);
    say(this.read.drift, nats(drift));
  }

  // What is there, for those who do not see it: again only where it is another.
  tell(where, there) {
    if (there === this.told) return;
    this.told = there;
    announce(where ? `${where}: ${there}` : there);
  }

  // `below` is the share of the places of pictures that are less dense
  showsNear(z, { log_density: density, distances, indices }, below) {
    const { pictures, shape } = this.map.data;
    say(this.read.density, nats(density));
    say(this.standing, standing(below));
    say(this.verdict, CROWDED.find(([least]) => below > least)[1]);
    this.nearest = Array.from(indices);
    const classes = this.nearest.map((index) => this.map.classOf(index));
    this.tell(this.map.words(z), `${this.verdict.textContent}; nearest: ${classes.slice(0, SAID).join(", ")}`);
    this.near.forEach(({ button, canvas, far }, i) => {
      const distance = nats(distances[i], 2);
      paintShown(canvas, pictures, indices[i], shape);
      say(far, distance);
      button.title = `${classes[i]}: test picture ${indices[i]}, ${distance} away, where latents count by how much they change pictures`;
      button.ariaLabel = button.title;
    });
    this.near[0].button.dataset.index = String(indices[0]);
  }
}
