// What the instruments are made of: elements, numbers and symbols.

import { WORDS } from "./told.js";

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
const MARKED = new RegExp(`(<\\w+>|\\b(?:${Object.keys(WORDS).join("|")})\\b)`);

// "log p(<z>), nats" -> text with the symbol in its colour, and the words that explain themselves, each where it is first
export function markup(text) {
  const span = element("span", { class: "label" });
  const seen = new Set();
  for (const part of text.split(MARKED)) {
    const symbol = part.match(/^<(\w+)>$/)?.[1];
    if (symbol) span.append(element("b", { class: symbol }, GREEK[symbol] ?? symbol));
    else if (Object.hasOwn(WORDS, part) && !seen.has(part)) span.append(explained(part));
    else span.append(part);
    seen.add(part);
  }
  return span;
}

// What page.js opens a sentence for.
function explained(word) {
  return element("button", { type: "button", class: "word", "data-word": word, "aria-description": WORDS[word] }, word);
}

// A number's label: what it is in words, and behind them its symbol.
export function labelled(words, symbol) {
  const said = markup(`${words} `);
  const behind = markup(symbol);
  behind.className = "symbol";
  said.append(behind);
  return said;
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
