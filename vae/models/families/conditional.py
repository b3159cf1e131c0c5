"""The VAE that is told the class: z says what the class leaves open."""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor
from torch.distributions import Independent

from vae.distributions import standard_normal
from vae.models.base import Given, Model
from vae.models.families.vae import likelihood, posterior
from vae.models.networks import NetworkConfig


@dataclass(frozen=True)
class ConditionalConfig(NetworkConfig):
    """`classes` is the number of labels; a `bounded` encoder cannot put a picture farther out than latents are used."""

    classes: int = 0
    bounded: bool = False
    family: str = field(default="conditional", init=False, repr=False)

    def __post_init__(self):
        super().__post_init__()
        if self.network != "dense":
            raise ValueError("a conditional model is dense")
        if self.classes < 2:
            raise ValueError(f"a conditional model has 2 or more classes, not {self.classes}")


class Conditional(Model):
    """p(z) = N(0, I), p(x|z, y), q(z|x, y): z says what the class y leaves open.

    Kingma et al., Semi-Supervised Learning with Deep Generative Models (2014), M2 with every label known.
    """

    Config = ConditionalConfig

    def __init__(self, config: ConditionalConfig, generator: torch.Generator | None = None):
        super().__init__(config)
        self.add_networks(generator)

    @property
    def prior(self) -> Independent:
        """p(z) = N(0, I), whatever the class."""
        return standard_normal(self.latents, self.device)

    def encode(self, x: Float[Tensor, "b c h w"], y: Int64[Tensor, " b"]) -> Independent:
        """q(z|x, y), event = the latents; x in [0, 1], y from 0 to classes - 1."""
        x = x.to(self.device)
        output = self.encoder(torch.cat([x.flatten(1), self._one_hot(y, x)], 1))
        return posterior(output, self.config.bounded, self.training)

    def decode(self, z: Float[Tensor, "b d"], y: Int64[Tensor, " b"]) -> Independent:
        """p(x|z, y), event = the picture; its `.mean` is what is shown."""
        z = z.to(self.device)
        return likelihood(self.decoder(torch.cat([z, self._one_hot(y, z)], 1)), self.input_spec)

    def given(self, y: Int64[Tensor, " b"]) -> Given:
        """The model for pictures of these classes, with the interface of a VAE."""
        return Given(self, y)

    def _one_hot(self, y: Tensor, like: Tensor) -> Float[Tensor, "b classes"]:
        return F.one_hot(y.to(like.device), self.config.classes).to(like.dtype)
