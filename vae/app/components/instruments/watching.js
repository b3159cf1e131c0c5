// A network while it learns: the same pictures at each moment, what that costs, and where its numbers put them.

import { announce, element, markup, say } from "../shared/dom.js";
import { eager } from "../shared/hand.js";
import { mounted } from "../shared/mounted.js";
import { Bars, Curve, Scatter } from "./watching/charts.js";

const EACH = 1000; // ms between two questions
const SLOWER = 4000; // while others are before it, or after the server did not answer
const SOON = 250; // until there is a first picture
const ROWS = ["New pictures", "As they come back", "Made up", ""];
const OVER = ["done", "failed", "stopped"];

const caption = (text) => element("figcaption", { class: "quiet" }, element("b", {}, markup(text)));

/** @param {number} seconds */
function duration(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return `${Math.round(seconds / 60)} min`;
}

class Watching {
  /** @param {Node} parent */
  constructor(parent) {
    this.root = parent.appendChild(element("div", { class: "lab watching", "data-testid": "watching" }));
    /** @type {Moment[]} */
    this.frames = [];
    this.rev = null;
  }

  end() {
    this.ended = true;
    clearTimeout(this.asking);
  }

  /** @param {Component<WatchingData>} component */
  update(component) {
    this.component = component;
    const { data } = component;
    if (data.rev === this.rev) return;
    this.rev = data.rev;
    this.data = data;
    clearTimeout(this.asking);
    this.frames = [];
    this.follows = true; // the newest moment, until somebody looks back
    this.stand = "";
    this.build();
    this.ask();
  }

  build() {
    const { data } = this;
    this.sheet = element("img", {
      class: "picture",
      "data-testid": "sheet",
      style: `aspect-ratio: 2; image-rendering: ${data.side > 48 ? "auto" : "pixelated"}`,
      alt: "",
    });
    this.rows = element(
      "div",
      { class: "rows quiet", "aria-hidden": "true" },
      ...ROWS.map((row) => element("span", {}, row)),
    );
    this.status = element("div", { class: "status", role: "status", "data-testid": "stand" }, "Just a moment …");
    this.words = element("ul", { class: "words", "data-testid": "words" });
    this.scrub = eager(
      element("input", {
        type: "range",
        min: 0,
        max: 0,
        step: 1,
        "data-testid": "moment",
        "aria-label": "Moment of the training",
        oninput: () => this.look(Number(this.scrub.value)),
      }),
    );
    this.when = element("span", { class: "quiet when", "data-testid": "when" });
    this.distortion = new Curve("What is lost of a picture, nats", "distortion", data.linear);
    this.rate = new Curve("What its numbers say of it, nats", "rate");
    this.scatter = new Scatter(data.labels, data.colours);
    this.bars = new Bars();
    this.buttons = element("div", { class: "row", "data-testid": "wishes" });
    if (data.brought) {
      this.root.replaceChildren(this.status);
      return;
    }
    this.root.replaceChildren(
      this.status,
      element(
        "div",
        { class: "seen" },
        element("div", { class: "sheet" }, this.rows, this.sheet),
        element("div", { class: "line" }, this.scrub, this.when),
        this.buttons,
        element(
          "div",
          { class: "space" },
          element("figure", {}, caption("Where its numbers put the pictures"), this.scatter.root),
          element("figure", {}, caption("What each number tells, in nats (KL)"), this.bars.root),
        ),
      ),
      element("div", { class: "told" }, this.words, this.distortion.root, this.rate.root),
    );
  }

  async ask() {
    if (this.ended) return;
    let wait = SLOWER;
    try {
      const answer = await fetch(new URL(`${this.data.path}/${this.frames.length}`, document.baseURI));
      if (this.ended) return;
      if (answer.status === 404) {
        say(this.status, await answer.text());
        return;
      }
      if (answer.ok) wait = this.hear(await answer.json());
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // as fetch says that nobody is there
      say(this.status, "The server does not answer just now; the training goes on where it runs.");
    }
    if (wait) this.asking = setTimeout(() => this.ask(), wait);
  }

