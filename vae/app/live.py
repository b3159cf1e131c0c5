"""The live path: a websocket in Streamlit's process, past its script runs, from the hand to the engine and back.

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

PLACE's numbers are `vae.frame.Places`: log_prior, further_out, drift, log_likelihood, log_posterior, distance,
round_trip_kl[d]; NaN where there is no x. DRAWING's are `vae.frame.Sketch`: reconstruction, reconstruction_error,
mu[d], sigma[d], kl_per_dimension[d]. EXAMPLE asks for a picture of the test set and its encoding; NEAR's numbers are
`vae.company.Near`: log_density, distances[k], indices[k]. ANCESTRY draws x from p(x|z) with the noise of the seed; its
numbers are `vae.ancestral.Ancestry`: log_prior, log_likelihood, log_posterior, within, mu[d], sigma[d]. DECODING is
`vae.structure.decoding`. Means, prepared, grey and drawn pictures are bytes, 255 for 1.

POSTERIOR is for models with two latents. Its numbers are the share of the model's plane that is built (NaN: it cannot
be), `vae.bayes.Sides` in order, the best log p(z|x), and the `levels` of `vae.posterior.Posterior`; squares are left,
bottom, width, rows and columns of its rasters, and depths say how far below the best they are, in 1/1024 nats. Until
the plane is built, what needs it is NaN, and there are no squares. REFINE's are `vae.engine.Refinement`: bound, first,
last, and of every step mu[d], sigma[d], elbo and error.

Where no socket comes through, components ask the same of the page's script, one message at a time (`answer_here`).

HELLO comes first, and once; its model is not read. Of PLACEs (PICTURES, DRAWINGs) that wait, only the newest is
answered, so neither a fast hand nor a slow client makes a queue. Where all sockets are taken, the oldest that has not
said HELLO makes room. A message that breaks the rules closes its own socket, with a code and a reason:

    4400 malformed    4401 token unknown or session over    4403 foreign origin    4404 no such model
    4408 HELLO or the taking of answers too slow    4413 too large    4422 a number out of range
    4429 too many sockets or requests    4500 something went wrong here

The server below closes what is no websocket message at all: 1002 broken frames, 1007 text that is no UTF-8, 1009 more
than `server.maxMessageSize`; and it answers 400 to several Origins.
"""

import asyncio
import contextlib
import math
import secrets
import struct
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

import numpy as np
import plotly
import streamlit as st
import torch
from starlette.requests import Request as HttpRequest
from starlette.responses import FileResponse
from starlette.websockets import WebSocket, WebSocketDisconnect
from torch import Tensor

from vae import data, images
from vae.ancestral import Ancestry
from vae.company import Company, Near
from vae.engine import Comparison, Engine, Refinement, engine
from vae.frame import Places, Sketch
from vae.posterior import MASSES
from vae.spec import InputSpec

VERSION = 1
HEADER = struct.Struct("<BBHI")
TOKEN_LENGTH = 32
MOST_PICTURES, MOST_SIDE = 1024, 256
FARTHEST = 100.0  # |z| of any latent
PATIENCE = 10.0  # seconds for HELLO, and for a client to take an answer
SOCKETS, SOCKETS_EACH = 1024, 4  # open at once, in all and of one session
DEPTHS = 1024  # steps of a nat in which POSTERIOR says how deep a place lies
RATE, BURST = 300.0, 1200.0  # answers a second of one session, and how many may come at once
MOST_BYTES = HEADER.size + max(4 + MOST_SIDE**2, 4 * 64 * MOST_PICTURES)


class Kind(IntEnum):
    """What a message is."""

    HELLO, INPUT, PLACE, PICTURES, DRAWING, SENTENCE, EXAMPLE, NEAR, ANCESTRY, DECODING, POSTERIOR, REFINE = range(12)


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


# ---- sessions ----


@dataclass(eq=False)
class _Session:
    """What one visitor may use up, over all their sockets."""

    allowance: float = BURST
    since: float = field(default_factory=time.monotonic)
    stops: set[Callable[[], None]] = field(default_factory=set)

    def spend(self, amount: float) -> None:
        now = time.monotonic()
        self.allowance = min(BURST, self.allowance + RATE * (now - self.since)) - amount
        self.since = now
        if self.allowance < 0:
            raise Refused(Close.TOO_MANY, f"more than {RATE:.0f} requests a second")


_sessions: dict[str, _Session] = {}


def open_session() -> str:
    """A new token."""
    token = secrets.token_hex(TOKEN_LENGTH // 2)
    _sessions[token] = _Session()
    return token


def end_session(token: str) -> None:
    """The token is worth nothing from now on, and its sockets are closed; from any thread."""
    session = _sessions.pop(token, _Session())
    for stop in list(session.stops):
        stop()


# ---- the protocol ----


def parse(message: bytes, models: Engine) -> Request:
    """The request in a message that follows a HELLO; Refused says what is wrong with it."""
    kind, model = _header(message)
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
    }
    return Request(Kind(kind), name, message[: HEADER.size], read[kind]())


