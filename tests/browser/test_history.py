"""Back and Forward in a real Chromium: each goes one step, and what the address says is what is shown."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.seen import becomes, changes
from tests.registry import VECTORS
from vae.models import pretrained

NAMES = VECTORS
FLAT = next(name for name in NAMES if pretrained.load_card(name)["latents"] == 2)
DEEP = next(name for name in NAMES if pretrained.load_card(name)["latents"] > 2)


def address(page: Page) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlsplit(page.url).query).items()}


def press(page: Page, button: str, before: str) -> str:
    page.get_by_role("button", name=button).click()
    after = changes(page, before)
    page.wait_for_function(
        "z => new URL(location).searchParams.get('z') === z.split(',').map(Number).join(',')",
        arg=page.get_by_test_id("decoded").get_attribute("data-z"),
    )
    return after


def test_back_and_forward_go_through_the_places_of_explore(visitor):
    someone = visitor()
    page, start = someone.opens(f"/?model={DEEP}"), someone.sees_a_picture()
    someone.rests()
    first = address(page)
    sampled = press(page, "A random picture", start)
    middle = address(page)
    origin = press(page, "The middle", sampled)
    last = address(page)
    for go, shown, said in (
        (page.go_back, sampled, middle),
        (page.go_back, start, first),
        (page.go_forward, sampled, middle),
        (page.go_forward, origin, last),
    ):
        go()
        becomes(page, shown)
        someone.rests()
        assert address(page) == said


def test_back_brings_the_other_model_and_its_place(visitor):
    someone = visitor()
    z = ",".join(["0.5"] * pretrained.load_card(DEEP)["latents"])
    page, start = someone.opens(f"/?model={DEEP}&z={z}"), someone.sees_a_picture()
    page.get_by_role("combobox", name="The network has learned").click()
    page.get_by_role("option", name="Handwritten digits, 2 numbers", exact=True).click()
    changes(page, start)
    expect(page).to_have_url(re.compile(r"[?&]model=mnist-2d\b"))
    someone.rests()
    page.go_back()
    becomes(page, start)
    expect(page).to_have_url(re.compile(rf"[?&]model={DEEP}&"))


def test_back_leaves_a_page_and_returns_to_it(visitor):
    someone = visitor()
    page, before = someone.opens(f"/?model={FLAT}"), someone.sees_a_picture()
    place = press(page, "A random picture", before)
    page.get_by_role("link", name="Reconstruct").click()
    expect(page.get_by_text("Compare with another network")).to_be_visible()
    someone.rests()
    page.go_back()
    expect(page.get_by_role("button", name="The middle")).to_be_visible()
    someone.rests()
    assert urlsplit(page.url).path == "/"
    becomes(page, place)


def test_every_page_is_one_step_of_the_history(visitor):
    someone = visitor()
    page = someone.opens(f"/?model={FLAT}")
    page.wait_for_function("document.vaeLab")  # until its script has come the browser counts as it does by itself
    before = [(page.url, page.title())]
    steps = page.evaluate("history.length")
    for name in ("Latent map", "Interpolate", "Reconstruct", "How it works", "Models", "Explore"):
        page.get_by_role("link", name=name).click()
        expect(page).to_have_title(f"{name} · VAE Lab")
        page.wait_for_function("location.search !== ''")
        someone.rests()
        before.append((page.url, page.title()))
    assert page.evaluate("history.length") == steps + 6
    for url, title in before[-2::-1]:
        page.go_back()
        expect(page).to_have_url(url)
        expect(page).to_have_title(title)  # its script has begun, and is not taken for the end of the one before
        someone.rests()
        assert page.url == url


@pytest.mark.parametrize(
    "written",
    [
        ["/models", "/models?model=mnist"],
        ["/models", "/models?model=mnist", "/models?model=mnist&z=1"],
        ["/?model=mnist", "/models?model=mnist"],  # the new page writes before it has its address
        ["/?model=mnist", "/models?model=mnist", "/models?model=mnist&z=1"],
    ],
)
def test_a_page_is_one_step_in_whatever_order_its_address_is_written(visitor, written):
    page = visitor().opens(f"/?model={FLAT}")
    page.wait_for_function("document.vaeLab")
    page.locator("h1").first.click()
    before, start = page.evaluate("history.length"), page.url
    for url in written:
        page.evaluate("url => history.pushState({}, '', url)", url)
    assert page.evaluate("history.length") == before + 1
    page.locator("h1").first.click()
    page.evaluate("url => history.pushState({}, '', url)", "/models?model=mnist&z=2")
    assert page.evaluate("history.length") == before + 2
    page.evaluate("history.go(-2)")
    page.wait_for_function("url => location.href === url", arg=start)
