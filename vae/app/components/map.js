// The latent map: every test picture as a point, and the picture of any place between them.

const TILES = 20; // decoded pictures on a side of the background
const NEAREST = 8;
const PICKED = 200; // points around the pin that a key takes as a group
const REACH = 5; // pixels from the pointer to the middle of a point: between close points a place can still be pointed at
const STEP = 0.05; // of an arrow key; with Shift a tenth of it

let plotly = null;

// Plotly's one file, from this page's own server, once.
function loadPlotly(path) {
  plotly ??= new Promise((resolve, reject) => {
    const loaded = () => resolve(window.Plotly);
    document.head.append(element("script", { src: path, onload: loaded, onerror: () => reject(new Error(path)) }));
  });
  return plotly;
}

const numbersOf = (text, kind = Float32Array) => new kind(fromBase64(text).buffer);
const onLattice = (value) => Math.round(value * 1000) / 1000 + 0;
const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);

const LABEL =
  "fill: var(--st-text-color); font-weight: 600; stroke: var(--st-background-color); stroke-width: 4px; stroke-linejoin: round; paint-order: stroke";

// How a place compares, by the share of the places of pictures that are less dense.
function standing(share) {
  if (share === 0) return "emptier than any picture's place";
  if (share === 1) return "denser than any picture's place";
  return `denser than ${Math.round(100 * share)} % of pictures' places`;
}

// What is looked at stays as it was when the visitor comes back to the page in this tab.
function remembered(what) {
  try {
    return JSON.parse(sessionStorage.getItem(`map.${what}`)) ?? {};
  } catch {
    return {}; // no storage here, or somebody else's words in it
  }
}

function remember(what, value) {
  try {
    sessionStorage.setItem(`map.${what}`, JSON.stringify(value));
  } catch {
    // where nothing may be kept, the page begins anew
  }
}

class LatentMap {
  constructor(parent) {
    this.root = parent.appendChild(element("div", { class: "lab" }));
    this.live = new Live(() => this.askTiles());
    this.awaited = null; // the turn of a group that was kept, until the page knows of it
    this.untold = new Map(); // what Python is to be told then
    const { colourBy = "class", layers = { pictures: false, density: true } } = remembered("look");
    this.colourBy = colourBy;
    this.layers = layers;
    this.resized = new ResizeObserver(() => this.chart.data && this.draw());
    this.build();
  }

  end() {
    this.keepView();
    this.live.close();
    this.resized.disconnect();
    clearTimeout(this.settling);
    if (this.plotly) this.plotly.purge(this.chart);
  }

  // ---- Python -> here ----

  async update(component) {
    this.component = component;
    const { data } = component;
    this.data = data;
    this.live.through(component);
    const turned = data.rev !== this.rev;
    if (data.turn !== this.turn || turned) {
      this.z = data.z.slice();
      this.base = null; // the direction's slider begins where z is
      this.turnSlider(0);
    }
    this.turn = data.turn;
    if (turned) {
      this.rev = data.rev;
      this.xy = numbersOf(data.xy);
      this.labels = numbersOf(data.labels, Uint8Array);
      this.rows = numbersOf(data.rows, Uint32Array);
      this.values = Object.fromEntries(Object.entries(data.values).map(([name, text]) => [name, numbersOf(text)]));
      this.rank = numbersOf(data.rank);
      this.tiled = null;
      this.selected = [];
    }
    const regrouped = this.takeGroups(data.groups) || turned;
    this.live.input(data.model, fromBase64(data.levels));
    this.turnDirection();
    this.plotly ??= await loadPlotly(data.plotly);
    if (turned) this.draw(this.keptView() ?? this.window());
    else if (regrouped) this.draw();
    else this.follow();
    const about = JSON.stringify([data.rev, data.given, this.z]);
    if (about !== this.about) this.show(this.z);
    this.about = about;
    this.told(data.kept);
  }

