"""Thirty people who open the same link: `python -m tests.benchmarks.room [PAGE ...]`.

A headless Chromium opens each page once, and all that it asks for until it rests is written down: files, what it says
on both sockets, and what it had heard before. Then a server is started afresh, and once it rests 30 clients come, 2
seconds from the first to the last, and do the same without a browser's own work: each fetches the files over six
connections, as one that has never been here, and goes on once it has heard what Chromium had. A picture is there when
all has come that Chromium had when its first one was drawn. `--next` lets another thirty come to the same server when
the first have gone, `--kept` leaves out the files that a browser keeps from an earlier visit.

Prints for each page the seconds from when the room opens to the first, the median and the last picture, and how long
the median visitor and the most patient one waited for theirs; the server's core-seconds a visit, to the end of its
script; the files, kilobytes and script runs of a visit, of Chromium's own in brackets; and the core-seconds that a
client itself took, on the same cores.
"""

import argparse
import asyncio
import os
import re
import shutil
import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Request, WebSocket, sync_playwright
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from tests.benchmarks.chapters import FIRST
from tests.benchmarks.drag import BROWSER, VIEW, serving

VISITS, SPREAD = 30, 2.0
CONNECTIONS = 6  # of a browser to one host
PATIENCE = 120.0  # seconds
REST = 1500  # ms after the picture for which Chromium is listened to
TICKS = os.sysconf("SC_CLK_TCK")
TOKEN = re.compile(rb'"token":\s*"([0-9a-f]{32})"')
KEPT = ("/static/", "/components/", "/plotly")
STREAM = "/_stcore/stream"
DECODED = "[data-testid=decoded]"
# for each page its address, and what its first picture is known by
PAGES = {
    "explore": ("?model=mnist", DECODED),
    "explore, two latents": ("?model=mnist-2d", DECODED),
    "map": ("latent_map?model=mnist", "[data-testid=map][data-points='10000']"),
    "interpolate": ("interpolate?model=mnist", DECODED),
    "reconstruct": ("reconstruct?model=mnist", DECODED),
    "reconstruct, two latents": ("reconstruct?model=mnist-2d", DECODED),
    "models": ("models?model=mnist", "[data-testid=stMain] img"),
} | {
    key: (f"how_it_works?model={'mnist-2d' if key == 'bayes' else 'mnist'}&chapter={key}", picture)
    for key, picture in FIRST.items()
}


# ---- what Chromium does ----


class Step(NamedTuple):
    """Something that Chromium does, or has heard before it does what follows."""

    verb: str
    about: object = None
    content: bytes = b""


class Script:
    """What has come of a page's script."""

    def __init__(self):
        self.begun, self.over, self.parts, self.token = 0, 0, set(), b""

    def hear(self, frame: bytes) -> tuple | None:
        """A message; the name of the part of the page that it brings, if it brings one."""
        message = ForwardMsg.FromString(frame)
        kind = message.WhichOneof("type")
        self.begun += kind == "new_session"
        self.over += kind == "script_finished"
        if found := TOKEN.search(frame):
            self.token = found[1]
        if kind != "delta":
            return None
        part = self.begun, tuple(message.metadata.delta_path), message.delta.WhichOneof("type")
        self.parts.add(part)
        return part

    def has(self, part: tuple) -> bool:
        """Whether a part has come, or never will: a newer one of its place overtook it on the way."""
        return part in self.parts or self.over >= part[0]


@dataclass
class Recording:
    """All that Chromium did in one visit."""

    steps: list[Step] = field(default_factory=list)
    script: Script = field(default_factory=Script)
    bytes: int = 0

    @property
    def files(self) -> int:
        return sum(step.verb == "get" for step in self.steps)


