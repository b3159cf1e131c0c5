// The map's chart, which Plotly draws: its points and their layers, its axes, and what moves and enlarges it.

import { element } from "../../shared/dom.js";
import { tiles } from "../../shared/geometry.js";
import { Kind } from "../../shared/live.js";
import { paintTiles } from "../../shared/paint.js";

const TILES = 20; // decoded pictures on a side of the background
const REACH = 5; // pixels from the pointer to the middle of a point: between close points a place can still be pointed at
const DOT = { least: 2.5, whole: 3, most: 9 }; // pixels of a point: on the whole map, and at most however near
const SCALE = "Viridis";

let plotly = null;

// Plotly's one file, from this page's own server, once; null where it cannot be had, and then the next who asks tries again.
function loadPlotly(path) {
  plotly ??= new Promise((resolve) => {
    const failed = () => resolve((plotly = null));
    document.head.append(element("script", { src: path, onload: () => resolve(window.Plotly), onerror: failed }));
  });
  return plotly;
}

export class Chart {
  constructor(map) {
    this.map = map;
    this.plotly = null;
    /** @type {any} what Plotly makes of it */
    this.box = element("div", { class: "chart" });
    this.resized = new ResizeObserver(() => this.drawn && this.draw());
    this.drawnRev = null;
    this.background = null; // the decoded pictures, as an image of Plotly's
    this.tiled = null; // what they show
    this.pinch = null;
  }

  // Whether Plotly is there, when it has come or is known not to come.
  async comes(path) {
    this.plotly ??= await loadPlotly(path);
    return this.plotly !== null;
  }

  get drawn() {
    return Boolean(this.box.data);
  }

  watch() {
    this.resized.observe(this.map.area);
    // Plotly knows no pinching: it would move the map with the first finger. `passive` lets the page stay where it is.
    for (const kind of ["touchstart", "touchmove", "touchend", "touchcancel"])
      this.map.area.addEventListener(kind, (event) => this.onTouch(event), { capture: true, passive: false });
  }

  end() {
    this.resized.disconnect();
    this.plotly?.purge(this.box);
  }

  // what a drag does
  drags(mode) {
    this.plotly.relayout(this.box, { dragmode: mode });
  }

  unselect() {
    this.plotly.update(this.box, { selectedpoints: [null] }, { dragmode: "pan", selections: [] });
  }

  size() {
    return { width: this.map.area.clientWidth, height: this.map.area.clientHeight };
  }

  // the ranges of both axes that show the whole map
  whole() {
    const { middle, far } = this.map.data;
    return middle.map((at) => [at - far, at + far]);
  }

  // The same of what is seen now: of a square in its middle, which Plotly widens until it fills the chart.
  seen() {
    const ranges = this.axes().map((axis) => axis.range);
    const far = Math.min(...ranges.map(([low, high]) => high - low)) / 2;
    return ranges.map(([low, high]) => [(low + high) / 2 - far, (low + high) / 2 + far]);
  }

  // ---- the chart ----

  // Larger where the map is near, so that a point can be met; over the decoded pictures they step back.
  dots(ranges) {
    const [low, high] = this.whole()[0];
    const near = (high - low) / Math.min(...ranges.map(([from, to]) => to - from));
    const size = Math.min(DOT.most, Math.max(DOT.least, DOT.whole * Math.sqrt(near)));
    return this.map.tools.layers.pictures ? { size: 0.8 * size, opacity: 0.5 } : { size, opacity: 0.8 };
  }

  // One trace, in an order of chance: what is drawn last must be no class.
  points(ranges) {
    const byClass = this.map.tools.colourBy === "class";
    const rows = byClass
      ? this.map.order.filter((row) => !this.map.tools.hidden.has(this.map.labels[row]))
      : this.map.order;
    const colour = byClass
      ? { color: rows.map((row) => this.map.data.colours[this.map.labels[row]]) }
      : {
          color: rows.map((row) => this.map.values[this.map.tools.colourBy][row]),
          colorscale: SCALE,
          cmin: this.span()[0],
          cmax: this.span()[1],
        };
    return {
      type: "scattergl",
      mode: "markers",
      uid: this.map.tools.colourBy,
      x: rows.map((row) => this.map.xy[2 * row]),
      y: rows.map((row) => this.map.xy[2 * row + 1]),
      customdata: rows,
      marker: { ...this.dots(ranges), ...colour },
    };
  }

  // The values between which colours change: few lie far out.
  span() {
    const sorted = Float32Array.from(this.map.values[this.map.tools.colourBy]).sort();
    return [0.02, 0.98].map((share) => sorted[Math.floor(share * (sorted.length - 1))]);
  }

