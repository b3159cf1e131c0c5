"""Ancestral sampling, and the way back: x drawn from p(x|z), and how q(z|x) places it around the z that made it."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vae.distributions import draw
from vae.models import VAE


class Ancestry(NamedTuple):
    """Pictures x ~ p(x|z) of given z, row by row, and their posteriors; nats, on the CPU.

    `mean` is E[x|z]; `mu` and `sigma` are q(z|x)'s. `log_prior` = log p(z), `log_likelihood` = log p(x|z),
    `log_posterior` = log q(z|x) at the z that made x. `within` is the share of latents with |z - mu| < sigma. Over
    z ~ p(z) and x ~ p(x|z) it is 68.3 % on average if q(z|x) is p(z|x), because z is then a draw of q itself (Talts et
    al., Validating Bayesian Inference Algorithms with Simulation-Based Calibration (2018), for this one statistic).
    """

    mean: Float[Tensor, "b c h w"]
    x: Float[Tensor, "b c h w"]
    mu: Float[Tensor, "b d"]
    sigma: Float[Tensor, "b d"]
    log_prior: Float[Tensor, " b"]
    log_likelihood: Float[Tensor, " b"]
    log_posterior: Float[Tensor, " b"]
    within: Float[Tensor, " b"]


class Calibration(NamedTuple):
    """How q(z|x) fares over `samples` of z ~ p(z) and x ~ p(x|z): `within` is as in `Ancestry`, `error` its standard
    error from sample to sample, and `typical` the median of |z - mu| / sigma, 0.674 if q(z|x) is p(z|x).
    """

    within: float
    error: float
    typical: float
    samples: int


@torch.inference_mode()
def calibration(model: VAE, samples: int, generator: torch.Generator) -> Calibration:
    """The same statistic over many samples; the generator is the CPU's."""
    z = torch.randn(samples, model.latents, generator=generator)
    uniform = torch.rand(samples, *model.input_spec.shape, generator=generator)
    z = z.to(model.device)
    q = model.encode(draw(model.decode(z), uniform.to(model.device)))
    away = (z - q.mean).abs() / q.stddev
    within = away.lt(1).double().mean(1)
    return Calibration(float(within.mean()), float(within.std() / samples**0.5), float(away.median()), samples)


@torch.inference_mode()
def ancestry(model: VAE, z: Float[Tensor, "b d"], seeds: Int64[Tensor, " b"]) -> Ancestry:
    """Draw a picture of each z with the noise of its own seed, and encode it; no row depends on its company."""
    device = model.device
    noise = [torch.rand(model.input_spec.shape, generator=torch.Generator().manual_seed(int(seed))) for seed in seeds]
    z = z.to(device)
    likelihood = model.decode(z)
    x = draw(likelihood, torch.stack(noise).to(device))
    q = model.encode(x)
    result = Ancestry(
        mean=likelihood.mean,
        x=x,
        mu=q.mean,
        sigma=q.stddev,
        log_prior=model.prior.log_prob(z),
        log_likelihood=likelihood.log_prob(x),
        log_posterior=q.log_prob(z),
        within=(z - q.mean).abs().lt(q.stddev).float().mean(1),
    )
    return Ancestry(*(field.cpu() for field in result))
