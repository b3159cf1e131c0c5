"""One picture through one model, with every number about it: the record that pages read."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Independent

from vae.aggregate import aggregate_log_density
from vae.distributions import bits_per_dimension, kl_per_dimension, normal, rsample
from vae.exact import Grid
from vae.models import VAE
from vae.posterior import THOROUGH, Plane, gap

SAMPLES, IW_SAMPLES, SKETCH_SAMPLES = 256, 1000, 32
BOUNDS = (1, 10, 100, IW_SAMPLES)  # k of the importance-weighted bounds
INFORMATION_SAMPLES = 64


class Estimate(NamedTuple):
    """A number in nats and its standard error, or for a quadrature what its last refinement changed."""

    value: float
    error: float


@dataclass(frozen=True, eq=False)
class Frame:
    """x, its posterior, one sample z = mu + sigma eps of it, the picture decoded from that z, and the ledger.

    Scalars are nats per picture. `reconstruction` is E_q[log p(x|z)] over `SAMPLES` draws. What follows is estimated
    anew, from `IW_SAMPLES` other draws, so that `vae.ledger` can hold one against the other: `kl_sampled` is
    E_q[log q(z|x) - log p(z)], `bounds` are the importance-weighted bounds of k draws, of which that of 1 is an ELBO.
    `information` is KL(q(z|x) || q(z)), where q(z) is the aggregate of this and `company` other pictures; None without
    others. For two latents only: `log_evidence`, log p(x) by quadrature, and `divergence`, KL(q(z|x) || p(z|x)) by
    another one.
    """

    x: Float[Tensor, "c h w"]
    mu: Float[Tensor, " d"]
    sigma: Float[Tensor, " d"]
    eps: Float[Tensor, " d"]
    z: Float[Tensor, " d"]
    mean: Float[Tensor, "c h w"]
    kl_per_dimension: Float[Tensor, " d"]
    reconstruction: Estimate
    kl_sampled: Estimate
    bounds: dict[int, Estimate]
    information: Estimate | None
    company: int
    log_evidence: Estimate | None
    divergence: Estimate | None

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
        return self.bounds[IW_SAMPLES].value

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
    others: tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]] | None = None,
) -> Frame:
    """The record of one picture, on the CPU; `seed` determines eps and every estimate.

    `grid` gives log p(x), `plane` the divergence from the posterior, and `others`, the (mu, sigma) of other pictures,
    the information.
    """
    device = next(model.parameters()).device
    x = x.to(device)
    generator = torch.Generator(device).manual_seed(seed)
    q = model.encode(x)
    eps = torch.randn(q.mean.shape, generator=generator, device=device)
    z = q.mean + q.stddev * eps
    draws = model.decode(rsample(q, generator, (SAMPLES,)).flatten(0, 1)).log_prob(x.expand(SAMPLES, -1, -1, -1))
    again = rsample(q, generator, (IW_SAMPLES,)).flatten(0, 1)
    ratio = q.log_prob(again) - model.prior.log_prob(again)
    weights = log_likelihood(model, x, again) - ratio
    return Frame(
        x=x[0].cpu(),
        mu=q.mean[0].cpu(),
        sigma=q.stddev[0].cpu(),
        eps=eps[0].cpu(),
        z=z[0].cpu(),
        mean=model.decode(z).mean[0].cpu(),
        kl_per_dimension=kl_per_dimension(q, model.prior)[0].cpu(),
        reconstruction=_mean(draws),
        kl_sampled=_mean(ratio),
        bounds={k: _bound(weights, k) for k in BOUNDS},
        information=None if others is None else _information(q, again[:INFORMATION_SAMPLES], *others),
        company=0 if others is None else len(others[0]),
        log_evidence=None if grid is None else Estimate(*(float(value) for value in grid.evidence(x))),
        divergence=None if plane is None else _divergence(model, x, q, plane),
    )


def log_likelihood(model: VAE, x: Float[Tensor, "1 c h w"], z: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """log p(x|z) of one picture, nats: of bits by the formula x . logits - sum softplus(logits), which shares nothing
    with torch's Bernoulli; of other pictures by their distribution."""
    p = model.decode(z)
    if model.input_spec.levels != 2:
        return p.log_prob(x.expand(len(z), -1, -1, -1))
    logits = p.base_dist.logits.flatten(1)
    return logits @ x.flatten() - F.softplus(logits).sum(1)


def _mean(values: Float[Tensor, " n"]) -> Estimate:
    return Estimate(float(values.mean()), float(values.std() / len(values) ** 0.5))


def _bound(weights: Float[Tensor, " n"], k: int) -> Estimate:
    """The mean over groups of k of log 1/k sum w; of one group, the error is that of log of a mean, to first order."""
    groups = weights.unflatten(0, (-1, k)).logsumexp(1) - math.log(k)
    if len(groups) > 1:
        return _mean(groups)
    relative = (weights - weights.max()).exp()
    return Estimate(float(groups), float(relative.std() / relative.mean() / k**0.5))


