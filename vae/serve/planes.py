"""What is asked of models with two latents' planes, and of q refined for one picture."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from vae.distributions import normal
from vae.inference.identity import Sides
from vae.inference.posterior import Posterior, gap
from vae.inference.refine import Refined, refine
from vae.models import VAE
from vae.objective import importance_bound

BOUND = 2000  # draws of a refined q's IWAE bound


@dataclass(frozen=True, eq=False)
class Comparison:
    """q beside p(z|x) for one picture. `built` is the share of the model's plane that is decoded, NaN where it failed;
    until it is 1 there is no `posterior`.
    """

    built: float
    sides: Sides
    posterior: Posterior | None


@dataclass(frozen=True, eq=False)
class Refinement:
    """The steps; for two latents the ELBO of the first and last q by quadrature, else the last's IWAE bound; or NaN."""

    steps: Refined
    bound: float
    first: float
    last: float


def refined(model: VAE, x: Float[Tensor, "1 c h w"]) -> Refinement:
    found, device = refine(model, x), model.device
    first, last = (normal(found.mu[[i]].to(device), found.sigma[[i]].to(device)) for i in (0, -1))
    if model.latents == 2:
        return Refinement(found, math.nan, *(-gap(model, x, q, 0.0)[0] for q in (first, last)))
    with torch.inference_mode():
        bound = importance_bound(model, x.to(device), BOUND, torch.Generator(device).manual_seed(0), q=last)
    return Refinement(found, float(bound), math.nan, math.nan)
