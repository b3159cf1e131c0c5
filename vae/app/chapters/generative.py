"""Chapter 1: the generative model p(z) p(x|z), and the recognition model q(z|x) that runs it backwards."""

import base64

import streamlit as st
import torch

from vae.app import live, session
from vae.app.components import generative
from vae.engine import engine

TITLE, WORD = "A generative and a recognition model", "Two models"
SEED = 4  # of the sample that the chapter opens with


def show(name: str) -> None:
    """Sample z, get x, and see how well the encoder finds the way back."""
    st.markdown(
        "The generative model makes a picture in two steps: it draws z from the prior N(0, I), then x from p(x|z), "
        "which the decoder network computes from z. The recognition model q(z|x), the encoder network, goes back: from "
        "a picture to where in latent space it may come from. Sample z to see the mean of p(x|z), and how far from z "
        "the encoder places a picture drawn from it."
    )
    model = engine().model(name)
    z = torch.randn(1, model.latents, generator=torch.Generator().manual_seed(SEED))
    answer = bytes(live.HEADER.size) + live.place_body(engine().places(name, z))
    generative(
        key="generative",
        data={
            "path": live.path(),
            "token": session.live_token(),
            "rev": name,
            "model": list(engine().models).index(name),
            "latents": model.latents,
            "shape": list(model.input_spec.shape),
            "z": z[0].tolist(),
            "answer": base64.b64encode(answer).decode(),
        },
    )
