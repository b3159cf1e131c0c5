"""Pictures for a training are read as they arrive, one after the other, and their bytes are let go of at once.

A browser tells the page of its files when the last one has come. Three hundred photos would have been held until then,
a gigabyte; here a few are on their way, and of each that has come a small copy is kept. The browser's next file waits
until that is made.
"""

import asyncio
import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from threading import get_native_id

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.runtime import Runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFileManager, UploadedFileRec

from vae.data import own
from vae.data.own import Brought
from vae.pictures.files import ARCHIVES, uploads
from vae.serve.jobs.limits import limits

UPLOAD = re.compile(r"/_stcore/upload_file/([^/]+)/([^/]+)$")  # of a session and a file
LAST = 19  # niceness of the thread that reads: whoever moves a slider goes first


@dataclass
class _Visit:
    """What was read for one session, by the ids of its files, and the megapixels that this took."""

    parts: dict[str, Brought] = field(default_factory=dict)
    megapixels: float = 0.0


_visits: dict[str, _Visit] = {}  # by Streamlit's name of a session that shows Train now


def expect(wanted: bool) -> None:
    """By the script of a page: whether its session's uploads are pictures to learn from, from now on."""
    script = get_script_run_ctx(suppress_warning=True)
    if script is None:
        return
    _forget()
    if wanted:
        _visits.setdefault(script.session_id, _Visit())
    else:
        _visits.pop(script.session_id, None)


def taken(file_id: str) -> Brought | None:
    """By the script of a page: what was read of a file of its session, which is then forgotten here; None where nothing
    was."""
    script = get_script_run_ctx(suppress_warning=True)
    visit = _visits.get(script.session_id) if script else None
    return visit.parts.pop(file_id, None) if visit else None


class Arrivals:
    """Middleware that reads a picture before it says that the file has come."""

    def __init__(self, app: ASGIApp):
        self.app = app
        self._reader = ThreadPoolExecutor(1, "arrivals", _step_back)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        place = UPLOAD.search(scope["path"]) if scope["type"] == "http" and scope["method"] == "PUT" else None
        visit = _visits.get(place[1]) if place else None
        if place is None or visit is None:
            await self.app(scope, receive, send)
            return

        async def once_read(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 300:
                await self._read(visit, _manager(), *place.groups())
            await send(message)

        await self.app(scope, receive, once_read)

    async def _read(self, visit: _Visit, manager: UploadedFileManager, session: str, file_id: str) -> None:
        for record in manager.get_files(session, [file_id]):
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(self._reader, _brought, record, visit)
            if found is not None:
                visit.parts[file_id] = found
                manager.add_file(session, record._replace(data=b""))


def _forget() -> None:
    """What was read for sessions that are over."""
    if Runtime.exists():
        for session in [one for one in list(_visits) if not Runtime.instance().is_active_session(one)]:
            _visits.pop(session, None)


def _brought(record: UploadedFileRec, visit: _Visit) -> Brought | None:
    """What is read of one file; None for archives and IDX files, and where enough was read: the page looks at these."""
    most = limits().megapixels
    if record.data[:4] in ARCHIVES or own.is_idx(record.data) or visit.megapixels > most:
        return None
    files, _ = uploads([(record.name, record.data)])
    *_, found = own.brought(files, most, visit.megapixels)
    visit.megapixels += found.megapixels
    return found


def _manager() -> UploadedFileManager:
    return Runtime.instance().uploaded_file_mgr


def _step_back() -> None:
    with suppress(OSError, AttributeError):  # a sandbox may forbid it, and not every system knows it
        os.setpriority(os.PRIO_PROCESS, get_native_id(), LAST)
