"""Models with one layer of latents: the VAE, the plain autoencoder, and the VAE that is told the class."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor
from torch.distributions import Independent

from vae.distributions import bernoulli, discretized_logistic, normal, standard_normal
from vae.models.base import Model
from vae.models.correction import corrected
from vae.models.networks import ModelConfig
from vae.spec import InputSpec


def likelihood(output: Float[Tensor, "b values h w"], spec: InputSpec) -> Independent:
    """p(x|z) of a decoder's output: Bernoulli of logits for bits, else a discretised logistic."""
    if spec.levels == 2:
        return bernoulli(output.float())
    loc, log_scale = output.float().chunk(2, dim=1)
    return discretized_logistic(loc + 0.5, log_scale.clamp(-7, 3) - 2, spec.levels)


def gaussian(output: Float[Tensor, "*b values"]) -> Independent:
    """N(mu, diag(sigma^2)) of an output that holds mu and log sigma, one after the other."""
    mu, log_sigma = output.float().chunk(2, dim=-1)
    return normal(mu, log_sigma.clamp(-9, 3).exp())


class VAE(Model):
    """p(z) = N(0, I), p(x|z) Bernoulli or discretised logistic, q(z|x) = N(mu(x), diag(sigma(x)^2)).

    Kingma and Welling, Auto-Encoding Variational Bayes (2014), appendix C.
    """

    def __init__(self, config: ModelConfig, generator: torch.Generator | None = None):
        super().__init__(config)
        self.add_networks(generator)

    @property
    def prior(self) -> Independent:
        """p(z) = N(0, I)."""
        return standard_normal(self.latents, next(self.parameters()).device)

    def encode(self, x: Float[Tensor, "b c h w"]) -> Independent:
        """q(z|x), event = the latents; x in [0, 1].

        Where the configuration says so it is corrected by the decoder, but not in training, which needs gradients.
        """
        q = gaussian(self.encoder(x))
        return corrected(self.decoder, x, q) if self.config.corrected and not self.training else q

    def decode(self, z: Float[Tensor, "b d"]) -> Independent:
        """p(x|z), event = the picture; its `.mean` is what is shown."""
        return likelihood(self.decoder(z), self.input_spec)


class Autoencoder(Model):
    """The VAE's network without a prior: a picture becomes one point z, and nothing says where points may lie."""

    def __init__(self, config: ModelConfig, generator: torch.Generator | None = None):
        super().__init__(config)
        self.add_networks(generator)

    @property
    def prior(self) -> None:
        """None: an autoencoder gives z no distribution."""

    def encode(self, x: Float[Tensor, "b c h w"]) -> Independent:
        """All of q at one point, N(mu(x), 0): whatever eps is, z = mu. The encoder's other half is not used."""
        mu = self.encoder(x).float().chunk(2, dim=-1)[0]
        return normal(mu, torch.zeros_like(mu))

    def decode(self, z: Float[Tensor, "b d"]) -> Independent:
        """p(x|z), event = the picture; its `.mean` is what is shown."""
        return likelihood(self.decoder(z), self.input_spec)


class Conditional(Model):
    """p(z) = N(0, I), p(x|z, y), q(z|x, y): z says what the class y leaves open.

    Kingma et al., Semi-Supervised Learning with Deep Generative Models (2014), M2 with every label known.
    """

    def __init__(self, config: ModelConfig, generator: torch.Generator | None = None):
        super().__init__(config)
        self.add_networks(generator)

    @property
    def prior(self) -> Independent:
        """p(z) = N(0, I), whatever the class."""
        return standard_normal(self.latents, next(self.parameters()).device)

    def encode(self, x: Float[Tensor, "b c h w"], y: Int64[Tensor, " b"]) -> Independent:
        """q(z|x, y), event = the latents; x in [0, 1], y from 0 to classes - 1."""
        return gaussian(self.encoder(torch.cat([x.flatten(1), self._told(y, x)], 1)))

    def decode(self, z: Float[Tensor, "b d"], y: Int64[Tensor, " b"]) -> Independent:
        """p(x|z, y), event = the picture; its `.mean` is what is shown."""
        return likelihood(self.decoder(torch.cat([z, self._told(y, z)], 1)), self.input_spec)

    def given(self, y: Int64[Tensor, " b"]) -> "Given":
        """The model for pictures of these classes, with the interface of a VAE."""
        return Given(self, y)

    def _told(self, y: Tensor, like: Tensor) -> Float[Tensor, "b classes"]:
        return F.one_hot(y, self.config.classes).to(like.dtype)


class Given:
    """A conditional model whose classes are settled: `terms`, `elbo` and `importance_bound` take it as a VAE."""

    def __init__(self, model: Conditional, y: Int64[Tensor, " b"]):
        self.model, self.y = model, y

    @property
    def prior(self) -> Independent:
        """p(z|y) = N(0, I)."""
        return self.model.prior

    def encode(self, x: Float[Tensor, "b c h w"]) -> Independent:
        """q(z|x, y)."""
        return self.model.encode(x, self.y)

    def decode(self, z: Float[Tensor, "n d"]) -> Independent:
        """p(x|z, y); of several rows for each class, as the bounds decode them, each round goes through all of y."""
        return self.model.decode(z, self.y.repeat(len(z) // len(self.y)))
