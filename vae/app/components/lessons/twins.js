// Why not a plain autoencoder: two models side by side; one hand moves both.

import { fromBase64 } from "../shared/base64.js";
import { element, markup } from "../shared/dom.js";
import { Settling, eager } from "../shared/hand.js";
import { nth, paint, redrawn } from "../shared/paint.js";
import { mounted } from "../shared/mounted.js";

const numbersOf = (text) => new Float32Array(fromBase64(text).buffer);
const CIRCLE = 2.448; // the radius within which 95 % of N(0, I) lies, in two dimensions

class Twins {
  constructor(parent) {
    this.root = parent.appendChild(element("div", { class: "lab" }));
    this.resized = new ResizeObserver(() => this.drawMaps());
    this.resized.observe(this.root);
    this.settling = new Settling(() =>
      this.component.setStateValue("see", [this.data.draw, this.step, this.sample ?? -1].join("_")),
    );
  }

  end() {
    this.settling.stop();
    this.resized.disconnect();
  }

  update(component) {
    this.component = component;
    if (component.data.rev !== this.rev) {
      this.rev = component.data.rev;
      this.data = component.data;
      this.build();
    }
    this.drawMaps(); // a new theme comes this way too
  }

  build() {
    const { data } = this;
    this.labels = fromBase64(data.labels);
    this.sides = data.sides.map((side) => this.buildSide(side));
    this.scrub = eager(
      element("input", {
        type: "range",
        min: 0,
        max: this.sides[0].path.length / 2 - 1,
        step: 1,
        "data-testid": "scrub",
        "aria-label": `From ${data.ends[0]} to ${data.ends[1]}`,
        oninput: () => this.move(Number(this.scrub.value)),
      }),
    );
    const last = Number(this.scrub.max);
    const again = element("button", { onclick: () => this.component.setTriggerValue("again", true) }, "Draw again");
    const line = element(
      "div",
      { class: "line both" },
      this.thumbnail(this.sides[1], 0),
      element("div", { class: "track" }, this.scrub),
      this.thumbnail(this.sides[1], last),
    );
    const legend = element(
      "div",
      { class: "row quiet" },
      ...data.classes.map((name, i) =>
        element("span", { class: "class" }, element("i", { style: `background:${data.colours[i]}` }), name),
      ),
    );
    const meaning =
      `Missed: a test picture to which none of ${data.samples.toLocaleString("en")} samples, drawn of p(x|z), comes as near as ` +
      `its fifth nearest other test picture. As many real pictures miss ${data.real}.`;
    this.root.replaceChildren(
      element("div", { class: "sides answer veil" }, ...this.sides.map(({ samples }) => samples)),
      element(
        "div",
        { class: "row after" },
        element("span", { class: "quiet", "data-testid": "meaning" }, meaning),
        again,
      ),
      line,
      element("div", { class: "sides" }, ...this.sides.map(({ way }) => way)),
      legend,
    );
    const [, step, sample] = data.see.split("_").map(Number);
    this.choose(this.sides[0].buttons[sample] ? sample : null, false);
    this.move(step >= 0 && step <= last ? step : Math.round(last / 2), false);
  }

  buildSide(side) {
    const { shape } = this.data;
    const made = {
      encodings: numbersOf(side.encodings),
      places: numbersOf(side.places),
      path: numbersOf(side.way),
      drawn: fromBase64(side.samples),
      strip: fromBase64(side.strip),
      nearest: fromBase64(side.nearest),
    };
    const id = side.title.toLowerCase();
    made.map = element("canvas", {
      class: "half",
      role: "img",
      "data-testid": `map-${id}`,
      "aria-label": `${side.title}: where ${this.labels.length} test pictures are encoded`,
    });
    made.picture = element("canvas", {
      class: "picture",
      role: "img",
      "data-testid": id === "vae" ? "decoded" : `way-${id}`,
      "aria-label": `${side.title}: the picture at this step of the way`,
    });
    made.buttons = side.names.map((name, i) => {
      const label = `Sample ${i + 1} of the ${side.title}; the nearest test picture, ${side.distances[i]} away, is: ${name}`;
      const drawn = [made.drawn, made.nearest].map((pictures) => {
        const canvas = element("canvas", {});
        paint(canvas, nth(pictures, shape, i), shape);
        return canvas;
      });
      return element(
        "button",
        {
          class: "pair",
          title: label,
          "aria-label": label,
          "data-testid": `sample-${id}-${i}`,
          onclick: () => this.choose(this.sample === i ? null : i),
        },
        ...drawn,
      );
    });
    made.samples = element(
      "section",
      { "aria-label": `${side.title}: samples` },
      element("h3", {}, side.title, element("span", { class: "quiet" }, ` ${side.epochs} epochs`)),
      element("div", { class: "pairs" }, ...made.buttons),
      element(
        "div",
        { class: "quiet" },
        "above: ",
        markup("E[<x>|<z>] of draws <z> ~ N(0, I); below: the nearest test picture"),
      ),
      element("div", { class: "missed" }, element("span", { class: "number" }, side.missed), " of the pictures missed"),
    );
    made.way = element(
      "section",
      { "aria-label": `${side.title}: latent map` },
      element("div", { class: "mapway" }, made.map, made.picture),
      element(
        "div",
        { class: "quiet", "data-testid": `plane-${id}` },
        `${side.title}: ${side.plane}; ring: 95 % of N(0, I)`,
      ),
    );
    return made;
  }

