"""Models with one layer of latents: the VAE, and the plain autoencoder."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor
from torch.distributions import Independent

from vae.distributions import bernoulli, discretized_logistic, normal, standard_normal
from vae.models.base import Model
from vae.models.families.correction import corrected
from vae.models.networks import NetworkConfig
from vae.models.spaces import Pictures

# How far from 0 an encoder may put a picture, and how wide its q may be, for each latent. The test sets lie within 6.1
# and 1.1; what a model knows nothing of may come out at thousands, where nothing can be decoded, shown or compared.
FARTHEST, WIDEST = 12.0, 3.0


def likelihood(output: Float[Tensor, "b values h w"], spec: Pictures) -> Independent:
    """p(x|z) of a decoder's output: Bernoulli of logits for bits, else a discretised logistic."""
    if spec.levels == 2:
        return bernoulli(output.float())
    loc, log_scale = output.float().chunk(2, dim=1)
    return discretized_logistic(loc + 0.5, log_scale.clamp(-7, 3) - 2, spec.levels)


def gaussian(output: Float[Tensor, "*b values"]) -> Independent:
    """N(mu, diag(sigma^2)) of an output that holds mu and log sigma, one after the other."""
    mu, log_sigma = output.float().chunk(2, dim=-1)
    return normal(mu, log_sigma.clamp(-9, 3).exp())


def posterior(output: Float[Tensor, "*b values"], bounded: bool, training: bool) -> Independent:
    """q(z|x) of an encoder's output, |mu| <= FARTHEST and sigma <= WIDEST.

    A `bounded` encoder bends towards them, smoothly. Weights that were trained without bounds are cut there, but not
    while they train: a cut has no gradient that would lead back.
    """
    if not bounded:
        q = gaussian(output)
        return q if training else within_reach(q)
    mu, log_sigma = output.float().chunk(2, dim=-1)
    widest = math.log(WIDEST)
    bent = widest - F.softplus(widest - log_sigma.clamp(min=-9))
    return normal(FARTHEST * (mu / FARTHEST).tanh(), bent.exp())


def within_reach(q: Independent) -> Independent:
    """q with its mean cut at FARTHEST on either side, and its standard deviation at WIDEST."""
    return normal(q.mean.clamp(-FARTHEST, FARTHEST), q.stddev.clamp(max=WIDEST))


def out_of_reach(mu: Float[Tensor, "*b d"], sigma: Float[Tensor, "*b d"]) -> Bool[Tensor, "*b"]:
    """Whether a picture was encoded at the edge of what is reached: the model knows nothing like it."""
    return ((mu.abs() > 0.99 * FARTHEST) | (sigma > 0.99 * WIDEST)).any(-1)


@dataclass(frozen=True)
class VAEConfig(NetworkConfig):
    """q of a `corrected` model is the encoder's with the decoder's correction; models are trained without.

    A `bounded` encoder cannot put a picture farther out than latents are used.
    """

    octaves: int = 0
    corrected: bool = False
    bounded: bool = False
    family: str = field(default="vae", init=False, repr=False)

    def __post_init__(self):
        super().__post_init__()
        if self.corrected and (self.latents, self.spec.levels) != (2, 2):
            raise ValueError("only a vae of two latents and binary pixels can be corrected")


class VAE(Model):
    """p(z) = N(0, I), p(x|z) Bernoulli or discretised logistic, q(z|x) = N(mu(x), diag(sigma(x)^2)).

    Kingma and Welling, Auto-Encoding Variational Bayes (2014), appendix C.
    """

    Config = VAEConfig
    middle: ClassVar[float] = 0.0  # the grey that its encoder's first layer is given as 0

    def __init__(self, config: VAEConfig, generator: torch.Generator | None = None):
        super().__init__(config)
        self.add_networks(generator)

    @property
    def prior(self) -> Independent:
        """p(z) = N(0, I)."""
        return standard_normal(self.latents, self.device)

    def encode(self, x: Float[Tensor, "b c h w"]) -> Independent:
        """q(z|x), event = the latents; x in [0, 1], on any device.

        Where the configuration says so it is corrected by the decoder, but not in training, which needs gradients.
        """
        x = x.to(self.device)
        q = self.guess(x)
        if not self.config.corrected or self.training:
            return q
        return within_reach(corrected(self.decoder, x, q))

    def guess(self, x: Float[Tensor, "b c h w"]) -> Independent:
        """The encoder's own q(z|x), before any correction: for a hand that moves, which has no time for one."""
        return posterior(self.encoder(x.to(self.device)), self.config.bounded, self.training)

    def decode(self, z: Float[Tensor, "b d"]) -> Independent:
        """p(x|z), event = the picture; its `.mean` is what is shown."""
        return likelihood(self.decoder(z.to(self.device)), self.input_spec)


@dataclass(frozen=True)
class AutoencoderConfig(NetworkConfig):
    """That of a VAE whose q is a point."""

    octaves: int = 0
    prior: ClassVar[bool] = False
    family: str = field(default="autoencoder", init=False, repr=False)


class Autoencoder(Model):
    """The VAE's network without a prior: a picture becomes one point z, and nothing says where points may lie."""

    Config = AutoencoderConfig

    def __init__(self, config: AutoencoderConfig, generator: torch.Generator | None = None):
        super().__init__(config)
        self.add_networks(generator)

    @property
    def prior(self) -> None:
        """None: an autoencoder gives z no distribution."""

    def encode(self, x: Float[Tensor, "b c h w"]) -> Independent:
        """All of q at one point, N(mu(x), 0): whatever eps is, z = mu. The encoder's other half is not used."""
        mu = self.encoder(x.to(self.device)).float().chunk(2, dim=-1)[0]
        return normal(mu, torch.zeros_like(mu))

    def decode(self, z: Float[Tensor, "b d"]) -> Independent:
        """p(x|z), event = the picture; its `.mean` is what is shown."""
        return likelihood(self.decoder(z.to(self.device)), self.input_spec)
