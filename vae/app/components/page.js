// What every page has around its instruments: addresses that are one step of the history each, a menu that closes, and
// words that explain themselves.

import { clicked, used } from "./lecture.js";
import { Help } from "./page/help.js";
import { listen } from "./page/own.js";
import { Tour } from "./page/tour.js";
import { Words } from "./page/words.js";
import { element, stopOnce } from "./shared/dom.js";
import { sheetsOf } from "./shared/styles.js";

const NARROW = "(max-width: 768px)"; // Streamlit's own measure of where the menu lies over the page

// Streamlit goes to a page's bare address, and the page then writes behind it what it is about, at times in two goes: one
// step, and not three. So what is written before a hand has touched the page again only says in full where one came to.
// And at times the page writes first, behind the address of the page before: that step then becomes the new page's.
function completeAddresses() {
  const { pushState } = History.prototype;
  let touched = navigator.userActivation?.hasBeenActive ?? true;
  let early = false; // a page has written since the last touch, as a new one does behind the old one's address
  for (const kind of ["pointerdown", "keydown"])
    document.addEventListener(kind, () => ([touched, early] = [true, false]), true);
  addEventListener("popstate", () => (touched = early = false));
  history.pushState = (state, title, url) => {
    const here = new URL(url, location.href).pathname === location.pathname;
    const same = here ? location.search === "" || !touched : early;
    if (same) history.replaceState(state, title, url);
    else pushState.call(history, state, title, url);
    early = here && !same;
    if (!here) touched = false;
  };
}

function closeMenu() {
  /** @type {HTMLElement | null} */
  const menu = document.querySelector("[data-testid=stSidebar]");
  if (!matchMedia(NARROW).matches || menu?.dataset.collapsed === "true") return;
  /** @type {HTMLElement | null} */ (menu.querySelector("[data-testid=stSidebarCollapseButton] button"))?.click();
}

// After a long cut Streamlit has a new session, which knows nothing of the page that is still on the screen until its whole
// script has run. Streamlit runs it only where a run was cut short; so the page asks for one each time it is back.
function runAgainWhenBack() {
  let away = false;
  /** @param {MutationRecord[]} changes */
  const look = ([{ target }]) => {
    const back = /** @type {HTMLElement} */ (target).dataset.testConnectionState === "CONNECTED";
    if (back && away) document.vaeLab.runAgain?.();
    away = !back;
  };
  new MutationObserver(look).observe(document.body, { subtree: true, attributeFilter: ["data-test-connection-state"] });
}

// Once for the document: the page's own parts come and go. It is here before Streamlit is.
function begin() {
  completeAddresses();
  runAgainWhenBack();
  new Words();
  listen();
  const tour = new Tour();
  new Help(() => tour.go(0));
  document.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (target.closest("[data-testid=stSidebar] a")) closeMenu();
    const button = target.closest("[data-guess], [data-lecture], .st-key-next button");
    if (button) clicked(button);
    /** @type {HTMLElement | null} */
    const leads = target.closest("a[data-chapter]");
    if (!leads || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault(); // a page that was loaded anew would not know the visitor's pictures
    document.vaeLab.turnTo(leads.dataset.chapter);
  });
  // what a hand does within an instrument's shadow comes by here too
  for (const kind of ["pointerup", "keyup", "input"]) document.addEventListener(kind, used);
}

// The keys of the visitor's trainings are known to this tab, which tells them to the session of a page that was loaded anew.
function tellTrainings({ data, setStateValue }) {
  try {
    /** @type {string[]} */
    const held = JSON.parse(sessionStorage.getItem("trainings") ?? "[]");
    if (!data.heard && held.some((key) => !data.trainings.includes(key))) setStateValue("trainings", held);
    else sessionStorage.setItem("trainings", JSON.stringify(data.trainings));
  } catch (error) {
    const { name } = /** @type {DOMException} */ (error);
    if (name !== "SecurityError" && name !== "QuotaExceededError") throw error; // this tab keeps nothing
  }
}

// A picture of the visitor's own is known to this tab by what the address says of it. Where the page does not have it any
// more though the address still says it, it went with the session, and only the tab can tell that from a link.
function tellLost({ data, setStateValue }) {
  const x = new URL(location.href).searchParams.get("x");
  try {
    if (data.own) sessionStorage.setItem("own", data.own);
    else if (x && x === sessionStorage.getItem("own")) setStateValue("lost", x);
  } catch (error) {
    const { name } = /** @type {DOMException} */ (error);
    if (name !== "SecurityError" && name !== "QuotaExceededError") throw error; // this tab keeps nothing
  }
}

if (!document.vaeLab) begin();
document.vaeLab ??= {};
document.adoptedStyleSheets = await sheetsOf("page.css", "answers.css", "around.css"); // behind Streamlit's own, which they overrule

export default function (component) {
  const { data, setStateValue, setTriggerValue } = component;
  const { model } = document.vaeLab;
  if (model && model !== data.model) closeMenu();
  document.vaeLab = {
    ...data,
    runAgain: () => setStateValue("run", performance.timeOrigin + performance.now()),
    turnTo: (chapter) => setTriggerValue("chapter", chapter),
  };
  tellLost(component);
  tellTrainings(component);
  stopOnce(document);
  const { parentElement } = component;
  if (!parentElement.querySelector("[data-help]"))
    parentElement.append(element("button", { type: "button", "data-help": "" }, "Help and keys (?)"));
}