  /**
   * what came, and the milliseconds until the next question: 0 for none
   * @param {WatchingAnswer} told
   */
  hear(told) {
    this.frames.push(...told.frames);
    this.told = told;
    if (told.stand !== this.stand) {
      if (this.stand && OVER.includes(told.stand)) this.component.setTriggerValue("stand", told.stand);
      this.stand = told.stand;
      announce(this.sentence());
    }
    say(this.status, this.sentence());
    this.offer();
    if (told.frames.length) {
      this.scrub.max = String(this.frames.length - 1);
      this.distortion.draw(this.frames);
      this.rate.draw(this.frames);
      if (this.follows) this.look(this.frames.length - 1);
    }
    if (this.frames.length < told.moments) return 1;
    if (OVER.includes(told.stand)) return 0;
    if (told.before) return SLOWER;
    return this.frames.length ? EACH : SOON;
  }

  sentence() {
    const { stand, before, why, said, wish, measures } = this.told;
    const last = this.frames.at(-1);
    if (stand === "failed") return why;
    if (stand === "done" && this.data.brought) return "It is here, and measured.";
    if (stand === "done") return why || "It has learned. This is your network now.";
    if (stand === "stopped") return "Stopped, and kept: it can go on from here.";
    if (stand === "waiting" && before)
      return `${before} ${before === 1 ? "training is" : "trainings are"} before this one.`;
    if (this.data.brought) return "It is tried on the pictures that it has never seen …";
    if (measures) return "It has learned. Now it is tried on the pictures that it has never seen …";
    if (said) return said;
    if (!last) return "It begins …";
    if (wish.pause) return "It pauses. After two minutes it stops, and can go on from there.";
    const left = last.left === null ? "" : ` · about ${duration(last.left)} to go`;
    return `Epoch ${Math.floor(last.epoch)} of ${Math.round((last.epoch * last.steps) / Math.max(1, last.step)) || "…"}${left}`;
  }

  /** What can be wished now. */
  offer() {
    const { stand, wish, measures } = this.told;
    /** @type {[string, string, Wish][]} */
    const wishes = [];
    if (stand === "training" && !measures) {
      if (wish.pause) {
        wishes.push(["Go on", "go", { ...wish, pause: false }]);
        wishes.push(["One step", "step", { ...wish, steps: wish.steps + 1 }]);
      } else wishes.push(["Pause", "pause", { ...wish, pause: true }]);
      wishes.push([wish.slow ? "Full speed" : "Slow motion", "slow", { ...wish, slow: !wish.slow }]);
    }
    if (stand === "training" || stand === "waiting")
      wishes.push(["Stop", "stop", { ...wish, pause: false, stop: true }]);
    if (stand === "stopped")
      wishes.push(["Go on", "go", { pause: false, steps: wish.steps, slow: false, stop: false }]);
    const now = JSON.stringify([stand, wish, measures]);
    if (now === this.offered) return;
    this.offered = now;
    this.buttons.replaceChildren(
      ...wishes.map(([word, name, what]) =>
        element("button", { "data-testid": `wish-${name}`, onclick: () => this.want(what) }, word),
      ),
    );
  }

  /** @param {Wish} what */
  want(what) {
    this.component.setTriggerValue("wish", what);
    clearTimeout(this.asking);
    this.asking = setTimeout(() => this.ask(), 300);
  }

  /** @param {number} place */
  look(place) {
    const frame = this.frames[place];
    this.follows = place === this.frames.length - 1;
    if (this.scrub.value !== String(place)) this.scrub.value = String(place);
    this.sheet.src = `data:${frame.sheet.startsWith("/9j/") ? "image/jpeg" : "image/png"};base64,${frame.sheet}`;
    this.sheet.alt = `After ${frame.step} steps: new pictures, how they come back, and pictures that it made up`;
    say(this.when, `step ${frame.step.toLocaleString("en")}, epoch ${Math.floor(frame.epoch)}`);
    this.distortion.mark(place);
    this.rate.mark(place);
    this.scatter.draw(frame.points);
    this.bars.draw(frame.kl);
    const words = JSON.stringify(frame.words);
    if (words === this.worded) return;
    this.worded = words;
    this.words.replaceChildren(...frame.words.map((sentence) => element("li", {}, markup(sentence))));
  }
}

export default await mounted((parent) => new Watching(parent), "instruments/watching.css");
