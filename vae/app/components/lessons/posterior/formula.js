// Formulas with a q under their E.

import { element, markup } from "../../shared/dom.js";

// "E_q[log p(<x>|<z>)]"
export function formula(text) {
  return element(
    "span",
    {},
    ...text.split("_q").flatMap((part, i) => (i ? [element("sub", {}, "q"), markup(part)] : [markup(part)])),
  );
}

// A number's label: what it is in words, and behind them its symbol.
export function worded(words, symbol) {
  const said = markup(words);
  said.append(element("span", { class: "symbol" }, formula(symbol)));
  return said;
}
