"""From a message to its answer: a row for each kind that may be asked."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from vae import data
from vae.app.live import layouts, messages
from vae.app.live.layouts import Layout, in_bytes
from vae.app.live.messages import HEADER, Close, Kind, Refused
from vae.app.live.sessions import Session, asking, by_token
from vae.latent import maps
from vae.models.spaces import Pictures
from vae.pictures import ImageError, prepare_array
from vae.serve import asked, planes
from vae.serve.capabilities import Can
from vae.serve.engine import Asked, engine
from vae.serve.entry import Entry, Loaded
from vae.serve.library import library
from vae.serve.turns import Turns

DEPTHS = 1024  # steps of a nat in which POSTERIOR says how deep a place lies


@dataclass(frozen=True, eq=False)
class Request:
    """A message that was checked; `values` are what its kind's `read` gives."""

    kind: Kind
    entry: Entry
    header: bytes
    values: tuple


@dataclass(eq=False)
class Given:
    """The x that PLACEs are about, and its posterior once somebody has asked."""

    x: Tensor | None = None
    q: Future | None = None

    async def posterior(self, loaded: Loaded) -> tuple[Tensor, Tensor]:
        """mu and sigma."""
        if self.q is None or self.q.cancelled():
            self.q = engine().ask(asked.ENCODED, loaded, self.x)
        return await asyncio.shield(asyncio.wrap_future(self.q))


@dataclass(frozen=True)
class Exchange:
    """What a kind of message needs of a model, how its body is read, what is asked, and how the answer is laid out.

    What it costs is measured: the time that it took is charged to the session.
    """

    needs: tuple[Can, ...]
    read: Callable[[bytes, Entry], tuple]
    ask: Callable[..., Awaitable[Mapping[str, object]]]
    layout: Layout


async def _one(question: Asked, loaded: Loaded, *rows: Tensor) -> dict[str, Tensor]:
    """The fields of the answer to one row."""
    return layouts.first(await asyncio.wrap_future(engine().ask(question, loaded, *rows)))


async def place(loaded: Loaded, given: Given, z: Tensor) -> Mapping:
    return await _one(asked.PLACES, loaded, z, *([] if given.x is None else [given.x]))


async def passing(loaded: Loaded, given: Given, z: Tensor) -> Mapping:
    about = [] if given.x is None else [given.x, *await given.posterior(loaded)]
    return await _one(asked.PASSING, loaded, z, *about)


async def pictures(loaded: Loaded, given: Given, z: Tensor) -> Mapping:
    pieces = [asyncio.wrap_future(piece) for piece in engine().ask_all(asked.PICTURES, loaded, z)]
    # each as it comes: all of them together would hold the server's thread for 5 ms
    return {"means": b"".join([in_bytes(await piece) for piece in pieces])}


_preparing = Turns("vae-prepare")


def _prepared(canvas: np.ndarray, spec: Pictures) -> tuple[Tensor, Tensor]:
    picture = prepare_array(canvas, spec).picture
    return picture, data.as_read(picture, spec)


async def drawing(loaded: Loaded, given: Given, canvas: np.ndarray) -> Mapping:
    spec = loaded.entry.pictures
    preparing = _preparing.submit(_prepared, canvas, spec, visitor=engine().callers.visitor())
    picture, x = await asyncio.wrap_future(preparing)
    return await _one(asked.SKETCH, loaded, x) | {"prepared": picture, "levels": in_bytes(x, spec.levels - 1)}


async def example(loaded: Loaded, given: Given, index: int) -> Mapping:
    return {"mu": loaded.company.mu[index]}


async def near(loaded: Loaded, given: Given, z: Tensor) -> Mapping:
    return await _one(asked.NEAR, loaded, z)


async def ancestry(loaded: Loaded, given: Given, z: Tensor, seed: Tensor) -> Mapping:
    return await _one(asked.ANCESTRY, loaded, z, seed)


async def decoding(loaded: Loaded, given: Given, z: Tensor) -> Mapping:
    return {"outputs": await asyncio.wrap_future(engine().ask(asked.DECODING, loaded, z))}


async def posterior(loaded: Loaded, given: Given, thorough: bool, x: Tensor) -> Mapping:
    compared = await asyncio.wrap_future(planes.ask_comparison(engine(), loaded, x, thorough))
    said = {"built": compared.built, **compared.sides._asdict()}
    if compared.posterior is None:
        return said | {"best": math.nan, "levels": [math.nan] * 3, "squares": None, "depths": None}
    rasters = compared.posterior.rasters
    best = max(float(raster.log_density.max()) for raster in rasters)
    squares = [
        raster._asdict() | dict(zip(("rows", "columns"), raster.log_density.shape, strict=True)) for raster in rasters
    ]
    depths = [np.rint(np.clip((best - raster.log_density) * DEPTHS, 0, 2**16 - 1)).flatten() for raster in rasters]
    return said | {
        "best": best,
        "levels": compared.posterior.levels,
        "squares": squares,
        "depths": np.concatenate(depths),
    }


async def refined(loaded: Loaded, given: Given, x: Tensor) -> Mapping:
    walk = await asyncio.wrap_future(planes.ask_refined(engine(), loaded, x))
    steps = [dict(zip(walk.steps._fields, step, strict=True)) for step in zip(*walk.steps, strict=True)]
    return {"bound": walk.bound, "first": walk.first, "last": walk.last, "steps": steps}


