"""Files of pictures -> what was understood of them, before anything is trained: a small copy of each, and its class."""

import hashlib
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np
from jaxtyping import Int64, UInt8
from PIL import Image

from vae.data import bank
from vae.data.bank import Bank
from vae.pictures import ImageError, megapixels, upright
from vae.pictures.files import File
from vae.pictures.ground import coarsened
from vae.pictures.steps import luminance, smaller

SIDE = 128  # pixels on the long side of the copies that are kept: twice what a model reads
COARSE = 32  # pixels on the long side at which pictures are compared and judged
TINT = 5.0  # levels between the channels of a pixel, on average over the picture, from which it counts as coloured
APART = "in no folder"
MOST_CLASSES = 40  # more folders say where pictures were kept, and not what they are
PLAIN = 0.5  # of a picture's pixels at its commonest level: its ground is plain
NEAR_GROUND = 24.0  # levels from that


@dataclass(frozen=True)
class Seen:
    """One picture: its file, the folder it was in, its width and height, whether it has colours and a plain ground."""

    name: str
    folder: str
    size: tuple[int, int]
    coloured: bool
    plain: bool


@dataclass
class Brought:
    """All that were read, in the order of their files; a sentence about each that was not, and the names of those that
    were there already."""

    seen: list[Seen] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    twins: list[str] = field(default_factory=list)
    _copies: list[bytes] = field(default_factory=list)
    _known: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.seen)

    @property
    def bytes(self) -> int:
        """Of the copies."""
        return sum(map(len, self._copies))

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the folders, where there are from two to MOST_CLASSES; else none."""
        names = sorted({one.folder for one in self.seen})
        return tuple(names) if 1 < len(names) <= MOST_CLASSES else ()

    @property
    def labels(self) -> Int64[np.ndarray, " n"]:
        """The class of each picture by its place in `class_names`; 0 where there are none."""
        places = {name: number for number, name in enumerate(self.class_names)}
        return np.array([places.get(one.folder, 0) for one in self.seen], np.int64)

    @property
    def bank(self) -> Bank:
        """The copies."""
        return bank.bank(self._copies, {})

    def add(self, file: File) -> None:
        """Read one more file."""
        try:
            picture = upright(file.read())
        except ImageError as error:
            self.refused.append(f"{file.name}: {error}")
            return
        small = np.asarray(smaller(Image.fromarray(picture), SIDE))
        digest = hashlib.sha256(repr(small.shape).encode() + small.tobytes()).hexdigest()
        if digest in self._known:
            self.twins.append(f"{file.name} is {self.seen[self._known[digest]].name} once more")
            return
        self._known[digest] = len(self.seen)
        height, width = picture.shape[:2]
        folder = PurePosixPath(file.name.replace("\\", "/")).parent.name or APART
        self.seen.append(Seen(file.name, folder, (width, height), is_coloured(small), has_plain_ground(small)))
        self._copies.append(_png(small))


def brought(files: Iterable[File], most: float) -> Iterator[Brought]:
    """Read files one after the other: the same object after each. At most `most` megapixels are decoded, as
    `megapixels` counts them; what is left over is refused."""
    found, spent = Brought(), 0.0
    yield found
    for file in files:
        if spent > most:
            found.refused.append(f"{file.name}: the pictures before it had {most:.0f} megapixels, the most at once.")
        else:
            try:
                content = file.read()
                spent += megapixels(content)
                found.add(File(file.name, lambda content=content: content))
            except ImageError as error:
                found.refused.append(f"{file.name}: {error}")
        yield found


def is_coloured(picture: UInt8[np.ndarray, "h w *c"]) -> bool:
    """Whether a picture has colours that one would miss; what a camera's white balance leaves of a page is none."""
    if picture.ndim == 2:
        return False
    levels = picture.reshape(-1, 3).astype(np.float32)
    levels -= levels.mean(0) - levels.mean()  # a tint of the whole picture is no colour of it
    return float(np.ptp(levels, axis=1).mean()) > TINT


def has_plain_ground(picture: UInt8[np.ndarray, "h w *c"]) -> bool:
    """Whether most of a picture is one level, as paper is around a drawing."""
    values = picture.astype(np.float32)
    levels = coarsened(luminance(values) if values.ndim == 3 else values, COARSE)
    counts = np.bincount(levels.astype(np.int64).clip(0, 255).ravel() // 16, minlength=16)
    middle = 16 * int(counts.argmax()) + 8
    return float((np.abs(levels - middle) < NEAR_GROUND).mean()) > PLAIN


def _png(picture: UInt8[np.ndarray, "h w *c"]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG", compress_level=1)
    return out.getvalue()
