// Which of the recorded steps a part of the chapter is about, and the picture that it looks at there.

import { element } from "../../shared/dom.js";
import { paint } from "../../shared/paint.js";

/** @param {(slow: number) => void} choose */
export function stepsOf(training, choose) {
  const { slow, shape } = training.data;
  const buttons = slow.map((step, i) =>
    element("button", { "data-testid": `slow-${i}`, onclick: () => choose(i) }, `Step ${step.toLocaleString("en")}`),
  );
  const box = element("div", { class: "row", role: "group", "aria-label": "Which step" }, ...buttons);
  /** @param {number} chosen */
  const mark = (chosen) => buttons.forEach((one, i) => one.setAttribute("aria-pressed", String(i === chosen)));
  const picture = element("canvas", {
    class: "thumb large",
    role: "img",
    "data-testid": "decoded",
    "aria-label": "The first picture of the minibatch",
  });
  /** @param {number} chosen */
  const show = (chosen) => {
    mark(chosen);
    paint(picture, training.file.picture(slow[chosen], 0, shape[1] * shape[2]), shape);
    return slow[chosen];
  };
  return { box, mark, picture, show };
}
