"""What was understood of the pictures, and what they are to become."""

import streamlit as st

from vae.app import look
from vae.data import Own, own
from vae.data.own import SHAPES, Brought, TooFew

SHOWN = 200  # sentences about files that were left out, before the rest is counted
FEW = 6  # sentences that are seen without scrolling


def understood(digest: object, found: Brought) -> Own | None:
    """What was understood, and what the pictures are to become; None, and a sentence, where nothing can be learnt."""
    if not found.seen:
        st.warning("There is no picture in this that can be read.")
        left_out(found, [], True)
        return None
    st.html(look.note(found.words))
    left, right, name = st.container(key="train.become").columns(3)
    title = name.text_input("What they show", "My pictures", max_chars=40, key="train.title")
    suggest(*own.suggested(found))
    options = {"format_func": lambda one: SHAPES[one].words, "key": "train.shape"}
    chosen = left.selectbox("They become", list(SHAPES), **options)
    ways = SHAPES[chosen].preparations
    way = right.selectbox("What is taken of each", list(ways), format_func=ways.get, key=f"train.way.{chosen}")
    wanted = (digest, chosen, way)
    held = st.session_state.get("train.made")
    if held is None or held[0] != wanted:
        try:
            held = (wanted, *own.made(title, found, SHAPES[chosen].spec(way)), title)
        except TooFew as error:
            held = (wanted, str(error), error.refused, title)
    _, pictures, refused, last = held
    if isinstance(pictures, Own) and title != last:  # to prepare them once more would take longer
        pictures = own.entitled(pictures, title)
    st.session_state["train.made"] = wanted, pictures, refused, title
    if isinstance(pictures, str):  # why there are none
        st.warning(pictures)
    left_out(found, refused, isinstance(pictures, str))
    return None if isinstance(pictures, str) else pictures


def suggest(shape: str, preparation: str) -> None:
    """What suits the pictures is chosen, until the visitor chooses otherwise, or other pictures come that it does not
    suit."""
    keys = {"train.shape": shape, f"train.way.{shape}": preparation}
    is_new = st.session_state.get("train.suggested") != (shape, preparation)
    st.session_state["train.suggested"] = shape, preparation
    for key, value in keys.items():
        if is_new or key not in st.session_state:
            st.session_state[key] = value


def left_out(found: Brought, more: list[str], is_open: bool = False) -> None:
    """A sentence about each file that was left out, one step behind unless nothing can be done before they are read."""
    sentences = [*found.refused, *found.twins, *more]
    if sentences:
        with (
            st.expander(f"{len(sentences):,} left out", is_open, key="train.left_out"),
            st.container(height=200 if len(sentences) > FEW else "content", border=False),
        ):
            st.text("\n".join(sentences[:SHOWN]))
            if len(sentences) > SHOWN:
                st.text(f"and {len(sentences) - SHOWN:,} more")
