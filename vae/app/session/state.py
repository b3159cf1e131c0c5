"""Small state that survives a change of page: counts, steps switched by hand, and what of a file is meant."""

import streamlit as st

from vae.pictures import WHOLE, Eyes, Part


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


def part(file_id: str) -> Part:
    """The part of an uploaded file that the visitor chose; at first the whole picture."""
    return st.session_state.get("part", {}).get(file_id, WHOLE)


def as_part(box: object) -> Part | None:
    """The part that a browser means by four numbers; None for anything else."""
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(side, int | float) for side in box):
        return None
    try:
        return Part(*map(float, box))
    except ValueError:
        return None


def take_part(file_id: str, part: Part) -> None:
    """Another part of a file; those of earlier files are forgotten."""
    st.session_state["part"] = {file_id: part}


def eyes(file_id: str) -> Eyes | None:
    """Where on an uploaded file the visitor put the two dots; None where they are to be found."""
    return st.session_state.get("eyes", {}).get(file_id)


def as_eyes(places: object) -> Eyes | None:
    """The eyes that a browser means by four numbers; None for anything else."""
    if not isinstance(places, list) or len(places) != 4 or not all(isinstance(one, int | float) for one in places):
        return None
    try:
        return Eyes(*map(float, places))
    except ValueError:
        return None


def take_eyes(file_id: str, eyes: Eyes | None) -> None:
    """Other eyes on a file; those of earlier files are forgotten."""
    st.session_state["eyes"] = {file_id: eyes}
