// The square between four pictures: any place in it is decoded.

import { announce, element, labelled, nats, say } from "../shared/dom.js";
import { DOWN, Settling } from "../shared/hand.js";
import { fitted, paint } from "../shared/paint.js";
import { clamp, picture } from "./journey_ways.js";

const NUDGE = 0.02; // of an arrow key, of the square's side

export class Square {
  constructor(journey) {
    this.journey = journey;
    this.at = [0.5, 0.5];
    this.settling = new Settling(() => journey.commit(this.at));
  }

  // ---- between four ----

  async build() {
    const { square, ends, at, shape, rev } = this.journey.data;
    const [, height, width] = shape;
    const image = await picture(square.strip);
    if (rev !== this.journey.rev) return;
    this.at = at.length === 2 ? at.slice() : [0.5, 0.5];
    this.read = {};
    this.journey.picture = this.journey.big("The picture at this place between the four");
    const sheet = fitted(element("canvas"), shape, [square.side, square.side]);
    const pen = sheet.getContext("2d");
    for (let i = 0; i < square.side ** 2; i++) {
      const [left, top] = [(i % square.side) * width, Math.floor(i / square.side) * height];
      pen.drawImage(image, i * width, 0, width, height, left, top, width, height);
    }
    this.spot = element("div", { class: "pin" });
    this.box = element(
      "div",
      {
        class: "square",
        tabindex: 0,
        role: "application",
        "data-testid": "square",
        "aria-label": "The square between four pictures: arrow keys move",
        onpointerdown: (event) => this.down(event),
        onpointermove: (event) => this.move(event),
        onpointerup: () => this.journey.commit(this.at),
        onpointerleave: () => this.journey.playing || this.visit(this.at),
        onkeydown: (event) => this.nudge(event),
      },
      sheet,
      this.spot,
    );
    const cell = (words, symbol, name) =>
      element(
        "div",
        { class: "cell" },
        labelled(words, symbol),
        (this.read[name] = element("span", { class: "number", "data-testid": `read-${name}` })),
      );
    const corners = ends.map((end) => this.journey.endOf(end));
    this.journey.rebuild(
      element(
        "div",
        { class: "sides" },
        element(
          "div",
          {},
          this.journey.picture,
          element(
            "div",
            { class: "readouts" },
            cell("density under the prior", "log p(<z>), nats", "prior"),
            cell("information in the picture", "KL of <xhat>, nats", "kl"),
            cell("shift when encoded again", "in <sigma>", "drift"),
          ),
          element(
            "div",
            { class: "row around" },
            this.journey.playButton(() => this.around()),
            element("span", { class: "quiet" }, "around the four: A, B, D, C"),
          ),
          this.journey.poor(),
          this.journey.live.status,
        ),
        element(
          "div",
          { class: "four" },
          corners[0],
          element("span"),
          corners[1],
          this.box,
          corners[2],
          element("span"),
          corners[3],
        ),
      ),
    );
    this.visit(this.at);
  }

  down(event) {
    this.box.setPointerCapture(event.pointerId);
    this.journey.stop();
    this.point(event);
  }

  move(event) {
    if (event.buttons) this.point(event);
    else if (event.pointerType === "mouse" && !this.journey.playing) this.point(event, true);
  }

  point(event, passing = false) {
    const box = this.box.getBoundingClientRect();
    const at = [clamp((event.clientX - box.left) / box.width), clamp((event.clientY - box.top) / box.height)];
    if (!passing) this.at = at;
    this.visit(at);
  }

  nudge(event) {
    const by = DOWN[event.key];
    if (!by) return;
    event.preventDefault();
    this.journey.stop();
    this.at = this.at.map((share, axis) => clamp(share + by[axis] * NUDGE));
    this.visit(this.at);
    const [across, down] = this.at.map((share) => `${Math.round(100 * share)} %`);
    announce(`${across} across, ${down} down`);
    this.settling.later();
  }

  // Along the square's edges as the film goes, from the frame that is nearest to where it stands.
  around() {
    const { steps, square } = this.journey.data;
    const margin = 0.5 / square.side;
    const corners = [
      [0, 0],
      [1, 0],
      [1, 1],
      [0, 1],
      [0, 0],
    ];
    const place = (frame) => {
      const edge = Math.floor((4 * frame) / steps);
      const share = (4 * frame) / steps - edge;
      return corners[edge].map(
        (from, axis) => margin + (1 - 2 * margin) * (from + share * (corners[edge + 1][axis] - from)),
      );
    };
    const far = Array.from({ length: steps }, (_, frame) =>
      Math.hypot(...place(frame).map((share, axis) => share - this.at[axis])),
    );
    let frame = far.indexOf(Math.min(...far));
    const next = () => {
      frame = (frame + 1) % steps;
      this.at = place(frame);
    };
    return { next, show: () => this.visit(this.at) };
  }

  // the centres of the outer pictures are the four themselves
  visit(at) {
    const { side } = this.journey.data.square;
    const [across, down] = at.map((share) => clamp((share * side - 0.5) / (side - 1)));
    const [a, b, c, d] = this.journey.data.ends.map((end) => end.mu);
    const mix = (from, to, share) => from.map((value, i) => (1 - share) * value + share * to[i]);
    const z = mix(mix(a, b, across), mix(c, d, across), down);
    this.spot.style.left = `${100 * at[0]}%`;
    this.spot.style.top = `${100 * at[1]}%`;
    this.journey.live.place(z, ({ log_prior: prior, drift, round_trip_kl: kl, mean }) => {
      paint(this.journey.picture, mean, this.journey.data.shape);
      this.journey.drawn(at.map((share) => share.toFixed(3)).join(","));
      this.journey.picture.dataset.z = z.join(",");
      say(this.read.prior, nats(prior));
      say(this.read.drift, `${nats(drift)} σ`);
      say(this.read.kl, nats(kl.reduce((sum, value) => sum + value, 0)));
    });
  }
}
