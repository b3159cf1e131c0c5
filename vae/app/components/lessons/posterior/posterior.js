// q(z|x) beside the true p(z|x) on the plane, both sides of the identity, and its derivation, for a picture under the hand.

import { fromBase64, toBase64 } from "../../shared/base64.js";
import { announce, element, markup, nats, say } from "../../shared/dom.js";
import { DOWN, Settling } from "../../shared/hand.js";
import { Kind, Live } from "../../shared/live.js";
import { mounted } from "../../shared/mounted.js";
import { paint } from "../../shared/paint.js";
import { worded } from "./formula.js";
import { Plane } from "./plane.js";
import { Proof } from "./proof.js";
import { Refining } from "./refining.js";

const REST = 300; // ms after which a hand rests, and numbers are taken thoroughly

class Posterior {
  constructor(parent) {
    this.root = parent.appendChild(element("div", { class: "lab" }));
    this.rev = null;
    this.version = 0; // of x
    this.live = new Live(() => this.tell());
    this.slow = new Live(); // its answers take long, and would keep a hand's waiting
    this.ended = false;
    this.numbers = null;
    this.pen = null; // what the pen draws while it is down
    this.keyed = false; // the keyboard has the pen
    this.resting = new Settling(() => this.rest(), REST);
    this.plane = new Plane(this);
    this.proof = new Proof(this);
    this.refining = new Refining(this);
  }

  end() {
    this.ended = true;
    this.live.close();
    this.slow.close();
    this.plane.end();
    this.resting.stop();
    clearTimeout(this.again);
    this.refining.stop();
  }

  update(component) {
    this.component = component;
    const { data } = component;
    this.live.through(component);
    this.slow.connect(data.live);
    if (data.rev === this.rev) return;
    this.rev = data.rev;
    this.data = data;
    this.given = fromBase64(data.levels);
    this.proof.begin(Number(data.see));
    this.plane.begin();
    this.numbers = null;
    this.at = [data.shape[2] >> 1, data.shape[1] >> 1];
    this.build();
    this.turn(this.given);
  }

  build() {
    this.bits = element("canvas", {
      class: "pad",
      "data-testid": "x",
      tabindex: 0,
      role: "application",
      "aria-label": "The pixels of x: arrow keys move, Space turns a pixel over",
      onpointerdown: (event) => this.down(event),
      onpointermove: (event) => this.move(event),
      onpointerup: () => (this.pen = null),
      onpointercancel: () => (this.pen = null),
      onkeydown: (event) => this.padKey(event),
      onblur: () => this.paintBits(),
    });
    const button = (word, onclick, attributes = {}) => element("button", { onclick, ...attributes }, word);
    this.identity = {};
    const cell = (sign, words, symbol, name) => {
      const number = element("span", { class: "number", "data-testid": name });
      this.identity[name] = number;
      return element(
        "span",
        { class: "term" },
        element("i", {}, sign),
        element("span", {}, number, element("br"), worded(words, symbol)),
      );
    };
    this.verdict = element("div", { class: "quiet", "data-testid": "verdict" });
    this.root.replaceChildren(
      element(
        "div",
        { class: "beside-q" },
        element(
          "div",
          {},
          this.plane.box,
          element(
            "div",
            { class: "row under" },
            ...[
              ["−", 1 / 1.5, "Zoom out"],
              ["+", 1.5, "Zoom in"],
              ["Fit", 0, "Fit"],
            ].map(([word, by, label]) => button(word, () => this.plane.magnify(by), { "aria-label": label })),
            element(
              "span",
              { class: "quiet" },
              markup("rings hold 50, 90 and 99 %: "),
              element("b", { class: "z" }, "p(z|x)"),
              ", ",
              element("b", { class: "sigma" }, "q(z|x)"),
              " around ",
              element("b", { class: "mu" }, "μ"),
            ),
          ),
          this.live.status,
        ),
        element(
          "div",
          { class: "side" },
          element("figure", {}, this.bits, element("figcaption", {}, markup("<x>: draw on it, or rub out"))),
          element(
            "div",
            {},
            element(
              "div",
              { class: "row presets" },
              ...this.data.presets.map((preset, i) => button(preset, () => this.turn(this.preset(i)))),
              button("Clear", () => this.turn(new Uint8Array(this.given.length))),
            ),
            element(
              "div",
              { class: "row under" },
              this.refining.button,
              element("span", { class: "quiet" }, this.data.refined.says),
            ),
          ),
          this.refining.box,
        ),
        element(
          "div",
          { class: "sums" },
          element(
            "div",
            { class: "identity", "data-testid": "identity" },
            cell("", "evidence", "log p(<x>)", "evidence"),
            cell("−", "gap of q", "KL(q || p(<z>|<x>))", "gap"),
            cell("=", "reconstruction", "E_q[log p(<x>|<z>)]", "reconstruction"),
            cell("−", "what <z> tells", "KL(q || p(<z>))", "kl"),
          ),
          this.verdict,
        ),
      ),
      this.proof.box,
    );
    this.proof.build();
  }

  preset(i) {
    return fromBase64(this.data.levelsOf).slice(i * this.given.length, (i + 1) * this.given.length);
  }

  // ---- x ----

  turn(x) {
    this.x = x.slice();
    this.changed();
  }

  changed() {
    this.version++;
    this.refining.forget();
    this.paintBits();
    this.ask();
    this.resting.later();
  }

