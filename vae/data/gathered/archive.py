"""The pictures of a gallery as others have them: in a prepared file, or in the archive on the web.

An index that ships says which picture is which, in the order of all pictures: ids, tags, which may be shown, and the
checksum of its file in the archive, where numbers are not enough: several pictures have one.
"""

import hashlib
import io
import itertools
import mmap
import re
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Shaped, UInt64
from PIL import Image
from tqdm import tqdm

from vae.data import bank, splits
from vae.data.bank import Bank
from vae.data.gallery import ROW, SHOWN
from vae.data.idx import DataError
from vae.data.sets import Archive, Gallery
from vae.pictures.files import BROKEN, ENTRY, SMALL
from vae.pictures.steps import ImageError

INDEX, IDS, TAGS = "index.npz", "ids", "tags"
MAX_ARCHIVE, MAX_MEMBERS = 1_500_000_000, 200_000  # bytes, packed or not, and files; there are 0.8e9 and 46,000
ENDINGS = (".jpg", ".jpeg")
QUALITY, METHOD = 90, 6  # of WebP: what the prepared file was written with, byte for byte
LOOKED_AT = 50  # pictures of a prepared file that are decoded before it is taken
OTHERS, COPIES, DAMAGED = "that are none of them", "that are there once more", "that cannot be read"


@dataclass(frozen=True, eq=False)
class Index:
    """All pictures of a gallery: the columns of its bank, and the first eight bytes of the SHA-256 of the file that
    each was in the archive, 0 where that is not known."""

    columns: dict[str, Shaped[np.ndarray, "n ..."]]
    checksums: UInt64[np.ndarray, " n"]


def index(gallery: Gallery) -> Index:
    """That which ships; DataError where it is damaged."""
    path = splits.SHIPPED / gallery.name / INDEX
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            ids, tags, shown, checksums = file[IDS], file[TAGS], file[SHOWN], file["checksums"]
        tags = np.unpackbits(tags, axis=1, count=len(gallery.tags)).astype(bool)
    except (*BROKEN, TypeError) as error:
        raise DataError(f"The index {path} is damaged: {error}.") from error
    return Index({IDS: ids.astype(np.int64), TAGS: tags, SHOWN: shown.astype(bool)}, checksums)


def checksum(content: bytes) -> int:
    """What the index says of a file."""
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "big")


def check(gallery: Gallery, path: Path) -> None:
    """DataError where a file is not the bank of a gallery's pictures in their order: of all, or of those that its
    column ROW says. Some of them are decoded."""
    if not path.is_file():
        raise DataError(f"{path} is {'a folder, not a file' if path.is_dir() else 'not there'}.")
    found = bank.load(path)
    if ROW not in found.about and len(found) != gallery.pictures:
        raise DataError(f"{path} holds {len(found):,} pictures, and {gallery.title.lower()} are {gallery.pictures:,}.")
    rows = found.about.get(ROW, np.arange(len(found)))
    if rows.dtype != np.int64 or rows.ndim != 1 or not len(rows) or (np.diff(rows) <= 0).any():
        raise DataError(f"{path} does not say which picture is which: its column {ROW!r} is not in order.")
    if rows[0] < 0 or rows[-1] >= gallery.pictures:
        raise DataError(f"{path} does not say which picture is which: {gallery.title} are {gallery.pictures:,} only.")
    known = index(gallery).columns
    for name in (SHOWN, IDS):
        if name not in found.about:
            raise DataError(f"{path} lacks the column {name!r} of the prepared file.")
        if not np.array_equal(found.about[name], known[name][rows]):
            raise DataError(f"{path} holds other pictures, or in another order: its {name} are not those of the index.")
    for row in np.unique(np.linspace(0, len(found) - 1, LOOKED_AT).astype(int)).tolist():
        _look(found, row, gallery.archive.kept, path)


def _look(found: Bank, row: int, side: int, path: Path) -> None:
    try:
        height, width, _ = found.picture(row).shape
    except ImageError as error:
        raise DataError(f"{path} is damaged: picture {row:,} cannot be read: {error}") from error
    if (height, width) != (side, side):
        raise DataError(f"{path} holds pictures of {width} x {height} pixels, not {side} x {side}.")


def unpacked(gallery: Gallery, path: Path) -> tuple[Bank, Counter[str]]:
    """The pictures of a gallery's archive, cut and made small, in the index' order, with its columns and ROW; and how
    many files with a picture's name were left out, by the reason.

    Only what has a checksum of the index is decoded, and nothing is unpacked that is larger than a picture is.
    DataError where it is no archive, or has none of the pictures.
    """
    known, left_out, contents = index(gallery), Counter(), {}
    row_of = {number: row for row, number in enumerate(known.checksums.tolist()) if number}
    if _members(path) > MAX_MEMBERS:
        raise DataError(f"{path} has more than {MAX_MEMBERS:,} files.")
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if member.filename.lower().endswith(ENDINGS)]
            if sum(member.file_size for member in members if member.file_size <= SMALL) > MAX_ARCHIVE:
                raise ValueError(f"unpacked it would have more than {MAX_ARCHIVE / 1e9:.1f} GB")
            for member in tqdm(members, desc=gallery.title, disable=None):
                content = _bytes(archive, member)
                row = None if content is None else row_of.get(checksum(content))
                if row in contents:
                    left_out[COPIES] += 1
                    continue
                small = None if row is None else _small(content, gallery.archive)
                if small is not None:
                    contents[row] = small
                else:
                    left_out[DAMAGED if content is None or row is not None else OTHERS] += 1
    except BROKEN as error:
        raise DataError(f"{path} is no archive that can be read: {error}.") from error
    if not contents:
        raise DataError(f"{path} has none of the {gallery.things}.")
    rows = np.array(sorted(contents), np.int64)
    about = {name: values[rows] for name, values in known.columns.items()} | {ROW: rows}
    return bank.bank((contents[row] for row in rows.tolist()), about), left_out


def _members(path: Path) -> int:
    """How many files an archive has, counted to one more than are allowed, before zipfile makes an object of each."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return sum(1 for _ in itertools.islice(re.finditer(re.escape(ENTRY), content), MAX_MEMBERS + 1))
    except (OSError, ValueError) as error:  # an empty file cannot be mapped
        raise DataError(f"{path} is no archive that can be read: {error}.") from error


def _bytes(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes | None:
    """A file's content; None where it cannot be unpacked, or is larger than a picture."""
    if member.file_size > SMALL or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return None
    try:
        with archive.open(member) as file:
            return file.read(member.file_size)
    except BROKEN:
        return None


def _small(content: bytes, asked: Archive) -> bytes | None:
    """The WebP file of what is kept of a picture; None where it cannot be read, or has another size."""
    try:
        picture = bank.bank([content], {}).picture(0)
    except ImageError:
        return None
    if picture.shape[:2] != (asked.side, asked.side):
        return None
    small = Image.fromarray(picture).crop(asked.box).resize((asked.kept, asked.kept), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "WEBP", quality=QUALITY, method=METHOD)
    return file.getvalue()
