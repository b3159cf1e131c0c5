"""The models: a network that encodes a picture into q(z|x), one that decodes z into p(x|z), and their families."""

from collections.abc import Callable

import torch

from vae.models.base import Model
from vae.models.flat import VAE, Autoencoder, Conditional, Given
from vae.models.ladder import Ladder
from vae.models.networks import NETWORKS, ConvBlock, DenseBlock, FourierFeatures, ModelConfig

__all__ = [
    "FAMILIES",
    "NETWORKS",
    "VAE",
    "Autoencoder",
    "Conditional",
    "ConvBlock",
    "DenseBlock",
    "FourierFeatures",
    "Given",
    "Ladder",
    "Model",
    "ModelConfig",
    "build",
]

# A new family is one class, its row here and its name in networks.py.
FAMILIES: dict[str, Callable[..., Model]] = {
    "vae": VAE,
    "autoencoder": Autoencoder,
    "conditional": Conditional,
    "ladder": Ladder,
}


def build(config: ModelConfig, generator: torch.Generator | None = None) -> Model:
    """A new model of the configuration's family; `generator` draws the first weights."""
    return FAMILIES[config.family](config, generator)
