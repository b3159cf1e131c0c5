"""What is computed of a model or a data set once, and kept for all visitors."""

import contextlib

import streamlit as st
import torch
from PIL import Image
from torch import Tensor

from vae import data
from vae.latent.directions import principal_directions
from vae.models import pretrained
from vae.serve.engine import engine

LEAST = 3.5  # of a slider's reach: one latent in two thousand lies further out under N(0, 1)


@st.cache_data(show_spinner=False)
def card(name: str) -> dict:
    """The generated card of a model."""
    return pretrained.load_card(name)


@st.cache_resource(show_spinner=False)
def test_set(dataset: str) -> tuple[Tensor, Tensor, Tensor]:
    """(pictures, labels, bits) of a test set; pictures 0 to 255 and the fixed binarisation 0 or 1, as bytes."""
    split = data.load(dataset, "test")
    return split.images, split.labels, engine().compute(_bits, dataset)


def _bits(dataset: str) -> Tensor:
    return data.fixed_binarisation(dataset).byte()


@st.cache_resource(show_spinner=False)
def encodings(name: str) -> tuple[Tensor, Tensor]:
    """(mu, sigma) of every test picture under a model."""
    return pretrained.load_encodings(name)


@st.cache_data(show_spinner=False)
def typical(name: str) -> list[int]:
    """For each class a test picture that looks and lies like many of its class.

    Of the better reconstructed half of the tenth with the closest company in latent space, the one nearest to the
    class's mean picture. The mean of the encodings would not do: it may lie where no picture does.
    """
    dataset = data.DATASETS[card(name)["data"]["name"]]
    mu, _ = encodings(name)
    pictures, labels, _ = test_set(dataset.name)
    reconstructed = pretrained.load_reconstructions(name)
    return engine().compute(_typical, mu, reconstructed, pictures, labels, len(dataset.class_names))


def _typical(mu: Tensor, reconstructed: Tensor, pictures: Tensor, labels: Tensor, classes: int) -> list[int]:
    found = []
    for label in range(classes):
        (rows,) = (labels == label).nonzero(as_tuple=True)
        crowded = torch.cdist(mu[rows], mu[rows]).kthvalue(50).values.argsort()[: len(rows) // 10]
        crowded = crowded[reconstructed[rows[crowded]].argsort(descending=True)[: len(crowded) // 2]]
        own = pictures[rows].flatten(1).float()
        found.append(int(rows[crowded[(own[crowded] - own.mean(0)).square().sum(1).argmin()]]))
    return found


@st.cache_data(show_spinner=False)
def components(name: str) -> dict:
    """The first two principal directions of the aggregate posterior's means, (2, d), and how far they reach."""
    return engine().compute(_components, encodings(name)[0])


def _components(mu: Tensor) -> dict:
    directions = principal_directions(mu)
    far = torch.quantile((mu @ directions.T).abs(), 0.998)
    return {"directions": directions.tolist(), "reach": max(2.5, float(torch.ceil(far * 2) / 2))}


@st.cache_data(show_spinner=False)
def reach(name: str) -> list[float]:
    """For each latent how far a slider goes at least: where nearly all of the aggregate posterior and the prior lie."""
    return engine().compute(_reach, *encodings(name))


def _reach(mu: Tensor, sigma: Tensor) -> list[float]:
    far = torch.quantile(mu.abs() + sigma, 0.99, dim=0).clamp(min=LEAST)
    return (torch.ceil(far * 2) / 2).tolist()


@st.cache_resource(show_spinner=False)
def icon() -> Image.Image:
    """The browser tab's picture: the first decoded one of the first sheet that can be read, else a grey square."""
    for name in names():
        with (
            contextlib.suppress(OSError, SyntaxError, ValueError),
            Image.open(pretrained.PRETRAINED / name / pretrained.THUMBNAILS) as sheet,
        ):
            return sheet.crop((0, 0, 28, 28))
    return Image.new("L", (28, 28), 128)


def title(name: str) -> str:
    """A model's name for people: MNIST, 24 latents."""
    facts = card(name)
    return f"{facts['data']['title']}, {facts['latents']} latents"


def names() -> list[str]:
    """The models to choose from, in the picker's order."""
    return sorted(engine().models, key=lambda name: (card(name)["data"]["name"] != "mnist", -card(name)["latents"]))
