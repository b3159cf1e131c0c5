"""Networks of the visitor's own: the trainings that this session knows the keys of, and the models that came of them.

Whoever has a key, as in a link, has all that belongs to it; nobody can guess one.
"""

import streamlit as st

from vae.app.live import wire
from vae.app.session import link
from vae.serve.entry import Entry
from vae.serve.jobs.asked import Asked
from vae.serve.jobs.queue import PREFIX, jobs
from vae.serve.library import library

MOST = 50  # keys that a tab is believed


def known() -> list[str]:
    """The trainings that this session began or had a link to and that are still there, the oldest first."""
    there = [key for key in st.session_state.get("mine", []) if jobs().find(key) is not None]
    st.session_state["mine"] = there
    return there


def know(key: str) -> Asked | None:
    """A training by its key, from now on one of this session's; None where there is none, or not any more."""
    found = jobs().find(key) if key.startswith(PREFIX) else None
    if found is not None and key not in known():
        st.session_state["mine"] = [*known(), key]
    return found


def told() -> None:
    """The callback of the page: this tab knew these trainings before the page was loaded anew."""
    keys = st.session_state["page"].get("trainings")
    st.session_state["mine.told"] = True
    for key in keys[:MOST] if isinstance(keys, list) else []:
        if isinstance(key, str):
            know(key)


def is_told() -> bool:
    """Whether this session knows of all trainings that its tab knows of."""
    return st.session_state.get("mine.told", False)


def bring() -> None:
    """Put the finished models of this session, and the one that the link asks for, among those to choose from."""
    for name in (link.asked("model"), link.asked("training")):
        know(name)
    for key in known():
        if entry(key) is None:
            _open(key)


def entry(key: str) -> Entry | None:
    """The finished model of a training, where `bring` put it among those to choose from."""
    theirs = library().visible(wire.live_token())
    return next((one for one in theirs if one.owner is not None and one.name == key), None)


def _open(key: str) -> None:
    folder = jobs().model(key)
    try:
        if folder is not None:
            library().add(wire.live_token(), folder)
    except ValueError as error:  # one visitor's networks are too large together, or its files were lost
        st.warning(f"A network of yours cannot be opened: {str(error).replace(str(folder), 'its folder')}.")


def forget(key: str) -> None:
    """End a training and its network, for everybody who has the key."""
    jobs().end(key)
    library().forget(wire.live_token(), key)
    st.session_state["mine"] = [one for one in known() if one != key]
