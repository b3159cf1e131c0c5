"""Files as visitors bring them: pictures by chance, IDX pairs, and what was read of such files."""

import gzip
import io
import struct

import numpy as np
from PIL import Image

from vae.data import own
from vae.data.own import Brought
from vae.pictures.files import File


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    """Levels by chance."""
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def as_file(pixels: np.ndarray | Image.Image, kind: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(out, kind, **options)
    return out.getvalue()


def photos(count: int, side: int = 40, folder: str = "") -> list[tuple[str, bytes]]:
    """Coloured pictures, no two alike."""
    start = f"{folder}/" if folder else ""
    return [(f"{start}{index}.png", as_file(noise(side, side, 3, seed=index))) for index in range(count)]


def idx(array: np.ndarray, zipped: bool = False) -> bytes:
    """An IDX file of bytes."""
    content = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()
    return gzip.compress(content) if zipped else content


def read(files: list[tuple[str, bytes]] | list[File], most: int = 4000) -> Brought:
    """All that is read of them, and a sentence about each other one."""
    refused = []
    if not files or not isinstance(files[0], File):
        files, refused = own.taken(files, 5000)
    *_, found = own.brought(files, most)
    found.refused[:0] = refused
    return found
