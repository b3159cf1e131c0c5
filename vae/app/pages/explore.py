"""Explore: move the latents and see what the model makes of them."""

import math

import streamlit as st
import torch
from torch import Tensor

from vae.app import look
from vae.app.components import explorer
from vae.app.live import messages, wire
from vae.app.look import ledger
from vae.app.session import inputs, kept, link, verdict
from vae.serve.engine import engine

SHOWN = 6  # sliders before "more"


def encoded(name: str, x: Tensor) -> tuple[Tensor, Tensor]:
    """(mu, sigma) of one picture."""
    found = engine().ask_sketch(name, x).result()
    return found.mu[0], found.sigma[0]


def presets(name: str, given: inputs.Input) -> list[tuple[dict, Tensor]]:
    """The pictures to start from, with their posteriors: one of each class, and the current input."""
    dataset, (mu, sigma) = inputs.dataset_of(name), kept.encodings(name)
    found = []
    for class_name, index in zip(dataset.class_names, kept.typical(name), strict=True):
        example = inputs.find(name, f"i{index}")
        about = {"id": example.id, "label": class_name, "name": example.name}
        found.append((about | {"mu": mu[index].tolist(), "sigma": sigma[index].tolist()}, example.x))
    if given.id not in [about["id"] for about, _ in found]:
        own = {"own": True, "id": given.id, "label": given.name.split(":")[0].capitalize(), "name": given.name}
        mu, sigma = encoded(name, given.x)
        found.append((own | {"mu": mu.tolist(), "sigma": sigma.tolist()}, given.x))
    return found


def reach(name: str, places: list[list[float]]) -> list[float]:
    """How far the sliders go: as far as usual, and to these places; in halves, so that their steps meet the lattice."""
    return [math.ceil(2 * max(map(abs, values))) / 2 for values in zip(kept.reach(name), *places, strict=True)]


def moved() -> None:
    """The component's callback: a hand has let go."""
    inputs.keep_place(st.session_state["model"], st.session_state["explore"].get("place"))


@st.fragment
def explore(name: str) -> None:
    """The picture, the presets, and sliders or plane; only this part runs again when a hand lets go."""
    numbers, spec = kept.card(name)["numbers"], engine().model(name).input_spec
    given = inputs.current(name)
    starts = presets(name, given)
    key = f"z.{name}"
    if key not in st.session_state:
        mu = next(about["mu"] for about, _ in starts if about["id"] == given.id)
        st.session_state[key] = inputs.from_url(name) or inputs.as_place(name, mu)
    z = st.session_state[key]
    kl = numbers["kl_per_dimension"]
    verdict.show(name, given)
    answer = messages.place_body(engine().places(name, torch.tensor([z]), given.x))
    levels = b"".join(x.mul(spec.levels - 1).round().to(torch.uint8).numpy().tobytes() for _, x in starts)
    explorer(
        key="explore",
        data={
            "live": wire.wire("explore"),
            "rev": f"{name}.{link.turn()}",
            "model": list(engine().models).index(name),
            "latents": len(z),
            "shape": list(spec.shape),
            "pixels": spec.pixels,
            "grey": spec.levels,
            "z": z,
            "given": given.id,
            "sampled": inputs.is_sampled(name),
            "kl": kl,
            "order": sorted(range(len(kl)), key=lambda dimension: -kl[dimension]),
            "active": numbers["active_units"],
            "shown": SHOWN,
            "reach": reach(name, [z, *(about["mu"] for about, _ in starts)]),
            "components": kept.components(name),
            "presets": [about for about, _ in starts],
            "levels": look.as_text(levels),
            "answer": look.as_text(bytes(messages.HEADER.size) + answer),
        },
        on_place_change=moved,
        on_question_change=lambda: wire.answer("explore"),
    )
    origin = {"from": "prior"} if inputs.is_sampled(name) else {}
    link.write({"model": name, "z": inputs.as_text(z), "x": inputs.address(given)} | origin)
    ledger.below(name, {"x": given.x})


explore(st.session_state["model"])
