"""Pictures of many sizes in one file, each as the bytes of its own PNG, JPEG or WebP file.

An .npz file without pickles: `data` (uint8) holds all bytes one after the other, picture i is
data[offsets[i]:offsets[i + 1]], and every other array with a row for each picture says more about it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Int64, Shaped, UInt8

from vae.data.idx import DataError
from vae.models.files import whole
from vae.pictures.files import BROKEN
from vae.pictures.read import read
from vae.pictures.steps import Trail

MAX_BYTES = 2_000_000_000  # of all arrays of a bank


@dataclass(frozen=True, eq=False)
class Bank:
    """The bytes of n pictures, and `about` them: arrays with a row for each."""

    data: UInt8[np.ndarray, " bytes"]
    offsets: Int64[np.ndarray, " n_and_1"]
    about: Mapping[str, Shaped[np.ndarray, "n ..."]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def content(self, index: int) -> bytes:
        """The bytes of a picture's file."""
        return self.data[self.offsets[index] : self.offsets[index + 1]].tobytes()

    def picture(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """The picture, upright, in colour, at most 1,024 pixels on its long side. Raises ImageError."""
        levels = read(self.content(index), Trail())
        return levels if levels.ndim == 3 else np.repeat(levels[..., None], 3, axis=2)

    def some(self, rows: Int64[np.ndarray, " m"]) -> "Bank":
        """A bank of these alone."""
        return bank(map(self.content, rows.tolist()), {name: values[rows] for name, values in self.about.items()})

    def save(self, path: Path) -> None:
        """OSError where it cannot be written."""
        with whole(path) as draft, draft.open("wb") as file:
            np.savez(file, data=self.data, offsets=self.offsets, **self.about)


def bank(contents: Iterable[bytes], about: Mapping[str, Shaped[np.ndarray, "n ..."]]) -> Bank:
    """One of the bytes of some files."""
    pieces = [np.frombuffer(content, np.uint8) for content in contents]
    offsets = np.cumsum([0, *map(len, pieces)], dtype=np.int64)
    return Bank(np.concatenate([np.zeros(0, np.uint8), *pieces]), offsets, dict(about))


def load(path: Path) -> Bank:
    """The bank in a file; DataError where it is none."""
    try:
        with path.open("rb") as raw:  # np.load leaves a broken file open
            arrays = _arrays(raw)
        data, offsets = (arrays.pop(name) for name in ("data", "offsets"))
    except KeyError as error:
        raise DataError(f"{path} is no bank of pictures: it has no array {error}") from error
    except BROKEN as error:
        raise DataError(f"{path} is no bank of pictures: {error}") from error
    steps = np.diff(offsets) if offsets.ndim == 1 and offsets.dtype == np.int64 and len(offsets) else np.array([-1])
    if data.ndim != 1 or data.dtype != np.uint8 or (steps < 0).any() or offsets[0] != 0 or offsets[-1] != len(data):
        raise DataError(f"{path} is no bank of pictures: its offsets do not fit its bytes")
    return Bank(
        data, offsets, {name: values for name, values in arrays.items() if values.shape[:1] == (len(offsets) - 1,)}
    )


def _arrays(raw: BinaryIO) -> dict[str, Shaped[np.ndarray, "..."]]:
    """All arrays of an .npz file; ValueError where it is none, or has too many."""
    if raw.read(2) != b"PK":  # np.load would take it for a pickle
        raise ValueError("it is no .npz file")
    raw.seek(0)
    with np.load(raw, allow_pickle=False) as file:
        if sum(member.file_size for member in file.zip.infolist()) > MAX_BYTES:
            raise ValueError(f"it would take more than {MAX_BYTES / 1e9:.0f} GB of memory")
        return {name: np.asarray(file[name]) for name in file.files}
