// The ways between two pictures, or along a difference: their strips, verdicts and charts, and the place on one.

import { numbersOf } from "../shared/base64.js";
import { announce, element, labelled, markup, nats, numbers, say, svg } from "../shared/dom.js";
import { eager, swiped } from "../shared/hand.js";
import { fitted } from "../shared/paint.js";

const THUMBS = 12; // pictures in a strip
const MOST_STOPS = 8;
const TITLES = { straight: "Straight", spherical: "Spherical", following: "Following the data" };
const TOLD = {
  length: {
    bits: "Lengths are in radians of the decoder’s Fisher–Rao metric.",
    levels: "Lengths are distances between decoded pictures, over all pixels from 0 to 1.",
  },
  following:
    "Following the data minimises their energy, relative to the straight path’s, minus the mean of log q(<z>) / d.",
};
const CHARTS = {
  towards: {
    words: "how well it explains the first picture, and the last dotted",
    symbol: "log p(<x>|<z>), nats",
    colour: "--x",
    series: ["towards_a", "towards_b"],
  },
  density: { words: "how crowded it is there", symbol: "log q(<z>), nats", colour: "--z", series: ["log_density"] },
  kl: { words: "information in the picture", symbol: "KL of <xhat>, nats", colour: "--sigma", series: ["kl"] },
};
// What a path may be best at, in words.
const BEST = { length: "the shortest", largest_step: "the smoothest", lowest_density: "stays where pictures are" };
/** @type {[keyof Judged, string, string, (judged: Judged) => string, ((...values: number[]) => number) | null][]} */
const VERDICTS = [
  ["length", "length", "", (judged) => nats(judged.length), Math.min],
  ["largest_step", "largest step", "", (judged) => nats(judged.largest_step, 2), Math.min],
  ["lowest_density", "emptiest place", "log q(<z>)", (judged) => nats(judged.lowest_density), Math.max],
  ["shell", "distance from 0", "|<z>| / √d", (judged) => judged.shell.map((radius) => nats(radius, 2)).join("–"), null],
];

const RIFF = "UklGR"; // the first letters of every WebP

/** @param {string} source a PNG or WebP in base64 */
export function picture(source) {
  const image = new Image();
  image.src = `data:image/${source.startsWith(RIFF) ? "webp" : "png"};base64,${source}`;
  return image.decode().then(() => image);
}

export const clamp = (share) => Math.min(1, Math.max(0, share));

export class Ways {
  constructor(journey) {
    this.journey = journey;
  }

  // ---- along a way ----

  async build() {
    const { ways, mode, ends, chosen, at, most, rev } = this.journey.data;
    const entries = await Promise.all(
      Object.entries(ways).map(async ([name, way]) => {
        const series = Object.fromEntries(Object.entries(way.series).map(([key, text]) => [key, numbersOf(text)]));
        return [name, { ...way, image: await picture(way.strip), series }];
      }),
    );
    if (rev !== this.journey.rev) return;
    this.all = Object.fromEntries(entries);
    this.chosen = chosen;
    this.count = this.way.series.kl.length;
    const share = at.length ? at[0] : mode === "sum" ? 1 / most : 0.5;
    this.index = Math.round(share * (this.count - 1));
    this.journey.picture = this.journey.big("The picture at this step of the way");
    this.scrub = eager(
      element("input", {
        type: "range",
        min: 0,
        max: this.count - 1,
        step: 1,
        value: this.index,
        "data-testid": "scrub",
        "aria-label": mode === "sum" ? "How much of A minus B" : "Along the way",
        oninput: () => {
          this.journey.stop();
          this.show(Number(this.scrub.value));
        },
        onchange: () => this.commit(),
      }),
    );
    this.position = element("span", { class: "quiet", "data-testid": "position" });
    const track = element("div", { class: "track" }, this.scrub);
    const buttons = ends.map((end) => this.journey.endOf(end));
    const line = this.line(mode, buttons, track);
    this.journey.rebuild(
      element(
        "div",
        { class: "sides" },
        element(
          "div",
          { class: "journeyed" },
          this.journey.picture,
          ...line,
          element(
            "div",
            { class: "row" },
            this.journey.playButton(() => this.along()),
            this.position,
          ),
          this.journey.poor(),
          this.journey.live.status,
        ),
        element("div", {}, this.strips(), numbers(this.judged(), this.charts())),
      ),
    );
    this.choose(this.chosen);
  }

