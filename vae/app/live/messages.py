"""The messages between the browser and the server: what they are, and how what may be asked is read.

Messages are binary and little-endian, and begin with 8 bytes:

    u8 version = 1 | u8 kind | u16 model | u32 sequence

`model` is the number that the session gave to a model; an answer repeats the request's header. d latents, c x h x w
pixels of that model. "levels" are a pixel's values 0 .. levels - 1: bits for a binary model. What is asked for, and
what the answer says, is a row of `vae.app.live.exchange.EXCHANGES` for each kind:

    kind          body of the request
    0 HELLO       32 characters: the session's token; the answer is empty
    1 INPUT       u8 levels[c h w], or empty: no answer, it is the x of the PLACEs that follow, or there is none
    2 PLACE       f32 z[d]
    3 PICTURES    f32 z[n, d], n <= 1024
    4 DRAWING     u16 w, u16 h <= 256, u8 grey[h w]
    5 SENTENCE    - ; as an answer UTF-8: why what was asked cannot be answered
    6 EXAMPLE     u32 index
    7 NEAR        f32 z[d]
    8 ANCESTRY    f32 z[d], u32 seed
    9 DECODING    f32 z[d]
    10 POSTERIOR  u8 thorough, u8 levels[c h w]
    11 REFINE     u8 levels[c h w]
    12 PASSING    f32 z[d]
    13 PHOTO      u16 photo, u16 other or 0, u8 channels that are kept, f32 noise, u32 seed, f32 share of the other
    14 ORIGINAL   u16 photo

A photo's number is the one that the session gave to it (`Session.photos`).
"""

import struct
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor

from vae.latent.maps import Asked
from vae.serve.entry import Entry

VERSION = 1
HEADER = struct.Struct("<BBHI")
TOKEN_LENGTH = 32
MOST_PLACES, MOST_SIDE = 1024, 256
MOST_ANSWER = 2**24  # bytes of one answer
BEYOND = 100.0  # |z| of any latent
ASKED, LOUDEST = struct.Struct("<HHBfIf"), 3.0  # of a PHOTO; the most noise, in sigmas


class Kind(IntEnum):
    """What a message is."""

    HELLO, INPUT, PLACE, PICTURES, DRAWING, SENTENCE, EXAMPLE = range(7)
    NEAR, ANCESTRY, DECODING, POSTERIOR, REFINE, PASSING, PHOTO, ORIGINAL = range(7, 15)


class Close(IntEnum):
    """Why a socket was closed."""

    MALFORMED = 4400
    TOKEN = 4401
    ORIGIN = 4403
    MODEL = 4404
    SLOW = 4408
    TOO_LARGE = 4413
    NOT_A_PLACE = 4422
    TOO_MANY = 4429
    BROKEN = 4500


class Refused(Exception):
    """A message, or a client, that breaks the rules."""

    def __init__(self, code: Close, reason: str):
        super().__init__(reason)
        self.code, self.reason = code, reason


def header_of(message: bytes, most: int) -> tuple[int, int]:
    """Kind and number of the model in a message of at most so many bytes."""
    if len(message) < HEADER.size:
        raise Refused(Close.MALFORMED, f"a message has at least {HEADER.size} bytes")
    if len(message) > most:
        raise Refused(Close.TOO_LARGE, f"a message has at most {most} bytes")
    version, kind, model, _ = HEADER.unpack_from(message)
    if version != VERSION:
        raise Refused(Close.MALFORMED, f"this is version {VERSION}, not {version}")
    return kind, model


def most_bytes(entry: Entry) -> int:
    """Of any message about a model."""
    if entry.config.any_size:
        return HEADER.size + ASKED.size
    return HEADER.size + max(4 + MOST_SIDE**2, 4 * entry.latents * MOST_PLACES, 1 + entry.pictures.pixels)


# What a body says, in the order of the arguments of what is asked.
# numpy and not torch: these run in the server's own thread, where torch's first calls after a pause are slow


def place(body: bytes, entry: Entry) -> tuple[Tensor]:
    """z (1, d)."""
    return (_places(body, entry.latents, 1),)


