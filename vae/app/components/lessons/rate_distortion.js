// beta: the measured rate-distortion curve, and one picture through whichever model is chosen on it.

import { fromBase64 } from "../shared/base64.js";
import { element, labelled, markup, nats, say, svg } from "../shared/dom.js";
import { Settling, swiped } from "../shared/hand.js";
import { nth, paint, redrawn } from "../shared/paint.js";
import { term } from "../shared/svg.js";
import { mounted } from "../shared/mounted.js";

const [WIDE, HIGH] = [560, 400];
const EDGE = { left: 46, right: 64, top: 14, bottom: 44 };
const REACH = 24; // pixels around a point in which a pointer chooses it
const CLOSE = 0.1; // nats from its bound, where an estimate of the mutual information is little more than the bound
const PARTS = [
  ["mutual_information", "what z tells about x", "--x", "mutual information I(<x>; <z>)"],
  ["total_correlation", "what latents repeat of each other", "--z", "total correlation KL(q(<z>) ‖ ∏ q(<z>ᵢ))"],
  ["dimension_wise_kl", "how far each latent is from N(0, 1)", "--sigma", "dimension-wise KL, Σ KL(q(<z>ᵢ) ‖ p(<z>ᵢ))"],
];

class RateDistortion {
  constructor(parent) {
    this.root = parent.appendChild(element("div", { class: "lab" }));
    this.settling = new Settling(() => {
      const { latents, beta } = this.data.points[this.chosen];
      this.component.setStateValue("see", `${latents}_${beta}`);
    });
  }

  end() {
    this.settling.stop();
  }

  update(component) {
    const { data } = component;
    this.component = component;
    if (data.rev === this.rev) return;
    this.rev = data.rev;
    this.data = data;
    this.pictures = fromBase64(data.pictures);
    const said = data.points.findIndex(({ latents, beta }) => `${latents}_${beta}` === data.see);
    const usual = data.points.findIndex(({ latents, beta }) => latents === 16 && beta === 1);
    this.chosen = said < 0 ? usual : said;
    this.build();
    this.choose(this.chosen, false);
  }

  build() {
    const { data } = this;
    this.given = element("canvas", { role: "img", "aria-label": `x: ${data.name}` });
    paint(this.given, fromBase64(data.given), data.shape);
    this.picture = element("canvas", { class: "picture", "data-testid": "decoded", role: "img" });
    this.title = element("h3", { "data-testid": "chosen" });
    this.told = element("div", { class: "told", "aria-live": "polite" });
    this.sum = element("div", { class: "equation", "data-testid": "loss" });
    const given = element(
      "div",
      { class: "given" },
      this.given,
      element("span", { class: "quiet" }, markup(`<x>: ${data.name}, as bits`)),
    );
    this.root.replaceChildren(
      element(
        "div",
        { class: "curve" },
        element(
          "div",
          {},
          this.plot(),
          element(
            "div",
            { class: "quiet" },
            "Models of Fashion-MNIST, each with its β. Dashed: the distortion of autoencoders (AE), whose rate is unlimited. Grey: equal ELBO, nats.",
          ),
        ),
        element("div", {}, this.title, element("div", { class: "seenrung" }, this.picture, given)),
      ),
      this.told,
      this.sum,
    );
  }

  // ---- the plane ----

