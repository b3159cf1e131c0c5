"""One picture through one model, with every number about it: the record that pages read."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from numpy.polynomial.hermite_e import hermegauss
from torch import Tensor
from torch.distributions import Independent, Normal

from vae.distributions import DiscretizedLogistic, bits_per_dimension, kl_per_dimension, rsample, stratified
from vae.inference.evidence import Grid
from vae.inference.posterior import THOROUGH, Plane, gap
from vae.models import VAE

BLOCKS, BLOCK = 48, 16  # of stratified draws
SAMPLES, IW_SAMPLES, SKETCH_SAMPLES = BLOCKS * BLOCK, 1000, 32
AT_ONCE = 2**20  # pixel values that are decoded together
# Of pictures of so many values and more, which take a hundred times as long, there are fewer draws.
LARGE, LARGE_BLOCKS, LARGE_IW_SAMPLES = 4096, 12, 200


class Estimate(NamedTuple):
    """A number in nats and its standard error, or for a quadrature what its last refinement changed."""

    value: float
    error: float


@dataclass(frozen=True, eq=False)
class Frame:
    """x, its posterior, one sample z = mu + sigma eps of it, the picture decoded from that z, and the ledger.

    Scalars are nats per picture. `reconstruction` is E_q[log p(x|z)] over `samples` stratified draws, `bound` the
    importance-weighted bound of `iw_samples` independent ones; its error is that of the mean weight p(x, z) / q(z|x),
    as a share of it. For two latents only: `log_evidence`, log p(x) by quadrature.

    The others are there for `vae.inference.ledger` to hold against these: `kl_integrated` is the KL of each latent by
    quadrature; `kl_sampled` is E_q[log q(z|x) - log p(z)] over the draws of the reconstruction, and
    `reconstruction_again` their log p(x|z) by another formula; `elbo_again` is E_q[log p(x, z) - log q(z|x)] over the
    draws of the bound, and `bound_again` their weights added up one by one; `log_evidence_again` is log p(x) by another
    quadrature, and `divergence`, by a third, KL(q(z|x) || p(z|x)).
    """

    x: Float[Tensor, "c h w"]
    mu: Float[Tensor, " d"]
    sigma: Float[Tensor, " d"]
    eps: Float[Tensor, " d"]
    z: Float[Tensor, " d"]
    mean: Float[Tensor, "c h w"]
    kl_per_dimension: Float[Tensor, " d"]
    kl_integrated: Float[Tensor, " d"]
    kl_sampled: Estimate
    reconstruction: Estimate
    reconstruction_again: float
    elbo_again: Estimate
    bound: Estimate
    bound_again: float
    log_evidence: Estimate | None
    log_evidence_again: Estimate | None
    divergence: Estimate | None
    samples: int = SAMPLES
    iw_samples: int = IW_SAMPLES

    @property
    def kl(self) -> float:
        """KL(q(z|x) || p(z))."""
        return float(self.kl_per_dimension.sum())

    @property
    def elbo(self) -> float:
        """E_q[log p(x|z)] - KL(q(z|x) || p(z))."""
        return self.reconstruction.value - self.kl

    @property
    def iwae(self) -> float:
        """The importance-weighted bound of all draws."""
        return self.bound.value

    @property
    def gap(self) -> float | None:
        """log p(x) - ELBO = KL(q(z|x) || p(z|x)); None where log p(x) is not known."""
        return None if self.log_evidence is None else self.log_evidence.value - self.elbo

    @property
    def bits_per_dimension(self) -> float:
        """-ELBO in bits per pixel value."""
        return float(bits_per_dimension(torch.tensor(-self.elbo), self.x.numel()))


@torch.inference_mode()
def frame(
    model: VAE,
    x: Float[Tensor, "1 c h w"],
    seed: int = 0,
    grid: Grid | None = None,
    plane: Plane | None = None,
) -> Frame:
    """The record of one picture, on the CPU; `seed` determines eps and every estimate.

    `grid` gives log p(x), `plane` gives it again and the divergence from the posterior.
    """
    device = model.device
    x = x.to(device)
    generator = torch.Generator(device).manual_seed(seed)
    q = model.encode(x)
    eps = torch.randn(q.mean.shape, generator=generator, device=device)
    z = q.mean + q.stddev * eps
    blocks, iw_samples = (BLOCKS, IW_SAMPLES) if x.numel() < LARGE else (LARGE_BLOCKS, LARGE_IW_SAMPLES)
    draws = stratified(q, generator, blocks, BLOCK).flatten(0, 2)
    reconstructions, again = _log_likelihoods(model, draws, x)
    others = rsample(q, generator, (iw_samples,)).flatten(0, 1)
    weights = (_log_likelihoods(model, others, x)[1] - _log_ratio(model, q, others)).cpu().double()
    bound, evidence_again, divergence = _bound(weights), None, None
    if plane is not None:
        evidence_again, divergence = _on_plane(model, x, q, plane)
    return Frame(
        x=x[0].cpu(),
        mu=q.mean[0].cpu(),
        sigma=q.stddev[0].cpu(),
        eps=eps[0].cpu(),
        z=z[0].cpu(),
        mean=model.decode(z).mean[0].cpu(),
        kl_per_dimension=kl_per_dimension(q, model.prior)[0].cpu(),
        kl_integrated=_integrated_kl(model, q),
        kl_sampled=Estimate(float(_log_ratio(model, q, draws).mean()), _error_of_sampled_kl(q, len(draws))),
        reconstruction=_mean(reconstructions, blocks),
        reconstruction_again=float(again.mean()),
        elbo_again=_mean(weights, iw_samples),
        bound=bound,
        bound_again=float(weights.logcumsumexp(0)[-1]) - math.log(iw_samples),
        log_evidence=None if grid is None else Estimate(*(float(value) for value in grid.evidence(x))),
        log_evidence_again=evidence_again,
        divergence=divergence,
        samples=len(draws),
        iw_samples=iw_samples,
    )


def _log_likelihoods(
    model: VAE, z: Float[Tensor, "n d"], x: Float[Tensor, "1 c h w"]
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """log p(x|z) of one picture at many places, nats, by `log_prob` and by `log_likelihood`; so many places at a time
    as have AT_ONCE pixel values."""
    found = []
    for places in z.split(max(1, AT_ONCE // x.numel())):
        likelihood = model.decode(places)
        found.append((likelihood.log_prob(x.expand(len(places), -1, -1, -1)), log_likelihood(likelihood, x)))
    first, second = zip(*found, strict=True)
    return torch.cat(first), torch.cat(second)


def log_likelihood(likelihood: Independent, x: Float[Tensor, "1 c h w"]) -> Float[Tensor, " n"]:
    """log p(x|z) of one picture, nats, by formulas that share nothing with the likelihoods' own `log_prob`.

    Of bits x . logits - sum softplus(logits); of levels the difference of the logistic's distribution function at the
    ends of each bin, in float64 and from the nearer tail.
    """
    pixels = likelihood.base_dist
    if isinstance(pixels, DiscretizedLogistic):
        return _log_bins(pixels, x).flatten(1).sum(1).to(x.dtype)
    logits = pixels.logits.flatten(1)
    return logits @ x.flatten() - F.softplus(logits).sum(1)


def _log_bins(pixels: DiscretizedLogistic, x: Float[Tensor, "1 c h w"]) -> Float[Tensor, "n c h w"]:
    """The log probability of each pixel's level."""
    level = (x.double() * (pixels.levels - 1)).round()
    ends = [(level + side - 0.5) / (pixels.levels - 1) for side in (0, 1)]
    below, above = ((end - pixels.loc.double()) / pixels.log_scale.double().exp() for end in ends)
    below = torch.where(level == 0, -torch.inf, below)
    above = torch.where(level == pixels.levels - 1, torch.inf, above)
    flipped = below + above > 0  # beyond the middle both are nearly 1: their complements tell them apart
    low, high = torch.where(flipped, -above, below), torch.where(flipped, -below, above)
    return F.logsigmoid(high) + torch.log(-torch.expm1(F.logsigmoid(low) - F.logsigmoid(high)))


