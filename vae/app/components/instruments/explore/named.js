// Sliders by name: each asks for more or less of something that can be measured of the picture, and says what was got.

import { element, markup, nats, say, stopOnce } from "../../shared/dom.js";
import { MORE, eager } from "../../shared/hand.js";
import { MEASURES, classReader, grey } from "./factors.js";

const STEPS = 60; // of a key, from the middle to an end

export class Named {
  // `explore` has z and all that is known of it
  constructor(explore) {
    this.explore = explore;
    const { kind, rows, classes } = explore.data.named;
    const first = rows.map((told) => this.row(told, MEASURES[kind][told.name]));
    const towards = classes.map((told) => this.row(told, classReader(told.reading)));
    this.rows = [...first, ...towards];
    this.reached = []; // where these sliders led last
    this.box = element("div", { class: "section" }, ...first.map((row) => row.box));
    if (towards.length) {
      const summary = element("summary", {}, "Towards another kind of picture");
      this.box.append(element("details", { "data-testid": "towards" }, summary, ...towards.map((row) => row.box)));
    }
    stopOnce(this.box);
  }

  /** @param {NamedRow} told */
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

  // Nothing is asked beyond what is usual: there nothing was judged, and little would be got.
  /** @param {NamedRow & { input: HTMLInputElement, before: number | null }} row */
  start(row, now) {
    const [low, high] = row.range;
    row.before = now;
    row.input.min = String(Math.max(-row.most, Math.min(0, low - now)));
    row.input.max = String(Math.min(row.most, Math.max(0, high - now)));
  }

  // The picture of a place: measured, and compared with that where nothing was asked.
  show(mean, z) {
    this.follow();
    const picture = grey(mean, this.explore.data.shape);
    for (const row of this.rows) {
      const now = row.measure(picture);
      if (isSame(z, this.from)) this.start(row, now);
      say(row.value, state(row, now));
      row.input.setAttribute("aria-valuetext", state(row, now));
      const got = row.before === null ? "–" : signed(row, now - row.before);
      say(row.got, row.asked ? `asked ${signed(row, row.asked)}, got ${got}` : "");
    }
  }
}

/** @param {Place} a @param {Place} b */
const isSame = (a, b) => a.length === b.length && a.every((value, i) => value === b[i]);

const SIGNS = { degrees: "°", pixels: " px", "%": " %", nats: " nats" };

/** @param {NamedRow} row */
const amount = ({ unit, digits }, value) => `${nats(value, digits)}${SIGNS[unit]}`;

// Log-odds are told as how probable the class is.
/** @param {NamedRow} row */
const state = (row, value) => (row.reading ? `${nats(100 / (1 + Math.exp(-value)), 0)} %` : amount(row, value));

/** @param {NamedRow} row */
const signed = (row, value) => `${value > 0 ? "+" : ""}${amount(row, value)}`;
