"""Whole records, and what is asked of models with two latents: their grids, their planes, and q refined."""

import logging
import math
from concurrent.futures import Future
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from vae import data
from vae.distributions import normal
from vae.inference import identity
from vae.inference.evidence import Grid
from vae.inference.identity import Sides
from vae.inference.posterior import Plane, Posterior, gap
from vae.inference.record import Frame, frame
from vae.inference.refine import Refined, refine
from vae.models import VAE
from vae.models.spaces import Vector
from vae.objective import importance_bound
from vae.serve.capabilities import Can
from vae.serve.engine import Engine
from vae.serve.entry import Loaded
from vae.serve.turns import Shared

log = logging.getLogger(__name__)

BOUND = 2000  # draws of a refined q's IWAE bound
COMPARED = 32  # pictures whose comparison is kept for others: all who open the chapter see the same one


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


@dataclass(eq=False)
class _Building:
    """A model's plane, and which share of it is decoded."""

    share: float = 0.0
    plane: Plane | None = None


def record(engine: Engine, loaded: Loaded, x: Float[Tensor, "1 c h w"], seed: int = 0) -> Frame:
    """Everything about one picture, waited for."""
    engine.callers.hold_on()
    return engine.compute(_frame, loaded, x, seed)


def ask_comparison(engine: Engine, loaded: Loaded, x: Float[Tensor, "1 c h w"], thorough: bool = False) -> Future:
    """The future `Comparison`; `thorough` is for a hand at rest, and takes half a second of a records thread.

    The first call begins to decode the model's plane, which is kept in the user's cache folder. ValueError for a model
    without one, Busy where too many wait already.
    """
    if lack := loaded.entry.lacks(Can.EXACT):
        raise ValueError(lack)
    building = loaded.derived("plane", lambda: _begun(engine, loaded))
    turns = engine.records if thorough else engine.plane

    def begin() -> Future:
        return turns.submit(_compare, loaded, x, thorough, visitor=engine.callers.visitor())

    if building.share != 1:  # the answer says how much of the plane is there
        return begin()
    return loaded.derived("compared", lambda: Shared(COMPARED)).ask((thorough, x.numpy().tobytes()), begin)


def ask_refined(engine: Engine, loaded: Loaded, x: Float[Tensor, "1 c h w"]) -> Future:
    """The future `Refinement`: better and better q for one picture. Busy where too many wait already."""
    return engine.submit(refined, loaded.model, x)


def _begun(engine: Engine, loaded: Loaded) -> _Building:
    building = _Building()
    engine.build.submit(_build, engine, loaded.model, building)
    return building


def _build(engine: Engine, model: VAE, building: _Building) -> None:
    def progress(share: float) -> None:
        building.share = min(share, 0.99)  # it is all there once the plane is

    try:
        building.plane = Plane(model, data.cache_folder("planes"), progress)
        building.share = 1.0
        engine.records.submit(refine, model, torch.zeros(1, *model.input_spec.shape), 1)  # the first gradient is slow
    except Exception:  # a thread of its own: nobody else would hear of it
        log.warning("the plane of a model cannot be built", exc_info=True)
        building.share = math.nan


def _compare(loaded: Loaded, x: Tensor, thorough: bool) -> Comparison:
    model, building = loaded.model, loaded.derived("plane", _Building)
    built = building.share
    if built != 1:
        return Comparison(built, *identity.sides(model, x))
    if not thorough:
        return Comparison(built, *identity.sides(model, x, building.plane))
    return Comparison(built, *identity.sides(model, x, building.plane, _grid(loaded), identity.THOROUGH))


def _frame(loaded: Loaded, x: Tensor, seed: int) -> Frame:
    if loaded.entry.lacks(Can.EXACT):
        return frame(loaded.model, x, seed)
    building = loaded.known("plane")
    return frame(loaded.model, x, seed, _grid(loaded), building and building.plane)


def _grid(loaded: Loaded) -> Grid:
    return loaded.derived("grid", lambda: Grid(loaded.model), Grid.bytes_of(loaded.model))


def refined(model: VAE, x: Float[Tensor, "1 c h w"]) -> Refinement:
    """Better and better q for one picture."""
    found, device = refine(model, x), model.device
    first, last = (normal(found.mu[[i]].to(device), found.sigma[[i]].to(device)) for i in (0, -1))
    if model.config.space == Vector(2):
        return Refinement(found, math.nan, *(-gap(model, x, q, 0.0)[0] for q in (first, last)))
    with torch.inference_mode():
        bound = importance_bound(model, x.to(device), BOUND, torch.Generator(device).manual_seed(0), q=last)
    return Refinement(found, float(bound), math.nan, math.nan)
