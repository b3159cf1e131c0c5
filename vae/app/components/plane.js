// Explore's plane: the two latents themselves, two of many, or the first two principal components, through z.

Object.assign(Explore.prototype, {
  buildPlane() {
    this.tiles = element("canvas");
    this.marks = element("canvas", {
      class: "over", "data-testid": "plane", tabindex: 0, role: "application",
      "aria-label": "Latent plane: arrow keys move z, with Shift in small steps",
      [`on${RAW}`]: (event) => this.onPointer(event),
      onpointerdown: (event) => this.onPointer(event),
      onpointerup: (event) => this.onPointer(event),
      onpointerleave: (event) => this.onLeave(event),
      onpointercancel: (event) => this.onLeave(event),
      onkeydown: (event) => this.planeKey(event),
    });
    this.pin = element("div", { class: "pin" });
    this.spot = element("div", { class: "spot" });
    this.plane = element("div", { class: "plane" }, this.tiles, this.marks, this.pin, this.spot);
    this.resized.disconnect();
    this.resized.observe(this.plane);
    this.ghost = null;
    this.tiled = null;
    const box = element("div", { class: "section" }, this.plane);
    if (this.data.latents > 2) box.prepend(this.axisChoice());
    return box;
  },

  axisChoice() {
    const pca = this.axes === "pca";
    const pair = pca ? this.data.order.slice(0, 2) : this.axes;
    const select = (side, word) => {
      const options = this.data.order.filter((index) => index !== pair[1 - side]).map((index) => {
        const option = element("option", { value: index }, `z${subscript(index)}`);
        option.selected = index === pair[side];
        return option;
      });
      const made = element("select", { "aria-label": word, onchange: () => this.turn(pair.with(side, Number(made.value))) }, ...options);
      return made;
    };
    const both = element("button", { "aria-pressed": pca, onclick: () => this.turn(pca ? pair : "pca") }, "Principal components");
    const of = element("span", { class: "row", style: pca ? "opacity:.4" : "" }, select(0, "horizontal latent"), "×", select(1, "vertical latent"));
    return element("div", { class: "row", style: "padding-bottom:.7rem" }, of, both);
  },

  turn(axes) {
    this.axes = axes;
    this.build();
    this.show(this.z);
  },

  // two orthonormal directions, and how far the plane reaches along each
  directions() {
    const { latents, components, reach } = this.data;
    if (this.axes === "pca") return { along: components.directions, far: components.reach };
    const unit = (index) => Array.from({ length: latents }, (_, i) => (i === index ? 1 : 0));
    return { along: this.axes.map(unit), far: Math.max(...this.axes.map((index) => reach[index])) };
  },

  at(z) {
    return this.directions().along.map((direction) => dot(direction, z));
  },

  // z moved within the plane to the coordinates (a, b)
  movedTo([a, b], z = this.z) {
    const { along } = this.directions();
    const [da, db] = [a - dot(along[0], z), b - dot(along[1], z)];
    return z.map((value, i) => value + da * along[0][i] + db * along[1][i]);
  },

  coordinates(event) {
    const box = this.marks.getBoundingClientRect();
    const { far } = this.directions();
    return [(2 * (event.clientX - box.left)) / box.width - 1, 1 - (2 * (event.clientY - box.top)) / box.height].map((share) => share * far);
  },

  onPointer(event) {
    if (event.type === "pointerdown") {
      this.marks.setPointerCapture(event.pointerId);
      this.held = true;
    }
    const z = this.movedTo(this.coordinates(event));
    if (this.held) {
      this.ghost = null;
      this.moveTo(z);
    } else if (event.type !== "pointerup" && event.pointerType !== "touch") {
      this.ghost = z.map(onLattice);
      this.movePins();
      this.show(this.ghost);
    }
    if (event.type === "pointerup" && this.held) {
      this.held = false;
      this.commit();
      this.askTiles();
    }
  },

  onLeave(event) {
    if (this.held && event.type === "pointerleave") return;
    if (this.held) this.commit();
    this.held = false;
    if (this.ghost) this.show(this.z);
    this.ghost = null;
    this.movePins();
  },

  planeKey(event) {
    const by = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (event.key === "Backspace" || event.key === "Delete") this.moveTo(this.given.mu);
    else if (by) {
      const [a, b] = this.at(this.z);
      const step = STEP * (event.shiftKey ? 0.1 : 1);
      this.moveTo(this.movedTo([a + by[0] * step, b + by[1] * step]));
    } else return;
    event.preventDefault();
    this.settle();
  },

  // The decoded manifold: one request for all tiles, again where z left the plane it was decoded on.
  askTiles() {
    if (!this.plane || !this.live.ready) return;
    const { latents, shape, model } = this.data;
    const { far } = this.directions();
    const base = this.movedTo([0, 0]);
    const key = JSON.stringify([this.axes, base.map((value) => value.toFixed(2)), model]);
    if (key === this.tiled) return;
    const places = new Float32Array(TILES * TILES * latents);
    for (let row = 0; row < TILES; row++)
      for (let column = 0; column < TILES; column++) {
        const share = (i) => ((2 * i + 1) / TILES - 1) * far;
        places.set(this.movedTo([share(column), -share(row)], base), (row * TILES + column) * latents);
      }
    this.live.ask(Kind.PICTURES, model, places, (buffer) => {
      this.tiled = key;
      const [channels, height, width] = shape;
      const canvas = this.tiles;
      canvas.width = TILES * width;
      canvas.height = TILES * height;
      const { pixels } = parts(buffer, 0);
      const tile = document.createElement("canvas");
      for (let i = 0; i < TILES * TILES; i++) {
        paint(tile, pixels.subarray(i * channels * height * width), shape);
        canvas.getContext("2d").drawImage(tile, (i % TILES) * width, Math.floor(i / TILES) * height);
      }
      canvas.dataset.tiles = TILES * TILES;
    });
  },

  drawPlane() {
    this.width = this.plane.clientWidth;
    this.drawMarks();
    this.movePins();
    this.askTiles();
  },

  // z and the place under the pointer are elements of their own: to draw the rest again at each move would cost frames.
  movePins() {
    const { far } = this.directions();
    const put = (pin, z) => {
      pin.hidden = !z;
      if (!z) return;
      const [x, y] = this.at(z).map((value, axis) => ((1 + (axis ? -value : value) / far) * this.width) / 2);
      pin.style.transform = `translate(${x}px, ${y}px)`;
    };
    put(this.pin, this.z);
    put(this.spot, this.ghost);
  },

  // The prior's rings, the posterior q(z|x) at its scale, and the pictures to start from.
  drawMarks() {
    const canvas = this.marks;
    const side = Math.round(this.width * devicePixelRatio);
    if (!side) return;
    if (canvas.width !== side) canvas.width = canvas.height = side;
    const pen = canvas.getContext("2d");
    const { along, far } = this.directions();
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(name);
    const unit = side / (2 * far);
    const dpr = devicePixelRatio;
    const xy = ([a, b]) => [side / 2 + a * unit, side / 2 - b * unit];
    const stroke = (shade, width, path) => {
      for (const [under, over] of [["#000a", width + 2], [shade, width]]) {
        pen.strokeStyle = under;
        pen.lineWidth = over * dpr;
        pen.beginPath();
        path();
        pen.stroke();
      }
    };
    pen.clearRect(0, 0, side, side);
    pen.setLineDash([4 * dpr, 5 * dpr]);
    for (const radius of [1, 2]) {
      pen.strokeStyle = "#ffffff90";
      pen.lineWidth = dpr;
      pen.beginPath();
      pen.arc(side / 2, side / 2, radius * unit, 0, 2 * Math.PI);
      pen.stroke();
    }
    pen.setLineDash([]);
    const { mu, sigma } = this.given;
    const covariance = (u, v) => u.reduce((sum, value, i) => sum + value * v[i] * sigma[i] ** 2, 0);
    const [aa, ab, bb] = [covariance(along[0], along[0]), covariance(along[0], along[1]), covariance(along[1], along[1])];
    const middle = (aa + bb) / 2;
    const spread = Math.hypot((aa - bb) / 2, ab);
    const angle = -0.5 * Math.atan2(2 * ab, aa - bb);
    const axis = (variance) => Math.sqrt(Math.max(0, variance)) * unit;
    stroke(colour("--sigma"), 2, () => pen.ellipse(...xy(this.at(mu)), axis(middle + spread), axis(middle - spread), angle, 0, 2 * Math.PI));
    pen.fillStyle = colour("--mu");
    pen.beginPath();
    pen.arc(...xy(this.at(mu)), 2.5 * dpr, 0, 2 * Math.PI);
    pen.fill();
    if (this.data.latents === 2) {
      pen.font = `600 ${13 * dpr}px ${colour("--st-font")}`;
      pen.textAlign = "center";
      pen.textBaseline = "middle";
      for (const preset of this.presets) {
        pen.strokeStyle = "#000c";
        pen.lineWidth = 4 * dpr;
        const word = preset.own ? "x" : preset.label;
        pen.strokeText(word, ...xy(this.at(preset.mu)));
        pen.fillStyle = "#fff";
        pen.fillText(word, ...xy(this.at(preset.mu)));
      }
    }
  },
});

export default mounted((parent) => new Explore(parent));
