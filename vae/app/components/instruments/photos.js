// A photo through a network whose z is a map: what comes back of it, and what becomes of it where z is changed.

import { announce, element, labelled, markup, nats, numbers, refocused, say } from "../shared/dom.js";
import { eager } from "../shared/hand.js";
import { Kind, Live } from "../shared/live.js";
import { mounted } from "../shared/mounted.js";
import { Channels } from "./photos/channels.js";
import { Stage } from "./photos/stage.js";

const PATIENCE = 1000; // milliseconds after which it is said that an answer takes its time
const HELD = 48e6; // bytes of answers that are kept, so that what was seen once is there at once
// How near a photo comes back, in words, by its PSNR at least.
/** @type {[number, string][]} */
const NEAR = [
  [38, "Hardly to be told apart"],
  [33, "Close: look at the finest lines"],
  [29, "Good from afar, soft from near"],
  [25, "Soft: the fine things are gone"],
  [-Infinity, "Only the rough shapes are left"],
];
// And how near two blended ones come to a cross-fade.
/** @type {[number, string][]} */
const FADED = [
  [26, "Little else than a cross-fade"],
  [-Infinity, "Not quite a cross-fade"],
];
const BLENDED =
  "Each place of the map says what is there, so between two photos lies no third one, only both at once. Where all numbers speak of the whole picture, one thing turns into another: Interpolate shows that.";
const READ = ["psnr", "numbers", "kilobytes", "rate", "nats", "fold"];
const LOOKS = { compared: "Beside one another", difference: "Difference", bits: "Where the bits go" };

const kilobytes = (bytes) =>
  bytes < 10_000 ? `${nats(bytes / 1000)} kB` : `${Math.round(bytes / 1000).toLocaleString("en")} kB`;
const cell = (...parts) => element("div", { class: "cell" }, ...parts);
const quiet = (text) => element("span", { class: "quiet" }, markup(text));

class Photos {
  /** @param {Node} parent */
  constructor(parent) {
    this.root = parent.appendChild(element("div", { class: "lab photos", "data-testid": "photos" }));
    this.live = new Live();
    this.rev = null;
    /** @type {Record<string, HTMLInputElement>} */
    this.inputs = {};
    /** @type {Record<string, HTMLElement>} */
    this.said = {};
    this.answers = new Map(); // what was asked -> its answer, the newest last
    this.originals = new Map(); // number -> levels
  }

  end() {
    clearTimeout(this.patience);
    this.live.close();
  }

  /** @param {Component<PhotosData>} component */
  update(component) {
    this.component = component;
    this.live.through(component);
    const { data } = component;
    if (data.rev === this.rev) return;
    this.rev = data.rev;
    this.data = data;
    const [keep, noise, seed, share, look] = data.see;
    this.see = { keep, noise, seed, share, look };
    this.answers.clear();
    refocused(
      this.root,
      (one) => one.dataset.testid,
      () => this.build(),
    );
    this.fetch(data.number, () => this.fetch(data.other, () => this.stage.original(this.faded())));
    this.show();
  }

  // ---- here -> Python ----

  choose(changed) {
    const { photo, other, side } = { ...this.data.chosen, ...changed };
    this.component.setStateValue("choose", { photo, other: other === photo ? "" : other, side });
  }

  rest() {
    this.component.setStateValue("see", Object.values(this.see));
    announce(`${this.verdict.textContent}, ${this.read.psnr.textContent} dB`);
  }

  // ---- what is seen ----

  change(changed) {
    this.see = { ...this.see, ...changed };
    this.place();
    this.show();
  }

  // The levels of a photo, asked for once.
  fetch(number, done) {
    if (!number || this.originals.has(number)) return done();
    const body = new DataView(new ArrayBuffer(2));
    body.setUint16(0, number, true);
    this.live.ask(Kind.ORIGINAL, body, ({ levels, sentence }) => {
      if (sentence) return say(this.live.status, sentence);
      this.originals.set(number, levels);
      for (const old of [...this.originals.keys()].slice(0, -4)) this.originals.delete(old);
      done();
    });
  }

  // What the picture that comes back is compared with: the photo, or the two faded into one another.
  faded({ share } = this.see) {
    const [photo, other] = [this.originals.get(this.data.number), this.originals.get(this.data.other)];
    if (!photo || !other) return photo;
    return photo.map((level, i) => Math.round((1 - share) * level + share * other[i]));
  }

