"""The models that ship, by what their z is."""

from vae.data import DATASETS
from vae.models import checkpoint, pretrained
from vae.models.spaces import Latents, Map, Vector


def _with(space: type[Latents]) -> list[str]:
    return [
        folder.name
        for folder in pretrained.folders()
        if isinstance(checkpoint.head(folder / checkpoint.WEIGHTS)[0].space, space)
    ]


def _levels(name: str) -> int:
    return checkpoint.head(pretrained.PRETRAINED / name / checkpoint.WEIGHTS)[0].spec.levels


VECTORS, MAPS = _with(Vector), _with(Map)
BITS = [name for name in VECTORS if _levels(name) == 2]  # models of pictures that are black and white
CLASSED = [name for name, dataset in DATASETS.items() if dataset.class_names]  # data sets whose pictures have a class
