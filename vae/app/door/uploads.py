"""How much a session may upload: Streamlit keeps each file in memory until its session ends, however many there are.

A session has room for one archive as large as a training may have, or as many small files as pictures. Train lets go of
what it has read, so that the room is there again; what all sessions hold together stays bounded.
"""

import re

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import config
from streamlit.runtime import Runtime

from vae.serve.jobs.limits import limits

SIZE = "server.maxUploadSize"  # Streamlit's option: megabytes of a file
WRAPPED = 1  # megabyte at most that a request has beside its file
FILES, BYTES = limits().pictures + 1000, max(200, limits().megabytes + WRAPPED) * 2**20  # that a session may hold
IN_ALL = max(2**30, 2 * BYTES)  # bytes of all sessions together
ONE = BYTES  # bytes of a request that does not say how many it has: Streamlit takes no more
UPLOAD = re.compile(r"/_stcore/upload_file/([^/]+)/[^/]+$")


def let_in() -> None:
    """Streamlit takes as large a file as a training may have, from now on."""
    config.set_option(SIZE, max(config.get_option(SIZE), limits().megabytes + WRAPPED))


class Uploads:
    """Middleware that refuses a file with a sentence where its session, or all of them, hold enough."""

    def __init__(self, app: ASGIApp):
        self.app = app
        self._coming: dict[str, list[int]] = {}  # session -> bytes of the files that are on their way

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        place = UPLOAD.search(scope["path"]) if scope["type"] == "http" and scope["method"] == "PUT" else None
        if place is None:
            await self.app(scope, receive, send)
            return
        session, size = place[1], _size(scope)
        if refusal := self._refusal(session, size):
            await PlainTextResponse(refusal, 413, {"Connection": "close"})(scope, receive, send)
            return
        coming = self._coming.setdefault(session, [])
        coming.append(size)
        try:
            await self.app(scope, receive, send)
        finally:
            coming.remove(size)
            if not coming:
                self._coming.pop(session, None)

    def _refusal(self, session: str, size: int) -> str | None:
        kept = {one: [len(file.data) for file in list(files.values())] for one, files in _kept().items()}
        own = [*kept.get(session, []), *self._coming.get(session, [])]
        everyone = sum(map(sum, kept.values())) + sum(map(sum, self._coming.values()))
        if len(own) >= FILES:
            return f"A visit can hold {FILES:,} files. Reload the page to begin anew."
        if sum(own) + size > BYTES:
            return f"A visit can hold {BYTES >> 20} MB of files. Reload the page to begin anew."
        if everyone + size > IN_ALL:
            return "The visitors' files are too large together just now. Try again in a few minutes."
        return None


def _size(scope: Scope) -> int:
    """What a request says that it has; the most that it may have where it says nothing sensible."""
    said = dict(scope["headers"]).get(b"content-length", b"")
    return int(said) if said.isdigit() and len(said) < 12 else ONE


def _kept() -> dict[str, dict]:
    """Streamlit's files by session and id; where it is not running there are none."""
    return dict(Runtime.instance().uploaded_file_mgr.file_storage) if Runtime.exists() else {}
