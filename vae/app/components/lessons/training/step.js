// One step of the optimiser in slow motion: a minibatch, its loss, its gradients on the map, and where it leads.

import { element, labelled, nats, say } from "../../shared/dom.js";
import { NEXT } from "../../shared/hand.js";
import { paint, redrawn } from "../../shared/paint.js";
import { term } from "../../shared/svg.js";
import { LatentMap, onPictures } from "./plot.js";
import { stepsOf } from "./steps.js";

const STAGES = [
  [
    "1 Minibatch",
    "A step sees few pictures: 128 of 60,000, drawn at random. The encoder says for each where its z may be.",
  ],
  ["2 Loss", "One z is drawn for each picture. Its loss is what is not rebuilt, plus what z tells, in nats."],
  [
    "3 Gradient",
    "Orange: which way each mean must go to be rebuilt better. Grey: the prior pulls it to the middle. White: both.",
  ],
  [
    "4 Step",
    "The weights move once, for all pictures together. Each mean goes where that takes it, and not where it asked to go.",
  ],
];
const LONGEST = 0.55; // in latent space, of the arrows on the map
const SLOWLY = 700; // ms in which a step is seen

export class Step {
  constructor(training, [slow, stage, one]) {
    this.training = training;
    this.data = training.data;
    this.slow = this.data.slow[slow] === undefined ? 1 : slow;
    this.stage = STAGES[stage] ? stage : 0;
    this.one = one >= 0 && one < this.data.batch ? one : 0;
    this.moved = 0; // the share of the step that is seen
    this.build();
  }

  begin() {
    this.choose(this.slow, false);
  }

  end() {
    cancelAnimationFrame(this.frame);
    this.ended = true;
  }

  build() {
    const { data } = this;
    this.map = new LatentMap("The minibatch on the map of the two latents", "decoded", data.reach);
    this.map.canvas.addEventListener("click", (event) => this.take(this.map.under(event)));
    this.steps = stepsOf(this.training, (slow) => this.choose(slow));
    this.stages = STAGES.map(([word], i) =>
      element("button", { role: "radio", "data-testid": `stage-${i + 1}`, onclick: () => this.turn(i) }, word),
    );
    const stages = element(
      "div",
      {
        class: "row",
        role: "radiogroup",
        "aria-label": "The step, stage by stage",
        onkeydown: (event) => this.key(event),
      },
      ...this.stages,
    );
    this.says = element("p", { class: "says", "aria-live": "polite" });
    this.thumbs = Array.from({ length: data.batch }, (_, i) =>
      element("canvas", { class: "thumb", onclick: () => this.pick(i) }),
    );
    this.batch = element(
      "div",
      {
        class: "minibatch",
        role: "listbox",
        tabindex: 0,
        "data-testid": "minibatch",
        "aria-label": "The pictures of the minibatch: arrow keys choose one",
        onkeydown: (event) => {
          const by = NEXT[event.key];
          if (!by) return;
          event.preventDefault();
          this.pick((this.one + by + data.batch) % data.batch);
        },
      },
      ...this.thumbs,
    );
    this.read = {};
    const number = (name) => (this.read[name] = element("span", { class: "number", "data-testid": `read-${name}` }));
    const row = (title, prefix) =>
      element(
        "div",
        {},
        element("h3", {}, title),
        element(
          "div",
          { class: "equation" },
          term("", number(`${prefix}-loss`), labelled("loss", "−ELBO, one draw")),
          term("=", number(`${prefix}-lost`), labelled("not rebuilt", "−log p(<x>|<z>)")),
          term("+", number(`${prefix}-kl`), labelled("what <z> tells", "KL")),
        ),
      );
    this.numbers = element("div", { class: "numbers" }, row("This picture", "one"), row("The whole minibatch", "all"));
    this.root = element(
      "div",
      { class: "training" },
      element("div", { class: "row" }, this.steps.box),
      stages,
      this.says,
      element(
        "div",
        { class: "sides" },
        element("div", {}, this.map.canvas),
        element("div", {}, this.batch, this.numbers),
      ),
    );
  }

  of(name, when = "slow") {
    return this.training.file.of(`${this.step}.${when}.${name}`);
  }

  async choose(slow, tell = true) {
    this.slow = slow;
    this.step = this.data.slow[slow];
    this.steps.mark(slow);
    const [, height, width] = this.data.shape;
    this.thumbs.forEach((canvas, i) =>
      paint(canvas, this.training.file.picture(this.step, i, height * width), this.data.shape),
    );
    // one scale for all arrows of this step: nine in ten are not longer than the longest
    const lengths = Array.from({ length: this.data.batch }, (_, i) => Math.hypot(...this.asked(i).all)).sort(
      (a, b) => a - b,
    );
    this.scale = LONGEST / lengths[Math.floor(0.9 * lengths.length)];
    const sheet = await this.training.file.sheet(this.step);
    if (this.ended || this.step !== this.data.slow[slow]) return;
    this.sheet = sheet;
    this.turn(this.stage, tell);
  }

