"""The models: a network that encodes a picture into q(z|x), one that decodes z into p(x|z), and their families."""

import torch

from vae.models.base import Model
from vae.models.conditional import Conditional, Given
from vae.models.ladder import Ladder
from vae.models.networks import NETWORKS, Config, ConvBlock, DenseBlock, FourierFeatures
from vae.models.vae import FARTHEST, VAE, WIDEST, Autoencoder, out_of_reach

__all__ = [
    "FAMILIES",
    "FARTHEST",
    "NETWORKS",
    "VAE",
    "WIDEST",
    "Autoencoder",
    "Conditional",
    "Config",
    "ConvBlock",
    "DenseBlock",
    "FourierFeatures",
    "Given",
    "Ladder",
    "Model",
    "build",
    "out_of_reach",
]

# A new family is one file and its row here.
FAMILIES: dict[str, type[Model]] = {
    "vae": VAE,
    "autoencoder": Autoencoder,
    "conditional": Conditional,
    "ladder": Ladder,
}


def build(config: Config, generator: torch.Generator | None = None) -> Model:
    """A new model of the configuration's family; `generator` draws the first weights."""
    return FAMILIES[config.family](config, generator)