def recorded(browser: Browser, origin: str, path: str, picture: str) -> Recording:
    """One visit of a Chromium that has never been there."""
    made, requests = Recording(), []

    def note(*step) -> None:
        made.steps.append(Step(*step))

    def asked(request: Request) -> None:
        if request.url.startswith(origin):
            requests.append(request)
            note("get", request.url.removeprefix(origin))

    def came(request: Request) -> None:
        if request.url.startswith(origin):
            note("got", request.url.removeprefix(origin))

    def opened(socket: WebSocket) -> None:
        path, number = (
            socket.url.removeprefix(origin.replace("http", "ws")),
            sum(step.verb == "open" for step in made.steps),
        )
        note("open", path)

        def heard(frame: bytes) -> None:
            made.bytes += len(frame)
            if not path.endswith(STREAM):
                note("heard", (number, frame[1]))
            elif part := made.script.hear(frame):
                note("has", part)

        socket.on("framereceived", heard)
        socket.on("framesent", lambda frame: note("say", number, frame))

    context = browser.new_context(viewport=VIEW)
    page = context.new_page()
    page.on("request", asked)
    page.on("requestfinished", came)
    page.on("websocket", opened)
    page.goto(f"{origin}/{path}")
    page.locator(picture).first.wait_for(timeout=1000 * PATIENCE)
    note("picture")
    page.wait_for_timeout(REST)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_timeout(REST)
    made.bytes += sum(request.sizes()["responseBodySize"] for request in requests)
    context.close()
    return made


# ---- what a client does ----


class Connections:
    """A browser's connections for files."""

    def __init__(self, port: int):
        self.port, self.bytes = port, 0
        self.idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.free = asyncio.Semaphore(CONNECTIONS)

    async def fetch(self, path: str, accept: str) -> None:
        async with self.free:
            while self.idle:
                reader, writer = self.idle.pop()
                if not reader.at_eof():  # the server closes what nobody uses for a while
                    break
            else:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            lines = [
                f"GET {path} HTTP/1.1",
                f"Host: 127.0.0.1:{self.port}",
                f"Accept: {accept}",
                "Accept-Encoding: gzip, deflate, br, zstd",
            ]
            writer.write("".join(f"{line}\r\n" for line in [*lines, ""]).encode())
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert b" 200 " in head.split(b"\r\n")[0], (path, head)
            if length := re.search(rb"content-length: (\d+)", head):
                await self._take(reader, int(length[1]))
            else:
                while size := int(await reader.readline(), 16):
                    await self._take(reader, size)
                    await reader.readline()
                await reader.readline()
            self.idle.append((reader, writer))

    async def _take(self, reader: asyncio.StreamReader, size: int) -> None:
        await reader.readexactly(size)
        self.bytes += size

    def close(self) -> None:
        for _, writer in self.idle:
            writer.close()


class Visit:
    """Somebody who does what was recorded."""

    def __init__(self, origin: str, recording: Recording, kept: bool):
        self.origin, self.recording, self.kept = origin, recording, kept
        self.connections, self.script = Connections(int(origin.rsplit(":", 1)[1])), Script()
        self.files: dict[str, asyncio.Task] = {}
        self.sockets: list[ClientConnection] = []
        self.listening: list[asyncio.Task] = []
        self.came, self.heard, self.bytes = asyncio.Condition(), Counter(), 0
        self.began = self.seen = 0.0

    async def go(self, after: float) -> None:
        """All of it, to the end of the page's script."""
        await asyncio.sleep(after)
        self.began, due = time.perf_counter(), Counter()
        does = {"get": self.get, "open": self.open, "say": self.say}
        async with asyncio.timeout(PATIENCE):
            for verb, about, content in self.recording.steps:
                if verb == "got" and about in self.files:
                    await self.files[about]
                elif verb == "has":
                    await self.until(lambda part=about: self.script.has(part))
                elif verb == "heard":
                    due[about] += 1
                    await self.until(lambda message=about: self.heard[message] >= due[message])
                elif verb == "picture":
                    self.seen = time.perf_counter()
                elif verb in does:
                    await does[verb](about, content)
            await self.until(lambda: self.script.over >= self.recording.script.over)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with self.came:
            await self.came.wait_for(holds)

    async def get(self, path: str, _: bytes) -> None:
        if not (self.kept and path.startswith(KEPT)):
            accept = "*/*" if self.files else "text/html"
            self.files[path] = asyncio.create_task(self.connections.fetch(path, accept))

    async def open(self, path: str, _: bytes) -> None:
        options = {"subprotocols": ["streamlit"]} if path.endswith(STREAM) else {}
        address = self.origin.replace("http", "ws") + path
        self.sockets.append(await connect(address, origin=self.origin, max_size=None, ping_interval=None, **options))
        self.listening.append(asyncio.create_task(self.listen(len(self.sockets) - 1, path)))

    async def say(self, number: int, content: bytes) -> None:
        await self.sockets[number].send(content.replace(self.recording.script.token or b" ", self.script.token or b" "))

    async def listen(self, number: int, path: str) -> None:
        async for frame in self.sockets[number]:
            self.bytes += len(frame)
            async with self.came:
                if path.endswith(STREAM):
                    self.script.hear(frame)
                else:
                    self.heard[number, frame[1]] += 1
                self.came.notify_all()

    async def leave(self) -> None:
        self.bytes += self.connections.bytes
        self.connections.close()
        for socket in self.sockets:
            await socket.close()
        await asyncio.gather(*self.listening)