  // The points of groups A and B on this view; whether they are others than before.
  takeGroups(given) {
    const key = JSON.stringify([this.rev, given]);
    if (key === this.grouped) return false;
    this.grouped = key;
    const where = new Map(Array.from(this.rows, (index, row) => [index, row]));
    this.groups = Object.entries(given).map(([group, text]) => {
      const rows = Array.from(numbersOf(text, Uint32Array), (index) => where.get(index)).filter((row) => row !== undefined);
      const mean = (axis) => rows.reduce((sum, row) => sum + this.xy[2 * row + axis], 0) / rows.length;
      return { group, rows, mean: [mean(0), mean(1)] };
    });
    return true;
  }

  // ---- the parts ----

  build() {
    this.chart = element("div", { class: "chart" });
    this.decoded = element("canvas", { "data-testid": "floated" });
    this.thumb = element("canvas", { "data-testid": "hovered" });
    const lettered = (canvas, symbol) => element("div", { hidden: "" }, canvas, markup(`<${symbol}>`));
    this.floating = { xhat: lettered(this.decoded, "xhat"), x: lettered(this.thumb, "x") };
    this.float = element("div", { class: "float", hidden: "", "aria-hidden": "true" }, this.floating.xhat, this.floating.x);
    this.aim = element("div", { class: "aim", hidden: "" });
    this.pin = element("div", { class: "pin" });
    this.marks = svg("svg", {});
    this.area = element(
      "div",
      {
        class: "area", "data-testid": "map", tabindex: 0, role: "application",
        "aria-label": `Latent map: arrow keys move z, with Shift in small steps; plus and minus zoom; Enter takes the nearest test picture, A or B the ${PICKED} points nearest on the map as a group`,
        onpointermove: (event) => this.onMove(event),
        onpointerdown: (event) => this.onDown(event),
        onpointerleave: () => this.restore(),
        onkeydown: (event) => this.onKey(event),
      },
      this.chart,
      this.pin,
      this.marks,
      this.aim,
      this.float,
    );
    this.picture = element("canvas", { class: "picture", "data-testid": "decoded", role: "img", "aria-label": "The picture decoded at this place" });
    this.near = Array.from({ length: NEAREST }, (_, i) =>
      element("button", { class: "near", "data-testid": `near-${i}`, onclick: () => this.pick(this.nearest[i]) }, element("canvas"), element("span", { class: "quiet" })),
    );
    this.read = {};
    const cell = (label, name) =>
      element(
        "div",
        { class: "cell" },
        markup(label),
        (this.read[name] = element("span", { class: "number", "data-testid": `read-${name}` })),
        (this.read[`${name}Note`] = element("span", { class: "quiet note" })),
      );
    this.slider = eager(element("input", { type: "range", min: -2, max: 2, step: 0.01, value: 0, "data-testid": "direction", "aria-label": "Along the difference of the groups", oninput: () => this.along(), onchange: () => this.commit() }));
    this.directionName = element("span", { class: "label" });
    this.directionValue = element("span", { class: "value", "data-testid": "direction-value" });
    this.directionBox = element(
      "div",
      { class: "section", hidden: "" },
      element("div", { class: "between" }, this.directionName, this.directionValue),
      element("div", { class: "track" }, this.slider),
    );
    this.tools = element("div", { class: "row", style: "padding-bottom:.6rem" });
    this.hint = element("div", { class: "quiet hint", role: "note" });
    this.root.replaceChildren(
      this.tools,
      this.hint,
      element(
        "div",
        { class: "mapped" },
        this.area,
        element(
          "div",
          { class: "beside" },
          this.picture,
          element("div", { class: "readouts two" }, cell("log q(<z>), all pictures", "density"), cell("encoded again", "drift")),
          this.directionBox,
          element("div", { class: "section quiet" }, "nearest encodings, and how far from here"),
          element("div", { class: "nears" }, ...this.near),
          this.live.status,
        ),
      ),
    );
    this.resized.observe(this.area);
    // Plotly knows no pinching: it would move the map with the first finger. `passive` lets the page stay where it is.
    for (const kind of ["touchstart", "touchmove", "touchend", "touchcancel"])
      this.area.addEventListener(kind, (event) => this.onTouch(event), { capture: true, passive: false });
  }