  // What a picture's own loss asks of its mean: downhill, in nats for each unit of z.
  asked(i) {
    const [gradient, mu] = [this.of("gradient"), this.of("mu")];
    const rebuilt = [gradient[2 * i], gradient[2 * i + 1]];
    const prior = [-mu[2 * i], -mu[2 * i + 1]];
    return { rebuilt, prior, all: [rebuilt[0] + prior[0], rebuilt[1] + prior[1]] };
  }

  /** @returns {[number, number]} */
  mean(i) {
    const [before, after] = [this.of("mu"), this.of("mu", "after")];
    const at = (d) => before[2 * i + d] + this.moved * (after[2 * i + d] - before[2 * i + d]);
    return [at(0), at(1)];
  }

  key(event) {
    const by = NEXT[event.key];
    if (!by) return;
    event.preventDefault();
    this.turn(Math.min(STAGES.length - 1, Math.max(0, this.stage + by)));
    this.stages[this.stage].focus();
  }

  turn(stage, tell = true) {
    this.stage = stage;
    this.stages.forEach((button, i) => {
      button.setAttribute("aria-checked", String(i === stage));
      button.tabIndex = i === stage ? 0 : -1;
    });
    say(this.says, STAGES[stage][1]);
    cancelAnimationFrame(this.frame);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const start = performance.now();
    const follow = (now) => {
      this.moved = stage < 3 ? 0 : still ? 1 : Math.min(1, Math.max(0, (now - start) / SLOWLY));
      this.draw();
      if (stage === 3 && this.moved < 1) this.frame = requestAnimationFrame(follow);
    };
    follow(start);
    this.write();
    if (tell) this.tell();
  }

  tell() {
    this.training.moved(this.slow, this.stage, this.one);
  }

  take([z0, z1]) {
    const away = Array.from({ length: this.data.batch }, (_, i) => {
      const [m0, m1] = this.mean(i);
      return Math.hypot(m0 - z0, m1 - z1);
    });
    this.pick(away.indexOf(Math.min(...away)));
  }

  pick(i) {
    this.one = i;
    this.draw();
    this.write();
    this.tell();
  }

  draw() {
    const { map, data, stage } = this;
    const labels = this.of("labels");
    map.tiles(this.sheet, 0.35);
    for (let i = 0; i < data.batch; i++) {
      const at = this.mean(i);
      if (stage === 2) this.arrows(i, at, 1);
      if (stage === 3) {
        const [was, mu] = [this.of("mu"), at];
        const from = [was[2 * i], was[2 * i + 1]];
        map.arrow(from, [mu[0] - from[0], mu[1] - from[1]], "#ffffffb0", 1.2);
      }
      map.dot(...at, data.colours[labels[i]], 4);
    }
    const at = this.mean(this.one);
    if (stage === 2) this.arrows(this.one, at, 3);
    map.dot(...at, "#fff", 8);
    map.dot(...at, data.colours[labels[this.one]], 5.5);
    const sigma = this.of("sigma").subarray(2 * this.one, 2 * this.one + 2);
    map.ring(at, sigma, onPictures(map.canvas, "sigma"));
    if (stage > 0) {
      const eps = this.of("eps").subarray(2 * this.one, 2 * this.one + 2);
      map.dot(at[0] + sigma[0] * eps[0], at[1] + sigma[1] * eps[1], onPictures(map.canvas, "z"), 5);
    }
    this.thumbs.forEach((thumb, i) => thumb.classList.toggle("picked", i === this.one));
    map.canvas.dataset.stage = String(stage + 1);
    redrawn(map.canvas);
  }

  arrows(i, at, width) {
    const { rebuilt, prior, all } = this.asked(i);
    const [grey, orange] = [onPictures(this.map.canvas, "eps"), onPictures(this.map.canvas, "xhat")];
    const scaled = (by) => by.map((value) => value * this.scale);
    if (width > 1) {
      this.map.arrow(at, scaled(all), "#fff", width);
      this.map.arrow(at, scaled(prior), grey, width);
    }
    this.map.arrow(at, scaled(rebuilt), orange, width);
  }

  write() {
    const when = this.stage === 3 ? "after" : "slow";
    const [fit, kl] = [this.of("log_likelihood", when), this.of("kl", when)];
    const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
    for (const [prefix, lost, told] of [
      ["one", -fit[this.one], kl[this.one]],
      ["all", -mean(fit), mean(kl)],
    ]) {
      say(this.read[`${prefix}-loss`], nats(lost + told, 2));
      say(this.read[`${prefix}-lost`], nats(lost, 2));
      say(this.read[`${prefix}-kl`], nats(told, 2));
    }
    this.numbers.hidden = this.stage === 0;
  }
}
