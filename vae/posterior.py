"""Two latents: the true posterior p(z|x) on the plane, and the gap KL(q || p(z|x)); not by the ways of `vae.exact`.

The plane [-6, 6]^2 is cut into 480 x 480 cells of width 0.025, whose decoded log-odds are kept, so that the likelihood
of a picture everywhere is a sum over its ink: p(x|z) = exp(sum_ink logit(z) - sum softplus(logit(z))). Cells that may
hold a share of the posterior are decoded again, eight times as fine.
"""

import hashlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Independent

from vae.models import VAE

EXTENT, SIDE = 6.0, 480
WIDTH = 2 * EXTENT / SIDE
UNIT = (
    512  # kept log-odds are whole multiples of 1/UNIT: sums of them are exact, and adding a pixel or taking it back too
)
AT_ONCE = 2400  # places decoded in one pass: 5 rows of cells
FINER = 8  # pieces of a cell's side where the posterior is
DEPTH = 16.0  # nats below the best cell at which a cell can be left as it is
MOST_CELLS = 400  # cells decoded again, at most
NODES = 20  # of Gauss-Hermite quadrature, on each axis


class Window(NamedTuple):
    """A square of the plane and log p(z|x) up to a constant in it, rows upwards: at most 0, which is the best place."""

    middle: tuple[float, float]
    half: float
    log_density: Float[np.ndarray, "side side"]


class Plane:
    """A decoder's log-odds on the whole plane, kept in a file: 361 MB on disk at 28 x 28 pixels, mapped and not read.

    Only the rows of a picture's ink are touched; besides them it holds 1 MB, and 4 MB more while it adds them up.
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

    def log_joint(self, x: Float[Tensor, "1 c h w"]) -> Float[np.ndarray, "SIDE SIDE"]:
        """log p(x, z) at the middle of every cell, nats, within 0.02; rows go upwards, columns to the right."""
        total = np.zeros(SIDE * SIDE, np.int32)
        for pixel in np.flatnonzero(x.flatten().numpy() > 0.5):
            total += self._logits[pixel]
        return (total.astype(np.float32) / UNIT + self._constant).reshape(SIDE, SIDE)

    def log_evidence(
        self, x: Float[Tensor, "1 c h w"], joint: Float[np.ndarray, "SIDE SIDE"] | None = None
    ) -> tuple[float, float]:
        """(log p(x), what the finer cells changed), nats: a sum over all cells, finer where the posterior is.

        `joint` is `log_joint(x)` where it is known. A posterior narrower than a finer cell (0.003) is missed.
        """
        joint = self.log_joint(x) if joint is None else joint
        flat = joint.flatten()
        near = np.argpartition(-flat, MOST_CELLS)[:MOST_CELLS]
        near = near[flat[near] > flat.max() - DEPTH]
        z = torch.from_numpy(_middles(near))
        steps = (torch.arange(FINER) + 0.5) / FINER - 0.5
        inside = torch.cartesian_prod(steps, steps).float() * WIDTH
        finer = self.at((z[:, None] + inside).flatten(0, 1), x).numpy() - 2 * math.log(FINER)
        rest = np.delete(flat, near)
        coarse = _log_sum(flat) + 2 * math.log(WIDTH)
        value = _log_sum(np.concatenate([rest, finer])) + 2 * math.log(WIDTH)
        return value, abs(value - coarse)

    @torch.inference_mode()
    def at(self, z: Float[Tensor, "n 2"], x: Float[Tensor, "1 c h w"]) -> Float[Tensor, " n"]:
        """log p(x, z) decoded at each z, nats."""
        device = next(self.model.parameters()).device
        parts = []
        for part in z.to(device).split(AT_ONCE):
            likelihood = self.model.decode(part).log_prob(x.to(device).expand(len(part), -1, -1, -1))
            parts.append(likelihood + self.model.prior.log_prob(part))
        return torch.cat(parts).cpu()

    def window(self, x: Float[Tensor, "1 c h w"], q: Independent, side: int = 32) -> Window:
        """The part of the plane that holds q and the posterior's best cell, decoded afresh on side x side places."""
        joint = self.log_joint(x)
        best = torch.from_numpy(_middles(np.array([joint.argmax()])))[0]
        mu, sigma = q.mean[0].cpu(), q.stddev[0].cpu()
        corners = torch.stack([mu - 4 * sigma, mu + 4 * sigma, best - 3 * WIDTH, best + 3 * WIDTH])
        low, high = corners.amin(0), corners.amax(0)
        middle, half = (low + high) / 2, float((high - low).max()) / 2
        steps = ((torch.arange(side) + 0.5) / side * 2 - 1) * half
        z = torch.stack([steps.expand(side, side), steps[:, None].expand(side, side)], -1).flatten(0, 1) + middle
        found = self.at(z, x).numpy().reshape(side, side)
        return Window(tuple(middle.tolist()), half, found - found.max())


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
    """Decode every cell and keep it: pixel by pixel, so that one pixel's log-odds lie together."""
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_suffix(".part")
    pixels, cells = model.input_spec.pixels, SIDE * SIDE
    device = next(model.parameters()).device
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


def _log_sum(values: np.ndarray) -> float:
    best = float(values.max())
    return best + math.log(np.exp(values - best, dtype=np.float64).sum())
