"""Explore: move the latents and see what the model makes of them."""

import random

import streamlit as st
import torch

from vae.app import look, session
from vae.engine import engine

SHOWN = 6


def key(name: str, dimension: int) -> str:
    """The session-state key of a slider."""
    return f"{name}.z{dimension}"


def move_to(name: str, z: list[float]) -> None:
    """Set all sliders, each within its range."""
    for dimension, (value, far) in enumerate(zip(z, session.reach(name), strict=True)):
        st.session_state[key(name, dimension)] = min(far, max(-far, round(value, 2)))


def move_to_chosen(name: str) -> None:
    """The callback of the presets."""
    chosen = st.session_state[f"{name}.preset"]
    if chosen is not None:
        move_to(name, session.typical(name)[chosen])


def let_go(name: str) -> None:
    """A slider was moved: no preset is chosen any more, so that one click on it brings it back."""
    st.session_state[f"{name}.preset"] = None


def move_to_sample(name: str) -> None:
    """A draw from the prior."""
    st.session_state[f"{name}.preset"] = None
    move_to(name, [random.gauss() for _ in range(engine().model(name).latents)])


def move_to_origin(name: str) -> None:
    """The most probable z of the prior."""
    st.session_state[f"{name}.preset"] = None
    move_to(name, [0.0] * engine().model(name).latents)


def from_url(name: str) -> list[float] | None:
    """The z of a shared link, or None where there is none that fits the model."""
    try:
        z = [float(value) for value in st.query_params.get("z", "").split(",")]
    except ValueError:
        return None
    fits = len(z) == engine().model(name).latents and all(abs(value) <= 1e3 for value in z)
    return z if fits else None


def slider(name: str, dimension: int, kl: float) -> None:
    """One latent, labelled with the KL it carries on average."""
    far = session.reach(name)[dimension]
    label = f"z{dimension}, {kl:.2f} nats"
    where = key(name, dimension)
    st.slider(label, -far, far, step=0.01, key=where, on_change=let_go, args=(name,), persist_state="session")


@st.fragment
def explore(name: str) -> None:
    """The picture, the presets and the sliders; only this part runs again when a slider is released."""
    kl = session.card(name)["numbers"]["kl_per_dimension"]
    order = sorted(range(len(kl)), key=lambda dimension: -kl[dimension])
    active = session.card(name)["numbers"]["active_units"]
    if key(name, 0) not in st.session_state:
        linked = from_url(name)
        if linked is None:
            st.session_state[f"{name}.preset"] = next(iter(session.typical(name)))
            move_to_chosen(name)
        else:
            move_to(name, linked)
    picture, controls = st.columns([5, 4], gap="large")
    with controls:
        classes = list(session.typical(name))
        st.pills("Start from", classes, key=f"{name}.preset", on_change=move_to_chosen, args=(name,), wrap=True)
        with st.container(horizontal=True):
            st.button("Sample the prior", icon=":material/casino:", on_click=move_to_sample, args=(name,))
            st.button("Origin", icon=":material/restart_alt:", on_click=move_to_origin, args=(name,))
        for dimension in order[:SHOWN]:
            slider(name, dimension, kl[dimension])
        for text, rest in (("more", order[SHOWN:active]), ("silent", order[max(active, SHOWN) :])):
            if rest:
                with st.expander(f"{len(rest)} {text}"):
                    for dimension in rest:
                        slider(name, dimension, kl[dimension])
    z = [st.session_state[key(name, dimension)] for dimension in range(len(kl))]
    trip = engine().round_trip(name, torch.tensor(z))
    st.query_params["z"] = ",".join(f"{value:g}" for value in z)
    further = 100 * trip.further_out
    with picture:
        st.html(look.picture_html(look.to_uint8(trip.mean), "The picture decoded from the latents", "decoded"))
        st.html(
            look.facts(
                [
                    (
                        "log p(z)",
                        f"{look.nats(trip.log_prior)} nats",
                        f"{further:.0f} % of prior samples lie further out",
                    ),
                    ("KL", f"{look.nats(trip.kl)} nats", "of the picture, encoded again"),
                    ("drift", f"{trip.drift:.1f} σ", "from z after that round trip"),
                ]
            )
        )


st.caption("Each slider is a latent, sorted by how much it tells; the address is a link to what you see.")
explore(st.session_state["model"])
