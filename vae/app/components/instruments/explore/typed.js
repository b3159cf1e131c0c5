// A number that can be typed where it stands.

import { element, nats, say } from "../../shared/dom.js";

/**
 * What cannot be taken of a number that was typed, in a short sentence, or nothing.
 * @param {number} value
 * @param {number} far
 */
export function wrong(value, far) {
  if (Number.isNaN(value)) return "Not a number, so nothing is changed";
  if (value > far) return `At most ${nats(far)}`;
  if (value < -far) return `At least ${nats(-far)}`;
  return "";
}

/**
 * Put a field in the place of a slider's value: Enter takes what was typed, and so does leaving it; Escape does not.
 * What is no number is NaN.
 * @param {{ input: HTMLElement, value: HTMLElement, typed: HTMLInputElement | null }} row
 * @param {string} name
 * @param {string} before
 * @param {(value: number) => void} take
 */
export function typed(row, name, before, take) {
  if (row.typed) return;
  const end = (taken) => {
    if (!row.typed) return;
    const text = row.typed.value.replace("−", "-").replace(",", ".").trim();
    row.typed = null;
    row.value.replaceChildren();
    say(row.value, ""); // whatever is said next is another text
    say(row.value, before);
    if (taken && text !== "") take(Number(text));
  };
  row.typed = element("input", {
    class: "typed",
    inputmode: "decimal",
    value: before,
    "aria-label": `${name}, a number`,
    onblur: () => end(true),
    onkeydown: (event) => {
      event.stopPropagation();
      if (event.key !== "Enter" && event.key !== "Escape") return;
      end(event.key === "Enter");
      row.input.focus();
    },
  });
  row.value.replaceChildren(row.typed);
  row.typed.select();
}
