// Sliders by name: each asks for more or less of something that can be measured of the picture, and says what was got.

import { announce, element, markup, nats, refocused, say, stopOnce } from "../../shared/dom.js";
import { MORE, eager } from "../../shared/hand.js";
import { MEASURES, classReader, grey } from "./factors.js";

const STEPS = 60; // of a key, from the middle to an end

export class Named {
  // `explore` has z and all that is known of it
  constructor(explore) {
    this.explore = explore;
    const { kind, rows, classes, yours } = explore.data.named;
    const mine = yours.map((told) => this.row(told, told.reading ? classReader(told.reading) : null));
    const first = rows.map((told) => this.row(told, MEASURES[kind][told.name]));
    const towards = classes.map((told) => this.row(told, classReader(told.reading)));
    this.rows = [...mine, ...first, ...towards];
    this.reached = []; // where these sliders led last
    this.box = element("div", { class: "section" }, ...first.map((row) => row.box));
    if (mine.length) this.box.prepend(this.kept(mine));
    if (towards.length) {
      const summary = element("summary", {}, "Towards another kind of picture");
      this.box.append(element("details", { "data-testid": "towards" }, summary, ...towards.map((row) => row.box)));
    }
    stopOnce(this.box);
  }

  // Those that the visitor kept, or that came with a link.
  kept(rows) {
    for (const row of rows) {
      const dropping = { class: "drop", "data-testid": `named-${row.name}-drop`, onclick: () => this.drop(row) };
      row.box.classList.add("yours");
      row.box.append(element("button", { ...dropping, "aria-label": `Drop ${row.words}` }, "Drop"));
    }
    const says = markup("Yours, asked in standard deviations of the encodings");
    const group = { class: "kept-ones", role: "group", "aria-label": "Yours" };
    return element("div", group, element("div", { class: "quiet" }, says), ...rows.map((row) => row.box));
  }

  // The picture stays where it is; all others are asked anew from there.
  drop(row) {
    const { explore } = this;
    const { named } = explore.data;
    const left = { ...named, yours: named.yours.filter((one) => one.words !== row.words) };
    const isAny = left.yours.length + left.rows.length > 0;
    explore.data = { ...explore.data, named: isAny ? left : null };
    explore.component.setTriggerValue("dropped", row.words);
    refocused(
      explore.root,
      (one) => one.dataset.testid,
      () => explore.look(isAny ? "named" : "sliders"),
      () => explore.root.querySelector("[data-testid^=named-], [data-testid^=latent-]"),
    );
    announce(`${row.words} is dropped`);
  }

  /**
   * @param {NamedRow} told
   * @param {((picture: import("./factors.js").Grey) => number) | null} measure null where nothing says what was got
   */
  row(told, measure) {
    const testid = `named-${told.name}`;
    const input = element("input", {
      type: "range",
      min: -told.most,
      max: told.most,
      step: "any",
      "data-testid": testid,
      "aria-label": `${told.words}: ${told.unit} more or less than now`,
      title: "Arrow keys move, Backspace or a right click goes back",
      oninput: () => this.ask(row, Number(input.value)),
      onchange: () => this.explore.commit(),
      oncontextmenu: (event) => {
        event.preventDefault();
        this.ask(row, 0);
        this.explore.settling.later();
      },
      onkeydown: (event) => this.key(event, row),
    });
    input.value = "0";
    const value = element("span", { class: "value", "data-testid": `${testid}-value` });
    const got = element("span", { "data-testid": `${testid}-got` });
    const row = {
      ...told,
      measure,
      input: eager(input),
      value,
      got,
      asked: 0,
      before: null, // what was measured where nothing was asked
      box: element(
        "div",
        { class: "named" },
        element("b", {}, told.words),
        element("div", { class: "track" }, input),
        value,
        element("div", { class: "quiet note" }, got, element("span", { title: told.sure }, markup(told.short))),
      ),
    };
    return row;
  }

  // ---- by hand ----

  ask(row, asked) {
    this.follow();
    row.asked = Math.min(Number(row.input.max), Math.max(Number(row.input.min), asked));
    const to = this.from.map((value, i) => this.rows.reduce((sum, one) => sum + one.asked * one.step[i], value));
    this.reached = this.explore.within(to);
    this.explore.moveTo(to);
  }

  key(event, row) {
    const by = { ...MORE, PageUp: 10, PageDown: -10 }[event.key];
    if (event.key === "Backspace" || event.key === "Delete") this.ask(row, 0);
    else if (by) this.ask(row, row.asked + (by * row.most) / STEPS / (event.shiftKey ? 10 : 1));
    else return;
    event.preventDefault();
    this.explore.settling.later();
  }

  // Where something else has moved z, all is asked anew from there.
  follow() {
    if (isSame(this.explore.z, this.reached)) return;
    this.reached = this.explore.z;
    this.from = this.explore.z;
    for (const row of this.rows) {
      row.asked = 0;
      row.before = null;
    }
  }

  // ---- what is seen ----

  // Put the sliders where they are asked.
  place() {
    this.follow();
    for (const row of this.rows) if (Number(row.input.value) !== row.asked) row.input.value = String(row.asked);
  }

  // Nothing is asked beyond what is usual, where that is known: there nothing was judged, and little would be got.
  /** @param {NamedRow & { input: HTMLInputElement, before: number | null }} row */
  start(row, now) {
    const [low, high] = row.range ?? [-Infinity, Infinity];
    row.before = now;
    row.input.min = String(Math.max(-row.most, Math.min(0, low - now)));
    row.input.max = String(Math.min(row.most, Math.max(0, high - now)));
  }

  // The picture of a place: measured, and compared with that where nothing was asked.
  show(mean, z) {
    this.follow();
    const picture = grey(mean, this.explore.data.shape);
    for (const row of this.rows) {
      const now = row.measure ? row.measure(picture) : null;
      if (isSame(z, this.from)) this.start(row, now);
      say(row.value, state(row, now));
      row.input.setAttribute("aria-valuetext", state(row, now));
      say(row.got, row.asked ? `asked ${signed(row, row.asked)}${got(row, now)}` : "");
    }
  }
}

/** @param {Place} a @param {Place} b */
const isSame = (a, b) => a.length === b.length && a.every((value, i) => value === b[i]);

const SIGNS = { degrees: "°", pixels: " px", "%": " %", nats: " nats", "standard deviations": " standard deviations" };

/** @param {NamedRow} row */
const amount = ({ unit, digits }, value) => `${nats(value, digits)}${SIGNS[unit]}`;

// Log-odds are told as how probable the class is, and where nothing is measured, what is asked.
/** @param {NamedRow & { asked: number }} row */
function state(row, value) {
  if (value === null) return `${row.asked > 0 ? "+" : ""}${nats(row.asked, row.digits)}`;
  return row.reading ? `${nats(100 / (1 + Math.exp(-value)), 0)} %` : amount(row, value);
}

// In the unit that was asked for, or else as two states: standard deviations of z are none of a picture.
/** @param {NamedRow & { asked: number, before: number | null }} row */
function got(row, now) {
  if (now === null) return "";
  if (row.before === null) return ", got –";
  return `, got ${row.unit === "standard deviations" ? `${state(row, row.before)} → ${state(row, now)}` : signed(row, now - row.before)}`;
}

/** @param {NamedRow} row */
const signed = (row, value) => `${value > 0 ? "+" : ""}${amount(row, value)}`;
