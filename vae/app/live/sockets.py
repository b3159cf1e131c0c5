"""The live path: a websocket in Streamlit's process, past its script runs, from the hand to the engine and back.

What is computed is charged to the session, in seconds of a core (`vae.serve.turns`). Who has used up what may be
computed for them is not refused but waits, and then the newest is answered.

Where no socket comes through, components ask the same of the page's script, one message at a time (`answer_here`).

HELLO comes first, and once; its model is not read. Of PLACEs (PICTURES, DRAWINGs) that wait, only the newest is
answered, so neither a fast hand nor a slow client makes a queue. Where all sockets are taken, the oldest that has not
said HELLO makes room. A message that breaks the rules closes its own socket, with a code and a reason:

    4400 malformed    4401 token unknown or session over    4403 foreign origin    4404 no such model
    4408 HELLO or the taking of answers too slow    4413 too large    4422 a number out of range
    4429 too many sockets or requests    4500 something went wrong here

The server below closes what is no websocket message at all: 1002 broken frames, 1007 text that is no UTF-8, 1009 more
than `server.maxMessageSize`; and it answers 400 to several Origins.
"""

import asyncio
import contextlib

from starlette.websockets import WebSocket, WebSocketDisconnect
from streamlit.web.server.starlette.starlette_websocket import _is_origin_allowed

from vae.app.live.exchange import Given, Request, answer, parse
from vae.app.live.messages import HEADER, TOKEN_LENGTH, Close, Kind, Refused, header_of
from vae.app.live.sessions import Session, asking, by_token
from vae.serve.entry import Entry
from vae.serve.turns import Busy

PATIENCE = 10.0  # seconds for HELLO, and for a client to take an answer
SOCKETS = 1024  # open at once; the server's start sets it by how many files may be open
SOCKETS_EACH = 4  # of one session


_open: set[WebSocket] = set()
_knocking: dict[WebSocket, asyncio.Timeout] = {}  # those that have not said HELLO, the oldest first


def allowed_origin(socket: WebSocket) -> bool:
    """Whether a socket may come from where its page did: by the rule of Streamlit's own socket, and so by its options.

    A page needs both sockets, so whom one gate lets in must not be turned away by the other; and the token that opens
    this one comes through the other only.
    """
    try:
        return _is_origin_allowed(socket.headers.get("origin"), socket.headers.get("host"))
    except ValueError:  # it is no address at all
        return False


async def live(socket: WebSocket) -> None:
    """The route: one socket from HELLO to its end."""
    await socket.accept()
    try:
        if not allowed_origin(socket):
            raise Refused(Close.ORIGIN, "this page is not from here")
        if len(_open) >= SOCKETS:
            _make_room()
        _open.add(socket)
        await _Connection(socket, *await _hello(socket)).serve()
    except Refused as refusal:
        await _close(socket, refusal.code, refusal.reason)
    except Busy as busy:
        await _close(socket, Close.TOO_MANY, str(busy))
    except WebSocketDisconnect:
        pass
    except Exception:
        await _close(socket, Close.BROKEN, "something went wrong here")
        raise
    finally:
        _open.discard(socket)


async def _close(socket: WebSocket, code: Close, reason: str) -> None:
    """Close it, unless it has gone by itself or takes nothing any more."""
    with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
        async with asyncio.timeout(PATIENCE):
            await socket.close(code, reason)


def _make_room() -> None:
    """Let the oldest go that only knocks: who says nothing keeps nobody out. Refused where all have said HELLO."""
    if not _knocking:
        raise Refused(Close.TOO_MANY, "too many visitors at once")
    oldest = _knocking.pop(next(iter(_knocking)))
    if not oldest.expired():
        oldest.reschedule(0)


async def _hello(socket: WebSocket) -> tuple[Session, bytes]:
    """The session that a HELLO names, and the answer to it."""
    try:
        async with asyncio.timeout(PATIENCE) as patience:
            _knocking[socket] = patience
            message = await _receive(socket)
    except TimeoutError:
        raise Refused(Close.SLOW, "no HELLO came") from None
    finally:
        _knocking.pop(socket, None)
    kind, _ = header_of(message, HEADER.size + TOKEN_LENGTH)
    if kind != Kind.HELLO or len(message) != HEADER.size + TOKEN_LENGTH:
        raise Refused(Close.MALFORMED, "the first message is HELLO with a token")
    session = by_token.get(message[HEADER.size :].decode("ascii", "replace"))
    if session is None:
        raise Refused(Close.TOKEN, "this session is over")
    if len(session.stops) >= SOCKETS_EACH:
        raise Refused(Close.TOO_MANY, f"a session has at most {SOCKETS_EACH} sockets")
    return session, message[: HEADER.size]


async def _receive(socket: WebSocket) -> bytes:
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1000))
    if message.get("bytes") is None:
        raise Refused(Close.MALFORMED, "messages are binary")
    return message["bytes"]


class _Connection:
    """A socket after its HELLO: one task reads and keeps the newest request of each kind, another answers them."""

    def __init__(self, socket: WebSocket, session: Session, hello: bytes):
        self.socket, self.session, self.hello = socket, session, hello
        self.inputs: dict[Entry, Given] = {}
        self.waiting: dict[Kind, tuple[Request, Given]] = {}
        self.came = asyncio.Event()

    async def serve(self) -> None:
        over = asyncio.get_running_loop().create_future()
        loop = over.get_loop()

        def stop() -> None:
            loop.call_soon_threadsafe(lambda: over.done() or over.set_exception(Refused(Close.TOKEN, "it is over")))

        self.session.stops.add(stop)
        if self.session not in by_token.values():  # it ended since its token was looked up
            stop()
        asking.set(self.session)  # for the two tasks
        tasks = {asyncio.create_task(self._read()), asyncio.create_task(self._write()), over}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self.session.stops.discard(stop)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self) -> None:
        while True:
            request = parse(await _receive(self.socket), self.session)
            self.session.spend()
            if request.kind == Kind.INPUT:
                self.inputs[request.entry] = Given(*request.values)
            else:
                self.waiting[request.kind] = request, self.inputs.get(request.entry, Given())
                self.came.set()

    async def _write(self) -> None:
        await self._send(self.hello)
        while True:
            await self.came.wait()
            self.came.clear()
            while self.waiting:
                await asyncio.sleep(self.session.visitor.pause())  # what waits may be overtaken by newer ones
                request, given = self.waiting.pop(next(iter(self.waiting)))
                await self._send(await answer(request, given))

    async def _send(self, message: bytes) -> None:
        try:
            async with asyncio.timeout(PATIENCE):  # wait_for may lose a cancellation before Python 3.12
                await self.socket.send_bytes(message)
        except TimeoutError:
            raise Refused(Close.SLOW, "the answers are not taken") from None
        except RuntimeError:  # the server below has closed it: a broken frame, or no sign of life
            raise WebSocketDisconnect from None
