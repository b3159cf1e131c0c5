"""A picture turned, scaled and moved as a whole, until two places in it lie where two others are."""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32
from torch import Tensor

# Pixels of the picture on a side of one that is read; where there are more, the picture shrinks first, to no fewer.
FINE = 4


@dataclass(frozen=True)
class Similarity:
    """Where in a picture each place of another is: places are complex numbers x + iy, in pixels, y down, and z of the
    other lies at `scale` * z + `shift`."""

    scale: complex
    shift: complex

    @property
    def turn(self) -> float:
        """By how many degrees the picture leans clockwise, from -180 to 180."""
        return math.degrees(math.atan2(self.scale.imag, self.scale.real))

    def at(self, places: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """Where in the picture these (x, y) of the other are."""
        found = self.scale * (places[:, 0] + 1j * places[:, 1]) + self.shift
        return np.stack([found.real, found.imag], 1)


def between(places: Float[np.ndarray, "2 2"], others: Float[np.ndarray, "2 2"]) -> Similarity:
    """The one that brings two (x, y) of another picture to two in this one."""
    (a, b), (c, d) = (two[:, 0] + 1j * two[:, 1] for two in (places, others))
    scale = complex((b - a) / (d - c))
    return Similarity(scale, complex(a - scale * c))


def seen(
    values: Float32[np.ndarray, "h w *c"], similarity: Similarity, size: tuple[int, int]
) -> tuple[Float32[np.ndarray, "height width *c"], float]:
    """What of a picture in [0, 1] is where the other one of `size` (height, width) is, and the share of that which lies
    outside, where the colour of the nearest edge is taken.

    Each pixel is the mean of what it covers: that of enough places in it to leave out nothing.
    """
    picture = torch.from_numpy(np.atleast_3d(values)).permute(2, 0, 1)[None]
    height, width = values.shape[:2]
    wide = abs(similarity.scale)  # pixels of the picture on a side of one of the other
    shrunk = max(1, int(wide // FINE))
    within = max(1, math.ceil(wide / shrunk))
    picture = F.avg_pool2d(picture, shrunk, ceil_mode=True, count_include_pad=False)
    grid = _places(similarity, size, within)
    outside = ((grid < 0) | (grid > torch.tensor([width, height]))).any(-1).float().mean().item()
    spans = torch.tensor([picture.shape[3], picture.shape[2]]) * shrunk
    grid = (2 * grid / spans - 1).float()[None]
    smooth = "bicubic" if within == 1 else "bilinear"  # the mean of several is smooth enough
    found = F.grid_sample(picture, grid, mode=smooth, padding_mode="border", align_corners=False)
    found = F.avg_pool2d(found, within).clamp(0, 1)[0].permute(1, 2, 0).numpy()
    return found.reshape(*size, *values.shape[2:]), outside


def _places(similarity: Similarity, size: tuple[int, int], within: int) -> Float[Tensor, "rows columns 2"]:
    """(x, y) in the picture of `within` x `within` places in each pixel of the other."""
    y, x = (np.arange(0.5, side * within) / within for side in size)
    z = similarity.scale * (x[None] + 1j * y[:, None]) + similarity.shift
    return torch.from_numpy(np.stack([z.real, z.imag], -1))
