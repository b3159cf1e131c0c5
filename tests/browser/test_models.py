"""The Models page in a real Chromium."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.registry import MAPS, VECTORS
from vae.models import pretrained

NAMES = [*VECTORS, *MAPS]


def opened(visitor, width: int) -> Page:
    """The page with its last model's draws."""
    someone = visitor(viewport={"width": width, "height": 900})
    someone.page.goto(f"{someone.server}/models?model={NAMES[0]}")
    expect(someone.page.locator("[data-testid^=draws-]")).to_have_count(len(NAMES))
    someone.rests()
    return someone.page


def test_every_model_shows_its_draws_gives_its_card_away_and_can_be_explored(visitor):
    page = opened(visitor, 1400)
    for name in NAMES:
        picture = page.get_by_test_id(f"draws-{name}")
        expect(picture).to_be_visible()
        alt = "Photos that came back" if name in MAPS else "pictures drawn by"
        assert alt in picture.get_attribute("alt")
    with page.expect_download() as taken:
        page.get_by_role("button", name="Card").first.click()
    name = Path(taken.value.suggested_filename).stem
    assert json.loads(taken.value.path().read_text()) == pretrained.load_card(name)
    page.get_by_role("button", name="Explore it").last.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("decoded")).to_be_visible()
    page.wait_for_function("name => new URL(location).searchParams.get('model') !== name", arg=NAMES[0])


@pytest.mark.parametrize("width", [390, 1400])
def test_the_draws_fit_the_page(visitor, width):
    page = opened(visitor, width)
    for name in NAMES:
        box = page.get_by_test_id(f"draws-{name}").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["width"] > 300
