"""Directions kept on the latent map: as sliders of Explore, live, by mouse and keyboard, and in another browser."""

import re

import pytest
import torch
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor, free_port, serving
from tests.browser.seen import becomes, changes, seen
from tests.browser.test_live import middle, streams
from tests.registry import VECTORS
from vae import data
from vae.latent.named import Kept
from vae.latent.named.kept import as_text
from vae.models import pretrained

DEEP = "mnist"
NAME = "<i>rounder</i>"
SLIDER = "named-yours-0"


def chosen(page: Page, group: str, word: str) -> None:
    page.get_by_text("Numbers of all pictures").hover()  # it scrolls; a list that is open would close
    page.get_by_label(group).click()
    page.get_by_role("option", name=word, exact=True).click()


def keep(page: Page, name: str, written: str = "") -> None:
    """Two classes on the map, and their direction under a name."""
    dataset = data.DATASETS[pretrained.load_card(name)["data"]["name"]]
    classes = list(data.groups(dataset.name))
    page.locator(f"[data-testid=map][data-points='{dataset.count('test')}']").wait_for()
    chosen(page, "Group A", classes[0])
    expect(page.get_by_text("Cohen's d")).to_be_visible()
    chosen(page, "Group B", classes[1])
    expect(page.get_by_label("Its name")).to_have_value(f"{classes[0]} − {classes[1]}"[:30].strip())
    if written:
        page.get_by_label("Its name").fill(written)
    page.get_by_role("button", name="Keep as a slider").click()
    expect(page.get_by_text("1 of 6 sliders kept")).to_be_visible()


def explored(someone: Visitor) -> Page:
    """Explore, from the map."""
    someone.rests()
    someone.page.get_by_role("link", name="Explore").first.click()
    expect(someone.page.get_by_test_id(SLIDER)).to_be_visible()
    someone.sees_a_picture()
    someone.is_live()
    return someone.page


def percents(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"(\d+) %", text)]


def test_two_classes_become_a_slider_that_is_dragged_here_and_in_another_browser(visitor):
    someone = visitor()
    said = streams(someone.page)
    keep(someone.opens(f"/latent_map?model={DEEP}"), DEEP, NAME)
    page = explored(someone)
    slider, got = page.get_by_test_id(SLIDER), page.get_by_test_id(f"{SLIDER}-got")
    expect(page.locator(".yours b")).to_have_text(NAME)  # as letters: it is no markup
    expect(page.locator(".yours .note")).to_contain_text(re.compile(r"more like 0 than 1, AUC (1.00|0.9\d)"))
    start, before = seen(page), seen(page)
    box, runs = slider.bounding_box(), len(said)
    page.mouse.move(*middle(box, 0.5))
    page.mouse.down()
    for step in range(10):
        page.mouse.move(*middle(box, 0.55 + 0.03 * step))
        before = changes(page, before)
    assert len(said) == runs  # no script runs while a hand moves
    page.mouse.up()
    expect(got).to_have_text(re.compile(r"^asked \+[12]\.\d standard deviations, got \d+ % → \d+ %$"))
    was, now = percents(got.text_content())
    assert now > was
    assert percents(page.get_by_test_id(f"{SLIDER}-value").text_content()) == [now]
    someone.rests()
    dragged, link = seen(page), page.url.removeprefix(someone.server)
    slider.click(button="right")
    becomes(page, start)
    expect(got).to_have_text("")

    other = visitor(viewport={"width": 390, "height": 844}, color_scheme="dark")
    page = other.opens(link)
    other.is_live()
    becomes(page, dragged)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    slider, got = page.get_by_test_id(SLIDER), page.get_by_test_id(f"{SLIDER}-got")
    expect(page.locator(".yours b")).to_have_text(NAME)
    expect(page.locator(".yours .note")).to_contain_text("from a link: not measured")
    box = slider.bounding_box()
    page.mouse.move(*middle(box, 0.5))
    page.mouse.down()
    page.mouse.move(*middle(box, 0.3))
    changes(page, before)
    page.mouse.up()
    expect(got).to_have_text(re.compile(r"^asked −1\.\d standard deviations$"))
    slider.focus()
    page.keyboard.press("Backspace")
    becomes(page, before)
    expect(got).to_have_text("")


