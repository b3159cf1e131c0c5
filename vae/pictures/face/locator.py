"""Where the eyes are in a square around a face: a small network of our own, which `python -m vae.train.eyes` trains."""

import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn

from vae.pictures.face.detector import WEIGHTS

FILE = WEIGHTS / "locator.safetensors"
SIDE = 64  # pixels on a side of the square that it looks at
# The square around two eyes: so many distances between them wide, and its middle so many below theirs.
WIDE, BELOW = 2.45, 0.4
# Where the eyes are in such a square, in shares of it; what the network says is how far from there.
USUAL = ((0.5 - 0.5 / WIDE, 0.5 - BELOW / WIDE), (0.5 + 0.5 / WIDE, 0.5 - BELOW / WIDE))
LAYERS = ((3, 16, 2), (16, 32, 2), (32, 48, 1), (48, 72, 2), (72, 96, 2))  # channels before and after, and the step


class Locator(nn.Module):
    """Two eyes, the one on the left first, as (x, y) in shares of a square."""

    def __init__(self):
        super().__init__()
        layers = []
        for before, after, step in LAYERS:
            layers += [nn.Conv2d(before, after, 3, step, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.places = nn.Linear(LAYERS[-1][1] * (SIDE // 16) ** 2, 4)

    def forward(self, squares: Float[Tensor, "b 3 side side"]) -> Float[Tensor, "b 2 2"]:
        """`squares` are in [0, 1]; how light they are, and how strong in contrast, makes no difference."""
        flat = squares.flatten(1)
        mean, spread = (one[:, None, None, None] for one in (flat.mean(1), flat.std(1)))
        offsets = self.places(self.features((squares - mean) / (spread + 0.02)).flatten(1)).view(-1, 2, 2)
        return offsets / WIDE + torch.tensor(USUAL)


def stored() -> Locator:
    """The network that is part of the repository, frozen and in eval mode."""
    locator = Locator()
    locator.load_state_dict(load_file(FILE))
    return locator.requires_grad_(False).eval()
