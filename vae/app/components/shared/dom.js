// What the instruments are made of: elements, numbers and symbols.

import { PATTERN, SPELLED, TERMS } from "./told.js";

/**
 * An element: attributes that are false or null are left out, those that begin with "on" are listeners.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} attributes
 * @param {...(Node | string)} children
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/**
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} attributes
 * @param {...(Node | string)} children
 */
export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const said = new WeakMap(); // element -> its text

/**
 * Texts that stay as they are cost nothing: most do at 60 pictures a second.
 * @param {Node} element
 * @param {string} text
 */
export function say(element, text) {
  if (said.get(element) === text) return;
  said.set(element, text);
  element.textContent = text;
}

/** @param {number} value */
export function nats(value, digits = 1) {
  return Number.isFinite(value) ? value.toFixed(digits).replace("-", "−") : "–";
}

const GREEK = { mu: "μ", sigma: "σ", eps: "ε", xhat: "x̂" };
const WORD = new RegExp(PATTERN, "g");
// What must not wrap alone beside a button, as in look/glossary.py.
const [OPENING, CLOSING] = [/[(“−]*$/, /^[.,;:!?)”’…]*/];

/**
 * "log p(<z>), nats" -> text with the symbols in their colours, and what the glossary knows, each where it is first.
 * @param {string} text
 */
export function markup(text) {
  const plain = []; // the text that is read, letter by letter
  const nodes = []; // and for each letter what is shown: a symbol is one element, whose other letters show nothing
  for (const [all, symbol] of text.matchAll(/<(\w+)>|[^]/g)) {
    const read = symbol ? (GREEK[symbol] ?? symbol) : all;
    plain.push(...read.split(""));
    nodes.push(symbol ? element("b", { class: symbol }, read) : all, ...Array(read.length - 1).fill(""));
  }
  const span = element("span", { class: "label" });
  const seen = new Set();
  const letters = plain.join("");
  let end = 0;
  for (const found of letters.matchAll(WORD)) {
    const name = SPELLED[found[0]];
    if (seen.has(name)) continue;
    seen.add(name);
    const after = found.index + found[0].length;
    const first = found.index - letters.slice(end, found.index).match(OPENING)[0].length;
    const last = after + letters.slice(after).match(CLOSING)[0].length;
    const word = explained(name, ...nodes.slice(found.index, after));
    const kept = [...nodes.slice(first, found.index), word, ...nodes.slice(after, last)];
    span.append(...nodes.slice(end, first), kept.length > 1 ? element("span", { class: "kept" }, ...kept) : word);
    end = last;
  }
  span.append(...nodes.slice(end));
  return span;
}

/**
 * What page/words.js opens the glossary for.
 * @param {string} name
 * @param {...(Node | string)} inside
 */
export function explained(name, ...inside) {
  return element(
    "button",
    { type: "button", class: "word", "data-word": name, "aria-description": TERMS[name].sentence },
    ...inside,
  );
}

/**
 * The keyboard stops once at each word of the glossary, however often it stands there.
 * @param {ParentNode} within
 */
export function stopOnce(within) {
  const met = new Set();
  for (const word of /** @type {NodeListOf<HTMLElement>} */ (within.querySelectorAll("button.word"))) {
    word.tabIndex = met.has(word.dataset.word) ? -1 : 0;
    met.add(word.dataset.word);
  }
}

// A number's label: what it is in words, and behind them its symbol.
export function labelled(words, symbol) {
  const said = markup(`${words} `);
  const behind = markup(symbol);
  behind.className = "symbol";
  said.append(behind);
  return said;
}

/**
 * Numbers for those who want them, one step behind: a reader who opened them once finds them open everywhere.
 * @param {...Node} children
 */
export function numbers(...children) {
  const box = element("details", { class: "numbers" }, element("summary", {}, "Numbers"), ...children);
  box.open = kept("numbers") === "open";
  box.addEventListener("toggle", () => keep("numbers", box.open ? "open" : "closed"));
  return box;
}

/**
 * What this browser was told to keep; null where it keeps nothing.
 * @param {string} key
 */
export function kept(key) {
  try {
    return localStorage.getItem(key);
  } catch (error) {
    if (/** @type {DOMException} */ (error).name !== "SecurityError") throw error;
    return null;
  }
}

/**
 * @param {string} key
 * @param {string} value
 */
export function keep(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch (error) {
    const { name } = /** @type {DOMException} */ (error);
    if (name !== "SecurityError" && name !== "QuotaExceededError") throw error;
  }
}

const SPEAKS = 1000; // ms between two sentences
let speaking = 0;
let last = 0;

/**
 * Said by a screen reader once it has nothing else to say, the newest only and not more than one a second.
 * @param {string} text
 */
export function announce(text) {
  clearTimeout(speaking);
  const wait = Math.max(0, last + SPEAKS - performance.now());
  speaking = setTimeout(() => {
    last = performance.now();
    const said =
      document.getElementById("said") ?? element("div", { id: "said", class: "unseen", "aria-live": "polite" });
    if (!said.isConnected) document.body.append(said);
    said.textContent = said.textContent === text ? `${text}\u00a0` : text; // the same again is said again
  }, wait);
}

export function subscript(index) {
  return [...String(index)].map((digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]).join("");
}

/**
 * Elements made anew, under a keyboard's focus too: the one of the same name has it then, or what there is otherwise.
 * @param {HTMLElement} within
 * @param {(one: HTMLElement) => string | undefined} nameOf
 * @param {() => void} remake
 * @param {() => HTMLElement | null} otherwise
 */
export function refocused(within, nameOf, remake, otherwise = () => null) {
  const { activeElement } = /** @type {Document | ShadowRoot} */ (within.getRootNode());
  const name = within.contains(activeElement) ? nameOf(/** @type {HTMLElement} */ (activeElement)) : undefined;
  remake();
  if (name === undefined) return;
  /** @type {NodeListOf<HTMLButtonElement | HTMLSelectElement>} */
  const made = within.querySelectorAll("button, select");
  const same = [...made].find((one) => nameOf(one) === name && !one.disabled);
  (same ?? otherwise())?.focus();
}
