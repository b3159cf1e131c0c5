"""All encodings of a data set together: how dense they are at a place, which are near, what sets two groups apart."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

CHUNK = 2**21


class Attribute(NamedTuple):
    """A direction from group b to group a, found on one half of each, and what the other halves say of it.

    `effect` is Cohen's d of the held-out projections onto the direction, `error` its standard error, `per_dimension`
    Cohen's d of each latent between the held-out halves.
    """

    direction: Float[Tensor, " d"]
    effect: float
    error: float
    per_dimension: Float[Tensor, " d"]


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


def principal_directions(mu: Float[Tensor, "n d"]) -> Float[Tensor, "2 d"]:
    """The means' first two principal directions, orthonormal, the larger first."""
    return torch.linalg.eigh(torch.cov(mu.T)).eigenvectors[:, -2:].flip(1).T.contiguous()


def nearest(
    z: Float[Tensor, " d"], mu: Float[Tensor, "n d"], count: int
) -> tuple[Int64[Tensor, " count"], Float[Tensor, " count"]]:
    """The indices of the `count` means closest to z, closest first, the lower index first of a tie; and how far."""
    if not 1 <= count <= len(mu):
        raise ValueError(f"of {len(mu)} encodings 1 to {len(mu)} can be the nearest, not {count}")
    distances, order = (mu - z).norm(dim=1).sort(stable=True)
    return order[:count], distances[:count]


def attribute(mu: Float[Tensor, "n d"], a: Int64[Tensor, " na"], b: Int64[Tensor, " nb"], seed: int = 0) -> Attribute:
    """The direction from the mean of group b to the mean of group a, and its effect on pictures it was not made from.

    `a` and `b` index `mu`; who is in both groups belongs to neither, and who is named twice counts once. Random halves
    of each group, drawn by `seed`, give the direction; the others the effect. The standard error of Cohen's d is
    Hedges and Olkin, Statistical Methods for Meta-Analysis (1985), p. 86. ValueError where a group has fewer than 4
    pictures, or the means coincide.
    """
    a, b = a.unique(), b.unique()
    a, b = a[~torch.isin(a, b)], b[~torch.isin(b, a)]
    if min(len(a), len(b)) < 4:
        raise ValueError(f"each group needs 4 pictures that are not in the other; these have {len(a)} and {len(b)}")
    generator = torch.Generator().manual_seed(seed)
    halves = [mu[group[torch.randperm(len(group), generator=generator)]].double().tensor_split(2) for group in (a, b)]
    (held_a, made_a), (held_b, made_b) = halves  # the larger half, of an odd number, is held out
    direction = made_a.mean(0) - made_b.mean(0)
    if direction.norm() <= 1e-9 * (made_a.norm() + made_b.norm()):
        raise ValueError("the two groups have the same mean, so that no direction leads from one to the other")
    effect = _cohen(held_a @ direction, held_b @ direction).item()
    n, m = len(held_a), len(held_b)
    error = math.sqrt((n + m) / (n * m) + effect**2 / (2 * (n + m)))
    return Attribute(direction.to(mu.dtype), effect, error, _cohen(held_a, held_b).to(mu.dtype))


def _cohen(a: Float[Tensor, " n *d"], b: Float[Tensor, " m *d"]) -> Float[Tensor, " *d"]:
    """Cohen's d: the difference of the means in pooled standard deviations."""
    spread = (len(a) - 1) * a.var(0) + (len(b) - 1) * b.var(0)
    return (a.mean(0) - b.mean(0)) / (spread / (len(a) + len(b) - 2)).sqrt().clamp(min=1e-12)
