// What the instruments share: elements, pictures, numbers and symbols.

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// Draw c x h x w bytes, pixel by pixel; CSS makes them large.
function paint(canvas, pixels, [channels, height, width]) {
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const image = new ImageData(width, height);
  const plane = width * height;
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = pixels[i + (channels === 3 ? c * plane : 0)];
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// The i-th of pictures that lie one after the other.
function nth(pixels, shape, i) {
  const size = shape.reduce((product, side) => product * side, 1);
  return pixels.subarray(i * size, (i + 1) * size);
}

// Counts on the canvas itself how often it was painted, for those who wait for it.
function redrawn(canvas) {
  canvas.dataset.drawn = Number(canvas.dataset.drawn ?? 0) + 1;
}

// Texts and styles that stay as they are cost nothing: most do at 60 pictures a second.
function say(element, text) {
  if (element.said !== text) element.textContent = element.said = text;
}

function fromBase64(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function toBase64(bytes) {
  return btoa(bytes.reduce((text, byte) => text + String.fromCharCode(byte), ""));
}

function nats(value, digits = 1) {
  return Number.isFinite(value) ? value.toFixed(digits).replace("-", "−") : "–";
}

// One instrument for each place on the page where Streamlit mounts the component.
function mounted(make) {
  const instruments = new WeakMap();
  return function (component) {
    const parent = component.parentElement;
    if (!instruments.has(parent)) instruments.set(parent, make(parent));
    instruments.get(parent).update(component);
    return () => {
      instruments.get(parent)?.end();
      instruments.delete(parent);
    };
  };
}

// "log p(<z>)" -> text with the symbol in its colour
function markup(text) {
  const span = element("span", { class: "label" });
  for (const part of text.split(/(<\w+>)/)) {
    const symbol = part.match(/^<(\w+)>$/)?.[1];
    span.append(symbol ? element("b", { class: symbol }, { mu: "μ", sigma: "σ", eps: "ε", xhat: "x̂" }[symbol] ?? symbol) : part);
  }
  return span;
}

function subscript(index) {
  return [...String(index)].map((digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]).join("");
}

// The moves of a pointer before the browser gathers them for the next frame, where it tells: an answer to them may still
// be in time for that frame.
const RAW = "onpointerrawupdate" in window ? "pointerrawupdate" : "pointermove";
const THUMB = 16; // pixels of a slider's thumb

// A range input that follows a mouse or pen at once; fingers and keys move it as ever.
function eager(input) {
  const follow = (event) => {
    const box = input.getBoundingClientRect();
    const share = (event.clientX - box.left - THUMB / 2) / (box.width - THUMB);
    const before = input.value;
    input.value = Number(input.min) + Math.min(1, Math.max(0, share)) * (input.max - input.min);
    if (input.value !== before) input.dispatchEvent(new Event("input"));
  };
  input.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch" || event.button !== 0) return;
    event.preventDefault();
    input.focus();
    input.setPointerCapture(event.pointerId);
    follow(event);
  });
  input.addEventListener(RAW, (event) => event.buttons && input.hasPointerCapture(event.pointerId) && follow(event));
  input.addEventListener("pointerup", (event) => input.hasPointerCapture(event.pointerId) && input.dispatchEvent(new Event("change")));
  return input;
}
