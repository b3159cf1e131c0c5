"""Chapter 1: the generative model p(z) p(x|z), and the recognition model q(z|x) that runs it backwards."""

import streamlit as st
import torch

from vae.app import look
from vae.app.components import generative
from vae.app.live import messages, wire
from vae.app.session import kept
from vae.serve.engine import engine

TITLE, WORD = "A generative and a recognition model", "Two models"
SEED = 4  # of the sample that the chapter opens with


def show(name: str) -> None:
    """Sample z, get x, and see where the encoder, given x alone, looks for z."""
    st.markdown(
        "The generative model makes a picture in two steps: z is drawn from the prior N(0, I), and x from p(x|z), "
        "which the decoder network computes. The recognition model q(z|x), which the encoder network computes, goes "
        "the other way: it is shown x alone, and says where its z may be. Sample both, and compare the encoder's "
        "answer with the z that made the picture."
    )
    model, kl = engine().model(name), kept.card(name)["numbers"]["kl_per_dimension"]
    z = torch.randn(1, model.latents, generator=torch.Generator().manual_seed(SEED))
    body = messages.ancestry_body(engine().ask_ancestry(name, z, torch.tensor([SEED])).result())
    generative(
        key="generative",
        data={
            "live": wire.wire("generative"),
            "rev": name,
            "model": list(engine().models).index(name),
            "latents": model.latents,
            "shape": list(model.input_spec.shape),
            "order": sorted(range(len(kl)), key=lambda dimension: -kl[dimension]),
            "z": z[0].tolist(),
            "answer": look.as_text(bytes(messages.HEADER.size) + body),
        },
        on_question_change=lambda: wire.answer("generative"),
    )
