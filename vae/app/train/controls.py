"""What is chosen before a training begins."""

from dataclasses import replace

import numpy as np
import streamlit as st

from vae import data
from vae.app import look
from vae.app.session import mine
from vae.app.train.turning import begun
from vae.data import Own
from vae.pictures import films
from vae.serve.jobs.queue import jobs
from vae.train.own.presets import SIZES, most_latents, preset, usual_latents, varied
from vae.train.recipes import Recipe

SHEET = (5, 8)  # rows and columns of the pictures as the network will see them
WARMED = 0.2  # of all epochs: how long beta rises, where it does


def controls(pictures: Own) -> None:
    """The pictures as the network will see them, three controls, and the button."""
    seen, beside = st.columns([3, 2], gap="large")
    rows, columns = SHEET
    some = pictures.pictures.images[: rows * columns]
    frames = films.as_frames(data.grey(some))
    frames = np.concatenate([frames, np.zeros((rows * columns - len(frames), *frames.shape[1:]), np.uint8)])
    held = pictures.tested + pictures.validated
    caption = f"as the network will see them; {held} of {len(pictures.pictures.labels):,} are held out, to test it with"
    seen.html(look.picture_html(films.sheet(frames, columns), "The pictures", "train-sheet", caption))
    with beside:
        sizes = {name: size.words for name, size in SIZES.items()}
        size = st.segmented_control(
            "How thoroughly", list(sizes), default="quick", format_func=sizes.get, key="train.size", required=True
        )
        most, usual = most_latents(pictures), usual_latents(pictures)
        latents = st.slider("Into how many numbers each picture goes", 1, most, usual, key=f"train.latents.{most}")
        beta = st.select_slider(
            "What a number costs (beta)", [0.1, 0.3, 0.5, 1.0, 2.0, 4.0, 10.0], 1.0, key="train.beta"
        )
        recipe = more(preset("mine", pictures, size, latents, beta))
        if st.button("Train", type="primary", icon=":material/model_training:", key="train.go"):
            start(pictures, recipe)


def more(recipe: Recipe) -> Recipe:
    """What else can be chosen, one step behind."""
    with st.expander("More"):
        is_bits = recipe.model.spec.is_binary
        network = recipe.model.network
        if is_bits:
            words = {"dense": "dense layers", "conv": "convolutions"}
            network = st.selectbox("Network", list(words), format_func=words.get, key="train.network")
        rates = [1e-4, 3e-4, 1e-3, 2e-3, 3e-3]
        rate = st.select_slider(
            "Learning rate",
            rates,
            recipe.learning_rate,
            format_func="{:g}".format,
            key=f"train.rate.{recipe.learning_rate}",
        )
        warm = st.toggle("Let beta rise slowly at the beginning", key="train.warm")
        word = "Bend and turn the pictures a little" if is_bits else "Mirror half of the pictures, bend them a little"
        vary = st.toggle(word, recipe.warp > 0 or recipe.mirrored, key=f"train.vary.{is_bits}")
        seed = st.number_input("Seed", 0, 9999, 0, key="train.seed")
        likelihood = "Bernoulli, of bits" if is_bits else "discretised logistic, of 256 levels"
        st.html(look.note(f"Likelihood: {likelihood}, by what the pictures become."))
    return replace(
        varied(recipe, vary),
        model=replace(recipe.model, network=network),
        learning_rate=rate,
        kl_warmup=WARMED * recipe.epochs if warm else 0.0,
        seed=int(seed),
    )


def start(pictures: Own, recipe: Recipe) -> None:
    """Begin it, or say why that cannot be done now."""
    begun(lambda: jobs().start(pictures, recipe, mine.known()))