def _header(message: bytes) -> tuple[int, int]:
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
    """The answer to PLACE: the first row's numbers and picture."""
    numbers = [found.log_prior, found.further_out, found.drift, found.log_likelihood, found.log_posterior]
    return _floats(*numbers, found.distance, found.round_trip_kl[0]) + _bytes(found.mean[0])


def drawing_body(prepared: Tensor, x: Tensor, found: Sketch, levels: int) -> bytes:
    """The answer to DRAWING."""
    numbers = [found.reconstruction, found.reconstruction_error, found.mu[0], found.sigma[0], found.kl_per_dimension[0]]
    return _floats(*numbers) + _bytes(prepared) + _bytes(x, levels - 1) + _bytes(found.mean[0])


def example_body(company: Company, index: int) -> bytes:
    """The answer to EXAMPLE."""
    return _floats(company.mu[index]) + company.pictures[index].numpy().tobytes()


def near_body(company: Company, found: Near) -> bytes:
    """The answer to NEAR: the first row's."""
    pictures = company.pictures.numpy()[found.indices[0].numpy()]
    return _floats(found.log_density, found.distances[0], found.indices[0]) + pictures.tobytes()


def ancestry_body(found: Ancestry) -> bytes:
    """The answer to ANCESTRY: the first row's."""
    numbers = [found.log_prior, found.log_likelihood, found.log_posterior, found.within, found.mu[0], found.sigma[0]]
    return _floats(*numbers) + _bytes(found.mean[0]) + _bytes(found.x[0])


def posterior_body(found: Comparison) -> bytes:
    """The answer to POSTERIOR."""
    if found.posterior is None:
        return _floats(found.built, *found.sides, *[math.nan] * (1 + len(MASSES)))
    rasters = found.posterior.rasters
    best = max(float(raster.log_density.max()) for raster in rasters)
    squares = np.array([(r.left, r.bottom, r.width, *r.log_density.shape) for r in rasters])
    depths = b"".join(
        np.rint(np.clip((best - r.log_density) * DEPTHS, 0, 2**16 - 1)).astype("<u2").tobytes() for r in rasters
    )
    return _floats(found.built, *found.sides, best, *found.posterior.levels, squares) + depths


def refined_body(found: Refinement) -> bytes:
    """The answer to REFINE."""
    steps = found.steps
    rows = np.concatenate([steps.mu, steps.sigma, steps.elbo[:, None], steps.error[:, None]], 1)
    return _floats(found.bound, found.first, found.last, rows)


# numpy and not torch: these run in the server's own thread, where torch's first calls after a pause are slow


def _floats(*parts: Tensor | np.ndarray | float) -> bytes:
    return b"".join(np.asarray(part, "<f4").tobytes() for part in parts)


def _bytes(pictures: Tensor, most: int = 255) -> bytes:
    return np.rint(np.clip(pictures.numpy(), 0, 1) * np.float32(most)).astype(np.uint8).tobytes()


_preparing = ThreadPoolExecutor(1, thread_name_prefix="vae-prepare")


def _prepare(canvas: np.ndarray, spec: InputSpec) -> tuple[Tensor, Tensor]:
    picture = images.prepare_array(canvas, spec).picture
    return picture, data.as_read(picture, spec)


async def answer(request: Request, x: Tensor | None, models: Engine) -> bytes:
    """The whole answering message."""
    if request.kind == Kind.PLACE:
        return request.header + place_body(
            await asyncio.wrap_future(models.ask_places(request.name, request.values, x))
        )
    if request.kind == Kind.PICTURES:
        pieces = [asyncio.wrap_future(piece) for piece in models.ask_pictures(request.name, request.values)]
        return request.header + b"".join([_bytes(piece) for piece in await asyncio.gather(*pieces)])
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
        return request.header + _floats(await asyncio.wrap_future(models.ask_decoding(request.name, request.values)))
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
        loop = asyncio.get_running_loop()
        prepared, x = await loop.run_in_executor(_preparing, _prepare, request.values, spec)
    except images.ImageError as error:
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
    session = _sessions.get(token)
    if session is None:
        raise Refused(Close.TOKEN, "this session is over")
    session.spend(cost(request))
    return _answering.submit(lambda: asyncio.run(answer(request, x.values, models))).result()


