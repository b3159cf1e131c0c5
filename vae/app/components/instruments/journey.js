// Interpolate: the pictures on the way from one picture to another, under the hand, with what is measured there.

import { fromBase64 } from "../shared/base64.js";
import { element } from "../shared/dom.js";
import { Live } from "../shared/live.js";
import { mounted } from "../shared/mounted.js";
import { fitted, paint, redrawn } from "../shared/paint.js";
import { Square } from "./journey_square.js";
import { Ways } from "./journey_ways.js";

class Journey {
  /** @type {JourneyData} */
  data;
  /** @type {Component<JourneyData>} */
  component;
  /** @type {HTMLCanvasElement} */
  picture;
  /** @type {HTMLButtonElement} */
  play;

  constructor(parent) {
    this.root = parent.appendChild(element("div", { class: "lab" }));
    this.live = new Live();
    const { host } = parent.getRootNode();
    this.host = host;
    this.rev = null;
    this.opener = null; // the letter of the end whose dialog is open
    this.playing = null; // the run of the film that goes on
    this.ways = new Ways(this);
    this.square = new Square(this);
    host.style.outline = "none";
    host.addEventListener("focus", () => this.root.querySelector(`[data-testid="end-${this.opener}"]`)?.focus());
    host.addEventListener("focusin", () => host.removeAttribute("tabindex"));
  }

  end() {
    this.live.close();
    this.playing = null;
    this.square.settling.stop();
  }

  /** @param {Component<JourneyData>} component */
  async update(component) {
    this.component = component;
    const { data } = component;
    this.data = data;
    this.live.through(component);
    if (data.rev === this.rev) return;
    this.rev = data.rev;
    this.playing = null;
    if (data.mode === "four") await this.square.build();
    else await this.ways.build();
  }

  // ---- the ends ----

  endOf({ letter, name, pixels }) {
    const canvas = element("canvas", {});
    paint(canvas, this.planes(fromBase64(pixels)), this.data.shape);
    const label = `${letter}: ${name}; choose another`;
    return element(
      "button",
      {
        class: "end",
        title: label,
        "aria-label": label,
        "data-testid": `end-${letter}`,
        "data-end": letter, // what is dropped on it goes there: page/own.js
        onclick: () => this.change(letter),
      },
      canvas,
      element("span", {}, letter),
    );
  }

  // h x w x c bytes -> c x h x w
  planes(pixels) {
    const [channels] = this.data.shape;
    if (channels === 1) return pixels;
    const size = pixels.length / channels;
    return Uint8Array.from(pixels, (_, i) => pixels[(i % size) * channels + Math.floor(i / size)]);
  }

  change(letter) {
    this.stop();
    if (letter === "+" || letter === "−") return this.component.setTriggerValue("change", letter);
    this.opener = letter;
    // The dialog gives the keyboard's focus back to this shadow's host, and the button takes it from there. Only for as
    // long: the keyboard would not come to what is in a host that has a tabindex of -1.
    this.host.tabIndex = -1;
    this.component.setTriggerValue("change", letter);
  }

  poor() {
    const sentences = this.data.ends
      .filter((end) => end.poor)
      .map((end) => `${end.letter} ${end.poor}: the way leads through what the model makes of it.`);
    return element("div", { class: "quiet", "data-testid": "poor" }, sentences.join(" "));
  }

  // What has the keyboard's focus keeps it, though it is made anew; after a dialog it is what opened the dialog, which
  // may close before or after this.
  rebuild(content) {
    const held = this.root.getRootNode().activeElement?.dataset.testid ?? (this.opener && `end-${this.opener}`);
    this.root.replaceChildren(content);
    if (!held) return;
    const refocus = () => {
      if (document.activeElement === document.body)
        this.root.querySelector(`[data-testid="${held}"]`)?.focus({ preventScroll: true });
    };
    refocus();
    setTimeout(() => {
      refocus();
      this.opener = null;
    }, 1000);
  }

  big(label) {
    const told = { class: "picture", "data-testid": "decoded", role: "img", "aria-label": label };
    return fitted(element("canvas", told), this.data.shape);
  }

  drawn(where) {
    this.picture.dataset.at = where;
    redrawn(this.picture);
  }

  commit(at) {
    this.square.settling.stop();
    this.component.setStateValue("place", { path: this.ways.chosen, at });
  }

  // ---- playing ----

  // `journey` tells, when play begins, how to go to the next frame and how to show it
  playButton(journey) {
    this.play = element(
      "button",
      { class: "play", onclick: () => (this.playing ? this.stop() : this.start(journey())) },
      "Play",
    );
    return this.play;
  }

  start({ next, show }) {
    this.play.textContent = "Pause";
    const run = (this.playing = {}); // another one may begin before this one's next frame
    let before = performance.now();
    let due = 0;
    const tick = (now) => {
      if (this.playing !== run) return;
      due += ((now - before) * this.data.speed) / 1000;
      before = now;
      if (due >= 1) {
        for (; due >= 1; due--) next();
        show();
      }
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  stop() {
    if (!this.playing) return;
    this.playing = null;
    this.play.textContent = "Play";
    this.commit(this.data.mode === "four" ? this.square.at : [this.ways.share]);
  }
}

export default await mounted((parent) => new Journey(parent));
