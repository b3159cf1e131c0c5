"""What is done to a picture, step by step, and the few ways to bring a picture to a size."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Float32, Shaped, UInt8
from PIL import Image
from torch import Tensor

from vae.pictures.face.eyes import Eyes

WORK_SIDE, SHOWN_SIDE = 1024, 512  # pixels on the long side, while working and in a step's picture


class ImageError(ValueError):
    """A picture that cannot be read or prepared; the message is one sentence for the user."""


@dataclass(frozen=True)
class Step:
    """What was done and the uint8 picture (h, w) or (h, w, 3) after it, at most 512 pixels on the long side."""

    name: str
    text: str
    applied: bool
    switchable: bool
    image: Shaped[np.ndarray, "..."]


@dataclass(frozen=True)
class Content:
    """What was seen on the way, which tells whether a picture shows what a model knows.

    `things` is how many separate things were cut out together, or how many faces were found where one was looked for;
    `kept`, `edges` and `colours` how much of the original is left, and `ground` how plain the ground is, by
    `vae.pictures.kept`, from 0 to 1. None where nothing was cut out.
    """

    things: int | None = None
    kept: float | None = None
    edges: float | None = None
    colours: float | None = None
    ground: float | None = None


@dataclass(frozen=True)
class Prepared:
    """The picture a model reads, float32 in [0, 1] in steps of 1/255, the steps that led to it, and what was seen.

    `eyes` are where those are that it was brought in place by, on the part of the original that was taken; None for a
    preparation that asks for none.
    """

    picture: Float[Tensor, "1 c h w"]
    steps: tuple[Step, ...]
    content: Content
    eyes: Eyes | None = None

    def said(self, name: str) -> str:
        """The text of a step; "" where there is none of this name."""
        return next((step.text for step in self.steps if step.name == name), "")


@dataclass
class Trail:
    """The steps so far, and who decides: the user's switch, and where they say that the eyes are, or the automatic
    choice; `eyes` is the choice then."""

    switchable: tuple[str, ...] = ()  # names of steps
    switches: Mapping[str, bool] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    content: Content = Content()
    eyes: Eyes | None = None

    def decide(self, name: str, automatic: bool) -> bool:
        """Whether a step is done."""
        return bool(self.switches.get(name, automatic))

    def add(self, name: str, done: str, image: np.ndarray, applied: bool = True, otherwise: str = "") -> None:
        """Record a step: the text is `done`, or `otherwise` where it was not needed, or that it is switched off."""
        if not applied:
            done = otherwise if self.switches.get(name, True) else "Switched off"
        shown = image if image.dtype == np.uint8 else to_uint8(image)
        if max(shown.shape[:2]) > SHOWN_SIDE:
            shown = np.asarray(smaller(Image.fromarray(shown), SHOWN_SIDE))
        self.steps.append(Step(name, done, applied, name in self.switchable, shown.copy()))


class Preparation(ABC):
    """How an upright picture becomes what a model reads: steps, some of which a visitor may overrule.

    A visitor says by a box which part of their picture is meant; where it is prepared `by_eyes`, by two dots on them.
    """

    by_eyes = False

    @property
    @abstractmethod
    def switches(self) -> tuple[str, ...]:
        """The names of the steps that may be overruled."""

    @abstractmethod
    def __call__(
        self, picture: UInt8[np.ndarray, "h w *c"], shape: tuple[int, int | None, int | None], trail: Trail
    ) -> Float[np.ndarray, "height width *channels"]:
        """The picture in [0, 1], as high and as wide as `shape` (channels, height, width) says, where it says so, grey
        where it likes; what was done is added to the trail. Raises ImageError for a picture that cannot be used."""


def smaller(image: Image.Image, side: int) -> Image.Image:
    """The picture with so many pixels on its long side."""
    scale = side / max(image.size)
    size = tuple(max(1, round(n * scale)) for n in image.size)
    return image.resize(size, Image.Resampling.BOX)


def to_uint8(values: Float[np.ndarray, "h w *c"]) -> UInt8[np.ndarray, "h w *c"]:
    """Values in [0, 1], cut off where they are beyond, to the nearest of 256 levels."""
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def luminance(colour: Float[np.ndarray, "h w *c"]) -> Float[np.ndarray, "h w"]:
    """How light a picture is, in its own unit; a grey one is that already."""
    return colour @ np.array([0.299, 0.587, 0.114], np.float32) if colour.ndim == 3 else colour


def fitting(shape: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """The largest (height, width) of a shape that fits in a box, in pixels."""
    scale = min(box[0] / shape[0], box[1] / shape[1])
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def resize(values: Float[np.ndarray, "h w *c"], height: int, width: int) -> Float[np.ndarray, "height width *c"]:
    """The picture with so many pixels, in [0, 1]."""
    if values.shape[:2] == (height, width):
        return values
    planes = [np.ascontiguousarray(plane) for plane in np.atleast_3d(values).transpose(2, 0, 1)]
    planes = [np.asarray(Image.fromarray(p).resize((width, height), Image.Resampling.LANCZOS)) for p in planes]
    return np.clip(planes[0] if values.ndim == 2 else np.stack(planes, axis=-1), 0, 1)


def place(
    values: Float[np.ndarray, "h w *c"], size: tuple[int, int], top: int, left: int
) -> Float32[np.ndarray, "height width *c"]:
    """A black page of `size` (height, width) with the picture on it, so many pixels from its upper left corner."""
    page = np.zeros((*size, *values.shape[2:]), np.float32)
    page[top : top + values.shape[0], left : left + values.shape[1]] = values
    return page
