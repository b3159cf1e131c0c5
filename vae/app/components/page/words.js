// Words that explain themselves: one box for the whole document, whose words are in many shadows.

import { element } from "../shared/dom.js";
import { TERMS } from "../shared/told.js";

const wordOf = (event) => event.composedPath().find((one) => one.dataset?.word);

export class Words {
  constructor() {
    this.word = null;
    // in the top layer nothing lies over it
    this.box = element("div", {
      class: "entry",
      popover: "manual",
      role: "dialog",
      "aria-label": "Glossary",
      "data-testid": "entry",
    });
    const listen = (kind, heard) => document.addEventListener(kind, heard, true);
    listen("pointerover", (event) => event.pointerType !== "touch" && !this.holds(event) && this.meet(wordOf(event)));
    listen("focusin", (event) => !this.holds(event) && this.meet(wordOf(event)));
    listen("focusout", (event) => !this.box.contains(event.relatedTarget) && this.close());
    // the tap that opens it does so by its focus already; the next one closes it
    listen("pointerdown", (event) => (this.tapped = event.pointerType === "touch" ? this.word : null));
    listen("click", (event) => this.click(event));
    listen("keydown", (event) => event.key === "Escape" && this.leave());
    listen("scroll", () => this.word && this.place());
  }

  holds(event) {
    return event.composedPath().includes(this.box);
  }

  click(event) {
    if (this.holds(event)) return;
    const word = wordOf(event);
    const within = this.box.querySelector("button");
    if (word && word === this.word && event.detail === 0 && within) within.focus(); // by Enter
    else if (this.word && this.tapped === word) this.close();
    else this.meet(word);
  }

  meet(word) {
    if (!word) this.close();
    else if (word !== this.word) this.show(word);
  }

  show(word) {
    this.word = word;
    document.querySelector("[data-testid=stApp]").append(this.box); // where colours and letters are the page's
    this.box.replaceChildren(...this.about(TERMS[word.dataset.word]));
    this.box.showPopover();
    this.place();
  }

  /** @param {Term} term */
  about({ name, sentence, unit, formula, chapter }) {
    const line = (kind, text) => (text ? [element("div", { class: kind }, text)] : []);
    const leads = () => {
      this.close();
      document.vaeLab.turnTo(chapter);
    };
    return [
      element("b", {}, name),
      ...line("said", sentence),
      ...line("formula", formula),
      ...line("unit", unit && `in ${unit}`),
      ...(chapter ? [element("button", { type: "button", onclick: leads }, "See it in How it works")] : []),
    ];
  }

  place() {
    Object.assign(this.box.style, { left: 0, top: 0 });
    const [at, own] = [this.word.getBoundingClientRect(), this.box.getBoundingClientRect()];
    const below = at.bottom + own.height < innerHeight;
    this.box.style.left = `${Math.max(12, Math.min(at.left, innerWidth - own.width - 12))}px`;
    this.box.style.top = `${below ? at.bottom : at.top - own.height}px`;
  }

  // back to the word, if the keyboard was within the box
  leave() {
    if (this.box.contains(document.activeElement)) this.word.focus();
    this.close();
  }

  close() {
    if (!this.word) return;
    this.word = null;
    this.box.hidePopover();
  }
}
