"""The largest centred crop of the right shape, colours kept."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from vae.pictures.steps import Preparation, Trail, fitting, luminance, place, resize


@dataclass(frozen=True)
class Crop(Preparation):
    """The largest part of the right shape in the middle of a picture. Where the visitor wants the whole picture, it is
    fitted in, with black beside it."""

    @property
    def switches(self) -> tuple[str, ...]:
        """The names of the steps that may be overruled, in their order."""
        return "invert", "crop"

    def __call__(
        self, picture: UInt8[np.ndarray, "h w *c"], shape: tuple[int, int, int], trail: Trail
    ) -> Float[np.ndarray, "height width *channels"]:
        """See `Preparation`; refuses no picture."""
        channels, height, width = shape
        values = inverted(coloured(picture / np.float32(255), channels, trail), trail)
        if trail.decide("crop", True):
            values = _middle(values, fitting((height, width), values.shape[:2]), trail)
            h, w = height, width
        else:
            trail.add("crop", "", values, False)
            h, w = fitting(values.shape[:2], (height, width))
        values = place(resize(values, h, w), (height, width), (height - h) // 2, (width - w) // 2)
        trail.add("size", f"Resized to {w} x {h}", values)
        return values


def coloured(values: Float[np.ndarray, "h w *c"], channels: int, trail: Trail) -> Float[np.ndarray, "h w *channels"]:
    """In colour where the model reads colours or the picture has none, else grey; a step where that changes it."""
    if channels > 1 or values.ndim == 2:
        return values
    values = luminance(values)
    trail.add("grey", "Turned to grey", values)
    return values


def inverted(values: Float[np.ndarray, "h w *c"], trail: Trail) -> Float[np.ndarray, "h w *c"]:
    """Light and dark swapped where the visitor wants that."""
    invert = trail.decide("invert", False)
    values = 1 - values if invert else values
    trail.add("invert", "Swapped light and dark", values, invert, "Light and dark are kept")
    return values


def _middle(
    values: Float[np.ndarray, "h w *c"], size: tuple[int, int], trail: Trail
) -> Float[np.ndarray, "height width *c"]:
    """So many pixels (height, width) from the middle."""
    height, width = size
    top, left = (values.shape[0] - height) // 2, (values.shape[1] - width) // 2
    middle = values[top : top + height, left : left + width]
    cut = middle.shape != values.shape
    trail.add("crop", f"Cut out the middle, {width} x {height} pixels", middle, cut, "The shape is right already")
    return middle
