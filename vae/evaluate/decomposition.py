"""What the average KL(q(z|x) || p(z)) is made of: information about x, dependence between latents, misfit of each."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from vae.distributions import kl_per_dimension, normal, standard_normal
from vae.latent.aggregate import aggregate_log_density

SAMPLES = 2000


class Decomposition(NamedTuple):
    """The parts of the average KL, nats; each `..._error` is the standard error of the estimate above it.

    `total` is the sum of the three parts and `kl` the same quantity in closed form, from every encoding: they differ by
    sampling only. `bound` is log N, which the mutual information cannot exceed.
    """

    mutual_information: float
    mutual_information_error: float
    total_correlation: float
    total_correlation_error: float
    dimension_wise_kl: float
    dimension_wise_kl_error: float
    total: float
    total_error: float
    kl: float
    bound: float
    samples: int


@torch.inference_mode()
def decompose(
    mu: Float[Tensor, "n d"], sigma: Float[Tensor, "n d"], generator: torch.Generator, samples: int = SAMPLES
) -> Decomposition:
    """E KL(q(z|x) || N(0, I)) = I_q(x; z) + KL(q(z) || prod_d q(z_d)) + sum_d KL(q(z_d) || p(z_d)).

    The split is Hoffman and Johnson's (ELBO surgery, 2016), carried on to the total correlation by Chen et al.
    (Isolating Sources of Disentanglement in VAEs, 2018, eq. 2). `mu` and `sigma` are the encodings of all N pictures
    of a data set and q(z) is their mixture itself, not the estimate of it from a minibatch: each of `samples` draws
    takes a picture, z ~ q(z|x) of it, and all N components. So every part is estimated without bias for this data set.

    As an estimate for the distribution that the pictures came from, the mutual information is biased downwards: with z
    of picture n, q(z) >= q(z|x_n) / N, so that no draw exceeds log N. What is missing there appears as total
    correlation or in the dimensions, because the sum does not depend on q(z). Near log N only a bound has been
    measured. Every sigma is > 0; ValueError where one is not, as an autoencoder's.
    """
    if not bool((sigma > 0).all()):
        raise ValueError("every encoding needs a density: a standard deviation of 0 has none")
    mu, sigma = mu.double().cpu(), sigma.double().cpu()
    n, d = mu.shape
    # every picture equally often, as far as that goes
    rows = torch.cat([torch.randperm(n, generator=generator) for _ in range(-(-samples // n))])[:samples]
    q = normal(mu[rows], sigma[rows])
    z = q.mean + q.stddev * torch.randn(q.mean.shape, generator=generator, dtype=torch.float64)
    posterior, prior = q.log_prob(z), standard_normal(d).log_prob(z)
    together = aggregate_log_density(z, mu, sigma)
    apart = sum(aggregate_log_density(z[:, [i]], mu[:, [i]], sigma[:, [i]]) for i in range(d))
    parts = [_estimate(values) for values in (posterior - together, together - apart, apart - prior, posterior - prior)]
    kl = kl_per_dimension(normal(mu, sigma), standard_normal(d)).sum(1).mean()
    return Decomposition(*(number for part in parts for number in part), float(kl), math.log(n), samples)


def _estimate(values: Float[Tensor, " m"]) -> tuple[float, float]:
    return float(values.mean()), float(values.std() / len(values) ** 0.5)
