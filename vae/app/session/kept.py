"""What is computed of a model or a data set once: of a data set for all, of a model for as long as it is loaded."""

import contextlib
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

import numpy as np
import streamlit as st
import torch
from PIL import Image
from torch import Tensor

from vae import data
from vae.distributions import kl_per_dimension, normal, standard_normal
from vae.latent.directions import principal_directions
from vae.latent.encodings import Company, typical_densities
from vae.models import pretrained
from vae.serve.engine import engine
from vae.serve.entry import Entry
from vae.serve.library import library

LEAST = 3.5  # of a slider's reach: one latent in two thousand lies further out under N(0, 1)
Found = TypeVar("Found")


def of_model(make: Callable[..., Found]) -> Callable[..., Found]:
    """Make a function of an entry be computed once for a loaded model, and forgotten with it."""

    @wraps(make)
    def found(entry: Entry, *more) -> Found:
        name = f"{make.__module__}.{make.__qualname__}"
        return library().lease(entry).derived((name, *more), lambda: make(entry, *more))

    return found


@st.cache_resource(show_spinner=False)
def test_set(dataset: str) -> tuple[Tensor, Tensor, Tensor]:
    """(pictures, labels, bits) of a test set; pictures 0 to 255 and the fixed binarisation 0 or 1, as bytes."""
    split = data.test_set(dataset)
    return split.images, split.labels, engine().compute(_bits, dataset)


def _bits(dataset: str) -> Tensor:
    return data.fixed_binarisation(dataset).byte()


def encodings(entry: Entry) -> tuple[Tensor, Tensor]:
    """(mu, sigma) of every test picture under a model."""
    company = library().lease(entry).company
    return company.mu, company.sigma


@of_model
def typical(entry: Entry) -> list[int]:
    """For each class a test picture that looks and lies like many of its class.

    Of the better reconstructed half of the tenth with the closest company in latent space, the one nearest to the
    class's mean picture. The mean of the encodings would not do: it may lie where no picture does.
    """
    pictures, labels, _ = test_set(entry.dataset.name)
    classes = len(entry.dataset.class_names)
    reconstructed = library().lease(entry).reconstructions
    return engine().compute(_typical, encodings(entry)[0], reconstructed, pictures, labels, classes)


def _typical(mu: Tensor, reconstructed: Tensor, pictures: Tensor, labels: Tensor, classes: int) -> list[int]:
    chosen = []
    for label in range(classes):
        (rows,) = (labels == label).nonzero(as_tuple=True)
        crowded = torch.cdist(mu[rows], mu[rows]).kthvalue(50).values.argsort()[: len(rows) // 10]
        crowded = crowded[reconstructed[rows[crowded]].argsort(descending=True)[: len(crowded) // 2]]
        own = pictures[rows].flatten(1).float()
        chosen.append(int(rows[crowded[(own[crowded] - own.mean(0)).square().sum(1).argmin()]]))
    return chosen


@of_model
def components(entry: Entry) -> dict:
    """The first two principal directions of the aggregate posterior's means, (2, d), and how far they reach."""
    return engine().compute(_components, encodings(entry)[0])


def _components(mu: Tensor) -> dict:
    directions = principal_directions(mu)
    far = torch.quantile((mu @ directions.T).abs(), 0.998)
    return {"directions": directions.tolist(), "reach": max(2.5, float(torch.ceil(far * 2) / 2))}


@of_model
def reach(entry: Entry) -> list[float]:
    """For each latent how far a slider goes at least: where nearly all of the aggregate posterior and the prior lie."""
    return engine().compute(_reach, *encodings(entry))


def _reach(mu: Tensor, sigma: Tensor) -> list[float]:
    far = torch.quantile(mu.abs() + sigma, 0.99, dim=0).clamp(min=LEAST)
    return (torch.ceil(far * 2) / 2).tolist()


@of_model
def crowding(entry: Entry) -> list[float]:
    """Percentiles of the log density of the encodings at places where pictures lie."""
    return engine().compute(_crowding, library().lease(entry).company)


def _crowding(company: Company) -> list[float]:
    return torch.quantile(typical_densities(company), torch.linspace(0, 1, 101)).tolist()


@of_model
def values(entry: Entry) -> dict[str, np.ndarray]:
    """ELBO, KL and reconstruction of every test picture, nats."""
    return engine().compute(_values, *encodings(entry), library().lease(entry).reconstructions)


def _values(mu: Tensor, sigma: Tensor, reconstruction: Tensor) -> dict[str, np.ndarray]:
    kl = kl_per_dimension(normal(mu, sigma), standard_normal(mu.shape[1])).sum(1)
    return {"elbo": (reconstruction - kl).numpy(), "kl": kl.numpy(), "reconstruction": reconstruction.numpy()}


@of_model
def drawn(entry: Entry) -> np.ndarray | None:
    """Six pictures from the middle of the sheet that came with a model, in a row; None where it cannot be read."""
    with contextlib.suppress(OSError, SyntaxError), Image.open(entry.folder / pretrained.THUMBNAILS) as sheet:
        width, height = sheet.width // 10, sheet.height // 10
        return np.asarray(sheet.crop((2 * width, 4 * height, 8 * width, 5 * height)))
    return None


@st.cache_resource(show_spinner=False)
def icon() -> Image.Image:
    """The browser tab's picture: the first decoded one of the first sheet that can be read, else a grey square."""
    for entry in library().visible():
        with (
            contextlib.suppress(OSError, SyntaxError, ValueError),
            Image.open(entry.folder / pretrained.THUMBNAILS) as sheet,
        ):
            return sheet.crop((0, 0, 28, 28))
    return Image.new("L", (28, 28), 128)