def _information(q: Independent, z: Tensor, mu: Float[Tensor, "n d"], sigma: Float[Tensor, "n d"]) -> Estimate:
    """KL(q(z|x) || q(z)) at draws of q; the aggregate holds this picture too, so no draw is above log(n + 1)."""
    together = (torch.cat([part, own.cpu()]) for part, own in ((mu, q.mean), (sigma, q.stddev)))
    return _mean(q.log_prob(z).cpu() - aggregate_log_density(z.cpu(), *together))


def _divergence(model: VAE, x: Float[Tensor, "1 c h w"], q: Independent, plane: Plane) -> Estimate:
    true = plane.posterior(x.cpu(), THOROUGH)
    found, missed = gap(model, x, q, true.log_evidence)
    return Estimate(found, true.error + missed)


class Places(NamedTuple):
    """What the model makes of places z in its latent space, row by row; nats, on the CPU.

    `mean` is E[x|z]. A picture drawn from p(x|z) is encoded again: `round_trip_kl` is its KL(q || p(z)) per dimension,
    and `drift` how far its posterior mean lies from z: root mean square over the latents, in posterior standard
    deviations. `log_prior` is log p(z); `further_out` the share of prior samples of lower density than z.

    About an input x at its z, NaN where there is none: `log_likelihood` = log p(x|z), `log_posterior` = log q(z|x),
    `distance` = sum_d ((z_d - mu_d(x)) / sigma_d(x))^2, which is d on average over z ~ q(z|x).
    """

    mean: Float[Tensor, "b c h w"]
    log_prior: Float[Tensor, " b"]
    further_out: Float[Tensor, " b"]
    drift: Float[Tensor, " b"]
    log_likelihood: Float[Tensor, " b"]
    log_posterior: Float[Tensor, " b"]
    distance: Float[Tensor, " b"]
    round_trip_kl: Float[Tensor, "b d"]


@torch.inference_mode()
def places(model: VAE, z: Float[Tensor, "b d"], x: Float[Tensor, "b c h w"] | None = None, seed: int = 0) -> Places:
    """Decode each z, draw a picture from it, encode that again; compare with the inputs `x`, where given.

    All rows are drawn with the same uniform noise, that of `seed`, so that no row depends on its company.
    """
    device = next(model.parameters()).device
    z, d = z.to(device), model.latents
    likelihood = model.decode(z)
    drawn = mean = likelihood.mean
    if model.input_spec.levels == 2:
        generator = torch.Generator(device).manual_seed(seed)
        drawn = torch.rand(mean.shape[1:], generator=generator, device=device).lt(mean).float()
    x = None if x is None else x.to(device)
    again, given = _two(model.encode(drawn if x is None else torch.cat([drawn, x])), len(z))
    unknown = z.new_full((len(z),), math.nan)
    result = Places(
        mean=mean,
        log_prior=model.prior.log_prob(z),
        further_out=torch.special.gammaincc(z.new_tensor(d / 2), z.square().sum(1) / 2),
        drift=((again.mean - z) / again.stddev).square().mean(1).sqrt(),
        log_likelihood=unknown if x is None else likelihood.log_prob(x),
        log_posterior=unknown if x is None else given.log_prob(z),
        distance=unknown if x is None else ((z - given.mean) / given.stddev).square().sum(1),
        round_trip_kl=kl_per_dimension(again, model.prior),
    )
    return Places(*(field.cpu() for field in result))


def _two(q: Independent, rows: int) -> tuple[Independent, Independent]:
    """The posteriors of the first `rows` pictures and those of the rest, encoded in one pass."""
    mu, sigma = q.mean, q.stddev
    return normal(mu[:rows], sigma[:rows]), normal(mu[rows:], sigma[rows:])


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
    device = next(model.parameters()).device
    x = x.to(device)
    q = model.encode(x)
    noise = torch.randn(
        (SKETCH_SAMPLES, 1, model.latents), generator=torch.Generator(device).manual_seed(seed), device=device
    )
    z = (q.mean + q.stddev * noise).flatten(0, 1)
    draws = model.decode(z).log_prob(x.repeat(SKETCH_SAMPLES, 1, 1, 1)).unflatten(0, (SKETCH_SAMPLES, len(x)))
    result = Sketch(
        mean=model.decode(q.mean).mean,
        mu=q.mean,
        sigma=q.stddev,
        kl_per_dimension=kl_per_dimension(q, model.prior),
        reconstruction=draws.mean(0),
        reconstruction_error=draws.std(0) / SKETCH_SAMPLES**0.5,
    )
    return Sketch(*(field.cpu() for field in result))
