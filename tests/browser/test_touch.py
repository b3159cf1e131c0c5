"""A finger that scrolls the page changes nothing on it."""

import re

import pytest
from playwright.sync_api import Locator, Page

from tests.browser.test_app import PHONE
from tests.browser.test_keyboard import rested

SCROLLED = "document.querySelector('[data-testid=stMain]').scrollTop"
AXIS = "document.querySelector('[data-testid=stMain]')"


def swipe(page: Page, start: tuple[float, float], by: tuple[float, float], steps: int = 14) -> None:
    """One finger from a place, as the browser has it from the system."""
    session = page.context.new_cdp_session(page)

    def send(kind: str, *points: tuple[float, float]) -> None:
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})

    send("touchStart", start)
    for step in range(1, steps + 1):
        send("touchMove", (start[0] + by[0] * step / steps, start[1] + by[1] * step / steps))
        page.wait_for_timeout(20)
    send("touchEnd")
    page.wait_for_timeout(600)


def place(control: Locator, across: float) -> tuple[float, float]:
    control.evaluate("e => e.scrollIntoView({ block: 'center' })")
    control.page.wait_for_timeout(400)
    box = control.bounding_box()
    return box["x"] + across * box["width"], box["y"] + box["height"] / 2


def linked(page: Page) -> str:
    """What the address says, but for what a hand in a chapter has looked at, which it says once one was there."""
    return re.sub("&see=[^&]*", "", page.url)


@pytest.mark.parametrize(
    ("path", "testid", "says"),
    [
        ("/?model=mnist", "named-stroke", "e => e.value"),
        ("/interpolate?model=mnist", "scrub", "e => e.value"),
        ("/how_it_works?model=mnist&chapter=autoencoder", "scrub", "e => e.value"),
        ("/how_it_works?model=mnist&chapter=conditions", "class", "e => e.value"),
        ("/how_it_works?model=mnist&chapter=features", "accuracy", "e => e.ariaValueNow"),
    ],
)
def test_a_vertical_swipe_scrolls_the_page_and_leaves_a_control_as_it_is(visitor, path, testid, says):
    page = rested(visitor, path, **PHONE)
    control = page.get_by_test_id(testid)
    start = place(control, 0.85)
    before, scrolled, address = control.evaluate(says), page.evaluate(SCROLLED), linked(page)
    swipe(page, start, (2, -260))
    if page.evaluate(SCROLLED) == scrolled:  # it was at its end
        swipe(page, start, (2, 260))
    assert page.evaluate(SCROLLED) != scrolled
    assert control.evaluate(says) == before
    assert linked(page) == address
    x, y = place(control, 0.85)
    swipe(page, (x, y), (-100, -3))
    assert control.evaluate(says) != before
