"""Ways from one picture to another: what is met on each, step by step, and how they compare."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from vae.latent.aggregate import aggregate_log_density
from vae.latent.encodings import Company
from vae.latent.paths import Judged, follow, judge, lerp, slerp
from vae.latent.places import places
from vae.models import VAE
from vae.models.spaces import Pictures

LARGE = 4096  # pixel values of a picture from which on no path is followed: half a minute, and it came out longer


class Steps(NamedTuple):
    """What the model makes of each place on a way: E[x|z] and, in nats, KL(q || p) of a picture drawn there and encoded
    again, log p(x|z) of the pictures at the two ends, and the log density of the aggregate posterior; on the CPU.
    """

    mean: Float[Tensor, "n c h w"]
    kl: Float[Tensor, " n"]
    towards_a: Float[Tensor, " n"]
    towards_b: Float[Tensor, " n"]
    log_density: Float[Tensor, " n"]


@dataclass(frozen=True, eq=False)
class Way:
    """A path z with the steps on it and its verdict."""

    z: Float[Tensor, "n d"]
    steps: Steps
    judged: Judged


def _straight(model: VAE, a: Tensor, b: Tensor, company: Company, steps: int) -> Tensor:
    return lerp(a, b, steps)


def _spherical(model: VAE, a: Tensor, b: Tensor, company: Company, steps: int) -> Tensor:
    return slerp(a, b, steps)


def _followed(model: VAE, a: Tensor, b: Tensor, company: Company, steps: int) -> Tensor:
    return follow(model, a, b, company.mu, company.sigma, steps)


# A new kind of path is one function and its row here.
PATHS: dict[str, Callable[[VAE, Tensor, Tensor, Company, int], Tensor]] = {
    "straight": _straight,
    "spherical": _spherical,
    "following": _followed,
}


def paths(spec: Pictures) -> dict[str, Callable[[VAE, Tensor, Tensor, Company, int], Tensor]]:
    """Those of PATHS that a model of such pictures has."""
    return {name: path for name, path in PATHS.items() if name != "following" or spec.pixels < LARGE}


def journey(
    model: VAE,
    stops: Float[Tensor, "k d"],
    x_a: Float[Tensor, "1 c h w"],
    x_b: Float[Tensor, "1 c h w"],
    company: Company,
    steps: int = 60,
) -> dict[str, Way]:
    """Every path of `paths` through the stops, which it meets exactly, and what is on it; deterministic.

    Its first and last picture are x_a and x_b. Each way from stop to stop has as many of the `steps` places as the
    others, or one more. Where a stop is a member of the company, it does not count itself.
    """
    if not 2 <= len(stops) <= steps:
        raise ValueError(f"a journey of {steps} steps has 2 to {steps} stops, not {len(stops)}")
    found, company, legs = {}, company.without(stops), len(stops) - 1
    counts = [(steps + legs - 1 + leg) // legs for leg in range(legs)]  # a stop between two ways is on both
    for name, path in paths(model.input_spec).items():
        ways = [path(model, stops[leg], stops[leg + 1], company, count) for leg, count in enumerate(counts)]
        z = torch.cat([ways[0], *(way[1:] for way in ways[1:])])
        found[name] = Way(z, met(model, z, x_a, x_b, company), judge(model, z, company.mu, company.sigma))
    return found


@torch.inference_mode()
def met(
    model: VAE, z: Float[Tensor, "n d"], x_a: Float[Tensor, "1 c h w"], x_b: Float[Tensor, "1 c h w"], company: Company
) -> Steps:
    """What is at each place of a path between x_a and x_b."""
    ends = torch.cat([x_a, x_b]).repeat_interleave(len(z), 0)
    here = places(model, z.repeat(2, 1), ends)
    towards_a, towards_b = here.log_likelihood.split(len(z))
    kl = here.round_trip_kl[: len(z)].sum(1)
    return Steps(here.mean[: len(z)], kl, towards_a, towards_b, aggregate_log_density(z, company.mu, company.sigma))
