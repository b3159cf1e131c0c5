// How it is trained: a recorded training to scrub through, one step of it, and what its gradients and its loss are.

import { element, say } from "../../shared/dom.js";
import { Settling } from "../../shared/hand.js";
import { mounted } from "../../shared/mounted.js";
import { Bound } from "./bound.js";
import { Gradients } from "./gradients.js";
import { Likelihood } from "./likelihood.js";
import { Path } from "./path.js";
import { recorded } from "./recorded.js";
import { Step } from "./step.js";

// What each part is called in a link, and on its tab.
/** @type {Record<string, [string, any]>} */
const PARTS = {
  path: ["The whole training", Path],
  step: ["One step", Step],
  gradient: ["Two gradients", Gradients],
  likelihood: ["Why it is blurred", Likelihood],
  bound: ["A closer bound", Bound],
};
const TURNS = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity };

class Training {
  constructor(parent) {
    this.root = parent.appendChild(element("div", { class: "lab" }));
    this.settling = new Settling(() => this.component.setStateValue("see", this.seen()));
    this.rev = null;
  }

  end() {
    this.settling.stop();
    this.ended = true;
    this.part?.end();
  }

  async update(component) {
    this.component = component;
    const { data } = component;
    if (data.rev === this.rev) return;
    this.rev = data.rev;
    this.data = data;
    const [part, ...rest] = data.see.split(".");
    this.chosen = part in PARTS ? part : "path";
    this.kept = { [this.chosen]: rest.map(Number) }; // what each part was left at
    this.build();
    try {
      this.file = await recorded(data.file);
    } catch (error) {
      say(this.status, "The recorded training could not be fetched: load the page again.");
      throw error;
    }
    if (this.ended) return;
    say(this.status, "");
    this.show();
  }

  build() {
    this.tabs = Object.entries(PARTS).map(([key, [title]]) =>
      element(
        "button",
        {
          role: "tab",
          id: `tab-${key}`,
          "aria-controls": "part",
          "data-testid": `tab-${key}`,
          onclick: () => this.choose(key),
        },
        title,
      ),
    );
    this.status = element("div", { class: "quiet", role: "status" }, "Fetching the recorded training …");
    this.box = element("div", { role: "tabpanel", id: "part" });
    this.root.replaceChildren(
      element(
        "div",
        {
          class: "row parts",
          role: "tablist",
          "aria-label": "Parts of this chapter",
          onkeydown: (event) => this.key(event),
        },
        ...this.tabs,
      ),
      this.status,
      this.box,
    );
    this.mark();
  }

  mark() {
    Object.keys(PARTS).forEach((key, i) => {
      this.tabs[i].setAttribute("aria-selected", String(key === this.chosen));
      this.tabs[i].tabIndex = key === this.chosen ? 0 : -1;
    });
    this.box.setAttribute("aria-labelledby", `tab-${this.chosen}`);
  }

  key(event) {
    const keys = Object.keys(PARTS);
    if (!(event.key in TURNS)) return;
    event.preventDefault();
    const next = keys.indexOf(this.chosen) + TURNS[event.key];
    const at = Math.min(keys.length - 1, Math.max(0, next));
    this.choose(keys[at]);
    this.tabs[at].focus();
  }

  choose(key) {
    this.chosen = key;
    this.mark();
    if (!this.file) return;
    this.show();
    this.settling.later();
  }

  show() {
    this.part?.end();
    const [, Part] = PARTS[this.chosen];
    this.part = new Part(this, this.kept[this.chosen] ?? []);
    this.box.replaceChildren(this.part.root);
    this.part.begin();
  }

  // A part says where it is, in whole numbers.
  moved(...where) {
    this.kept[this.chosen] = where;
    this.settling.later();
  }

  seen() {
    return [this.chosen, ...(this.kept[this.chosen] ?? [])].join(".");
  }
}

export default await mounted((parent) => new Training(parent), "lessons/diagram.css", "lessons/training.css");
