"""From a message to its answer."""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from vae import data
from vae.app.live.messages import (
    HEADER,
    Close,
    Kind,
    Refused,
    Request,
    ancestry_body,
    drawing_body,
    example_body,
    floats,
    in_bytes,
    near_body,
    parse,
    place_body,
    posterior_body,
    refined_body,
)
from vae.app.live.sessions import asking, by_token
from vae.models.spaces import InputSpec
from vae.pictures import ImageError, prepare_array
from vae.serve.engine import Engine, engine
from vae.serve.turns import Turns


@dataclass(eq=False)
class Given:
    """The x that PLACEs are about, and its posterior once somebody has asked."""

    x: Tensor | None = None
    q: Future | None = None

    def posterior(self, name: str, models: Engine) -> Future:
        """The future `vae.latent.places.Encoded`."""
        if self.q is None or self.q.cancelled():
            self.q = models.ask_encoded(name, self.x)
        return self.q


_preparing = Turns("vae-prepare")


def _prepare(canvas: np.ndarray, spec: InputSpec) -> tuple[Tensor, Tensor]:
    picture = prepare_array(canvas, spec).picture
    return picture, data.as_read(picture, spec)


async def answer(request: Request, given: Given, models: Engine) -> bytes:
    """The whole answering message."""
    x = given.x
    if request.kind == Kind.PLACE:
        return request.header + place_body(
            await asyncio.wrap_future(models.ask_places(request.name, request.values, x))
        )
    if request.kind == Kind.PASSING:
        q = None if x is None else await asyncio.shield(asyncio.wrap_future(given.posterior(request.name, models)))
        found = await asyncio.wrap_future(models.ask_passing(request.name, request.values, x, q))
        return request.header + place_body(found)
    if request.kind == Kind.PICTURES:
        pieces = [asyncio.wrap_future(piece) for piece in models.ask_pictures(request.name, request.values)]
        # each as it comes: all of them together would hold the server's thread for 5 ms
        return request.header + b"".join([in_bytes(await piece) for piece in pieces])
    if request.kind == Kind.EXAMPLE:
        return request.header + example_body(models.company[request.name], request.values)
    if request.kind == Kind.NEAR:
        found = await asyncio.wrap_future(models.ask_near(request.name, request.values))
        return request.header + near_body(models.company[request.name], found)
    if request.kind == Kind.ANCESTRY:
        return request.header + ancestry_body(
            await asyncio.wrap_future(models.ask_ancestry(request.name, *request.values))
        )
    if request.kind == Kind.DECODING:
        return request.header + floats(await asyncio.wrap_future(models.ask_decoding(request.name, request.values)))
    if request.kind == Kind.POSTERIOR:
        thorough, x = request.values
        return request.header + posterior_body(
            await asyncio.wrap_future(models.ask_comparison(request.name, x, thorough))
        )
    if request.kind == Kind.REFINE:
        return request.header + refined_body(
            await asyncio.wrap_future(models.ask_refined(request.name, request.values))
        )
    spec = models.model(request.name).input_spec
    try:
        visitor = models.callers.visitor()
        preparing = _preparing.submit(_prepare, request.values, spec, visitor=visitor)
        prepared, x = await asyncio.wrap_future(preparing)
    except ImageError as error:
        version, _, model, sequence = HEADER.unpack(request.header)
        return HEADER.pack(version, Kind.SENTENCE, model, sequence) + str(error).encode()
    found = await asyncio.wrap_future(models.ask_sketch(request.name, x))
    return request.header + drawing_body(prepared, x, found, spec.levels)


_answering = ThreadPoolExecutor(4, thread_name_prefix="vae-answer")  # whoever asks may have an event loop of its own


def answer_here(token: str, message: bytes, given: bytes) -> bytes:
    """The answer to a message, from a page's script: for a browser whose socket is away.

    `given` is the INPUT that the socket would have brought. Refused, as there, where either breaks the rules.
    """
    models = engine()
    request, x = parse(message, models), parse(given, models)
    if request.kind == Kind.INPUT or x.kind != Kind.INPUT or x.name != request.name:
        raise Refused(Close.MALFORMED, "a question comes with the input it is about")
    session = by_token.get(token)
    if session is None:
        raise Refused(Close.TOKEN, "this session is over")
    session.spend()
    models.callers.hold_on()

    def answered() -> bytes:
        asking.set(session)
        return asyncio.run(answer(request, Given(x.values), models))

    return models.callers.wait(_answering.submit(copy_context().run, answered))
