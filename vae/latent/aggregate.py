"""All encodings of a data set together: how dense they are at a place, which are near, what sets two groups apart."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

CHUNK = 2**21


def aggregate_log_density(
    z: Float[Tensor, "b d"], mu: Float[Tensor, "n d"], sigma: Float[Tensor, "n d"]
) -> Float[Tensor, " b"]:
    """log of the aggregate posterior q(z) = 1/n sum_n N(z; mu_n, diag(sigma_n^2)), nats; differentiable in z.

    At most CHUNK pairs of a z and an encoding are held at a time, where no gradient is asked for.
    """
    # float64, because the square is multiplied out: (z - mu)^2 / sigma^2 is a small difference of large terms
    mu, sigma = mu.double(), sigma.double()
    precision = sigma.pow(-2)
    weight = torch.cat([-0.5 * precision, mu * precision], dim=1).T
    constant = -(0.5 * mu.square() * precision + sigma.log()).sum(1)
    constant = constant - 0.5 * mu.shape[1] * math.log(2 * math.pi) - math.log(len(mu))
    chunks = z.double().split(max(1, CHUNK // len(mu)))
    return torch.cat([(torch.cat([c.square(), c], 1) @ weight + constant).logsumexp(1) for c in chunks]).to(z.dtype)
