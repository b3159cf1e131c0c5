"""The part of a picture that a visitor chose: a box on it, in shares of its width and height."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from vae.pictures.steps import Trail

LEAST = 8  # pixels on each side of a part, where the picture has as many


@dataclass(frozen=True)
class Part:
    """From left to right and from top to bottom, each from 0 to 1; ValueError for a box that is none."""

    left: int | float = 0.0
    top: int | float = 0.0
    right: int | float = 1.0
    bottom: int | float = 1.0

    def __post_init__(self):
        if not (0 <= self.left < self.right <= 1 and 0 <= self.top < self.bottom <= 1):
            raise ValueError(f"a part lies within 0 and 1, and has an area; {self} does not")

    def of(self, picture: UInt8[np.ndarray, "h w *c"], trail: Trail) -> UInt8[np.ndarray, "rows columns *c"]:
        """This part of a picture, as a step of its preparation; of the whole picture nothing is said."""
        if self == WHOLE:
            return picture
        top, bottom = _pixels(self.top, self.bottom, picture.shape[0])
        left, right = _pixels(self.left, self.right, picture.shape[1])
        cut = picture[top:bottom, left:right]
        trail.add("part", f"Cut to your box: {right - left} x {bottom - top} pixels", cut)
        return cut


def _pixels(start: int | float, end: int | float, count: int) -> tuple[int, int]:
    """The first pixel, and the one behind the last."""
    least = min(LEAST, count)
    first = min(round(start * count), count - least)
    return first, max(round(end * count), first + least)


WHOLE = Part()
