"""What every chapter has around its instrument: a question, a link to what is seen, and a page that prints."""

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
    page = visitor(viewport={"width": 1400, "height": 1000}).opens("/how_it_works?chapter=model&model=mnist")
    for key, chapter in CHAPTERS.items():
        expect(page.locator(f"[data-question={key}]")).to_be_visible()
        expect(page.locator(chapter.QUESTION.by).first).to_be_attached()
        page.locator("[data-guess]").first.click()
        page.get_by_role("button", name="Show the answer").click()
        expect(page.get_by_test_id("answered")).to_contain_text(chapter.QUESTION.because)
        following = page.get_by_test_id("stButton").get_by_role("button", name="Next:")
        if key != list(CHAPTERS)[-1]:
            following.click()


def opened(visitor, key: str, see: str = "") -> Page:
    end = f"&see={see}" if see else ""
    return visitor(viewport={"width": 1400, "height": 1000}).opens(
        f"/how_it_works?chapter={key}&model=mnist&x=i208{end}"
    )


def test_the_address_of_what_a_hand_left_opens_it_for_another_visitor(visitor):
    page = opened(visitor, "layers")
    page.get_by_test_id("layer-3").click()
    page.get_by_test_id("another").click()
    page.wait_for_url("**see=3_1**")
    copied = page.url
    page.get_by_role("button", name="Copy the link").click()
    expect(page.get_by_test_id("copied")).not_to_be_empty()
    other = visitor(viewport={"width": 1400, "height": 1000}).opens(copied.split("/", 3)[3].join(["/", ""]))
    assert seen(other) == seen(page)
    expect(other.get_by_test_id("layer-3")).to_have_attribute("aria-checked", "true")


def test_what_a_link_says_is_what_is_seen(visitor):
    for key, testid, expected in (
        ("beta", "chosen", "2 latents, β = 10"),
        ("conditions", "read-elbo-note", None),
        ("features", "point", "8 dimensions"),
    ):
        page = opened(visitor, key, SEEN[key]) if key not in ("features",) else plain(visitor, key)
        if expected:
            expect(page.get_by_test_id(testid)).to_contain_text(expected)
        else:
            expect(page.get_by_test_id("decoded")).to_have_attribute("data-y", "7")
            expect(page.get_by_test_id("decoded")).to_have_attribute("data-style", "3")


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
