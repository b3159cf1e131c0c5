"""What every chapter has around its instrument: a question, a link to what is seen, and a page that prints."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.app.chapters.test_chapters import SEEN
from tests.browser.seen import seen
from vae.app.chapters import CHAPTERS


def test_a_guess_is_answered_by_doing(visitor):
    page = visitor(viewport={"width": 1400, "height": 1000}).opens("/how_it_works?chapter=beta&model=fashion")
    question, told = CHAPTERS["beta"].QUESTION, page.get_by_test_id("answered")
    expect(told).to_be_hidden()
    page.get_by_test_id("rung-16-3").locator("circle").click()
    expect(told).to_be_hidden()  # without a guess nothing is told
    page.get_by_role("button", name=question.options[0]).click()
    expect(told).to_contain_text(question.does)
    expect(told).not_to_contain_text(question.because)
    page.get_by_test_id("rung-16-10").locator("circle").click()
    expect(told).to_have_text(f"It is “{question.options[question.right]}”. {question.because}")
    page.get_by_role("button", name=question.options[question.right]).press("Enter")
    expect(told).to_have_text(f"Yes. {question.because}")


def test_who_cannot_do_it_may_ask_for_the_answer_and_what_is_to_be_used_is_there_in_every_chapter(visitor):
    someone = visitor(viewport={"width": 1400, "height": 1000})
    page = someone.opens("/how_it_works?chapter=model&model=mnist")
    following = [chapter.TITLE for chapter in CHAPTERS.values()][1:]
    for number, (key, chapter) in enumerate(CHAPTERS.items()):
        expect(page.locator(f"[data-question={key}]")).to_be_visible()
        expect(page.locator(chapter.QUESTION.by).first).to_be_attached()
        someone.rests()
        page.locator("[data-guess]").first.click()
        page.get_by_role("button", name="Show the answer").click()
        expect(page.get_by_test_id("answered")).to_contain_text(chapter.QUESTION.because)
        for title in following[number : number + 1]:
            page.get_by_role("button", name=f"Next: {title}").click()


# In the page and in every shadow: how many things answer the chapter's question, and how many of them are seen.
ANSWERS = """
() => {
  const roots = [document];
  for (const root of roots) for (const e of root.querySelectorAll("*")) if (e.shadowRoot) roots.push(e.shadowRoot);
  const found = roots.flatMap((root) => [...root.querySelectorAll(".answer")]);
  return [found.length, found.filter((e) => getComputedStyle(e).visibility === "visible").length];
}
"""
# Of the chapters where a picture or a number answers at first sight, and not only what is said at the end.
SHOWN_AT_FIRST = ("model", "kl", "autoencoder", "conditions", "layers", "features")


@pytest.mark.parametrize("key", CHAPTERS)
def test_what_answers_a_question_is_hidden_until_it_is_asked_for_and_on_paper_it_is_there(visitor, key):
    someone = visitor(viewport={"width": 1400, "height": 1000})
    page = someone.page
    page.goto(f"{someone.server}/how_it_works?chapter={key}&model=mnist&x=i208")
    expect(page.locator(CHAPTERS[key].QUESTION.by).first).to_be_attached()
    someone.rests()
    there, seen_at_first = page.evaluate(ANSWERS)
    assert (there > 1) == (key in SHOWN_AT_FIRST)
    assert seen_at_first == 0
    page.emulate_media(media="print")
    assert page.evaluate(ANSWERS) == [there, there]
    page.emulate_media(media="screen")
    page.locator("[data-guess]").first.click()
    expect(page.get_by_test_id("answered")).to_be_visible()
    assert page.evaluate(ANSWERS) == [there, 0]
    page.get_by_role("button", name="Show the answer").press("Enter")
    expect(page.get_by_test_id("answered")).to_be_focused()  # the button is gone, the keyboard is where it was
    expect(page.get_by_test_id("summary")).to_be_visible()
    assert page.evaluate(ANSWERS) == [there, there]


def test_who_does_not_guess_sees_the_answer_by_doing_or_by_asking_and_who_comes_by_a_link_of_it_at_once(visitor):
    page = opened(visitor, "conditions")
    expect(page.get_by_test_id("summary")).to_be_hidden()
    page.get_by_test_id("class").press("Home")
    expect(page.get_by_test_id("summary")).to_be_visible()
    expect(page.get_by_test_id("answered")).to_be_hidden()
    page = opened(visitor, "autoencoder")
    expect(page.get_by_test_id("sample-vae-0")).to_be_hidden()
    page.get_by_role("button", name="Show it without a guess").click()
    expect(page.get_by_test_id("sample-vae-0")).to_be_visible()
    question = CHAPTERS["autoencoder"].QUESTION
    expect(page.get_by_test_id("answered")).to_have_text(
        f"It is “{question.options[question.right]}”. {question.because}"
    )
    expect(opened(visitor, "layers", SEEN["layers"]).get_by_test_id("summary")).to_be_visible()


def test_the_keyboard_passes_what_is_to_be_used_without_using_it_and_keeps_its_place_when_it_asks(visitor):
    page = visitor(viewport={"width": 1400, "height": 1000}).opens("/how_it_works?chapter=autoencoder&model=mnist")
    question, told = CHAPTERS["autoencoder"].QUESTION, page.get_by_test_id("answered")
    guess = page.get_by_test_id("question").get_by_role("button", name=question.options[0])
    guess.press("Enter")
    page.locator(question.by).first.focus()
    for key in ("Shift+Tab", "Tab"):
        page.keyboard.press(key)
    expect(told).not_to_contain_text(question.because)
    page.get_by_role("button", name="Show the answer").press("Enter")
    expect(told).to_contain_text(question.because)
    expect(told).to_be_focused()


def opened(visitor, key: str, see: str = "") -> Page:
    end = f"&see={see}" if see else ""
    return visitor(viewport={"width": 1400, "height": 1000}).opens(
        f"/how_it_works?chapter={key}&model=mnist&x=i208{end}"
    )


def moved(page: Page, key: str) -> tuple[str, ...]:
    """Do something that is seen; the pictures that show it."""
    if key == "model":
        page.get_by_role("button", name="Sample z, then x").click()
        return "decoded", "sampled"
    if key == "structure":
        page.get_by_role("button", name="Another ε").click()
        return "decoded", "strip-z"
    if key == "autoencoder":
        page.get_by_role("button", name="Show it without a guess").click()
        page.get_by_test_id("sample-vae-2").click()
        page.get_by_test_id("scrub").press("End")
        return "decoded", "way-autoencoder"
    page.get_by_test_id("layer-3").click()
    page.get_by_test_id("another").click()
    return "decoded", "sample-3"


@pytest.mark.parametrize("key", ["model", "structure", "autoencoder", "layers"])
def test_the_address_of_what_a_hand_left_opens_it_for_another_visitor(visitor, key):
    page = opened(visitor, key)
    before, address = seen(page), page.url
    shown = moved(page, key)
    page.wait_for_function("before => location.href !== before", arg=address)
    page.wait_for_timeout(500)  # a hand has rested, and so has the script
    other = visitor(viewport={"width": 1400, "height": 1000}).opens(page.url.removeprefix(page.url.split("/how")[0]))
    for testid in shown:
        assert seen(other, testid) == seen(page, testid)
    assert seen(page) != before


def test_the_link_is_copied_or_stands_there_to_be_copied(visitor):
    page = opened(visitor, "layers")
    page.get_by_role("button", name="Copy the link").click()
    expect(page.get_by_test_id("copied")).to_have_text(re.compile(f"^(Copied.|{re.escape(page.url)})$"))


def test_what_a_link_says_is_what_is_seen(visitor):
    expect(opened(visitor, "beta", SEEN["beta"]).get_by_test_id("chosen")).to_have_text("2 latents, β = 10")
    drawn = opened(visitor, "conditions", SEEN["conditions"]).get_by_test_id("decoded")
    expect(drawn).to_have_attribute("data-y", "7")
    expect(drawn).to_have_attribute("data-style", "3")
    expect(plain(visitor, "features").get_by_test_id("point")).to_contain_text("8 dimensions")


def plain(visitor, key: str) -> Page:
    """A chapter without a decoded picture."""
    someone = visitor(viewport={"width": 1400, "height": 1000})
    someone.page.goto(f"{someone.server}/how_it_works?chapter={key}&model=mnist&see={SEEN[key]}")
    someone.rests()
    return someone.page


def test_on_paper_there_are_the_pictures_and_no_controls_and_all_of_the_page(visitor):
    page = visitor(viewport={"width": 1000, "height": 700}, color_scheme="dark").opens(
        "/how_it_works?chapter=beta&model=mnist"
    )
    page.emulate_media(media="print")
    for gone in ("stSidebar", "lecturers"):
        expect(page.get_by_test_id(gone)).to_be_hidden()
    expect(page.get_by_role("button", name="Next:")).to_be_hidden()
    for kept in ("decoded", "curve", "summary"):
        expect(page.get_by_test_id(kept)).to_be_visible()
    tall = page.evaluate("document.documentElement.scrollHeight")
    assert tall > 1200  # the document itself is as tall as the chapter, so that paper gets all of it
    assert page.locator("h2, h3").first.evaluate("e => getComputedStyle(e).color") == "rgb(0, 0, 0)"
