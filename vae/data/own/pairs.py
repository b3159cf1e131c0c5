"""A pair of IDX files among what was brought, as MNIST and its family are handed around -> files of pictures."""

import io
from collections.abc import Iterable
from functools import partial

import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from vae.data.idx import DataError, read_idx
from vae.pictures.files import File, readable

MAGIC = {b"\0\0\x08\x01": 1, b"\0\0\x08\x03": 3}  # dimensions: of labels, of pictures
GZIP = b"\x1f\x8b"


def is_idx(name: str, content: bytes) -> bool:
    """Whether a file is one of a pair, gzipped or not, by its first bytes; what is gzipped also by its name."""
    return content[:4] in MAGIC or (content[:2] == GZIP and "idx" in name.lower())


def unpacked(pairs: Iterable[tuple[str, bytes]], most: int) -> tuple[list[File], list[str]]:
    """The first `most` pictures as files, in a folder for each class, and a sentence about each pair that is none.

    Labels belong to the pictures of the same number; without such they have no class.
    """
    pictures: list[tuple[str, Tensor]] = []
    labels: list[Tensor] = []
    refused = []
    for name, content in pairs:
        try:
            values = read_idx(content)
        except DataError as error:
            refused.append(f"{readable(name)}: {error}")
            continue
        if values.ndim == 3:
            pictures.append((readable(name), values))
        else:
            labels.append(values)
    found = []
    for name, images in pictures:
        classes = next((one for one in labels if len(one) == len(images)), None)
        if classes is None and labels:
            refused.append(f"{name}: no labels came for its {len(images):,} pictures, so they have no classes.")
        for place in range(min(most - len(found), len(images))):
            folder = "" if classes is None else f"{int(classes[place])}/"
            found.append(File(f"{folder}{name} {place}", partial(_png, images[place])))
        if len(images) > most:
            refused.append(f"{name}: of its {len(images):,} pictures the first {most:,} are taken.")
    if labels and not pictures:
        refused.append("Labels came without pictures: an IDX pair has a file of images beside one of labels.")
    return found, refused


def _png(picture: UInt8[Tensor, "h w"]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture.to(torch.uint8).numpy()).save(out, "PNG", compress_level=1)
    return out.getvalue()
