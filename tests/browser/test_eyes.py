"""The two dots on the visitor's own picture: by mouse, keys and finger, and what is read then.

The server reads digits as faces, so that a model that always ships shows what the dots do.
"""

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import free_port, serving
from tests.browser.seen import seen
from tests.browser.test_app import PHONE, upload
from tests.browser.test_crop import another, at, drag
from tests.browser.test_keyboard import rested
from tests.browser.test_touch import swipe
from tests.pictures.faces import CANVAS, placed, shipped

FACES = "from vae.pictures.prepare import PREPARATIONS\nPREPARATIONS['digit'] = PREPARATIONS['face']"
FOUND, BY_HAND = "Found the eyes.", "The eyes are where you put the dots."
NONE = "No face was found: drag the two dots onto the eyes."


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The app, for which a digit is a face."""
    with serving(free_port(), tmp_path_factory.mktemp("faces") / "stderr.txt", FACES) as address:
        yield address


def face() -> tuple[Image.Image, np.ndarray]:
    """A portrait that leans, and (x, y) of its eyes in shares of the picture."""
    moved = placed(shipped().picture(6), 0.7, 12, (0.45, 0.5), (90, 110, 150))
    return Image.fromarray(moved.picture), moved.eyes / CANVAS


def brought(visitor, image: Image.Image, **context) -> Page:
    """Reconstruct with a picture of the visitor's."""
    page, buffer = rested(visitor, "/reconstruct?model=mnist", **context), io.BytesIO()
    image.save(buffer, "PNG")
    upload(page, "own.png", "image/png", buffer.getvalue())
    expect(page.get_by_test_id("left-eye")).to_be_visible()
    return page


def eye(page: Page, name: str) -> list[float]:
    """(x, y) of a dot, in shares of the picture."""
    style = page.get_by_test_id(f"{name}-eye").evaluate("e => [e.style.left, e.style.top]")
    return [float(one.rstrip("%")) / 100 for one in style]


def said(page: Page):
    return page.get_by_test_id("eyes-said")


def test_the_dots_lie_on_the_eyes_a_mouse_drags_them_and_they_are_found_again(visitor):
    image, eyes = face()
    page = brought(visitor, image)
    expect(said(page)).to_have_text(FOUND)
    for name, place in zip(("left", "right"), eyes, strict=True):
        assert eye(page, name) == pytest.approx(place.tolist(), abs=0.02)
    expect(page.get_by_role("button", name="Find the eyes again")).to_be_disabled()
    first, found = seen(page, "x"), eye(page, "right")
    drag(page, tuple(found), (0.8, 0.2))
    assert eye(page, "right") == pytest.approx([0.8, 0.2], abs=0.01)
    expect(said(page)).to_have_text(BY_HAND)
    another(page, first)
    second = seen(page, "x")
    page.get_by_test_id("original").click(position={"x": 5, "y": 5})  # the nearer dot goes there
    assert max(eye(page, "left")) < 0.05
    another(page, second)
    page.get_by_role("button", name="Find the eyes again").click()
    expect(said(page)).to_have_text(FOUND)
    assert eye(page, "right") == pytest.approx(found, abs=1e-4)
    expect(page.get_by_test_id("x")).to_have_attribute("src", first)


def test_keys_move_a_dot_and_what_is_read_follows(visitor):
    page = brought(visitor, face()[0])
    expect(said(page)).to_have_text(FOUND)
    first, (x, y) = seen(page, "x"), eye(page, "left")
    page.get_by_test_id("left-eye").focus()
    for _ in range(3):
        page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("ArrowLeft")
    assert eye(page, "left") == pytest.approx([x - 0.004, y - 0.06], abs=1e-3)
    another(page, first)
    expect(page.get_by_test_id("left-eye")).to_be_focused()
    label = page.get_by_test_id("left-eye").get_attribute("aria-label")
    assert label.startswith(f"The eye on the left: {round(100 * (x - 0.004))} % from the left")
    page.keyboard.press("Escape")
    expect(said(page)).to_have_text(FOUND)
    expect(page.get_by_test_id("x")).to_have_attribute("src", first)


def test_where_no_face_is_found_the_dots_wait_in_the_middle_and_a_finger_moves_them(visitor):
    waves = np.sin(np.arange(300) / 9)[:, None] * np.cos(np.arange(400) / 23)
    page = brought(visitor, Image.fromarray(np.rint(127 + 90 * waves).astype(np.uint8)), **PHONE)
    expect(said(page)).to_have_text(NONE)
    before = seen(page, "x")
    dot = page.get_by_test_id("right-eye")
    dot.evaluate("e => e.scrollIntoView({ block: 'center' })")
    page.wait_for_timeout(300)
    start, end = at(page, *eye(page, "right")), at(page, 0.9, 0.9)
    swipe(page, start, (end[0] - start[0], end[1] - start[1]))
    assert eye(page, "right") == pytest.approx([0.9, 0.9], abs=0.03)
    expect(said(page)).to_have_text(BY_HAND)
    another(page, before)
