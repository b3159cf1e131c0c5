"""Paths and places in the latent space."""

import torch
from jaxtyping import Float
from torch import Tensor


def lerp(a: Float[Tensor, " d"], b: Float[Tensor, " d"], steps: int) -> Float[Tensor, "steps d"]:
    """The straight path from a to b in `steps` equal steps; the ends are a and b exactly."""
    _require_two(steps)
    path = torch.lerp(a, b, _fractions(steps, a))
    path[0], path[-1] = a, b
    return path


def slerp(a: Float[Tensor, " d"], b: Float[Tensor, " d"], steps: int) -> Float[Tensor, "steps d"]:
    """The path that turns from a to b at a constant rate while its norm goes linearly from |a| to |b|.

    Shoemake's spherical interpolation (1985) of the two directions, taken of the whole vector and scaled, so
    that the ends are a and b exactly whatever their norms are. Where the directions are the same, opposite or
    undefined there is no unique arc, and the straight path is returned.
    """
    _require_two(steps)
    norm_a, norm_b = a.norm(), b.norm()
    cosine = torch.dot(a, b) / (norm_a * norm_b)
    if not torch.isfinite(cosine) or 1 - cosine.abs() < 1e-6:
        return lerp(a, b, steps)
    angle = torch.acos(cosine)
    t = _fractions(steps, a)
    direction = (torch.sin((1 - t) * angle) * a / norm_a + torch.sin(t * angle) * b / norm_b) / torch.sin(angle)
    path = direction * torch.lerp(norm_a, norm_b, t)
    path[0], path[-1] = a, b
    return path


def _fractions(steps: int, like: Tensor) -> Float[Tensor, "steps 1"]:
    return torch.linspace(0, 1, steps, device=like.device, dtype=like.dtype)[:, None]


def _require_two(steps: int) -> None:
    if steps < 2:
        raise ValueError(f"a path needs at least 2 steps, not {steps}")