  // Groups A and B: rings of two colours and shapes around their points.
  ringed(text) {
    const marker = {
      A: { symbol: "circle-open", color: text },
      B: {
        symbol: "square-open",
        color: getComputedStyle(this.map.root).getPropertyValue("--st-primary-color").trim(),
      },
    };
    return this.map.groups.map(({ group, rows }) => ({
      type: "scattergl",
      mode: "markers",
      uid: `group${group}`,
      name: group,
      hoverinfo: "skip",
      x: rows.map((row) => this.map.xy[2 * row]),
      y: rows.map((row) => this.map.xy[2 * row + 1]),
      marker: { ...marker[group], size: 7, opacity: 0.5, line: { width: 1.2 } },
    }));
  }

  contours() {
    const { side, middle, far, along } = this.map.data;
    if (!along || !this.map.tools.layers.density) return [];
    const at = (axis) => Array.from({ length: side }, (_, i) => middle[axis] + far * ((2 * i + 1) / side - 1));
    const z = Array.from({ length: side }, (_, row) =>
      Array.from(this.map.rank.subarray(row * side, (row + 1) * side)),
    );
    return [
      {
        type: "contour",
        uid: "density",
        x: at(0),
        y: at(1),
        z,
        showscale: false,
        hoverinfo: "skip",
        showlegend: false,
        contours: { start: 0.1, end: 0.9, size: 0.2, coloring: "none" },
        line: { width: 1.2, color: "#8a8f98", smoothing: 1 },
      },
    ];
  }

  // What is seen of it stays as it was, unless other ranges are given.
  draw(ranges = this.seen()) {
    const style = getComputedStyle(this.map.root);
    const text = style.getPropertyValue("--st-text-color");
    const { along } = this.map.data;
    const quiet = { showgrid: false, zeroline: false, ticks: "", fixedrange: false };
    const layout = {
      ...this.size(),
      margin: { l: 34, r: 0, t: 0, b: 34 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: text, family: style.getPropertyValue("--st-font"), size: 13 },
      xaxis: {
        ...quiet,
        range: ranges[0],
        title: { text: this.map.data.titles[0], standoff: 4 },
        showticklabels: along !== null,
      },
      yaxis: {
        ...quiet,
        range: ranges[1],
        title: { text: this.map.data.titles[1], standoff: 2 },
        scaleanchor: "x",
        showticklabels: along !== null,
      },
      dragmode: this.map.tools.selecting ?? "pan",
      uirevision: this.map.rev,
      hovermode: false, // it looks only now and then, and tells of a point when the hand is elsewhere: see pointed()
      showlegend: false,
      images: this.map.tools.layers.pictures && this.background ? [this.background] : [],
    };
    const traces = [...this.contours(), this.points(ranges), ...this.ringed(text)];
    const first = !this.drawn;
    this.plotly.react(this.box, traces, layout, {
      displayModeBar: false,
      scrollZoom: true,
      doubleClick: false,
      showTips: false,
    });
    if (first) this.listen();
    this.drawnRev = this.map.rev;
    this.map.keepView();
    this.map.tools.build();
    this.map.tools.buildLegend();
    this.map.follow();
    this.map.area.dataset.points = this.map.labels.length;
    this.askTiles();
  }

  listen() {
    this.box.on("plotly_relayout", () => {
      this.map.follow();
      this.map.keepView();
      this.sizeDots();
    });
    this.box.on("plotly_relayouting", () => this.map.follow());
    this.box.on("plotly_selected", (event) => {
      this.map.selected = (event?.points ?? []).map((point) => point.customdata).filter(Number.isInteger);
      this.map.tools.build();
    });
  }

  sizeDots() {
    const trace = this.box.data.findIndex(({ customdata }) => customdata);
    const { size } = this.dots(this.axes().map((axis) => axis.range));
    const now = this.box.data[trace].marker.size;
    if (Math.abs(Math.log(size / now)) > 0.1) this.plotly.restyle(this.box, { "marker.size": size }, [trace]);
  }

  axes() {
    return [this.box._fullLayout.xaxis, this.box._fullLayout.yaxis];
  }

  // ---- zooming without a wheel ----

  // The map magnified, with a place of it, in pixels of the chart, where it was, or where it is moved `to`.
  zoom(times, at, ranges = this.axes().map((axis) => axis.range.slice()), to = at) {
    const [across, up] = this.axes();
    const shares = ([x, y]) => [x / across._length, 1 - y / up._length];
    const [xaxis, yaxis] = ranges.map(([low, high], axis) => {
      const held = low + shares(at)[axis] * (high - low);
      const first = held - (shares(to)[axis] * (high - low)) / times;
      return [first, first + (high - low) / times];
    });
    this.plotly.relayout(this.box, { "xaxis.range": xaxis, "yaxis.range": yaxis });
  }

