// The visitor's own picture, in one gesture on every page: dropped, pasted or chosen. It goes to the page's one uploader,
// and from there the way that all files go.

import { element } from "../shared/dom.js";
import { MOST_BYTES } from "../shared/told.js";
import { isOn } from "./help.js";

const INPUT = ".st-key-own_file input[type=file]";
const PATIENCE = 10000; // ms for Streamlit to bring its uploader, which it does late

const takes = () => document.querySelector("[data-own]") !== null;

async function uploader() {
  for (const end = performance.now() + PATIENCE; performance.now() < end;) {
    const input = /** @type {HTMLInputElement | null} */ (document.querySelector(INPUT));
    if (input) return input;
    await new Promise((after) => setTimeout(after, 50));
  }
  return null;
}

/** @param {DataTransfer | null} data */
const fileOf = (data) => data?.files[0];

// What Streamlit's uploader would say where nobody sees it; "" where nothing is wrong.
function say(sentence) {
  const head = document.querySelector(".page-head");
  head?.querySelector("[role=alert]")?.remove();
  if (sentence) head?.append(element("p", { role: "alert" }, sentence));
}

/** @param {File} file */
function wrongWith(file) {
  if (!takes()) return "This page takes no picture.";
  if (file.size === 0) return "The file is empty.";
  if (file.size > MOST_BYTES)
    return `The file has ${Math.round(file.size / 1e6)} MB; at most ${MOST_BYTES / 1e6} MB can be read.`;
  return "";
}

/** @param {DragEvent} event */
const brings = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

// Streamlit's own uploaders take what is dropped on them themselves.
const isTaken = (event) => event.composedPath().some((one) => one.dataset?.testid === "stFileUploaderDropzone");

/** The letter of the end of a journey that something is dropped on, or nothing. */
const targetOf = (event) => event.composedPath().find((one) => one.dataset?.end)?.dataset.end ?? "";

/**
 * Give the page a file; `target` is the end of a journey that it is meant for. Its name says so: another message could
 * come too late, or get in the way of the file.
 * @param {File} file
 */
async function take(file, target) {
  const wrong = wrongWith(file);
  say(wrong);
  if (wrong) return;
  const input = await uploader();
  if (!input) return say("The picture could not be taken. Load the page anew, then bring it again.");
  const end = target || document.vaeLab.end;
  // The uploader looks at endings alone, and refuses where nobody sees it; Python looks into the file, and says why.
  const isLetIn = input.accept.split(",").some((ending) => file.name.toLowerCase().endsWith(ending));
  const name = `${end ? `@${end} ` : ""}${file.name}${isLetIn ? "" : ".png"}`;
  const carried = new DataTransfer();
  carried.items.add(new File([file], name, { type: file.type }));
  input.files = carried.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
  document.dispatchEvent(new Event("own")); // for the tour
}

// A file that is chosen goes the same way as one that is dropped.
function choose() {
  const dialog = element("input", { type: "file", accept: "image/*" });
  dialog.addEventListener("change", () => dialog.files[0] && take(dialog.files[0], ""));
  dialog.click();
}

export function listen() {
  let above = false; // a file is over the page
  const show = (now) => {
    if (above !== now) document.body.classList.toggle("dropping", (above = now));
  };
  document.addEventListener("dragover", (event) => {
    if (!brings(event)) return;
    show(takes());
    if (!isTaken(event)) event.preventDefault(); // the browser would open it in the page's place
  });
  document.addEventListener("dragleave", (event) => !event.relatedTarget && show(false));
  document.addEventListener(
    "drop",
    (event) => {
      show(false);
      const file = fileOf(event.dataTransfer);
      if (!file || isTaken(event)) return;
      event.preventDefault();
      take(file, targetOf(event));
    },
    true,
  );
  document.addEventListener("paste", (event) => {
    const file = fileOf(event.clipboardData);
    if (file) take(file, "");
  });
  document.addEventListener("click", (event) => {
    if (isOn(event, "own")) choose();
  });
}
