"""Two latents: the true posterior p(z|x) on the plane, and the gap KL(q || p(z|x)); not by the ways of `vae.exact`.

The plane [-6, 6]^2 is cut into 480 x 480 cells of width 0.025, whose decoded log-odds are kept, so that the likelihood
of a picture everywhere is a sum over its ink: p(x|z) = exp(sum_ink logit(z) - sum softplus(logit(z))). Cells that may
hold a share of the posterior are decoded again, eight times as fine.
"""

import errno
import hashlib
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from torch.distributions import Independent

from vae.models import VAE

EXTENT, SIDE = 6.0, 480
WIDTH = 2 * EXTENT / SIDE
UNIT = 512  # kept log-odds are multiples of 1/UNIT: sums are exact, and so is to add a pixel or to take it back
AT_ONCE = 2400  # places decoded in one pass: 5 rows of cells
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
    """A decoder's log-odds on the whole plane, kept in a file: 361 MB on disk at 28 x 28 pixels, mapped and not read.

    Only the rows of a picture's ink are touched; besides them it holds 2 MB, and some 10 MB while a posterior is taken.
    ValueError for a model that has not two latents and binary pixels.
    """

    def __init__(self, model: VAE, folder: Path, progress: Callable[[float], None] = lambda share: None):
        if model.latents != 2 or model.input_spec.levels != 2:
            raise ValueError(f"a plane needs two latents and binary pixels, not {model.latents} latents")
        self.model = model
        place = folder / f"{fingerprint(model)}.i16"
        shape = (model.input_spec.pixels, SIDE * SIDE)
        if not (place.is_file() and place.stat().st_size == 2 * shape[0] * shape[1] + 4 * shape[1]):
            _build(model, place, progress)
        self._constant = np.fromfile(place, np.float32, SIDE * SIDE)
        self._logits = np.memmap(place, np.int16, "r", offset=4 * SIDE * SIDE, shape=shape)
        self._last = np.zeros(shape[0], bool), np.zeros(shape[1], np.int32)

    def log_joint(self, x: Float[Tensor, "1 c h w"]) -> Float[np.ndarray, "SIDE SIDE"]:
        """log p(x, z) at the middle of every cell, nats, within 0.02; rows go upwards, columns to the right."""
        ink = x.flatten().numpy() > 0.5
        before, total = self._last  # a picture that is being drawn differs from the one before in a few pixels
        if np.count_nonzero(ink != before) > np.count_nonzero(ink):
            before, total = np.zeros_like(ink), np.zeros_like(total)
        total = total.copy()
        for pixel in np.flatnonzero(ink & ~before):
            total += self._logits[pixel]
        for pixel in np.flatnonzero(before & ~ink):
            total -= self._logits[pixel]
        self._last = ink, total
        return (total.astype(np.float32) / UNIT + self._constant).reshape(SIDE, SIDE)

    @torch.inference_mode()
    def at(self, z: Float[Tensor, "n 2"], x: Float[Tensor, "1 c h w"]) -> Float[Tensor, " n"]:
        """log p(x, z) decoded at each z, nats."""
        device = next(self.model.parameters()).device
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
        weighty = np.flatnonzero(share > LIGHT)
        weighty = weighty[np.argsort(-share[weighty])]
        sums = np.cumsum(share[weighty], dtype=np.float64)
        held = int(np.searchsorted(sums, (1 - TAIL) * sums[-1])) + 1
        finer = min(FINER, max(2, math.isqrt(places // held)))
        heavy, light = np.split(weighty, [min(held, places // finer**2)])
        finest = self._finer(heavy, finer, x)
        mass, rest = np.exp(finest - best, dtype=np.float64) / finer**2, float(sums[-1] - sums[len(heavy) - 1])
        chessboard = np.indices((finer, finer)).sum(0).flatten() % 2 == 0
        evidence = best + math.log(mass.sum() + rest) + 2 * math.log(WIDTH)
        half = math.log(mass[:, chessboard].sum() / chessboard.mean() + rest) - math.log(mass.sum() + rest)
        densities = np.concatenate([finest.flatten(), joint.flat[light]]) - evidence
        masses = np.concatenate([mass.flatten(), share[light]])
        falling = np.argsort(-densities)
        inside = np.cumsum(masses[falling]) / masses.sum()
        levels = densities[falling[np.searchsorted(inside, MASSES)]]
        pooled = share.reshape(SIDE // POOLED, POOLED, SIDE // POOLED, POOLED).mean((1, 3))
        whole = np.log(np.maximum(pooled, LIGHT)) + best
        near, block = _around(heavy, SHOWN), _around(heavy, SHOWN_FINE // finer)
        fine = F.interpolate(torch.from_numpy(joint[block])[None, None], scale_factor=finer, mode="bicubic")[0, 0]
        fine = fine.numpy().reshape(block[0].stop - block[0].start, finer, -1, finer)
        row, column = heavy // SIDE - block[0].start, heavy % SIDE - block[1].start
        here = (row >= 0) & (row < fine.shape[0]) & (column >= 0) & (column < fine.shape[2])
        fine[row[here], :, column[here]] = finest[here].reshape(-1, finer, finer)
        fine = fine.reshape(fine.shape[0] * finer, -1)
        return Posterior(
            evidence,
            abs(half),
            tuple(levels.tolist()),
            (
                Raster(-EXTENT, -EXTENT, POOLED * WIDTH, whole - evidence),
                Raster(*_corner(near), WIDTH, joint[near] - evidence),
                Raster(*_corner(block), WIDTH / finer, fine - evidence),
            ),
        )

    def _finer(self, cells: Int[np.ndarray, " n"], finer: int, x: Tensor) -> Float[np.ndarray, "n pieces"]:
        """log p(x, z) decoded at the middles of finer x finer pieces of each cell, rows upwards."""
        steps = (torch.arange(finer) + 0.5) / finer - 0.5
        up, across = torch.meshgrid(steps, steps, indexing="ij")
        z = torch.from_numpy(_middles(cells))[:, None] + torch.stack([across, up], -1).flatten(0, 1).float() * WIDTH
        return self.at(z.flatten(0, 1), x).numpy().reshape(len(cells), -1)


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


def fingerprint(model: VAE) -> str:
    """A name for the decoder's weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.decoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:24]


@torch.inference_mode()
def gap(
    model: VAE, x: Float[Tensor, "1 c h w"], q: Independent, log_evidence: float, nodes: int = NODES
) -> tuple[float, float]:
    """(KL(q || p(z|x)), how much fewer nodes change it), nats: the integral of q log(q / p(x, z)), plus log p(x).

    Gauss-Hermite quadrature over q, which no sample is drawn for.
    """
    device = next(model.parameters()).device
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


def _build(model: VAE, place: Path, progress: Callable[[float], None]) -> None:
    """Decode every cell and keep it: pixel by pixel, so that one pixel's log-odds lie together.

    It takes some 50 MB at 28 x 28 pixels, and pages of the file itself, which the system may write out at any time.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_suffix(f".{os.getpid()}.part")  # another process may build the same
    pixels, cells = model.input_spec.pixels, SIDE * SIDE
    device = next(model.parameters()).device
    if shutil.disk_usage(place.parent).free < 4 * cells + 2 * pixels * cells:  # or the writes below end the process
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(place.parent))
    with partial.open("wb") as file:
        file.truncate(4 * cells + 2 * pixels * cells)
    constant = np.memmap(partial, np.float32, "r+", shape=(cells,))
    kept = np.memmap(partial, np.int16, "r+", offset=4 * cells, shape=(pixels, cells))
    with torch.inference_mode():
        for start in range(0, cells, AT_ONCE):
            z = torch.from_numpy(_middles(np.arange(start, start + AT_ONCE))).to(device)
            logits = model.decode(z).base_dist.logits.flatten(1)
            constant[start : start + AT_ONCE] = (model.prior.log_prob(z) - F.softplus(logits).sum(1)).cpu().numpy()
            whole = (logits * UNIT).round().clamp(-(2**15), 2**15 - 1).to(torch.int16)
            kept[:, start : start + AT_ONCE] = whole.T.cpu().numpy()
            progress((start + AT_ONCE) / cells)
    constant.flush()
    kept.flush()
    partial.replace(place)


def _middles(cells: np.ndarray) -> Float[np.ndarray, "n 2"]:
    """The middle of each cell, (across, up)."""
    return ((np.stack([cells % SIDE, cells // SIDE], 1) + 0.5) * WIDTH - EXTENT).astype(np.float32)
