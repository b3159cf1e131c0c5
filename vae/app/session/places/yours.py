"""Directions that a visitor keeps as sliders of a model: in the session, and in the link."""

import streamlit as st
from jaxtyping import Float, Int64
from torch import Tensor

from vae.app import look
from vae.app.session import link
from vae.latent.named import Kept, Measured, deviation, measured
from vae.latent.named.kept import MOST, as_text, fitting, parse
from vae.serve.engine import engine
from vae.serve.entry import Entry, Loaded
from vae.serve.library import library

REMEMBERED = 4 * MOST  # of a model, whose measures are known still


def current(entry: Entry) -> list[Kept]:
    """Those of a model: this session's, else the link's."""
    key = f"yours.{entry.name}"
    if key not in st.session_state:
        st.session_state[key] = _from_url(entry)
    return st.session_state[key]


def _from_url(entry: Entry) -> list[Kept]:
    said = link.asked("yours", entry.name)
    try:
        return parse(said, entry.latents) if said else []
    except ValueError:
        link.lost("sliders that this model does not have; its own are shown")
    return []


def with_measures(entry: Entry) -> list[tuple[Kept, Measured | None]]:
    """Each with what was measured when it was kept; None for one that came with a link."""
    known = st.session_state.get(f"measured.{entry.name}", {})  # not by their names: after Back a link may say others
    return [(one, known.get(one)) for one in current(entry)]


def is_full(entry: Entry, name: str) -> bool:
    """Whether there is no room for one more of this name."""
    names = [one.name for one in current(entry)]
    return name not in names and len(names) >= MOST


def keep(entry: Entry, name: str, direction: Float[Tensor, " d"], groups: dict[str, Int64[Tensor, " n"]]) -> None:
    """A direction from the second of two groups to the first, measured, in the place of one of the same name."""
    one, found = engine().compute(_made, library().lease(entry), name, direction, groups)
    _put(entry, list(({each.name: each for each in current(entry)} | {name: one}).values()), {one: found})


def _made(
    loaded: Loaded, name: str, direction: Float[Tensor, " d"], groups: dict[str, Int64[Tensor, " n"]]
) -> tuple[Kept, Measured]:
    one = Kept.of(name, deviation(loaded.company.mu, direction))
    return one, measured(loaded.model, loaded.company, one.step, groups)


def drop(entry: Entry, name: object) -> None:
    """The one of this name is a slider no more."""
    _put(entry, [one for one in current(entry) if one.name != name], {})


def _put(entry: Entry, kept: list[Kept], found: dict[Kept, Measured]) -> None:
    known = st.session_state.get(f"measured.{entry.name}", {}) | found
    st.session_state[f"measured.{entry.name}"] = dict(list(known.items())[-REMEMBERED:])  # Back may bring others again
    st.session_state[f"yours.{entry.name}"] = kept


def said(entry: Entry) -> dict[str, str]:
    """Those that there is room for, for a link."""
    found = fitting(current(entry))
    return {"yours": as_text(found)} if found else {}


def say_left_out(entry: Entry) -> None:
    """One sentence where the link has no room for all of them."""
    every, room = len(current(entry)), len(fitting(current(entry)))
    if room < every:
        look.aside(f"The address has room for {room} of your {every} sliders: a link to this page lacks the others.")
