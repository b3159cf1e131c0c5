"""The chapter From Bayes to the ELBO in a real Chromium: pixels, zoom, derivation, refinement; by mouse and keys."""

import pytest
import torch
from playwright.sync_api import Page, expect

import vae
from tests.registry import VECTORS
from vae import data
from vae.inference import identity
from vae.models import pretrained

NAMES = VECTORS
FLAT = next(name for name in NAMES if pretrained.load_card(name)["latents"] == 2)
X = data.fixed_binarisation(pretrained.load_card(FLAT)["data"]["name"])[7:8].float()
LONG = 120_000  # ms: the first visitor of a machine waits for the plane


def opened(visitor, **context) -> Page:
    someone = visitor(**({"viewport": {"width": 1400, "height": 1000}} | context))
    someone.page.goto(f"{someone.server}/how_it_works?chapter=bayes&model={FLAT}&x=i7")
    expect(someone.page.get_by_test_id("plane")).to_have_attribute("data-thorough", "true", timeout=LONG)
    return someone.page


def number(page: Page, testid: str) -> float:
    return float(page.get_by_test_id(testid).text_content().replace("−", "-"))


def pixels(page: Page) -> torch.Tensor:
    values = page.get_by_test_id("x").evaluate(
        "e => Array.from(e.getContext('2d').getImageData(0, 0, 28, 28).data).filter((_, i) => i % 4 === 0)"
    )
    return torch.tensor(values).view(1, 1, 28, 28).gt(127).float()


def settles(page: Page, version: int) -> None:
    """Wait for the thorough numbers of a picture after so many others."""
    plane = page.get_by_test_id("plane")
    expect(plane).to_have_attribute("data-version", str(version), timeout=LONG)
    expect(plane).to_have_attribute("data-thorough", "true", timeout=LONG)


def assert_right_side(page: Page) -> None:
    """The numbers are those of the pixels that are seen."""
    found, _ = identity.sides(vae.load_pretrained(FLAT), pixels(page), effort=identity.THOROUGH)
    assert number(page, "reconstruction") == pytest.approx(found.reconstruction, abs=0.02)
    assert number(page, "kl") == pytest.approx(found.kl, abs=0.01)
    assert page.get_by_test_id("verdict").get_attribute("data-holds") == "true"


def test_both_sides_follow_the_mouse_and_the_keys_and_agree(visitor):
    page = opened(visitor)
    assert torch.equal(pixels(page), X)
    assert_right_side(page)
    evidence = vae.inference.evidence.log_evidence(vae.load_pretrained(FLAT), X)
    assert number(page, "evidence") == pytest.approx(float(evidence), abs=0.02)
    box = page.get_by_test_id("x").bounding_box()
    version = int(page.get_by_test_id("plane").get_attribute("data-version"))
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.8)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.8, steps=4)
    page.mouse.up()
    expect(page.get_by_test_id("plane")).not_to_have_attribute("data-version", str(version))
    expect(page.get_by_test_id("plane")).to_have_attribute("data-thorough", "true", timeout=LONG)
    drawn = pixels(page)
    assert not torch.equal(drawn, X)
    assert_right_side(page)
    page.wait_for_function("new URL(location).searchParams.get('x')?.startsWith('b')")  # every page has it now
    version = int(page.get_by_test_id("plane").get_attribute("data-version"))
    page.get_by_test_id("x").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    settles(page, version + 1)
    page.get_by_test_id("plane").focus()  # without the cursor
    assert int((pixels(page) != drawn).sum()) == 1
    assert_right_side(page)


def test_the_window_zooms_with_its_scale_and_fits_again(visitor):
    page = opened(visitor)
    plane = page.get_by_test_id("plane")
    page.wait_for_timeout(800)
    first = plane.get_attribute("data-half"), plane.get_attribute("data-scale")
    plane.focus()
    for _ in range(4):
        page.keyboard.press("-")
    expect(plane).not_to_have_attribute("data-scale", first[1])
    page.get_by_role("button", name="Fit").click()
    expect(plane).to_have_attribute("data-scale", first[1])
    page.get_by_role("button", name="Zoom in").click()
    expect(plane).not_to_have_attribute("data-half", first[0])


def test_the_derivation_goes_line_by_line_and_its_numbers_add_up(visitor):
    page = opened(visitor)
    lines = page.get_by_test_id("lines")
    expect(lines.get_by_text("line 1 of 5")).to_be_visible()
    page.get_by_role("button", name="One line more").click()
    lines.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(lines.get_by_text("line 4 of 5")).to_be_visible()
    for line, signs in enumerate(((1, 1, -1), (1, 1, -1), (1, 1, 1), (1, -1, 1))):
        total, *parts = [
            float(lines.locator(f"[data-term='{line}.{term}']").text_content().replace("−", "-")) for term in range(4)
        ]
        error = 0.02 if line == 0 else 0.6  # of the draws
        assert sum(sign * part for sign, part in zip(signs, parts, strict=True)) == pytest.approx(total, abs=error)
    page.keyboard.press("ArrowLeft")
    expect(lines.get_by_text("line 3 of 5")).to_be_visible()


def test_refining_moves_q_and_splits_the_gap(visitor):
    page = opened(visitor)
    gap = number(page, "gap")
    page.get_by_test_id("refine").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("refinement")).to_have_attribute("data-done", "100", timeout=LONG)
    left, removed = number(page, "family"), number(page, "amortisation")
    assert left + removed == pytest.approx(gap, abs=0.03)
    assert -0.02 <= left < gap
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_test_id("refinement")).to_be_empty()


def test_it_works_at_a_phones_width_and_by_touch(visitor):
    page = opened(visitor, viewport={"width": 390, "height": 844}, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    pad = page.get_by_test_id("x")
    version = int(page.get_by_test_id("plane").get_attribute("data-version"))
    pad.scroll_into_view_if_needed()
    pad.tap(position={"x": 20, "y": 20})
    settles(page, version + 1)
    assert int((pixels(page) != X).sum()) == 1
