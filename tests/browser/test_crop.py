"""The box on the visitor's own picture: by mouse, keys and finger, and what is read then."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.seen import seen
from tests.browser.test_app import PHONE, upload
from tests.browser.test_keyboard import rested
from tests.browser.test_touch import SCROLLED, swipe
from tests.no_digits import four_digits

SEVERAL = "4 separate things were found"
WHOLE = [0, 0, 1, 1]


def saved(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def brought(visitor, image: Image.Image, **context) -> Page:
    """Reconstruct with a picture of the visitor's."""
    page = rested(visitor, "/reconstruct?model=mnist", **context)
    upload(page, "own.png", "image/png", saved(image))
    expect(page.get_by_test_id("box")).to_be_visible()
    return page


def at(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where on the screen a place on the picture is, in shares of its sides."""
    box = page.get_by_test_id("original").bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*at(page, *start))
    page.mouse.down()
    page.mouse.move(*at(page, (start[0] + end[0]) / 2, (start[1] + end[1]) / 2))
    page.mouse.move(*at(page, *end))
    page.mouse.up()


def box(page: Page) -> list[float]:
    """left, top, right, bottom, in shares of the picture."""
    style = page.get_by_test_id("box").evaluate("e => ['left', 'top', 'width', 'height'].map((n) => e.style[n])")
    left, top, width, height = (float(one.rstrip("%")) / 100 for one in style)
    return [left, top, left + width, top + height]


def another(page: Page, before: str) -> None:
    """Wait until another picture is read."""
    expect(page.get_by_test_id("x").first).not_to_have_attribute("src", before)
    expect(page.get_by_test_id("x")).to_have_count(1)  # the page's earlier parts stay until its script ends


def test_a_box_around_one_of_four_digits_makes_it_the_picture_and_the_whole_picture_comes_back(visitor):
    page = brought(visitor, four_digits())
    expect(page.get_by_text(SEVERAL)).to_be_visible()
    whole = seen(page, "x")
    drag(page, (0.55, 0.08), (0.98, 0.5))
    assert box(page) == pytest.approx([0.55, 0.08, 0.98, 0.5], abs=0.01)
    another(page, whole)
    expect(page.get_by_text(SEVERAL)).to_have_count(0)
    two = seen(page, "x")
    drag(page, (0.7, 0.3), (0.2, 0.3))  # from within: the box goes along
    assert box(page) == pytest.approx([0.05, 0.08, 0.48, 0.5], abs=0.011)
    another(page, two)
    one = seen(page, "x")
    drag(page, (0.48, 0.5), (0.48, 0.95))  # by a corner
    assert box(page) == pytest.approx([0.05, 0.08, 0.48, 0.95], abs=0.011)
    another(page, one)
    expect(page.get_by_text("2 separate things were found")).to_be_visible()
    page.get_by_role("button", name="Whole picture").click()
    assert box(page) == WHOLE
    expect(page.get_by_text(SEVERAL)).to_be_visible()
    assert seen(page, "x") == whole


def test_keys_move_and_resize_the_box_and_escape_takes_the_whole_picture(visitor):
    page = brought(visitor, four_digits())
    expect(page.get_by_text(SEVERAL)).to_be_visible()
    whole = seen(page, "x")
    page.get_by_test_id("box").focus()
    for _ in range(26):
        page.keyboard.press("Shift+ArrowLeft")
    for _ in range(25):
        page.keyboard.press("Shift+ArrowUp")
    assert box(page) == pytest.approx([0, 0, 0.48, 0.5], abs=0.001)
    another(page, whole)
    expect(page.get_by_text(SEVERAL)).to_have_count(0)
    expect(page.get_by_test_id("box")).to_be_focused()
    one = seen(page, "x")
    for _ in range(24):
        page.keyboard.press("ArrowRight")
    assert box(page) == pytest.approx([0.48, 0, 0.96, 0.5], abs=0.001)
    assert "48 % by 50 % of the picture" in page.get_by_test_id("box").get_attribute("aria-label")
    another(page, one)
    page.keyboard.press("Escape")
    assert box(page) == WHOLE
    expect(page.get_by_text(SEVERAL)).to_be_visible()
    assert seen(page, "x") == whole


def poster() -> Image.Image:
    """A card with a digit on it before coloured squares, so that nothing stands out."""
    squares = Image.fromarray(np.random.default_rng(1).integers(0, 256, (12, 20, 3), np.uint8))
    wall = squares.resize((1000, 600), Image.Resampling.NEAREST)
    wall.paste(Image.new("RGB", (260, 220), "white"), (640, 200))
    wall.paste(four_digits().crop((100, 80, 240, 240)), (700, 230))
    return wall


def test_of_a_picture_that_cannot_be_read_a_part_can_and_one_with_nothing_on_it_leaves_the_box(visitor):
    page = brought(visitor, poster())
    refused = page.get_by_text("on this picture")
    expect(refused).to_have_text(re.compile("Nothing stands out on this picture"))
    before = seen(page, "x")
    drag(page, (0.65, 0.36), (0.89, 0.69))
    another(page, before)
    expect(refused).to_have_count(0)
    expect(page.get_by_text("your picture, prepared")).to_be_visible()
    mine, kept = seen(page, "x"), box(page)
    page.get_by_test_id("box").focus()
    for _ in range(12):
        page.keyboard.press("Shift+ArrowUp")
    for _ in range(10):
        page.keyboard.press("Shift+ArrowLeft")
    expect(refused).to_have_text(re.compile("There is nothing on this picture"))
    expect(page.get_by_test_id("box")).to_have_attribute("style", re.compile(f"left: {100 * kept[0]:.0f}"))
    assert box(page) == pytest.approx(kept, abs=0.002)
    assert seen(page, "x") == mine


def test_a_finger_draws_the_box_sideways_and_scrolls_the_page_up_and_down(visitor):
    page = brought(visitor, four_digits(), **PHONE)
    expect(page.get_by_text(SEVERAL)).to_be_visible()
    page.get_by_test_id("original").evaluate("e => e.scrollIntoView({ block: 'center' })")
    page.wait_for_timeout(300)
    scrolled = page.evaluate(SCROLLED)
    swipe(page, at(page, 0.5, 0.8), (2, -200))
    assert page.evaluate(SCROLLED) != scrolled
    assert box(page) == WHOLE
    page.get_by_test_id("original").evaluate("e => e.scrollIntoView({ block: 'center' })")
    page.wait_for_timeout(300)
    start, end = at(page, 0.55, 0.3), at(page, 0.95, 0.45)
    swipe(page, start, (end[0] - start[0], end[1] - start[1]))
    assert box(page)[0] == pytest.approx(0.55, abs=0.03)
    expect(page.get_by_text(SEVERAL)).to_have_count(0)