  paintBits() {
    const [, height, width] = this.data.shape;
    paint(
      this.bits,
      this.x.map((bit) => 255 * bit),
      this.data.shape,
    );
    if (!this.bits.matches(":focus") || !this.keyed) return;
    const pen = this.bits.getContext("2d");
    pen.fillStyle = this.x[this.at[1] * width + this.at[0]] ? "#1f7fc0" : "#56b4e9";
    pen.fillRect(this.at[0], Math.min(this.at[1], height - 1), 1, 1);
  }

  pixel(event) {
    const [, height, width] = this.data.shape;
    const box = this.bits.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
  }

  down(event) {
    const [, height, width] = this.data.shape;
    this.keyed = false;
    this.bits.setPointerCapture(event.pointerId);
    this.last = this.pixel(event);
    const [column, row] = this.last.map(Math.floor);
    if (column < 0 || row < 0 || column >= width || row >= height) return;
    this.pen = { bit: 1 - this.x[row * width + column] };
    this.dab(column + 0.5, row + 0.5, 0.5);
    this.changed();
  }

  move(event) {
    if (!this.pen) return;
    const to = this.pixel(event);
    const steps = Math.ceil(Math.hypot(to[0] - this.last[0], to[1] - this.last[1]) * 2);
    if (!steps) return;
    for (let i = 1; i <= steps; i++) {
      const [x, y] = to.map((value, axis) => this.last[axis] + ((value - this.last[axis]) * i) / steps);
      this.dab(x, y, 1.1);
    }
    this.last = to;
    this.changed();
  }

  // every pixel whose middle is within the pen
  dab(x, y, radius) {
    const [, height, width] = this.data.shape;
    for (let row = Math.max(0, Math.floor(y - radius)); row < Math.min(height, y + radius); row++)
      for (let column = Math.max(0, Math.floor(x - radius)); column < Math.min(width, x + radius); column++)
        if (Math.hypot(column + 0.5 - x, row + 0.5 - y) <= radius) this.x[row * width + column] = this.pen.bit;
  }

  padKey(event) {
    const [, height, width] = this.data.shape;
    const by = DOWN[event.key];
    this.keyed = true;
    if (by) {
      this.at = [width, height].map((side, axis) => Math.min(side - 1, Math.max(0, this.at[axis] + by[axis])));
      this.paintBits();
    } else if (event.key === " " || event.key === "Enter") {
      const place = this.at[1] * width + this.at[0];
      this.x[place] = 1 - this.x[place];
      this.changed();
    } else return;
    const [column, row] = this.at;
    announce(`row ${row + 1}, column ${column + 1}, ${this.x[row * width + column] ? "ink" : "no ink"}`);
    event.preventDefault();
  }

  // ---- asking ----

  ask(thorough = false) {
    const version = this.version;
    const body = new Uint8Array(1 + this.x.length);
    body[0] = Number(thorough);
    body.set(this.x, 1);
    (thorough ? this.slow : this.live).ask(Kind.POSTERIOR, body, (answer) => this.answered(answer, version, thorough));
  }

  // A hand that rests gets the numbers taken thoroughly, and Python learns of x.
  rest() {
    if (this.numbers?.built === 1) this.ask(true);
    const packed = new Uint8Array(Math.ceil(this.x.length / 8));
    this.x.forEach((bit, i) => {
      packed[i >> 3] |= bit << (7 - (i & 7));
    });
    const id = `b${toBase64(packed).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
    if (this.x.some((bit, i) => bit !== this.given[i])) {
      this.given = this.x.slice();
      this.component.setStateValue("x", id);
    }
  }

  tellLine(line) {
    this.component.setStateValue("see", String(line));
  }

  answered(answer, version, thorough) {
    if (this.ended || (thorough && version !== this.version)) return;
    const { built } = answer;
    const first = this.numbers?.built !== 1;
    this.numbers = answer;
    clearTimeout(this.again);
    if (built === 1 && first) this.resting.later();
    if (built < 1) this.again = setTimeout(() => this.ask(), 200);
    this.tell();
    this.writeNumbers();
    this.refining.again();
    this.plane.shows(answer, version, thorough);
  }

  tell() {
    const built = this.numbers?.built;
    const text =
      built === undefined || built === 1
        ? ""
        : built < 1
          ? `decoding the plane for p(z|x), once: ${Math.round(100 * built)} %`
          : "the plane for p(z|x) could not be built: the server’s log says why";
    if (this.live.ready) say(this.live.status, text);
  }

  // ---- numbers ----

  writeNumbers() {
    const n = this.numbers;
    const sides = { evidence: n.log_evidence, gap: n.gap, reconstruction: n.reconstruction, kl: n.kl };
    for (const [name, value] of Object.entries(sides)) say(this.identity[name], nats(value, 2));
    const [left, right] = [n.log_evidence - n.gap, n.reconstruction - n.kl];
    const error = 3 * n.reconstruction_error + n.evidence_error + n.gap_error;
    const apart = Math.abs(left - right);
    const known = Number.isFinite(left);
    say(
      this.verdict,
      known
        ? `${nats(left, 3)} nats by quadrature and ${nats(right, 3)} by draws of q. They are ${nats(apart, 3)} apart, ${apart <= error ? "within" : "beyond"} the error of ${nats(error, 3)} (3 standard errors of the draws, and the quadratures’).`
        : "The left side is taken once the plane is decoded.",
    );
    this.verdict.dataset.holds = known ? String(apart <= error) : "";
    this.proof.write(n);
  }
}

export default await mounted((parent) => new Posterior(parent));
