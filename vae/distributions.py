"""The distributions of a VAE as `torch.distributions` objects: posterior, prior, likelihoods."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Bernoulli, Distribution, Independent, Normal, constraints, kl_divergence


def normal(mu: Float[Tensor, "*b d"], sigma: Float[Tensor, "*b d"], dims: int = 1) -> Independent:
    """N(mu, diag(sigma^2)), sigma a standard deviation; event = the last `dims` dimensions, 3 of a map."""
    return Independent(Normal(mu, sigma, validate_args=False), dims, validate_args=False)


def standard_normal(dims: int, device: torch.device | str = "cpu") -> Independent:
    """N(0, I) over `dims` latents."""
    return normal(torch.zeros(dims, device=device), torch.ones(dims, device=device))


class Joint(Distribution):
    """Latents in layers, each Gaussian given those above it: q(z_1) q(z_2|z_1) ...; z is the layers' concatenation.

    `walk(choose, shape)` goes through the layers from the top: it calls `choose(layer, q)` with each conditional q of
    batch `shape`, goes on from the z of that layer that it is given, and returns (q, prior p) of every layer.
    """

    arg_constraints = {}  # noqa: RUF012 (torch's protocol)
    has_rsample = True

    def __init__(
        self,
        walk: Callable[[Callable[[int, Independent], Tensor], tuple[int, ...]], list[tuple[Independent, Independent]]],
        layers: tuple[int, ...],
        batch: tuple[int, ...],
        device: torch.device,
    ):
        self.walk, self.layers, self.device = walk, layers, device
        self._last: tuple[Tensor, list[tuple[Independent, Independent]]] | None = None
        super().__init__(torch.Size(batch), torch.Size([sum(layers)]), validate_args=False)

    def along(self, eps: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
        """z = mu + sigma eps, layer by layer; each mu and sigma are those given the layers above."""
        parts, z = eps.split(self.layers, -1), []

        def choose(layer: int, q: Independent) -> Tensor:
            z.append(q.mean + q.stddev * parts[layer])
            return z[-1]

        conditionals = self.walk(choose, tuple(eps.shape[:-1]))
        found = torch.cat(z, -1)
        self._last = found, conditionals
        return found

    def conditionals(self, z: Float[Tensor, "*b d"]) -> list[tuple[Independent, Independent]]:
        """(q, p) of each layer given the layers above it in z, from the top."""
        if self._last is None or self._last[0] is not z:  # of a z just drawn they are known
            parts = z.split(self.layers, -1)
            self._last = z, self.walk(lambda layer, q: parts[layer], tuple(z.shape[:-1]))
        return self._last[1]

    def rsample(self, sample_shape: tuple[int, ...] = ()) -> Tensor:
        """A draw with torch's global generator; `vae.distributions.rsample` takes another."""
        return rsample(self, None, tuple(sample_shape))

    def log_prob(self, value: Float[Tensor, "*b d"]) -> Float[Tensor, "*b"]:
        """log q(z), nats: the sum over the layers."""
        parts = value.split(self.layers, -1)
        return sum(q.log_prob(part) for (q, _), part in zip(self.conditionals(value), parts, strict=True))

    def kl_per_layer(self, z: Float[Tensor, "*b d"]) -> Float[Tensor, "*b layers"]:
        """KL(q(z_l|z_<l) || p(z_l|z_<l)) of each layer given the layers above it in z, nats.

        Over z ~ q the mean of the sum is KL(q(z) || p(z)).
        """
        return torch.stack([kl_divergence(q, p) for q, p in self.conditionals(z)], -1)


def device_of(q: Independent | Joint) -> torch.device:
    """Where z ~ q lives."""
    return q.device if isinstance(q, Joint) else q.mean.device


def rsample(q: Independent | Joint, generator: torch.Generator | None = None, shape: tuple[int, ...] = ()) -> Tensor:
    """z = mu + sigma eps with eps from `generator`: `(*shape, *batch, d)`, differentiable in mu and sigma.

    The reparameterisation of Kingma and Welling (2014), section 2.4. eps is drawn where `generator` lives and brought
    to q; None draws from torch's global generator, on q's device.
    """
    place = device_of(q) if generator is None else generator.device
    dtype = None if isinstance(q, Joint) else q.mean.dtype
    size = (*shape, *q.batch_shape, *q.event_shape)
    return reparameterised(q, torch.randn(size, generator=generator, device=place, dtype=dtype))


def reparameterised(q: Independent | Joint, eps: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
    """z = mu + sigma eps, for eps on any device."""
    eps = eps.to(device_of(q))
    return q.along(eps) if isinstance(q, Joint) else q.mean + q.stddev * eps


def stratified(
    q: Independent, generator: torch.Generator, blocks: int, size: int
) -> Float[Tensor, "blocks size *batch d"]:
    """z ~ q in `blocks` independent Latin hypercubes: of the `size` draws of one, each latent has one in each of `size`
    equally probable intervals, so that no block misses a tail.

    Each draw by itself is one of q. The mean over a block of what is nearly a sum over the latents varies far less than
    that of independent draws; its standard error is that of the blocks' means. McKay, Beckman and Conover (1979).
    """
    noise = {"generator": generator, "device": generator.device}
    shape = (blocks, size, *q.batch_shape, *q.event_shape)
    interval = torch.rand(shape, **noise).argsort(1)
    uniform = (interval + torch.rand(shape, **noise)) / size
    return q.base_dist.icdf(uniform.clamp(1e-7, 1 - 1e-7).to(device_of(q)))  # float32: at 0 and 1 it is infinite


def kl(q: Independent | Joint, p: Independent | Joint, z: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """KL(q || p), nats: in closed form; of joint distributions its unbiased estimate at z ~ q, closed in each layer."""
    return q.kl_per_layer(z).sum(-1) if isinstance(q, Joint) else kl_divergence(q, p)


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

    def icdf(self, value: Tensor) -> Tensor:
        """The pixel values whose bins hold the logistic's quantiles."""
        quantile = self.loc + self.log_scale.exp() * torch.logit(value, eps=1e-6)
        return quantile.clamp(0, 1).mul(self.levels - 1).round().div(self.levels - 1)


def discretized_logistic(
    loc: Float[Tensor, "*b c h w"], log_scale: Float[Tensor, "*b c h w"], levels: int = 256
) -> Independent:
    """Independent pixels of `levels` values; event = the picture."""
    return Independent(DiscretizedLogistic(loc, log_scale, levels), 3, validate_args=False)


def draw(likelihood: Independent, uniform: Float[Tensor, "*b c h w"]) -> Float[Tensor, "*b c h w"]:
    """A picture of p(x|z) made of uniform noise in [0, 1), by the inverse of each pixel's distribution function."""
    pixels = likelihood.base_dist
    if isinstance(pixels, DiscretizedLogistic):
        return pixels.icdf(uniform)
    return uniform.lt(pixels.mean).float()


def bits_per_dimension(nats: Tensor, pixels: int) -> Tensor:
    """Nats per picture as bits per pixel value: nats / (pixels ln 2)."""
    return nats / (pixels * math.log(2))


def psnr(found: Float[Tensor, "n c h w"], x: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    """-10 log10 of the mean squared error of each picture, dB; of a set, the mean of these is meant."""
    return -10 * (found - x).square().mean((1, 2, 3)).log10()
