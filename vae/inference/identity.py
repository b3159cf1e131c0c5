"""From Bayes to the ELBO, two latents: both sides of log p(x) - KL(q || p(z|x)) = E_q[log p(x|z)] - KL(q || p(z)).

The left side is quadrature: log p(x) over the plane's cells, the divergence by Gauss-Hermite nodes. The right side is
draws of q and a closed form. Kingma and Welling (2014), eq. 1 to 3.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import kl_divergence

from vae.distributions import rsample
from vae.inference import posterior
from vae.inference.evidence import Grid
from vae.inference.posterior import Plane, Posterior, gap
from vae.models import VAE


class Sides(NamedTuple):
    """Every term about one picture, nats; the last four NaN where there is no plane yet.

    `reconstruction` is E_q[log p(x|z)] with its standard error, `kl` is KL(q || p(z)), `gap` is KL(q || p(z|x));
    `expected_prior` = E_q[log p(z)] and `entropy` = -E_q[log q(z)] in closed form.
    """

    mu: Float[Tensor, " 2"]
    sigma: Float[Tensor, " 2"]
    reconstruction: float
    reconstruction_error: float
    kl: float
    expected_prior: float
    entropy: float
    likelihood_at_mu: float
    prior_at_mu: float
    log_evidence: float = math.nan
    evidence_error: float = math.nan
    gap: float = math.nan
    gap_error: float = math.nan


class Effort(NamedTuple):
    """Draws of q, Gauss-Hermite nodes on an axis, and places of the plane that are decoded again."""

    draws: int
    nodes: int
    places: int


QUICK = Effort(64, 10, posterior.QUICK)
THOROUGH = Effort(2048, posterior.NODES, posterior.THOROUGH)


@torch.inference_mode()
def sides(
    model: VAE,
    x: Float[Tensor, "1 c h w"],
    plane: Plane | None = None,
    grid: Grid | None = None,
    effort: Effort = QUICK,
    seed: int = 0,
) -> tuple[Sides, Posterior | None]:
    """Both sides, and p(z|x) on the plane; the draws' noise is that of `seed`.

    With `grid`, p(z|x) in the divergence is normalised by the grid's log p(x) and not by the plane's, so that an error
    of either shows as a difference of the sides; `evidence_error` is then how far the two are apart.
    """
    device = model.device
    here = x.to(device)
    q = model.encode(here)
    z = rsample(q, torch.Generator(device).manual_seed(seed), (effort.draws,)).flatten(0, 1)
    likelihoods = model.decode(torch.cat([q.mean, z])).log_prob(here.expand(1 + len(z), -1, -1, -1)).cpu()
    draws = likelihoods[1:]
    found = Sides(
        mu=q.mean[0].cpu(),
        sigma=q.stddev[0].cpu(),
        reconstruction=float(draws.mean()),
        reconstruction_error=float(draws.std() / len(draws) ** 0.5),
        kl=float(kl_divergence(q, model.prior)),
        expected_prior=float(-0.5 * (q.mean.square() + q.variance).sum() - math.log(2 * math.pi)),
        entropy=float(q.entropy()),
        likelihood_at_mu=float(likelihoods[0]),
        prior_at_mu=float(model.prior.log_prob(q.mean)),
    )
    if plane is None:
        return found, None
    true = plane.posterior(x, effort.places)
    normaliser, error = true.log_evidence, true.error
    if grid is not None:
        normaliser = float(grid.evidence(here).log_evidence)
        error = abs(normaliser - true.log_evidence)
    divergence, changed = gap(model, x, q, normaliser, effort.nodes)
    return found._replace(log_evidence=true.log_evidence, evidence_error=error, gap=divergence, gap_error=changed), true
