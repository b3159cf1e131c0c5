"""Who asks: a session's token, what it may use up, and whose script or socket is at work."""

import secrets
import time
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from vae.app.live.messages import HEADER, TOKEN_LENGTH, Close, Refused, most_bytes
from vae.latent.maps import Photo
from vae.serve.entry import Entry
from vae.serve.library import library
from vae.serve.turns import Callers, Visitor

RATE, BURST = 300.0, 1200.0  # messages a second of one session, and how many may come at once
PHOTOS, NUMBERS = 4, 2**16 - 1  # of a session, kept at once: 5 MB each at most; and how many there are names for


@dataclass(eq=False)
class Session:
    """What one visitor may use up, over all their sockets and scripts, and the numbers of the models they look at."""

    script: str | None = None  # Streamlit's name of the session
    visitor: Visitor = field(default_factory=Visitor)
    allowance: float = BURST
    since: float = field(default_factory=time.monotonic)
    stops: set[Callable[[], None]] = field(default_factory=set)
    numbered: list[Entry] = field(default_factory=list)  # never used again for another: each keeps its number
    photos: dict[int, Photo] = field(default_factory=dict)  # the last of those that were brought, encoded
    brought: int = 0  # how many were

    def number(self, entry: Entry) -> int:
        """What messages of this session call a model."""
        if entry not in self.numbered:
            self.numbered.append(entry)
        return self.numbered.index(entry)

    def entry(self, number: int) -> Entry:
        """The model that a message is about; Refused where no page spoke of one by this number."""
        if number >= len(self.numbered):
            raise Refused(Close.MODEL, f"there is no model {number}")
        return self.numbered[number]

    def keep(self, photo: Photo) -> int:
        """The number by which messages of this session call a photo, for as long as it is one of the last."""
        self.brought = self.brought % NUMBERS + 1
        self.photos[self.brought] = photo
        while len(self.photos) > PHOTOS:
            del self.photos[next(iter(self.photos))]
        return self.brought

    def use(self, number: int) -> Photo:
        """A photo that is kept, which is now the last that will be let go of. KeyError where it is not here."""
        photo = self.photos.pop(number)
        self.photos[number] = photo
        return photo

    def most_bytes(self) -> int:
        """Of any message about one of them."""
        return max(map(most_bytes, self.numbered), default=HEADER.size)

    def spend(self) -> None:
        """One message more."""
        now = time.monotonic()
        self.allowance = min(BURST, self.allowance + RATE * (now - self.since)) - 1
        self.since = now
        if self.allowance < 0:
            raise Refused(Close.TOO_MANY, f"more than {RATE:.0f} requests a second")


by_token: dict[str, Session] = {}
_by_script: dict[str, Session] = {}  # the same by Streamlit's names
asking: ContextVar[Session | None] = ContextVar("asking", default=None)


def open_session() -> str:
    """A new token; from a page's script, that of its session."""
    token, script = secrets.token_hex(TOKEN_LENGTH // 2), get_script_run_ctx(suppress_warning=True)
    by_token[token] = session = Session(script and script.session_id)
    if session.script:
        _by_script[session.script] = session
    return token


def end_session(token: str) -> None:
    """The token is worth nothing from now on, and its sockets are closed; from any thread."""
    session = by_token.pop(token, Session())
    if session.script and _by_script.get(session.script) is session:
        del _by_script[session.script]
    for stop in list(session.stops):
        stop()
    library().end(token)


class Ticket:
    """A session for as long as somebody holds this."""

    def __init__(self):
        self.token = open_session()
        weakref.finalize(self, end_session, self.token).atexit = False  # at the process's end all is over anyway


class Visitors(Callers):
    """Who asks the engine: the session of the socket that is answered, or of the page whose script runs."""

    def visitor(self) -> Visitor | None:
        """None in the server's own threads."""
        session = asking.get()
        if session is None and (script := get_script_run_ctx(suppress_warning=True)) is not None:
            session = _by_script.get(script.session_id)
        return session and session.visitor

    def look_up(self) -> None:
        """In a page's script raises what Streamlit stops it by: its browser has gone, or asks for something newer."""
        if get_script_run_ctx(suppress_warning=True) is not None:
            _ = "vae" in st.session_state  # each look into the state is a place where Streamlit stops a script
