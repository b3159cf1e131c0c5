"""The pictures that a journey leads through: A, B and so on, as ids that mean the same picture for everybody."""

import streamlit as st

from vae.app.session import inputs, kept, link
from vae.app.session.ids import Example, Id, Own, parse
from vae.serve.entry import Entry

LETTERS = "ABCDEFGH"
STARTS = (7, 0, 4, 8, 1, 5, 9)  # classes to begin with, beside the current input


def restored(entry: Entry) -> list[Id]:
    """The ids of all of LETTERS: this session's, else the link's, else the current input and examples.

    All of them mean one picture for everyone, so that what is computed of them may be kept for all sessions.
    """
    key = f"ends.{entry.dataset.name}"
    if key not in st.session_state:
        examples = [Example(kept.varied(entry)[start]) for start in STARTS]
        starts = [parse(inputs.identity(inputs.current(entry))), *examples]
        said = [parse(one) for one in link.asked("ends").split(",")[: len(starts)]]
        if any(isinstance(one, Own) for one in said):
            link.lost(inputs.OTHERS_OWN)
        said = [None if isinstance(one, Own) or inputs.find(entry, one) is None else one for one in said]
        said += [None] * (len(starts) - len(said))
        st.session_state[key] = [one or start for one, start in zip(said, starts, strict=True)]
    return st.session_state[key]


def put(entry: Entry, letter: str, given: inputs.Input) -> None:
    """Another picture for one end."""
    restored(entry)[LETTERS.index(letter)] = parse(inputs.identity(given))
    if given.prepared:
        inputs.remember(entry, given)
