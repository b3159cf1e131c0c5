"""Files of pictures -> what was understood of them, before anything is trained: a small copy of each, and its class."""

import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Int64, UInt8
from PIL import Image

from vae.data import bank
from vae.data.bank import Bank
from vae.pictures import ImageError, megapixels, upright
from vae.pictures.files import File, unmarked
from vae.pictures.ground import coarsened
from vae.pictures.read import size_of
from vae.pictures.steps import luminance, smaller

SIDE = 128  # pixels on the long side of the copies that are kept, at most: twice what a model reads
COARSE = 32  # pixels on the long side at which pictures are compared and judged
TINT = 5.0  # levels between the channels of a pixel, on average over the picture, from which it counts as coloured
APART = "in no folder"
MOST_CLASSES = 40  # more folders say where pictures were kept, and not what they are
Copy = bytes  # of a picture, as a PNG file
PLAIN = 0.5  # of a picture's pixels at its commonest level: its ground is plain
NEAR_GROUND = 24.0  # levels from that


@dataclass(frozen=True)
class Seen:
    """One picture: its file, the folder it was in, its width and height as it is seen, whether it has colours and a
    plain ground."""

    name: str
    folder: str
    size: tuple[int, int]
    coloured: bool
    plain: bool


@dataclass
class Brought:
    """All that were read, in the order of their files; a sentence about each that was not, and the names of those that
    were there already; the `megapixels` that this took, as `vae.pictures.megapixels` counts them."""

    seen: list[Seen] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    twins: list[str] = field(default_factory=list)
    megapixels: float = 0.0
    _copies: list[bytes] = field(default_factory=list)
    _known: dict[bytes, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.seen)

    @property
    def size(self) -> int:
        """Bytes of the copies."""
        return sum(map(len, self._copies))

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the folders, where there are from two to MOST_CLASSES; else none."""
        names = sorted({one.folder for one in self.seen})
        return tuple(names) if 1 < len(names) <= MOST_CLASSES else ()

    @property
    def unclassed(self) -> str:
        """Why the folders are no classes, in a sentence; "" where they are, or there is but one."""
        folders = len({one.folder for one in self.seen})
        if folders <= MOST_CLASSES:
            return ""
        return f"Its {folders:,} folders are no classes: of those there may be {MOST_CLASSES}."

    @property
    def labels(self) -> Int64[np.ndarray, " n"]:
        """The class of each picture by its place in `class_names`; 0 where there are none."""
        places = {name: number for number, name in enumerate(self.class_names)}
        return np.array([places.get(one.folder, 0) for one in self.seen], np.int64)

    @property
    def bank(self) -> Bank:
        """The copies."""
        return bank.bank(self._copies, {})

    @property
    def words(self) -> str:
        """The count, sizes, colours and classes, in a sentence or two."""
        sizes = sorted(one.size for one in self.seen)
        coloured, both = sum(one.coloured for one in self.seen), {sizes[0], sizes[-1]}
        colours = {len(self): "in colour", 0: "grey"}.get(coloured, f"{coloured:,} of them in colour")
        wide = " to ".join(f"{width} x {height}" for width, height in sorted(both))
        counts = Counter(one.folder for one in self.seen)
        classes = ", ".join(f"{name} ({counts[name]:,})" for name in self.class_names)
        pictures = "One picture" if len(self) == 1 else f"{len(self):,} pictures"
        about = f"Classes by folder: {classes}." if classes else self.unclassed
        return f"{pictures}, {wide} pixels, {colours}. {about}".strip()

    def add(self, file: File, keep: bool = True) -> Copy | None:
        """Read one more file; its small copy, which is kept here unless not, or None where there is none."""
        try:
            content = file.read()
            picture = upright(content)
        except ImageError as error:
            self.refused.append(f"{file.name}: {error}")
            return None
        small = _copied(picture)
        digest = hashlib.sha256(repr(small.shape).encode() + small.tobytes()).digest()
        size = _as_it_came(picture.shape[1], picture.shape[0], size_of(content))
        coloured, plain = is_coloured(small), has_plain_ground(small)
        one = Seen(file.name, unmarked(file.folder) or APART, size, coloured, plain)
        return self._take(one, digest, _png(small), keep)

    def _take(self, one: Seen, digest: bytes, copy: Copy, keep: bool = True) -> Copy | None:
        """The copy, unless it is known already."""
        if digest in self._known:
            self.twins.append(f"{one.name} is {self.seen[self._known[digest]].name} once more.")
            return None
        self._known[digest] = len(self.seen)
        self.seen.append(one)
        if keep:
            self._copies.append(copy)
        return copy


def together(parts: Iterable[Brought]) -> Brought:
    """What was read one after the other as one: what came before is not taken once more."""
    whole = Brought()
    for part in parts:
        for one, digest, copy in zip(part.seen, part._known, part._copies, strict=True):
            whole._take(one, digest, copy)
        whole.refused += part.refused
        whole.twins += part.twins
        whole.megapixels += part.megapixels
    return whole


def brought(files: Iterable[File], most: int | float, before: int | float = 0) -> Iterator[Brought]:
    """Read files one after the other: the same object after each. At most `most` megapixels are decoded, with those
    that were `before`; what is left over is refused."""
    found = Brought()
    yield found
    for file in files:
        if before + found.megapixels > most:
            found.refused.append(f"{file.name}: the pictures before it had {most:,.0f} megapixels, the most at once.")
        else:
            try:
                content = file.read()
                found.megapixels += megapixels(content)
                found.add(replace(file, read=lambda content=content: content))
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


def _as_it_came(width: int, height: int, said: tuple[int, int]) -> tuple[int, int]:
    """The width and height before a large picture was made smaller; the file says them before it is turned upright."""
    return (max(said), min(said)) if width > height else (min(said), max(said))


def _copied(picture: UInt8[np.ndarray, "h w *c"]) -> UInt8[np.ndarray, "..."]:
    """At most SIDE pixels on the long side, never more than there were, and grey where all colours are: the same
    whatever kind of file it came in."""
    small = np.asarray(smaller(Image.fromarray(picture), SIDE)) if max(picture.shape[:2]) > SIDE else picture
    return small[..., 0] if small.ndim == 3 and (small == small[..., :1]).all() else small


def _png(picture: UInt8[np.ndarray, "h w *c"]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(out, "PNG", compress_level=1)
    return out.getvalue()
