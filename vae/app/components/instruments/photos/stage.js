// The photo and what comes back of it, in one place: a divider between them, their difference, or where the numbers are.

import { element, say } from "../../shared/dom.js";
import { MORE } from "../../shared/hand.js";
import { paint, redrawn } from "../../shared/paint.js";

const STRONGER = 4; // times: a difference that one can see
const STEP = 0.02; // of the divider, by an arrow key
/** @type {[string, string, number][]} */
const ZOOMS = [
  ["whole", "Whole", 0],
  ["pixels", "Its pixels", 1],
  ["large", "4 × as large", 4],
];
const SAVED = { compared: "given-back.png", difference: "difference.png", bits: "bits.png" };
const TALL = "min(70vh, 45rem)"; // the whole photo at most

export class Stage {
  /**
   * @param {Shape} shape
   * @param {Stage | undefined} before whose zoom and divider it takes over
   */
  constructor(shape, before) {
    this.shape = shape;
    this.words = ["", ""];
    const canvas = (name, label) =>
      element("canvas", { "data-testid": name, role: "img", "aria-label": label, width: shape[2], height: shape[1] });
    this.photo = canvas("original", "The photo");
    this.back = canvas("decoded", "What comes back");
    this.other = canvas("other-look", "The difference, or where the numbers are");
    this.over = element("div", { class: "over" }, this.back);
    this.tags = ["before", "after"].map((side) => element("span", { class: `tag ${side}` }));
    this.divider = element("div", {
      class: "divider",
      tabindex: 0,
      role: "slider",
      "aria-label": "Divider between the photo and what comes back",
      "aria-valuemin": 0,
      "aria-valuemax": 100,
      "data-testid": "divider",
      onkeydown: (event) => this.key(event),
    });
    this.third = element("div", { class: "over" }, this.other);
    this.stage = element(
      "div",
      {
        class: "stage",
        onpointerdown: (event) => this.down(event),
        onpointermove: (event) => this.stage.hasPointerCapture(event.pointerId) && this.follow(event),
      },
      this.photo,
      this.over,
      this.divider,
      this.third,
    );
    this.box = element(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "The photo", onscroll: () => this.hold() },
      this.stage,
    );
    // the tags stay where they are while an enlarged photo is moved below them
    this.frame = element("div", { class: "frame" }, this.box, ...this.tags);
    this.zooms = ZOOMS.map(([zoom, words]) =>
      element("button", { "data-testid": `zoom-${zoom}`, onclick: () => this.zoom(zoom) }, words),
    );
    this.zoom(before?.zoomed ?? "whole");
    this.divide(before?.at ?? 0.5);
  }

  // ---- the divider ----

  divide(share) {
    this.at = Math.min(1, Math.max(0, share));
    const percent = `${100 * this.at}%`;
    this.over.style.clipPath = `inset(0 0 0 ${percent})`;
    this.divider.style.left = percent;
    const now = Math.round(100 * this.at);
    this.divider.setAttribute("aria-valuenow", String(now));
    this.divider.setAttribute("aria-valuetext", `${now} % photo, ${100 - now} % given back`);
  }

  down(event) {
    if (event.button !== 0 || this.shows !== "compared") return;
    // A finger scrolls the page, and an enlarged photo, but on the divider itself.
    if (event.pointerType === "touch" && event.target !== this.divider) return;
    this.stage.setPointerCapture(event.pointerId);
    this.divider.focus({ preventScroll: true });
    this.follow(event);
    event.preventDefault();
  }

  follow(event) {
    const { left, width } = this.stage.getBoundingClientRect();
    this.divide((event.clientX - left) / width);
  }

  key(event) {
    const by = { ...MORE, PageUp: 10, PageDown: -10 }[event.key] * STEP * (event.shiftKey ? 0.25 : 1);
    const to = { Home: 0, End: 1 }[event.key] ?? this.at + by;
    if (Number.isNaN(to)) return;
    this.divide(to);
    event.preventDefault();
  }

  // ---- how large ----

  zoom(zoom) {
    const [, height, width] = this.shape;
    const times = ZOOMS.find(([name]) => name === zoom)[2];
    this.zoomed = zoom;
    const wide = times ? `${(width * times) / devicePixelRatio}px` : `calc(${TALL} * ${width / height})`;
    this.frame.style.width = `min(100%, ${wide})`;
    this.stage.style.width = times ? wide : "100%";
    this.stage.classList.toggle("large", times > 0);
    this.zooms.forEach((button, i) => (button.ariaPressed = String(ZOOMS[i][0] === zoom)));
    this.middle();
  }

  // The middle of the photo is seen, with the divider there.
  middle() {
    const { box, stage } = this;
    if (!stage.clientWidth) return; // it is not on the page yet
    if (this.zoomed === "whole") return this.hold();
    box.scrollTo((stage.clientWidth - box.clientWidth) / 2, (stage.clientHeight - box.clientHeight) / 2);
    this.divide((box.scrollLeft + box.clientWidth / 2) / stage.clientWidth);
    this.hold();
  }

  // The divider's handle stays within what is seen.
  hold() {
    const { box, stage } = this;
    const middle = box.scrollTop + Math.min(box.clientHeight, stage.clientHeight) / 2;
    this.divider.style.setProperty("--handle", this.zoomed === "whole" ? "50%" : `${middle}px`);
  }

  // ---- what is seen ----

  /** @param {Uint8Array | undefined} levels */
  original(levels) {
    if (!levels) return;
    this.levels = levels;
    paint(this.photo, levels, this.shape);
    this.differ();
  }

  /**
   * @param {Uint8Array} levels
   * @param {string} place
   */
  decoded(levels, place) {
    this.mean = levels;
    paint(this.back, levels, this.shape);
    this.back.dataset.see = place;
    redrawn(this.back);
    this.differ();
  }

  // What the two sides of the divider are.
  say(words) {
    this.words = words;
    if (this.shows === "compared") this.tags.forEach((tag, i) => say(tag, words[i]));
  }

  /**
   * One of compared, difference, bits; `told` are bits of each place, for the last.
   * @param {string} shows
   * @param {{ shares: Float32Array, shape: Pair, words: string } | null} told
   */
  look(shows, told) {
    this.shows = shows;
    const compared = shows === "compared";
    for (const part of [this.over, this.divider]) part.hidden = !compared;
    this.third.hidden = compared;
    this.stage.classList.toggle("still", !compared);
    this.tags[1].hidden = !compared;
    this.say(this.words);
    if (shows === "difference") {
      say(this.tags[0], `Grey: the same; else ${STRONGER} times the difference`);
      this.differ();
    }
    this.stage.classList.toggle("dimmed", shows === "bits");
    if (shows === "bits" && told) {
      say(this.tags[0], `Bright: many bits, ${told.words}`);
      const [rows, columns] = told.shape;
      const levels = new Uint8Array(3 * rows * columns);
      told.shares.forEach((share, i) =>
        [255, 220, 120].forEach((full, c) => (levels[c * rows * columns + i] = share * full)),
      );
      paint(this.other, levels, [3, rows, columns]);
    }
    this.other.style.imageRendering = shows === "bits" ? "pixelated" : "";
  }

  differ() {
    if (this.shows !== "difference" || !this.levels || !this.mean) return;
    const apart = this.mean.map((level, i) => Math.min(255, Math.max(0, 128 + STRONGER * (level - this.levels[i]))));
    paint(this.other, apart, this.shape);
  }

  // The picture that is seen, pixel by pixel; of two that are compared the one that comes back.
  save() {
    const whole = element("canvas", { width: this.shape[2], height: this.shape[1] });
    const pen = whole.getContext("2d");
    pen.imageSmoothingEnabled = false;
    pen.drawImage(this.shows === "compared" ? this.back : this.other, 0, 0, whole.width, whole.height);
    whole.toBlob((blob) => {
      const link = element("a", { href: URL.createObjectURL(blob), download: SAVED[this.shows] });
      link.click();
      URL.revokeObjectURL(link.href);
    });
  }
}
