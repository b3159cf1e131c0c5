"""A bank of pictures of many kinds, from a folder with a folder for each kind."""

import hashlib
import io
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from vae.data import bank
from vae.data.bank import Bank
from vae.data.gathered.sheets import page, sheet
from vae.data.idx import DataError
from vae.pictures.read import FORMATS
from vae.pictures.steps import WORK_SIDE, ImageError

ENDINGS = {f".{name.lower()}" for name in (*FORMATS, "JPG", "TIF")}
TYPEFACES = {".ttf", ".otf"}
FONTS, ICONS, DRAWN = "fonts", "icons", 220  # what is drawn from: so many pages of text, and sheets of icons
WORDS = (
    *("the", "of", "and", "to", "in", "a", "is", "that", "for", "it", "as", "was", "with", "be", "by", "on", "not"),
    *("he", "his", "but", "at", "are", "this", "have", "from", "or", "had", "an", "Which", "one", "You", "1998"),
)
PARTS = ("train", "validation", "test")
SHARES = (0.91, 0.03, 0.06)  # of the pictures, by what is in their files


def gather(folder: Path, most: int = 4000) -> Bank:
    """All pictures below FOLDER/KIND, for each kind; `about` names the `kind`s and `part`s (PARTS).

    A file of a bank (.npz) counts as its pictures; of FONTS and ICONS, what is drawn with them. Of a kind at most
    `most` are taken, evenly. What is larger than 1,024 pixels is made smaller; what cannot be read is left out.
    DataError where nothing is left.
    """
    contents, kinds, parts = [], [], []
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        found = list(_of(place))
        for content in tqdm(found[:: max(1, -(-len(found) // most))], desc=place.name, disable=None):
            small = _reduced(content)
            if small is not None:
                contents.append(small)
                kinds.append(place.name)
                parts.append(part_of(content))
    if not contents:
        raise DataError(f"There is no picture below {folder}: it holds a folder for each kind of pictures.")
    return bank.bank(contents, {"kind": np.array(kinds), "part": np.array(parts)})


def part_of(content: bytes) -> str:
    """Which part a picture belongs to, by its file alone: a file that is there twice is never in two of them."""
    place = int.from_bytes(hashlib.sha256(content).digest()[:8], "big") / 2**64
    edges = np.cumsum(SHARES)
    return PARTS[int(np.searchsorted(edges[:-1], place, side="right"))]


def _of(place: Path) -> Iterator[bytes]:
    files = sorted(path for path in place.rglob("*") if path.is_file() and not path.is_symlink())
    if place.name in (FONTS, ICONS):
        chance, drawn_with = random.Random(DRAWN), TYPEFACES if place.name == FONTS else ENDINGS
        files = [path for path in files if path.suffix.lower() in drawn_with]
        try:
            for _ in range(DRAWN if files else 0):
                yield _lossless(page(files, WORDS, chance) if place.name == FONTS else sheet(files, chance))
        except (OSError, SyntaxError) as error:  # as Pillow's readers raise them
            raise DataError(f"A file in {place} cannot be drawn with: {error}") from error
        return
    for path in files:
        if path.suffix == ".npz":
            stored = bank.load(path)
            yield from map(stored.content, range(len(stored)))
        elif path.suffix.lower() in ENDINGS:
            yield path.read_bytes()


def _reduced(content: bytes) -> bytes | None:
    """The bytes as they are where they are no larger than is read; else of a smaller picture. None for no picture."""
    try:
        picture = bank.bank([content], {}).picture(0)
    except ImageError:
        return None
    with Image.open(io.BytesIO(content)) as image:
        is_small = max(image.size) <= WORK_SIDE
    return content if is_small else _lossless(picture)


def _lossless(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "WEBP", lossless=True)
    return file.getvalue()
