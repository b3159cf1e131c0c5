"""How much a session may upload: Streamlit keeps each file in memory until its session ends, however many there are."""

import re

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit.runtime import Runtime

FILES, BYTES = 1000, 200 * 2**20  # that a session may hold
IN_ALL = 2**30  # bytes of all sessions together
ONE = 26 * 2**20  # bytes of a request that does not say how many it has: Streamlit takes no more
UPLOAD = re.compile(r"/_stcore/upload_file/([^/]+)/[^/]+$")


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
            return f"A visit can hold {FILES} files. Reload the page to begin anew."
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
