"""A connection that is cut, Streamlit's and the live one alike: as long as its session lives, the page goes on."""

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.conftest import PATIENCE, Visitor, free_port, serving
from tests.browser.seen import changes, seen
from tests.registry import VECTORS
from vae.models import pretrained

DEEP = next(name for name in VECTORS if pretrained.load_card(name)["latents"] > 2)
# Streamlit has no option for how long it keeps a session whose connection was cut; here it is a second.
FORGETFUL = """
from streamlit.runtime.memory_session_storage import MemorySessionStorage
MemorySessionStorage.__init__.__defaults__ = (128, 1)
"""
WATCH = """status => {
    window.said = [];
    new MutationObserver(() => window.said.push(status.textContent)).observe(status, { childList: true });
}"""


class Line:
    """All sockets of a page, to be cut and mended together; both of their ends learn of it."""

    def __init__(self, page: Page):
        self.whole, self.ends, self.opened = True, [], 0
        page.route_web_socket(re.compile("/(live|_stcore/stream)$"), self._route)

    def _route(self, route: WebSocketRoute) -> None:
        if not self.whole:
            route.close()
            return
        self.ends += [route, route.connect_to_server()]
        self.opened += route.url.endswith("/live")

    def cut(self) -> None:
        self.whole = False
        for end in self.ends:
            end.close()
        self.ends.clear()

    def opens_again(self, page: Page) -> None:
        """Mended, and a live socket opened since."""
        opened, deadline = self.opened, time.monotonic() + PATIENCE
        self.whole = True
        while self.opened == opened:
            assert time.monotonic() < deadline, page.evaluate("window.said")
            page.wait_for_timeout(100)


def watched(page: Page) -> None:
    """From now on all words about the connection are kept."""
    page.get_by_role("status").evaluate(WATCH)


def goes_on(someone: Visitor) -> None:
    """The page is live, Python knows what the hand does, and in between nobody was told to reload."""
    page = someone.page
    expect(page.get_by_role("status")).to_have_text("", timeout=4000 * PATIENCE)
    page.wait_for_selector("[data-testid=stApp][data-test-connection-state=CONNECTED]")
    someone.rests()
    before = seen(page)
    slider = page.get_by_role("slider").first
    slider.focus()
    page.keyboard.press("PageUp" if float(slider.input_value()) < 0 else "PageDown")
    changes(page, before)
    z = page.get_by_test_id("decoded").get_attribute("data-z")
    page.wait_for_function("z => new URL(location).searchParams.get('z') === z", arg=z)
    said = page.evaluate("window.said")
    assert all(not words or words.startswith("reconnecting") for words in said), said


@pytest.mark.parametrize("seconds", [0, 5])
def test_a_page_whose_connection_was_cut_for_a_while_is_live_again(visitor, seconds):
    someone = visitor()
    line = Line(someone.page)
    page = someone.opens(f"/?model={DEEP}")
    someone.is_live()
    watched(page)
    line.cut()
    page.wait_for_timeout(1000 * seconds)
    line.opens_again(page)
    goes_on(someone)


@pytest.fixture
def forgetful(tmp_path) -> Iterator[str]:
    """A server that keeps a session for a second after its connection was cut."""
    with serving(free_port(), tmp_path / "stderr.txt", FORGETFUL) as address:
        yield address


def test_a_page_whose_session_ended_meanwhile_is_live_in_a_new_one(visitor, forgetful):
    someone = visitor(first=True)
    someone.server = forgetful
    line = Line(someone.page)
    page = someone.opens(f"/?model={DEEP}")
    someone.is_live()
    watched(page)
    line.cut()
    page.wait_for_timeout(3000)
    line.opens_again(page)
    goes_on(someone)


def test_a_page_that_nobody_touched_goes_on_when_its_server_was_started_again(visitor, restarting):
    someone = visitor(first=True)
    someone.server = restarting.address
    page = someone.opens(f"/?model={DEEP}")
    someone.is_live()
    watched(page)
    restarting.stop()
    restarting.start()
    goes_on(someone)
    assert all(re.search("WebSocket|ERR_CONNECTION|_stcore|not responding", problem) for problem in someone.problems)
    someone.problems.clear()
