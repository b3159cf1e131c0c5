"""The messages between the browser and the engine: how they are read, and how answers are written.

Messages are binary and little-endian, and begin with 8 bytes:

    u8 version = 1 | u8 kind | u16 model | u32 sequence

`model` is the index in the engine's list of models; an answer repeats the request's header. d latents, c x h x w
pixels of that model. "levels" are a pixel's values 0 .. levels - 1: bits for a binary model.

    kind          body of the request                  body of the answer
    0 HELLO       32 characters: the session's token   empty
    1 INPUT       u8 levels[c h w], or empty           none: it is the x of the PLACEs that follow, or there is none
    2 PLACE       f32 z[d]                             f32 numbers[6 + d], u8 mean[c h w]
    3 PICTURES    f32 z[n, d], n <= 1024               u8 means[n, c h w]
    4 DRAWING     u16 w, u16 h <= 256, u8 grey[h w]    f32 numbers[2 + 3 d], u8 prepared, levels, mean, [c h w] each
    5 SENTENCE    -                                    UTF-8: why the DRAWING cannot be prepared
    6 EXAMPLE     u32 index                            f32 mu[d], u8 grey[c h w]
    7 NEAR        f32 z[d]                             f32 numbers[1 + 2 k], u8 grey[k, c h w], k = 8
    8 ANCESTRY    f32 z[d], u32 seed                   f32 numbers[4 + 2 d], u8 mean, u8 x, [c h w] each
    9 DECODING    f32 z[d]                             f32 outputs of the decoder's layers, f32 mean[c h w]
    10 POSTERIOR  u8 thorough, u8 levels[c h w]        f32 numbers[20], f32 squares[3, 5], u16 depths[3, rows columns]
    11 REFINE     u8 levels[c h w]                     f32 numbers[3], f32 steps[101, 2 d + 2]
    12 PASSING    f32 z[d]                             as for PLACE

PLACE's numbers are `vae.latent.places.Places`: log_prior, further_out, drift, log_likelihood, log_posterior, distance,
round_trip_kl[d]; NaN where there is no x. DRAWING's are `vae.inference.record.Sketch`: reconstruction,
reconstruction_error, mu[d], sigma[d], kl_per_dimension[d]. EXAMPLE asks for a picture of the test set and its encoding;
NEAR's numbers are `vae.latent.encodings.Near`: log_density, distances[k], indices[k]. ANCESTRY draws x from p(x|z) with
the noise of the seed; its numbers are `vae.latent.ancestral.Ancestry`: log_prior, log_likelihood, log_posterior,
within, mu[d], sigma[d]. DECODING is `vae.inference.structure.decoding`. Means, prepared, grey and drawn pictures are
bytes, 255 for 1. PASSING is PLACE while the hand moves: where the decoder corrects q, what is drawn is encoded by the
encoder alone, in a tenth of the time; a PLACE follows when the hand rests.

POSTERIOR is for models with two latents. Its numbers are the share of the model's plane that is built (NaN: it cannot
be), `vae.inference.identity.Sides` in order, the best log p(z|x), and the `levels` of
`vae.inference.posterior.Posterior`; squares are left, bottom, width, rows and columns of its rasters, and depths say
how far below the best they are, in 1/1024 nats. Until the plane is built, what needs it is NaN, and there are no
squares. REFINE's are `vae.serve.planes.Refinement`: bound, first, last, and of every step mu[d], sigma[d], elbo and
error.
"""

import math
import struct
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor

from vae.inference.posterior import MASSES
from vae.inference.record import Sketch
from vae.latent.ancestral import Ancestry
from vae.latent.encodings import Company, Near
from vae.latent.places import Places
from vae.models.spaces import InputSpec
from vae.serve.engine import Engine
from vae.serve.planes import Comparison, Refinement

VERSION = 1
HEADER = struct.Struct("<BBHI")
TOKEN_LENGTH = 32
MOST_PICTURES, MOST_SIDE = 1024, 256
FARTHEST = 100.0  # |z| of any latent
DEPTHS = 1024  # steps of a nat in which POSTERIOR says how deep a place lies
MOST_BYTES = HEADER.size + max(4 + MOST_SIDE**2, 4 * 64 * MOST_PICTURES)


