"""Chapter 6: beta, and the rate-distortion curve of a ladder of models."""

import streamlit as st
import torch
from torch import Tensor

from vae import data
from vae.app import look
from vae.app.components import rate_distortion as component
from vae.app.session import inputs, kept, picker
from vae.inference.comparison import Passed, passed
from vae.serve.engine import engine
from vae.serve.entry import Entry
from vae.serve.library import library
from vae.train.recipes import BETAS

TITLE, WORD = "Beta and the rate-distortion curve", "Beta"
DATASET, LATENTS, EXAMPLE = "fashion-mnist", (2, 16), 0  # the picture where the current one is none of these clothes


def show(entry: Entry) -> None:
    """The curve, and one picture through the chosen model."""
    rungs = {rung(latents, beta): (latents, beta) for latents in LATENTS for beta in BETAS}
    if picker.lacks(*rungs):
        return
    st.markdown(
        "The KL is the rate, the nats that z may say about x; −E log p(x|z) is the distortion, what is left unsaid. "
        "Training minimises distortion + β · rate, so each β makes one trade, and each point is one model measured on "
        "the whole test set. Choose a point: the same picture goes through that model with the same ε."
    )
    identity, word, x = picture(entry)
    eps = {latents: noise(latents) for latents in LATENTS}
    models = {key: library().lease(library().find(key)).model for key in rungs}
    through = engine().compute(all_passed, [(models[key], x, eps[latents]) for key, (latents, _) in rungs.items()])
    points = [point(key, *rungs[key], result) for key, result in zip(rungs, through, strict=True)]
    mount = {
        "points": points,
        "pictures": look.as_text(look.as_levels(torch.stack([result.mean for result in through]))),
        "given": look.as_text(look.as_levels(x[0])),
        "name": word,
        "shape": list(x.shape[1:]),
        "rev": identity,
    }
    component(key="rate-distortion", data=mount)


def rung(latents: int, beta: float) -> str:
    """The name of a model of the ladder; 0 stands for the autoencoder."""
    return f"fashion-{latents}d-beta-{beta:g}" if beta else f"fashion-{latents}d-beta-ae"


def picture(entry: Entry) -> tuple[str, str, Tensor]:
    """Id, name and x: the current picture where the current model reads clothes, else one from the test set."""
    if entry.dataset.name == DATASET:
        given = inputs.current(entry)
        return inputs.address(given), given.name, given.x
    _, labels, bits = kept.test_set(DATASET)
    word = f"test picture {EXAMPLE}: {data.DATASETS[DATASET].class_names[labels[EXAMPLE]]}"
    return f"i{EXAMPLE}", word, bits[EXAMPLE : EXAMPLE + 1].float()


def noise(latents: int) -> Tensor:
    """eps, the same for every model of as many latents."""
    return torch.randn(1, latents, generator=torch.Generator().manual_seed(0))


def all_passed(jobs: list[tuple]) -> list[Passed]:
    """One picture through each model, in one go."""
    return [passed(*job) for job in jobs]


def point(key: str, latents: int, beta: float, result: Passed) -> dict:
    """A model of the ladder: what its card says, and what it makes of this picture; nats."""
    numbers = library().find(key).numbers
    place = {
        "latents": latents,
        "beta": beta,
        "label": f"β = {beta:g}" if beta else "autoencoder",
        "distortion": numbers["reconstruction"]["value"],
        "log_likelihood": result.log_likelihood,
    }
    if not beta:
        return place
    return place | {
        "rate": numbers["kl"]["value"],
        "active": numbers["active_units"],
        "dimensions": sorted(numbers["kl_per_dimension"], reverse=True),
        "parts": numbers["decomposition"],
        "kl": float(result.kl_per_dimension.sum()),
    }
