"""Chapter 1: the generative model p(z) p(x|z), and the recognition model q(z|x) that runs it backwards."""

import streamlit as st
import torch

from vae.app.components import generative
from vae.app.live import layouts, wire
from vae.serve import asked
from vae.serve.engine import engine
from vae.serve.entry import Entry
from vae.serve.library import library

TITLE, WORD = "A generative and a recognition model", "Two models"
SEED = 4  # of the sample that the chapter opens with


def show(entry: Entry) -> None:
    """Sample z, get x, and see where the encoder, given x alone, looks for z."""
    st.markdown(
        "The generative model makes a picture in two steps: z is drawn from the prior N(0, I), and x from p(x|z), "
        "which the decoder network computes. The recognition model q(z|x), which the encoder network computes, goes "
        "the other way: it is shown x alone, and says where its z may be. Sample both, and compare the encoder's "
        "answer with the z that made the picture."
    )
    z = torch.randn(1, entry.latents, generator=torch.Generator().manual_seed(SEED))
    drawn = engine().answer(asked.ANCESTRY, library().lease(entry), z, torch.tensor([SEED]))
    generative(
        key="generative",
        data={
            "live": wire.wire("generative", entry),
            "rev": entry.name,
            "latents": entry.latents,
            "shape": list(entry.pictures.shape),
            "order": entry.order,
            "z": z[0].tolist(),
            "answer": wire.answered(layouts.ANCESTRY, layouts.first(drawn)),
        },
        on_question_change=lambda: wire.answer("generative"),
    )
