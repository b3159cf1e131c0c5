"""A picture, as its file's bytes or decoded -> what a model reads, and the record of every step."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Float32, Shaped, UInt8
from torch import Tensor

from vae.models.spaces import STEP, Pictures
from vae.pictures.crop import Crop
from vae.pictures.face.eyes import Eyes
from vae.pictures.face.face import Face
from vae.pictures.ground import ramp, span
from vae.pictures.ink import Background, Centre, Contrast, Cut, Fit, Ink, Invert, Layout, Specks, Stroke
from vae.pictures.part import WHOLE, Part
from vae.pictures.photo import Photo
from vae.pictures.read import read, read_array
from vae.pictures.steps import Preparation, Prepared, Trail, to_uint8

# MNIST's ink fits 20 x 20 of 28 x 28 pixels; it was shifted by whole ones, which leaves up to half of one.
MNIST = Layout(box=20 / 28, off=0.55)
DRAWN = Ink(
    (
        Invert(),
        Background(),
        Contrast(ramp),
        Specks(),
        Cut(MNIST.box),
        Stroke(1.9, 3.6),  # the middle of MNIST's widths
        Fit(),
        Centre(by_mass=True),
    ),
    MNIST,
)
STANDING_OUT = Ink((Invert(), Contrast(span), Cut(), Fit(), Centre()))
# By the names that models know them by (`vae.models.spaces`).
PREPARATIONS: dict[str, Preparation] = {
    "digit": DRAWN,
    "garment": STANDING_OUT,
    "drawing": DRAWN,
    "thing": STANDING_OUT,
    "plain": Crop(),
    "crop": Crop(),
    "face": Face(),
    "photo": Photo(STEP),
}
# What a visitor may overrule, in everybody's words.
SWITCHES = {
    "invert": "Swap black and white",
    "background": "Even out the light",
    "contrast": "Stretch the contrast",
    "specks": "Remove specks",
    "crop": "Cut to what is there",
    "stroke": "Make lines as thick as usual",
    "centre": "Move to the centre",
}


def prepare(
    data: bytes,
    spec: Pictures,
    switches: Mapping[str, bool] = MappingProxyType({}),
    part: Part = WHOLE,
    eyes: Eyes | None = None,
) -> Prepared:
    """The picture (1, c, h, w) in the bytes of a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF file, as `spec` wants it.

    `switches` overrides automatic decisions by step name; `part` is what of the upright picture is taken, and `eyes`
    are where in that part the eyes are, else they are looked for. Raises ImageError for a picture that cannot be used
    and ValueError for a switch that does not exist.
    """
    trail = _trail(spec, switches)
    trail.eyes = eyes
    return _prepared(part.of(read(data, trail), trail), spec, trail)


def upright(data: bytes) -> UInt8[np.ndarray, "h w *c"]:
    """The picture in a file's bytes before anything else is done to it, at most 1,024 pixels on its long side; raises
    ImageError."""
    return read(data, Trail())


def prepare_array(
    array: Shaped[np.ndarray, "..."], spec: Pictures, switches: Mapping[str, bool] = MappingProxyType({})
) -> Prepared:
    """The same from a decoded uint8 picture (h, w), (h, w, 3) or (h, w, 4), as a drawing pad has it; ValueError for an
    array of another kind."""
    trail = _trail(spec, switches)
    return _prepared(read_array(array, trail), spec, trail)


def _trail(spec: Pictures, switches: Mapping[str, bool]) -> Trail:
    allowed = PREPARATIONS[spec.preparation].switches
    for name in switches:
        if name not in allowed:
            known = f"are {', '.join(allowed)}, not" if allowed else "are none, and not"
            raise ValueError(f"switches of {spec.preparation!r} {known} {name!r}")
    return Trail(allowed, switches)


def _prepared(picture: UInt8[np.ndarray, "h w *c"], spec: Pictures, trail: Trail) -> Prepared:
    values = PREPARATIONS[spec.preparation](picture, spec.shape, trail)
    return Prepared(_as_read(to_uint8(values), spec.channels), tuple(trail.steps), trail.content, trail.eyes)


def _as_read(levels: UInt8[np.ndarray, "h w *c"], channels: int) -> Float32[Tensor, "1 channels h w"]:
    """Float32 in [0, 1]; a grey picture gives each channel the same."""
    if levels.ndim == 2:
        levels = np.repeat(levels[..., None], channels, axis=2)
    planes = levels.transpose(2, 0, 1)
    return torch.from_numpy(planes.astype(np.float32) / np.float32(255))[None]