def cost(request: Request) -> float:
    """What a request takes of the session's allowance, in PLACEs."""
    if request.kind == Kind.PICTURES:
        return float(-(-len(request.values) // 16))
    if request.kind == Kind.POSTERIOR:
        return 40.0 if request.values[0] else 4.0
    return {Kind.INPUT: 0.2, Kind.DRAWING: 2.0, Kind.REFINE: 60.0}.get(request.kind, 1.0)


# ---- the socket ----

_open: set[WebSocket] = set()
_knocking: dict[WebSocket, asyncio.Timeout] = {}  # those that have not said HELLO, the oldest first


def path() -> str:
    """Where the route is; below the base path, where the app is mounted at one."""
    base = (st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}/live" if base else "/live"


def plotly_path() -> str:
    """Where the components load Plotly from."""
    return f"{path().removesuffix('live')}plotly.js"


async def plotly_file(request: HttpRequest) -> FileResponse:
    """The browser's half of the installed plotly; its version is in the query, so it may be kept for good."""
    file = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    return FileResponse(file, headers={"Cache-Control": "public, max-age=31536000, immutable"})


def allowed_origin(socket: WebSocket) -> bool:
    """Whether the page that opened the socket came from this server, or from an origin that its owner allows."""
    origins = socket.headers.getlist("origin")
    hosts = {socket.headers.get("host"), socket.headers.get("x-forwarded-host")} - {None, ""}
    here = {f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts}
    return len(origins) == 1 and origins[0] in here.union(st.get_option("server.corsAllowedOrigins"))


async def live(socket: WebSocket) -> None:
    """The route: one socket from HELLO to its end."""
    await socket.accept()
    try:
        if not allowed_origin(socket):
            raise Refused(Close.ORIGIN, "this page is not from here")
        if len(_open) >= SOCKETS:
            _make_room()
        _open.add(socket)
        await _Connection(socket, *await _hello(socket)).serve()
    except Refused as refusal:
        await _close(socket, refusal.code, refusal.reason)
    except WebSocketDisconnect:
        pass
    except Exception:
        await _close(socket, Close.BROKEN, "something went wrong here")
        raise
    finally:
        _open.discard(socket)


async def _close(socket: WebSocket, code: Close, reason: str) -> None:
    """Close it, unless it has gone by itself or takes nothing any more."""
    with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
        async with asyncio.timeout(PATIENCE):
            await socket.close(code, reason)


def _make_room() -> None:
    """Let the oldest go that only knocks: who says nothing keeps nobody out. Refused where all have said HELLO."""
    if not _knocking:
        raise Refused(Close.TOO_MANY, "too many visitors at once")
    oldest = _knocking.pop(next(iter(_knocking)))
    if not oldest.expired():
        oldest.reschedule(0)


async def _hello(socket: WebSocket) -> tuple[_Session, bytes]:
    """The session that a HELLO names, and the answer to it."""
    try:
        async with asyncio.timeout(PATIENCE) as patience:
            _knocking[socket] = patience
            message = await _receive(socket)
    except TimeoutError:
        raise Refused(Close.SLOW, "no HELLO came") from None
    finally:
        _knocking.pop(socket, None)
    kind, _ = _header(message)
    if kind != Kind.HELLO or len(message) != HEADER.size + TOKEN_LENGTH:
        raise Refused(Close.MALFORMED, "the first message is HELLO with a token")
    session = _sessions.get(message[HEADER.size :].decode("ascii", "replace"))
    if session is None:
        raise Refused(Close.TOKEN, "this session is over")
    if len(session.stops) >= SOCKETS_EACH:
        raise Refused(Close.TOO_MANY, f"a session has at most {SOCKETS_EACH} sockets")
    return session, message[: HEADER.size]


async def _receive(socket: WebSocket) -> bytes:
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1000))
    if message.get("bytes") is None:
        raise Refused(Close.MALFORMED, "messages are binary")
    return message["bytes"]


class _Connection:
    """A socket after its HELLO: one task reads and keeps the newest request of each kind, another answers them."""

    def __init__(self, socket: WebSocket, session: _Session, hello: bytes):
        self.socket, self.session, self.hello = socket, session, hello
        self.inputs: dict[str, Tensor | None] = {}
        self.waiting: dict[Kind, tuple[Request, Tensor | None]] = {}
        self.came = asyncio.Event()

    async def serve(self) -> None:
        over = asyncio.get_running_loop().create_future()
        loop = over.get_loop()

        def stop() -> None:
            loop.call_soon_threadsafe(lambda: over.done() or over.set_exception(Refused(Close.TOKEN, "it is over")))

        self.session.stops.add(stop)
        if self.session not in _sessions.values():  # it ended since its token was looked up
            stop()
        tasks = {asyncio.create_task(self._read()), asyncio.create_task(self._write()), over}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self.session.stops.discard(stop)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self) -> None:
        models = engine()
        while True:
            request = parse(await _receive(self.socket), models)
            self.session.spend(cost(request))
            if request.kind == Kind.INPUT:
                self.inputs[request.name] = request.values
            else:
                self.waiting[request.kind] = request, self.inputs.get(request.name)
                self.came.set()

    async def _write(self) -> None:
        await self._send(self.hello)
        while True:
            await self.came.wait()
            self.came.clear()
            while self.waiting:
                request, x = self.waiting.pop(next(iter(self.waiting)))
                await self._send(await answer(request, x, engine()))

    async def _send(self, message: bytes) -> None:
        try:
            async with asyncio.timeout(PATIENCE):  # wait_for may lose a cancellation before Python 3.12
                await self.socket.send_bytes(message)
        except TimeoutError:
            raise Refused(Close.SLOW, "the answers are not taken") from None
        except RuntimeError:  # the server below has closed it: a broken frame, or no sign of life
            raise WebSocketDisconnect from None
