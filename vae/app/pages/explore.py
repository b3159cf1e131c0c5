"""Explore: move the latents and see what the model makes of them."""

import math

import streamlit as st
import torch
from torch import Tensor

from vae.app import look
from vae.app.components import explorer
from vae.app.live import layouts, wire
from vae.app.look import ledger, named, takeaway
from vae.app.session import inputs, kept, link, picker, places, verdict
from vae.app.session.ids import Example
from vae.app.session.places import yours
from vae.latent import lerp
from vae.serve import asked
from vae.serve.capabilities import Can
from vae.serve.engine import engine
from vae.serve.entry import Entry
from vae.serve.library import library

SHOWN = 6  # sliders before "more"


def presets(entry: Entry, given: inputs.Input) -> list[tuple[dict, Tensor]]:
    """The pictures to start from, with their posteriors: one of each group, and the current input."""
    mu, sigma = kept.encodings(entry)
    starts = []
    for word, index in zip(kept.groups(entry.dataset.name), kept.typical(entry), strict=True):
        example = inputs.find(entry, Example(index))
        about = {"id": str(example.id), "label": word, "name": example.name}
        starts.append((about | {"mu": mu[index].tolist(), "sigma": sigma[index].tolist()}, example.x))
    if str(given.id) not in [about["id"] for about, _ in starts]:
        own = {"own": True, "id": str(given.id), "label": given.name.split(":")[0].capitalize(), "name": given.name}
        seen = engine().answer(asked.SKETCH, library().lease(entry), given.x)
        starts.append((own | {"mu": seen.mu[0].tolist(), "sigma": seen.sigma[0].tolist()}, given.x))
    return starts


def reach(entry: Entry, places: list[list[float]]) -> list[float]:
    """How far the sliders go: as far as usual, and to these places; in halves, so that their steps meet the lattice."""
    return [math.ceil(2 * max(map(abs, values))) / 2 for values in zip(kept.reach(entry), *places, strict=True)]


def moved() -> None:
    """The component's callback: a hand has let go; a film is first of the slider that it held."""
    entry, place = picker.shown(), st.session_state["explore"].get("place")
    places.keep(entry, place)
    if isinstance(place, dict) and place.get("latent") in entry.order:
        st.session_state["sweep.latent"] = place["latent"]


def dropped() -> None:
    """The component's callback: a kept slider is to go."""
    yours.drop(picker.shown(), st.session_state["explore"].get("dropped"))


def take_away(entry: Entry, z: list[float]) -> None:
    """The picture, and a film of one slider's way, once somebody asks."""
    box = st.expander("Save the picture or a film", icon=":material/download:", key="save", on_change="rerun")
    if not box.open:
        return
    with box:
        here = takeaway.picture(takeaway.decoded(entry, torch.tensor([z]))[0])
        options = {"on_click": "ignore", "icon": ":material/download:"}
        st.download_button("Download the picture (PNG)", here, f"{entry.name}.png", "image/png", **options)
        latent = st.selectbox("A film of the slider", entry.order, format_func="z{}".format, key="sweep.latent")
        far, steps = reach(entry, [z])[latent], st.session_state.setdefault("sweep.steps", 60)
        ends = torch.tensor([z, z])
        ends[:, latent] = torch.tensor([-far, far])
        places = lerp(*ends, steps)
        st.session_state.setdefault("sweep.speed", 20)
        takeaway.films_of("sweep", f"{entry.name}-z{latent}", takeaway.decoded(entry, places), {"z": places})


@wire.fragment
def explore(entry: Entry) -> None:
    """The picture, the presets, and sliders or plane; only this part runs again when a hand lets go."""
    spec, given = entry.pictures, inputs.current(entry)
    starts = presets(entry, given)
    z = places.current(entry, next(about["mu"] for about, _ in starts if about["id"] == str(given.id)))
    with st.container():
        verdict.show(entry, given)
    place = engine().answer(asked.PLACES, library().lease(entry), torch.tensor([z]), given.x)
    levels = b"".join(x.mul(spec.levels - 1).round().to(torch.uint8).numpy().tobytes() for _, x in starts)
    explorer(
        key="explore",
        data={
            "live": wire.wire("explore", entry),
            "rev": f"{entry.name}.{link.turn()}",
            "model": entry.name,
            "latents": entry.latents,
            "flat": entry.lacks(Can.FLAT) is None,
            "shape": list(spec.shape),
            "pixels": spec.pixels,
            "grey": spec.levels,
            "z": z,
            "given": str(given.id),
            "sampled": places.is_sampled(entry),
            "kl": entry.numbers["kl_per_dimension"],
            "order": entry.order,
            "active": entry.numbers["active_units"],
            "shown": SHOWN,
            "reach": reach(entry, [z, *(about["mu"] for about, _ in starts)]),
            "named": named.sliders(library().lease(entry), yours.with_measures(entry)),
            "components": kept.components(entry),
            "presets": [about for about, _ in starts],
            "levels": look.as_text(levels),
            "answer": wire.answered(layouts.PLACE, layouts.first(place)),
        },
        on_place_change=moved,
        on_dropped_change=dropped,
        on_question_change=lambda: wire.answer("explore"),
    )
    origin = {"from": "prior"} if places.is_sampled(entry) else {}
    link.write({"model": entry.name, "z": places.as_text(z), "x": inputs.address(given)} | yours.said(entry) | origin)
    yours.say_left_out(entry)
    take_away(entry, z)
    ledger.below(entry, {"x": given.x})


explore(picker.shown())