  plot() {
    const { points } = this.data;
    const most = 1.12 * Math.max(...points.map((point) => point.rate ?? 0));
    const all = points.map((point) => point.distortion);
    const [low, high] = [Math.floor(Math.min(...all) / 10) * 10 - 4, Math.ceil(Math.max(...all) / 10) * 10 + 2];
    const x = (rate) => EDGE.left + (rate / most) * (WIDE - EDGE.left - EDGE.right);
    const y = (distortion) => EDGE.top + ((high - distortion) / (high - low)) * (HIGH - EDGE.top - EDGE.bottom);
    const right = WIDE - EDGE.right;
    this.places = points.map((point) => [point.rate === undefined ? right : x(point.rate), y(point.distortion)]);
    const chart = svg("svg", {
      viewBox: `0 0 ${WIDE} ${HIGH}`,
      role: "radiogroup",
      "aria-label": "Models of the ladder: rate across, distortion up",
      "data-testid": "curve",
    });
    for (let sum = Math.ceil((low + 1) / 10) * 10; sum < high + most; sum += 10) {
      // distortion = sum - rate, where it is inside
      const [from, to] = [Math.max(0, sum - high), Math.min(most, sum - low)];
      if (to <= from) continue;
      chart.append(svg("line", { class: "iso", x1: x(from), y1: y(sum - from), x2: x(to), y2: y(sum - to) }));
      const under = to < most ? { x: x(to) - 3, y: y(low) - 4 } : { x: right - 4, y: y(sum - to) - 5 };
      const free = this.places.every(([left, top]) => Math.abs(left - under.x) > 80 || Math.abs(top - under.y) > 20);
      if (sum % 20 === 0 && free)
        chart.append(svg("text", { class: "faint", ...under, "text-anchor": "end" }, `ELBO −${sum}`));
    }
    for (let rate = 0; rate < 0.95 * most; rate += 10)
      chart.append(
        svg("text", { class: "axis", x: x(rate), y: HIGH - EDGE.bottom + 16, "text-anchor": "middle" }, String(rate)),
      );
    for (let distortion = Math.ceil(low / 20) * 20; distortion <= high; distortion += 20)
      chart.append(
        svg(
          "text",
          { class: "axis", x: EDGE.left - 6, y: y(distortion) + 4, "text-anchor": "end" },
          String(distortion),
        ),
      );
    chart.append(svg("text", { class: "axis", x: right, y: HIGH - EDGE.bottom + 16, "text-anchor": "middle" }, "∞"));
    chart.append(svg("path", { class: "frame", d: `M${EDGE.left},${EDGE.top}V${HIGH - EDGE.bottom}H${right}` }));
    chart.append(svg("text", { class: "name", x: right, y: HIGH - 10, "text-anchor": "end" }, "rate: KL, nats →"));
    chart.append(
      svg("text", { class: "name", x: EDGE.left + 6, y: EDGE.top + 8 }, "↑ distortion: −E log p(x|z), nats"),
    );
    const curves = new Map();
    points.forEach((point, i) => curves.set(point.latents, [...(curves.get(point.latents) ?? []), i]));
    for (const [latents, members] of curves) {
      const line = members.filter((i) => points[i].rate !== undefined).sort((a, b) => points[a].rate - points[b].rate);
      const limit = members.find((i) => points[i].rate === undefined);
      const colour = `latents-${latents}`;
      chart.append(
        svg("polyline", { class: `curve-line ${colour}`, points: line.map((i) => this.places[i]).join(" ") }),
      );
      chart.append(
        svg("line", {
          class: `limit ${colour}`,
          x1: EDGE.left,
          x2: right,
          y1: this.places[limit][1],
          y2: this.places[limit][1],
        }),
      );
      chart.append(
        svg(
          "text",
          { class: `label ${colour}`, x: WIDE, y: this.places[limit][1] - 10, "text-anchor": "end" },
          `${latents} latents`,
        ),
      );
    }
    this.order = [...curves.values()].flat();
    this.dots = points.map((point, i) => {
      const [cx, cy] = this.places[i];
      const name = `${point.latents} latents, ${point.label}`;
      const dot = svg(
        "g",
        {
          role: "radio",
          "aria-label": name,
          class: `rung latents-${point.latents}`,
          "data-testid": `rung-${point.latents}-${point.beta}`,
        },
        svg("circle", { cx, cy, r: 5.5 }),
      );
      this.label(dot, point, i);
      chart.append(dot);
      return dot;
    });
    const follow = (event) => {
      const box = chart.getBoundingClientRect();
      const [px, py] = [event.clientX - box.left, event.clientY - box.top];
      const away = this.places.map(([left, top]) =>
        Math.hypot((left * box.width) / WIDE - px, (top * box.height) / HIGH - py),
      );
      const nearest = away.indexOf(Math.min(...away));
      if (away[nearest] < REACH && nearest !== this.chosen) this.choose(nearest);
    };
    chart.addEventListener("pointerdown", follow);
    chart.addEventListener("pointermove", (event) => event.buttons && follow(event));
    chart.addEventListener("keydown", (event) => this.key(event));
    swiped(
      chart,
      () => this.chosen,
      (before) => this.choose(before),
    );
    return chart;
  }

  // A point's beta above it, or below where the other curve is above; none where a neighbour's would be under it.
  label(dot, { beta, latents, rate }, i) {
    const [x, y] = this.places[i];
    if (rate === undefined) return dot.append(svg("text", { x: x + 9, y: y + 5 }, "AE"));
    const at = latents === 2 ? [x + 7, y - 8] : [x - 7, y + 15];
    const free = this.places.every(
      ([left, top], other) => other === i || Math.hypot(left - at[0], top - at[1] + 4) > 14,
    );
    if (free) dot.append(svg("text", { x: at[0], y: at[1], "text-anchor": latents === 2 ? "start" : "end" }, beta));
  }

  key(event) {
    const { points } = this.data;
    const [place, { beta, latents }] = [this.order.indexOf(this.chosen), points[this.chosen]];
    const turns = { ArrowRight: -1, ArrowLeft: 1 }; // rightwards the rate rises and beta falls
    let next = null;
    if (event.key in turns) next = this.order[place + turns[event.key]];
    else if (event.key === "ArrowUp" || event.key === "ArrowDown")
      next = points.findIndex((point) => point.beta === beta && point.latents !== latents);
    else return;
    event.preventDefault();
    if (next === undefined || (points[next].latents !== latents && event.key in turns)) return;
    this.choose(next);
    this.dots[next].focus();
  }