  // The ends, and the slider between or below them.
  line(mode, buttons, track) {
    if (mode === "sum")
      return [element("div", { class: "row sum" }, buttons[0], "−", buttons[1], "+", buttons[2]), track];
    const change = (sign, words) =>
      element(
        "button",
        { class: "more", "aria-label": words, title: words, onclick: () => this.journey.change(sign) },
        sign,
      );
    const more = buttons.length < MOST_STOPS ? [change("+", "One more picture")] : [];
    if (buttons.length === 2) return [element("div", { class: "line" }, buttons[0], track, buttons[1], ...more)];
    const fewer = change("−", "One picture less");
    return [element("div", { class: "row" }, ...buttons, fewer, ...more), track];
  }

  commit() {
    this.journey.commit([this.share]);
    announce(this.position.textContent);
  }

  // of the way, from 0 to 1
  get share() {
    return this.index / (this.count - 1);
  }

  get way() {
    return this.all[this.chosen];
  }

  // Whether a way is the best of all by one of VERDICTS.
  isBest(way, [key, , , , of]) {
    const all = Object.values(this.all);
    return Boolean(of) && all.length > 1 && way.judged[key] === of(...all.map((other) => other.judged[key]));
  }

  strips() {
    this.rows = {};
    const rows = Object.entries(this.all).map(([name, way]) => {
      const { shape } = this.journey.data;
      const [, height, width] = shape;
      const label = `${TITLES[name] ?? "The way"} as a strip`;
      const canvas = fitted(element("canvas", { role: "img", "aria-label": label }), shape, [THUMBS, 1]);
      const pen = canvas.getContext("2d");
      for (let i = 0; i < THUMBS; i++) {
        const frame = Math.round((i * (this.count - 1)) / (THUMBS - 1));
        pen.drawImage(way.image, frame * width, 0, width, height, i * width, 0, width, height);
      }
      const marker = element("i", { class: "marker" });
      const strip = element(
        "div",
        {
          class: "strip",
          onpointerdown: (event) => this.grab(event, name, strip),
          onpointermove: (event) => event.buttons && this.grab(event, name, strip),
          onpointerup: () => this.commit(),
        },
        canvas,
        marker,
      );
      const title = element(
        "button",
        {
          class: "name",
          "data-testid": `path-${name}`,
          onclick: () => {
            this.choose(name);
            this.commit();
          },
        },
        TITLES[name] ?? "C + t (A − B)",
      );
      const best = VERDICTS.filter((verdict) => this.isBest(way, verdict)).map(([key]) => BEST[key]);
      swiped(
        strip,
        () => [this.chosen, this.index],
        ([chosen, index]) => {
          this.index = index;
          this.choose(chosen);
        },
      );
      this.rows[name] = { title, marker };
      const said = element("span", { class: "quiet", "data-testid": `${name}-best` }, best.join(", "));
      return element("div", { class: "way" }, element("div", { class: "row" }, title, said), strip);
    });
    return element("div", { "data-testid": "ways" }, ...rows);
  }

  // What the paths are judged by, a line each.
  judged() {
    const head = element(
      "div",
      { class: "verdicts quiet" },
      element("span"),
      ...VERDICTS.map(([, words, symbol]) => labelled(words, symbol)),
    );
    const lines = Object.entries(this.all).map(([name, way]) => {
      const values = VERDICTS.map((verdict) => {
        const [key, , , text] = verdict;
        const shown = { class: this.isBest(way, verdict) ? "number best" : "number", "data-testid": `${name}-${key}` };
        return element("span", shown, text(way.judged));
      });
      return element("div", { class: "verdicts" }, element("span", {}, TITLES[name] ?? "C + t (A − B)"), ...values);
    });
    const { lengths } = this.journey.data;
    const told = "following" in this.all ? `${TOLD.length[lengths]} ${TOLD.following}` : TOLD.length[lengths];
    return element("div", {}, head, ...lines, element("div", { class: "quiet told" }, markup(told)));
  }

