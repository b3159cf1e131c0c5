"""The evidence lower bound and its tighter relatives, in nats per picture.

x may be on any device, and is brought to the model's.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Independent

from vae.distributions import Joint, device_of, kl, reparameterised, rsample


class Terms(NamedTuple):
    """The two terms of the ELBO, `(b,)` each, nats: log p(x|z) at one sample of z, and KL(q(z|x) || p(z))."""

    log_likelihood: Float[Tensor, " b"]
    kl: Float[Tensor, " b"]


def terms(
    model,
    x: Float[Tensor, "b c h w"],
    generator: torch.Generator | None = None,
    eps: Float[Tensor, "b ..."] | None = None,
) -> Terms:
    """log p(x|z) at one z ~ q(z|x), and KL(q(z|x) || p(z)) in closed form (Kingma and Welling 2014, eq. 10).

    `eps`, where given, is the standard normal noise of that sample; else `generator` draws it. Of a hierarchical model
    the KL is that of each layer given the layers above it in the same sample.
    """
    q = model.encode(x)
    x = x.to(device_of(q))
    z = rsample(q, generator) if eps is None else reparameterised(q, eps)
    divergence = kl(q, model.prior, z) if model.prior is not None else x.new_zeros(len(x))
    return Terms(model.decode(z).log_prob(x), divergence)


def loss(parts: Terms, beta: float = 1.0) -> Float[Tensor, ""]:
    """What training minimises: the batch mean of -log p(x|z) + beta KL, nats. `beta` never enters `elbo`."""
    return (beta * parts.kl - parts.log_likelihood).mean()


def elbo(
    model, x: Float[Tensor, "b c h w"], samples: int = 1, generator: torch.Generator | None = None
) -> Float[Tensor, " b"]:
    """E_q[log p(x|z)] - KL(q(z|x) || p(z)), nats, higher is better; the expectation over `samples` draws."""
    _require_bound(model, samples)
    q = model.encode(x)
    x = x.to(device_of(q))
    total = x.new_zeros(len(x))
    for _ in range(samples):
        z = rsample(q, generator)
        total += model.decode(z).log_prob(x) - kl(q, model.prior, z)
    return total / samples


def importance_bound(
    model,
    x: Float[Tensor, "b c h w"],
    samples: int,
    generator: torch.Generator | None = None,
    chunk: int = 2048,
    q: Independent | Joint | None = None,
) -> Float[Tensor, " b"]:
    """log 1/k sum_i p(x, z_i) / q(z_i|x) with z_i ~ q, k = `samples`: the IWAE bound, nats.

    Burda, Grosse and Salakhutdinov (2016), eq. 8. At most `chunk` pictures (or `x`, where that is more) are
    decoded at a time, whatever `samples` is. In expectation it rises with k from the ELBO towards log p(x). `q`, where
    given, is drawn from in place of the encoder's.
    """
    _require_bound(model, samples)
    q = model.encode(x) if q is None else q
    x = x.to(device_of(q))
    at_once = max(1, chunk // len(x))
    total = torch.full_like(x[:, 0, 0, 0], -math.inf)
    for start in range(0, samples, at_once):
        k = min(at_once, samples - start)
        z = rsample(q, generator, (k,))
        log_likelihood = model.decode(z.flatten(0, 1)).log_prob(x.repeat(k, 1, 1, 1)).unflatten(0, (k, len(x)))
        log_weight = log_likelihood + model.prior.log_prob(z) - q.log_prob(z)
        total = torch.logaddexp(total, log_weight.logsumexp(0))
    return total - math.log(samples)


def _require_bound(model, samples: int) -> None:
    if model.prior is None:
        raise ValueError("a plain autoencoder has no prior p(z), so it has no ELBO")
    if samples < 1:
        raise ValueError(f"a bound needs at least one sample, not {samples}")
