// What one can do without a mouse, on "?"; and the way to the tour.

import { element } from "../shared/dom.js";

/** @type {[string, string][]} */
const KEYS = [
  ["Tab", "to the next control, with Shift to the one before"],
  ["← → ↑ ↓", "move a slider, a place on a map, or a pixel; with Shift in small steps"],
  ["Page up, Page down", "move a slider in large steps"],
  ["Enter", "on a slider: type a number; on the map: take the nearest picture; on a pixel: switch it, as Space does"],
  ["Backspace", "on a slider: back to where the picture lies"],
  ["+ −", "make the map larger or smaller"],
  ["A, B", "on the map: take the points around as a group"],
  ["Ctrl + V", "bring a picture of your own; or drop it anywhere"],
  ["F6", "on the tour: to what it is about, and back"],
  ["Esc", "close what is open"],
];

export class Help {
  /** @param {() => void} tour */
  constructor(tour) {
    /** @param {[string, string]} key */
    const row = ([keys, does]) => [element("dt", {}, keys), element("dd", {}, does)];
    const close = () => this.sheet.close();
    const begin = () => {
      close();
      tour();
    };
    this.sheet = element(
      "dialog",
      { class: "help", "aria-label": "Help", "data-testid": "help" },
      element("h2", { tabindex: -1, autofocus: "" }, "Keys"),
      element("dl", {}, ...KEYS.flatMap(row)),
      element(
        "div",
        { class: "row" },
        element("button", { type: "button", onclick: begin }, "Take the tour"),
        element("button", { type: "button", onclick: close }, "Close"),
      ),
    );
    document.addEventListener("keydown", (event) => event.key === "?" && !isTyping(event) && this.open());
    document.addEventListener("click", (event) => {
      if (isOn(event, "help")) this.open();
    });
  }

  open() {
    if (this.sheet.open) return;
    document.querySelector("[data-testid=stApp]").append(this.sheet); // where colours and letters are the page's
    this.sheet.showModal();
  }
}

// Whether an event is on something that is marked by a data attribute, or in it.
export const isOn = (event, mark) => event.composedPath().some((one) => one.dataset?.[mark] !== undefined);

function isTyping(event) {
  const [field] = event.composedPath();
  return field.matches?.("textarea, [contenteditable], input:not([type=range], [type=radio], [type=checkbox])");
}
