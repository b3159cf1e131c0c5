"""A face, turned and scaled until its eyes lie where they do in all portraits."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from vae.pictures.crop import coloured, inverted
from vae.pictures.face.align import between, seen
from vae.pictures.face.eyes import Eyes, standard
from vae.pictures.face.finder import find
from vae.pictures.steps import Content, Preparation, Trail

LARGER = 3  # times the size that is read: of the square as a step shows it
DOT = 0.015  # of the long side: the radius of a dot on an eye
LEVEL = 0.5  # degrees: a picture that leans by less is not called turned


@dataclass(frozen=True)
class Face(Preparation):
    """The square around two eyes: those that the visitor showed, or that were found; where none were, the picture is
    taken as if its middle were a portrait."""

    by_eyes = True

    @property
    def switches(self) -> tuple[str, ...]:
        """The names of the steps that may be overruled."""
        return ("invert",)

    def __call__(
        self, picture: UInt8[np.ndarray, "h w *c"], shape: tuple[int, int, int], trail: Trail
    ) -> Float[np.ndarray, "height width *channels"]:
        """See `Preparation`; refuses no picture."""
        channels, height, width = shape
        values = inverted(coloured(picture / np.float32(255), channels, trail), trail)
        eyes, said = _eyes(picture, trail)
        trail.eyes = eyes
        places = eyes.pixels(picture.shape[:2])
        trail.add("eyes", said, _with_dots(values, places))

        large = between(places, standard((LARGER * height, LARGER * width)))
        square, outside = seen(values, large, (LARGER * height, LARGER * width))
        level = abs(large.turn) < LEVEL
        way = "left" if large.turn > 0 else "right"  # a picture that leans to the right is turned to the left
        turned = f"Turned to the {way} by {abs(large.turn):.0f}°, so that the eyes are level"
        trail.add("turn", turned, square, not level, "The eyes are level")
        beyond = f"Went on with the colours at the edge where the picture ends: {100 * outside:.0f} % of the square"
        trail.add("edge", beyond, square, outside > 0.005, "The picture is large enough all around")

        here = between(places, standard((height, width)))
        values, _ = seen(values, here, (height, width))
        scale = 100 / abs(here.scale)
        done = f"Scaled to {scale:.3g} %: {width} x {height} pixels, with the eyes where those of all portraits are"
        trail.add("size", done, values)
        return values


def _eyes(picture: UInt8[np.ndarray, "h w *c"], trail: Trail) -> tuple[Eyes, str]:
    """The eyes, and how they came to be these."""
    if trail.eyes is not None:
        return trail.eyes, "The eyes are where you put the two dots"
    found = find(picture)
    trail.content = Content(things=found.faces)
    if found.eyes is None:
        size = picture.shape[:2]
        return Eyes.at(standard(size), size), "No face was found: drag the two dots onto the eyes"
    if found.faces > 1:
        return found.eyes, f"Found {found.faces} faces, and the eyes of the largest"
    return found.eyes, "Found the eyes"


def _with_dots(values: Float[np.ndarray, "h w *c"], places: Float[np.ndarray, "2 2"]) -> Float[np.ndarray, "h w *c"]:
    """The picture with a white dot with a black rim on each eye."""
    shown = values.copy()
    radius = max(1.0, DOT * max(values.shape[:2]))
    y, x = np.mgrid[: values.shape[0], : values.shape[1]] + 0.5
    for place in places:
        away = np.hypot(x - place[0], y - place[1])
        shown[away < radius] = 0
        shown[away < 0.7 * radius] = 1
    return shown
