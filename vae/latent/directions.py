"""Directions of the latent space: principal ones, and what sets two groups of pictures apart."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor


class Attribute(NamedTuple):
    """A direction from group b to group a, found on one half of each, and what the other halves say of it.

    `effect` is Cohen's d of the held-out projections onto the direction, `error` its standard error, `per_dimension`
    Cohen's d of each latent between the held-out halves.
    """

    direction: Float[Tensor, " d"]
    effect: float
    error: float
    per_dimension: Float[Tensor, " d"]


class Halves(NamedTuple):
    """Random halves of two groups' rows: those that something is made from, and those that are held out to judge it."""

    held_a: Int64[Tensor, " ha"]
    made_a: Int64[Tensor, " ma"]
    held_b: Int64[Tensor, " hb"]
    made_b: Int64[Tensor, " mb"]


def principal_directions(mu: Float[Tensor, "n d"]) -> Float[Tensor, "2 d"]:
    """The means' first two principal directions, orthonormal, the larger first."""
    spread = torch.cov(mu.T).cpu()  # MPS has no eigh
    return torch.linalg.eigh(spread).eigenvectors[:, -2:].flip(1).T.contiguous().to(mu.device)


def halves(a: Int64[Tensor, " na"], b: Int64[Tensor, " nb"], seed: int = 0) -> Halves:
    """Two groups halved by `seed`; who is in both belongs to neither, and who is named twice counts once.

    ValueError where a group has fewer than 4 pictures.
    """
    a, b = a.unique(), b.unique()
    a, b = a[~torch.isin(a, b)], b[~torch.isin(b, a)]
    if min(len(a), len(b)) < 4:
        raise ValueError(f"each group needs 4 pictures that are not in the other; these have {len(a)} and {len(b)}")
    generator = torch.Generator().manual_seed(seed)
    shuffled = [group[torch.randperm(len(group), generator=generator)] for group in (a, b)]
    (held_a, made_a), (held_b, made_b) = (rows.tensor_split(2) for rows in shuffled)  # the larger half is held out
    return Halves(held_a, made_a, held_b, made_b)


def attribute(mu: Float[Tensor, "n d"], a: Int64[Tensor, " na"], b: Int64[Tensor, " nb"], seed: int = 0) -> Attribute:
    """The direction from the mean of group b to the mean of group a, and its effect on pictures it was not made from.

    `a` and `b` index `mu`. The `halves` that something is made from give the direction; the others the effect. The
    standard error of Cohen's d is Hedges and Olkin, Statistical Methods for Meta-Analysis (1985), p. 86. ValueError
    where a group has fewer than 4 pictures, or the means coincide.
    """
    held_a, made_a, held_b, made_b = (mu[rows].double() for rows in halves(a, b, seed))
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
