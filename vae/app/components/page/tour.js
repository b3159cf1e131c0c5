// Six stops through the lab, each done when the reader has done the thing. It lies over nothing that is needed, can be left
// at any time, and never comes back unless asked.

import { announce, element, keep, kept, refocused } from "../shared/dom.js";
import { onlyLeads } from "../shared/hand.js";

const KEY = "tour";
const LOOKS = 250; // ms between two looks at where the stop's control is
const HEAD = 60; // pixels of the page's head, which is opaque where there is little room

const page = (path) => () =>
  /** @type {HTMLElement | null} */ (
    [...document.querySelectorAll("[data-testid=stSidebar] a")].find((link) => link.getAttribute("href") === path)
  )?.click();

/** `at` is the control, `done` the events on it that show that the reader did the thing. */
const STOPS = [
  {
    go: page(""),
    path: "",
    at: "[data-testid^=named-], [data-testid^=latent-]",
    done: ["pointerup", "input", "keydown"],
    says: "Drag a slider. The picture follows your hand: you are changing one of the numbers that it is drawn from.",
  },
  {
    go: page("latent_map"),
    path: "latent_map",
    at: "[data-testid=map]",
    done: ["pointermove", "pointerup", "keydown"],
    says: "Point anywhere on this map. The network draws what belongs there, also where no picture is.",
  },
  {
    go: page("reconstruct"),
    path: "reconstruct",
    at: "[data-own]",
    done: ["own"],
    says: "Bring a picture of your own: choose or photograph it here, or drop or paste it anywhere. See what comes back.",
  },
  {
    go: page("interpolate"),
    path: "interpolate",
    at: "[data-testid=scrub]",
    done: ["pointerup", "input", "keydown"],
    says: "Drag this slider to travel from one picture to the other. All that you meet is made up.",
  },
  {
    go: () => document.vaeLab.turnTo("bayes"),
    path: "how_it_works",
    at: "canvas[data-testid=x]",
    done: ["pointerup", "keydown"],
    says: "Switch a pixel on or off. The rings show where the network believes the picture lies, and where it really does.",
  },
  {
    go: page("reconstruct"),
    path: "reconstruct",
    at: ".st-key-resample button",
    done: ["click"],
    says: "Press this. The network is not sure of its numbers: each time it draws from others that fit as well.",
  },
];

/** @param {string} selector */
function find(selector) {
  const roots = /** @type {(Document | ShadowRoot)[]} */ ([document]);
  for (const root of roots) {
    const found = [...root.querySelectorAll(selector)].find((one) => one.checkVisibility());
    if (found) return found;
    for (const one of root.querySelectorAll("*")) if (one.shadowRoot) roots.push(one.shadowRoot);
  }
  return null;
}

const here = () => location.pathname.split("/").pop();
// where colours and letters are the page's, once Streamlit is there
const app = () => document.querySelector("[data-testid=stApp]");

export class Tour {
  constructor() {
    this.card = element("section", { class: "tour", "aria-label": "Tour", "data-testid": "tour" });
    this.ring = element("div", { class: "ring" });
    this.stop = null;
    this.isDone = false;
    for (const kind of new Set(STOPS.flatMap((stop) => stop.done)))
      document.addEventListener(kind, (event) => this.did(kind, event), true);
    document.addEventListener("keydown", (event) => {
      const other = document.querySelector("dialog[open], [popover]:popover-open");
      if (event.key === "Escape" && this.card.isConnected && !other) this.end();
      if (event.key === "F6" && this.stop !== null && !other) {
        event.preventDefault();
        this.cross();
      }
    });
    if (kept(KEY) === null) this.looking = setInterval(() => app() && this.meet(), LOOKS);
  }

  // The first visit: it begins by itself where its first stop is, and is offered elsewhere, until a hand is at work there.
  meet() {
    clearInterval(this.looking);
    if (here() === "") return this.go(0);
    this.show(
      "New here? A tour of six stops shows what one can do.",
      this.button("No, thanks", () => this.end()),
      this.button("Take the tour", () => this.go(0)),
    );
    const begins = (event) => this.stop === null && !this.card.contains(event.target) && this.card.remove();
    document.addEventListener("click", begins, { once: true, capture: true });
  }

  go(index) {
    this.stop = index;
    this.isDone = false;
    const { go, path, says } = STOPS[index];
    if (here() !== path || path === "how_it_works") go();
    this.say(says);
    announce(`Tour, stop ${index + 1} of ${STOPS.length}. ${says} F6 leads there and back.`);
    clearInterval(this.looking);
    this.scrolled = false;
    this.looking = setInterval(() => this.look(), LOOKS);
  }

  say(text) {
    const last = this.stop === STOPS.length - 1;
    const next = this.button(last ? "Done" : "Next", () => (last ? this.end() : this.go(this.stop + 1)));
    next.classList.toggle("ready", this.isDone);
    const done = element("span", { class: "done" }, this.isDone ? "✓ " : "", `${this.stop + 1} of ${STOPS.length}`);
    this.show(
      text,
      done,
      this.button("Leave", () => this.end()),
      next,
    );
  }

  show(text, ...buttons) {
    refocused(
      this.card,
      (button) => button.textContent,
      () => this.card.replaceChildren(element("p", {}, text), element("div", { class: "row" }, ...buttons)),
      () => buttons.at(-1),
    );
    if (!this.card.isConnected) app().prepend(this.card); // the keyboard comes to it first
  }

  control() {
    return /** @type {HTMLElement | null} */ (here() === STOPS[this.stop].path ? find(STOPS[this.stop].at) : null);
  }

  // From the card to what it is about, which many others may lie before, and from there back.
  cross() {
    const control = this.control();
    const isThere = control && /** @type {Document | ShadowRoot} */ (control.getRootNode()).activeElement === control;
    /** @type {HTMLElement | null} */ (isThere ? this.card.querySelector("button:last-child") : control)?.focus();
  }

  button(text, onclick) {
    return element("button", { type: "button", onclick }, text);
  }

  // Put the ring around the control, wherever it is now.
  look() {
    const control = this.control();
    if (!control) return this.ring.remove();
    if (!this.scrolled) control.scrollIntoView({ block: "nearest" });
    this.scrolled = true;
    const { left, top, width, height } = control.getBoundingClientRect();
    if (!this.ring.isConnected) app().append(this.ring);
    Object.assign(this.ring.style, {
      left: `${left - 6}px`,
      top: `${top - 6}px`,
      width: `${width + 12}px`,
      height: `${height + 12}px`,
    });
    const tall = this.card.offsetHeight + 24;
    const low = top + height > innerHeight - tall && top > HEAD + tall;
    this.card.classList.toggle("above", low);
  }

  did(kind, event) {
    if (this.stop === null || this.isDone || !STOPS[this.stop].done.includes(kind)) return;
    const on = kind === "own" || event.composedPath().some((one) => one.matches?.(STOPS[this.stop].at));
    // a finger that moves may only scroll, and a key only lead on
    if (!on || (kind === "pointermove" && event.pointerType === "touch") || onlyLeads(event)) return;
    this.isDone = true;
    this.say(STOPS[this.stop].says);
    announce("Done. Next leads on.");
  }

  end() {
    clearInterval(this.looking);
    keep(KEY, "done");
    if (this.card.contains(document.activeElement)) {
      const control = this.stop === null ? null : this.control();
      /** @type {HTMLElement | null} */ (control ?? document.querySelector("[data-testid=stMain]"))?.focus();
    }
    this.stop = null;
    this.card.remove();
    this.ring.remove();
  }
}
