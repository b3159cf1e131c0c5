"""Holes: places z ~ N(0, I) whose decoded picture looks like none of the data set's."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vae.models import Model

SAMPLES, TYPICAL = 2000, 0.95
CHUNK = 1000


class Holes(NamedTuple):
    """How far decoded samples lie from real pictures: Euclidean distances over all pixels, whose values are 0 to 1.

    `fraction` is the share of samples farther from their nearest picture than `threshold`, `error` its binomial
    standard error for the given pictures; `distance` the samples' mean distance to the nearest picture with its
    standard error; `picture_distance` the mean distance of a picture to the nearest other one; `missed` the share of
    pictures farther than `threshold` from every sample.
    """

    fraction: float
    error: float
    distance: float
    distance_error: float
    picture_distance: float
    missed: float
    threshold: float
    samples: int


def holes(
    decoded: Float[Tensor, "m c h w"], pictures: Float[Tensor, "n c h w"], spacing: Float[Tensor, " n"] | None = None
) -> Holes:
    """The hole fraction of decoded samples E[x|z], z ~ N(0, I), among the grey pictures of a data set.

    A sample is in a hole where its picture is farther from the nearest of the `pictures` than 95 % of the pictures are
    from the nearest other one. A mean is smoother than any picture, which brings it nearer to all of them: 5 % is no
    target, and neither blur nor an almost empty picture is a hole. So `missed` asks the other way round, what the
    samples leave out; it falls as they become more (compare precision and recall: Kynkaanniemi et al. 2019). `spacing`
    is that of the pictures, where it is known already.
    """
    spacing = spaced(pictures) if spacing is None else spacing
    threshold = spacing.double().quantile(TYPICAL)
    distances = nearest_pictures(decoded, pictures)[0].double()
    missed = (nearest_pictures(pictures, decoded)[0] > threshold).double().mean()
    fraction = float((distances > threshold).double().mean())
    return Holes(
        fraction=fraction,
        error=(fraction * (1 - fraction) / len(decoded)) ** 0.5,
        distance=float(distances.mean()),
        distance_error=float(distances.std() / len(decoded) ** 0.5),
        picture_distance=float(spacing.double().mean()),
        missed=float(missed),
        threshold=float(threshold),
        samples=len(decoded),
    )


@torch.inference_mode()
def decoded_from_prior(model: Model, count: int, generator: torch.Generator) -> Float[Tensor, "count c h w"]:
    """E[x|z] for `count` draws of z ~ N(0, I), on the CPU; the generator's too. An autoencoder has no prior: it is
    asked all the same.
    """
    device = next(model.parameters()).device
    z = torch.randn(count, model.latents, generator=generator)
    return torch.cat([model.decode(part.to(device)).mean.cpu() for part in z.split(CHUNK)])


def nearest_pictures(
    queries: Float[Tensor, "m c h w"], pictures: Float[Tensor, "n c h w"]
) -> tuple[Float[Tensor, " m"], Int64[Tensor, " m"]]:
    """The distance of each query to its nearest picture, and that picture's index."""
    found = [_squares(part, pictures).min(1) for part in queries.split(CHUNK)]
    return torch.cat([one.values for one in found]).sqrt(), torch.cat([one.indices for one in found])


def spaced(pictures: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    """The distance of each picture to the nearest other one; 0 for one that is there twice."""
    rows = torch.arange(len(pictures))
    least = []
    for part in rows.split(CHUNK):
        squares = _squares(pictures[part], pictures)
        squares[torch.arange(len(part)), part] = torch.inf
        least.append(squares.amin(1))
    return torch.cat(least).sqrt()


def _squares(a: Float[Tensor, "m c h w"], b: Float[Tensor, "n c h w"]) -> Float[Tensor, "m n"]:
    """Squared distances of all pairs: a product of matrices, good to 1e-4 for pictures of 784 pixels."""
    a, b = a.flatten(1), b.flatten(1)
    return (a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T).clamp(min=0)
