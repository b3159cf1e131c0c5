"""The first visit: six stops that are done when one did the thing, and only then; and the help sheet."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.controls import settled
from tests.browser.test_keyboard import rested
from tests.browser.test_own import give, stroke


@pytest.fixture
def newcomer(visitor):
    """A page for somebody who was never here."""

    def come(path: str, **context) -> Page:
        someone = visitor(**context)
        someone.context.add_init_script("if (!sessionStorage.came) { localStorage.clear(); sessionStorage.came = 1; }")
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
    page.locator("[data-testid^=latent-]").first.click()
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
    page.locator("[data-testid^=latent-]").first.focus()
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
    slider = page.locator("[data-testid^=latent-]").first
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