  show() {
    const { data, see } = this;
    const { keep, noise, seed, share } = see;
    const body = new DataView(new ArrayBuffer(17));
    body.setUint16(0, this.data.number, true);
    body.setUint16(2, this.data.other, true);
    body.setUint8(4, keep);
    body.setFloat32(5, noise, true);
    body.setUint32(9, noise ? seed : 0, true);
    body.setFloat32(13, this.data.other ? share : 0, true);
    const key = new Uint8Array(body.buffer).join();
    const known = this.answers.get(key);
    clearTimeout(this.patience);
    if (known) return this.shown(known, see);
    this.patience = setTimeout(() => this.late(), PATIENCE);
    this.live.ask(Kind.PHOTO, body, (answer) => {
      clearTimeout(this.patience);
      say(this.live.status, answer.sentence ?? "");
      if (answer.sentence) return;
      this.answers.set(key, answer);
      const most = Math.max(1, Math.floor(HELD / answer.mean.length));
      for (const old of [...this.answers.keys()].slice(0, -most)) this.answers.delete(old);
      if (data === this.data) this.shown(answer, see); // else it is of another photo, or another size
    });
  }

  late() {
    say(this.verdict, "The network is at work …");
    if (!this.stage.mean) this.stage.say(["The photo", "Still the photo"]);
  }

  // What is seen belongs together: an answer that is late is shown with what was asked then.
  shown(answer, see) {
    const many = this.data.latents;
    const back = see.keep === many ? "Given back" : `Given back from ${see.keep} of ${many}`;
    this.stage.say(this.data.other ? ["The photos faded", "Between their numbers"] : ["The photo", back]);
    if (this.originals.has(this.data.number)) this.stage.original(this.faded(see));
    this.stage.decoded(answer.mean, `${see.keep},${see.noise},${see.seed},${see.share}`);
    const [, height, width] = this.data.shape;
    const bytes = (answer.rate * height * width) / 8; // of two photos both
    const isBlend = this.data.other && see.share > 0 && see.share < 1;
    say(this.verdict, (isBlend ? FADED : NEAR).find(([least]) => answer.psnr >= least)[1]);
    say(this.read.psnr, nats(answer.psnr));
    const [, rows, columns] = this.data.map;
    say(this.read.numbers, (see.keep * rows * columns).toLocaleString("en"));
    if (!this.isPriced) return;
    say(this.read.kilobytes, kilobytes(bytes));
    say(this.read.rate, nats(answer.rate, 3));
    say(this.read.nats, Math.round(8 * bytes * Math.LN2).toLocaleString("en"));
    say(this.read.fold, `${nats((3 * height * width) / bytes, 0)} : 1`);
  }

  // Whether something says what a number of the map costs, and how sure it is.
  get isPriced() {
    return this.data.told !== null;
  }

  // Controls where they are asked; what the picture is said to be comes with the picture.
  place() {
    const { keep, noise, share, look } = this.see;
    const many = this.data.latents;
    for (const [name, input] of Object.entries(this.inputs))
      if (Number(input.value) !== this.see[name]) input.value = this.see[name];
    say(this.said.keep, `${keep} of ${many}`);
    if (this.said.noise) say(this.said.noise, noise ? `${nats(noise)} σ` : "none");
    if (this.said.share) say(this.said.share, `${Math.round(100 * share)} %`);
    this.again.disabled = !noise;
    for (const [name, button] of Object.entries(this.lookButtons)) button.ariaPressed = String(name === look);
    this.stage.look(look, this.channels.told(keep));
    this.channels.keep(keep);
  }

  // ---- the parts ----