  buildTools() {
    const button = (text, onclick) => element("button", { onclick }, text);
    const toggle = (text, pressed, onclick) => element("button", { "aria-pressed": `${pressed}`, onclick }, text);
    const names = { class: "class", elbo: "ELBO", kl: "KL", reconstruction: "reconstruction" };
    const select = element(
      "select",
      { "aria-label": "Colour by", onchange: (event) => ((this.colourBy = event.target.value), this.draw()) },
      ...Object.entries(names).map(([value, text]) => {
        const option = element("option", { value }, `colour by ${text}`);
        option.selected = value === this.colourBy;
        return option;
      }),
    );
    const layer = (name, text) =>
      toggle(text, this.layers[name], () => {
        this.layers[name] = !this.layers[name];
        this.draw();
        this.askTiles();
      });
    const decodable = this.data.along !== null;
    const selecting = (mode, text) =>
      toggle(text, this.selecting === mode, () => {
        this.selecting = this.selecting === mode ? null : mode;
        this.plotly.relayout(this.chart, { dragmode: this.selecting ?? "pan" });
        this.buildTools();
      });
    const keys = decodable ? `; by keyboard, A or B on the map takes the ${PICKED} points nearest to the pin` : "";
    say(this.hint, this.selecting && !(this.selected ?? []).length ? `Drag around points, by mouse or finger${keys}` : "");
    const kept = (this.selected ?? []).length;
    const keep = (group) => button(`${kept} as ${group}`, () => this.keep(group));
    const whole = button("Whole map", () => this.draw(this.window()));
    const held = this.root.getRootNode().activeElement;
    const called = this.tools.contains(held) ? held.textContent : null;
    this.tools.replaceChildren(
      select,
      ...(decodable ? [layer("pictures", "Decoded"), layer("density", "Density")] : []),
      selecting("select", "Box"),
      selecting("lasso", "Lasso"),
      ...(kept ? [keep("A"), keep("B")] : []),
      whole,
    );
    // the one under a keyboard's focus was just made anew, or is not there any more
    if (called !== null) ([...this.tools.children].find((child) => child.textContent === called) ?? this.area).focus();
  }

  // of each model and projection
  keepView() {
    if (!this.chart.data) return;
    remember("views", { ...remembered("views"), [this.drawnRev]: this.seen() });
    remember("look", { colourBy: this.colourBy, layers: this.layers });
  }

  keptView() {
    const ranges = remembered("views")[this.rev];
    return Array.isArray(ranges) && ranges.flat().length === 4 && ranges.flat().every(Number.isFinite) ? ranges : null;
  }

  size() {
    return { width: this.area.clientWidth, height: this.area.clientHeight };
  }

  // the ranges of both axes that show the whole map
  window() {
    const { middle, far } = this.data;
    return middle.map((at) => [at - far, at + far]);
  }

  // The same of what is seen now: of a square in its middle, which Plotly widens until it fills the chart.
  seen() {
    const ranges = this.axes().map((axis) => axis.range);
    const far = Math.min(...ranges.map(([low, high]) => high - low)) / 2;
    return ranges.map(([low, high]) => [(low + high) / 2 - far, (low + high) / 2 + far]);
  }

  // ---- the chart ----

  // Over the decoded pictures they step back.
  dots() {
    return this.layers.pictures ? { size: 3, opacity: 0.45 } : { size: 4, opacity: 0.75 };
  }

  // By their uids Plotly knows which classes the visitor hid.
  points() {
    const { classes, colours } = this.data;
    const shared = { type: "scattergl", mode: "markers" };
    const of = (rows) => ({
      x: rows.map((row) => this.xy[2 * row]),
      y: rows.map((row) => this.xy[2 * row + 1]),
      customdata: rows,
    });
    const all = Array.from(this.labels.keys());
    if (this.colourBy === "class") {
      return classes.map((name, label) => ({
        ...shared,
        ...of(all.filter((row) => this.labels[row] === label)),
        uid: `class${label}`,
        name,
        marker: { ...this.dots(), color: colours[label] },
      }));
    }
    const values = this.values[this.colourBy];
    const sorted = Float32Array.from(values).sort();
    const at = (share) => sorted[Math.floor(share * (sorted.length - 1))];
    const marker = { ...this.dots(), color: all.map((row) => values[row]), colorscale: "Viridis", cmin: at(0.02), cmax: at(0.98) };
    const bar = { x: 1, xanchor: "right", thickness: 10, len: 0.6, outlinewidth: 0, bgcolor: this.veil(), title: { text: "nats", side: "top" } };
    return [{ ...shared, ...of(all), uid: this.colourBy, showlegend: false, marker: { ...marker, colorbar: bar } }];
  }

