"""The encodings of the test set around a place: how crowded it is there, and who is near."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64, UInt8
from scipy.ndimage import gaussian_filter
from torch import Tensor

from vae.latent.aggregate import aggregate_log_density

NEIGHBOURS = 8
LATTICE = 3e-3  # more than what places lose by rounding to 1/1000, and encodings by half precision


@dataclass(frozen=True, eq=False)
class Company:
    """(mu, sigma) of q(z|x) for the pictures of a data set, and the pictures, 0 to 255; on the CPU."""

    mu: Float[Tensor, "n d"]
    sigma: Float[Tensor, "n d"]
    pictures: UInt8[Tensor, "n c h w"]

    def __len__(self) -> int:
        return len(self.mu)

    @property
    def bytes(self) -> int:
        """How much memory it takes."""
        return self.mu.nbytes + self.sigma.nbytes + self.pictures.nbytes

    @cached_property
    def metric(self) -> Float[Tensor, "d d"]:
        """G, by which a step dz is sqrt(dz' G dz) long: latents count by how much they change pictures.

        Of the linear map that predicts pictures best from z ~ q(z|x), with eigenvalues of mean 1: where all latents
        count alike, lengths are those of z. One latent may redraw a digit where another only bends its foot, so plain
        distances say little of how alike pictures are.
        """
        offsets = (self.mu - self.mu.mean(0)).double()
        covariance = offsets.T @ offsets + self.sigma.double().square().sum(0).diag()
        products = sum(
            part.T @ pictures.flatten(1).double()
            for part, pictures in zip(offsets.split(1000), self.pictures.split(1000), strict=True)
        )
        slopes = torch.linalg.solve(covariance, products)
        changes = slopes @ slopes.T
        return (changes / changes.diagonal().mean()).float()

    @cached_property
    def yardstick(self) -> Float[Tensor, "d d"]:
        """L with L L' = `metric`: distances by the metric are those between z L."""
        values, vectors = torch.linalg.eigh(self.metric)
        return vectors * values.clamp(min=0).sqrt()

    @cached_property
    def measured(self) -> Float[Tensor, "n d"]:
        """mu L."""
        return self.mu @ self.yardstick

    def without(self, z: Float[Tensor, "b d"]) -> "Company":
        """The others: without encodings whose mean is one of these places, as the hand keeps places."""
        own = ((self.mu - place).abs().amax(1) <= LATTICE for place in z)
        kept = ~torch.stack(list(own)).any(0)
        return self if kept.all() else Company(self.mu[kept], self.sigma[kept], self.pictures[kept])


class Near(NamedTuple):
    """`log_density` of the aggregate posterior at each z, nats; the nearest means, and how far they are by `metric`."""

    log_density: Float[Tensor, " b"]
    distances: Float[Tensor, "b k"]
    indices: Int64[Tensor, "b k"]


@torch.inference_mode()
def near(company: Company, z: Float[Tensor, "b d"]) -> Near:
    """The `NEIGHBOURS` closest encodings of each z, closest first, and the density there.

    A picture at whose own place z is does not count: with many latents it would lie at a peak of its own.
    """
    # without the product of matrices, which confuses the closest
    distances = torch.cdist(z @ company.yardstick, company.measured, compute_mode="donot_use_mm_for_euclid_dist")
    distances, indices = distances.topk(NEIGHBOURS, largest=False)
    log_density = aggregate_log_density(z, company.mu, company.sigma)
    at_home = ((company.mu[indices] - z[:, None]).abs().amax(2) <= LATTICE).any(1)
    for row in at_home.nonzero()[:, 0].tolist():
        others = company.without(z[row : row + 1])
        log_density[row] = aggregate_log_density(z[row : row + 1], others.mu, others.sigma)[0]
    return Near(log_density, distances, indices)


def typical_densities(company: Company, count: int = 400, seed: int = 0) -> Float[Tensor, " count"]:
    """Log densities, ascending, of places where pictures are encoded: z ~ q(z|x) of `count` pictures under all others.

    With itself in its company every picture would lie at a peak of its own. Of few pictures it is a half.
    """
    generator, count = torch.Generator().manual_seed(seed), min(count, len(company) // 2)
    order = torch.randperm(len(company), generator=generator)
    some, others = order[:count], order[count:]
    z = company.mu[some] + company.sigma[some] * torch.randn(company.mu[some].shape, generator=generator)
    return aggregate_log_density(z, company.mu[others], company.sigma[others]).sort().values


def shadow(
    company: Company, along: Float[Tensor, "2 d"], middle: tuple[float, float], far: float, side: int, seed: int = 0
) -> Float[Tensor, "side side"]:
    """How crowded a plane is: for each cell the share of encodings that lie in less dense cells; rows go upwards.

    The aggregate posterior, projected along two directions, from 10 draws of each q(z|x), counted in side x side cells
    of the square `middle` +- `far` and smoothed over one cell.
    """
    generator = torch.Generator().manual_seed(seed)
    draws = company.mu + company.sigma * torch.randn(10, *company.mu.shape, generator=generator)
    cells = _cells(draws.flatten(0, 1) @ along.T, middle, far, side)
    counts = torch.bincount(cells[cells >= 0], minlength=side**2).view(side, side)
    density = torch.from_numpy(gaussian_filter(counts.double().numpy(), 1.0)).flatten()
    own = _cells(company.mu @ along.T, middle, far, side)
    levels = torch.where(own >= 0, density[own.clamp(min=0)], 0.0).sort().values
    return (torch.searchsorted(levels, density) / len(levels)).float().view(side, side)


def _cells(places: Float[Tensor, "n 2"], middle: tuple[float, float], far: float, side: int) -> Int64[Tensor, " n"]:
    """The index of each place's cell, row by row from below; -1 outside."""
    steps = ((places - places.new_tensor(middle)) / (2 * far) + 0.5).mul(side).floor().long()
    inside = ((steps >= 0) & (steps < side)).all(1)
    return torch.where(inside, steps[:, 1] * side + steps[:, 0], -1)
