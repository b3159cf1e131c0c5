// What is said of a place: a verdict in words with the two numbers that matter, and one step behind all of them.

import { element, labelled, markup, nats, numbers, say } from "../../shared/dom.js";
import { inkInCommon, nearness } from "../../shared/paint.js";

// How usual a place is, by the share of random draws that lie further out, at least.
/** @type {[number, string][]} */
const USUAL = [
  [0.98, "More ordinary than its random pictures"],
  [0.02, "As ordinary as its random pictures"],
  [0.0005, "Rarer than nearly all its random pictures"],
  [-1, "Further out than it ever draws by itself"],
];

const percent = (share) => `${nats(100 * share, share < 0.01 ? 2 : 0)} %`;
const quiet = (text = "") => element("span", { class: "quiet note" }, text);
const cell = (...parts) => element("div", { class: "cell" }, ...parts);

export class Readouts {
  /**
   * @param {HTMLCanvasElement} thumb
   * @param {number} latents
   * @param {number} levels of a pixel; 2 where pictures are bits
   */
  constructor(thumb, latents, levels) {
    this.isBits = levels === 2;
    this.read = {};
    this.drift = quiet();
    this.givenName = quiet();
    this.verdict = element("div", { class: "verdict", "data-testid": "verdict" });
    const number = (name) => (this.read[name] = element("span", { class: "number", "data-testid": `read-${name}` }));
    const share = (name, words) => cell(number(name), element("span", { class: "quiet" }, markup(words)));
    const value = (words, symbol, name, note) => cell(labelled(words, symbol), number(name), note);
    this.first = element(
      "div",
      { class: "brief" },
      this.verdict,
      share("further", "of its random pictures are rarer"),
      share("common", this.isBits ? "of the ink as in the original, <x>" : "is how near it is to the original, <x>"),
    );
    this.numbers = numbers(
      element(
        "div",
        { class: "readouts", "data-testid": "readouts" },
        value("density under the prior", "log p(<z>), nats", "prior", quiet("higher is more usual")),
        value("information in the picture", "KL of <xhat>, nats", "again", this.drift),
        element("div", { class: "given" }, thumb, cell(markup("compared with <x>"), this.givenName)),
        value("how well <z> explains <x>", "log p(<x>|<z>), nats", "likelihood", quiet("of all its pixels")),
        value("density where <x> lies", "log q(<z>|<x>), nats", "posterior", quiet("of all latents")),
        value("distance from <x>", "‖(<z> − <mu>) / <sigma>‖²", "distance", quiet(`${latents} on average under q`)),
      ),
    );
  }

  /** @param {string} given */
  name(given) {
    say(this.givenName, given);
  }

  /**
   * The answer to a place; `seen` are the bytes of the picture that it is compared with, if there is one.
   * @param {any} answer
   * @param {Pixels | null} seen
   */
  show(answer, seen) {
    const compared = (text) => (seen ? text : "–");
    say(this.verdict, USUAL.find(([least]) => answer.further_out > least)[1]);
    say(this.read.further, percent(answer.further_out));
    const common = (mean) => (this.isBits ? percent(inkInCommon(mean, seen)) : `${nats(nearness(mean, seen))} dB`);
    say(this.read.common, seen ? common(answer.mean) : "–");
    say(this.read.prior, nats(answer.log_prior));
    say(this.read.again, nats(answer.round_trip_kl.reduce((sum, value) => sum + value, 0)));
    const isTold = !Number.isNaN(answer.drift);
    say(this.drift, isTold ? `encoded again, ${nats(answer.drift)} σ away` : "when the hand rests");
    say(this.read.likelihood, compared(nats(answer.log_likelihood)));
    say(this.read.posterior, compared(nats(answer.log_posterior)));
    say(this.read.distance, compared(nats(answer.distance)));
  }
}
