// The derivation of the identity, a line at a time, with the numbers of the picture that is there.

import { element, nats, refocused, say } from "../../shared/dom.js";
import { NEXT } from "../../shared/hand.js";
import { formula } from "./formula.js";

// Each line: why, and its terms: sign, symbols, and the number from what is known.
/** @type {[string, [string, string, (n: Record<string, number>) => number][]][]} */
const LINES = [
  [
    "Bayes’ rule, here at <z> = <mu>",
    [
      ["", "log p(<x>)", (n) => n.log_evidence],
      ["=", "log p(<x>|<z>)", (n) => n.likelihood_at_mu],
      ["+", "log p(<z>)", (n) => n.prior_at_mu],
      ["−", "log p(<z>|<x>)", (n) => n.likelihood_at_mu + n.prior_at_mu - n.log_evidence],
    ],
  ],
  [
    "It holds at every <z>, so on average over any q",
    [
      ["", "log p(<x>)", (n) => n.log_evidence],
      ["=", "E_q[log p(<x>|<z>)]", (n) => n.reconstruction],
      ["+", "E_q[log p(<z>)]", (n) => n.expected_prior],
      ["−", "E_q[log p(<z>|<x>)]", (n) => -n.entropy - n.gap],
    ],
  ],
  [
    "Add E_q[log q(<z>)] and take it away again",
    [
      ["", "log p(<x>)", (n) => n.log_evidence],
      ["=", "E_q[log p(<x>|<z>)]", (n) => n.reconstruction],
      ["+", "E_q[log p(<z>) − log q(<z>)]", (n) => n.expected_prior + n.entropy],
      ["+", "E_q[log q(<z>) − log p(<z>|<x>)]", (n) => n.gap],
    ],
  ],
  [
    "Two of them are divergences",
    [
      ["", "log p(<x>)", (n) => n.log_evidence],
      ["=", "E_q[log p(<x>|<z>)]", (n) => n.reconstruction],
      ["−", "KL(q || p(<z>))", (n) => n.kl],
      ["+", "KL(q || p(<z>|<x>))", (n) => n.gap],
    ],
  ],
  [
    "No divergence is negative",
    [
      ["", "log p(<x>)", (n) => n.log_evidence],
      ["≥", "ELBO", (n) => n.reconstruction - n.kl],
    ],
  ],
];

export class Proof {
  constructor(posterior) {
    this.posterior = posterior;
    this.line = 1; // how many are there
    this.box = element("div");
  }

  begin(line) {
    this.line = line >= 1 && line <= LINES.length ? line : 1;
    this.box = element("div", {
      class: "proof",
      "data-testid": "lines",
      tabindex: 0,
      role: "group",
      "aria-label": "The derivation: arrow keys turn its lines",
      onkeydown: (event) => this.key(event),
    });
  }

  build() {
    const button = (word, by, off) => element("button", { onclick: () => this.turn(by), disabled: off && "" }, word);
    const rows = LINES.slice(0, this.line).map(([why, terms], line) =>
      element(
        "div",
        { class: "line-of" },
        element("div", { class: "quiet" }, formula(why)),
        element(
          "div",
          { class: "identity" },
          ...terms.map(([sign, label], term) =>
            element(
              "span",
              { class: "term" },
              element("i", {}, sign),
              element(
                "span",
                {},
                formula(label),
                element("br"),
                element("span", { class: "value", "data-term": `${line}.${term}` }),
              ),
            ),
          ),
        ),
      ),
    );
    const turning = element(
      "div",
      { class: "row" },
      button("One line less", -1, this.line === 1),
      button("One line more", 1, this.line === LINES.length),
      element("span", { class: "quiet" }, `line ${this.line} of ${LINES.length}`),
    );
    const remake = () => this.box.replaceChildren(...rows, turning);
    refocused(
      this.box,
      (one) => one.textContent,
      remake,
      () => this.box,
    );
    if (this.posterior.numbers) this.write(this.posterior.numbers);
  }

  write(numbers) {
    /** @type {NodeListOf<HTMLElement>} */
    const places = this.box.querySelectorAll("[data-term]");
    places.forEach((place) => {
      const [line, term] = place.dataset.term.split(".").map(Number);
      const [, , of] = LINES[line][1][term];
      say(place, nats(of(numbers), 2));
    });
  }

  turn(by) {
    this.line = Math.min(LINES.length, Math.max(1, this.line + by));
    this.build();
    this.posterior.tellLine(this.line);
  }

  key(event) {
    const by = NEXT[event.key];
    if (!by) return;
    event.preventDefault();
    this.turn(by);
  }
}
