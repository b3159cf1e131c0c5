"""High likelihood, and yet no digit: an aside for a chapter, `likelihood.aside(entry)`, measured on a white disc."""

import numpy as np
import streamlit as st
import torch
from jaxtyping import Float
from torch import Tensor

from vae.app import look
from vae.app.look.keys import KEYS
from vae.app.session import inputs, kept, verdict
from vae.inference import familiar
from vae.inference.familiar import Level
from vae.serve import asked
from vae.serve.engine import engine
from vae.serve.entry import Entry
from vae.serve.library import library

RADII = range(2, 13)  # pixels


def discs(entry: Entry) -> Float[Tensor, "n c h w"]:
    """A white disc of each radius in the middle of a black picture."""
    channels, height, width = entry.pictures.shape
    y, x = np.mgrid[:height, :width]
    distance = torch.from_numpy(np.hypot(y - (height - 1) / 2, x - (width - 1) / 2))
    drawn = torch.stack([(distance <= radius).float() for radius in RADII])
    return drawn[:, None].expand(-1, channels, -1, -1).contiguous()


@st.cache_data(show_spinner=False, hash_funcs=KEYS)
def elbos(entry: Entry) -> list[float]:
    """Of each disc, nats."""
    seen = engine().answer(asked.SKETCH, library().lease(entry), discs(entry))
    return (seen.reconstruction - seen.kl_per_dimension.sum(1)).tolist()


def aside(entry: Entry) -> None:
    """A disc of any radius beside a picture that the model knows: their ELBOs, and whether the model knows them."""
    thing = familiar.noun(entry.pictures.preparation)
    box = st.expander(f"High likelihood, and yet no {thing}", icon=":material/help:", key="disc", on_change="rerun")
    if not box.open:
        return
    with box:
        found = elbos(entry)
        radius = st.slider("Radius of the disc", RADII[0], RADII[-1], RADII[int(np.argmax(found))], key="disc.radius")
        number = RADII.index(radius)
        example = inputs.find(entry, inputs.first(entry))
        elbo = float(kept.values(entry)["elbo"][example.id.index])
        disc = discs(entry)[number : number + 1]
        columns = st.columns(2, gap="large")
        shown = ((disc, "A white disc", found[number]), (example.x, f"A {thing} of the test set", elbo))
        for column, (x, word, value) in zip(columns, shown, strict=True):
            with column:
                st.html(look.picture_html(look.to_uint8(x[0]), word, "alone", word, width="8rem"))
                st.html(look.note(f"ELBO {look.nats(value)} nats. {_said(entry, x)}"))
        below = float((kept.values(entry)["elbo"] < found[number]).mean())
        st.html(
            look.note(
                f"The disc's ELBO is higher than that of {look.percent(below)} of real {thing}s. The ELBO bounds how "
                "probable a picture is, pixel by pixel. A plain shape has few pixels that could surprise, whatever it "
                f"shows; a {thing} has many. So the ELBO alone cannot tell whether a picture is a {thing}. This lab "
                "asks more of it. How far are the nearest test pictures, and where is the reconstruction encoded? How "
                "thick and full is the shape? Of a file it also asks what its preparation threw away."
            )
        )


def _said(entry: Entry, x: Tensor) -> str:
    """Whether the model knows a picture."""
    found = verdict.judged(entry, x, None)
    if found is None:
        return "This model has nothing that could judge it."
    return f"{found.sentence} It is strange: {found.why}." if found.level == Level.STRANGE else found.sentence
