"""Can it be read? axe-core over every page and chapter, light and dark, with all that unfolds unfolded; and the
palette by WCAG's own formula.
"""

import re
import tomllib
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import expect

from tests.browser.test_keyboard import PAGES, rested, still
from vae.app import look

AXE = Path(AXE_FILE_PATH).read_text()
RUN = """
async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
  .filter(({ id, impact }) => impact === "serious" || impact === "critical" || id === "heading-order")
  .flatMap(({ id, nodes }) => nodes.map(({ html, any }) => `${id}: ${any[0]?.message ?? ""} ${html.slice(0, 200)}`))
"""
READABLE, SEEN = 4.5, 3  # WCAG 2.2, 1.4.3 and 1.4.11
THEMES = tomllib.loads(Path(".streamlit/config.toml").read_text())["theme"]


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_serious_and_no_heading_that_leaves_a_level_out(visitor, path):
    page = rested(visitor, path, color_scheme="light")
    page.locator("details").evaluate_all("all => all.forEach((one) => (one.open = true))")
    page.evaluate(AXE)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        background = page.get_by_test_id("stApp")
        expect(background).to_have_css("background-color", as_css(THEMES[scheme]["backgroundColor"]))
        still(page)
        assert page.evaluate(RUN) == [], scheme


def as_css(colour: str) -> str:
    """#rrggbb as a browser computes it."""
    return f"rgb({', '.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))})"


def luminance(colour: str) -> float:
    levels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in levels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_formula_gives_what_wcag_says_of_known_pairs():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_colour_of_the_palette_can_be_read_on_every_background(theme):
    said = THEMES[theme]
    inks = [*look.COLOURS.values(), look.QUIET, *look.LAMPS.values()]
    colours = [said["primaryColor"], said["textColor"], *(getattr(ink, theme) for ink in inks)]
    for background in (said["backgroundColor"], said["secondaryBackgroundColor"]):
        assert [colour for colour in colours if contrast(colour, background) < READABLE] == []
        assert contrast(look.BARS, background) >= SEEN


@pytest.mark.parametrize("name", sorted(Path("vae/app/components").rglob("*.css")), ids=lambda file: file.stem)
def test_no_style_fades_text(name):
    """Opacity would take a colour's contrast away behind the palette's back; what remains fades pictures and lines."""
    rules = re.findall(r"([^{}]+)\{([^{}]*)\}", name.read_text())
    faded = [selector.strip() for selector, body in rules if re.search(r"(?<!-)opacity: 0", body)]
    allowed = (".empty .float", "button:disabled", ".iso", ".frame", ".waits", ".arrows")
    assert [selector for selector in faded if not any(word in selector for word in allowed)] == []
