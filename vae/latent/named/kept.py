"""Directions of z that a visitor gave a name, and how a link says them."""

import base64
import math
import re
import struct
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

LETTERS = 30  # of a name
MOST = 6  # of a model
ROOM = 1500  # letters that they may have in a link: with all else it stays below 2,000, which every browser takes
FINEST = 127  # levels to each side: a link has room for a byte a latent
FARTHEST = 1e3  # of a number of z: what any place is cut off at, and more
HEAD = struct.Struct("<Bf")  # bytes of a name, and how much of z a level is


def tidy(text: str) -> str:
    """A name as anybody may have written it, in one line of LETTERS at most, without signs that cannot be seen."""
    line = " ".join(text.split())
    return "".join(letter for letter in line if unicodedata.category(letter)[0] != "C")[:LETTERS].strip()


@dataclass(frozen=True)
class Kept:
    """A name, and what is added to z for one standard deviation of the encodings: `scale` times these levels."""

    name: str
    scale: float
    levels: tuple[int, ...]

    @classmethod
    def of(cls, name: str, step: Float[Tensor, " d"]) -> "Kept":
        """The nearest that a link can say; ValueError where no name is left or the step leads nowhere."""
        if not tidy(name):
            raise ValueError(f"{name!r} is no name")
        (scale,) = struct.unpack("<f", struct.pack("<f", float(step.abs().max()) / FINEST))
        if not 0 < scale * FINEST <= FARTHEST:
            raise ValueError("the step is no direction: all of it is 0, or far too long")
        return cls(tidy(name), scale, tuple(step.double().div(scale).round().int().clamp(-FINEST, FINEST).tolist()))

    @property
    def step(self) -> Float[Tensor, " d"]:
        """As a tensor."""
        return self.scale * torch.tensor(self.levels, dtype=torch.float32)

    def packed(self) -> bytes:
        """As a link says it."""
        name = self.name.encode()
        return HEAD.pack(len(name), self.scale) + name + struct.pack(f"<{len(self.levels)}b", *self.levels)


def deviation(mu: Float[Tensor, "n d"], direction: Float[Tensor, " d"]) -> Float[Tensor, " d"]:
    """The step along a direction that is one standard deviation of the encodings' places along it."""
    along = direction.double() / direction.double().norm()
    return (along * (mu.double() @ along).std(correction=0)).to(mu.dtype)


def as_text(kept: Sequence[Kept]) -> str:
    """Some of one model as a link says them."""
    return base64.urlsafe_b64encode(b"".join(one.packed() for one in kept)).decode().rstrip("=")


def fitting(kept: Sequence[Kept]) -> list[Kept]:
    """Those that a link has ROOM for, the first of them first."""
    found: list[Kept] = []
    for one in kept:
        if len(as_text([*found, one])) <= ROOM:
            found.append(one)
    return found


def parse(text: str, latents: int) -> list[Kept]:
    """Those that a link says of a model with so many latents; ValueError where `as_text` cannot have written it."""
    if len(text) > ROOM or not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise ValueError("no directions are said so")
    content, found = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True), {}
    while content:
        if len(content) < HEAD.size:
            raise ValueError("a direction ends before its name")
        letters, scale = HEAD.unpack_from(content)
        whole = HEAD.size + letters + latents
        name, levels = content[HEAD.size : HEAD.size + letters], content[HEAD.size + letters : whole]
        one = Kept(name.decode(), scale, struct.unpack(f"<{latents}b", _exactly(levels, latents)))
        if one.name != tidy(one.name) or not one.name or one.name in found:
            raise ValueError("a direction has no name of its own")
        if not math.isfinite(scale) or not 0 < scale * FINEST <= FARTHEST or not any(one.levels):
            raise ValueError("a direction leads nowhere, or far too far")
        found[one.name], content = one, content[whole:]
    if len(found) > MOST:
        raise ValueError(f"{len(found)} directions are more than {MOST}")
    return list(found.values())


def _exactly(content: bytes, count: int) -> bytes:
    if len(content) != count:
        raise ValueError(f"{len(content)} levels are not {count}")
    return content
