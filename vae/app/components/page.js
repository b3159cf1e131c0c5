// What every page has around its instruments: addresses that are one step of the history each, a menu that closes, and
// words that explain themselves.

import { sheetsOf } from "./shared/styles.js";
import { WORDS } from "./shared/told.js";

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

// ---- words ----

const wordOf = (event) => event.composedPath().find((one) => one.dataset?.word);

// One sentence for the whole document, whose words are in many shadows; in the top layer nothing lies over it.
class Sentence {
  constructor() {
    this.box = document.createElement("div");
    Object.assign(this.box, { className: "sentence", popover: "manual", role: "tooltip" });
    this.box.dataset.testid = "sentence";
    const listen = (kind, heard) => document.addEventListener(kind, heard, true);
    listen(
      "pointerover",
      (event) => event.pointerType !== "touch" && this.meet(wordOf(event), event.composedPath().includes(this.box)),
    );
    listen("focusin", (event) => this.meet(wordOf(event)));
    listen("focusout", () => this.close());
    // the tap that opens it does so by its focus already; the next one closes it
    listen("pointerdown", (event) => (this.tapped = event.pointerType === "touch" ? this.word : null));
    listen("click", (event) => (this.word && this.tapped === wordOf(event) ? this.close() : this.meet(wordOf(event))));
    listen("keydown", (event) => event.key === "Escape" && this.close());
    listen("scroll", () => this.word && this.place());
  }

  meet(word, within = false) {
    if (within) return;
    if (!word) this.close();
    else if (word !== this.word) this.show(word);
  }

  show(word) {
    this.word = word;
    document.querySelector("[data-testid=stApp]").append(this.box); // where colours and letters are the page's
    this.box.textContent = WORDS[word.dataset.word];
    this.box.showPopover();
    this.place();
  }

  place() {
    Object.assign(this.box.style, { left: 0, top: 0 });
    const [at, own] = [this.word.getBoundingClientRect(), this.box.getBoundingClientRect()];
    const below = at.bottom + own.height < innerHeight;
    this.box.style.left = `${Math.max(12, Math.min(at.left, innerWidth - own.width - 12))}px`;
    this.box.style.top = `${below ? at.bottom : at.top - own.height}px`;
  }

  close() {
    if (!this.word) return;
    this.word = null;
    this.box.hidePopover();
  }
}

// Once for the document: the page's own parts come and go. It is here before Streamlit is.
function begin() {
  completeAddresses();
  runAgainWhenBack();
  new Sentence();
  document.addEventListener("click", async (event) => {
    const target = /** @type {Element} */ (event.target);
    if (target.closest("[data-testid=stSidebar] a")) closeMenu();
    const button = target.closest("[data-guess], [data-lecture]");
    if (button) (await import("./lecture.js")).clicked(button);
  });
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
document.adoptedStyleSheets = await sheetsOf("page.css"); // behind Streamlit's own, which they overrule

export default function (component) {
  const { data, setStateValue } = component;
  const { model } = document.vaeLab;
  if (model && model !== data.model) closeMenu();
  document.vaeLab = { ...data, runAgain: () => setStateValue("run", performance.timeOrigin + performance.now()) };
  tellLost(component);
}
