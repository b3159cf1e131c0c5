"""Without a mouse: Tab comes to every control of every page, and it can be seen where it is."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import JSHandle, Page

from tests.browser.controls import ACTIVE, controls, missed, settled
from tests.registry import VECTORS
from vae.app.chapters import CHAPTERS
from vae.latent.named import Kept
from vae.latent.named.kept import as_text
from vae.models import pretrained

NAMES = VECTORS
FLAT = next(name for name in NAMES if pretrained.load_card(name)["latents"] == 2)
PAGES = [
    "/?",
    f"/?model={FLAT}",
    f"/?model={FLAT}&yours={as_text([Kept.of('<b>mine</b>', torch.ones(2)), Kept.of('x' * 30, torch.ones(2))])}",
    "/latent_map?",
    "/interpolate?",
    "/interpolate?mode=four",
    "/interpolate?mode=sum",
    "/reconstruct?",
    "/photos?",
    "/train?",
    *(f"/how_it_works?chapter={chapter}" for chapter in CHAPTERS),
    "/models?",
    "/glossary?",
]
CONTRAST = 3  # of a focus with what is there without it: WCAG 2.2, 1.4.11 and 2.4.13
# A switch's input is hidden in its label.
SEEN = "(e) => e.closest('label') ?? e"
# Its kind, of which one is looked at, its name, and its outline in pixels; none for the page itself
DESCRIBED = f"""
(e) => {{
  const {{ width, height }} = ({SEEN})(e).getBoundingClientRect();
  return [
    [e.tagName, e.role, e.className, e.dataset.testid].join(" "),
    (e.ariaLabel ?? e.textContent).trim().slice(0, 40),
    e === document.body ? 0 : 2 * (width + height),
  ];
}}
"""
AROUND = 8  # pixels around a control in which its focus is looked for


def rested(visitor, path: str, numbers: bool = False, **context) -> Page:
    """A page at rest, with its numbers open or not."""
    someone = visitor(**context)
    if numbers:
        someone.page.add_init_script("localStorage.numbers = 'open'")
    someone.page.goto(someone.server + path)
    someone.page.get_by_test_id("stSidebar").wait_for(state="attached")
    someone.rests()
    settled(someone.page)
    still(someone.page)
    return someone.page


# Of the page and of every component.
TRANSITIONS = """() => {
  const roots = [document];
  for (const root of roots) for (const e of root.querySelectorAll("*")) if (e.shadowRoot) roots.push(e.shadowRoot);
  return roots.flatMap((root) => root.getAnimations()).filter((one) => one instanceof CSSTransition).length;
}"""
TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def still(page: Page) -> None:
    """Wait until nothing fades in or out any more, nor is about to."""
    page.evaluate(TWO_FRAMES)
    page.wait_for_function(f"({TRANSITIONS})() === 0")


@pytest.mark.parametrize("path", PAGES)
def test_tab_comes_to_every_control(visitor, path):
    reached, left_out = missed(rested(visitor, path))
    assert left_out == []
    assert reached > 8


def luminances(image: bytes) -> np.ndarray:
    """The relative luminance of each pixel, by WCAG's formula."""
    levels = np.asarray(Image.open(io.BytesIO(image)).convert("RGB")) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrasting(page: Page, focused: JSHandle) -> int:
    """How many pixels in and around what has the focus contrast with what is there without it."""
    box, view = focused.evaluate(f"e => ({SEEN})(e).getBoundingClientRect().toJSON()"), page.viewport_size
    left, top = max(0, box["left"] - AROUND), max(0, box["top"] - AROUND)
    right, bottom = min(view["width"], box["right"] + AROUND), min(view["height"], box["bottom"] + AROUND)
    clip = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    seen = []
    for act in ("e => e", "e => e.blur()"):
        focused.evaluate(act)
        still(page)
        seen.append(luminances(page.screenshot(clip=clip)))
    focused.evaluate("e => e.focus({ preventScroll: true })")
    return int(((np.maximum(*seen) + 0.05) / (np.minimum(*seen) + 0.05) >= CONTRAST).sum())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/?", "/reconstruct?", "/interpolate?"])
def test_where_the_keyboard_is_can_be_seen(visitor, path, scheme):
    page = rested(visitor, path, color_scheme=scheme)
    kinds, faint = set(), []
    for _ in range(len(controls(page))):
        page.keyboard.press("Tab")
        focused = page.evaluate_handle(ACTIVE)
        kind, name, outline = focused.evaluate(DESCRIBED)
        if not outline or (kind in kinds and "stPageLink" not in kind):
            continue
        kinds.add(kind)
        if contrasting(page, focused) < outline / 4:  # half of it, a pixel thick
            faint.append(f"{kind} {name}")
    assert len(kinds) >= 5
    assert faint == []