  // Groups A and B: rings of two colours and shapes around their points.
  ringed(text) {
    const marker = {
      A: { symbol: "circle-open", color: text },
      B: { symbol: "square-open", color: getComputedStyle(this.root).getPropertyValue("--st-primary-color").trim() },
    };
    return this.groups.map(({ group, rows }) => ({
      type: "scattergl", mode: "markers", uid: `group${group}`, name: group, hoverinfo: "skip",
      x: rows.map((row) => this.xy[2 * row]), y: rows.map((row) => this.xy[2 * row + 1]),
      marker: { ...marker[group], size: 7, opacity: 0.5, line: { width: 1.2 } },
    }));
  }

  // the page's colour, so that what is written over points can be read
  veil() {
    return `${getComputedStyle(this.root).getPropertyValue("--st-background-color").trim()}b0`;
  }

  contours() {
    const { side, middle, far, along } = this.data;
    if (!along || !this.layers.density) return [];
    const at = (axis) => Array.from({ length: side }, (_, i) => middle[axis] + far * ((2 * i + 1) / side - 1));
    const z = Array.from({ length: side }, (_, row) => Array.from(this.rank.subarray(row * side, (row + 1) * side)));
    return [
      {
        type: "contour", uid: "density", x: at(0), y: at(1), z, showscale: false, hoverinfo: "skip", showlegend: false,
        contours: { start: 0.1, end: 0.9, size: 0.2, coloring: "none" }, line: { width: 1.2, color: "#8a8f98", smoothing: 1 },
      },
    ];
  }

  // What is seen of it stays as it was, unless other ranges are given.
  draw(ranges = this.seen()) {
    const style = getComputedStyle(this.root);
    const text = style.getPropertyValue("--st-text-color");
    const { along } = this.data;
    const wide = this.area.clientWidth > 560;
    const legend = wide ? { x: 1, xanchor: "right", y: 1 } : { orientation: "h", x: 0, y: 1, yanchor: "bottom" };
    const quiet = { showgrid: false, zeroline: false, ticks: "", fixedrange: false };
    const layout = {
      ...this.size(),
      margin: { l: 34, r: 0, t: 0, b: 34 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: text, family: style.getPropertyValue("--st-font"), size: 13 },
      xaxis: { ...quiet, range: ranges[0], title: { text: this.data.titles[0], standoff: 4 }, showticklabels: along !== null },
      yaxis: { ...quiet, range: ranges[1], title: { text: this.data.titles[1], standoff: 2 }, scaleanchor: "x", showticklabels: along !== null },
      dragmode: this.selecting ?? "pan",
      uirevision: this.rev,
      hovermode: false, // it looks only now and then, and tells of a point when the hand is elsewhere: see pointed()
      showlegend: true,
      legend: { ...legend, itemsizing: "constant", bgcolor: this.veil(), font: { size: 12 } },
      images: this.layers.pictures && this.background ? [this.background] : [],
    };
    const traces = [...this.contours(), ...this.points(), ...this.ringed(text)];
    const first = !this.chart.data;
    this.plotly.react(this.chart, traces, layout, { displayModeBar: false, scrollZoom: true, doubleClick: false, showTips: false });
    if (first) this.listen();
    this.drawnRev = this.rev;
    this.keepView();
    this.buildTools();
    this.follow();
    this.area.dataset.points = this.labels.length;
    this.askTiles();
  }

  listen() {
    this.chart.on("plotly_relayout", () => (this.follow(), this.keepView()));
    this.chart.on("plotly_relayouting", () => this.follow());
    this.chart.on("plotly_selected", (event) => {
      this.selected = (event?.points ?? []).map((point) => point.customdata).filter(Number.isInteger);
      this.buildTools();
    });
  }

  axes() {
    return [this.chart._fullLayout.xaxis, this.chart._fullLayout.yaxis];
  }

  // ---- zooming without a wheel ----

