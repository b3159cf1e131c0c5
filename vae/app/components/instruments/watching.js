// A network while it learns: the same pictures at each moment, what that costs, and where its numbers put them.

import { announce, element, markup, say } from "../shared/dom.js";
import { eager } from "../shared/hand.js";
import { mounted } from "../shared/mounted.js";
import { Bars, Curve, Scatter } from "./watching/charts.js";

const EACH = 1000; // ms between two questions
const SLOWER = 4000; // while others are before it, or after the server did not answer
const SOON = 250; // until there is a first picture
const HEARD = 5000; // until a wish that the server does not repeat is taken for lost
const ROWS = ["New pictures", "As they come back", "Made up"];
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
    this.wanted = null;
    this.offered = "";
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
      { class: "rows quiet", "aria-hidden": "true", "data-testid": "rows" },
      ...ROWS.map((row) => element("span", {}, row)),
    );
    this.status = element("div", { class: "status", role: "status", "data-testid": "stand" }, "Just a moment …");
    this.note = element("p", { class: "quiet note", "data-testid": "note" });
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
    this.scatter = new Scatter(data);
    this.bars = new Bars();
    this.buttons = element("div", { class: "row", "data-testid": "wishes" });
    if (data.brought) {
      this.root.replaceChildren(this.status, this.note);
      return;
    }
    this.root.classList.add("blank");
    this.root.replaceChildren(
      this.status,
      this.note,
      element(
        "div",
        { class: "seen" },
        element("div", { class: "sheet" }, this.rows, this.sheet),
        element("div", { class: "line" }, this.scrub, this.when),
        this.buttons,
        element(
          "div",
          { class: "space" },
          element("figure", {}, caption("Where its numbers put the pictures"), this.scatter.keys, this.scatter.root),
          element("figure", {}, caption("What each number tells, in nats (KL)"), this.bars.root),
        ),
      ),
      element("div", { class: "told" }, this.words, this.distortion.root, this.rate.root),
    );
  }

  async ask() {
    if (this.ended) return;
    let wait = SLOWER;
    const since = this.frames.length;
    try {
      const answer = await fetch(new URL(`${this.data.path}/${since}`, document.baseURI));
      if (this.ended) return;
      if (answer.status === 404) {
        say(this.status, await answer.text());
        this.buttons.replaceChildren();
        this.component.setTriggerValue("stand", "gone"); // which the page says, and what can be done instead
        return;
      }
      if (answer.ok) wait = this.hear(await answer.json(), since);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // as fetch says that nobody is there
      say(this.status, "The server does not answer just now; the training goes on where it runs.");
    }
    if (wait) this.asking = setTimeout(() => this.ask(), wait);
  }

  /**
   * what came, and the milliseconds until the next question: 0 for none
   * @param {WatchingAnswer} told
   * @param {number} since the moments that were known when it was asked for
   */
  hear(told, since) {
    // a process that goes on from its last save takes back what was seen after that
    const other = this.frames.findIndex((frame, place) => frame.step !== told.steps[place]);
    if (other >= 0) this.frames.length = other;
    if (this.frames.length === since) this.frames.push(...told.frames);
    this.told = told;
    if (JSON.stringify(told.wish) === JSON.stringify(this.wanted) || performance.now() > this.lost) this.wanted = null;
    if (told.stand !== this.stand) {
      if (this.stand && OVER.includes(told.stand)) this.component.setTriggerValue("stand", told.stand);
      this.stand = told.stand;
      announce(this.sentence());
    }
    say(this.status, this.sentence());
    say(this.note, { done: told.why, training: told.said, waiting: told.said }[told.stand] ?? "");
    this.offer();
    this.root.classList.toggle("blank", !this.frames.length);
    this.root.classList.toggle("nothing", !this.frames.length && OVER.includes(told.stand));
    if (this.frames.length && (told.frames.length || other >= 0)) {
      this.scrub.max = String(this.frames.length - 1);
      this.distortion.draw(this.frames);
      this.rate.draw(this.frames);
      this.look(this.follows ? this.frames.length - 1 : Math.min(Number(this.scrub.value), this.frames.length - 1));
    }
    if (this.frames.length < told.steps.length) return 1;
    if (OVER.includes(told.stand)) return 0;
    if (told.before) return SLOWER;
    return this.frames.length ? EACH : SOON;
  }

  /** What the process is to do, as far as it was wished here. */
  get wish() {
    return this.wanted ?? this.told.wish;
  }

  sentence() {
    const { stand, before, why, measures } = this.told;
    const last = this.frames.at(-1);
    if (stand === "failed") return why;
    if (stand === "done" && this.data.brought) return "It is here, and measured.";
    if (stand === "done") return "It has learned. This is your network now.";
    if (stand === "stopped") return "Stopped, and kept: it can go on from here.";
    if (stand === "waiting" && before)
      return `It waits: ${before} ${before === 1 ? "training is" : "trainings are"} before this one.`;
    if (this.data.brought) return "It is tried, and measured …";
    if (measures) return "It has learned. Now it is tried on the pictures that it has never seen …";
    if (stand === "waiting" || !last?.step) return "It begins …";
    if (this.wish.pause) return "It pauses. After two minutes it stops, and can go on from there.";
    const left = last.left === null ? "" : ` · about ${duration(last.left)} to go`;
    return `Epoch ${Math.floor(last.epoch)} of ${Math.round((last.epoch * last.steps) / last.step)}${left}`;
  }

  /** What can be wished now. */
  offer() {
    const { stand, measures, lost } = this.told;
    const { pause, slow } = this.wish;
    /** @type {[string, string, () => Partial<Wish>][]} */
    const wishes = [];
    if (stand === "training" && !measures) {
      if (pause) {
        wishes.push(["Go on", "go", () => ({ pause: false })]);
        wishes.push(["One step", "step", () => ({ steps: this.wish.steps + 1 })]);
      } else wishes.push(["Pause", "pause", () => ({ pause: true })]);
      wishes.push([slow ? "Full speed" : "Slow motion", "slow", () => ({ slow: !slow })]);
    }
    if ((stand === "training" && !measures) || stand === "waiting")
      wishes.push(["Stop", "stop", () => ({ pause: false, stop: true })]);
    if (stand === "stopped" || lost) wishes.push(["Go on", "go", () => ({ pause: false, slow: false, stop: false })]);
    const now = JSON.stringify(wishes);
    if (now === this.offered) return;
    this.offered = now;
    const held = this.buttons.contains(/** @type {ShadowRoot} */ (this.root.getRootNode()).activeElement);
    this.buttons.replaceChildren(
      ...wishes.map(([word, name, what]) =>
        element("button", { "data-testid": `wish-${name}`, onclick: () => this.want(what()) }, word),
      ),
    );
    if (held) /** @type {HTMLElement} */ (this.buttons.firstElementChild)?.focus();
  }

  /** @param {Partial<Wish>} what on top of what was wished before, even if the server has not said so yet */
  want(what) {
    this.wanted = { ...this.wish, ...what };
    this.lost = performance.now() + HEARD;
    this.component.setTriggerValue("wish", this.wanted);
    this.offer();
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
