"""The quadrature of the models that ship, once for all tests: each takes seconds, and a quarter of a gigabyte."""

from functools import cache

from vae.inference.evidence import Grid
from vae.models import Model, pretrained


def grid(name: str, model: Model) -> Grid | None:
    """That of a model that ships, where it lies; None for one that has not two latents."""
    return _grid(name, str(model.device)) if model.latents == 2 else None


@cache
def _grid(name: str, device: str) -> Grid:
    return Grid(pretrained.load_pretrained(name, device))
