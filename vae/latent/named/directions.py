"""Directions of z along which one factor changes and the others stay: their linear algebra, and their file."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from vae.models.checkpoint import read
from vae.models.files import save_tensors

KEY = "steps"
APART = 1000.0  # condition of the correlations of factors, as z tells them, beyond which two are one


@dataclass(frozen=True, eq=False)
class Named:
    """What is added to z to ask for one unit more of each factor."""

    names: tuple[str, ...]
    steps: Float[Tensor, "k d"]

    def save(self, path: Path) -> None:
        """Write a file; OSError where it cannot be written."""
        save_tensors({KEY: self.steps.float().contiguous()}, path, {"names": json.dumps(self.names)})

    @classmethod
    def load(cls, path: Path, latents: int) -> "Named":
        """Those in a file that `save` wrote; ValueError where they are damaged or of a model with other latents."""
        names, tensors = read_named(path, "directions")
        if KEY not in tensors or tensors[KEY].shape != (len(names), latents):
            raise ValueError(f"the directions {path} are not {len(names)} of {latents} numbers")
        if not tensors[KEY].isfinite().all():
            raise ValueError(f"the directions {path} are not all numbers")
        return cls(names, tensors[KEY])


def read_named(path: Path, what: str) -> tuple[tuple[str, ...], dict[str, Tensor]]:
    """The names and tensors in a file; ValueError where it does not say the names of what it has."""
    metadata, tensors = read(path)
    try:
        names = json.loads(metadata.get("names", ""))
    except ValueError as error:
        raise ValueError(f"the {what} {path} do not say their names") from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"the {what} {path} do not say their names")
    return tuple(names), tensors


def slopes(
    mu: Float[Tensor, "n d"], values: Float[Tensor, "n k"]
) -> tuple[Float64[Tensor, "k d"], Float64[Tensor, " k"]]:
    """W and b of the least squares values = W mu + b."""
    design = torch.cat([mu, torch.ones(len(mu), 1)], 1).double()
    found = torch.linalg.lstsq(design, values.double()).solution.T
    return found[:, :-1], found[:, -1]


def explained(
    fit: tuple[Float64[Tensor, "k d"], Float64[Tensor, " k"]], mu: Float[Tensor, "n d"], values: Float[Tensor, "n k"]
) -> Float64[Tensor, " k"]:
    """R^2 of a fit on pictures, best on those that it has not seen."""
    along, at = fit
    missed = values.double() - mu.double() @ along.T - at
    return 1 - missed.square().mean(0) / values.double().var(0, correction=0).clamp(min=1e-12)


def independent(along: Float64[Tensor, "k d"], mu: Float[Tensor, "n d"]) -> Float64[Tensor, "k d"] | None:
    """Steps D with W D' = I: each changes its factor by one unit and the others by none, and is the shortest that does,
    by the covariance S of mu: D' = S W' (W S W')^-1. None where the factors cannot be told apart."""
    covariance = torch.cov(mu.double().T).view(mu.shape[1], mu.shape[1])
    between = along @ covariance @ along.T
    scale = between.diagonal().clamp(min=1e-12).rsqrt()
    if torch.linalg.cond(scale[:, None] * between * scale) > APART:
        return None
    return torch.linalg.solve(between, along @ covariance)
