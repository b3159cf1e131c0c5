"""What pictures of one's own can become for a model, and what suits them."""

from dataclasses import dataclass

import numpy as np

from vae.data.own.brought import Brought
from vae.models.spaces import Pictures

MOSTLY = 0.7  # the share of the pictures that decides


@dataclass(frozen=True)
class Shape:
    """One of them: its words, and the preparations that there are for it, in everybody's words, the usual one first."""

    words: str
    channels: int
    side: int
    levels: int
    preparations: dict[str, str]

    def spec(self, preparation: str) -> Pictures:
        """What a model of it reads; ValueError for a preparation that it has not."""
        if preparation not in self.preparations:
            known = ", ".join(self.preparations)
            raise ValueError(f"the preparation must be one of {known}, not {preparation!r}")
        return Pictures(self.channels, self.side, self.side, self.levels, preparation)


OF_BITS = {
    "drawing": "Drawings: lines of one width, centred",
    "thing": "Things: what stands out, enlarged",
    "plain": "The middle of each, as it is",
}
OF_COLOURS = {
    "crop": "The middle of each, as it is",
    "face": "Faces: the eyes in one place",
}
SHAPES = {
    "bits-28": Shape("28 x 28, black and white", 1, 28, 2, OF_BITS),
    "bits-32": Shape("32 x 32, black and white", 1, 32, 2, OF_BITS),
    "colour-32": Shape("32 x 32, in colour", 3, 32, 256, OF_COLOURS),
    "colour-64": Shape("64 x 64, in colour", 3, 64, 256, OF_COLOURS),
}


def suggested(found: Brought) -> tuple[str, str]:
    """(a name of SHAPES, a preparation): drawings become bits, everything else stays in colour, as large as it came.

    What came as small as a model reads it is taken as it is.
    """
    sizes = np.array([one.size for one in found.seen])
    is_drawn = np.mean([one.plain and not one.coloured for one in found.seen]) > MOSTLY
    longest = float(np.median(sizes.max(1)))
    if is_drawn:
        return ("bits-28" if longest <= 28 or longest > 32 else "bits-32"), ("plain" if longest <= 32 else "drawing")
    return ("colour-32" if longest <= 32 else "colour-64"), "crop"
