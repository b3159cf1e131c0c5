"""Two latents: the true posterior p(z|x) on the plane, and the gap KL(q || p(z|x)); not by the ways of
`vae.inference.evidence`.

The decoder's log-odds in the cells of the plane are kept (`vae.inference.plane`), so that the likelihood of a picture
everywhere is a sum over its ink: p(x|z) = exp(sum_ink logit(z) - sum softplus(logit(z))). Cells that may hold a share
of the posterior are decoded again, eight times as fine.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from torch.distributions import Independent

from vae.inference.plane import AT_ONCE, EXTENT, SIDE, UNIT, WIDTH, kept, middles
from vae.models import VAE

FINER = 8  # pieces of a cell's side where the posterior is
NODES = 20  # of Gauss-Hermite quadrature, on each axis
QUICK, THOROUGH = 320, 8000  # places decoded again, for a moving hand and for one at rest

MASSES = (0.5, 0.9, 0.99)  # what the regions of highest density hold
TAIL, LIGHT = 1e-4, 1e-12  # shares: of the mass, in cells not decoded again; of the best cell's density, left out
POOLED = 5  # cells on a side of a place of the whole plane's raster
SHOWN, SHOWN_FINE = 64, 160  # places on a side of the others, at most


class Raster(NamedTuple):
    """log p(z|x), nats, at places `width` apart on a rectangle from its lower left corner on; rows go upwards."""

    left: float
    bottom: float
    width: float
    log_density: Float[np.ndarray, "rows columns"]


class Posterior(NamedTuple):
    """p(z|x) of one picture: log p(x), its error, the regions of highest density, and p(z|x) on ever finer rasters.

    `error` is how much half of the places would change log p(x), nats; `levels` are the log densities inside which
    MASSES of p(z|x) lie.
    """

    log_evidence: float
    error: float
    levels: tuple[float, ...]
    rasters: tuple[Raster, ...]


class Plane:
    """p(z|x) of any picture, on a decoder's plane, which is opened or made in `folder` and mapped, not read.

    Only the rows of a picture's ink are touched; besides them it holds 3 MB, and some 10 MB while a posterior is taken.
    ValueError for a model that has not two latents and binary pixels, OSError where the file cannot be made.
    """

    def __init__(self, model: VAE, folder: Path, progress: Callable[[float], None] = lambda share: None):
        if model.latents != 2 or model.input_spec.levels != 2:
            raise ValueError(f"a plane needs two latents and binary pixels, not {model.latents} latents")
        self.model = model
        constant, self._log_odds, self._place = kept(model, folder, progress)
        self._constant = np.array(constant)
        self._last = np.zeros(len(self._log_odds), bool), np.zeros(len(constant), np.int32)

    def log_joint(self, x: Float[Tensor, "1 c h w"]) -> Float[np.ndarray, "SIDE SIDE"]:
        """log p(x, z) at every cell's place, nats, within 0.02; rows go upwards, columns to the right."""
        ink = x.flatten().cpu().numpy() > 0.5
        before, total = self._last  # a picture that is being drawn differs from the one before in a few pixels
        if np.count_nonzero(ink != before) > np.count_nonzero(ink):
            before, total = np.zeros_like(ink), np.zeros_like(total)
        total = total.copy()
        for pixel in np.flatnonzero(ink & ~before):
            total += self._log_odds[pixel]
        for pixel in np.flatnonzero(before & ~ink):
            total -= self._log_odds[pixel]
        self._last = ink, total
        return (total.astype(np.float32) / UNIT + self._constant)[self._place].reshape(SIDE, SIDE)

    @torch.inference_mode()
    def at(self, z: Float[Tensor, "n 2"], x: Float[Tensor, "1 c h w"]) -> Float[Tensor, " n"]:
        """log p(x, z) decoded at each z, nats."""
        device = self.model.device
        parts = []
        for part in z.to(device).split(AT_ONCE):
            likelihood = self.model.decode(part).log_prob(x.to(device).expand(len(part), -1, -1, -1))
            parts.append(likelihood + self.model.prior.log_prob(part))
        return torch.cat(parts).cpu()

    def posterior(self, x: Float[Tensor, "1 c h w"], places: int = QUICK) -> Posterior:
        """p(z|x): the cells that hold nearly all of it are decoded again, at up to so many `places` in all."""
        joint = self.log_joint(x)
        best = float(joint.max())
        share = np.exp(joint - best).flatten()
        heavy, light, finer = _divided(share, places)
        finest = self._finer(heavy, finer, x)
        mass, rest = np.exp(finest - best, dtype=np.float64) / finer**2, float(share[light].sum(dtype=np.float64))
        evidence, error = _evidence(mass, rest, best)
        densities = np.concatenate([finest.flatten(), joint.flat[light]]) - evidence
        levels = _levels(densities, np.concatenate([mass.flatten(), share[light]]))
        near = _around(heavy, SHOWN)
        rasters = (
            Raster(-EXTENT, -EXTENT, POOLED * WIDTH, _pooled(share) + best - evidence),
            Raster(*_corner(near), WIDTH, joint[near] - evidence),
            _fine(joint, heavy, finest, finer, evidence),
        )
        return Posterior(evidence, error, levels, rasters)

    def _finer(self, cells: Int[np.ndarray, " n"], finer: int, x: Tensor) -> Float[np.ndarray, "n pieces"]:
        """log p(x, z) decoded at the middles of finer x finer pieces of each cell, rows upwards."""
        steps = (torch.arange(finer) + 0.5) / finer - 0.5
        up, across = torch.meshgrid(steps, steps, indexing="ij")
        z = torch.from_numpy(middles(cells))[:, None] + torch.stack([across, up], -1).flatten(0, 1).float() * WIDTH
        return self.at(z.flatten(0, 1), x).numpy().reshape(len(cells), -1)


