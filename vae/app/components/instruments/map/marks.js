// What lies on the map over its points: the prior's rings, the letters of groups, the pictures that are followed.

import { svg } from "../../shared/dom.js";
import { covariance, outline } from "../../shared/geometry.js";

const LABEL =
  "fill: var(--st-text-color); font-weight: 600; stroke: var(--st-background-color); stroke-width: 4px; stroke-linejoin: round; paint-order: stroke";

export class Marks {
  constructor(map) {
    this.map = map;
    this.sheet = svg("svg", {});
  }

  // The input and the visitor's other pictures: mean and posterior at its scale. Traces would lie below the points.
  draw() {
    const [across, up] = this.map.chart.axes();
    /** @param {number[]} at */
    const on = ([a, b]) => [across.d2p(a), up.d2p(b)];
    const marks = this.map.data.along ? this.map.data.marks : [];
    const written = [];
    const drawn = marks.map(({ label, mu, sigma }) => {
      const [x, y] = on(this.map.at(mu));
      const ellipse = outline(this.map.at(mu), covariance(this.map.data.along, sigma)).map(on);
      let top = Math.min(y - 12, ...ellipse.map(([, height]) => height)) - 6; // above the pin, should it be here
      const meets = (other) =>
        Math.abs(other.top - top) < 18 && Math.abs(other.x - x) < 4 * (other.label.length + label.length);
      while (written.some(meets)) top -= 18;
      written.push({ x, top, label });
      const anchor = x < 60 ? "start" : x > across._length - 60 ? "end" : "middle";
      const points = ellipse.join(" ");
      return svg(
        "g",
        { "data-testid": "mark" },
        svg("polygon", { points, style: "fill: none; stroke: #fff; stroke-width: 4px" }),
        svg("polygon", { points, style: "fill: none; stroke: var(--sigma); stroke-width: 2px" }),
        svg("circle", { cx: x, cy: y, r: 3.5, style: "fill: var(--mu); stroke: #fff; stroke-width: 1.5px" }),
        svg("text", { x, y: top, "text-anchor": anchor, style: LABEL }, label),
      );
    });
    this.sheet.style.cssText =
      `position: absolute; overflow: hidden; pointer-events: none; left: ${across._offset}px; top: ${up._offset}px; ` +
      `width: ${across._length}px; height: ${up._length}px`;
    const letters = this.map.groups
      .filter(({ rows }) => rows.length)
      .map(({ group, mean }) => {
        const [x, y] = on(mean);
        return svg(
          "text",
          {
            x,
            y,
            dy: "0.35em",
            "text-anchor": "middle",
            "data-testid": "letter",
            style: `${LABEL}; font-size: 1.3rem`,
          },
          group,
        );
      });
    this.sheet.replaceChildren(...(this.map.data.along ? this.rings(on) : []), ...letters, ...drawn);
  }

  // The prior at one, two and three standard deviations, over the points, which would hide it, and lighter than they are.
  rings(on) {
    const [x, y] = on([0, 0]);
    const unit = on([1, 0])[0] - x;
    const slant = Math.SQRT1_2;
    return [1, 2, 3].map((radius) => {
      const circle = (style) => svg("circle", { cx: x, cy: y, r: radius * unit, style: `fill: none; ${style}` });
      const at = { x: x - slant * radius * unit, y: y + slant * radius * unit, dy: "0.35em", "text-anchor": "middle" };
      return svg(
        "g",
        { "data-testid": "ring" },
        circle("stroke: var(--st-background-color); stroke-opacity: 0.5; stroke-width: 2.5px"),
        circle("stroke: var(--st-text-color); stroke-opacity: 0.6; stroke-width: 1.2px; stroke-dasharray: 5 4"),
        svg(
          "text",
          { ...at, style: `${LABEL}; font-weight: 400; font-size: 0.75rem` },
          radius === 3 ? "3σ of p(z)" : `${radius}σ`,
        ),
      );
    });
  }
}
