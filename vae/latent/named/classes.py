"""Directions of z towards each class or tag, and how a picture is read: the log-odds that a straight line gives it."""

import json
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d

from vae.latent.named.directions import read_named
from vae.models.files import save_tensors
from vae.models.spaces import Pictures

FINEST = 28  # pixels on a side that a class is read from


def block_of(height: int, width: int) -> int:
    """The side of the squares of pixels that are read as one: the smallest that leaves FINEST or fewer on a side."""
    most = max(height, width)
    blocks = (side for side in range(1, most + 1) if height % side == width % side == 0 and most // side <= FINEST)
    return next(blocks, 1)


def seen(pictures: Float[Tensor, "n c h w"]) -> Float[Tensor, "n p"]:
    """What a class is read from: the means over such squares, row by row and colour after colour."""
    return avg_pool2d(pictures, block_of(*pictures.shape[2:])).flatten(1)


@dataclass(frozen=True, eq=False)
class Classes:
    """Of some classes, by their names: what is added to z for one nat more of log-odds, and by what weights of what is
    `seen` of a picture, and offset, those are read."""

    names: tuple[str, ...]
    steps: Float[Tensor, "k d"]
    weights: Float[Tensor, "k p"]
    offsets: Float[Tensor, " k"]

    def log_odds(self, pictures: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Nats for each class against all others."""
        return seen(pictures) @ self.weights.T + self.offsets

    def save(self, path: Path) -> None:
        """Write a file, the weights in half precision; OSError where it cannot be written."""
        tensors = {"steps": self.steps.float(), "weights": self.weights.half(), "offsets": self.offsets.float()}
        tensors = {key: tensor.contiguous() for key, tensor in tensors.items()}
        save_tensors(tensors, path, {"names": json.dumps(self.names)})

    @classmethod
    def load(cls, path: Path, latents: int, spec: Pictures) -> "Classes":
        """Those in a file that `save` wrote; ValueError where they are damaged or of another model."""
        names, tensors = read_named(path, "classes")
        shapes = {
            "steps": (len(names), latents),
            "weights": (len(names), spec.pixels // block_of(spec.height, spec.width) ** 2),
            "offsets": (len(names),),
        }
        for key, shape in shapes.items():
            if key not in tensors or tensors[key].shape != shape or not tensors[key].isfinite().all():
                raise ValueError(f"the classes {path} have no {key} of {shape} numbers")
        return cls(names, *(tensors[key] for key in shapes))
