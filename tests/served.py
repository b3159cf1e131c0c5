"""What tests ask of the served models, by their names."""

from concurrent.futures import Future

import torch
from torch import Tensor

from vae.inference.record import Frame
from vae.serve import planes
from vae.serve.engine import Asked, engine
from vae.serve.entry import Entry, Loaded
from vae.serve.library import library


def entry(name: str) -> Entry:
    """A model that ships."""
    return library().find(name)


def loaded(name: str) -> Loaded:
    """The same in memory."""
    return library().lease(entry(name))


def ask(question: Asked, name: str, *rows: Tensor) -> Future:
    """The future answer to a few rows."""
    return engine().ask(question, loaded(name), *rows)


def answer(question: Asked, name: str, *rows: Tensor):
    """The answer to any number of rows."""
    return engine().answer(question, loaded(name), *rows)


def record(name: str, x: Tensor, seed: int = 0) -> Frame:
    """Everything about one picture."""
    return planes.record(engine(), loaded(name), torch.as_tensor(x), seed)
