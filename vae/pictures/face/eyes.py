"""Two eyes on a picture, and the places in a portrait where they belong."""

import math
from dataclasses import astuple, dataclass

import numpy as np
from jaxtyping import Float

# (x, y) of the left and the right iris in shares of a square portrait: in the mean of the training set's 18,271, whose
# eyes lie within 2 % of the distance between them of there, along each axis (one standard deviation).
STANDARD = ((0.367, 0.514), (0.632, 0.514))
LEAST = 1e-3  # of the width or height: two eyes that are nearer to each other are one


@dataclass(frozen=True)
class Eyes:
    """The eye that belongs on the left of a portrait, then the other, in shares of a picture's width and height, each
    from 0 to 1; ValueError for what is no two eyes."""

    left_x: int | float
    left_y: int | float
    right_x: int | float
    right_y: int | float

    def __post_init__(self):
        if not all(0 <= place <= 1 for place in astuple(self)):
            raise ValueError(f"eyes lie within 0 and 1; {self} do not")
        if math.hypot(self.right_x - self.left_x, self.right_y - self.left_y) < LEAST:
            raise ValueError(f"two eyes are not in one place, as {self} are")

    @classmethod
    def at(cls, places: Float[np.ndarray, "2 2"], size: tuple[int, int]) -> "Eyes":
        """Those at (x, y) in pixels of a picture of `size` (height, width), or on its edge where one is beyond it."""
        shares = np.clip(places / np.array([size[1], size[0]]), 0, 1)
        return cls(*(round(float(share), 5) for share in shares.ravel()))

    def pixels(self, size: tuple[int, int]) -> Float[np.ndarray, "2 2"]:
        """(x, y) of each, in pixels of a picture of `size` (height, width)."""
        return np.array(astuple(self), np.float64).reshape(2, 2) * (size[1], size[0])


def standard(size: tuple[int, int]) -> Float[np.ndarray, "2 2"]:
    """(x, y) of where eyes belong in a picture of `size` (height, width), in pixels: where those of the largest square
    portrait in its middle are."""
    side = min(size)
    return np.array(STANDARD) * side + (np.array([size[1], size[0]]) - side) / 2
