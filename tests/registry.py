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


VECTORS, MAPS = _with(Vector), _with(Map)
BITS = [name for name in VECTORS if pretrained.load_card(name)["training"]["recipe"]["model"]["spec"]["levels"] == 2]
CLASSED = [name for name, dataset in DATASETS.items() if dataset.class_names]  # data sets whose pictures have a class