class Kind(IntEnum):
    """What a message is."""

    HELLO, INPUT, PLACE, PICTURES, DRAWING, SENTENCE, EXAMPLE = range(7)
    NEAR, ANCESTRY, DECODING, POSTERIOR, REFINE, PASSING = range(7, 13)


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


@dataclass(frozen=True, eq=False)
class Request:
    """A message that was checked.

    `values` are z (n, d), z (1, d) and a seed (1,), x (1, c, h, w), whether to be thorough and x, a grey canvas (h, w),
    an index, or None.
    """

    kind: Kind
    name: str
    header: bytes
    values: Tensor | tuple[Tensor, Tensor] | tuple[bool, Tensor] | np.ndarray | int | None


def parse(message: bytes, models: Engine) -> Request:
    """The request in a message that follows a HELLO; Refused says what is wrong with it."""
    kind, model = header_of(message)
    if kind in (Kind.HELLO, Kind.SENTENCE) or kind not in set(Kind):
        raise Refused(Close.MALFORMED, f"a request is not of kind {kind}")
    names = list(models.models)
    if model >= len(names):
        raise Refused(Close.MODEL, f"there is no model {model}")
    name, body = names[model], message[HEADER.size :]
    spec, latents = models.models[name].input_spec, models.models[name].latents
    read = {
        Kind.INPUT: lambda: _input(body, spec),
        Kind.PLACE: lambda: _latents(body, latents, 1),
        Kind.PICTURES: lambda: _latents(body, latents, MOST_PICTURES),
        Kind.DRAWING: lambda: _canvas(body),
        Kind.EXAMPLE: lambda: _index(body, len(models.company[name])),
        Kind.NEAR: lambda: _latents(body, latents, 1),
        Kind.ANCESTRY: lambda: (_latents(body[:-4], latents, 1), _seed(body)),
        Kind.DECODING: lambda: _latents(body, latents, 1),
        Kind.POSTERIOR: lambda: _comparison(body, spec, models.has_plane(name)),
        Kind.REFINE: lambda: _given(body, spec),
        Kind.PASSING: lambda: _latents(body, latents, 1),
    }
    return Request(Kind(kind), name, message[: HEADER.size], read[kind]())


def header_of(message: bytes) -> tuple[int, int]:
    if len(message) < HEADER.size:
        raise Refused(Close.MALFORMED, f"a message has at least {HEADER.size} bytes")
    if len(message) > MOST_BYTES:
        raise Refused(Close.TOO_LARGE, f"a message has at most {MOST_BYTES} bytes")
    version, kind, model, _ = HEADER.unpack_from(message)
    if version != VERSION:
        raise Refused(Close.MALFORMED, f"this is version {VERSION}, not {version}")
    return kind, model


def _latents(body: bytes, latents: int, most: int) -> Tensor:
    rows, rest = divmod(len(body), 4 * latents)
    if rest or not rows:
        raise Refused(Close.MALFORMED, f"a place has {latents} latents")
    if rows > most:
        raise Refused(Close.TOO_LARGE, f"at most {most} places at once")
    z = np.frombuffer(body, "<f4").astype(np.float32).reshape(rows, latents)
    if not (np.abs(z) <= FARTHEST).all():
        raise Refused(Close.NOT_A_PLACE, f"latents are numbers from {-FARTHEST:g} to {FARTHEST:g}")
    return torch.from_numpy(z)


def _input(body: bytes, spec: InputSpec) -> Tensor | None:
    if not body:
        return None
    if len(body) != spec.pixels:
        raise Refused(Close.MALFORMED, f"an input has {spec.pixels} values")
    levels = np.frombuffer(body, np.uint8)
    if levels.max() >= spec.levels:
        raise Refused(Close.NOT_A_PLACE, f"a pixel has {spec.levels} levels")
    return torch.from_numpy(levels.astype(np.float32) / np.float32(spec.levels - 1)).view(1, *spec.shape)


def _given(body: bytes, spec: InputSpec) -> Tensor:
    x = _input(body, spec)
    if x is None:
        raise Refused(Close.MALFORMED, f"an input has {spec.pixels} values")
    return x


