"""What the models of all families have in common."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import nn
from torch.distributions import Distribution

from vae.models.networks import NETWORKS, Config, initialise
from vae.models.spaces import Pictures


class Model(nn.Module, ABC):
    """A configuration, the picture it reads, and p(z); families add `encode` and `decode`.

    Both take tensors on any device and bring them to the model's.
    """

    Config: ClassVar[type]  # that of the family

    def __init__(self, config: Config):
        super().__init__()
        self.config = config

    @property
    def input_spec(self) -> Pictures:
        """What a picture must become before `encode`."""
        return self.config.spec

    @property
    def latents(self) -> int:
        """The number of dimensions of z, over all layers."""
        return self.config.latents

    @property
    def device(self) -> torch.device:
        """Where the weights are, and what is computed with them."""
        return next(self.parameters()).device

    @property
    @abstractmethod
    def prior(self) -> Distribution | None:
        """p(z); None where z has no distribution."""

    def add_networks(self, generator: torch.Generator | None) -> None:
        """`encoder` and `decoder` as the configuration says, with their first weights."""
        outputs = 1 if self.config.spec.levels == 2 else 2
        self.encoder, self.decoder = NETWORKS[self.config.network](self.config, outputs)
        initialise(self, generator)
