// The whole training under a slider: the map, the rate and the distortion, and what each latent tells.

import { fromBase64 } from "../../shared/base64.js";
import { element, labelled, markup, nats, say, svg } from "../../shared/dom.js";
import { eager } from "../../shared/hand.js";
import { redrawn } from "../../shared/paint.js";
import { paintShown } from "../../shared/sheets.js";
import { term } from "../../shared/svg.js";
import { LatentMap, chart, onPictures } from "./plot.js";

const PACE = 260; // ms a mark while it plays
const TELLS = 0.05; // nats: a latent that tells less is dark
const NEAR = 0.25; // in latent space, how near a pointer has to be to a point

export class Path {
  constructor(training, [at, warm]) {
    this.training = training;
    this.data = training.data;
    const last = this.data.steps.length - 1;
    this.at = at >= 0 && at <= last ? at : 0; // the question asks what comes
    this.furthest = 0; // the last step that was visited: the way is drawn as far
    this.warm = warm === 1;
    this.labels = fromBase64(this.data.labels);
    this.over = null; // the picture under the pointer
    this.build();
  }

  begin() {
    this.move(this.at, false);
  }

  end() {
    this.ended = true;
    clearTimeout(this.playing);
  }

  build() {
    const { data } = this;
    this.map = new LatentMap("The map of the two latents at this step: 1,000 test pictures", "decoded", data.reach);
    this.map.canvas.addEventListener("pointermove", (event) => this.meet(event));
    this.map.canvas.addEventListener("pointerleave", () => this.meet(null));
    this.scrub = eager(
      element("input", {
        type: "range",
        min: 0,
        max: data.steps.length - 1,
        step: 1,
        "data-testid": "scrub",
        "aria-label": "Step of the training",
        oninput: () => this.move(Number(this.scrub.value)),
      }),
    );
    this.play = element("button", { "data-testid": "play", onclick: () => this.turn() }, "Play");
    this.told = element("span", { "data-testid": "step" });
    this.read = {};
    const number = (name) => (this.read[name] = element("span", { class: "number", "data-testid": `read-${name}` }));
    this.tip = element("div", { class: "quiet tip-of-map" });
    this.seen = element("canvas", { class: "thumb", role: "img", "aria-label": "The picture under the pointer" });
    const legend = element(
      "div",
      { class: "row quiet" },
      ...data.classes.map((name, i) =>
        element("span", { class: "class" }, element("i", { style: `background:${data.colours[i]}` }), name),
      ),
    );
    this.whole = element(
      "button",
      { "data-testid": "whole", "aria-pressed": "false", onclick: () => this.showWhole() },
      "Show the whole way",
    );
    this.bars = element("div", { class: "bars", "data-testid": "kl-many" });
    this.most = element("div", { class: "quiet most", "data-testid": "most" });
    this.lit = element("div", { class: "quiet", "data-testid": "lit" });
    this.kinds = ["KL from the first step", "KL let in slowly"].map((word, i) =>
      element("button", { "data-testid": i ? "warm" : "cold", onclick: () => this.choose(i === 1) }, word),
    );
    this.root = element(
      "div",
      { class: "training" },
      element("div", { class: "line scrubbed" }, this.play, element("div", { class: "track" }, this.scrub), this.told),
      element(
        "div",
        { class: "sides" },
        element("div", {}, this.map.canvas, legend, element("div", { class: "given" }, this.seen, this.tip)),
        element(
          "div",
          {},
          element(
            "div",
            { class: "equation" },
            term("", number("elbo"), labelled("lower bound", "ELBO"), element("span", { class: "quiet" }, "nats")),
            term("=", number("distortion"), labelled("reconstruction", "E log p(<x>|<z>)")),
            term("−", number("rate"), labelled("what <z> tells", "KL")),
          ),
          this.curve(),
          this.whole,
          element("div", { class: "row kinds" }, markup("What each of 32 numbers tells:"), ...this.kinds),
          this.most,
          this.bars,
          this.lit,
        ),
      ),
    );
  }

  // rate across, distortion up: the way that the training took, and the point that it is at
  curve() {
    const { test } = this.data;
    const most = Math.ceil(Math.max(...test.rate));
    const { made, across, up } = chart({
      label: "The way of the training: rate across, distortion up",
      testid: "curve",
      x: { range: [0, most], ticks: Array.from({ length: most + 1 }, (_, i) => i), name: "rate: KL, nats →" },
      y: {
        range: [120, 600],
        ticks: [130, 150, 200, 300, 500],
        name: "↑ distortion: −E log p(x|z), nats",
        scale: Math.log,
      },
    });
    this.points = test.rate.map((rate, i) => [across(rate), up(test.distortion[i])]);
    this.line = svg("polyline", { class: "way", "data-testid": "way" });
    this.gone = svg("polyline", { class: "gone" });
    this.dot = svg("circle", { class: "here", r: 6 });
    made.append(this.line, this.gone, this.dot);
    return made;
  }

  showWhole() {
    this.whole.ariaPressed = String(this.whole.ariaPressed !== "true");
    this.reach(this.at);
  }

  // The way as far as somebody has been, unless all of it is asked for: what comes is for the reader to predict.
  reach(step) {
    this.furthest = Math.max(this.furthest, step);
    const shown = this.whole.ariaPressed === "true" ? this.points : this.points.slice(0, this.furthest + 1);
    this.line.setAttribute("points", shown.join(" "));
  }