def _divided(share: Float[np.ndarray, " cells"], places: int) -> tuple[np.ndarray, np.ndarray, int]:
    """The cells to decode again, the heaviest first, the others of any weight, and how many pieces a side the first are
    cut into.
    """
    weighty = np.flatnonzero(share > LIGHT)
    weighty = weighty[np.argsort(-share[weighty])]
    sums = np.cumsum(share[weighty], dtype=np.float64)
    held = int(np.searchsorted(sums, (1 - TAIL) * sums[-1])) + 1
    finer = min(FINER, max(2, math.isqrt(places // held)))
    heavy = weighty[: min(held, places // finer**2)]
    if 9 * len(heavy) * finer**2 <= places:
        heavy = _with_neighbours(heavy)
    return heavy, weighty[~np.isin(weighty, heavy)], finer


def _evidence(mass: Float[np.ndarray, "n pieces"], rest: float, best: float) -> tuple[float, float]:
    """log p(x) of the masses of pieces and of the rest, relative to the best cell, and its error: how much half of the
    pieces, as on a chessboard, would change it.
    """
    finer = math.isqrt(mass.shape[1])
    chessboard = np.indices((finer, finer)).sum(0).flatten() % 2 == 0
    half = math.log(mass[:, chessboard].sum() / chessboard.mean() + rest) - math.log(mass.sum() + rest)
    return best + math.log(mass.sum() + rest) + 2 * math.log(WIDTH), abs(half)


def _levels(densities: Float[np.ndarray, " n"], masses: Float[np.ndarray, " n"]) -> tuple[float, ...]:
    """The log densities inside which MASSES of the whole lie."""
    falling = np.argsort(-densities)
    inside = np.cumsum(masses[falling]) / masses.sum()
    return tuple(densities[falling[np.searchsorted(inside, MASSES)]].tolist())


def _pooled(share: Float[np.ndarray, " cells"]) -> Float[np.ndarray, "rows columns"]:
    """The logarithm of the whole plane's shares, a place for POOLED x POOLED cells."""
    pooled = share.reshape(SIDE // POOLED, POOLED, SIDE // POOLED, POOLED).mean((1, 3))
    return np.log(np.maximum(pooled, LIGHT))


def _fine(
    joint: Float[np.ndarray, "SIDE SIDE"],
    heavy: Int[np.ndarray, " n"],
    finest: Float[np.ndarray, "n pieces"],
    finer: int,
    evidence: float,
) -> Raster:
    """The raster of pieces around the heavy cells: theirs as they were decoded, the others' in between their cells."""
    block = _around(heavy, SHOWN_FINE // finer)
    fine = F.interpolate(torch.from_numpy(joint[block])[None, None], scale_factor=finer, mode="bicubic")[0, 0]
    fine = fine.numpy().reshape(block[0].stop - block[0].start, finer, -1, finer)
    row, column = heavy // SIDE - block[0].start, heavy % SIDE - block[1].start
    here = (row >= 0) & (row < fine.shape[0]) & (column >= 0) & (column < fine.shape[2])
    fine[row[here], :, column[here]] = finest[here].reshape(-1, finer, finer)
    return Raster(*_corner(block), WIDTH / finer, fine.reshape(fine.shape[0] * finer, -1) - evidence)


def _with_neighbours(cells: Int[np.ndarray, " n"]) -> Int[np.ndarray, " m"]:
    """The cells, and after them those beside them: a peak narrower than a cell reaches where no middle shows it."""
    row, column = np.divmod(cells, SIDE)
    sides = [
        ((row + up).clip(0, SIDE - 1) * SIDE + (column + across).clip(0, SIDE - 1))
        for up in (-1, 0, 1)
        for across in (-1, 0, 1)
    ]
    return np.concatenate([cells, np.setdiff1d(np.concatenate(sides), cells)])


def _around(cells: np.ndarray, most: int) -> tuple[slice, slice]:
    """Rows and columns of a rectangle that holds some cells; where that is too large, the first is in its middle."""
    found = []
    for axis in (cells // SIDE, cells % SIDE):
        low, high = int(axis.min()) - 2, int(axis.max()) + 3
        if high - low > most:
            low, high = int(axis[0]) - most // 2, int(axis[0]) + most - most // 2
        found.append(slice(max(0, low), min(SIDE, high)))
    return tuple(found)


def _corner(square: tuple[slice, slice]) -> tuple[float, float]:
    """Left and bottom."""
    return square[1].start * WIDTH - EXTENT, square[0].start * WIDTH - EXTENT


@torch.inference_mode()
def gap(
    model: VAE, x: Float[Tensor, "1 c h w"], q: Independent, log_evidence: float, nodes: int = NODES
) -> tuple[float, float]:
    """(KL(q || p(z|x)), how much fewer nodes change it), nats: the integral of q log(q / p(x, z)), plus log p(x).

    Gauss-Hermite quadrature over q, which no sample is drawn for.
    """
    device = model.device
    found = []
    for count in (nodes, nodes - 6):
        points, weights = np.polynomial.hermite_e.hermegauss(count)
        eps = torch.cartesian_prod(*[torch.from_numpy(points).float()] * 2).to(device)
        weight = torch.outer(*[torch.from_numpy(weights)] * 2).flatten() / (2 * math.pi)
        z = q.mean + q.stddev * eps
        log_ratio = (
            q.log_prob(z) - model.decode(z).log_prob(x.to(device).expand(len(z), -1, -1, -1)) - model.prior.log_prob(z)
        )
        found.append(float((weight * log_ratio.cpu().double()).sum()) + log_evidence)
    return found[0], abs(found[0] - found[1])