def _comparison(body: bytes, spec: InputSpec, possible: bool) -> tuple[bool, Tensor]:
    if not possible:
        raise Refused(Close.MODEL, "this model has no plane: it takes two latents")
    if body[:1] not in (b"\0", b"\1"):
        raise Refused(Close.MALFORMED, "a comparison is quick or thorough: 0 or 1")
    return body[0] == 1, _given(body[1:], spec)


def _canvas(body: bytes) -> np.ndarray:
    if len(body) < 4:
        raise Refused(Close.MALFORMED, "a drawing begins with its width and height")
    width, height = struct.unpack_from("<HH", body)
    if not (0 < width <= MOST_SIDE and 0 < height <= MOST_SIDE):
        raise Refused(Close.TOO_LARGE, f"a drawing has 1 to {MOST_SIDE} pixels a side")
    if len(body) != 4 + width * height:
        raise Refused(Close.MALFORMED, f"a drawing of {width} x {height} has {width * height} values")
    return np.frombuffer(body, np.uint8, offset=4).reshape(height, width)


def _index(body: bytes, count: int) -> int:
    if len(body) != 4:
        raise Refused(Close.MALFORMED, "an example is asked for by one number")
    (index,) = struct.unpack("<I", body)
    if index >= count:
        raise Refused(Close.NOT_A_PLACE, f"there are {count} examples")
    return index


def _seed(body: bytes) -> Tensor:
    return torch.tensor(struct.unpack("<I", body[-4:]))


def place_body(found: Places) -> bytes:
    """The answer to PLACE and PASSING: the first row's numbers and picture."""
    numbers = [found.log_prior, found.further_out, found.drift, found.log_likelihood, found.log_posterior]
    return floats(*numbers, found.distance, found.round_trip_kl[0]) + in_bytes(found.mean[0])


def drawing_body(prepared: Tensor, x: Tensor, found: Sketch, levels: int) -> bytes:
    """The answer to DRAWING."""
    numbers = [found.reconstruction, found.reconstruction_error, found.mu[0], found.sigma[0], found.kl_per_dimension[0]]
    return floats(*numbers) + in_bytes(prepared) + in_bytes(x, levels - 1) + in_bytes(found.mean[0])


def example_body(company: Company, index: int) -> bytes:
    """The answer to EXAMPLE."""
    return floats(company.mu[index]) + company.pictures[index].numpy().tobytes()


def near_body(company: Company, found: Near) -> bytes:
    """The answer to NEAR: the first row's."""
    pictures = company.pictures.numpy()[found.indices[0].numpy()]
    return floats(found.log_density, found.distances[0], found.indices[0]) + pictures.tobytes()


def ancestry_body(found: Ancestry) -> bytes:
    """The answer to ANCESTRY: the first row's."""
    numbers = [found.log_prior, found.log_likelihood, found.log_posterior, found.within, found.mu[0], found.sigma[0]]
    return floats(*numbers) + in_bytes(found.mean[0]) + in_bytes(found.x[0])


def posterior_body(found: Comparison) -> bytes:
    """The answer to POSTERIOR."""
    if found.posterior is None:
        return floats(found.built, *found.sides, *[math.nan] * (1 + len(MASSES)))
    rasters = found.posterior.rasters
    best = max(float(raster.log_density.max()) for raster in rasters)
    squares = np.array([(r.left, r.bottom, r.width, *r.log_density.shape) for r in rasters])
    depths = b"".join(
        np.rint(np.clip((best - r.log_density) * DEPTHS, 0, 2**16 - 1)).astype("<u2").tobytes() for r in rasters
    )
    return floats(found.built, *found.sides, best, *found.posterior.levels, squares) + depths


def refined_body(found: Refinement) -> bytes:
    """The answer to REFINE."""
    steps = found.steps
    rows = np.concatenate([steps.mu, steps.sigma, steps.elbo[:, None], steps.error[:, None]], 1)
    return floats(found.bound, found.first, found.last, rows)


def floats(*parts: Tensor | np.ndarray | float) -> bytes:
    return b"".join(np.asarray(part, "<f4").tobytes() for part in parts)


def in_bytes(pictures: Tensor, most: int = 255) -> bytes:
    return np.rint(np.clip(pictures.numpy(), 0, 1) * np.float32(most)).astype(np.uint8).tobytes()
