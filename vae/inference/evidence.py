"""Two latents: log p(x) by quadrature, not by a bound.

p(x) is the integral of p(x|z) p(z) over the plane. Square cells cover [-7, 7]^2 (the prior outside holds 5e-12 of the
mass), each standing for its midpoint. Cells that may hold a share of a picture's integral are split into four, level
after level, until two splittings in a row change the result by less than `SETTLED`: the midpoint sum of a smooth peak
converges exponentially once a cell is narrower than the peak, so the last changes bound the error that is left.
"""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from vae.models import VAE

EXTENT = 7.0
COARSEST, FINEST = 0.05, 0.05 / 2**8  # widths of a cell
NARROW = 0.01  # the standard deviation of the peaks that are looked for everywhere
SHARPER = 4.0  # how many times sharper a peak may be than the decoded pictures around it change
SETTLED = 1e-3  # nats
AT_ONCE = 4096  # pictures decoded in one pass
PAIRS = 2_000_000  # of a picture and a coarse cell; with more, the pictures are halved, which bounds the memory


class Evidence(NamedTuple):
    """log p(x) in nats, and how much the last two halvings of the cells changed it at most."""

    log_evidence: Float[Tensor, " b"]
    error: Float[Tensor, " b"]


class Grid:
    """The decoder of a binary model with two latents, evaluated once on the coarsest cells.

    It holds 78,400 decoded pictures: 246 MB at 28 x 28 pixels. ValueError for any other model.
    """

    @staticmethod
    def bytes_of(model: VAE) -> int:
        """How much memory the grid of a model takes."""
        return 4 * round(2 * EXTENT / COARSEST) ** 2 * model.input_spec.pixels

    def __init__(self, model: VAE):
        if model.latents != 2 or model.input_spec.levels != 2:
            raise ValueError(
                f"quadrature needs two latents and binary pixels; this model has {model.latents} latents "
                f"and {model.input_spec.levels} grey levels"
            )
        self.model = model
        self.cells = torch.arange(round(2 * EXTENT / COARSEST) ** 2)
        self.logits = torch.cat([logits for _, logits in self._decoded(self.cells, COARSEST)])
        self.sharpest = (SHARPER * _information(self.logits)).clamp(min=NARROW**-2)

    @torch.inference_mode()
    def evidence(self, x: Float[Tensor, "b c h w"], block: int = 1000) -> Evidence:
        """log p(x) of binary pictures, `block` at a time: those of a block share what they decode."""
        parts = [self._evidence(part.flatten(1)) for part in x.to(self.logits.device).split(block)]
        return Evidence(torch.cat([p.log_evidence for p in parts]), torch.cat([p.error for p in parts]))

    def _evidence(self, x: Float[Tensor, "b pixels"]) -> Evidence:
        width = COARSEST
        # Pairs of a picture and a cell: `picture`, `cell` and `value` = log p(x, z) at the cell's midpoint.
        picture, cell, value = self._coarse_pairs(x)
        if len(picture) > PAIRS and len(x) > 1:
            return self.evidence(x[:, None, None], len(x) // 2)
        result = _log_integral(len(x), picture, value, width)
        change = error = torch.full_like(result, math.inf)
        settled = torch.full_like(result, -math.inf)
        while width > FINEST and len(picture):
            best = torch.full_like(result, -math.inf).scatter_reduce_(0, picture, value, "amax")
            split = value > best[picture] - self._may_hide(cell, width)
            settled = settled.logaddexp(_log_integral(len(x), picture[~split], value[~split], width))
            cell = _children(cell[split], width).flatten()
            picture = picture[split].repeat_interleave(4)
            width /= 2
            value = self._pair_values(x, picture, cell, width)
            new = settled.logaddexp(_log_integral(len(x), picture, value, width))
            running = torch.zeros_like(result, dtype=torch.bool).index_fill_(0, picture, True)
            before, change = change, (new - result).abs()
            error = torch.where(running, torch.maximum(before, change), error)
            result = torch.where(running, new, result)
            unfinished = error[picture] > SETTLED
            picture, cell, value = picture[unfinished], cell[unfinished], value[unfinished]
        return Evidence(result, error)

    def _coarse_pairs(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        pairs, hidden = [], self._may_hide(self.cells, COARSEST)
        for start in range(0, len(x), 256):
            values = _log_joint(x[start : start + 256], self.logits, _midpoints(self.cells, COARSEST, x.device))
            near = values > values.amax(1, keepdim=True) - hidden
            rows, cells = near.nonzero(as_tuple=True)
            pairs.append((rows + start, cells, values[near]))
        picture, cell, value = (torch.cat(parts) for parts in zip(*pairs, strict=True))
        return picture, cell, value

    def _pair_values(self, x: Tensor, picture: Tensor, cell: Tensor, width: float) -> Tensor:
        """log p(x, z) of each pair; a cell that several pictures share is decoded once."""
        unique, index = torch.unique(cell, return_inverse=True)
        order = index.argsort()
        ends = torch.searchsorted(index[order], torch.arange(0, len(unique) + AT_ONCE, AT_ONCE, device=x.device))
        value = torch.empty_like(picture, dtype=x.dtype)
        for chunk, (cells, logits) in enumerate(self._decoded(unique, width)):
            pairs = order[ends[chunk] : ends[chunk + 1]]
            joint = _log_joint(x, logits, _midpoints(cells, width, x.device))
            value[pairs] = joint[picture[pairs], index[pairs] - chunk * AT_ONCE]
        return value

    def _may_hide(self, cell: Int[Tensor, " n"], width: float) -> Float[Tensor, " n"]:
        """How far below the best cell's midpoint these cells may lie and still hold a share, nats.

        16 nats below, a midpoint is good enough; and a peak of standard deviation s is (width / sqrt 2)^2 / (2 s^2)
        nats higher than the corner of a cell around it.
        """
        side, within = round(2 * EXTENT / width), round(COARSEST / width)
        coarse = cell // side // within * (side // within) + cell % side // within
        return 16.0 + width**2 / 4 * self.sharpest[coarse]

    @torch.inference_mode()
    def _decoded(self, cells: Int[Tensor, " n"], width: float) -> Iterator[tuple[Tensor, Float[Tensor, "n pixels"]]]:
        device = self.model.device
        for chunk in cells.split(AT_ONCE):
            yield chunk, self.model.decode(_midpoints(chunk, width, device)).base_dist.logits.flatten(1)


def log_evidence(model: VAE, x: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
    """log p(x), nats, of binary pictures under a model with two latents; error below 1e-2 nats.

    ValueError for other models. For pictures that come one by one, keep a `Grid`, which decodes the plane only once.
    """
    return Grid(model).evidence(x).log_evidence


def _information(logits: Float[Tensor, "n pixels"]) -> Float[Tensor, " n"]:
    """The largest Fisher information about z in the nine coarsest cells around each: its trace, per unit of z squared.

    Where the decoder folds the plane a step of z tells much, and posteriors may be as narrow as that.
    """
    side = round(2 * EXTENT / COARSEST)
    rows = logits.view(side, side, -1)
    down = torch.stack([_information_of_step(one, other) for one, other in pairwise(rows)])
    across = torch.stack([_information_of_step(row[:-1], row[1:]) for row in rows])
    trace = F.pad(down, (0, 0, 0, 1)) + F.pad(across, (0, 1))
    return F.max_pool2d(trace[None], 3, stride=1, padding=1).flatten()


def _information_of_step(one: Float[Tensor, "n pixels"], other: Float[Tensor, "n pixels"]) -> Float[Tensor, " n"]:
    """The information in the step between neighbouring cells: p (1 - p) d^2 of bits whose log-odds differ by d."""
    p = ((one + other) / 2).sigmoid()
    return (p * (1 - p) * (other - one).square()).sum(1) / COARSEST**2


def _midpoints(cells: Int[Tensor, " n"], width: float, device: torch.device) -> Float[Tensor, "n 2"]:
    side = round(2 * EXTENT / width)
    position = torch.stack([cells // side, cells % side], dim=1).to(device)
    return (position + 0.5) * width - EXTENT


def _children(cells: Int[Tensor, " n"], width: float) -> Int[Tensor, "n 4"]:
    """The four cells of half the width that make up each cell."""
    side = round(2 * EXTENT / width)
    first = (cells // side) * 2 * (2 * side) + (cells % side) * 2
    return first[:, None] + torch.tensor([0, 1, 2 * side, 2 * side + 1], device=cells.device)


def _log_joint(
    x: Float[Tensor, "b pixels"], logits: Float[Tensor, "n pixels"], z: Float[Tensor, "n 2"]
) -> Float[Tensor, "b n"]:
    """log p(x|z) + log p(z); the Bernoulli likelihood of bits is x . logits - sum softplus(logits)."""
    constant = -F.softplus(logits).sum(1) - 0.5 * z.square().sum(1) - math.log(2 * math.pi)
    return torch.addmm(constant, x, logits.T)


def _log_integral(pictures: int, picture: Tensor, value: Tensor, width: float) -> Float[Tensor, " b"]:
    """log sum exp(value) width^2 over the cells of each picture."""
    best = torch.full((pictures,), -math.inf, device=value.device).scatter_reduce_(0, picture, value, "amax")
    total = torch.zeros_like(best).index_add_(0, picture, (value - best[picture]).exp())
    return torch.where(best.isinf(), best, best + total.log()) + 2 * math.log(width)
