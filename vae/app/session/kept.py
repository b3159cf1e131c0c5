"""What is computed of a model or a data set once: of a data set for all, of a model for as long as it is loaded."""

import contextlib
from collections.abc import Callable
from functools import wraps
from statistics import NormalDist
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
DRAWN = 0.98  # of draws of N(0, I) that are within all sliders, however many there are
DIFFERENT = 10  # pictures that a page can begin with
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
    """(pictures, labels, levels) of a test set, as bytes; pictures 0 to 255, and what models read of them: the fixed
    binarisation, 0 or 1, or again 0 to 255."""
    split = data.test_set(dataset)
    return split.images, split.labels, engine().compute(_levels, dataset)


def _levels(dataset: str) -> Tensor:
    return data.test_inputs(dataset).mul(data.dataset_of(dataset).spec.levels - 1).round().byte()


@st.cache_resource(show_spinner=False)
def groups(dataset: str) -> dict[str, frozenset[int]]:
    """Words for groups of a test set's pictures, its classes or tags, and which these are."""
    return {word: frozenset(rows.tolist()) for word, rows in data.groups(dataset).items()}


def called(dataset: str, index: int) -> str:
    """A picture of the test set in words: its number, and the groups that it belongs to; of somebody's own set also
    where it is one that was trained on."""
    found = data.dataset_of(dataset)
    is_known = isinstance(found, data.Own) and index >= found.tested + found.validated
    name = f"picture {index}, which it learned from" if is_known else f"test picture {index}"
    words = [word for word, rows in groups(dataset).items() if index in rows]
    return name + (f": {', '.join(words)}" if words else "")


def encodings(entry: Entry) -> tuple[Tensor, Tensor]:
    """(mu, sigma) of every test picture under a model."""
    company = library().lease(entry).company
    return company.mu, company.sigma


@of_model
def typical(entry: Entry) -> list[int]:
    """For each group a test picture that looks and lies like many of its group.

    Of the better reconstructed half of the tenth with the closest company in latent space, the one nearest to the
    group's mean picture. The mean of the encodings would not do: it may lie where no picture does.
    """
    pictures, reconstructed = test_set(entry.dataset.name)[0], library().lease(entry).reconstructions
    groups = list(data.groups(entry.dataset.name).values())
    return engine().compute(_typical, encodings(entry)[0], reconstructed, pictures, groups)


def _typical(mu: Tensor, reconstructed: Tensor, pictures: Tensor, groups: list[Tensor]) -> list[int]:
    chosen = []
    for rows in groups:
        near = max(1, min(50, len(rows) // 2))
        crowded = torch.cdist(mu[rows], mu[rows]).kthvalue(near).values.argsort()[: max(1, len(rows) // 10)]
        crowded = crowded[reconstructed[rows[crowded]].argsort(descending=True)[: max(1, len(crowded) // 2)]]
        own = pictures[rows].flatten(1).float()
        chosen.append(int(rows[crowded[(own[crowded] - own.mean(0)).square().sum(1).argmin()]]))
    return chosen


def varied(entry: Entry) -> list[int]:
    """Ten and more test pictures that differ: the typical ones of the groups, or, where those are few, from all over
    the set."""
    count, chosen = entry.examples, typical(entry)
    return chosen if len(chosen) >= DIFFERENT else [place * count // DIFFERENT for place in range(DIFFERENT)]


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
    each = DRAWN ** (1 / mu.shape[1])
    least = max(LEAST, NormalDist().inv_cdf((1 + each) / 2))
    far = torch.quantile(mu.abs() + sigma, 0.99, dim=0).clamp(min=least)
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
def sheet(entry: Entry) -> np.ndarray | None:
    """The sheet that came with a model, ten pictures across; None where it cannot be read."""
    with contextlib.suppress(OSError, SyntaxError), Image.open(entry.folder / pretrained.THUMBNAILS) as image:
        return np.asarray(image)
    return None


def drawn(entry: Entry) -> np.ndarray | None:
    """Six pictures from the middle of that sheet, in a row."""
    whole = sheet(entry)
    if whole is None:
        return None
    side = whole.shape[1] // 10
    top = (whole.shape[0] // side - 1) // 2 * side
    return whole[top : top + side, 2 * side : 8 * side]


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
