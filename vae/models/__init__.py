"""The models: a network that encodes a picture into q(z|x), one that decodes z into p(x|z), and their families."""

import torch

from vae.models.base import Given, Mapped, Model
from vae.models.families.conditional import Conditional
from vae.models.families.kl import AutoencoderKL
from vae.models.families.ladder import Ladder
from vae.models.families.principal import Principal
from vae.models.families.pyramid import Pyramid
from vae.models.families.spatial import Spatial
from vae.models.families.tiny import AutoencoderTiny
from vae.models.families.vae import FARTHEST, VAE, WIDEST, Autoencoder, out_of_reach
from vae.models.networks import NETWORKS, Config, ConvBlock, DenseBlock, FourierFeatures

__all__ = [
    "FAMILIES",
    "FARTHEST",
    "NETWORKS",
    "VAE",
    "WIDEST",
    "Autoencoder",
    "AutoencoderKL",
    "AutoencoderTiny",
    "Conditional",
    "Config",
    "ConvBlock",
    "DenseBlock",
    "FourierFeatures",
    "Given",
    "Ladder",
    "Mapped",
    "Model",
    "Principal",
    "Pyramid",
    "Spatial",
    "build",
    "out_of_reach",
]

# A new family is one file and its row here.
FAMILIES: dict[str, type[Model]] = {
    "vae": VAE,
    "autoencoder": Autoencoder,
    "conditional": Conditional,
    "ladder": Ladder,
    "spatial": Spatial,
    "principal": Principal,
    "pyramid": Pyramid,
    "kl": AutoencoderKL,
    "tiny": AutoencoderTiny,
}


def build(config: Config, generator: torch.Generator | None = None) -> Model:
    """A new model of the configuration's family; `generator` draws the first weights."""
    return FAMILIES[config.family](config, generator)
