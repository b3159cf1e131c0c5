// How well the class can be read off features: a curve for each kind, over the dimension, and one chosen point in words.

const [PLOT_HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [400, 44, 14, 16, 40];

class Accuracy {
  constructor(parent) {
    this.root = element("div", { class: "lab" });
    parent.append(this.root);
    this.kind = 0;
    this.observer = new ResizeObserver(() => this.draw());
  }

  end() {
    this.observer.disconnect();
  }

  update({ data }) {
    if (data.rev === this.rev) return;
    this.data = data;
    this.rev = data.rev;
    this.kinds = data.kinds.map((word, kind) => element("button", { "data-testid": `kind-${kind}`, onclick: () => this.read(kind) }, word));
    this.svg = svg("svg", { class: "accuracy", role: "group", "aria-label": "Share of pictures whose class is read off right, over the dimension of the features" });
    this.words = element("div", { class: "status", role: "status", "data-testid": "point" });
    const key = data.curves.map(({ name, css }) => element("span", { class: "row" }, element("i", { class: `dot ${css}` }), name));
    this.root.replaceChildren(element("div", { class: "row" }, ...this.kinds), this.svg, element("div", { class: "row keys" }, ...key), this.words);
    this.observer.disconnect();
    this.observer.observe(this.root);
    this.read(this.kind);
  }

  read(kind) {
    this.kind = kind;
    this.kinds.forEach((button, index) => button.setAttribute("aria-pressed", index === kind));
    say(this.words, "Point at a curve to read it.");
    this.draw();
  }

  draw() {
    const width = this.root.clientWidth;
    if (!width) return;
    const { curves, pixels, dimensions } = this.data;
    const most = Math.max(...curves.flatMap((curve) => curve.dimensions));
    const across = (d) => LEFT + 6 + ((width - LEFT - RIGHT - 12) * Math.log(d)) / Math.log(most);
    const down = (share) => TOP + (1 - share) * (PLOT_HEIGHT - TOP - BOTTOM);
    const percent = (share) => `${(100 * share).toFixed(1)} %`;
    const parts = [];
    for (const share of [0, 0.25, 0.5, 0.75, 1]) {
      parts.push(svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: down(share), y2: down(share) }));
      parts.push(svg("text", { x: LEFT - 8, y: down(share) + 4, "text-anchor": "end" }, `${100 * share} %`));
    }
    for (const d of curves.at(-1).dimensions) parts.push(svg("text", { x: across(d), y: PLOT_HEIGHT - 20, "text-anchor": "middle" }, String(d)));
    parts.push(svg("text", { x: (width + LEFT) / 2, y: PLOT_HEIGHT - 3, "text-anchor": "middle" }, "dimensions"));
    const level = down(pixels[this.kind]);
    parts.push(svg("line", { class: "level", x1: LEFT, x2: width - RIGHT, y1: level, y2: level }));
    parts.push(svg("text", { class: "x", x: LEFT + 6, y: level - 6 }, `all ${dimensions} pixels: ${percent(pixels[this.kind])}`));
    for (const { css, dimensions: at, models, shares } of [...curves].reverse()) {
      const values = shares[this.kind];
      parts.push(svg("polyline", { class: css, points: at.map((d, i) => `${across(d)},${down(values[i])}`).join(" ") }));
      at.forEach((d, i) => {
        const text = `${models[i]}, ${d} ${d === 1 ? "dimension" : "dimensions"}: ${percent(values[i])}`;
        const point = svg("circle", { class: css, cx: across(d), cy: down(values[i]), r: 6, tabindex: 0, role: "img", "aria-label": text });
        for (const event of ["pointerenter", "focus", "click"]) point.addEventListener(event, () => say(this.words, text));
        parts.push(point);
      });
    }
    this.svg.setAttribute("viewBox", `0 0 ${width} ${PLOT_HEIGHT}`);
    this.svg.replaceChildren(...parts);
    this.svg.dataset.drawn = this.kind + 1;
  }
}

export default mounted((parent) => new Accuracy(parent));