  thumbnail(side, step) {
    const canvas = element("canvas", { class: "tiny", "aria-hidden": "true" });
    paint(canvas, nth(side.strip, this.data.shape, step), this.data.shape);
    return canvas;
  }

  move(step, tell = true) {
    this.scrub.value = step;
    if (tell) this.settling.later();
    for (const side of this.sides) {
      paint(side.picture, nth(side.strip, this.data.shape, step), this.data.shape);
      side.picture.dataset.at = step;
      redrawn(side.picture);
    }
    this.step = step;
    this.drawMaps();
  }

  choose(sample, tell = true) {
    this.sample = sample;
    if (tell) this.settling.later();
    for (const side of this.sides)
      side.buttons.forEach((button, i) => button.setAttribute("aria-pressed", i === sample));
    if (this.step !== undefined) this.drawMaps();
  }

  drawMaps() {
    for (const side of this.sides ?? []) this.drawMap(side);
  }

  // Dots are drawn once for a size, a theme and a model; what moves is drawn over them.
  drawMap(side) {
    const width = Math.round(side.map.clientWidth * (window.devicePixelRatio || 1));
    if (!width || this.step === undefined) return;
    const text = getComputedStyle(this.root).color;
    const z = getComputedStyle(this.root).getPropertyValue("--z").trim();
    const near = Math.max(CIRCLE * 1.1, quantile(side.encodings, 0.995));
    const scale = width / 2 / near;
    const at = (values, i) => [width / 2 + values[2 * i] * scale, width / 2 - values[2 * i + 1] * scale];
    if (side.dots?.width !== width || side.inked !== text) {
      side.inked = text;
      side.dots = element("canvas", { width, height: width });
      const pen = side.dots.getContext("2d");
      pen.globalAlpha = 0.75;
      for (let i = 0; i < this.labels.length; i++) {
        pen.fillStyle = this.data.colours[this.labels[i]];
        pen.beginPath();
        pen.arc(...at(side.encodings, i), width / 190, 0, 7);
        pen.fill();
      }
      pen.globalAlpha = 1;
      pen.strokeStyle = text;
      pen.lineWidth = width / 250;
      pen.beginPath();
      pen.arc(width / 2, width / 2, CIRCLE * scale, 0, 7);
      pen.stroke();
    }
    side.map.width = side.map.height = width;
    const pen = side.map.getContext("2d");
    pen.drawImage(side.dots, 0, 0);
    const unit = width / 300;
    pen.lineWidth = 2 * unit;
    pen.strokeStyle = text;
    pen.beginPath();
    pen.moveTo(...at(side.path, 0));
    pen.lineTo(...at(side.path, side.path.length / 2 - 1));
    pen.stroke();
    const dot = (values, i, radius, colour) => {
      pen.beginPath();
      pen.arc(...at(values, i), radius * unit, 0, 7);
      pen.fillStyle = colour;
      pen.fill();
      pen.strokeStyle = "#fff";
      pen.stroke();
    };
    if (this.sample !== null) dot(side.places, this.sample, 6, z);
    dot(side.path, this.step, 5, text);
  }
}

function quantile(values, share) {
  return Float32Array.from(values, Math.abs).sort()[Math.floor(share * (values.length - 1))];
}

export default await mounted((parent) => new Twins(parent), "lessons/twins.css");
