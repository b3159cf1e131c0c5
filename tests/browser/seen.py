"""What a page shows, whether Streamlit or a component drew it."""

import base64
import io

import numpy as np
from PIL import Image
from playwright.sync_api import Page

# Components live in shadow roots, where querySelector does not look.
DECODED = (
    "[document, ...[...document.querySelectorAll('*')].map(e => e.shadowRoot).filter(Boolean)]"
    ".map(root => root.querySelector('[data-testid=decoded]')).find(Boolean)"
)


def seen(page: Page, testid: str = "decoded") -> str:
    """A picture on the page, an <img> or a canvas, as a data URL."""
    return page.get_by_test_id(testid).evaluate("e => e.src ?? e.toDataURL()")


def greys(page: Page, testid: str = "decoded") -> np.ndarray:
    """A canvas's grey levels, (height, width)."""
    height, width, *values = page.get_by_test_id(testid).evaluate(
        "e => [e.height, e.width, ...e.getContext('2d').getImageData(0, 0, e.width, e.height).data]"
    )
    return np.array(values, dtype=int).reshape(height, width, 4)[..., 0]


def changes(page: Page, before: str) -> str:
    """Wait until the decoded picture is another than before, and loaded; the picture as a data URL."""
    now = f"({DECODED}?.src ?? {DECODED}?.toDataURL())"
    page.wait_for_function(f"before => {DECODED} && {now} !== before && {DECODED}.naturalWidth !== 0", arg=before)
    return seen(page)


def becomes(page: Page, picture: str) -> None:
    """Wait until the decoded picture is this one, whatever is there on the way."""
    page.wait_for_function(f"picture => ({DECODED}?.src ?? {DECODED}?.toDataURL()) === picture", arg=picture)


def pixels(src: str) -> np.ndarray:
    """The values of a picture that is a data URL."""
    with Image.open(io.BytesIO(base64.b64decode(src.split(",", 1)[1]))) as image:
        return np.asarray(image)
