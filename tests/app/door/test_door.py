"""The door: connections that say nothing, floods of frames, of files and of lines in the log, and what headers say."""

import asyncio
import base64
import contextlib
import gc
import hashlib
import logging
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace

import pytest
import streamlit as st
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as some
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketDisconnect
from uvicorn.protocols.http.auto import AutoHTTPProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode
from websockets.sync.client import connect

from vae.app.door import base, collector, connections, headers, repeats, uploads
from vae.app.door.connections import AT_ONCE, FRAMES, HELD, SLICE, Pace
from vae.app.door.headers import policy

LONG = 60
PING, PONG = Frame(Opcode.PING, b"").serialize(mask=True), Frame(Opcode.PONG, b"").serialize(mask=False)


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def echo(socket: WebSocket) -> None:
    await socket.accept()
    try:
        while True:
            await socket.send_bytes(await socket.receive_bytes())
    except WebSocketDisconnect:
        pass


@contextmanager
def serving(files: int) -> Iterator[tuple[str, int]]:
    """A guarded server, as Streamlit has it but for the app."""
    before = [
        (one, name, getattr(one, name))
        for one, name in (
            (AutoHTTPProtocol, "connection_made"),
            (WebSocketsSansIOProtocol, "connection_made"),
            (WebSocketsSansIOProtocol, "data_received"),
            (WebSocketsSansIOProtocol, "handle_events"),
        )
    ]
    connections.guard(files)
    app = Starlette(routes=[Route("/", hello), WebSocketRoute("/echo", echo)], middleware=[Middleware(headers.Headers)])
    config = uvicorn.Config(app, ws="websockets-sansio", ws_max_size=2**21, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield listening.getsockname()
    finally:
        server.should_exit = True
        thread.join(LONG)
        for one, name, method in before:
            setattr(one, name, method)
    assert not thread.is_alive()


def assert_served(address: tuple[str, int]) -> None:
    client = HTTPConnection(*address, timeout=LONG)
    client.request("GET", "/")
    assert client.getresponse().read() == b"hello"
    client.close()


def is_closed(client: socket.socket) -> bool:
    client.settimeout(LONG)
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


# ---- connections ----


def test_the_limit_of_open_files_is_raised_as_far_as_it_goes():
    asked = "import resource; from vae.app.door.connections import open_files; resource.setrlimit(7, (300, 4000));"
    asked += "assert resource.RLIMIT_NOFILE == 7; print(open_files(), *resource.getrlimit(7))"
    found = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["4000", "4000", "4000"]


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: here\r\n"], ids=["nothing", "half a request"])
def test_who_says_nothing_is_let_go_after_a_while(monkeypatch, sent):
    monkeypatch.setattr(connections, "PATIENCE", 0.2)
    with serving(1000) as address, socket.create_connection(address) as idle:
        idle.sendall(sent)
        assert is_closed(idle)
        assert_served(address)


def test_an_answer_in_two_parts_is_not_held_back_for_an_acknowledgement(monkeypatch):
    found = []
    with serving(1000) as address, monkeypatch.context() as patching:
        guarded = AutoHTTPProtocol.connection_made

        def made(self, transport) -> None:
            guarded(self, transport)
            found.append(transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

        patching.setattr(AutoHTTPProtocol, "connection_made", made)
        assert_served(address)
    assert found == [1]


def test_where_many_say_nothing_the_oldest_go_and_others_are_served():
    with serving(40) as address, ExitStack() as stack:
        live = stack.enter_context(connect(f"ws://{address[0]}:{address[1]}/echo"))
        idle = [stack.enter_context(socket.create_connection(address)) for _ in range(30)]
        assert_served(address)
        assert all(is_closed(one) for one in idle[:19])  # ten of these may stay, and the one who was just served
        idle[-1].sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        assert idle[-1].recv(15) == b"HTTP/1.1 200 OK"
        live.send(b"still here")
        assert live.recv(LONG) == b"still here"


def test_a_connection_that_was_served_and_a_websocket_are_not_let_go_for_saying_nothing(monkeypatch):
    monkeypatch.setattr(connections, "PATIENCE", 0.2)
    with serving(1000) as address, connect(f"ws://{address[0]}:{address[1]}/echo") as live:
        client = HTTPConnection(*address, timeout=LONG)
        for _ in range(2):
            client.request("GET", "/")
            assert client.getresponse().read() == b"hello"
            time.sleep(0.5)
        client.close()
        live.send(b"still here")
        assert live.recv(LONG) == b"still here"


@contextmanager
def raw(address: tuple[str, int]) -> Iterator[socket.socket]:
    """A websocket whose frames are ours to make."""
    asked = "GET /echo HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    asked += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    with socket.create_connection(address) as client:
        client.settimeout(LONG)
        client.sendall(asked.encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += client.recv(1)
        yield client


def test_a_flood_of_pings_is_answered_as_slowly_as_frames_may_come_and_others_are_served():
    with serving(1000) as address, raw(address) as flood:
        start, pongs = time.monotonic(), 0
        flood.sendall(PING * 20_000)
        assert_served(address)
        flood.settimeout(0.1)
        while time.monotonic() < start + 2:
            with contextlib.suppress(TimeoutError):
                pongs += len(flood.recv(2**16)) / len(PONG)
        assert AT_ONCE <= pongs <= AT_ONCE + FRAMES * (time.monotonic() - start) + SLICE // len(PING)
        assert_served(address)


def test_messages_of_any_size_in_any_number_of_frames_come_through():
    with serving(1000) as address, connect(f"ws://{address[0]}:{address[1]}/echo") as client:
        for size in (0, 1, SLICE, 300_000):
            client.send(bytes(size))
            assert client.recv(LONG) == bytes(size)
        client.send([b"x" * 7] * 500)
        assert client.recv(LONG) == b"x" * 3500


class Fake(WebSocketsSansIOProtocol):
    """What a pace sees of a protocol: its loop and its transport, with a clock of its own."""

    def __init__(self, monkeypatch):
        self.now, self.later, self.parsed, self.aborted, self.read_paused = 0.0, [], b"", False, False
        self.loop, self.transport = SimpleNamespace(call_later=self._call_later), self
        monkeypatch.setattr(connections, "time", SimpleNamespace(monotonic=lambda: self.now))
        self.pace = Pace()

    def _call_later(self, seconds: float, function, *arguments) -> None:
        self.later.append((self.now + seconds, function, arguments))

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        pass

    resume_reading = pause_reading

    def parse(self, _, part: bytes) -> None:
        """Every byte is a frame."""
        self.parsed += part
        self.pace.count(len(part))

    def feed(self, data: bytes) -> None:
        self.pace.feed(self, data, self.parse)

    def goes_on(self) -> None:
        while self.later:
            self.now, function, arguments = self.later.pop(0)
            function(*arguments)


@settings(deadline=None, max_examples=50)
@given(some.lists(some.binary(min_size=1, max_size=5000), min_size=1, max_size=20))
def test_what_comes_is_parsed_in_order_and_no_faster_than_frames_may_come(parts):
    with pytest.MonkeyPatch.context() as monkeypatch:
        fake = Fake(monkeypatch)
        for part in parts:
            fake.feed(part)
        assert len(fake.parsed) <= AT_ONCE + SLICE
        fake.goes_on()
        assert fake.parsed == b"".join(parts)
        assert len(fake.parsed) <= AT_ONCE + SLICE + FRAMES * fake.now


def test_who_sends_on_where_much_is_held_already_is_let_go(monkeypatch):
    fake = Fake(monkeypatch)
    fake.feed(bytes(3000))
    fake.feed(bytes(HELD))
    assert fake.aborted
    fake.goes_on()
    assert len(fake.parsed) < 3000


# ---- files ----


def put(monkeypatch, kept: dict[str, list[int]], path: str, size: bytes | None, method: str = "PUT") -> int:
    """The status of an upload where sessions hold files of these sizes."""
    held = {one: {str(n): SimpleNamespace(data=range(size)) for n, size in enumerate(s)} for one, s in kept.items()}
    monkeypatch.setattr(uploads, "_kept", lambda: held)
    said: list[dict] = []

    async def send(message: dict) -> None:
        said.append(message)

    length = [] if size is None else [(b"content-length", size)]
    scope = {"type": "http", "method": method, "path": path, "headers": length}
    asyncio.run(uploads.Uploads(PlainTextResponse("taken", 204))(scope, None, send))
    return said[0]["status"]


MB = 2**20


@pytest.mark.parametrize(
    ("kept", "size", "status"),
    [
        ({}, b"26000000", 204),
        ({}, str(200 * MB + 1000).encode(), 204),  # an archive as large as a training may have, and what is around it
        ({}, str(201 * MB + 1).encode(), 413),
        ({"me": [25 * MB] * 7}, b"26000000", 204),
        ({"me": [25 * MB] * 8}, b"2000000", 413),
        ({"me": [0] * 5000}, str(200 * MB).encode(), 204),  # what Train has read and let go of
        ({"me": [25 * MB] * 7}, None, 413),  # it may have more than there is room for
        ({"me": [25 * MB] * 7}, b"99999999999999", 413),
        ({"other": [25 * MB] * 8}, b"26000000", 204),
        ({str(one): [25 * MB] * 8 for one in range(6)}, b"1", 413),
        ({str(one): [200 * MB] for one in range(5)}, str(30 * MB).encode(), 413),
        ({"me": [1] * 5999}, b"1", 204),
        ({"me": [1] * 6000}, b"1", 413),
    ],
)
def test_a_session_and_all_of_them_may_hold_so_much(monkeypatch, kept, size, status):
    assert put(monkeypatch, kept, "/_stcore/upload_file/me/file", size) == status
    assert put(monkeypatch, kept, "/base/_stcore/upload_file/me/file", size) == status
    assert put(monkeypatch, kept, "/_stcore/upload_file/me/file", size, "DELETE") == 204
    assert put(monkeypatch, kept, "/elsewhere", size) == 204


def test_streamlit_takes_as_large_a_file_as_a_training_may_have(monkeypatch):
    monkeypatch.setenv("VAE_LAB_TRAIN_MEGABYTES", "300")
    options = {uploads.SIZE: 25}
    monkeypatch.setattr(uploads.config, "get_option", options.get)
    monkeypatch.setattr(uploads.config, "set_option", options.__setitem__)
    uploads.let_in()
    assert options == {uploads.SIZE: 301}


def test_files_that_are_on_their_way_count_too(monkeypatch):
    monkeypatch.setattr(uploads, "_kept", dict)
    said = []

    async def slow(scope, receive, send) -> None:
        await asyncio.sleep(0.1)
        await send({"status": 204})

    async def send(message: dict) -> None:
        said.append(message.get("status"))

    async def flood() -> uploads.Uploads:
        middleware = uploads.Uploads(slow)
        length = [(b"content-length", str(25 * MB).encode())]
        scope = {"type": "http", "method": "PUT", "path": "/_stcore/upload_file/me/1", "headers": length}
        await asyncio.gather(*(middleware(scope, None, send) for _ in range(200)))
        return middleware

    middleware = asyncio.run(flood())
    assert (said.count(204), said.count(413)) == (8, 192)
    assert middleware._coming == {}


# ---- the log, the collector, headers ----


def test_the_same_line_is_said_a_few_times_a_while_and_then_how_often_it_was_not(monkeypatch):
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(repeats, "time", clock)
    logger, said = logging.Logger("test"), []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    logger.addHandler(handler)
    logger.addFilter(repeats.Repeats())

    def say(number: int) -> None:
        logger.error("number %s of many", number)

    for number in range(1000):
        say(number)
    logger.error("something else")
    clock.now = repeats.A_WHILE
    say(1000)
    few = [f"number {number} of many" for number in range(repeats.REPEATS)]
    assert said == [*few, "something else", f"number 1000 of many (and {1000 - repeats.REPEATS} times more before)"]


def test_what_lies_in_cycles_is_collected_on_a_timer(monkeypatch):
    monkeypatch.setattr(collector, "EVERY", 0.01)

    class Left:
        pass

    async def wait() -> bool:
        left = Left()
        left.self = left
        gone = weakref.ref(left)
        del left
        collecting = asyncio.create_task(collector.collect())
        for _ in range(500):
            await asyncio.sleep(0.01)
            if gone() is None:
                break
        collecting.cancel()
        return gone() is None

    gc.disable()
    try:
        assert asyncio.run(wait())
    finally:
        gc.enable()


def answered(app: ASGIApp, method: str, headers: dict[str, str]) -> tuple[int, Headers, bytes]:
    """Status, headers and body of an answer."""
    said: list[dict] = []

    async def receive() -> None:
        await asyncio.Event().wait()

    async def send(message: dict) -> None:
        said.append(message)

    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    asyncio.run(app({"type": "http", "method": method, "path": "/", "headers": pairs}, receive, send))
    start, *parts = said
    return start["status"], Headers(raw=start["headers"]), b"".join(part["body"] for part in parts)


PAGE = Path(st.__file__).parent / "static" / "index.html"
BROWSER = {"accept": "text/html,*/*;q=0.8", "accept-encoding": "gzip", "if-none-match": "anything"}


def test_a_page_is_told_where_its_server_is_before_any_other_script_runs_and_policy_lets_it():
    status, headers, body = answered(base.Base(GZipMiddleware(FileResponse(PAGE))), "GET", BROWSER)
    assert status == 200
    assert int(headers["content-length"]) == len(body)
    assert not {"etag", "last-modified", "content-encoding"} & set(headers)
    assert body.replace(base.PUT_IN, b"") == PAGE.read_bytes()
    assert body.index(b"<script>" + base.SCRIPT + b"</script>") == body.index(b"<script")
    assert hashed(base.SCRIPT) in policy()


def hashed(script: bytes) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"


@pytest.mark.parametrize(
    ("method", "headers", "app"),
    [
        ("HEAD", BROWSER, FileResponse(PAGE)),
        ("GET", {"accept": "*/*"}, FileResponse(PAGE)),
        ("GET", BROWSER, PlainTextResponse("<head>")),
        ("GET", BROWSER, HTMLResponse("<head>", 404)),
    ],
)
def test_what_is_no_page_for_a_browser_passes_as_it_is(method, headers, app):
    assert answered(base.Base(app), method, headers) == answered(app, method, headers)


def said_headers(address: tuple[str, int]) -> dict[str, str]:
    client = HTTPConnection(*address, timeout=LONG)
    client.request("GET", "/")
    found = dict(client.getresponse().getheaders())
    client.close()
    return found


def test_every_answer_says_what_may_run_and_who_may_frame_it(monkeypatch):
    option = st.get_option
    with serving(1000) as address:
        found = said_headers(address)
        assert found["x-content-type-options"] == "nosniff"
        assert found["x-frame-options"] == "SAMEORIGIN"
        assert "frame-ancestors 'self'" in found["content-security-policy"].split("; ")
        assert "default-src 'self'" in found["content-security-policy"].split("; ")
        friends = ["https://course.example"]
        monkeypatch.setattr(st, "get_option", lambda key: friends if key.endswith("Origins") else option(key))
        found = said_headers(address)
        assert "x-frame-options" not in found
        assert "frame-ancestors 'self' https://course.example" in found["content-security-policy"].split("; ")
