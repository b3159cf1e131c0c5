"""The z that pages share: where a hand left it, what the link says of it, and what a browser may say."""

import streamlit as st

from vae.app.session import ids, inputs, link
from vae.models import FARTHEST
from vae.serve.entry import Entry


def as_place(entry: Entry, values: object) -> list[float] | None:
    """d numbers within FARTHEST, to 1/1000; None where that is not what they are."""
    if not isinstance(values, list) or len(values) != entry.latents:
        return None
    if not all(isinstance(value, int | float) and abs(value) <= 1e3 for value in values):  # NaN fails this too
        return None
    return [round(min(FARTHEST, max(-FARTHEST, value)), 3) + 0.0 for value in values]


def as_text(z: list[float]) -> str:
    """z as the URL says it."""
    return ",".join(f"{value:g}" for value in z)


def from_url(entry: Entry) -> list[float] | None:
    """The z of a shared link, or None where there is none that fits the model."""
    said = link.asked("z", entry.name)
    try:
        z = as_place(entry, [float(value) for value in said.split(",")])
    except ValueError:
        z = None
    if said and z is None:
        link.lost("a place that this model does not have; its own is shown")
    return z


def current(entry: Entry, otherwise: list[float]) -> list[float]:
    """The model's z: where it was left, else the link's, else this one."""
    key = f"z.{entry.name}"
    if key not in st.session_state:
        st.session_state[key] = from_url(entry) or as_place(entry, otherwise)
    return st.session_state[key]


def move(entry: Entry, z: list[float]) -> None:
    """From here all pages go on."""
    st.session_state[f"z.{entry.name}"] = as_place(entry, z)


def keep(entry: Entry, value: object) -> None:
    """What a component says when a hand lets go: z, the input it is about, and whether z is not about it."""
    if not isinstance(value, dict):
        return
    z, given = as_place(entry, value.get("z")), ids.parse(value.get("given"))
    if z is not None and inputs.find(entry, given) is not None:
        st.session_state[f"z.{entry.name}"] = z
        if value.get("sampled") is True:
            st.session_state[f"sampled.{entry.name}"] = z
        inputs.choose(entry, given)


def is_sampled(entry: Entry) -> bool:
    """Whether z was drawn from the prior and not encoded, so that there is no picture to compare it with."""
    key = f"sampled.{entry.name}"
    if key not in st.session_state and link.asked("from", entry.name) == "prior":
        st.session_state[key] = from_url(entry)
    return st.session_state.get(key) == st.session_state[f"z.{entry.name}"]
