"""What samples of a model leave out of a data set, and which picture each is nearest to."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from vae.distributions import draw
from vae.models import Model

PICTURES, NEIGHBOURS = 2000, 5
CHUNK = 1000


class Coverage(NamedTuple):
    """`missed` is the share of PICTURES test pictures that as many samples leave out, `error` its binomial standard
    error; `missed_by_pictures` the share that as many other test pictures leave out, which no model should be below.
    """

    missed: float
    error: float
    missed_by_pictures: float
    pictures: int


def coverage(
    samples: Float[Tensor, "m c h w"], x: Float[Tensor, "n c h w"], generator: torch.Generator, pictures: int = PICTURES
) -> Coverage:
    """How much of a test set `x` the samples leave out; twice as many of its pictures as `pictures` are chosen."""
    some, others = torch.randperm(len(x), generator=generator)[: 2 * pictures].split(pictures)
    share = float(missed(samples, x[some]).double().mean())
    real = float(missed(x[others], x[some]).double().mean())
    return Coverage(share, (share * (1 - share) / pictures) ** 0.5, real, pictures)


def missed(
    samples: Float[Tensor, "m c h w"], pictures: Float[Tensor, "n c h w"], neighbours: int = NEIGHBOURS
) -> Bool[Tensor, " n"]:
    """Which pictures are left out: no sample is as near to them as their fifth nearest other picture is.

    Their share is one minus the coverage of Naeem et al., Reliable Fidelity and Diversity Metrics for Generative Models
    (2020), by Euclidean distances of pixels. Samples must be of the pictures' kind, drawn of p(x|z) and not its means:
    a mean is smoother than any picture and so near to many. As many samples as pictures are a fair number.
    """
    return nearest_pictures(pictures, samples)[0] > spaced(pictures, neighbours)


@torch.inference_mode()
def drawn_from_prior(model: Model, count: int, generator: torch.Generator) -> Float[Tensor, "count c h w"]:
    """x ~ p(x|z) for `count` draws of z ~ N(0, I), on the CPU; the generator's too. An autoencoder has no prior: it is
    asked all the same.
    """
    device = model.device
    drawn = []
    for z in torch.randn(count, model.latents, generator=generator).split(CHUNK):
        uniform = torch.rand(len(z), *model.input_spec.shape, generator=generator)
        drawn.append(draw(model.decode(z.to(device)), uniform.to(device)).cpu())
    return torch.cat(drawn)


def nearest_pictures(
    queries: Float[Tensor, "m c h w"], pictures: Float[Tensor, "n c h w"]
) -> tuple[Float[Tensor, " m"], Int64[Tensor, " m"]]:
    """The distance of each query to its nearest picture, and that picture's index."""
    found = [_squares(part, pictures).min(1) for part in queries.split(CHUNK)]
    return torch.cat([one.values for one in found]).sqrt(), torch.cat([one.indices for one in found])


def spaced(pictures: Float[Tensor, "n c h w"], neighbours: int = 1) -> Float[Tensor, " n"]:
    """The distance of each picture to its nearest other one, or to the second, third ...; 0 for one that is there
    twice.
    """
    rows = torch.arange(len(pictures))
    found = []
    for part in rows.split(CHUNK):
        squares = _squares(pictures[part], pictures)
        squares[torch.arange(len(part)), part] = torch.inf
        found.append(squares.kthvalue(neighbours, 1).values)
    return torch.cat(found).sqrt()


def _squares(a: Float[Tensor, "m c h w"], b: Float[Tensor, "n c h w"]) -> Float[Tensor, "m n"]:
    """Squared distances of all pairs: a product of matrices, good to 1e-4 for pictures of 784 pixels."""
    a, b = a.flatten(1), b.flatten(1)
    return (a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T).clamp(min=0)
