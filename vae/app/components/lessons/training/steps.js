// Which of the recorded steps a part of the chapter is about.

import { element } from "../../shared/dom.js";

/** @param {(slow: number) => void} choose */
export function stepsOf(training, choose) {
  const { slow } = training.data;
  const buttons = slow.map((step, i) =>
    element("button", { "data-testid": `slow-${i}`, onclick: () => choose(i) }, `Step ${step.toLocaleString("en")}`),
  );
  const box = element("div", { class: "row", role: "group", "aria-label": "Which step" }, ...buttons);
  /** @param {number} chosen */
  const mark = (chosen) => buttons.forEach((one, i) => one.setAttribute("aria-pressed", String(i === chosen)));
  return { box, mark };
}