  onTouch(event) {
    if (!this.drawn) return;
    const fingers = Array.from(event.touches, ({ clientX, clientY }) => [clientX, clientY]);
    const apart = () => Math.max(1, Math.hypot(fingers[0][0] - fingers[1][0], fingers[0][1] - fingers[1][1]));
    if (fingers.length === 2 && event.type === "touchstart")
      this.pinch = { apart: apart(), ranges: this.axes().map((axis) => axis.range.slice()), times: 1 };
    // One finger scrolls the page, unless it draws around points: Plotly would move the map with it.
    if (!this.pinch) return this.map.tools.selecting ? undefined : event.stopPropagation();
    event.preventDefault();
    if (fingers.length === 2 && event.type === "touchmove") {
      const box = this.map.area.getBoundingClientRect();
      const [across, up] = this.axes();
      const middle = [0, 1].map((axis) => (fingers[0][axis] + fingers[1][axis]) / 2);
      this.pinch.times = apart() / this.pinch.apart;
      this.pinch.to = [middle[0] - box.left - across._offset, middle[1] - box.top - up._offset];
      this.pinch.at ??= this.pinch.to;
      this.zoom(this.pinch.times, this.pinch.at, this.pinch.ranges, this.pinch.to);
    }
    if (fingers.length) return event.stopPropagation();
    // the last finger's end is Plotly's too, which then puts the map where the first finger had moved it
    const { times, at, ranges, to } = this.pinch;
    setTimeout(() => {
      this.pinch = null;
      if (at) this.zoom(times, at, ranges, to);
    });
  }

  // the place under the pointer, or null outside the chart
  under(event) {
    if (!this.drawn || !this.map.data.along) return null;
    const box = this.map.area.getBoundingClientRect();
    const [across, down] = this.axes();
    const [x, y] = [event.clientX - box.left - across._offset, event.clientY - box.top - down._offset];
    if (x < 0 || y < 0 || x > across._length || y > down._length) return null;
    return [across.p2d(x), down.p2d(y)];
  }

  // The shown point within REACH of the pointer that is nearest to it; null where there is none.
  pointed(event) {
    if (!this.drawn) return null;
    const box = this.map.area.getBoundingClientRect();
    const [across, up] = this.axes();
    const [x, y] = [event.clientX - box.left - across._offset, event.clientY - box.top - up._offset];
    if (x < 0 || y < 0 || x > across._length || y > up._length) return null;
    const hidden = this.map.tools.colourBy === "class" ? this.map.tools.hidden : new Set();
    let [found, least] = [null, REACH ** 2];
    for (let row = 0; row < this.map.labels.length; row++) {
      const distance = (across.d2p(this.map.xy[2 * row]) - x) ** 2 + (up.d2p(this.map.xy[2 * row + 1]) - y) ** 2;
      if (distance <= least && !hidden.has(this.map.labels[row])) [found, least] = [row, distance];
    }
    return found;
  }

  // the pin in pixels of the chart, or the chart's middle where it is not seen
  middle() {
    const [across, up] = this.axes();
    if (this.map.pin.hidden) return [across._length / 2, up._length / 2];
    const [a, b] = this.map.at(this.map.z);
    return [across.d2p(a), up.d2p(b)];
  }

  // ---- the pictures behind the points ----

  // The decoded manifold, faint where no picture lies.
  askTiles() {
    const { data, live, rank, rev } = this.map;
    if (!this.map.tools.layers.pictures || !live.ready || !data?.along || !this.drawn) return;
    const { latents, shape, far, middle, side } = data;
    const base = this.map.movedTo(middle);
    const key = JSON.stringify([rev, base.map((value) => value.toFixed(1))]);
    if (key === this.tiled) return;
    this.tiled = key;
    const place = (across, up) => this.map.movedTo([middle[0] + across * far, middle[1] + up * far], base);
    live.ask(Kind.PICTURES, tiles(TILES, latents, place), ({ means }) => {
      const cell = (index) => Math.floor(((index + 0.5) * side) / TILES);
      const looks = (i) => {
        const here = rank[(side - 1 - cell(Math.floor(i / TILES))) * side + cell(i % TILES)];
        return here < 0.002 ? 0 : 0.35 + 0.65 * Math.min(1, 6 * here);
      };
      const sheet = paintTiles(element("canvas"), means, shape, TILES, looks);
      this.background = {
        source: sheet.toDataURL(),
        xref: "x",
        yref: "y",
        x: middle[0] - far,
        y: middle[1] + far,
        sizex: 2 * far,
        sizey: 2 * far,
        sizing: "stretch",
        layer: "below",
      };
      this.map.area.dataset.tiles = String(TILES * TILES);
      this.draw();
    });
  }
}
