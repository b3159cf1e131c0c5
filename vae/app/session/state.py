"""Small state that survives a change of page: counts, and steps of a preparation switched by hand."""

import streamlit as st


def counted(key: str) -> int:
    """How often `count_up` was called for a key."""
    return st.session_state.get(key, 0)


def count_up(key: str) -> None:
    """One more: the callback of buttons such as Resample."""
    st.session_state[key] = counted(key) + 1


def switches(file_id: str, preparation: str) -> dict[str, bool]:
    """The steps of a preparation that the visitor switched by hand for an uploaded file."""
    return st.session_state.get("switches", {}).get((file_id, preparation), {})


def switch(file_id: str, preparation: str, step: str, key: str) -> None:
    """The callback of a step's toggle."""
    kept = {place: steps for place, steps in st.session_state.get("switches", {}).items() if place[0] == file_id}
    chosen = switches(file_id, preparation) | {step: st.session_state[key]}
    st.session_state["switches"] = kept | {(file_id, preparation): chosen}