@pytest.mark.parametrize("name", [one for one in VECTORS if one != DEEP])
def test_a_kept_slider_asks_in_steps_of_a_key_and_no_further_than_three(visitor, name):
    someone = visitor()
    keep(someone.opens(f"/latent_map?model={name}"), name)
    page = explored(someone)
    slider, got, before = page.get_by_test_id(SLIDER), page.get_by_test_id(f"{SLIDER}-got"), seen(page)
    slider.focus()
    page.keyboard.press("PageUp")
    changes(page, before)
    expect(got).to_have_text(re.compile(r"^asked \+0\.5 standard deviations, got"))
    for _ in range(9):
        page.keyboard.press("PageUp")
    expect(got).to_have_text(re.compile(r"^asked \+3\.0 standard deviations, got"))
    assert (slider.get_attribute("min"), slider.get_attribute("max")) == ("-3", "3")


def test_what_is_dropped_is_gone_and_back_brings_it_again_with_its_measure(visitor):
    someone = visitor()
    page = someone.opens(f"/latent_map?model={DEEP}")
    keep(page, DEEP)
    page = explored(someone)
    slider, before = page.get_by_test_id(SLIDER), seen(page)
    slider.focus()
    page.keyboard.press("PageUp")
    there = changes(page, before)
    someone.rests()
    page.wait_for_timeout(600)
    someone.rests()
    assert "yours=" in page.url
    page.get_by_role("button", name="Drop 0 − 1").click()
    expect(slider).to_have_count(0)
    expect(page.locator(".named [type=range]").first).to_be_focused()
    expect(page).to_have_url(re.compile(r"^((?!yours=).)*$"))
    assert seen(page) == there  # the picture stays
    someone.rests()
    page.go_back()
    expect(page.locator(".yours .note")).to_contain_text("more like 0 than 1, AUC")
    becomes(page, there)


def test_back_to_before_it_was_kept_has_none_and_forward_has_it(visitor):
    someone = visitor()
    page = someone.opens(f"/latent_map?model={DEEP}")
    first = page.url
    keep(page, DEEP)
    someone.rests()
    second = page.url
    assert "yours=" in second
    page.go_back()
    expect(page.get_by_text("sliders kept")).to_have_count(0)
    someone.rests()
    assert page.url == first
    page.go_forward()
    expect(page.get_by_text("1 of 6 sliders kept")).to_be_visible()
    someone.rests()
    assert page.url == second


NAMELESS = (
    "import torch; from vae.latent.named import Named; "
    "Named.load = classmethod(lambda cls, path, latents: cls((), torch.zeros(0, latents)))"
)


def test_a_model_without_names_of_its_own_has_yours_and_its_numbers_once_the_last_is_dropped(chromium, tmp_path):
    link = as_text([Kept.of(NAME, torch.ones(24)), Kept.of("second", -torch.ones(24))])
    with serving(free_port(), tmp_path / "stderr.txt", NAMELESS) as address:
        someone = Visitor(chromium, address)
        page = someone.opens(f"/?model={DEEP}&yours={link}")
        someone.is_live()
        expect(page.locator(".named b")).to_have_text([NAME, "second"])
        before = seen(page)
        page.get_by_test_id(SLIDER).focus()
        page.keyboard.press("PageUp")
        changes(page, before)
        page.get_by_role("button", name=f"Drop {NAME}").click()
        expect(page.locator(".named b")).to_have_text(["second"])
        page.get_by_role("button", name="Drop second").click()
        expect(page.locator(".named")).to_have_count(0)
        expect(page.locator("[data-testid^=latent-]").first).to_be_focused()
        expect(page).to_have_url(re.compile(r"^((?!yours=).)*$"))
        someone.context.close()
    assert someone.problems == []
