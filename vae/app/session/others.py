"""The same picture through another model, side by side."""

import streamlit as st
import torch

from vae.app import look
from vae.app.look import nearness
from vae.app.session import inputs, picker, verdict
from vae.app.session.ids import Own
from vae.serve import asked
from vae.serve.capabilities import Can
from vae.serve.engine import engine
from vae.serve.entry import Entry
from vae.serve.library import library


def compare(entry: Entry, given: inputs.Input, seed: int) -> None:
    """What two models make of one picture and the same chance, once somebody asks; each prepares the visitor's own in
    its way."""
    able = (other for other in picker.visible() if other.lacks(Can.DRAW, Can.READ, Can.COMPANY) is None)
    others = {other.name: other for other in able if other.name != entry.name}
    if not others:
        return
    box = st.expander("Compare with another network", icon=":material/compare:", key="compare", on_change="rerun")
    if not box.open:
        return
    with box:
        words = {name: other.words for name, other in others.items()}
        options = {"format_func": words.get, "filter_mode": None, "width": 320}
        other = others[st.selectbox("The other network has learned", list(words), key="compare.with", **options)]
        for column, one in zip(st.columns(2, gap="large"), (entry, other), strict=True):
            with column:
                read = given if one is entry else as_read_by(one, given)
                if read is None:
                    look.aside(f"This picture cannot be prepared for {other.words.lower()}.")
                else:
                    side(one, read, seed)


def as_read_by(entry: Entry, given: inputs.Input) -> inputs.Input | None:
    """The picture for another model: the visitor's own prepared for it, any other as it is; None where that fails."""
    if isinstance(given.id, Own):
        return inputs.find(entry, given.id)
    return given if given.x.shape[1:] == torch.Size(entry.pictures.shape) else None


def side(entry: Entry, given: inputs.Input, seed: int) -> None:
    """One model's half: what it gives back, and what that costs."""
    loaded = library().lease(entry)
    seen = engine().answer(asked.SKETCH, loaded, given.x)
    x, mean = given.x[0], engine().answer(asked.GLIMPSE, loaded, given.x, torch.tensor([seed])).mean[0]
    st.html(f"<b>{entry.words}</b>")
    left, right = st.columns(2)
    read = f"{nearness.read(entry)} this model reads".capitalize()
    left.html(look.picture_html(look.to_uint8(x), read, f"x-{entry.name}", look.symbol("x")))
    caption = look.symbol("x̂")
    right.html(look.picture_html(look.to_uint8(mean), "What it gives back", f"decoded-{entry.name}", caption))
    verdict.show(entry, given, how="")
    kl = float(seen.kl_per_dimension.sum())
    elbo = float(seen.reconstruction[0]) - kl
    st.html(
        look.facts(
            [
                *((words, *fact) for words, fact in nearness.facts(entry, x, mean).items()),
                (look.label("lower bound", "ELBO"), look.nats(elbo), look.label("nats")),
                (look.label("what z tells"), look.nats(kl), look.label("nats")),
            ]
        )
    )
