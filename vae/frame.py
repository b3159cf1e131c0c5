"""One picture through one model, with every number about it: the record that pages read."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from vae.distributions import bits_per_dimension, kl_per_dimension, rsample
from vae.exact import Grid
from vae.models import VAE
from vae.objective import importance_bound

SAMPLES, IW_SAMPLES = 256, 1000


@dataclass(frozen=True, eq=False)
class Frame:
    """x, its posterior, one sample z = mu + sigma eps of it, the picture decoded from that z, and the ledger.

    Scalars are nats per picture. `reconstruction` is E_q[log p(x|z)] over `SAMPLES` draws with its standard error;
    `iwae` the importance-weighted bound of `IW_SAMPLES` other draws; `log_evidence` log p(x), for two latents only.
    """

    x: Float[Tensor, "c h w"]
    mu: Float[Tensor, " d"]
    sigma: Float[Tensor, " d"]
    eps: Float[Tensor, " d"]
    z: Float[Tensor, " d"]
    mean: Float[Tensor, "c h w"]
    kl_per_dimension: Float[Tensor, " d"]
    reconstruction: float
    reconstruction_error: float
    iwae: float
    log_evidence: float | None

    @property
    def kl(self) -> float:
        """KL(q(z|x) || p(z))."""
        return float(self.kl_per_dimension.sum())

    @property
    def elbo(self) -> float:
        """E_q[log p(x|z)] - KL(q(z|x) || p(z))."""
        return self.reconstruction - self.kl

    @property
    def gap(self) -> float | None:
        """log p(x) - ELBO = KL(q(z|x) || p(z|x)); None where log p(x) is not known."""
        return None if self.log_evidence is None else self.log_evidence - self.elbo

    @property
    def bits_per_dimension(self) -> float:
        """-ELBO in bits per pixel value."""
        return float(bits_per_dimension(torch.tensor(-self.elbo), self.x.numel()))


@torch.inference_mode()
def frame(model: VAE, x: Float[Tensor, "1 c h w"], seed: int = 0, grid: Grid | None = None) -> Frame:
    """The record of one picture, on the CPU; `seed` determines eps and every estimate. `grid` gives log p(x)."""
    device = next(model.parameters()).device
    x = x.to(device)
    generator = torch.Generator(device).manual_seed(seed)
    q = model.encode(x)
    eps = torch.randn(q.mean.shape, generator=generator, device=device)
    z = q.mean + q.stddev * eps
    draws = model.decode(rsample(q, generator, (SAMPLES,)).flatten(0, 1)).log_prob(x.expand(SAMPLES, -1, -1, -1))
    return Frame(
        x=x[0].cpu(),
        mu=q.mean[0].cpu(),
        sigma=q.stddev[0].cpu(),
        eps=eps[0].cpu(),
        z=z[0].cpu(),
        mean=model.decode(z).mean[0].cpu(),
        kl_per_dimension=kl_per_dimension(q, model.prior)[0].cpu(),
        reconstruction=float(draws.mean()),
        reconstruction_error=float(draws.std() / SAMPLES**0.5),
        iwae=float(importance_bound(model, x, IW_SAMPLES, generator)),
        log_evidence=None if grid is None else float(grid.evidence(x).log_evidence),
    )


@dataclass(frozen=True, eq=False)
class RoundTrip:
    """What the model makes of a place z in its latent space.

    `mean` is E[x|z]. A picture drawn from p(x|z) is encoded again: `kl` is its KL(q || p(z)) in nats, and `drift` how
    far its posterior mean lies from z: root mean square over the latents, in posterior standard deviations.
    `log_prior` is log p(z) in nats; `further_out` the share of prior samples of lower density than z.
    """

    mean: Float[Tensor, "c h w"]
    kl: float
    drift: float
    log_prior: float
    further_out: float


@torch.inference_mode()
def round_trip(model: VAE, z: Float[Tensor, " d"], seed: int = 0) -> RoundTrip:
    """Decode z, draw a picture with the uniform noise of `seed`, encode it again."""
    device = next(model.parameters()).device
    z = z.to(device)[None]
    likelihood = model.decode(z)
    mean = likelihood.mean
    generator = torch.Generator(device).manual_seed(seed)
    drawn = mean
    if model.input_spec.levels == 2:
        drawn = torch.rand(mean.shape, generator=generator, device=device).lt(mean).float()
    q = model.encode(drawn)
    return RoundTrip(
        mean=mean[0].cpu(),
        kl=float(kl_per_dimension(q, model.prior).sum()),
        drift=float(((q.mean - z) / q.stddev).square().mean().sqrt()),
        log_prior=float(model.prior.log_prob(z)),
        further_out=float(torch.special.gammaincc(torch.tensor(model.latents / 2), z.cpu().square().sum() / 2)),
    )
