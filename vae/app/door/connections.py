"""How many connections may be open, how long one may say nothing, and how fast frames may come on a socket.

Streamlit starts the server, and lets an app say nothing about its connections; so `guard` puts what is here around
methods of uvicorn's protocols. Whoever sends nothing, or a request byte by byte, is let go after a while, and the
oldest of them at once where there are many. Whoever sends frames faster than any page does is read more slowly: an
empty ping has 6 bytes and is answered below the app, where no limit of the app's could see it.
"""

import asyncio
import socket
import time
from asyncio import Protocol, TimerHandle, Transport
from collections.abc import Callable

try:
    import resource
except ImportError:  # Windows, where files have no such limit
    resource = None

from uvicorn.protocols.http.auto import AutoHTTPProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

FILES = 65536  # open files, more than which no server of this kind needs
EACH_SOCKET = 8  # files that a visitor's live socket stands for: two sockets, the three of its script, some requests
PATIENCE = 15.0  # seconds for a whole request
FRAMES, AT_ONCE = 400.0, 1600.0  # frames a second on one socket, and how many may come at once
SLICE = 1024  # bytes that are parsed before frames are counted again: at most 170 of them
HELD = 2**20  # bytes that may wait on a socket that is read more slowly


def open_files() -> int:
    """How many files this process may have open, after the limit was raised as far as it goes."""
    if resource is None:
        return FILES
    soft, hard = (FILES if limit == resource.RLIM_INFINITY else limit for limit in resource.getrlimit(_FILES))
    most = min(FILES, hard)
    if soft < most:
        resource.setrlimit(_FILES, (most, resource.getrlimit(_FILES)[1]))
    return max(soft, most)


_FILES = resource and resource.RLIMIT_NOFILE


class Knocking:
    """Connections from which no whole request has come yet, the oldest first."""

    def __init__(self, most: int):
        self.most = most
        self._timers: dict[Protocol, TimerHandle] = {}

    def came(self, protocol: Protocol) -> None:
        """A new connection; where there are too many the oldest goes."""
        self._timers[protocol] = asyncio.get_running_loop().call_later(PATIENCE, self._let_go, protocol)
        if len(self._timers) > self.most:
            for other in [other for other in self._timers if not _says_nothing(other)]:
                self._timers.pop(other).cancel()
        if len(self._timers) > self.most:
            self._let_go(next(iter(self._timers)))

    def _let_go(self, protocol: Protocol) -> None:
        self._timers.pop(protocol).cancel()
        if _says_nothing(protocol):
            protocol.transport.abort()


def _says_nothing(protocol: Protocol) -> bool:
    """Whether it is open, had no request yet, and did not become a websocket."""
    transport = protocol.transport
    return not transport.is_closing() and transport.get_protocol() is protocol and protocol.cycle is None


class Pace:
    """The frames of one socket: what comes is parsed as fast as frames may come, and the rest is held."""

    def __init__(self):
        self._held = bytearray()
        self._left, self._since = AT_ONCE, time.monotonic()

    def count(self, frames: int) -> None:
        """So many frames were parsed."""
        self._left -= frames

    def feed(self, protocol: WebSocketsSansIOProtocol, data: bytes, parse: Callable) -> None:
        """Bytes that came; `parse(protocol, bytes)` counts the frames in them."""
        waits = bool(self._held)
        self._held += data
        if not waits:
            self._go_on(protocol, parse)
        elif len(self._held) > HELD:
            protocol.transport.abort()
        else:  # uvicorn has resumed it, since the app has read
            protocol.transport.pause_reading()

    def _go_on(self, protocol: WebSocketsSansIOProtocol, parse: Callable) -> None:
        now = time.monotonic()
        self._left, self._since = min(AT_ONCE, self._left + FRAMES * (now - self._since)), now
        while self._held and self._left > 0 and not protocol.transport.is_closing():
            part = bytes(self._held[:SLICE])
            del self._held[:SLICE]
            parse(protocol, part)
        if protocol.transport.is_closing():
            self._held.clear()
        elif self._held:
            protocol.transport.pause_reading()
            protocol.loop.call_later(max(0.01, -self._left / FRAMES), self._go_on, protocol, parse)
        elif not protocol.read_paused:  # else uvicorn resumes it
            protocol.transport.resume_reading()


def at_once(transport: Transport) -> None:
    """Send what is written when it is written.

    An answer is written in two, its head and its body; otherwise the system holds the second back until the browser
    has acknowledged the first, which it does after 40 ms: of each of the hundred files of a first visit.
    """
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def guard(files: int) -> None:
    """Put all this around uvicorn's protocols, once in a process of which so many files may be open."""
    knocking = Knocking(files // 4)
    made, http = AutoHTTPProtocol.connection_made, AutoHTTPProtocol
    opened, received = WebSocketsSansIOProtocol.connection_made, WebSocketsSansIOProtocol.data_received
    handled = WebSocketsSansIOProtocol.handle_events

    def connection_made(self, transport: Transport) -> None:
        at_once(transport)
        made(self, transport)
        knocking.came(self)

    def socket_opened(self, transport: Transport) -> None:
        self.pace = Pace()
        opened(self, transport)

    def data_received(self, data: bytes) -> None:
        self.pace.feed(self, data, received)

    def handle_events(self) -> None:
        self.pace.count(len(self.conn.events))
        handled(self)

    http.connection_made = connection_made
    WebSocketsSansIOProtocol.connection_made = socket_opened
    WebSocketsSansIOProtocol.data_received = data_received
    WebSocketsSansIOProtocol.handle_events = handle_events