def _log_ratio(model: VAE, q: Independent, z: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """log q(z|x) - log p(z)."""
    return q.log_prob(z) - model.prior.log_prob(z)


def _integrated_kl(model: VAE, q: Independent) -> Float[Tensor, " d"]:
    """KL(q || p(z)) of each latent by Gauss-Hermite quadrature, exact: between Gaussians log q - log p is quadratic."""
    nodes, weights = (torch.from_numpy(part).float().to(q.mean.device) for part in hermegauss(3))
    z = q.mean + q.stddev * nodes[:, None]
    log_ratio = q.base_dist.log_prob(z) - model.prior.base_dist.log_prob(z)
    return (weights @ log_ratio / weights.sum()).cpu()


def _error_of_sampled_kl(q: Independent, samples: int) -> float:
    """The standard error of the mean of log q(z|x) - log p(z) over the stratified draws, known without them.

    Where an error is estimated by few draws that have missed a tail, it is too small as well. With z = mu + sigma eps a
    latent's part is 1/2 (sigma^2 - 1) eps^2 + mu sigma eps, and what varies is each power of eps within an interval:
    its second moment less that of the intervals' means, by the moments of a truncated normal. p(z) is N(0, I).
    """
    eps = Normal(0.0, 1.0)
    edges = eps.icdf(torch.linspace(0, 1, BLOCK + 1, dtype=torch.float64)[1:-1])
    density = F.pad(eps.log_prob(edges).exp(), (1, 1))
    means = -BLOCK * density.diff()
    means_of_squares = 1 - BLOCK * (F.pad(edges, (1, 1)) * density).diff()
    varies, squares_vary = float(1 - means.square().mean()), float(3 - means_of_squares.square().mean())
    mu, variance = q.mean.double().cpu(), q.variance.double().cpu()
    total = mu.square() * variance * varies + 0.25 * (variance - 1).square() * squares_vary
    return float((total.sum() / samples).sqrt())


def _mean(values: Float[Tensor, " n"], blocks: int) -> Estimate:
    """The mean, with the standard error of the means of independent blocks."""
    means = values.unflatten(0, (blocks, -1)).mean(1)
    return Estimate(float(means.mean()), float(means.std() / blocks**0.5))


def _bound(weights: Float[Tensor, " n"]) -> Estimate:
    """log of the mean weight, and the standard error of the mean as a share of it."""
    relative = (weights - weights.max()).exp()
    error = relative.std() / relative.mean() / len(weights) ** 0.5
    return Estimate(float(weights.logsumexp(0)) - math.log(len(weights)), float(error))


def _on_plane(model: VAE, x: Float[Tensor, "1 c h w"], q: Independent, plane: Plane) -> tuple[Estimate, Estimate]:
    """log p(x) and KL(q(z|x) || p(z|x)), nats."""
    true = plane.posterior(x.cpu(), THOROUGH)
    found, missed = gap(model, x, q, true.log_evidence)
    return Estimate(true.log_evidence, true.error), Estimate(found, true.error + missed)


class Ink(NamedTuple):
    """What a reconstruction changes, as shares of the picture's ink: what of it is missing, and what is added."""

    missed: float
    added: float


def ink(x: Float[Tensor, "c h w"], mean: Float[Tensor, "c h w"]) -> Ink:
    """How much of the ink of x, levels from 0 to 1, E[x|z] misses and adds; 0 and 0 of a picture without ink."""
    gap, whole = x - mean, x.sum()
    if whole == 0:
        return Ink(0.0, 0.0)
    return Ink(float(gap.clamp(min=0).sum() / whole), float((-gap).clamp(min=0).sum() / whole))


class Glimpse(NamedTuple):
    """What of a `Frame` is there at once, row by row, on the CPU: the sample z, its picture, and the KL, nats."""

    mu: Float[Tensor, "b d"]
    z: Float[Tensor, "b d"]
    mean: Float[Tensor, "b c h w"]
    kl_per_dimension: Float[Tensor, "b d"]


@torch.inference_mode()
def glimpse(model: VAE, x: Float[Tensor, "b c h w"], seeds: Int64[Tensor, " b"]) -> Glimpse:
    """The beginnings of the records of pictures, each by its own seed."""
    device = model.device
    q = model.encode(x.to(device))
    generators = [torch.Generator(device).manual_seed(int(seed)) for seed in seeds]
    eps = [torch.randn(model.latents, generator=generator, device=device) for generator in generators]
    z = q.mean + q.stddev * torch.stack(eps)
    found = Glimpse(q.mean, z, model.decode(z).mean, kl_per_dimension(q, model.prior))
    return Glimpse(*(field.cpu() for field in found))


class Sketch(NamedTuple):
    """What can be known of pictures while they are being drawn, row by row; nats, on the CPU.

    `mean` is E[x|z = mu]; `reconstruction` is E_q[log p(x|z)] over `SKETCH_SAMPLES` draws with its standard error.
    """

    mean: Float[Tensor, "b c h w"]
    mu: Float[Tensor, "b d"]
    sigma: Float[Tensor, "b d"]
    kl_per_dimension: Float[Tensor, "b d"]
    reconstruction: Float[Tensor, " b"]
    reconstruction_error: Float[Tensor, " b"]


@torch.inference_mode()
def sketch(model: VAE, x: Float[Tensor, "b c h w"], seed: int = 0) -> Sketch:
    """Encode pictures and decode them; all rows are sampled with the same noise, that of `seed`."""
    device = model.device
    x = x.to(device)
    q = model.encode(x)
    noise = torch.randn(
        (SKETCH_SAMPLES, 1, model.latents), generator=torch.Generator(device).manual_seed(seed), device=device
    )
    z = q.mean + q.stddev * noise
    together = max(1, AT_ONCE // x.numel())  # rounds through all rows
    draws = torch.cat(
        [
            model.decode(places.flatten(0, 1)).log_prob(x.repeat(len(places), 1, 1, 1)).unflatten(0, places.shape[:2])
            for places in z.split(together)
        ]
    )
    result = Sketch(
        mean=model.decode(q.mean).mean,
        mu=q.mean,
        sigma=q.stddev,
        kl_per_dimension=kl_per_dimension(q, model.prior),
        reconstruction=draws.mean(0),
        reconstruction_error=draws.std(0) / SKETCH_SAMPLES**0.5,
    )
    return Sketch(*(field.cpu() for field in result))