# ---- a room of them ----


def core_seconds(process: int) -> float:
    """What a process has computed so far."""
    user, system = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / TICKS


def rests(process: int) -> None:
    """Wait until a server has done what a start leaves to do."""
    before = -1.0
    while (now := core_seconds(process)) - before > 0.05:
        before = now
        time.sleep(1)


async def room(origin: str, process: int, recording: Recording, kept: bool) -> str:
    """A row of the table."""
    visits = [Visit(origin, recording, kept) for _ in range(VISITS)]
    server, clients, opens = core_seconds(process), time.process_time(), time.perf_counter()
    await asyncio.gather(*(visit.go(SPREAD * number / (VISITS - 1)) for number, visit in enumerate(visits)))
    await asyncio.sleep(0.5)
    server, clients = core_seconds(process) - server, time.process_time() - clients
    for visit in visits:
        await visit.leave()
    seen = sorted(visit.seen - opens for visit in visits)
    waited = sorted(visit.seen - visit.began for visit in visits)
    seconds = [seen[0], statistics.median(seen), seen[-1], statistics.median(waited), waited[-1]]
    files = statistics.mean(len(visit.files) for visit in visits)
    kilobytes = statistics.mean(visit.bytes for visit in visits) / 1000
    runs = statistics.mean(visit.script.over for visit in visits)
    theirs = f"({recording.files}, {recording.bytes / 1000:.0f}, {recording.script.over})"
    cells = [f"{value:8.2f}" for value in seconds] + [f"{server / VISITS:9.3f}"]
    return "".join(cells) + f"{files:7.0f}{kilobytes:7.0f}{runs:6.1f} {theirs:16}{clients / VISITS:8.3f}"


def main(names: list[str], more: int, kept: bool) -> None:
    with sync_playwright() as playwright, serving("streamlit_app.py") as (origin, _):
        path = shutil.which("chromium-headless-shell") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=BROWSER)
        recordings = {name: recorded(browser, origin, *PAGES[name]) for name in names}
        browser.close()
    heads = ["first", "median", "last", "median", "longest"]
    print(f"{'':26}{'picture, s since it opened':>24}{'wait, s':>16}")
    print(
        f"{'':26}" + "".join(f"{head:>8}" for head in heads) + f"{'core-s':>9}{'files':>7}{'kB':>7}{'runs':>6}"
        f" {'(of Chromium)':16}{'client':>8}"
    )
    for name, recording in recordings.items():
        with serving("streamlit_app.py") as (origin, process):
            rests(process)
            for number in range(1 + more):
                row = asyncio.run(room(origin, process, recording, kept))
                print(f"{name if not number else '  the next thirty':26}{row}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pages", nargs="*", metavar="PAGE", help=f"of {', '.join(PAGES)}; all where none is named")
    parser.add_argument("--next", type=int, default=0, metavar="ROOMS", help="more rooms, one after the other")
    parser.add_argument("--kept", action="store_true", help="they have been here before")
    given = parser.parse_args()
    main(given.pages or list(PAGES), given.next, given.kept)