def places(body: bytes, entry: Entry) -> tuple[Tensor]:
    """z (n, d): as many as have their pictures in one answer."""
    return (_places(body, entry.latents, min(MOST_PLACES, max(1, MOST_ANSWER // entry.pictures.pixels))),)


def seeded(body: bytes, entry: Entry) -> tuple[Tensor, Tensor]:
    """z (1, d) and a seed (1,)."""
    return _places(body[:-4], entry.latents, 1), torch.tensor(struct.unpack("<I", body[-4:]))


def given(body: bytes, entry: Entry) -> tuple[Tensor]:
    """x (1, c, h, w)."""
    spec = entry.pictures
    if entry.config.any_size:
        raise Refused(Close.MALFORMED, "photos are called by their numbers")
    if len(body) != spec.pixels:
        raise Refused(Close.MALFORMED, f"an input has {spec.pixels} values")
    levels = np.frombuffer(body, np.uint8)
    if levels.max() >= spec.levels:
        raise Refused(Close.NOT_A_PLACE, f"a pixel has {spec.levels} levels")
    return (torch.from_numpy(levels.astype(np.float32) / np.float32(spec.levels - 1)).view(1, *spec.shape),)


def given_or_none(body: bytes, entry: Entry) -> tuple[Tensor | None]:
    """x (1, c, h, w), or None of an empty body."""
    return given(body, entry) if body else (None,)


def comparison(body: bytes, entry: Entry) -> tuple[bool, Tensor]:
    """Whether to be thorough, and x (1, c, h, w)."""
    if body[:1] not in (b"\0", b"\1"):
        raise Refused(Close.MALFORMED, "a comparison is quick or thorough: 0 or 1")
    return body[0] == 1, *given(body[1:], entry)


def canvas(body: bytes, entry: Entry) -> tuple[np.ndarray]:
    """Grey bytes (h, w)."""
    if len(body) < 4:
        raise Refused(Close.MALFORMED, "a drawing begins with its width and height")
    width, height = struct.unpack_from("<HH", body)
    if not (0 < width <= MOST_SIDE and 0 < height <= MOST_SIDE):
        raise Refused(Close.TOO_LARGE, f"a drawing has 1 to {MOST_SIDE} pixels a side")
    if len(body) != 4 + width * height:
        raise Refused(Close.MALFORMED, f"a drawing of {width} x {height} has {width * height} values")
    return (np.frombuffer(body, np.uint8, offset=4).reshape(height, width),)


def index(body: bytes, entry: Entry) -> tuple[int]:
    """Which picture of the test set."""
    if len(body) != 4:
        raise Refused(Close.MALFORMED, "an example is asked for by one number")
    (number,) = struct.unpack("<I", body)
    if number >= entry.examples:
        raise Refused(Close.NOT_A_PLACE, f"there are {entry.examples} examples")
    return (number,)


def photo(body: bytes, entry: Entry) -> tuple[int, int, Asked]:
    """The numbers of a photo and of another, 0 for none, and what is to be shown of them."""
    if len(body) != ASKED.size:
        raise Refused(Close.MALFORMED, f"a photo is asked for in {ASKED.size} bytes")
    number, other, keep, noise, seed, share = ASKED.unpack(body)
    if not (1 <= keep <= entry.latents and 0 <= noise <= LOUDEST and 0 <= share <= 1):
        raise Refused(
            Close.NOT_A_PLACE,
            f"1 to {entry.latents} channels are kept, noise is 0 to {LOUDEST:g}, and a share 0 to 1",
        )
    return number, other, Asked(keep, noise, seed, share)


def original(body: bytes, entry: Entry) -> tuple[int]:
    """The number of a photo."""
    if len(body) != 2:
        raise Refused(Close.MALFORMED, "an original is asked for by one number")
    return struct.unpack("<H", body)


def _places(body: bytes, latents: int, most: int) -> Tensor:
    rows, rest = divmod(len(body), 4 * latents)
    if rest or not rows:
        raise Refused(Close.MALFORMED, f"a place has {latents} latents")
    if rows > most:
        raise Refused(Close.TOO_LARGE, f"at most {most} places at once")
    z = np.frombuffer(body, "<f4").astype(np.float32).reshape(rows, latents)
    if not (np.abs(z) <= BEYOND).all():
        raise Refused(Close.NOT_A_PLACE, f"latents are numbers from {-BEYOND:g} to {BEYOND:g}")
    return torch.from_numpy(z)
