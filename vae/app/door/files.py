"""Files that never change, from memory and compressed: a browser that was never here fetches over a hundred of them.

Streamlit reads each of its own anew for each visitor, on a thread, and sends it as it lies on the disk: of what a first
visit cost the server, that was three quarters. Here what lies below is asked for a file once, and answers from then on
are that one, in a third of the bytes.
"""

import asyncio
import gzip
from pathlib import Path
from typing import NamedTuple

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vae.app.components import served
from vae.app.live import routes

LEVEL = 6  # of compression
WORTH = 0.9  # a file that stays larger than this share of itself is compressed already
STREAMLITS = Path(st.__file__).parent / "static"
ASKED_WITH = (b"host", b"x-forwarded-proto")  # the headers that may pass: an answer is for everybody


def unchanging() -> set[str]:
    """The paths of the files that are kept: Streamlit's own, whose names say what is in them, ours and Plotly."""
    own = {file.relative_to(STREAMLITS).as_posix() for file in (STREAMLITS / "static").rglob("*") if file.is_file()}
    ours = {f"{served.PATH}/{served.VERSION}/{name}" for name in served.FILES}
    return {routes.route(name) for name in own | ours | {routes.PLOTLY}}


class Answer(NamedTuple):
    """The two messages of a whole answer."""

    start: Message
    body: Message


class Files:
    """Middleware that keeps what the app below answers about these files."""

    def __init__(self, app: ASGIApp):
        self.app, self._paths = app, unchanging()
        self._kept: dict[str, Answer] = {}
        self._asking: dict[str, asyncio.Task[Answer]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in self._paths or not _takes_gzip(scope):
            await self.app(scope, receive, send)
            return
        answer = self._kept.get(scope["path"]) or await self._ask(scope)
        await send(answer.start | {"headers": list(answer.start["headers"])})  # to which others add theirs
        await send(answer.body)

    async def _ask(self, scope: Scope) -> Answer:
        """What the app answers; those who come meanwhile wait for the same."""
        path = scope["path"]
        if path not in self._asking:
            self._asking[path] = asyncio.create_task(self._made(scope))
            self._asking[path].add_done_callback(lambda _: self._asking.pop(path))
        return await asyncio.shield(self._asking[path])

    async def _made(self, scope: Scope) -> Answer:
        sent: list[Message] = []

        async def receive() -> Message:  # nobody sends anything, or goes away
            return await asyncio.get_running_loop().create_future()

        async def send(message: Message) -> None:
            sent.append(message)

        plain = [pair for pair in scope["headers"] if pair[0] in ASKED_WITH]
        await self.app(scope | {"headers": plain}, receive, send)
        start, body = sent[0], b"".join(message.get("body", b"") for message in sent[1:])
        if start["status"] != 200:  # it is gone from the disk
            return Answer(start, {"type": "http.response.body", "body": body})
        answer = await asyncio.to_thread(_compressed, start, body)
        self._kept[scope["path"]] = answer
        return answer


def _takes_gzip(scope: Scope) -> bool:
    return scope["method"] == "GET" and "gzip" in Headers(scope=scope).get("accept-encoding", "")


def _compressed(start: Message, body: bytes) -> Answer:
    headers = MutableHeaders(raw=list(start["headers"]))
    headers.add_vary_header("Accept-Encoding")
    for validator in ("etag", "last-modified", "accept-ranges"):  # they are of the file as it lies there
        del headers[validator]
    smaller = gzip.compress(body, LEVEL, mtime=0)
    if len(smaller) < WORTH * len(body):
        body, headers["content-encoding"] = smaller, "gzip"
    headers["content-length"] = str(len(body))
    return Answer(start | {"headers": headers.raw}, {"type": "http.response.body", "body": body})
