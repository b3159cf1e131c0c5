"""What a page says to somebody who has never heard of any of it."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_app import PHONE
from tests.browser.test_keyboard import PAGES, rested
from vae.app.look.glossary import PATTERN, SPELLED, TERMS

EXPLAINED = "[data-testid=entry]"
# Labels of numbers: what stands beside `.number` or in an equation's cell; a label has words before any symbol.
UNEXPLAINED = """
(words) => {
  const roots = [document];
  for (let i = 0; i < roots.length; i++)
    for (const e of roots[i].querySelectorAll("*")) if (e.shadowRoot) roots.push(e.shadowRoot);
  const text = (e) => e.textContent.replace(/\\s+/g, " ").trim();
  return roots
    .flatMap((root) => [...root.querySelectorAll(".cell > .label, .term .label, .verdicts.quiet .label, .plot .label")])
    .filter((e) => e.checkVisibility() && text(e) && !e.closest(".symbol, .proof")) // a derivation is about symbols
    .filter((e) => {
      const words = [...e.childNodes].filter((node) => !node.classList?.contains("symbol"));
      return !/[a-z]{3,}/i.test(words.map((node) => node.textContent).join(""));
    })
    .map(text);
}
"""


# The text of a page and of all shadows on it, a line for each block, and which terms open their entry there.
SHOWN = """
() => {
  const lines = [""], words = new Set();
  const read = (node) => {
    if (node.nodeType === Node.TEXT_NODE) lines[lines.length - 1] += node.textContent;
    if (node.nodeType !== Node.ELEMENT_NODE || !node.checkVisibility()) return;
    if (["STYLE", "SCRIPT", "SELECT", "OPTION"].includes(node.tagName) || node.role === "img") return; // a picture
    if (node.dataset.word) words.add(node.dataset.word);
    const block = !["inline", "contents"].includes(getComputedStyle(node).display);
    if (block) lines.push("");
    for (const child of [...(node.shadowRoot?.childNodes ?? []), ...node.childNodes]) read(child);
    if (block) lines.push("");
  };
  read(document.querySelector("[data-testid=stMain]"));
  return [lines.map((line) => line.replace(/\\s+/g, " ").trim()).filter(Boolean), [...words]];
}
"""
# What needs an entry: acronyms, Greek letters, densities, and divergences.
TERM = re.compile(r"\b[A-Z]{2,}s?\b|[α-ωΑ-Ω]|(?:log )?\b[pq]\([^()]*\)")
# What does not: files and their kinds, and what stands for no more than it says.
PLAIN = {
    "GIF",
    "PNG",
    "MP4",
    "CSV",
    "NPZ",
    "ZIP",
    "IDX",
    "JPG",
    "JPEG",
    "WEBP",
    "BMP",
    "TIF",
    "AVIF",
    "JFIF",
    "HEIC",
    "HEIF",
    "MB",
    "CC",
    "BY",
    "SA",
    "SE",
    "MIT",
    "FILE",
    "FOLDER",
}


def unexplained(page: Page) -> list[str]:
    """The terms on a page that no entry of the glossary explains, or whose entry nothing on the page opens."""
    lines, opened = page.evaluate(SHOWN)
    found = set()
    for line in lines:
        entries = [(one.span(), SPELLED[one[0]]) for one in re.finditer(PATTERN, line)]
        for term in TERM.finditer(line):
            names = [name for (start, end), name in entries if start < term.end() and term.start() < end]
            if term[0] not in PLAIN and not set(names) & set(opened):
                found.add(f"{term[0]} in {line[:60]!r}")
    return sorted(found)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_says_whose_it_is_what_it_is_and_what_one_does_there_and_every_term_opens_its_entry(visitor, path):
    page = rested(visitor, path, numbers=True)
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    head = page.locator("header.page-head")
    expect(head).to_contain_text("VAE Lab")
    title = head.get_by_role("heading", level=1).inner_text()
    assert page.title() == f"{title} · VAE Lab"
    sentence = head.locator("p").inner_text()
    assert re.fullmatch(r"[A-Z][^.]{40,180}\.", sentence)
    assert not re.search(r"[A-Z]{2,}|[α-ω]|\b[pqxz]\b", sentence)  # plain words only
    assert page.evaluate(UNEXPLAINED) == []
    if path != "/glossary?":  # which is the list itself
        assert unexplained(page) == []


# For paragraphs of many widths: the signs beside a word that explains itself which stand on another line than the word.
ALONE = r"""
() => {
  const roots = [document], alone = new Set();
  for (const root of roots) for (const e of root.querySelectorAll("*")) if (e.shadowRoot) roots.push(e.shadowRoot);
  const words = roots.flatMap((root) => [...root.querySelectorAll("button.word")]).filter((e) => e.checkVisibility());
  const leaf = (node, step, end) => {
    const inline = () => getComputedStyle(node.parentElement).display.startsWith("inline");
    while (node && !node[step] && inline()) node = node.parentElement;
    node = node?.[step];
    while (node?.[end]) node = node[end];
    return node?.nodeType === Node.TEXT_NODE ? node : null;
  };
  const look = (one, text, at) => {
    const range = document.createRange();
    range.setStart(text, at);
    range.setEnd(text, at + 1);
    const [sign, box] = [range.getBoundingClientRect(), one.getBoundingClientRect()];
    if (sign.height && (sign.top >= box.bottom || sign.bottom <= box.top)) alone.add(one.textContent + text.data);
  };
  const main = document.querySelector("[data-testid=stMain]");
  for (let width = 260; width < 700; width += 9) {
    main.style.maxWidth = `${width}px`;
    for (const one of words) {
      const [before, after] = [leaf(one, "previousSibling", "lastChild"), leaf(one, "nextSibling", "firstChild")];
      if (after && /^[.,;:!?)]/.test(after.data)) look(one, after, 0);
      if (before && /[(]$/.test(before.data)) look(one, before, before.data.length - 1);
    }
  }
  main.style.maxWidth = "";
  return [words.length, [...alone]];
}
"""


@pytest.mark.parametrize(
    "path", ["/how_it_works?chapter=structure", "/how_it_works?chapter=beta", "/how_it_works?chapter=bayes"]
)
def test_no_full_stop_and_no_bracket_wraps_away_from_a_word_that_explains_itself(visitor, path):
    words, alone = rested(visitor, path).evaluate(ALONE)
    assert words > 10
    assert alone == []


def word(page: Page, text: str, nth: int = 0):
    return page.get_by_test_id("stMain").locator(f'.word[data-word="{text}"]').locator("visible=true").nth(nth)


@pytest.mark.parametrize(
    ("path", "text"),
    [("/how_it_works?chapter=bayes", "ELBO"), ("/how_it_works?chapter=kl", "KL"), ("/reconstruct?", "x̂"), ("/?", "x")],
)
def test_a_word_opens_its_entry_on_hover_and_focus_and_it_closes(visitor, path, text):
    page = rested(visitor, path)
    one, box = word(page, text), page.locator(EXPLAINED)
    one.hover()
    expect(box).to_contain_text(TERMS[text].sentence)
    box.hover()  # the pointer may go there to read
    expect(box).to_be_visible()
    page.mouse.move(2, 2)
    expect(box).to_be_hidden()
    one.focus()
    expect(box).to_contain_text(TERMS[text].sentence)
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()


def test_an_entry_leads_to_its_chapter_and_the_visitors_picture_stays(visitor):
    page = rested(visitor, "/reconstruct?model=mnist&x=i7")
    word(page, "reconstruction").hover()
    page.locator(EXPLAINED).get_by_role("button").click()
    page.wait_for_url("**/how_it_works?**chapter=bayes**x=i7**")


def test_a_tap_opens_an_entry_within_the_screen_and_the_next_closes_it(visitor):
    page = rested(visitor, "/reconstruct?", **PHONE)
    one, box = word(page, "reconstruction"), page.locator(EXPLAINED)
    one.scroll_into_view_if_needed()
    one.tap()
    expect(box).to_contain_text(TERMS["reconstruction"].sentence)
    place = box.bounding_box()
    assert place["x"] >= 0
    assert place["x"] + place["width"] <= 390
    one.tap()
    expect(box).to_be_hidden()
    one.tap()
    expect(box).to_be_visible()
    page.get_by_role("heading", level=1).tap()
    expect(box).to_be_hidden()


def test_the_glossary_lists_every_term_and_its_links_open_the_chapter(visitor):
    page = rested(visitor, "/glossary?")
    assert page.locator("dt").all_inner_texts() == list(TERMS)
    page.locator("dd a").first.click()
    page.wait_for_url("**/how_it_works?**")
