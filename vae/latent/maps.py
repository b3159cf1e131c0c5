"""What can be done with a z that is a map: encode a photo, keep some channels, draw z again, blend two photos.

A photo is taken in strips, so that memory is bounded whatever its size: a strip is computed with what lies within the
network's reach around it, which is then cut off, and joins its neighbours without a seam. Where the whole photo has a
say at each place, as in a network with attention or with norms over space, it is taken in one piece.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from vae.distributions import psnr
from vae.models import Mapped

STRIP = 8192  # places of the map in a strip: 512 x 1,024 pixels


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo's levels, and q(z|x) at every place of its map."""

    levels: UInt8[Tensor, "c height width"]
    mu: Float[Tensor, "k rows columns"]
    sigma: Float[Tensor, "k rows columns"]

    @property
    def bits(self) -> Float[Tensor, "k rows columns"]:
        """What each number of the map tells, KL(q || p) in bits, p = N(0, I); infinite where q is a point."""
        return ((self.mu**2 + self.sigma**2 - 1) / 2 - self.sigma.log()) / math.log(
            2
        )  # a point is no Normal of torch's

    def rate(self, keep: int) -> float:
        """What its first channels tell, in bits per pixel."""
        return float(self.bits[:keep].sum()) / self.levels[0].numel()


class Asked(NamedTuple):
    """What is to be shown of a photo: its first `keep` channels; z = mu + `noise` sigma eps, eps drawn from `seed`; and
    `share` of another photo's z in it."""

    keep: int
    noise: float = 0.0
    seed: int = 0
    share: float = 0.0


class Shown(NamedTuple):
    """Levels of p(x|z)'s mean; its PSNR, dB, against the photo, or the two photos faded into one another; and the
    photo's rate, in bits per pixel, or that of both together."""

    mean: UInt8[Tensor, "c height width"]
    psnr: float
    rate: float


@torch.inference_mode()
def encoded(model: Mapped, levels: UInt8[Tensor, "c height width"]) -> Photo:
    """A photo, its sides multiples of the model's step."""

    def parts(x: Tensor) -> Tensor:
        q = model.encode(x / 255).base_dist
        return torch.cat([q.mean, q.stddev], 1)

    moments = _in_strips(parts, levels[None], model.config.space.step, 1, model.config.reach)[0].cpu()
    return Photo(levels, *moments.chunk(2))


@torch.inference_mode()
def decoded(model: Mapped, z: Float[Tensor, "k rows columns"], keep: int) -> UInt8[Tensor, "c height width"]:
    """Levels of the mean of p(x|z) at the first `keep` channels of z."""
    told = torch.tensor([keep])

    def mean(part: Tensor) -> Tensor:
        return model.decode(part, told).mean.mul(255).round().clamp(0, 255).byte()

    return _in_strips(mean, z[None], 1, model.config.space.step, model.config.reach)[0].cpu()


@torch.inference_mode()
def shown(model: Mapped, asked: Asked, photo: Photo, other: Photo | None = None) -> Shown:
    """What is asked for of a photo, or of two of the same size."""
    mu, sigma, levels, rate = photo.mu, photo.sigma, photo.levels.float(), photo.rate(asked.keep)
    if other is not None:
        mu, sigma = mu.lerp(other.mu, asked.share), sigma.lerp(other.sigma, asked.share)
        levels = levels.lerp(other.levels.float(), asked.share)
        rate += other.rate(asked.keep)
    generator = torch.Generator().manual_seed(asked.seed)
    z = mu + asked.noise * sigma * torch.randn(mu.shape, generator=generator)
    mean = decoded(model, z, asked.keep)
    return Shown(mean, float(psnr(mean[None] / 255, levels[None] / 255)), rate)


def _in_strips(
    function: Callable[[Tensor], Tensor], whole: Tensor, to_map: int, from_map: int, reach: int | None
) -> Tensor:
    """function(whole), (1, c, h, w), computed from strips of it.

    A place of the map is `to_map` rows of what the function is given, and `from_map` rows of what it gives. The reach
    None is that of the whole.
    """
    if reach is None:
        return function(whole)
    rows, columns = whole.shape[2] // to_map, whole.shape[3] // to_map
    each = max(1, STRIP // columns)
    found = []
    for top in range(0, rows, each):
        bottom = min(rows, top + each)
        first, last = max(0, top - reach), min(rows, bottom + reach)
        part = function(whole[:, :, first * to_map : last * to_map])
        found.append(part[:, :, (top - first) * from_map : (bottom - first) * from_map])
    return torch.cat(found, 2)
