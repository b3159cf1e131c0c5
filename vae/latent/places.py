"""Places z of the latent space: what the model makes of them, and how it finds back to them."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Independent

from vae.distributions import draw, kl_per_dimension, normal
from vae.models import VAE, Config


class Places(NamedTuple):
    """What the model makes of places z in its latent space, row by row; nats, on the CPU.

    `mean` is E[x|z]. A picture drawn from p(x|z) is encoded again: `round_trip_kl` is its KL(q || p(z)) per dimension,
    and `drift` how far its posterior mean lies from z: root mean square over the latents, in posterior standard
    deviations. `log_prior` is log p(z); `further_out` the share of prior samples of lower density than z.

    About an input x at its z, NaN where there is none: `log_likelihood` = log p(x|z), `log_posterior` = log q(z|x),
    `distance` = sum_d ((z_d - mu_d(x)) / sigma_d(x))^2, which is d on average over z ~ q(z|x).
    """

    mean: Float[Tensor, "b c h w"]
    log_prior: Float[Tensor, " b"]
    further_out: Float[Tensor, " b"]
    drift: Float[Tensor, " b"]
    log_likelihood: Float[Tensor, " b"]
    log_posterior: Float[Tensor, " b"]
    distance: Float[Tensor, " b"]
    round_trip_kl: Float[Tensor, "b d"]


@torch.inference_mode()
def places(model: VAE, z: Float[Tensor, "b d"], x: Float[Tensor, "b c h w"] | None = None, seed: int = 0) -> Places:
    """Decode each z, draw a picture from it, encode that again; compare with the inputs `x`, where given.

    All rows are drawn with the same uniform noise, that of `seed`, so that no row depends on its company.
    """
    device = model.device
    z, x = z.to(device), None if x is None else x.to(device)
    likelihood, drawn = _drawn(model, z, seed)
    again, given = _two(model.encode(drawn if x is None else torch.cat([drawn, x])), len(z))
    return _places(model, z, x, likelihood, again, given)


@torch.inference_mode()
def passing(
    model: VAE,
    z: Float[Tensor, "b d"],
    x: Float[Tensor, "b c h w"] | None = None,
    mu: Float[Tensor, "b d"] | None = None,
    sigma: Float[Tensor, "b d"] | None = None,
    seed: int = 0,
) -> Places:
    """The same while a hand moves: what is drawn is encoded by the encoder alone, and of 256 levels not at all, so that
    `round_trip_kl` and `drift` are NaN.

    q(z|x) of the inputs, N(mu, diag(sigma^2)), is known already. Of bits, where nothing corrects the encoder's q, all
    is as in `places`.
    """
    device = model.device
    z, x = z.to(device), None if x is None else x.to(device)
    given = None if x is None else normal(mu.to(device), sigma.to(device))
    if model.input_spec.levels > 2:
        return _places(model, z, x, model.decode(z), None, given)
    likelihood, drawn = _drawn(model, z, seed)
    return _places(model, z, x, likelihood, model.guess(drawn), given)


def differs_in_passing(config: Config) -> bool:
    """Whether `passing` tells less than `places`, in far less time."""
    return config.corrected or config.spec.levels > 2


class Encoded(NamedTuple):
    """q(z|x) of pictures, row by row, on the CPU."""

    mu: Float[Tensor, "b d"]
    sigma: Float[Tensor, "b d"]


@torch.inference_mode()
def encoded(model: VAE, x: Float[Tensor, "b c h w"]) -> Encoded:
    """Encode pictures."""
    q = model.encode(x)
    return Encoded(q.mean.cpu(), q.stddev.cpu())


def _drawn(model: VAE, z: Float[Tensor, "b d"], seed: int) -> tuple[Independent, Float[Tensor, "b c h w"]]:
    """p(x|z), and a picture of each."""
    generator = torch.Generator(z.device).manual_seed(seed)
    uniform = torch.rand(model.input_spec.shape, generator=generator, device=z.device)
    likelihood = model.decode(z)
    return likelihood, draw(likelihood, uniform.expand(len(z), -1, -1, -1))


def _places(
    model: VAE,
    z: Tensor,
    x: Tensor | None,
    likelihood: Independent,
    again: Independent | None,
    given: Independent | None,
) -> Places:
    """The record of places whose pictures were encoded `again`, and of inputs whose posterior is `given`, if so."""
    unknown = z.new_full((len(z),), math.nan)
    result = Places(
        mean=likelihood.mean,
        log_prior=model.prior.log_prob(z),
        further_out=_further_out(z.cpu()),
        drift=unknown if again is None else ((again.mean - z) / again.stddev).square().mean(1).sqrt(),
        log_likelihood=unknown if x is None else likelihood.log_prob(x),
        log_posterior=unknown if x is None else given.log_prob(z),
        distance=unknown if x is None else ((z - given.mean) / given.stddev).square().sum(1),
        round_trip_kl=torch.full_like(z, math.nan) if again is None else kl_per_dimension(again, model.prior),
    )
    return Places(*(field.cpu() for field in result))


def _further_out(z: Float[Tensor, "b d"]) -> Float[Tensor, " b"]:
    """The share of prior samples with a greater norm; on the CPU, as MPS has no incomplete gamma function."""
    return torch.special.gammaincc(z.new_tensor(z.shape[1] / 2), z.square().sum(1) / 2)


def _two(q: Independent, rows: int) -> tuple[Independent, Independent]:
    """The posteriors of the first `rows` pictures and those of the rest, encoded in one pass."""
    mu, sigma = q.mean, q.stddev
    return normal(mu[:rows], sigma[:rows]), normal(mu[rows:], sigma[rows:])
