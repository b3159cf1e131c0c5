"""The eyes of the largest face on a picture, if there is one."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, UInt8

from vae.pictures.face.align import Similarity, between, seen
from vae.pictures.face.detector import Box, faces
from vae.pictures.face.eyes import Eyes
from vae.pictures.face.locator import SIDE, USUAL, stored

SIDES = (160, 352)  # pixels on the long side of the picture, for faces that fill it and for small ones
LEAST = 0.25  # how sure the detector has to be of a face
LOOKS = 3  # of the locator, each at the square that the one before led to
APART = 0.08  # of the distance between the eyes: where a face and its mirror image differ by more, it is none
# The first squares: so many of a box's size (the geometric mean of its sides) wide, and their middle so many higher.
WIDE, HIGHER = (0.65, 0.9), 0.06


@dataclass(frozen=True)
class Found:
    """The eyes of the largest face, and how many faces there are; None where there is none."""

    eyes: Eyes | None
    faces: int


_locator = cache(stored)


def find(picture: UInt8[np.ndarray, "h w *c"]) -> Found:
    """Looks at a picture in colour or grey."""
    colours = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    values = colours / np.float32(255)
    boxes = faces(torch.from_numpy(values).permute(2, 0, 1)[None], SIDES, LEAST)
    found = [(math.dist(*eyes), eyes) for box in boxes if (eyes := locate(values, box)) is not None]
    if not found:
        return Found(None, 0)
    return Found(Eyes.at(max(found, key=lambda one: one[0])[1], picture.shape[:2]), len(found))


def locate(values: Float[np.ndarray, "h w 3"], box: Box) -> Float[np.ndarray, "2 2"] | None:
    """(x, y) of the eyes in a box, in pixels; None where there are none. Of several beginnings that one counts where a
    face and its mirror image are most of one mind."""
    size = math.sqrt(box.width * box.height)
    tries = [_looked(values, complex(box.x, box.y - HIGHER * size), wide * size) for wide in WIDE]
    apart, eyes = min(tries, key=lambda one: one[0])
    height, width = values.shape[:2]
    inside = ((eyes > 0) & (eyes < (width, height))).all()
    return eyes if inside and apart < APART else None


@torch.inference_mode()
def _looked(values: Float[np.ndarray, "h w 3"], middle: complex, side: float) -> tuple[float, Float[np.ndarray, "2 2"]]:
    """How far a face and its mirror image are from one mind about its eyes, as a share of the distance between them,
    and where both together see them; infinitely far where they see no two eyes."""
    square = Similarity(complex(side / SIDE), middle - side * (0.5 + 0.5j))
    for _ in range(LOOKS):
        here, _ = seen(values, square, (SIDE, SIDE))
        straight = torch.from_numpy(here).permute(2, 0, 1)[None]
        places = _locator()(torch.cat([straight, straight.flip(3)])).numpy()
        mirrored = places[1, ::-1] * (-1, 1) + (1, 0)
        mean = (places[0] + mirrored) / 2
        eyes = square.at(SIDE * mean)
        if math.dist(*eyes) < 1:
            return math.inf, eyes
        square = between(eyes, SIDE * np.array(USUAL))
    return float(np.abs(places[0] - mirrored).max()) / math.dist(*mean), eyes