  // The map magnified, with a place of it, in pixels of the chart, where it was.
  zoom(times, [x, y], ranges = this.axes().map((axis) => axis.range.slice())) {
    const [across, up] = this.axes();
    const shares = [x / across._length, 1 - y / up._length];
    const [xaxis, yaxis] = ranges.map(([low, high], axis) => {
      const held = low + shares[axis] * (high - low);
      return [held + (low - held) / times, held + (high - held) / times];
    });
    this.plotly.relayout(this.chart, { "xaxis.range": xaxis, "yaxis.range": yaxis });
  }

  onTouch(event) {
    if (!this.chart.data) return;
    const fingers = Array.from(event.touches, ({ clientX, clientY }) => [clientX, clientY]);
    const apart = () => Math.max(1, Math.hypot(fingers[0][0] - fingers[1][0], fingers[0][1] - fingers[1][1]));
    if (fingers.length === 2 && event.type === "touchstart")
      this.pinch = { apart: apart(), ranges: this.axes().map((axis) => axis.range.slice()), times: 1 };
    if (!this.pinch) return;
    event.preventDefault();
    if (fingers.length === 2 && event.type === "touchmove") {
      const box = this.area.getBoundingClientRect();
      const [across, up] = this.axes();
      const middle = [0, 1].map((axis) => (fingers[0][axis] + fingers[1][axis]) / 2);
      this.pinch.times = apart() / this.pinch.apart;
      this.pinch.at ??= [middle[0] - box.left - across._offset, middle[1] - box.top - up._offset];
      this.zoom(this.pinch.times, this.pinch.at, this.pinch.ranges);
    }
    if (fingers.length) return event.stopPropagation();
    // the last finger's end is Plotly's too, which then puts the map where the first finger had moved it
    const { times, at, ranges } = this.pinch;
    setTimeout(() => {
      this.pinch = null;
      if (at) this.zoom(times, at, ranges);
    });
  }

  // What lies on the chart goes where its axes go.
  follow() {
    this.movePin();
    this.drawMarks();
  }

  movePin() {
    this.pin.hidden = !this.data.along;
    if (!this.data.along) return;
    const [across, down] = this.axes();
    const [a, b] = this.at(this.z);
    const [x, y] = [across._offset + across.d2p(a), down._offset + down.d2p(b)];
    const inside = x >= across._offset && x <= across._offset + across._length && y >= down._offset && y <= down._offset + down._length;
    this.pin.hidden = !inside;
    this.pin.style.transform = `translate(${x}px, ${y}px)`;
  }