  // ---- the chosen model ----

  choose(chosen, tell = true) {
    this.chosen = chosen;
    if (tell) this.settling.later();
    const point = this.data.points[chosen];
    this.dots.forEach((dot, i) => {
      dot.setAttribute("aria-checked", i === chosen);
      dot.setAttribute("tabindex", i === chosen ? 0 : -1);
    });
    paint(this.picture, nth(this.pictures, this.data.shape, chosen), this.data.shape);
    redrawn(this.picture);
    this.picture.setAttribute("aria-label", `E[x|z] by the model with ${point.latents} latents, ${point.label}`);
    say(this.title, `${point.latents} latents, ${point.label}`);
    this.told.replaceChildren(
      ...(point.parts
        ? [this.bars(point), this.stack(point)]
        : [
            element(
              "div",
              { class: "quiet" },
              "An autoencoder’s q is a point: its KL from N(0, I) would be infinite, and there is nothing to split.",
            ),
          ]),
    );
    this.sum.replaceChildren(...this.terms(point));
  }

  bars({ dimensions, active, latents }) {
    const { free } = this.data;
    const most = Math.max(free, ...dimensions);
    const below = dimensions.filter((kl) => kl < free).length;
    const bars = dimensions.map((kl, i) =>
      element("i", {
        style: `height:${(100 * kl) / most}%`,
        class: i < active ? null : "collapsed",
        title: `${nats(kl, 2)} nats`,
      }),
    );
    const collapsed = latents - active;
    const told = collapsed
      ? `${active} of ${latents} latents in use, ${collapsed} collapsed`
      : `all ${latents} latents in use`;
    return element(
      "div",
      {},
      element(
        "div",
        {
          class: "bars",
          role: "img",
          "aria-label": `KL per dimension: ${dimensions.map((kl) => nats(kl, 2)).join(", ")} nats`,
        },
        ...bars,
        element("hr", { class: "floor", style: `--share:${free / most}` }),
      ),
      element(
        "div",
        { class: "quiet", "data-testid": "collapsed" },
        `KL per latent on the test set, largest ${nats(Math.max(...dimensions), 2)} nats: ${told}`,
      ),
      element(
        "div",
        { class: "quiet", "data-testid": "free" },
        `Dashed: a floor of free bits, ${nats(free)} nats, drawn only: training had none. Below it lie ${below} of ${latents} latents, which could have told more for nothing.`,
      ),
    );
  }

  stack({ parts }) {
    const total = PARTS.reduce((sum, [key]) => sum + Math.max(0, parts[key]), 0);
    const pieces = PARTS.map(([key, name, colour]) =>
      element("i", {
        style: `width:${(100 * Math.max(0, parts[key])) / total}%;background:var(${colour})`,
        title: name,
      }),
    );
    const full = parts.mutual_information > parts.bound - CLOSE;
    const cells = PARTS.map(([key, name, colour, formula]) =>
      element(
        "div",
        { class: "cell", "data-testid": key },
        element("span", { class: "quiet class" }, element("i", { style: `background:var(${colour})` }), name),
        element(
          "span",
          { class: "number" },
          nats(parts[key], 2),
          element("span", { class: "quiet" }, ` ± ${nats(parts[`${key}_error`], 2)}`),
        ),
        element("span", { class: "quiet" }, markup(formula)),
      ),
    );
    const bound = full
      ? `The mutual information has come to its bound, log N = ${nats(parts.bound, 2)}: N pictures can show no more. What exceeds it counts as total correlation.`
      : `The mutual information is below its bound, log N = ${nats(parts.bound, 2)}.`;
    return element(
      "div",
      {},
      element("div", { class: "stack", role: "img", "aria-label": "The parts of the KL" }, ...pieces),
      element("div", { class: "readouts three" }, ...cells),
      element(
        "div",
        { class: "quiet", "data-testid": "split" },
        `Test set averages: they sum to ${nats(parts.total, 2)} ± ${nats(parts.total_error, 2)}, and the KL in closed form is ${nats(parts.kl, 2)} nats. ${bound}`,
      ),
    );
  }

  terms({ log_likelihood, kl, beta }) {
    const number = (value) => element("span", { class: "number" }, value);
    const distortion = term(
      "",
      number(nats(-log_likelihood)),
      labelled("distortion of this picture", "−log p(<x>|<z>), nats"),
    );
    if (kl === undefined) return [distortion];
    return [
      distortion,
      term("+", number(beta), labelled("weight", "β")),
      term("×", number(nats(kl)), labelled("rate", "KL(q(<z>|<x>) ‖ p(<z>))")),
      term("=", number(nats(beta * kl - log_likelihood)), markup("its loss, nats")),
    ];
  }
}

export default await mounted(
  (parent) => new RateDistortion(parent),
  "lessons/diagram.css",
  "lessons/rate_distortion.css",
);
