"""What pages tell their live components: where the socket is, and who they are to it."""

import base64
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps

import plotly
import streamlit as st

from vae.app import look
from vae.app.live import exchange, layouts, messages, routes, sessions
from vae.latent import places
from vae.serve.engine import engine
from vae.serve.entry import Entry
from vae.serve.turns import charge

DEAD = 10_000  # milliseconds without an answer: the line is dead
LONG = 300_000  # and of a network from elsewhere, which may take two minutes, and be asked by others first


def plotly_path() -> str:
    """Where the map loads Plotly from: the file of the installed package, on this page's server."""
    return f"{routes.PLOTLY}?v={plotly.__version__}"


def live_token() -> str:
    """What this session's sockets say who they are by; worth nothing once the session is over.

    It lies in the session's state, which lives as long as the session. A cache of the session would not do: Streamlit
    empties it whenever the connection is cut, and runs no script when that is back.
    """
    if "ticket" not in st.session_state:
        st.session_state["ticket"] = sessions.Ticket()
    return st.session_state["ticket"].token


_turning: ContextVar[bool] = ContextVar("turning", default=False)


@contextmanager
def turn() -> Iterator[None]:
    """A page's script runs inside: once something may be computed for its visitor, to whom its own time is charged."""
    if _turning.get():  # a fragment within the page's whole run
        yield
        return
    live_token()  # from here on the engine knows whose script this is
    callers = engine().callers
    callers.hold_on()
    inside, start = _turning.set(True), time.thread_time()
    try:
        yield
    finally:
        charge(callers.visitor(), time.thread_time() - start)
        _turning.reset(inside)


def fragment(function: Callable[..., None]) -> Callable[..., None]:
    """A part of a page that runs again by itself when a hand lets go, as a turn of its visitor's too."""

    @st.fragment
    @wraps(function)
    def turned(*arguments) -> None:
        with turn():
            function(*arguments)

    return turned


def wire(key: str, *entries: Entry) -> dict:
    """What the live component with a key needs to ask about these models: its socket, their numbers in this session,
    and what the script was asked where the socket is away.

    `slow` are models whose PLACEs take so long that a hand asks for PASSING until it rests; after `patience`
    milliseconds without an answer the line is dead, though nobody said so. `run` says which run the
    page asked for last: its connection had been cut, or its token was refused.
    """
    token = live_token()
    models = [
        {
            "number": sessions.by_token[token].number(entry),
            "latents": entry.latents,
            "pixels": 0 if entry.config.any_size else entry.pictures.pixels,
            "slow": places.differs_in_passing(entry.config),
            "patience": LONG if entry.is_tried else DEAD,
        }
        for entry in entries
    ]
    heard = st.session_state.get(f"{key}.heard")
    run = (st.session_state.get("page") or {}).get("run")
    return {"path": routes.SOCKET, "token": token, "heard": heard, "run": run, "models": models}


def answered(layout: layouts.Layout, values: Mapping[str, object]) -> str:
    """An answer that a component opens with, as the socket would have brought it."""
    return look.as_text(bytes(messages.HEADER.size) + layouts.written(layout, values))


def answer(key: str) -> None:
    """The callback of a live component without its socket: its question is answered as the socket would have."""
    question = st.session_state[key].get("question")
    if not isinstance(question, dict):
        st.session_state.pop(f"{key}.heard", None)
        return
    try:
        message, given = (base64.b64decode(str(question.get(part)), validate=True) for part in ("message", "input"))
        found = exchange.answer_here(live_token(), message, given)
    except (ValueError, messages.Refused):
        found = b""
    st.session_state[f"{key}.heard"] = {"n": str(question.get("n")), "message": look.as_text(found)}
