// The question of a chapter, answered where it stands, and the link that a lecturer copies.

import { onlyLeads } from "./shared/hand.js";

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
    const heading = document.querySelector("[data-testid=stMain] h2");
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
}

/**
 * A hand did something, perhaps what the question is found out by: then what shows the answer is there, and the answer is
 * told to who has guessed.
 * @param {Event} event
 */
export function used(event) {
  /** @type {HTMLElement | null} */
  const section = document.querySelector("[data-question]:not([data-told])");
  const finds = (one) => one instanceof Element && one.matches(section.dataset.by);
  if (!section || onlyLeads(event) || !event.composedPath().some(finds)) return;
  if (section.dataset.guessed) reveal(section);
  else section.dataset.used = "yes";
}

function reveal(section) {
  section.dataset.told = "yes";
  const right = section.dataset.guessed === section.dataset.right;
  const option = section.querySelector(`[data-guess="${section.dataset.right}"]`);
  for (const one of section.querySelectorAll("[data-guess]")) one.toggleAttribute("data-is", one === option);
  /** @type {HTMLElement} */
  const answered = section.querySelector(".answered");
  const asked = answered.contains(document.activeElement); // by the button that makes way for the answer
  answered.textContent = right
    ? `Yes. ${section.dataset.because}`
    : `It is “${option.textContent}”. ${section.dataset.because}`;
  if (!asked) return;
  answered.tabIndex = -1;
  answered.focus();
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
