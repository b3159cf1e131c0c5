// Drawn diagrams: arrows, standard normal draws, equations.

import { element, svg } from "./dom.js";

/**
 * Attributes that are numbers or truths as they are.
 * @param {Element} made
 * @param {Record<string, string | number | boolean>} attributes
 */
export function set(made, attributes) {
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
}

// The definition of the head that `arrow` puts at its end.
export const arrowhead = () =>
  svg(
    "defs",
    {},
    svg(
      "marker",
      { id: "head", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" },
      svg("path", { d: "M0 0L8 4L0 8z" }),
    ),
  );
export const arrow = (attributes = {}) => svg("path", { class: "arrow", "marker-end": "url(#head)", ...attributes });

export const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
export const normals = (length) => Float32Array.from({ length }, normal);

// A number of an equation, with what it is under it, and the sign before it.
export const term = (sign, number, ...under) =>
  element(
    "span",
    { class: "term" },
    ...(sign ? [element("span", { class: "sign" }, sign)] : []),
    element("span", { class: "cell" }, number, ...under),
  );
