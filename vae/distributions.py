"""The distributions of a VAE as `torch.distributions` objects: posterior, prior, likelihoods."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Bernoulli, Distribution, Independent, Normal, constraints, kl_divergence


def normal(mu: Float[Tensor, "*b d"], sigma: Float[Tensor, "*b d"]) -> Independent:
    """N(mu, diag(sigma^2)), sigma a standard deviation; event = the last dimension."""
    return Independent(Normal(mu, sigma, validate_args=False), 1, validate_args=False)


def standard_normal(dims: int, device: torch.device | str = "cpu") -> Independent:
    """N(0, I) over `dims` latents."""
    return normal(torch.zeros(dims, device=device), torch.ones(dims, device=device))


def rsample(q: Independent, generator: torch.Generator | None = None, shape: tuple[int, ...] = ()) -> Tensor:
    """z = mu + sigma eps with eps from `generator`: `(*shape, *batch, d)`, differentiable in mu and sigma.

    The reparameterisation of Kingma and Welling (2014), section 2.4. `generator` lives on q's device; None
    draws from torch's global generator.
    """
    eps = torch.randn(
        (*shape, *q.base_dist.loc.shape),
        generator=generator,
        device=q.base_dist.loc.device,
        dtype=q.base_dist.loc.dtype,
    )
    return q.base_dist.loc + q.base_dist.scale * eps


def kl_per_dimension(q: Independent, p: Independent) -> Float[Tensor, "*b d"]:
    """KL(q_d || p_d) of factorised distributions, dimension by dimension, nats; sums to KL(q || p)."""
    return kl_divergence(q.base_dist, p.base_dist)


def bernoulli(logits: Float[Tensor, "*b c h w"]) -> Independent:
    """Independent binary pixels with the given log-odds; event = the picture."""
    return Independent(Bernoulli(logits=logits, validate_args=False), 3, validate_args=False)


class DiscretizedLogistic(Distribution):
    """A logistic density over [0, 1] integrated over the bins of `levels` equidistant pixel values.

    `loc` and `log_scale` broadcast against pixels in [0, 1]; the outermost bins hold the tails, so the
    probabilities of all levels sum to one (Salimans et al. 2017, PixelCNN++, section 2.1).
    """

    arg_constraints = {"loc": constraints.real, "log_scale": constraints.real}  # noqa: RUF012 (torch's protocol)

    def __init__(self, loc: Tensor, log_scale: Tensor, levels: int = 256):
        self.loc, self.log_scale = torch.broadcast_tensors(loc, log_scale)
        self.levels = levels
        super().__init__(self.loc.shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        """The location, kept inside [0, 1]: what is shown."""
        return self.loc.clamp(0, 1)

    def log_prob(self, value: Tensor) -> Tensor:
        """log P(value), nats per pixel; value is one of 0, 1/(levels-1), ..., 1."""
        half = 0.5 / (self.levels - 1)
        scale = torch.exp(-self.log_scale)
        upper, lower = (value - self.loc + half) * scale, (value - self.loc - half) * scale
        # log(sigmoid(u) - sigmoid(l)) = logsigmoid(u) + logsigmoid(-l) + log(1 - exp(l - u)), stable in both tails;
        # l - u is taken as the width of a bin, because far out the difference itself is lost to rounding
        inside = F.logsigmoid(upper) + F.logsigmoid(-lower) + torch.log(-torch.expm1(-2 * half * scale))
        first, last = value < half, value > 1 - half
        return torch.where(first, F.logsigmoid(upper), torch.where(last, F.logsigmoid(-lower), inside))


def discretized_logistic(
    loc: Float[Tensor, "*b c h w"], log_scale: Float[Tensor, "*b c h w"], levels: int = 256
) -> Independent:
    """Independent pixels of `levels` values; event = the picture."""
    return Independent(DiscretizedLogistic(loc, log_scale, levels), 3, validate_args=False)


def bits_per_dimension(nats: Tensor, pixels: int) -> Tensor:
    """Nats per picture as bits per pixel value: nats / (pixels ln 2)."""
    return nats / (pixels * math.log(2))