  grab(event, name, strip) {
    if (event.type === "pointerdown") strip.setPointerCapture(event.pointerId);
    this.journey.stop();
    const box = strip.getBoundingClientRect();
    this.index = Math.round(clamp((event.clientX - box.left) / box.width) * (this.count - 1));
    this.choose(name);
  }

  choose(name) {
    this.chosen = name;
    for (const [other, { title }] of Object.entries(this.rows)) title.setAttribute("aria-pressed", other === name);
    for (const chart of this.drawnCharts) chart.choose(name);
    this.show(this.index);
  }

  show(index) {
    const [, height, width] = this.journey.data.shape;
    this.index = index;
    this.journey.picture
      .getContext("2d")
      .drawImage(this.way.image, index * width, 0, width, height, 0, 0, width, height);
    this.journey.drawn(index);
    this.scrub.value = index;
    const share = index / (this.count - 1);
    say(
      this.position,
      this.journey.data.mode === "sum"
        ? `t = ${(share * this.journey.data.most).toFixed(2)}`
        : `step ${index + 1} of ${this.count}`,
    );
    for (const [name, { marker }] of Object.entries(this.rows)) {
      marker.style.transform = `translateX(${100 * share}%)`;
      marker.style.opacity = name === this.chosen ? 1 : 0.35;
    }
    for (const chart of this.drawnCharts) chart.mark(index);
  }

  // from end to end and back, from where it stands
  along() {
    let step = this.index === this.count - 1 ? -1 : 1;
    const next = () => {
      if (this.index + step < 0 || this.index + step >= this.count) step = -step;
      this.index += step;
    };
    return { next, show: () => this.show(this.index) };
  }

  // ---- charts: the chosen way in colour, the others behind it ----

  charts() {
    const wanted = this.journey.data.mode === "sum" ? ["density", "kl"] : ["towards", "density", "kl"];
    this.drawnCharts = wanted.map((name) => this.chart(CHARTS[name], name));
    return element("div", { class: "charts" }, ...this.drawnCharts.map((chart) => chart.box));
  }

  chart({ words, symbol, colour, series }, testid) {
    const all = Object.values(this.all).flatMap((way) => series.flatMap((key) => Array.from(way.series[key])));
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const at = (value) => 38 - (36 * (value - low)) / Math.max(1e-6, high - low);
    const points = (values) =>
      Array.from(values, (value, i) => `${(i / (this.count - 1)) * 100},${at(value)}`).join(" ");
    const plot = svg("svg", { viewBox: "0 0 100 40", preserveAspectRatio: "none", role: "img", "aria-label": words });
    const lines = Object.entries(this.all).flatMap(([name, way]) =>
      series.map((key, i) => {
        const line = svg("polyline", {
          points: points(way.series[key]),
          "vector-effect": "non-scaling-stroke",
          "stroke-dasharray": i ? "2 3" : "none",
        });
        plot.append(line);
        return [name, line];
      }),
    );
    const marker = element("i", { class: "marker" });
    const value = element("span", { class: "number", "data-testid": `read-${testid}` });
    return {
      box: element(
        "div",
        { class: "plot", style: `--line: var(${colour})` },
        element("div", {}, labelled(words, symbol), value),
        element("div", { class: "lines" }, plot, marker),
        element("span", { class: "quiet" }, `${nats(high, 0)}`, element("br"), `${nats(low, 0)}`),
      ),
      choose: (name) => {
        for (const [other, line] of lines) {
          line.setAttribute("class", other === name ? "chosen" : "");
          if (other === name) plot.append(line);
        }
      },
      mark: (index) => {
        marker.style.transform = `translateX(${(100 * index) / (this.count - 1)}%)`;
        say(value, series.map((key) => nats(this.way.series[key][index])).join(" · "));
      },
    };
  }
}
