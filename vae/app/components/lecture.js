// The question of a chapter, answered where it stands, and the link that a lecturer copies. page.js loads it at the first
// click on one of them.

/** @type {{ section: HTMLElement, stop: AbortController } | null} */
let waiting = null; // for the reader to find out

/** @param {Element} button */
export function clicked(button) {
  const { guess, lecture } = /** @type {HTMLElement} */ (button).dataset;
  if (guess !== undefined) guessed(/** @type {HTMLElement} */ (button));
  else if (button.closest(".st-key-next")) follow();
  else if (lecture === "copy") copy(button);
  else if (lecture === "print") print();
  else reveal(button.closest("[data-question]"));
}

const TURNS = 10000; // ms that another chapter may take to come

// The next chapter from its beginning on, for eyes and keyboard: it comes in the place of the last one's end.
async function follow() {
  const question = () => /** @type {HTMLElement | null} */ (document.querySelector("[data-question]"));
  const before = question()?.dataset.question;
  for (const end = performance.now() + TURNS; performance.now() < end;) {
    await new Promise((after) => setTimeout(after, 50));
    if (!question() || question().dataset.question === before) continue;
    /** @type {HTMLElement} */
    const heading = document.querySelector("[data-testid=stMain] h3");
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
    heading.scrollIntoView();
    return;
  }
}

function guessed(button) {
  const section = button.closest("[data-question]");
  for (const one of section.querySelectorAll("[data-guess]")) one.ariaPressed = String(one === button);
  section.dataset.guessed = button.dataset.guess;
  if (section.dataset.told) return reveal(section); // another guess, once it is known
  const show = Object.assign(document.createElement("button"), { type: "button", textContent: "Show the answer" });
  show.dataset.lecture = "tell";
  section.querySelector(".answered").replaceChildren(`Find out: ${section.dataset.does} `, show);
  waiting?.stop.abort();
  waiting = { section, stop: new AbortController() };
  // what a hand does within an instrument's shadow comes by here too
  for (const kind of ["pointerup", "keyup", "input"])
    document.addEventListener(kind, found, { signal: waiting.stop.signal });
}

/** @param {Event} event */
function found(event) {
  const { section } = waiting;
  if (!section.isConnected) waiting.stop.abort();
  else if (
    event.composedPath().some((one) => one instanceof Element && one.matches(section.dataset.by) && !passes(event, one))
  )
    reveal(section);
}

// On a picture that one draws on, these keys only lead somewhere.
const passes = (event, on) =>
  on instanceof HTMLCanvasElement && (event.key === "Tab" || event.key?.startsWith("Arrow"));

function reveal(section) {
  waiting?.stop.abort();
  section.dataset.told = "yes";
  const right = section.dataset.guessed === section.dataset.right;
  const option = section.querySelector(`[data-guess="${section.dataset.right}"]`);
  for (const one of section.querySelectorAll("[data-guess]")) one.toggleAttribute("data-is", one === option);
  section.querySelector(".answered").textContent = right
    ? `Yes. ${section.dataset.because}`
    : `It is “${option.textContent}”. ${section.dataset.because}`;
}

// Where the clipboard is closed, as it is to pages without TLS, the address stands there to be taken by hand.
async function copy(button) {
  const told = button.parentElement.querySelector("[aria-live]");
  try {
    await navigator.clipboard.writeText(location.href);
    told.textContent = "Copied.";
  } catch {
    told.textContent = location.href;
    getSelection().selectAllChildren(told);
  }
}
