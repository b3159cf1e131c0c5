"""Back and Forward in a real Chromium: each goes one step, and what the address says is what is shown."""

from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, expect

import vae
from tests.browser.seen import changes, seen
from vae import checkpoint

NAMES = vae.list_pretrained()
FLAT = next(name for name in NAMES if checkpoint.load_card(name)["latents"] == 2)
DEEP = next(name for name in NAMES if checkpoint.load_card(name)["latents"] > 2)


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
    sampled = press(page, "Sample the prior", start)
    middle = address(page)
    origin = press(page, "Origin", sampled)
    last = address(page)
    for go, shown, said in (
        (page.go_back, sampled, middle),
        (page.go_back, start, first),
        (page.go_forward, sampled, middle),
        (page.go_forward, origin, last),
    ):
        now = seen(page)
        go()
        assert changes(page, now) == shown
        someone.rests()
        assert address(page) == said


def test_back_brings_the_other_model_and_its_place(visitor):
    someone = visitor()
    z = ",".join(["0.5"] * checkpoint.load_card(DEEP)["latents"])
    page, start = someone.opens(f"/?model={DEEP}&z={z}"), someone.sees_a_picture()
    page.get_by_role("combobox", name="Model").click()
    page.get_by_role("option", name="MNIST, 2 latents", exact=True).click()
    other = changes(page, start)
    someone.rests()
    assert address(page)["model"] == "mnist-2d"
    page.go_back()
    assert changes(page, other) == start
    someone.rests()
    assert address(page)["model"] == DEEP


def test_back_leaves_a_page_and_returns_to_it(visitor):
    someone = visitor()
    page, before = someone.opens(f"/?model={FLAT}"), someone.sees_a_picture()
    place = press(page, "Sample the prior", before)
    page.get_by_role("link", name="Reconstruct").click()
    expect(page.get_by_test_id("ledger")).to_be_visible()
    someone.rests()
    presses = 0
    while urlsplit(page.url).path != "/":
        page.go_back()
        presses += 1
        someone.rests()
    assert presses <= 2  # the page's bare address, which the browser keeps, is a step of its own
    expect(page.get_by_role("button", name="Origin")).to_be_visible()
    assert someone.sees_a_picture() == place