  // The input and the visitor's other pictures: mean and posterior at its scale. Traces would lie below the points.
  drawMarks() {
    const [across, up] = this.axes();
    const on = ([a, b]) => [across.d2p(a), up.d2p(b)];
    const marks = this.data.along ? this.data.marks : [];
    const written = [];
    const drawn = marks.map(({ label, mu, sigma }) => {
      const [x, y] = on(this.at(mu));
      const ellipse = this.ellipse(mu, sigma).map(on);
      let top = Math.min(y - 12, ...ellipse.map(([, height]) => height)) - 6; // above the pin, should it be here
      const meets = (other) => Math.abs(other.top - top) < 18 && Math.abs(other.x - x) < 4 * (other.label.length + label.length);
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
    this.marks.style.cssText =
      `position: absolute; overflow: hidden; pointer-events: none; left: ${across._offset}px; top: ${up._offset}px; ` +
      `width: ${across._length}px; height: ${up._length}px`;
    const letters = this.groups.filter(({ rows }) => rows.length).map(({ group, mean }) => {
      const [x, y] = on(mean);
      return svg("text", { x, y, dy: "0.35em", "text-anchor": "middle", "data-testid": "letter", style: `${LABEL}; font-size: 1.3rem` }, group);
    });
    this.marks.replaceChildren(...(this.data.along ? this.rings(on) : []), ...letters, ...drawn);
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
        svg("text", { ...at, style: `${LABEL}; font-weight: 400; font-size: 0.75rem` }, radius === 3 ? "3σ of p(z)" : `${radius}σ`),
      );
    });
  }

  // One standard deviation around mu of a posterior, projected on the plane.
  ellipse(mu, sigma) {
    const [u, v] = this.data.along;
    const [a, b] = this.at(mu);
    const covariance = (u, v) => u.reduce((sum, value, i) => sum + value * v[i] * sigma[i] ** 2, 0);
    // Cholesky's factor maps the unit circle to the ellipse
    const l11 = Math.sqrt(covariance(u, u)), l21 = covariance(u, v) / l11;
    const l22 = Math.sqrt(Math.max(0, covariance(v, v) - l21 * l21));
    return Array.from({ length: 64 }, (_, i) => {
      const [cos, sin] = [Math.cos((2 * Math.PI * i) / 64), Math.sin((2 * Math.PI * i) / 64)];
      return [a + l11 * cos, b + l21 * cos + l22 * sin];
    });
  }

  // ---- places ----

  at(z) {
    return this.data.along.map((direction) => dot(direction, z));
  }

  movedTo([a, b], z = this.z) {
    const { along } = this.data;
    const [da, db] = [a - dot(along[0], z), b - dot(along[1], z)];
    return z.map((value, i) => value + da * along[0][i] + db * along[1][i]);
  }

  onLegend(event) {
    return event.target.closest(".legend") !== null;
  }

  // the place under the pointer, or null outside the chart
  under(event) {
    if (!this.chart.data || !this.data.along) return null;
    const box = this.area.getBoundingClientRect();
    const [across, down] = this.axes();
    const [x, y] = [event.clientX - box.left - across._offset, event.clientY - box.top - down._offset];
    if (x < 0 || y < 0 || x > across._length || y > down._length) return null;
    return [across.p2d(x), down.p2d(y)];
  }

  // The shown point within REACH of the pointer that is nearest to it; null where there is none.
  pointed(event) {
    if (!this.chart.data) return null;
    const box = this.area.getBoundingClientRect();
    const [across, up] = this.axes();
    const [x, y] = [event.clientX - box.left - across._offset, event.clientY - box.top - up._offset];
    if (x < 0 || y < 0 || x > across._length || y > up._length) return null;
    const hidden = new Set(this.chart._fullData.filter((trace) => trace.visible !== true).map((trace) => trace.uid));
    let [found, least] = [null, REACH ** 2];
    for (let row = 0; row < this.labels.length; row++) {
      const distance = (across.d2p(this.xy[2 * row]) - x) ** 2 + (up.d2p(this.xy[2 * row + 1]) - y) ** 2;
      if (distance <= least && !hidden.has(`class${this.labels[row]}`)) [found, least] = [row, distance];
    }
    return found;
  }

  onMove(event) {
    if (event.pointerType === "touch" || this.selecting || event.buttons) return this.hideFloat();
    if (this.onLegend(event)) return this.restore();
    const box = this.area.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    this.preview(this.pointed(event));
    const width = this.aim.hidden ? 92 : 188;
    this.float.style.transform = `translate(${x + 20 + width > box.width ? x - 16 - width : x + 20}px, ${Math.max(0, y - 104)}px)`;
    const place = this.under(event);
    this.hovering = true;
    if (place) this.show(this.movedTo(place), true);
    else if (this.previewed === null) this.restore();
  }

  // A test picture, beside what is decoded; where the view cannot be decoded, what its own place decodes to is shown.
  preview(row) {
    this.aim.hidden = row === null;
    if (row === null) {
      this.previewed = null;
      this.floating.x.hidden = true;
      return;
    }
    const [across, up] = this.axes();
    const [x, y] = [across._offset + across.d2p(this.xy[2 * row]), up._offset + up.d2p(this.xy[2 * row + 1])];
    this.aim.style.transform = `translate(${x}px, ${y}px)`;
    if (this.previewed === row) return;
    this.previewed = row;
    const { latents, model, shape, along } = this.data;
    this.live.ask(Kind.EXAMPLE, model, new Uint32Array([this.rows[row]]), (buffer) => {
      if (this.previewed !== row) return;
      const { numbers, pixels } = parts(buffer, latents);
      paint(this.thumb, pixels, shape);
      this.thumb.dataset.index = this.rows[row];
      this.floating.x.hidden = this.float.hidden = false;
      if (!along) this.show(Array.from(numbers));
    });
  }

  restore() {
    this.hideFloat();
    if (this.wandered) this.show(this.z);
    this.wandered = false;
  }

  hideFloat() {
    this.hovering = false; // an answer may still come
    this.preview(null);
    this.float.hidden = this.floating.xhat.hidden = true;
  }

  floatShows(pixels) {
    paint(this.decoded, pixels, this.data.shape);
    this.float.hidden = this.floating.xhat.hidden = false;
  }

  // While a button is down, Plotly lays a cover over the page, so the end of a click is seen by the window only.
  onDown(down) {
    this.hideFloat();
    if (down.button !== 0 || this.onLegend(down)) return;
    addEventListener("pointerup", (up) => this.onUp(up, down.clientX, down.clientY), { once: true, capture: true });
  }

  onUp(event, x, y) {
    if (this.selecting || this.pinch || Math.hypot(event.clientX - x, event.clientY - y) > 4) return;
    const [row, place] = [this.pointed(event), this.under(event)];
    if (row !== null) this.pick(this.rows[row]);
    else if (place) this.moveTo(this.movedTo(place));
  }

  onKey(event) {
    if (event.key === "Enter" && event.target === this.area && this.nearest) this.pick(this.nearest[0]);
    const group = event.key.toUpperCase();
    const plain = event.target === this.area && !event.ctrlKey && !event.metaKey && !event.altKey;
    const times = { "+": 1.25, "=": 1.25, "-": 0.8 }[event.key];
    if (plain && times) return this.zoom(times, this.middle());
    if (plain && this.data.along && (group === "A" || group === "B")) return this.keep(group, this.around());
    const by = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!by || !this.data.along || event.target !== this.area) return;
    const [a, b] = this.at(this.z);
    const step = STEP * (event.shiftKey ? 0.1 : 1);
    event.preventDefault();
    this.moveTo(this.movedTo([a + by[0] * step, b + by[1] * step]));
  }

  // the pin in pixels of the chart, or the chart's middle where it is not seen
  middle() {
    const [across, up] = this.axes();
    if (this.pin.hidden) return [across._length / 2, up._length / 2];
    const [a, b] = this.at(this.z);
    return [across.d2p(a), up.d2p(b)];
  }

  within(z) {
    const { farthest } = this.data;
    return z.map((value) => onLattice(Math.min(farthest, Math.max(-farthest, value))));
  }

  moveTo(z) {
    this.z = this.within(z);
    this.base = null;
    this.turnSlider(0);
    this.movePin();
    this.show(this.z);
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.commit(), 350);
  }

  commit() {
    clearTimeout(this.settling);
    this.tell("place", { z: this.z, given: this.data.given });
  }

  pick(index) {
    this.tell("picked", { index, turn: Math.random() });
  }

  // All that Python is told comes with what the select boxes hold: told before they show a group just kept, it undid it.
  tell(name, value) {
    if (this.awaited !== null) return this.untold.set(name, value);
    if (name === "kept") this.awaited = value.turn;
    this.component.setStateValue(name, value);
  }

  told(turn) {
    if (turn !== this.awaited) return;
    this.awaited = null;
    const untold = [...this.untold];
    this.untold.clear();
    for (const [name, value] of untold) this.tell(name, value);
  }

  keep(group, picked = this.selected) {
    this.tell("kept", { group, rows: picked.map((row) => this.rows[row]), turn: Math.random() });
    this.selected = [];
    this.selecting = null;
    this.plotly.update(this.chart, { selectedpoints: [null] }, { dragmode: "pan", selections: [] });
    this.buildTools();
  }

  // the points nearest to the pin, on the plane
  around() {
    const [a, b] = this.at(this.z);
    const far = Array.from(this.labels, (_, row) => (this.xy[2 * row] - a) ** 2 + (this.xy[2 * row + 1] - b) ** 2);
    return Array.from(far.keys()).sort((one, other) => far[one] - far[other]).slice(0, PICKED);
  }

  // ---- the difference of two groups ----

  turnDirection() {
    const { direction } = this.data;
    this.directionBox.hidden = !direction;
    if (!direction || direction.name === this.directed) return;
    this.directed = direction.name;
    this.base = null;
    this.turnSlider(0);
    say(this.directionName, direction.name);
  }

  // How far along, in steps of the whole difference of the groups' means.
  turnSlider(value) {
    this.slider.value = value;
    const steps = `${value > 0 ? "+" : ""}${nats(value, 2)} ×`;
    this.slider.ariaValueText = `${steps} the difference`;
    say(this.directionValue, steps);
  }

  along() {
    this.base ??= this.z;
    this.turnSlider(Number(this.slider.value));
    const { vector } = this.data.direction;
    this.z = this.within(this.base.map((value, i) => value + Number(this.slider.value) * vector[i]));
    if (this.data.along) this.movePin();
    this.show(this.z);
  }

  // ---- what is there ----

  show(z, floating = false) {
    const { latents, model, shape, typical } = this.data;
    if (z !== this.z) this.wandered = true;
    const body = new Float32Array(z);
    this.live.ask(Kind.PLACE, model, body, (buffer) => {
      const { numbers, pixels } = parts(buffer, 6 + latents);
      paint(this.picture, pixels, shape);
      this.picture.dataset.z = z.join(",");
      redrawn(this.picture);
      if (floating && this.hovering) this.floatShows(pixels);
      say(this.read.drift, nats(numbers[2]));
      say(this.read.driftNote, "σ away from this place");
    });
    this.live.ask(Kind.NEAR, model, body, (buffer) => {
      const { numbers, pixels } = parts(buffer, 1 + 2 * NEAREST);
      const plane = shape[0] * shape[1] * shape[2];
      const below = typical.filter((value) => value < numbers[0]).length / typical.length;
      say(this.read.density, nats(numbers[0]));
      say(this.read.densityNote, standing(below));
      this.area.classList.toggle("empty", below === 0);
      this.nearest = Array.from(numbers.subarray(1 + NEAREST));
      this.near.forEach((button, i) => {
        paint(button.firstChild, pixels.subarray(i * plane), shape);
        say(button.lastChild, nats(numbers[1 + i], 2));
        button.title = `test picture ${this.nearest[i]}, ${nats(numbers[1 + i], 2)} away, where latents count by how much they change pictures`;
        button.ariaLabel = button.title;
      });
      this.near[0].dataset.index = this.nearest[0];
    });
  }

  // The decoded manifold, faint where no picture lies.
  askTiles() {
    if (!this.layers.pictures || !this.live.ready || !this.data?.along || !this.chart.data) return;
    const { latents, shape, model, far, middle, side } = this.data;
    const base = this.movedTo(middle);
    const key = JSON.stringify([this.rev, base.map((value) => value.toFixed(1))]);
    if (key === this.tiled) return;
    this.tiled = key;
    const places = new Float32Array(TILES * TILES * latents);
    const share = (i) => ((2 * i + 1) / TILES - 1) * far;
    for (let row = 0; row < TILES; row++)
      for (let column = 0; column < TILES; column++)
        places.set(this.movedTo([middle[0] + share(column), middle[1] - share(row)], base), (row * TILES + column) * latents);
    this.live.ask(Kind.PICTURES, model, places, (buffer) => {
      const [channels, height, width] = shape;
      const sheet = element("canvas", { width: TILES * width, height: TILES * height });
      const { pixels } = parts(buffer, 0);
      const tile = element("canvas");
      const pen = sheet.getContext("2d");
      for (let i = 0; i < TILES * TILES; i++) {
        const [row, column] = [Math.floor(i / TILES), i % TILES];
        const cell = (index) => Math.floor(((index + 0.5) * side) / TILES);
        const rank = this.rank[(side - 1 - cell(row)) * side + cell(column)];
        if (rank < 0.002) continue;
        pen.globalAlpha = 0.35 + 0.65 * Math.min(1, 6 * rank);
        paint(tile, pixels.subarray(i * channels * height * width), shape);
        pen.drawImage(tile, column * width, row * height);
      }
      this.background = {
        source: sheet.toDataURL(), xref: "x", yref: "y", x: middle[0] - far, y: middle[1] + far,
        sizex: 2 * far, sizey: 2 * far, sizing: "stretch", layer: "below",
      };
      this.area.dataset.tiles = TILES * TILES;
      this.draw();
    });
  }
}

export default mounted((parent) => new LatentMap(parent));
