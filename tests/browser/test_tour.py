"""The first visit: six stops that are done when one did the thing, and only then; and the help sheet."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.controls import ACTIVE, by_number, settled
from tests.browser.test_app import PHONE
from tests.browser.test_keyboard import rested
from tests.browser.test_own import give, stroke
from tests.browser.test_touch import place, swipe

# What of the card lies under something else, or outside of the window; and whether the page's head hides its control.
COVERED = """() => {
  const parts = [...document.querySelectorAll(".tour p, .tour .done, .tour button")];
  const hidden = parts.filter((part) => {
    const { left, right, top, bottom } = part.getBoundingClientRect();
    return [top + 1, bottom - 1].some((y) => !part.contains(document.elementFromPoint((left + right) / 2, y)));
  });
  const head = document.querySelector("[data-testid=stHeader]").getBoundingClientRect();
  const ring = document.querySelector(".ring").getBoundingClientRect();
  return [hidden.map((part) => part.textContent), ring.top < head.bottom && ring.bottom > head.top];
}"""
FOCUS = f"() => {{ const e = ({ACTIVE})(); return e.dataset.testid ?? e.textContent; }}"


@pytest.fixture
def newcomer(visitor):
    """A page for somebody who was never here."""

    def come(path: str, **context) -> Page:
        someone = visitor(**context)
        someone.page.add_init_script("if (!sessionStorage.came) { localStorage.clear(); sessionStorage.came = 1; }")
        someone.page.goto(someone.server + path)
        someone.rests()
        return someone.page

    return come


def stop(page: Page, number: int) -> None:
    """Wait for a stop: the ring is around its control."""
    expect(page.get_by_test_id("tour")).to_contain_text(f"{number} of 6")
    page.locator(".ring").wait_for(state="attached")


def onwards(page: Page) -> None:
    """The stop is done; go on."""
    expect(page.get_by_test_id("tour")).to_contain_text("✓")
    page.get_by_test_id("tour").get_by_role("button", name="Next").click()


def test_six_stops_are_done_by_doing_them_and_the_tour_never_comes_back(newcomer):
    page = newcomer("/")
    stop(page, 1)
    page.locator("[data-testid^=named-][type=range]").first.click()
    onwards(page)
    stop(page, 2)
    page.get_by_test_id("map").hover()
    onwards(page)
    stop(page, 3)
    give(page, "drop", "[data-testid=stMain]", stroke())
    onwards(page)
    stop(page, 4)
    page.get_by_test_id("scrub").focus()
    page.keyboard.press("ArrowRight")
    onwards(page)
    stop(page, 5)
    page.locator("canvas[data-testid=x]").click()
    onwards(page)
    stop(page, 6)
    page.get_by_role("button", name="Draw it again").click()
    expect(page.get_by_test_id("tour")).to_contain_text("✓")
    page.get_by_test_id("tour").get_by_role("button", name="Done").click()
    expect(page.get_by_test_id("tour")).to_have_count(0)
    settled(page)
    page.reload()
    page.get_by_text("Compare with another network").first.wait_for()
    expect(page.get_by_test_id("tour")).to_have_count(0)


def test_an_offer_goes_away_once_a_hand_is_at_work_on_the_page(newcomer):
    page = newcomer("/how_it_works?chapter=kl&model=mnist")
    expect(page.get_by_test_id("tour")).to_contain_text("New here?")
    page.locator("[data-guess]").first.click()
    expect(page.get_by_test_id("tour")).to_have_count(0)


def test_on_a_phone_nothing_lies_over_the_card_or_between_the_reader_and_what_it_is_about(newcomer):
    page = newcomer("/", **PHONE)
    for number in range(1, 7):
        stop(page, number)
        settled(page)
        page.locator(".ring").wait_for(state="attached")
        assert page.evaluate(COVERED) == [[], False], f"stop {number}"
        page.get_by_test_id("tour").get_by_role("button").last.tap()


def test_a_tap_on_the_map_is_pointing_and_a_finger_that_scrolls_over_it_is_not(newcomer):
    page = newcomer("/", **PHONE)
    page.get_by_test_id("tour").get_by_role("button", name="Next").tap()
    stop(page, 2)
    at = place(page.get_by_test_id("map"), 0.5)
    swipe(page, at, (2, -120))
    expect(page.get_by_test_id("tour")).not_to_contain_text("✓")
    page.touchscreen.tap(*place(page.get_by_test_id("map"), 0.5))
    expect(page.get_by_test_id("tour")).to_contain_text("✓")


def test_keys_that_only_lead_past_a_control_do_not_use_it(newcomer):
    page = newcomer("/")
    stop(page, 1)
    page.locator("[data-testid^=named-][type=range]").first.focus()
    for key in ("Shift+Tab", "Tab"):
        page.keyboard.press(key)
    expect(page.get_by_test_id("tour")).not_to_contain_text("✓")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("tour")).to_contain_text("✓")


def test_the_keyboard_keeps_its_place_in_the_tour_and_one_key_leads_to_what_it_is_about_and_back(newcomer):
    page = newcomer("/")
    stop(page, 1)
    page.get_by_test_id("tour").get_by_role("button", name="Next").focus()
    for number, control in enumerate(("map", "", "scrub", "x", ""), 2):
        page.keyboard.press("Enter")
        stop(page, number)
        assert page.evaluate(FOCUS) == ("Done" if number == 6 else "Next")
        if control:
            settled(page)
            page.keyboard.press("F6")
            assert page.evaluate(FOCUS) == control
            page.keyboard.press("F6")
    assert page.evaluate(FOCUS) == "Done"
    settled(page)
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("tour")).to_have_count(0)
    expect(page.get_by_test_id("stMain").get_by_role("button", name="Draw it again")).to_be_focused()


@pytest.mark.parametrize("path", ["/", "/models?"])
def test_in_the_dark_the_card_is_dark_from_the_first_visit_on(newcomer, path):
    page = newcomer(path, color_scheme="dark")
    expect(page.get_by_test_id("tour")).to_have_css("background-color", "rgb(28, 33, 41)")


def test_a_link_to_another_page_only_offers_the_tour_and_no_thanks_is_for_good(newcomer):
    page = newcomer("/models?")
    tour = page.get_by_test_id("tour")
    expect(tour).to_contain_text("New here?")
    tour.get_by_role("button", name="No, thanks").click()
    expect(tour).to_have_count(0)
    settled(page)
    page.reload()
    page.get_by_role("heading", level=1).wait_for()
    settled(page)
    expect(tour).to_have_count(0)


def test_a_question_mark_opens_the_help_sheet_which_leads_to_the_tour_and_typing_one_does_not(visitor):
    page = rested(visitor, "/?")
    page.keyboard.press("?")
    sheet = page.get_by_test_id("help")
    expect(sheet).to_be_visible()
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    by_number(page).focus()
    page.keyboard.press("Enter")
    page.keyboard.press("?")
    expect(sheet).to_be_hidden()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Help and keys").click()
    sheet.get_by_role("button", name="Take the tour").click()
    expect(sheet).to_be_hidden()
    stop(page, 1)


@pytest.mark.parametrize("typed", ["1.5", "−1,5"])
def test_the_value_of_a_latent_can_be_typed(visitor, typed):
    page = rested(visitor, "/?")
    slider = by_number(page)
    slider.focus()
    page.keyboard.press("Enter")
    page.keyboard.insert_text(typed)
    page.keyboard.press("Enter")
    expect(slider).to_have_value("1.5" if typed == "1.5" else "-1.5")
    expect(slider).to_be_focused()
    page.wait_for_url(re.compile(r"%2C-?1\.5%2C"))
    before = page.url
    page.keyboard.press("Enter")
    page.keyboard.insert_text("nothing")
    page.keyboard.press("Enter")
    expect(slider).to_have_value("1.5" if typed == "1.5" else "-1.5")
    assert page.url == before


@pytest.mark.parametrize("side", [1, -1])
def test_what_was_typed_and_cannot_be_taken_is_said_where_it_was_typed(visitor, side):
    page = rested(visitor, "/?model=mnist")
    slider = by_number(page)
    note = page.get_by_test_id(slider.get_attribute("data-testid").replace("latent", "note"))
    far, tall = float(slider.get_attribute("max")), page.evaluate("document.documentElement.scrollHeight")

    def types(text: str) -> None:
        slider.focus()
        page.keyboard.press("Enter")
        page.keyboard.insert_text(text)
        page.keyboard.press("Enter")

    types("99" if side > 0 else "-99")
    expect(slider).to_have_value(f"{side * far:g}")
    sentence = f"At most {far:.1f}" if side > 0 else f"At least −{far:.1f}"
    expect(note).to_have_text(sentence)
    expect(page.locator("#said")).to_contain_text(sentence)
    assert page.evaluate("document.documentElement.scrollHeight") == tall  # nothing makes way for it
    page.keyboard.press("ArrowLeft" if side > 0 else "ArrowRight")
    expect(note).to_be_hidden()
    expect(slider).not_to_have_value(f"{side * far:g}")  # it moves with the picture
    before = slider.input_value()
    types("a lot")
    expect(note).to_have_text("Not a number, so nothing is changed")
    expect(page.locator("#said")).to_contain_text("Not a number, so nothing is changed")
    assert slider.input_value() == before
    types("1")
    expect(slider).to_have_value("1")
    expect(note).to_be_hidden()
