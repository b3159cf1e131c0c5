"""Which picture is meant: four kinds of ids, what links and messages call them, and the one parser of that."""

import base64
import zlib
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vae.models.spaces import Pictures

LONGEST = 4000  # letters of a picture in a link; what takes more is not said


@dataclass(frozen=True)
class Example:
    """A picture of the model's test set."""

    index: int

    def __str__(self) -> str:
        return f"i{self.index}"


@dataclass(frozen=True)
class Sample:
    """A picture of the model's own, drawn from its prior with a seed."""

    seed: int

    def __str__(self) -> str:
        return f"s{self.seed}"


@dataclass(frozen=True)
class Given:
    """A picture by its pixels: "b" and its bits where it has no others, else "g" and its levels of 256, packed."""

    pixels: str

    def __str__(self) -> str:
        return self.pixels

    @classmethod
    def of(cls, x: Float[Tensor, "1 c h w"]) -> "Given":
        """The id of any picture."""
        greys = x.mul(255).round().byte().numpy()
        if ((greys == 0) | (greys == 255)).all():
            return cls("b" + _as_text(np.packbits(greys > 0).tobytes()))
        return cls("g" + _as_text(zlib.compress(greys.tobytes(), 9)))

    def picture(self, spec: Pictures) -> Float[Tensor, "1 c h w"] | None:
        """The x that it says; None where it is no picture of a model's."""
        try:
            x = self._levels(spec.pixels)
        except (ValueError, zlib.error):
            return None
        steps = x * (spec.levels - 1)
        if len(x) != spec.pixels or np.abs(steps - steps.round()).max() > 1e-3:  # greys are none of a model's of bits
            return None
        return torch.from_numpy(x).view(1, *spec.shape)

    def _levels(self, count: int) -> Float[np.ndarray, " n"]:
        text = self.pixels[1:]
        said = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        if self.pixels[0] == "g":
            levels = zlib.decompressobj().decompress(said, count + 1)  # no more, whatever it unpacks to
            return np.frombuffer(levels, np.uint8) / np.float32(255)
        if len(said) != -(-count // 8):
            raise ValueError(f"{len(said)} bytes are not {count} bits")
        return np.unpackbits(np.frombuffer(said, np.uint8), count=count).astype(np.float32)


@dataclass(frozen=True)
class Own:
    """The visitor's own file or drawing, which nobody else has."""

    kind: str

    def __str__(self) -> str:
        return self.kind


UPLOAD, DRAWING = Own("upload"), Own("drawing")
Id = Example | Sample | Given | Own


def parse(text: object) -> Id | None:
    """The id that a link, a page or a browser means; None where it is none."""
    if not isinstance(text, str):
        return None
    if text in (UPLOAD.kind, DRAWING.kind):
        return Own(text)
    if text[:1] in ("i", "s") and text[1:].isdecimal() and len(text) < 8:
        return (Example if text[0] == "i" else Sample)(int(text[1:]))
    return Given(text) if text[:1] in ("b", "g") else None


def _as_text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