async def photo(loaded: Loaded, given: Given, number: int, other: int, told: maps.Asked) -> Mapping:
    photos = [_photo(number), *([_photo(other)] if other else [])]
    if len({one.levels.shape for one in photos}) > 1:
        raise Refused(Close.MALFORMED, "two photos are of one size")
    found = await asyncio.wrap_future(engine().submit_photo(loaded, maps.shown, told, *photos))
    return found._asdict() | {"mean": found.mean.numpy().tobytes()}


async def original(loaded: Loaded, given: Given, number: int) -> Mapping:
    return {"levels": _photo(number).levels.numpy().tobytes()}


def _photo(number: int) -> maps.Photo:
    """One of those that the visitor who asks has brought; ImageError where newer ones took its place."""
    photo = asking.get().photos.get(number)
    if photo is None:
        raise ImageError("This photo is not here any more.")
    return photo


PLACED = (Can.MOVE, Can.DRAW, Can.READ)
# Answers are `Places`, `Sketch`, `Near`, `Ancestry`, `Sides` and `Refinement` of the library, whose fields they name.
# PASSING is PLACE while the hand moves: where the decoder corrects q, what is drawn is encoded by the encoder alone, in
# a tenth of the time, and of 256 levels not at all, in half of it; a PLACE follows when the hand rests. Pictures of
# EXAMPLE and NEAR have addresses of their own. POSTERIOR's depths say how far below `best` each place of its three
# squares is, in 1/1024 nats; until the plane is built, what needs it is NaN, and there are no squares. To REFINE a q of
# large colours would take minutes.
EXCHANGES: dict[Kind, Exchange] = {
    Kind.PLACE: Exchange(PLACED, messages.place, place, layouts.PLACE),
    Kind.PICTURES: Exchange((Can.MOVE, Can.READ), messages.places, pictures, layouts.PICTURES),
    Kind.DRAWING: Exchange(PLACED, messages.canvas, drawing, layouts.DRAWING),
    Kind.EXAMPLE: Exchange((Can.COMPANY,), messages.index, example, layouts.EXAMPLE),
    Kind.NEAR: Exchange((Can.MOVE, Can.COMPANY), messages.place, near, layouts.NEAR),
    Kind.ANCESTRY: Exchange(PLACED, messages.seeded, ancestry, layouts.ANCESTRY),
    Kind.DECODING: Exchange(PLACED, messages.place, decoding, layouts.DECODING),
    Kind.POSTERIOR: Exchange((Can.EXACT,), messages.comparison, posterior, layouts.POSTERIOR),
    Kind.REFINE: Exchange((*PLACED, Can.BITS), messages.given, refined, layouts.REFINED),
    Kind.PASSING: Exchange(PLACED, messages.place, passing, layouts.PLACE),
    Kind.PHOTO: Exchange((Can.MAP,), messages.photo, photo, layouts.PHOTO),
    Kind.ORIGINAL: Exchange((Can.MAP,), messages.original, original, layouts.ORIGINAL),
}


def parse(message: bytes, session: Session) -> Request:
    """The request in a message that follows a HELLO; Refused says what is wrong with it."""
    kind, number = messages.header_of(message, session.most_bytes())
    if kind != Kind.INPUT and kind not in EXCHANGES:
        raise Refused(Close.MALFORMED, f"a request is not of kind {kind}")
    entry, body = session.entry(number), message[HEADER.size :]
    if kind == Kind.INPUT:
        return Request(Kind.INPUT, entry, message[: HEADER.size], messages.given_or_none(body, entry))
    exchange = EXCHANGES[kind]
    if lack := entry.lacks(*exchange.needs):
        raise Refused(Close.MODEL, lack)
    return Request(Kind(kind), entry, message[: HEADER.size], exchange.read(body, entry))


async def answer(request: Request, given: Given) -> bytes:
    """The whole answering message."""
    exchange = EXCHANGES[request.kind]
    try:
        loaded = await asyncio.wrap_future(library().ask(request.entry))
    except ValueError as error:  # it is damaged
        raise Refused(Close.MODEL, "this model cannot be loaded") from error
    try:
        fields = await exchange.ask(loaded, given, *request.values)
    except ImageError as error:
        version, _, model, sequence = HEADER.unpack(request.header)
        return HEADER.pack(version, Kind.SENTENCE, model, sequence) + str(error).encode()
    return request.header + layouts.written(exchange.layout, fields)


_answering = ThreadPoolExecutor(4, thread_name_prefix="vae-answer")  # whoever asks may have an event loop of its own


def answer_here(token: str, message: bytes, given: bytes) -> bytes:
    """The answer to a message, from a page's script: for a browser whose socket is away.

    `given` is the INPUT that the socket would have brought. Refused, as there, where either breaks the rules.
    """
    session = by_token.get(token)
    if session is None:
        raise Refused(Close.TOKEN, "this session is over")
    request, x = parse(message, session), parse(given, session)
    if request.kind == Kind.INPUT or x.kind != Kind.INPUT or x.entry != request.entry:
        raise Refused(Close.MALFORMED, "a question comes with the input it is about")
    session.spend()
    callers = engine().callers
    callers.hold_on()

    def answered() -> bytes:
        asking.set(session)
        return asyncio.run(answer(request, Given(*x.values)))

    return callers.wait(_answering.submit(copy_context().run, answered))
