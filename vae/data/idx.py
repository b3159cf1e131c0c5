"""IDX files, in which MNIST and its family are handed around: bytes -> a tensor, or one sentence."""

import gzip
import io
import math
import zlib
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

MAX_BYTES = 2**30  # the largest set of the family, EMNIST ByClass, has 0.64e9 bytes of training pictures
MAX_RATIO = 100  # MNIST shrinks 5 times under gzip, a bomb 1000 times


class DataError(ValueError):
    """A data set that cannot be had or read; the message is one sentence for the user."""


def read_idx(data: bytes, most: int = MAX_BYTES) -> UInt8[Tensor, "..."]:
    """The tensor in an IDX file, gzipped or not: bytes in one dimension (labels) or three (pictures), `most` at most.

    Raises DataError for any other content. Format: LeCun, Cortes and Burges, The MNIST database, "FILE FORMATS".
    """
    head = expand(data, 16)
    if head[:4] not in (b"\0\0\x08\x01", b"\0\0\x08\x03"):
        raise DataError(f"An IDX file of labels or pictures starts with 00000801 or 00000803, not {head[:4].hex()!r}.")
    start = 4 + 4 * head[3]
    shape = [int.from_bytes(head[i : i + 4], "big") for i in range(4, start, 4)]
    if len(head) < start or 0 in shape:
        raise DataError(f"The IDX file has no values: its header says {shape}.")
    count = math.prod(shape)
    if count > most or count > 2**20 + MAX_RATIO * len(data):
        raise DataError(f"The IDX file is refused as too large: {len(data)} bytes that claim to hold {count}.")
    whole = bytearray(expand(data, start + count + 1))
    if len(whole) != start + count:
        more = "fewer" if len(whole) < start + count else "more"
        raise DataError(f"The IDX file claims {count} values and has {more}.")
    return torch.frombuffer(whole, dtype=torch.uint8, offset=start).reshape(shape)


def expand(data: bytes, limit: int) -> bytes:
    """The first `limit` bytes of the content, gunzipped if need be, so that a bomb cannot fill the memory."""
    if data[:2] != b"\x1f\x8b":
        return data[:limit]
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            return stream.read(limit)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"The gzipped file is damaged: {error}.") from error


def read_file(path: Path, limit: int) -> bytes:
    """The bytes of a file; DataError where it is longer than `limit` or cannot be read."""
    try:
        if path.stat().st_size > limit:
            raise DataError(f"{path} is larger than {limit} bytes.")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
