"""Which training is watched."""

from collections.abc import Callable

import streamlit as st

from vae.app.session import link, mine
from vae.serve.jobs.queue import Refused


def begun(ask: Callable[[], str]) -> None:
    """Turn to what was asked for, or say why that cannot be had now."""
    try:
        key = ask()
    except Refused as error:
        st.warning(str(error))
        return
    mine.know(key)
    turn_to(key)
    st.rerun()


def turn_to(key: str) -> None:
    """That training is watched from now on."""
    st.session_state["training"] = key


def leave() -> None:
    """None is."""
    st.session_state.pop("training", None)
    link.forget("training")
