"""What a model made of the same pictures at some thirty steps of its training, in a file small enough to ship.

The steps are spread evenly over the logarithm of time: most happens early. Of a model with two latents the file also
holds the map, decoded and encoded, and a few steps of the optimiser in slow motion.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from safetensors import SafetensorError, safe_open
from torch import Tensor

from vae.models.pretrained import PRETRAINED
from vae.train.gradients import Draws
from vae.train.recipes import Recipe, recipe_from

HISTORIES = PRETRAINED / "histories"
MARKS, PICTURES = 30, 1000
SIDE, REACH = 13, 3.5  # the map: SIDE x SIDE pictures, decoded from -REACH to REACH
SLOW = (0.4, 0.6, 0.8)  # which of the marks are also seen in slow motion, as shares of the way


@dataclass(frozen=True)
class Numbers:
    """Means over PICTURES pictures at every mark, nats; `error` is the standard error from picture to picture."""

    distortion: Float[Tensor, " marks"]
    error: Float[Tensor, " marks"]
    kl: Float[Tensor, "marks d"]


@dataclass(frozen=True)
class Plane:
    """The test pictures' q(z|x) at every mark, and the map as a PNG of SIDE x SIDE pictures."""

    mu: Float[Tensor, "marks n 2"]
    sigma: Float[Tensor, "marks n 2"]
    sheets: list[bytes]


@dataclass(frozen=True)
class Step:
    """One step of the optimiser: the minibatch before and after it, with the same bits and the same eps.

    `gradient` is that of log p(x|z) in z before it, and so in mu. `draws` are many of the first picture's q before the
    step. By quadrature `exact` is the gradient that they estimate, through z and through log q; `evidence` is log p(x).
    """

    x: UInt8[Tensor, "b pixels"]
    labels: UInt8[Tensor, " b"]
    eps: Float[Tensor, "b 2"]
    mu: Float[Tensor, "2 b 2"]
    sigma: Float[Tensor, "2 b 2"]
    log_likelihood: Float[Tensor, "2 b"]
    kl: Float[Tensor, "2 b"]
    gradient: Float[Tensor, "b 2"]
    draws: Draws
    exact: Float[Tensor, "2 2"]
    evidence: Float[Tensor, " 1"]


@dataclass(frozen=True)
class History:
    """What was recorded; `rows` are the pictures of the test set that it is about, `slow` goes by the step."""

    recipe: Recipe
    steps: list[int]
    rows: Int64[Tensor, " n"]
    test: Numbers
    train: Numbers
    plane: Plane | None
    slow: dict[int, Step]


def marks(steps: int) -> list[int]:
    """The steps after which the model is looked at: 0, 1, and on by ever longer strides to the last."""
    return [0, *sorted({round(float(step)) for step in np.geomspace(1, steps, min(MARKS, steps))})]


def slow_marks(steps: int) -> list[int]:
    """Those of them that are also seen in slow motion."""
    every = marks(steps)
    return [every[min(round(share * (len(every) - 1)), len(every) - 2)] for share in SLOW]


def load(name: str) -> History:
    """The history that ships under a recipe's name; ValueError where there is none, or it is damaged."""
    return read(HISTORIES / f"{name}.safetensors")


def read(path: Path) -> History:
    """A recorded file; ValueError with a sentence where it is none, or not yet whole."""
    said, found = tensors(path)
    try:
        recipe = recipe_from(json.loads(said["recipe"]))
        steps = sorted({step_of(name) for name in found if name.endswith("test.kl")})
        plane = None
        if f"{steps[0]}.sheet" in found:
            plane = Plane(
                *(torch.stack([found[f"{step}.{name}"].float() for step in steps]) for name in ("mu", "sigma")),
                [found[f"{step}.sheet"].numpy().tobytes() for step in steps],
            )
        slow = sorted({step_of(name) for name in found if ".slow." in name})
        return History(
            recipe,
            steps,
            found["rows"].long(),
            *(_numbers(found, steps, split) for split in ("test", "train")),
            plane,
            {step: _step(found, step, recipe.model.spec.pixels) for step in slow},
        )
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(f"{path} is not a whole history of a training: {error}") from error


def tensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """What a file says and holds; ValueError where it cannot be read."""
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def step_of(name: str) -> int:
    """The step that a tensor of the file is about; -1 for those that are about all."""
    step = name.partition(".")[0]
    return int(step) if step.isdecimal() else -1


def _numbers(found: dict[str, Tensor], steps: list[int], split: str) -> Numbers:
    names = ("distortion", "error", "kl")
    return Numbers(*(torch.stack([found[f"{step}.{split}.{name}"] for step in steps]) for name in names))


def _step(found: dict[str, Tensor], step: int, pixels: int) -> Step:
    def before(name: str) -> Tensor:
        return found[f"{step}.slow.{name}"]

    def both(name: str) -> Tensor:
        return torch.stack([before(name), found[f"{step}.after.{name}"]])

    return Step(
        torch.from_numpy(np.unpackbits(before("x").numpy(), axis=1, count=pixels)),
        before("labels"),
        before("eps"),
        both("mu"),
        both("sigma"),
        both("log_likelihood"),
        both("kl"),
        before("gradient"),
        Draws(found["tried"], before("draws.log_likelihood"), before("draws.gradient")),
        before("exact"),
        before("evidence"),
    )
