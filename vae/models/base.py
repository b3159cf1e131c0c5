"""What the models of all families have in common."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.distributions import Distribution, Independent

from vae.distributions import normal
from vae.models.networks import NETWORKS, Config, initialise
from vae.models.spaces import Pictures


class Model(nn.Module, ABC):
    """A configuration, the picture it reads, and p(z); families add `encode` and `decode`.

    Both take tensors on any device and bring them to the model's.
    """

    Config: ClassVar[type]  # that of the family
    first: ClassVar[int] = 0  # pictures that `begin` is shown before the first step

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

    def begin(self, x: Float[Tensor, "n c h w"]) -> None:
        """What can be told from some pictures before the first step, in families that have `first`."""
        raise NotImplementedError(f"a {self.config.family} begins with no pictures")

    def add_networks(self, generator: torch.Generator | None) -> None:
        """`encoder` and `decoder` as the configuration says, with their first weights."""
        outputs = 1 if self.config.spec.levels == 2 else 2
        self.encoder, self.decoder = NETWORKS[self.config.network](self.config, outputs)
        initialise(self, generator)


class Mapped(Model):
    """A model whose z is a map, (b, channels, h / step, w / step), for pictures of any size.

    `encode` and `decode` also take `keep`, how many of its first channels are kept of each picture.
    """

    @property
    def prior(self) -> Independent | None:
        """p(z) = N(0, I), for a map of any size."""
        zero = torch.zeros(self.latents, 1, 1, device=self.device)
        return normal(zero, torch.ones_like(zero), 3)

    def given(self, keep: Int64[Tensor, " b"]) -> "Given":
        """The model that says of each picture its first `keep` channels, with the interface of a VAE."""
        return Given(self, keep)

    def kept(self, keep: Int64[Tensor, " b"]) -> Float[Tensor, "b k 1 1"]:
        """1 for the channels that are kept of each picture, 0 for the others."""
        return (torch.arange(self.latents, device=self.device) < keep.to(self.device)[:, None]).float()[..., None, None]


class Given:
    """A model that is told something of each picture, its class or how many channels are kept, with the interface of a
    VAE: `terms`, `elbo` and `importance_bound` take it as one."""

    def __init__(self, model: Model, told: Int64[Tensor, " b"]):
        self.model, self.told = model, told

    @property
    def prior(self) -> Distribution | None:
        """p(z) = N(0, I), whatever was told; None where z has no distribution."""
        return self.model.prior

    def encode(self, x: Float[Tensor, "b c h w"]) -> Independent:
        """q(z|x) at what was told."""
        return self.model.encode(x, self.told)

    def decode(self, z: Float[Tensor, "n ..."]) -> Independent:
        """p(x|z) at what was told; of several rows for each picture, as the bounds decode them, each round goes through
        all of it."""
        return self.model.decode(z, self.told.repeat(len(z) // len(self.told)))
