"""What Streamlit's socket brings when a hand lets go: `python -m tests.benchmarks.release [TIMES]`.

Starts the app, moves a slider on Explore, picks a place on the latent map and moves the scrubber of Interpolate, TIMES
each, and prints the median bytes of the messages that each release brings: all of them, the scripts and styles in them,
the components' data, and what is left.
"""

import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Page, WebSocket, sync_playwright
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.browser.conftest import ARGUMENTS, free_port, needed, serving

QUIET = 1500  # ms after which nothing more comes of a release


class Bytes(NamedTuple):
    """Of the messages of one release."""

    whole: int
    code: int  # scripts and styles
    data: int  # of components

    @property
    def rest(self) -> int:
        return self.whole - self.code - self.data


class Stream:
    """What Streamlit's socket brings a page."""

    def __init__(self, page: Page):
        self.page, self.frames = page, []
        page.on("websocket", self._opened)

    def _opened(self, socket: WebSocket) -> None:
        if socket.url.endswith("/_stcore/stream"):
            socket.on("framereceived", lambda frame: self.frames.append(frame))

    def brings(self, act: Callable[[], None]) -> Bytes:
        """What comes from now on because of an act."""
        self.frames.clear()
        act()
        self.page.wait_for_timeout(QUIET)
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
        return counted(self.frames)


def counted(frames: list[bytes]) -> Bytes:
    """The bytes of messages, each as it came."""
    components = [part for frame in frames for part in _components(ForwardMsg.FromString(frame))]
    code = sum(len(part.js_content.encode()) + len(part.css_content.encode()) for part in components)
    data = sum(len(part.json.encode()) + len(part.mixed.SerializeToString()) for part in components)
    return Bytes(sum(map(len, frames)), code, data)


def _components(message: ForwardMsg) -> Iterator:
    element = message.delta.new_element
    if element.HasField("bidi_component"):
        yield element.bidi_component


@contextmanager
def opened(browser: Browser, address: str, path: str) -> Iterator[tuple[Page, Stream]]:
    """A page at rest, and its stream."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.add_init_script("localStorage.tour = 'done'")
    stream = Stream(page)
    page.goto(address + path)
    page.get_by_test_id("decoded").wait_for()
    page.wait_for_timeout(2 * QUIET)
    yield page, stream
    context.close()


def slides(page: Page, testid: str, turn: int) -> None:
    """One drag of a slider, from where its thumb is put to somewhere else, and its release."""
    box = page.get_by_test_id(testid).bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + (0.3 + 0.05 * turn) * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + (0.6 - 0.05 * turn) * box["width"], y, steps=5)
    page.mouse.up()


def picks(page: Page, turn: int) -> None:
    """A place of the map, by the keyboard: no point can be in the way."""
    page.get_by_test_id("map").press("ArrowRight" if turn % 2 else "ArrowUp")


def explore(page: Page, turn: int) -> None:
    first = page.get_by_role("slider").first.get_attribute("data-testid")
    slides(page, first, turn)


def interpolate(page: Page, turn: int) -> None:
    slides(page, "scrub", turn)


RELEASES = {
    "Explore, a slider": ("/?model=mnist", explore),
    "Latent map, a place": ("/latent_map?model=mnist", picks),
    "Interpolate, the scrubber": ("/interpolate?model=mnist", interpolate),
}


def main(times: int) -> None:
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        path = needed("chromium-headless-shell", "chromium-headless-shell")
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        with serving(free_port(), Path(folder) / "stderr.txt") as address:
            print(f"{'bytes of one release':28}{'all':>8}{'code':>8}{'data':>8}{'rest':>8}")
            for name, (where, act) in RELEASES.items():
                with opened(browser, address, where) as (page, stream):
                    found = [stream.brings(lambda turn=turn: act(page, turn)) for turn in range(times)]  # noqa: B023
                columns = [[one.whole, one.code, one.data, one.rest] for one in found]
                medians = [statistics.median(column) for column in zip(*columns, strict=True)]
                print(f"{name:28}" + "".join(f"{value:8.0f}" for value in medians), flush=True)
        browser.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 5)