  turn() {
    const last = this.data.steps.length - 1;
    if (this.playing) this.stop();
    else {
      say(this.play, "Pause");
      if (this.at === last) this.move(0);
      const next = () => {
        this.move(this.at + 1, true, true);
        this.playing = this.at < last && setTimeout(next, PACE);
        if (!this.playing) this.stop();
      };
      this.playing = setTimeout(next, PACE);
    }
  }

  stop() {
    clearTimeout(this.playing);
    this.playing = 0;
    say(this.play, "Play");
  }

  choose(warm) {
    this.warm = warm;
    this.latents();
    this.training.moved(this.at, Number(this.warm));
  }

  meet(event) {
    const [z0, z1] = event ? this.map.under(event) : [Infinity, Infinity];
    const { steps } = this.data;
    const mu = this.training.file.of(`${steps[this.at]}.mu`);
    let best = NEAR;
    let over = null;
    for (let i = 0; i < this.labels.length; i++) {
      const away = Math.hypot(mu[2 * i] - z0, mu[2 * i + 1] - z1);
      if (away < best) [best, over] = [away, i];
    }
    if (over === this.over) return;
    this.over = over;
    this.draw();
  }

  async move(at, tell = true, playing = false) {
    if (!playing && this.playing) this.stop();
    const { data, training } = this;
    this.at = at;
    this.scrub.value = String(at);
    const [step, epoch] = [data.steps[at], (data.steps[at] * data.batch) / data.pictures];
    const when = `step ${step.toLocaleString("en")}, epoch ${epoch < 1 ? epoch.toFixed(2) : epoch.toFixed(0)}`;
    say(this.told, when);
    this.scrub.setAttribute("aria-valuetext", when);
    const { rate, distortion } = data.test;
    say(this.read.elbo, nats(-distortion[at] - rate[at]));
    say(this.read.distortion, nats(-distortion[at]));
    say(this.read.rate, nats(rate[at]));
    this.reach(at);
    this.gone.setAttribute("points", this.points.slice(0, at + 1).join(" "));
    this.dot.setAttribute("transform", `translate(${this.points[at]})`);
    this.latents();
    if (tell) training.moved(at, Number(this.warm));
    const sheet = await training.file.sheet(step);
    if (this.ended || this.at !== at) return; // the hand is further already
    this.sheet = sheet;
    this.draw();
    redrawn(this.map.canvas);
    this.map.canvas.dataset.step = String(step);
  }

  draw() {
    const { data, map } = this;
    if (!this.sheet) return;
    const file = this.training.file;
    const mu = file.of(`${data.steps[this.at]}.mu`);
    map.tiles(this.sheet, 0.6);
    for (let i = 0; i < this.labels.length; i++) map.dot(mu[2 * i], mu[2 * i + 1], data.colours[this.labels[i]], 3.4);
    const over = this.over;
    this.seen.hidden = over === null;
    if (over === null) {
      say(this.tip, "Point at a dot: its picture, and the way that it took.");
      return;
    }
    const way = data.steps.slice(0, this.at + 1).map((step) => file.of(`${step}.mu`).subarray(2 * over, 2 * over + 2));
    map.pen.strokeStyle = "#fff";
    map.pen.lineWidth = 2;
    map.pen.beginPath();
    way.forEach(([z0, z1]) => map.pen.lineTo(...map.at(z0, z1)));
    map.pen.stroke();
    map.dot(mu[2 * over], mu[2 * over + 1], "#fff", 7);
    const sigma = file.of(`${data.steps[this.at]}.sigma`).subarray(2 * over, 2 * over + 2);
    map.ring([mu[2 * over], mu[2 * over + 1]], sigma, onPictures(map.canvas, "sigma"));
    say(this.tip, `${data.classes[this.labels[over]]}: its way from the first step to here.`);
    paintShown(this.seen, data.sheets, data.rows[over], data.shape);
  }

  latents() {
    const told = this.data.many[Number(this.warm)];
    this.kinds.forEach((kind, i) => kind.setAttribute("aria-pressed", String(this.warm === (i === 1))));
    const kl = told.kl[this.at];
    const lit = kl.filter((value) => value > TELLS).length;
    this.bars.replaceChildren(
      ...kl.map((value) =>
        element("i", {
          style: `height:${(100 * value) / told.most}%`,
          class: value > TELLS ? null : "dark-latent",
          title: `${nats(value, 2)} nats`,
        }),
      ),
    );
    this.bars.setAttribute("role", "img");
    this.bars.setAttribute("aria-label", `KL per latent: ${kl.map((value) => nats(value, 2)).join(", ")} nats`);
    const rate = kl.reduce((sum, value) => sum + value, 0);
    const elbo = nats(-told.lost[this.at] - rate);
    say(this.most, `${nats(told.most)} nats, the most that one of them ever tells`);
    const begins = this.at ? "" : "Nothing is learned yet, so hardly a bar is seen. ";
    say(this.lit, `${begins}${lit} of ${kl.length} tell more than ${TELLS} nats. KL ${nats(rate)}, ELBO ${elbo} nats.`);
  }
}
