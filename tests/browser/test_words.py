"""What a page says to somebody who has never heard of any of it."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_app import PHONE
from tests.browser.test_keyboard import PAGES, rested
from vae.app.look.glossary import WORDS, marked

EXPLAINED = "[data-testid=sentence]"
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


@pytest.mark.parametrize("path", PAGES)
def test_a_page_says_whose_it_is_what_it_is_and_what_one_does_there(visitor, path):
    page = rested(visitor, path)
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    head = page.locator("header.page-head")
    expect(head).to_contain_text("VAE Lab")
    title = head.get_by_role("heading", level=1).inner_text()
    assert page.title() == f"{title} · VAE Lab"
    sentence = head.locator("p").inner_text()
    assert re.fullmatch(r"[A-Z][^.]{40,180}\.", sentence)
    assert not any(word in sentence for word in WORDS)
    assert page.evaluate(UNEXPLAINED) == []


def word(page: Page, text: str, nth: int = 0):
    return page.locator(f".word[data-word={text}]").nth(nth)


@pytest.mark.parametrize("path", ["/reconstruct?", "/models?"])
@pytest.mark.parametrize("text", WORDS)
def test_a_word_opens_its_sentence_on_hover_and_focus_and_it_closes(visitor, path, text):
    page = rested(visitor, path)
    one, box = word(page, text), page.locator(EXPLAINED)
    one.hover()
    expect(box).to_have_text(WORDS[text])
    box.hover()  # the pointer may go there to read
    expect(box).to_be_visible()
    page.mouse.move(2, 2)
    expect(box).to_be_hidden()
    one.focus()
    expect(box).to_have_text(WORDS[text])
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()


def test_a_tap_opens_a_sentence_within_the_screen_and_the_next_closes_it(visitor):
    page = rested(visitor, "/?", **PHONE)
    # the sidebar has words too, and is closed on a phone
    one, box = page.get_by_test_id("stMain").locator(".word[data-word=nats]").first, page.locator(EXPLAINED)
    one.scroll_into_view_if_needed()
    one.tap()
    expect(box).to_have_text(WORDS["nats"])
    place = box.bounding_box()
    assert place["x"] >= 0
    assert place["x"] + place["width"] <= 390
    one.tap()
    expect(box).to_be_hidden()
    one.tap()
    expect(box).to_be_visible()
    page.get_by_role("heading", level=1).tap()
    expect(box).to_be_hidden()


def test_a_word_is_marked_where_it_stands_first_and_never_within_a_tag():
    found = marked('<b title="KL">KL</b> and KL, 3 nats, ELBOW')
    assert found.count("<button") == 2
    assert found.startswith('<b title="KL"><button')
    assert found.endswith("</button>, ELBOW".replace("</button>", "nats</button>"))
