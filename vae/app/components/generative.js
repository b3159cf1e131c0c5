// Chapter 1: z from the prior, the picture that the decoder makes of it, and the encoder's way back.

const FAR = 4; // standard deviations that the axis shows to each side
const BELL = 64; // its height; the latents' rows are below it
const WIDE = 360;

const shape = (tag, attributes = {}, ...children) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
};

// "p(<x>|<z>)" as SVG's text, with the symbols in their colours
const written = (text, x, y) =>
  shape(
    "text",
    { x, y, "text-anchor": "middle" },
    ...text.split(/(<\w>)/).map((part) => (/^<\w>$/.test(part) ? shape("tspan", { class: part[1] }, part[1]) : part)),
  );

const across = (value) => WIDE / 2 + (value / FAR) * (WIDE / 2);
const gaussian = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());

class Generative {
  constructor(parent) {
    this.root = parent.appendChild(element("div", { class: "lab" }));
    this.rev = null;
    this.live = new Live((ready) => this.connected(ready));
  }

  end() {
    this.live.close();
    clearTimeout(this.silent);
  }

  update({ data }) {
    this.live.connect(data.path, data.token);
    if (data.rev === this.rev) return;
    this.rev = data.rev;
    this.data = data;
    this.build();
    this.shown(fromBase64(data.answer).buffer, new Float32Array(data.z));
  }

  connected(ready) {
    clearTimeout(this.silent);
    if (ready) say(this.status, "");
    else this.silent = setTimeout(() => say(this.status, "reconnecting; the next sample comes after that"), 600);
  }

  sample() {
    const { model, latents, rev } = this.data;
    const z = Float32Array.from({ length: latents }, gaussian);
    this.live.ask(Kind.PLACE, model, z, (buffer) => this.rev === rev && this.shown(buffer, z));
  }

  // z, its picture and all numbers change together, so that they are always about each other
  shown(buffer, z) {
    const { numbers, pixels } = parts(buffer, 6 + z.length);
    const [prior, further, drift] = numbers;
    paint(this.picture, pixels, this.data.shape);
    this.picture.dataset.z = z.join(",");
    this.picture.dataset.drawn = Number(this.picture.dataset.drawn ?? 0) + 1;
    this.dots.forEach((dot, i) => (dot.style.transform = `translateX(${across(z[i])}px)`));
    say(this.read.prior, nats(prior));
    say(this.read.square, nats(z.reduce((sum, value) => sum + value * value, 0), 2));
    say(this.read.further, `nats; ${nats(100 * further, 0)} % of samples lie further out`);
    say(this.read.drift, nats(drift, 2));
    say(this.read.kl, nats(numbers.subarray(6).reduce((sum, value) => sum + value, 0)));
  }

  build() {
    const { latents } = this.data;
    this.read = {};
    this.picture = element("canvas", { class: "picture", "data-testid": "decoded", role: "img", "aria-label": "The mean of p(x|z), decoded from the sample z" });
    this.status = element("div", { class: "status", role: "status" });
    const number = (name) => (this.read[name] = element("span", { class: "number", "data-testid": `read-${name}` }));
    const note = (text) => element("span", { class: "quiet" }, text);
    const cell = (label, value, under) => element("div", { class: "cell" }, value, markup(label), under);
    const term = (operator, ...parts) => element("span", { class: "term" }, element("span", { class: "sign" }, operator), cell(...parts));
    const constant = element("span", { class: "number" }, nats((latents / 2) * Math.log(2 * Math.PI), 2));
    const button = element("button", { onclick: () => this.sample() }, "Sample z");
    const further = (this.read.further = note(""));
    this.root.replaceChildren(
      element(
        "div",
        { class: "sides" },
        element("div", {}, this.picture, element("div", { class: "row under" }, button, markup("<xhat>, the mean of p(<x>|<z>)"), this.status)),
        element("div", { class: "told" }, this.graph(), this.axis()),
        element(
          "div",
          { class: "terms", "aria-live": "polite", "data-testid": "formula" },
          cell("log p(<z>)", number("prior"), further),
          term("= −½", "‖<z>‖²", number("square"), ""),
          term("−", "½ d log 2π", constant, note(`d = ${latents}`)),
        ),
        element(
          "div",
          { class: "terms", "data-testid": "back" },
          cell("KL(q(<z>|<x>) ‖ p(<z>))", number("kl"), note("nats, for an x drawn from p(x|z)")),
          cell("RMS of (<z> − <mu>(<x>)) / <sigma>(<x>)", number("drift"), note("its square is 1 on average if q(z|x) is exact")),
        ),
      ),
    );
  }

  // an arrow each way between z and x, and one from the prior
  graph() {
    const head = shape("marker", { id: "head", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8, markerHeight: 8, orient: "auto-start-reverse" }, shape("path", { d: "M0 0L8 4L0 8z" }));
    const arrow = (d, back = "") => shape("path", { class: `arrow ${back}`, d, "marker-end": "url(#head)" });
    const node = (name, x) => shape("g", { class: name }, shape("circle", { class: "node", cx: x, cy: 60, r: 25 }), written(`<${name}>`, x, 66));
    return shape(
      "svg",
      { class: "graph", viewBox: "0 0 360 120", role: "img", "aria-label": "The graphical model: N(0, I) to z, z to x by p(x|z), and dashed from x back to z by q(z|x)" },
      shape("defs", {}, head),
      written("N(0, I)", 32, 65),
      arrow("M66 60H126"),
      node("z", 153),
      arrow("M174 43C215 14 264 14 304 42"),
      written("p(<x>|<z>)", 239, 15),
      arrow("M304 78C264 106 215 106 175 78", "back"),
      written("q(<z>|<x>)", 239, 116),
      node("x", 326),
    );
  }

  // the prior of one latent, and below it a row for each with its value in this z
  axis() {
    const { latents } = this.data;
    const row = Math.max(6, Math.min(16, 150 / latents));
    const base = BELL + latents * row + 6;
    const bell = Array.from({ length: 81 }, (_, i) => (i / 40 - 1) * FAR).map((value) => `${across(value).toFixed(1)},${(BELL - (BELL - 6) * Math.exp(-0.5 * value * value)).toFixed(1)}`);
    this.dots = Array.from({ length: latents }, (_, i) => shape("circle", { class: "dot", "data-testid": `dot-${i}`, cy: BELL + (i + 0.7) * row, r: Math.min(4, row / 2) }));
    return shape(
      "svg",
      { class: "bell", viewBox: `-8 0 ${WIDE + 16} ${base + 18}`, role: "img", "data-testid": "latents", "aria-label": `The ${latents} latents of z, each on the axis of the prior N(0, 1)` },
      shape("polygon", { points: bell.join(" ") }),
      ...[-4, -2, 0, 2, 4].flatMap((value) => [
        shape("line", { x1: across(value), x2: across(value), y1: value ? BELL : 6, y2: base }),
        written(nats(value, 0), across(value), base + 15),
      ]),
      ...this.dots,
    );
  }
}

export default mounted((parent) => new Generative(parent));
