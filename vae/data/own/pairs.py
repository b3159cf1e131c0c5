"""Pairs of IDX files among what was brought, as MNIST and its family are handed around -> files of pictures."""

import io
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from vae.data.idx import DataError, expand, read_idx
from vae.pictures.files import File, readable

NUMBERS = (8, 9, 11, 12, 13, 14)  # kinds of numbers that an IDX file may be of, by its third byte; read is the first
SIDES = range(1, 5)  # dimensions, by its fourth
MOST = 200_000_000  # bytes of one file unpacked: four times MNIST


def is_idx(content: bytes) -> bool:
    """Whether a file is one of a pair, gzipped or not, by its first bytes; such as cannot be read is one too."""
    start = b""
    with suppress(DataError):
        start = expand(content, 4)
    return len(start) == 4 and start[:2] == b"\0\0" and start[2] in NUMBERS and start[3] in SIDES


def unpacked(pairs: Iterable[tuple[str, bytes]], most: int) -> tuple[list[File], list[str]]:
    """The first `most` pictures as files, in a folder for each class, and a sentence about each file that is left out.

    Labels belong to the pictures whose file has the same name but for the word, or else to the only ones of the same
    number; pictures without such have no class.
    """
    pictures: dict[str, Tensor] = {}
    labels: dict[str, Tensor] = {}
    refused = []
    for name, content in pairs:
        try:
            values = read_idx(content, MOST)
        except DataError as error:
            refused.append(f"{readable(name)}: {error}")
            continue
        kind = pictures if values.ndim == 3 else labels
        if name in kind:
            refused.append(f"{readable(name)}: there is another file of this name.")
        else:
            kind[name] = values
    found, used = [], set()
    for name, images in pictures.items():
        said = readable(name)
        own = _labels_of(name, pictures, labels)
        if own is None and labels:
            refused.append(f"{said}: no labels came for its {len(images):,} pictures alone, so they have no classes.")
        used.add(own)
        for place in range(min(most - len(found), len(images))):
            folder = "" if own is None else str(int(labels[own][place]))
            found.append(File(f"{folder}/{said} {place}".lstrip("/"), partial(_png, images[place]), folder))
    count = sum(map(len, pictures.values()))
    if count > most:
        refused.append(f"Of {count:,} pictures in IDX files the first {most:,} are taken.")
    if labels and not pictures:
        refused.append("Labels came without pictures: an IDX pair has a file of images beside one of labels.")
    else:
        refused += [f"{readable(name)}: no pictures came for these labels." for name in labels if name not in used]
    return found, refused


def _labels_of(name: str, pictures: dict[str, Tensor], labels: dict[str, Tensor]) -> str | None:
    """The name of the labels that belong to the pictures of a name; None where none do, or several might."""
    count = len(pictures[name])
    fitting = [one for one in labels if len(labels[one]) == count]
    named = [one for one in fitting if _stem(one) == _stem(name)]
    alone = sum(len(images) == count for images in pictures.values()) == 1 and len(fitting) == 1
    return named[0] if len(named) == 1 else fitting[0] if alone else None


def _stem(name: str) -> str:
    """What the names of a pair have in common."""
    name = name.lower().removesuffix(".gz")
    return name.replace("images", "labels").replace("idx3", "idx1")


def _png(picture: UInt8[Tensor, "h w"]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture.numpy()).save(out, "PNG", compress_level=1)
    return out.getvalue()