  build() {
    const { data } = this;
    const [, height, width] = data.shape;
    this.channels = new Channels(data, (keep) => {
      this.change({ keep });
      this.rest();
    });
    this.stage = new Stage(data.shape, this.stage);
    this.inputs = {};
    this.said = {};
    const number = (name) => element("span", { class: "number", "data-testid": `read-${name}` });
    this.verdict = element("div", { class: "verdict", "data-testid": "verdict" });
    this.read = Object.fromEntries(READ.map((name) => [name, number(name)]));
    this.again = element(
      "button",
      {
        "data-testid": "again",
        onclick: () => {
          this.change({ seed: (this.see.seed + 1) >>> 0 });
          this.rest();
        },
      },
      "Other noise",
    );
    const [keep, noise, share] = [
      this.slider("keep", "Small pictures kept", 1, data.latents, 1),
      this.isPriced ? this.slider("noise", "Noise on them", 0, 3, 0.1) : null,
      data.other ? this.slider("share", "Of the second photo", 0, 1, 0.05) : null,
    ];
    this.lookButtons = Object.fromEntries(
      data.looks.map((look) => [
        look,
        element(
          "button",
          {
            "data-testid": `look-${look}`,
            onclick: () => {
              this.change({ look });
              this.rest();
            },
          },
          LOOKS[look],
        ),
      ]),
    );
    const value = (words, symbol, node) => cell(labelled(words, symbol), node);
    const controls = element(
      "div",
      { class: "controls" },
      this.verdict,
      element(
        "div",
        { class: "brief" },
        cell(this.read.psnr, quiet(data.other ? "dB, how near they come" : "dB, how near it comes")),
        this.isPriced
          ? cell(
              this.read.kilobytes,
              quiet(`of information${data.other ? " in both" : ""}; ${kilobytes(3 * height * width)} as raw pixels`),
            )
          : cell(this.read.numbers, quiet(`numbers; its pixels have ${(3 * height * width).toLocaleString("en")}`)),
      ),
      keep,
      ...(noise ? [noise, element("div", { class: "row" }, this.again)] : []),
      this.blends(),
      ...(share ? [share, element("p", { class: "quiet" }, BLENDED)] : []),
      ...(this.isPriced
        ? [
            numbers(
              element(
                "div",
                { class: "readouts", "data-testid": "readouts" },
                value("rate", "bits per pixel", this.read.rate),
                value("information", "KL, nats", this.read.nats),
                value("smaller by", "pixels : KL", this.read.fold),
              ),
            ),
          ]
        : []),
      this.live.status,
    );
    const below = element("div", { class: "below" }, this.channels.box);
    this.root.replaceChildren(
      this.choice(),
      element(
        "div",
        { class: "view" },
        this.stage.frame,
        element("div", { class: "row tools" }, this.looks(), this.zooms()),
        quiet(data.about),
      ),
      controls,
      below,
    );
    this.place();
    this.stage.middle();
  }

  choice() {
    const { photos, chosen, sides } = this.data;
    const pictures = photos.map(({ id, name, picture }) =>
      element(
        "button",
        {
          class: "thumb",
          "aria-pressed": id === chosen.photo,
          "aria-label": name,
          title: name,
          "data-testid": `photo-${id}`,
          onclick: () => this.choose({ photo: id }),
        },
        element("img", { src: picture, alt: "", draggable: "false" }),
      ),
    );
    const sizes = sides.map((side) =>
      element(
        "button",
        { "aria-pressed": side === chosen.side, "data-testid": `side-${side}`, onclick: () => this.choose({ side }) },
        `${side.toLocaleString("en")} pixels`,
      ),
    );
    return element(
      "div",
      { class: "choice" },
      element("div", { class: "row thumbs", role: "group", "aria-label": "The photo" }, ...pictures),
      element("span", { style: "flex:1" }),
      element("div", { class: "row", role: "group", "aria-label": "Its long side" }, "Long side", ...sizes),
    );
  }

  looks() {
    return element(
      "div",
      { class: "row", role: "group", "aria-label": "What is shown" },
      ...Object.values(this.lookButtons),
    );
  }

  zooms() {
    const save = element("button", { "data-testid": "save", onclick: () => this.stage.save() }, "Save (PNG)");
    return element("div", { class: "row" }, ...this.stage.zooms, save);
  }

  blends() {
    const { photos, chosen } = this.data;
    const others = photos.filter(({ id }) => id !== chosen.photo);
    const select = element(
      "select",
      { "data-testid": "other", onchange: () => this.choose({ other: select.value }) },
      element("option", { value: "" }, "no other photo"),
      ...others.map(({ id, name }) => element("option", { value: id, selected: id === chosen.other }, name)),
    );
    return element("label", { class: "row" }, "Blend with", select);
  }

  slider(name, words, min, max, step) {
    const input = element("input", {
      type: "range",
      min,
      max,
      step,
      value: this.see[name],
      "aria-label": words,
      "data-testid": name,
      oninput: () => this.change({ [name]: Number(input.value) }),
      onchange: () => this.rest(),
    });
    this.inputs[name] = input;
    const said = (this.said[name] = element("output", {}));
    return element("div", { class: "control" }, markup(words), said, element("div", { class: "track" }, eager(input)));
  }
}

export default await mounted((parent) => new Photos(parent), "instruments/photos.css");
