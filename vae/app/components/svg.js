// Drawn diagrams: arrows, standard normal draws, equations.

// The definition of the head that `arrow` puts at its end.
const arrowhead = () =>
  svg("defs", {}, svg("marker", { id: "head", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, svg("path", { d: "M0 0L8 4L0 8z" })));
const arrow = (attributes = {}) => svg("path", { class: "arrow", "marker-end": "url(#head)", ...attributes });

const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
const normals = (length) => Float32Array.from({ length }, normal);

// A number of an equation, with what it is under it, and the sign before it.
const term = (sign, number, ...under) =>
  element("span", { class: "term" }, ...(sign ? [element("span", { class: "sign" }, sign)] : []), element("span", { class: "cell" }, number, ...under));
