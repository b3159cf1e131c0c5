"""A running server and visitors in a real Chromium, whose every complaint is recorded."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

from tests.browser.seen import DECODED, seen

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 30  # seconds; two slow cores must do
MOST_FREE = 4  # rooms that wait for a visitor, each a process of the browser's
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-quic",
    "--disable-sync",
    "--disable-component-update",
    "--process-per-site",  # the pages of a room one after the other in one process, which has their scripts compiled
    "--use-fake-device-for-media-stream",  # a camera that is none
    "--use-fake-ui-for-media-stream",
]
# A page says "notRunning" before its script begins as well, and for a moment between two runs.
RESTS = """
() => {
  const state = document.querySelector("[data-testid=stApp]")?.dataset.testScriptState;
  const drawn = document.querySelector("[data-testid=stMain] [data-testid=stElementContainer]");
  window.resting = state === "notRunning" && drawn ? (window.resting ?? performance.now()) : undefined;
  return performance.now() - window.resting > 100;
}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_healthy(process: subprocess.Popen, url: str, log: Path) -> None:
    deadline = time.monotonic() + 2 * PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the server ended:\n{log.read_text()}"
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.2)
    pytest.fail(f"the server is not healthy after {2 * PATIENCE} s:\n{log.read_text()}")


def needed(program: str, package: str) -> str:
    """The path of a program; a test without it is skipped, or fails where browser tests are required."""
    path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        reason = f"there is no {program}: apt-get install {package}"
        if os.environ.get("VAE_LAB_BROWSER") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


# The house visits every page before its visitors do: twice the work of a start, for a server that has a visitor or two.
NO_HOUSE = """
from vae.app.door import opening
async def nobody(pages):
    pass
opening.come_in = nobody
"""


@contextmanager
def serving(port: int, log: Path, changed: str = "", house: bool = False, **options: str) -> Iterator[str]:
    """The address of the app; at the end it must have logged no traceback.

    `changed` is Python that the server runs first, for what no option can bring about; without any, and with the
    `house`, it is started as its users start it.
    """
    flags = {"headless": "true", "port": str(port), "address": "127.0.0.1"} | options
    base = f"http://127.0.0.1:{port}/{options.get('baseUrlPath', '')}".rstrip("/")
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py"]
    if not house:
        changed = f"{changed}\n{NO_HOUSE}"
    if changed:
        command[1:3] = ["-c", f"{changed}\nfrom streamlit.web.cli import main\nmain()"]
    command += [word for name, value in flags.items() for word in (f"--server.{name}", value)]
    with (
        log.open("w") as stderr,
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr) as process,
    ):
        try:
            wait_until_healthy(process, base, log)
            yield base
            assert process.poll() is None, f"the server ended:\n{log.read_text()}"
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[str]:
    """The app that all visitors share."""
    with serving(free_port(), tmp_path_factory.mktemp("server") / "stderr.txt", house=True) as address:
        yield address


class Restarting:
    """A server of one test that can be stopped, and started again at the same address."""

    def __init__(self, folder: Path):
        self.port, self.folder, self.running = free_port(), folder, ExitStack()
        self.address = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self, changed: str = "") -> None:
        self.running.enter_context(serving(self.port, self.folder / "stderr.txt", changed, house=True))

    def stop(self) -> None:
        self.running.close()


@pytest.fixture
def restarting(tmp_path) -> Iterator[Restarting]:
    server = Restarting(tmp_path)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    # the shell draws no window around a page, which takes a third of the work
    path = shutil.which("chromium-headless-shell") or needed("chromium", "chromium-headless-shell")
    expect.set_options(timeout=1000 * PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


class Room:
    """A browser context for one visitor after the other. What a browser keeps of a server's files, and has compiled of
    them, stays, which is half the work of opening a page; what a visitor leaves behind does not.
    """

    def __init__(self, browser: Browser, server: str | None, **asked):
        self.server, self.asked = server, asked
        self.context: BrowserContext = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | asked))
        self.context.set_default_timeout(1000 * PATIENCE)
        self.context.add_init_script("localStorage.tour ??= 'done'")  # but for its own tests nobody takes the tour
        if server:
            self.keeper = self.context.new_page()  # which nobody sees: with the last page its process would end
            self.keeper.goto(f"{server}/_stcore/health")

    def is_cleared(self) -> None:
        """Close the visitor's pages, then forget what they wrote: none of them is left to write."""
        for page in self.context.pages:
            if page is not self.keeper:
                page.close()
        self.context.clear_cookies()
        self.keeper.evaluate("localStorage.clear()")


class Visitor:
    """Somebody with one page, in a room or else a browser context of the visitor's own, and the list of all that went
    wrong there.
    """

    def __init__(self, browser: Browser, server: str, room: Room | None = None, **context):
        self.server, self.problems, self.requests = server, [], []
        self.room = room or Room(browser, None, **context)
        self.context = self.room.context
        self.page: Page = self.context.new_page()
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.problems.append(f"error in the page: {error}"))
        self.page.on("request", self._on_request)
        self.page.on("requestfailed", lambda request: self.problems.append(f"{request.url}: {request.failure}"))
        self.page.on("response", self._on_response)
        self.page.on("websocket", lambda websocket: self._check_host(websocket.url))

    def opens(self, path: str = "/") -> Page:
        """Go there and wait until the picture is decoded and the script at rest."""
        self.page.goto(self.server + path)
        self.sees_a_picture()
        return self.page

    def sees_a_picture(self) -> str:
        """Wait for the decoded picture and the end of the script; the picture as a data URL."""
        self.page.wait_for_function(f"{DECODED}?.naturalWidth > 0 || {DECODED}?.dataset.drawn > 0")
        self.rests()
        return seen(self.page)

    def is_live(self) -> None:
        """Wait until the component's socket has said hello: nothing is said about reconnecting."""
        expect(self.page.get_by_role("status")).to_have_text("")
        self.page.wait_for_function(f"{DECODED}?.dataset.drawn > 1")

    def rests(self) -> None:
        """Wait until the page is drawn and its script at rest."""
        self.page.wait_for_function(RESTS)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.problems.append(f"console: {message.text} ({message.location['url']})")

    def _on_request(self, request: Request) -> None:
        self.requests.append(request.url)
        self._check_host(request.url)

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self.problems.append(f"{response.url}: status {response.status}")

    def _check_host(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and parts.netloc != urlsplit(self.server).netloc:
            self.problems.append(f"a request to another host: {url}")


@pytest.fixture(scope="session")
def free() -> list[Room]:
    """The rooms without a visitor, the last left last."""
    return []


@pytest.fixture
def visitor(chromium, server, free) -> Iterator[Callable[..., Visitor]]:
    """A maker of visitors; after the test nothing may have gone wrong for any of them.

    The browser of one who is the `first` has never seen the app, and that of others may have; none finds anything that
    another wrote there. Who goes to a server of the test's own, or changes a context, is the first.
    """
    visitors = []

    def make(first: bool = False, **asked) -> Visitor:
        room = None
        if not first:
            room = next((room for room in free if (room.server, room.asked) == (server, asked)), None)
            if room:
                free.remove(room)
            else:
                room = Room(chromium, server, **asked)
        visitors.append((Visitor(chromium, server, room, **asked), room))
        return visitors[-1][0]

    yield make
    problems = [problem for one, _ in visitors for problem in one.problems]
    for one, room in visitors:
        if room:
            assert one.server == server
            room.is_cleared()
            free.append(room)
        else:
            one.context.close()
    while len(free) > MOST_FREE:
        free.pop(0).context.close()
    assert not problems, "\n".join(problems)
