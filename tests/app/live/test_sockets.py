"""The live route over real sockets: against direct calls of the library, and against clients that mean harm."""

import gc
import logging
import math
import socket
import struct
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import plotly
import pytest
import streamlit as st
import torch
import torch.nn.functional as functional
import uvicorn
from hypothesis import example, given, settings
from hypothesis import strategies as some
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from streamlit import net_util
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

import vae
from tests.registry import BITS, VECTORS
from tests.served import entry, loaded
from vae import data
from vae.app.live import exchange, messages, routes, sessions, sockets, wire
from vae.app.live.messages import Close, Kind
from vae.inference import identity
from vae.inference.evidence import Grid
from vae.inference.posterior import Plane
from vae.inference.record import sketch
from vae.inference.refine import refine
from vae.inference.structure import decoding
from vae.latent.ancestral import ancestry
from vae.latent.encodings import NEIGHBOURS, Company
from vae.latent.places import differs_in_passing, places
from vae.models import VAE, pretrained
from vae.models.spaces import Pictures
from vae.pictures import ImageError, prepare_array
from vae.serve import asked as questions
from vae.serve import engine as engines
from vae.serve import planes, turns
from vae.serve.engine import engine
from vae.serve.entry import Encoded, Entry, Loaded
from vae.serve.library import library
from vae.serve.precision import Precision
from vae.serve.turns import Visitor

NAMES = VECTORS
EVERY_MODEL = pytest.mark.parametrize("number", range(len(NAMES)), ids=NAMES)
LATENTS = [pretrained.load_card(name)["latents"] for name in NAMES]
SMALLEST, LARGEST = LATENTS.index(min(LATENTS)), LATENTS.index(max(LATENTS))
PLACE = torch.zeros(1, LATENTS[0])
SPECS = [entry(name).pictures for name in NAMES]
PIXELS = SPECS[0].pixels  # of the model that no test names
LONG = 60  # seconds that a busy machine may take for anything
MOST_BYTES = max(messages.most_bytes(entry(name)) for name in NAMES)  # of what a session may send
MOST = 10**6 * st.get_option("server.maxMessageSize")  # bytes of a message that the server takes at all

# ---- clients ----


@contextmanager
def serving(**options) -> Iterator[str]:
    """HOST:PORT of a server that has the routes; uvicorn speaks the websocket protocol as Streamlit has it do."""
    engine().callers = sessions.Visitors()
    served = [WebSocketRoute("/live", sockets.live), Route("/plotly.js", routes.plotly_file)]
    options = {"ws": "websockets-sansio", "ws_max_size": MOST, "ws_per_message_deflate": False} | options
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=served), log_config=None, lifespan="off", **options))
    listening = socket.create_server(("127.0.0.1", 0))  # from now on clients may come, and wait
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(LONG)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture(autouse=True)
def _nothing_is_left_open_every_thread_lives_on_and_no_error_is_logged(caplog) -> Iterator[None]:
    before = workers()
    yield
    until(lambda: not sockets._open)
    assert not sockets._knocking
    assert before <= workers()
    errors = [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    # the client's own library logs one where it was still sending when it was sent away
    assert [record for record in errors if record.name != "websockets.client"] == []


def workers() -> set[threading.Thread]:
    """The threads that serve everyone."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("vae-")}


def opened() -> str:
    """A session that knows every model, by its place in NAMES."""
    token = sessions.open_session()
    for name in NAMES:
        sessions.by_token[token].number(entry(name))
    return token


@pytest.fixture
def token() -> Iterator[str]:
    token = opened()
    yield token
    sessions.end_session(token)


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.002)


def dial(address: str, origin: str | None = "its own", **options) -> ClientConnection:
    origin = f"http://{address}" if origin == "its own" else origin
    options = {"compression": None, "proxy": None, "max_size": None, "open_timeout": LONG} | options
    return connect(f"ws://{address}/live", origin=origin, **options)


@contextmanager
def joined(address: str, token: str | None = None) -> Iterator[ClientConnection]:
    """A client after its HELLO; of a session of its own where no token is given."""
    own = opened()
    with dial(address) as client:
        assert ask(client, Kind.HELLO, (token or own).encode()) == b""
        yield client
    sessions.end_session(own)


def message(
    kind: int, body: bytes | Tensor | np.ndarray = b"", model: int = 0, sequence: int = 7, version: int = 1
) -> bytes:
    """A message with a body of bytes, z, x or a canvas."""
    if isinstance(body, Tensor):
        body = levels(body, model) if kind == Kind.INPUT else body.numpy().astype("<f4").tobytes()
    elif isinstance(body, np.ndarray):
        body = struct.pack("<HH", *body.shape[::-1]) + body.tobytes()
    return struct.pack("<BBHI", version, kind, model, sequence) + body


def ask(client: ClientConnection, kind: int, body: object, model: int = 0) -> bytes:
    """The body of the answer, which must have the request's header."""
    request = message(kind, body, model, sequence=2**32 - 2)
    client.send(request)
    answer = client.recv(LONG)
    assert answer[:8] == request[:8]
    return answer[8:]


def closed(client: ClientConnection) -> Close:
    """Why the server closes the socket instead of answering."""
    with pytest.raises(ConnectionClosed) as closing:
        client.recv(LONG)
    assert closing.value.rcvd.reason
    return Close(closing.value.rcvd.code)


# ---- oracles ----


@cache
def model(number: int) -> VAE:
    return vae.load_pretrained(NAMES[number])


def random_places(number: int, count: int) -> Tensor:
    return torch.randn((count, LATENTS[number]), generator=torch.Generator().manual_seed(count))


def example_of(number: int) -> Tensor:
    """What a model reads of the first example of its card."""
    card = pretrained.load_card(NAMES[number])
    return data.test_inputs(card["data"]["name"])[card["examples"][0]][None].float()


def levels(x: Tensor, number: int) -> bytes:
    """A picture as messages say it; the toy's are of bits."""
    most = SPECS[number].levels - 1 if number < len(NAMES) else 1
    return x.mul(most).round().numpy().astype(np.uint8).tobytes()


def assert_pictures(seen: bytes, means: Tensor, within: float = 0.51) -> None:
    """The bytes are 255 times the means: to the nearest level, or `within` so many."""
    levels, expected = np.frombuffer(seen, np.uint8), 255 * means.numpy().ravel()
    assert levels.shape == expected.shape
    assert np.abs(levels - expected).max() <= within


def assert_numbers(seen: bytes, *expected: Tensor) -> None:
    numbers = torch.from_numpy(np.frombuffer(seen, "<f4").astype(np.float32))
    torch.testing.assert_close(
        numbers, torch.cat([e.flatten() for e in expected]), rtol=1e-4, atol=1e-4, equal_nan=True
    )


def assert_place(body: bytes, z: Tensor, x: Tensor | None = None, number: int = 0) -> None:
    found, end = places(model(number), z, x), 4 * (6 + LATENTS[number])
    about_x = found.log_likelihood, found.log_posterior, found.distance
    assert all(bool(part.isnan()) == (x is None) for part in about_x)
    assert_numbers(body[:end], found.log_prior, found.further_out, found.drift, *about_x, found.round_trip_kl)
    assert_pictures(body[end:], found.mean)


def assert_served(address: str) -> None:
    """A client that comes now gets what it asks for."""
    with joined(address) as client:
        assert_place(ask(client, Kind.PLACE, PLACE), PLACE)


# ---- what is answered ----


@EVERY_MODEL
def test_a_place_is_that_of_a_direct_call_with_an_input_and_without(address, number):
    z, x, far = random_places(number, 2), example_of(number), torch.full((1, LATENTS[number]), messages.BEYOND)
    with joined(address) as client:
        assert_place(ask(client, Kind.PLACE, z[:1], number), z[:1], None, number)
        client.send(message(Kind.INPUT, x, number))
        for place in (z[:1], z[1:], far, -far):
            assert_place(ask(client, Kind.PLACE, place, number), place, x, number)
        client.send(message(Kind.INPUT, 1 - x, number))
        assert_place(ask(client, Kind.PLACE, z[1:], number), z[1:], 1 - x, number)
        client.send(message(Kind.INPUT, b"", number))
        assert_place(ask(client, Kind.PLACE, z[1:], number), z[1:], None, number)


@EVERY_MODEL
def test_a_passing_place_is_a_place_but_for_what_is_made_of_its_picture(address, number):
    z, x, one = random_places(number, 1), example_of(number), model(number)
    for about in (None, x):
        with joined(address) as client:
            if about is not None:
                client.send(message(Kind.INPUT, about, number))
            body = ask(client, Kind.PASSING, z, number)
            settled = ask(client, Kind.PLACE, z, number)
            again = ask(client, Kind.PASSING, z, number)
        assert again == body
        assert_place(settled, z, about, number)
        if not differs_in_passing(one.config):
            assert_place(body, z, about, number)
            continue
        end = 4 * (6 + LATENTS[number])
        found, expected = (np.frombuffer(part[:end], "<f4") for part in (body, settled))
        of_the_drawn = [2, *range(6, 6 + LATENTS[number])]
        np.testing.assert_allclose(*(np.delete(part, of_the_drawn) for part in (found, expected)), 1e-4, 1e-4)
        assert_pictures(body[end:], one.decode(z).mean)
        if not one.config.corrected:
            assert np.isnan(found[of_the_drawn]).all()
            continue
        noise = torch.rand((1, 28, 28), generator=torch.Generator().manual_seed(0))
        q = one.guess(noise.lt(one.decode(z).mean).float())
        drift = ((q.mean - z) / q.stddev).square().mean().sqrt()
        kl = 0.5 * (q.mean.square() + q.variance - 1) - q.stddev.log()
        np.testing.assert_allclose(found[of_the_drawn], torch.cat([drift[None], kl[0]]).numpy(), 1e-3, 1e-3)


def test_q_of_an_input_is_corrected_once_however_many_places_pass(address, monkeypatch):
    asked, ask_it = [], engine().ask

    def counted(question, loaded, *rows):
        asked.append((question, loaded.entry.name))
        return ask_it(question, loaded, *rows)

    monkeypatch.setattr(engine(), "ask", counted)
    with joined(address) as client:
        for picture in (example_of(0), 1 - example_of(0)):
            client.send(message(Kind.INPUT, picture))
            for _ in range(5):
                ask(client, Kind.PASSING, PLACE)
    assert asked.count((questions.ENCODED, NAMES[0])) == 2


def test_the_input_of_one_model_or_client_does_not_serve_another(address, token):
    x, z = example_of(0), random_places(1, 1)
    with joined(address, token) as client, joined(address, token) as sibling:
        client.send(message(Kind.INPUT, x, 0))
        assert_place(ask(client, Kind.PLACE, z, 1), z, None, 1)
        assert_place(ask(client, Kind.PLACE, PLACE), PLACE, x)
        assert_place(ask(sibling, Kind.PLACE, PLACE), PLACE)


@EVERY_MODEL
@pytest.mark.parametrize("count", [1, 65, 1024])
def test_pictures_are_the_means_of_a_direct_call(address, number, count):
    if SPECS[number].pixels > 4096:  # each takes twenty times as long
        count = min(count, 200)
    z = random_places(number, count)
    with torch.inference_mode():
        means = model(number).decode(z).mean
    within = 0.51 if loaded(NAMES[number]).precision.name == "float32" else 16
    with joined(address) as client:
        assert_pictures(ask(client, Kind.PICTURES, z, number), means, within)


@EVERY_MODEL
def test_a_drawing_is_prepared_read_and_sketched(address, number):
    spec, canvas = SPECS[number], np.zeros((140, 256), np.uint8)
    canvas[20:132, 40:152] = 230 * functional.interpolate(example_of(number).mean(1, keepdim=True), (112, 112))[0, 0]
    x = prepared = prepare_array(canvas, spec).picture
    if spec.levels == 2:
        x = data.binarise(prepared, torch.Generator().manual_seed(data.BINARISATION_SEED))
    found = sketch(model(number), x)
    with joined(address) as client:
        body = ask(client, Kind.DRAWING, canvas, number)
    scalars, end = (found.reconstruction, found.reconstruction_error), len(body) - 3 * spec.pixels
    assert_numbers(body[:end], *scalars, found.mu, found.sigma, found.kl_per_dimension)
    assert_pictures(body[end : end + spec.pixels], prepared, within=1e-4)
    assert_pictures(body[end + spec.pixels : end + 2 * spec.pixels], x * (spec.levels - 1) / 255, within=1e-4)
    assert_pictures(body[end + 2 * spec.pixels :], found.mean)


@EVERY_MODEL
@pytest.mark.parametrize("share", [0, 0.4321, 1])
def test_an_example_is_the_encoding_of_a_test_picture_bit_by_bit(address, number, share):
    name = NAMES[number]
    index = round(share * (data.DATASETS[pretrained.load_card(name)["data"]["name"]].count("test") - 1))
    with joined(address) as client:
        body = ask(client, Kind.EXAMPLE, struct.pack("<I", index), number)
    assert body == pretrained.load_encodings(name)[0][index].numpy().astype("<f4").tobytes()


@EVERY_MODEL
def test_near_are_the_closest_encodings_and_the_density(address, number):
    name, z = NAMES[number], random_places(number, 1)
    mu, sigma = pretrained.load_encodings(name)
    pictures = data.load(pretrained.load_card(name)["data"]["name"], "test").images
    with joined(address) as client:
        body = ask(client, Kind.NEAR, z, number)
    k, metric = NEIGHBOURS, Company(mu, sigma, pictures).metric
    far = torch.einsum("nd,de,ne->n", mu - z, metric, mu - z).sqrt().sort()
    parts = Independent(Normal(mu, sigma), 1)
    density = MixtureSameFamily(Categorical(torch.ones(len(mu))), parts).log_prob(z)
    assert_numbers(body, density, far.values[:k], far.indices[:k])


@EVERY_MODEL
def test_an_ancestry_and_a_decoding_are_those_of_direct_calls(address, number):
    z, seed = random_places(number, 1), 2**32 - 3
    found = ancestry(model(number), z, torch.tensor([seed]))
    with joined(address) as client:
        body = ask(client, Kind.ANCESTRY, z.numpy().tobytes() + struct.pack("<I", seed), number)
        values = ask(client, Kind.DECODING, z, number)
    scalars, pixels = (found.log_prior, found.log_likelihood, found.log_posterior, found.within), SPECS[number].pixels
    end = len(body) - 2 * pixels
    assert_numbers(body[:end], *scalars, found.mu, found.sigma)
    assert_pictures(body[end : end + pixels], found.mean)
    assert_pictures(body[end + pixels :], found.x, within=1e-4)
    assert_numbers(values, decoding(model(number), z))


TOY = len(NAMES)  # the number of the model that `toy` brings


@pytest.fixture
def toy(address, monkeypatch, tmp_path) -> Iterator[Loaded]:
    """A model with two latents and 16 pixels that every session knows, whose plane is built in a moment."""
    made = VAE(VAE.Config(Pictures(height=4, width=4), 2, width=16, dense_blocks=1), torch.Generator().manual_seed(0))
    monkeypatch.setenv("VAE_LAB_CACHE", str(tmp_path))
    made.requires_grad_(False).eval()
    toy = Entry("toy", tmp_path, {"numbers": {}}, made.config, 0)
    held = Loaded(toy, made, Encoded(), Precision("float32", 1.0, 1.0), made)
    monkeypatch.setitem(library()._held, toy, held)
    number = sessions.Session.number

    def numbered(session: sessions.Session, entry: Entry) -> int:
        found = number(session, entry)
        if len(session.numbered) == TOY:
            number(session, toy)
        return found

    monkeypatch.setattr(sessions.Session, "number", numbered)
    yield held
    library()._recent.pop(toy, None)


def small_bits(seed: int) -> Tensor:
    return torch.rand(1, 1, 4, 4, generator=torch.Generator().manual_seed(seed)).round()


def share(toy: Loaded) -> float:
    """How much of its plane is built."""
    return toy.known("plane").share


def built(client: ClientConnection, toy: Loaded, x: Tensor) -> bytes:
    """The answer about a picture once the toy's plane is there."""
    ask(client, Kind.POSTERIOR, b"\0" + levels(x, TOY), TOY)  # which begins to build it
    until(lambda: share(toy) == 1)
    return ask(client, Kind.POSTERIOR, b"\0" + levels(x, TOY), TOY)


NUMBERS = 1 + 15 + 1 + 3


@pytest.mark.parametrize("thorough", [False, True])
def test_a_posterior_is_the_librarys_of_exactly_that_picture(address, toy, tmp_path, thorough):
    with joined(address) as client:
        built(client, toy, small_bits(0))
        for seed in (1, 2):
            x = small_bits(seed)
            body = ask(client, Kind.POSTERIOR, bytes([thorough]) + levels(x, TOY), TOY)
            plane = Plane(toy.model, tmp_path / "other")
            grid, effort = (Grid(toy.model), identity.THOROUGH) if thorough else (None, identity.QUICK)
            found, posterior = identity.sides(toy.model, x, plane, grid, effort)
            best = max(raster.log_density.max() for raster in posterior.rasters)
            expected = [1.0, *found.mu, *found.sigma, *found[2:], best, *posterior.levels]
            assert_numbers(body[: 4 * NUMBERS], torch.tensor([float(value) for value in expected]))
            squares = np.frombuffer(body, "<f4", 15, 4 * NUMBERS).reshape(3, 5)
            depths = np.frombuffer(body, "<u2", offset=4 * (NUMBERS + 15))
            assert len(depths) == (squares[:, 3] * squares[:, 4]).sum()
            for raster, (left, bottom, width, rows, columns) in zip(posterior.rasters, squares, strict=True):
                assert (left, bottom, width) == pytest.approx((raster.left, raster.bottom, raster.width), abs=1e-5)
                seen, depths = np.split(depths, [int(rows * columns)])
                below = np.clip(best - raster.log_density, 0, 63.999)
                np.testing.assert_allclose(seen.reshape(raster.log_density.shape) / 1024, below, atol=2e-3)


def test_until_the_plane_is_built_a_posterior_is_answered_with_the_encoders_and_the_share(address, toy, monkeypatch):
    go_on, x = threading.Event(), small_bits(3)

    def held(model: VAE, folder: Path, progress: Callable[[float], None]) -> Plane:
        progress(0.25)
        assert go_on.wait(LONG)
        progress(1.0)
        return Plane(model, folder)

    monkeypatch.setattr(planes, "Plane", held)
    with joined(address) as client:
        try:
            ask(client, Kind.POSTERIOR, b"\0" + levels(x, TOY), TOY)
            until(lambda: share(toy) == 0.25)
            body = ask(client, Kind.POSTERIOR, b"\1" + levels(x, TOY), TOY)
            found, _ = identity.sides(toy.model, x)
            unknown = [math.nan] * 8
            assert len(body) == 4 * NUMBERS
            numbers = [0.25, *found.mu, *found.sigma, *found[2:9], *unknown]
            assert_numbers(body, torch.tensor([float(value) for value in numbers]))
            assert_place(ask(client, Kind.PLACE, PLACE), PLACE)  # and a hand is answered
        finally:
            go_on.set()
        assert len(built(client, toy, x)) > 4 * NUMBERS


def test_a_plane_that_cannot_be_kept_is_said_to_be_and_the_encoders_half_stays(address, toy, monkeypatch):
    def full(*arguments) -> Plane:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(planes, "Plane", full)
    with joined(address) as client:
        ask(client, Kind.POSTERIOR, bytes(17), TOY)
        until(lambda: math.isnan(share(toy)))
        numbers = np.frombuffer(ask(client, Kind.POSTERIOR, bytes(17), TOY), "<f4")
    assert np.isfinite(numbers[1:12]).all()
    assert np.isnan(numbers[12:]).all()


def test_refinement_is_the_librarys_and_for_two_latents_its_ends_are_taken_by_quadrature(address, toy):
    x = small_bits(5)
    with joined(address) as client:
        body = ask(client, Kind.REFINE, levels(x, TOY), TOY)
    found = refine(toy.model, x)
    steps = torch.cat([found.mu, found.sigma, found.elbo[:, None], found.error[:, None]], 1)
    assert_numbers(body[12:], steps)
    bound, first, last = struct.unpack_from("<3f", body)
    assert math.isnan(bound)
    assert first == pytest.approx(float(found.elbo[0]), abs=4 * float(found.error[0]))
    assert last == pytest.approx(float(found.elbo[-1]), abs=4 * float(found.error[-1]))
    assert last > first


def test_the_bound_beside_a_refined_q_of_many_latents_lies_above_its_elbo(address):
    largest = max((NAMES.index(name) for name in BITS), key=LATENTS.__getitem__)
    x = example_of(largest)
    with joined(address) as client:
        body = ask(client, Kind.REFINE, levels(x, largest), largest)
    bound, first, last = struct.unpack_from("<3f", body)
    steps = np.frombuffer(body, "<f4", offset=12).reshape(101, 2 * LATENTS[largest] + 2)
    assert math.isnan(first)
    assert math.isnan(last)
    assert bound > steps[-1, -2] > steps[0, -2]


def test_an_empty_drawing_is_answered_with_a_sentence_and_the_client_stays(address):
    empty = np.zeros((140, 140), np.uint8)
    with pytest.raises(ImageError) as error:
        prepare_array(empty, model(0).input_spec)
    with joined(address) as client:
        client.send(message(Kind.DRAWING, empty, sequence=5))
        assert client.recv(LONG) == message(Kind.SENTENCE, str(error.value).encode(), sequence=5)
        assert_place(ask(client, Kind.PLACE, PLACE), PLACE)


def test_a_model_of_256_levels_reads_colours_and_draws_no_bits():
    spec = Pictures(3, 4, 5, 256, "crop")
    colour = Entry("colour", Path(), {"numbers": {}}, VAE.Config(spec, 3), 0)
    (x,) = messages.given_or_none(bytes(range(196, 256)), colour)
    torch.testing.assert_close(x, torch.arange(196, 256).view(1, 3, 4, 5) / 255, rtol=0, atol=1e-7)
    assert torch.equal(data.as_read(x, spec), x)


def test_limits_follow_from_the_models_shape():
    """256 latents and 64 x 64 colours need no other constants."""
    large = Entry("large", Path(), {"numbers": {}}, VAE.Config(Pictures(3, 64, 64, 256, "crop"), 256), 0)
    assert messages.most_bytes(large) == 8 + 4 * 256 * messages.MOST_PLACES
    assert len(messages.places(bytes(4 * 256 * 1024), large)[0]) == 1024
    huge = Entry("huge", Path(), {"numbers": {}}, VAE.Config(Pictures(3, 512, 512, 256, "crop"), 4), 0)
    with pytest.raises(messages.Refused, match="at most 21 places"):
        messages.places(bytes(4 * 4 * 22), huge)


def test_of_the_requests_that_wait_only_the_newest_of_each_kind_is_answered(address, monkeypatch):
    rounds, black = 200, np.zeros((9, 9), np.uint8)
    z, x, parse, ask_it = random_places(0, rounds), example_of(0), exchange.parse, engine().ask
    asked, waiting, all_read, last = [], [], threading.Event(), message(Kind.INPUT, sequence=rounds)

    class Watched(sockets._Connection):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            waiting.append(self.waiting)

    def watched(whole: bytes, session: sessions.Session) -> exchange.Request:
        assert len(waiting[0]) <= 3
        if whole == last:
            all_read.set()
        return parse(whole, session)

    def held(question: engines.Asked, loaded: Loaded, *rows: Tensor) -> Future:
        if question != questions.PLACES:
            return ask_it(question, loaded, *rows)
        asked.append((*rows, Future()))
        return asked[-1][-1]

    monkeypatch.setattr(sockets, "parse", watched)
    monkeypatch.setattr(sockets, "_Connection", Watched)
    with joined(address) as client:
        with monkeypatch.context() as patched:
            patched.setattr(engine(), "ask", held)
            client.send(message(Kind.PLACE, z[:1], sequence=0))
            until(lambda: asked)
            client.send(message(Kind.INPUT, x))
            for turn in range(1, rounds):
                for kind, body in ((Kind.PICTURES, z[turn]), (Kind.PLACE, z[turn]), (Kind.DRAWING, black)):
                    client.send(message(kind, body, sequence=turn))
            client.send(last)  # takes the input away; the PLACEs before it keep theirs
            assert all_read.wait(LONG)
            for turn in range(2):
                until(lambda turn=turn: len(asked) > turn)
                asked[turn][-1].set_result(places(model(0), *asked[turn][:-1]))
            first, *others = [client.recv(LONG) for _ in range(4)]
        assert_place(ask(client, Kind.PLACE, z[:1]), z[:1])  # nothing else was on its way
    newest = {answer[:8]: answer[8:] for answer in others}
    kinds = Kind.PLACE, Kind.PICTURES, Kind.SENTENCE
    assert first[:8] == message(Kind.PLACE, sequence=0)
    assert set(newest) == {message(kind, sequence=rounds - 1) for kind in kinds}
    assert_place(first[8:], z[:1])
    assert_place(newest[message(Kind.PLACE, sequence=rounds - 1)], z[-1:], x)


# ---- what is refused ----


def beyond(value: float) -> Tensor:
    return torch.cat([PLACE, PLACE + value])


LESS, MORE = torch.zeros(min(LATENTS)), torch.zeros(max(LATENTS))
BAD = {
    "text": ("HELLO", Close.MALFORMED),
    "nothing": (b"", Close.MALFORMED),
    "a short header": (message(Kind.PLACE)[:7], Close.MALFORMED),
    "another version": (message(Kind.PLACE, PLACE, version=2), Close.MALFORMED),
    "an unknown kind": (message(max(Kind) + 1, PLACE), Close.MALFORMED),
    "an answer": (message(Kind.SENTENCE, b"no"), Close.MALFORMED),
    "a second HELLO": (message(Kind.HELLO, bytes(32)), Close.MALFORMED),
    "an unknown model": (message(Kind.PLACE, PLACE, model=len(NAMES)), Close.MODEL),
    "no place": (message(Kind.PLACE), Close.MALFORMED),
    "no pictures": (message(Kind.PICTURES), Close.MALFORMED),
    "half a latent": (message(Kind.PLACE, beyond(0))[:-2], Close.MALFORMED),
    "two places for one": (message(Kind.PLACE, beyond(0)), Close.TOO_LARGE),
    "NaN": (message(Kind.PLACE, PLACE + math.nan), Close.NOT_A_PLACE),
    "infinity": (message(Kind.PLACE, PLACE - math.inf), Close.NOT_A_PLACE),
    "too far": (message(Kind.PLACE, PLACE + messages.BEYOND * 1.0001), Close.NOT_A_PLACE),
    "too far for pictures": (message(Kind.PICTURES, beyond(-101)), Close.NOT_A_PLACE),
    "too many places": (message(Kind.PICTURES, PLACE.repeat(1025, 1)), Close.TOO_LARGE),
    "too large": (message(Kind.PICTURES, bytes(MOST_BYTES - 7)), Close.TOO_LARGE),
    "a drawing without a size": (message(Kind.DRAWING, bytes(3)), Close.MALFORMED),
    "a drawing without pixels": (message(Kind.DRAWING, np.zeros((9, 0), np.uint8)), Close.TOO_LARGE),
    "a large drawing": (message(Kind.DRAWING, np.zeros((257, 1), np.uint8)), Close.TOO_LARGE),
    "a short drawing": (message(Kind.DRAWING, np.zeros((9, 9), np.uint8))[:-1], Close.MALFORMED),
    "a short input": (message(Kind.INPUT, bytes(PIXELS - 1)), Close.MALFORMED),
    "an example that is none": (message(Kind.EXAMPLE, struct.pack("<I", 10_000)), Close.NOT_A_PLACE),
    "the last example of all": (message(Kind.EXAMPLE, struct.pack("<I", 2**32 - 1)), Close.NOT_A_PLACE),
    "half an example": (message(Kind.EXAMPLE, bytes(3)), Close.MALFORMED),
    "two examples": (message(Kind.EXAMPLE, bytes(8)), Close.MALFORMED),
    "no example": (message(Kind.EXAMPLE), Close.MALFORMED),
    "an example of an unknown model": (message(Kind.EXAMPLE, bytes(4), model=len(NAMES)), Close.MODEL),
    "two places to be near to": (message(Kind.NEAR, beyond(0)), Close.TOO_LARGE),
    "near to nothing": (message(Kind.NEAR, PLACE + math.nan), Close.NOT_A_PLACE),
    "near to far away": (message(Kind.NEAR, PLACE + 101), Close.NOT_A_PLACE),
    "near without a place": (message(Kind.NEAR), Close.MALFORMED),
    "near to half a latent": (message(Kind.NEAR, PLACE)[:-2], Close.MALFORMED),
    "near to a place of a model with fewer latents": (
        message(Kind.NEAR, MORE, SMALLEST),
        Close.TOO_LARGE,
    ),
    "near to a place of a model with more latents": (
        message(Kind.NEAR, LESS, LARGEST),
        Close.MALFORMED,
    ),
    "near in an unknown model": (message(Kind.NEAR, PLACE, model=len(NAMES)), Close.MODEL),
    "an ancestry without a seed": (message(Kind.ANCESTRY, PLACE), Close.MALFORMED),
    "an ancestry of nothing": (message(Kind.ANCESTRY), Close.MALFORMED),
    "an ancestry of two": (message(Kind.ANCESTRY, beyond(0).numpy().tobytes() + bytes(4)), Close.TOO_LARGE),
    "an ancestry of NaN": (message(Kind.ANCESTRY, (PLACE + math.nan).numpy().tobytes() + bytes(4)), Close.NOT_A_PLACE),
    "a decoding of two": (message(Kind.DECODING, beyond(0)), Close.TOO_LARGE),
    "a decoding of infinity": (message(Kind.DECODING, PLACE + math.inf), Close.NOT_A_PLACE),
    "a posterior of a model without a plane": (message(Kind.POSTERIOR, bytes(1 + PIXELS), LARGEST), Close.MODEL),
    "a posterior of an unknown model": (message(Kind.POSTERIOR, bytes(1 + PIXELS), len(NAMES)), Close.MODEL),
    "a posterior of nothing": (message(Kind.POSTERIOR, b"", SMALLEST), Close.MALFORMED),
    "a posterior without a picture": (message(Kind.POSTERIOR, b"\0", SMALLEST), Close.MALFORMED),
    "a short posterior": (message(Kind.POSTERIOR, bytes(PIXELS), SMALLEST), Close.MALFORMED),
    "a long posterior": (message(Kind.POSTERIOR, bytes(2 + PIXELS), SMALLEST), Close.MALFORMED),
    "a posterior that is too thorough": (message(Kind.POSTERIOR, b"\2" + bytes(PIXELS), SMALLEST), Close.MALFORMED),
    "a posterior of grey": (message(Kind.POSTERIOR, bytes(PIXELS) + b"\2", SMALLEST), Close.NOT_A_PLACE),
    "nothing to refine": (message(Kind.REFINE), Close.MALFORMED),
    "too little to refine": (message(Kind.REFINE, bytes(PIXELS - 1)), Close.MALFORMED),
    "grey to refine": (message(Kind.REFINE, bytes(PIXELS - 1) + b"\2"), Close.NOT_A_PLACE),
    "an unknown model to refine": (message(Kind.REFINE, bytes(PIXELS), len(NAMES)), Close.MODEL),
    **{
        f"{name} to refine, which takes minutes": (message(Kind.REFINE, bytes(spec.pixels), number), Close.MODEL)
        for number, (name, spec) in enumerate(zip(NAMES, SPECS, strict=True))
        if name not in BITS
    },
    "a level too high": (message(Kind.INPUT, bytes(PIXELS - 1) + b"\2"), Close.NOT_A_PLACE),
}
BAD_FIRST = {
    "text first": ("HELLO", Close.MALFORMED),
    "no HELLO": (message(Kind.INPUT, bytes(32)), Close.MALFORMED),
    "a HELLO of another version": (message(Kind.HELLO, bytes(32), version=0), Close.MALFORMED),
    "a short token": (message(Kind.HELLO, bytes(31)), Close.MALFORMED),
    "a long token": (message(Kind.HELLO, bytes(33)), Close.TOO_LARGE),
    "a large HELLO": (message(Kind.HELLO, bytes(MOST_BYTES)), Close.TOO_LARGE),
    "an unknown token": (message(Kind.HELLO, b"0" * 32), Close.TOKEN),
    "a token that is no text": (message(Kind.HELLO, b"\xff" * 32), Close.TOKEN),
}


@pytest.mark.parametrize(("bad", "code"), (BAD | BAD_FIRST).values(), ids=BAD | BAD_FIRST)
def test_a_bad_message_closes_its_socket_and_no_other(address, bad, code):
    with dial(address) if (bad, code) in BAD_FIRST.values() else joined(address) as client:
        client.send(bad)
        assert closed(client) == code
    assert_served(address)


@pytest.mark.parametrize("kind", [Kind.PLACE, Kind.PICTURES, Kind.EXAMPLE, Kind.NEAR, Kind.ANCESTRY, Kind.DECODING])
def test_a_bad_message_behind_a_good_one_closes_its_socket(address, kind):
    bodies = {Kind.EXAMPLE: bytes(4), Kind.ANCESTRY: PLACE.numpy().tobytes() + bytes(4)}
    good = message(kind, bodies.get(kind, PLACE))
    with joined(address) as client:
        assert answers(client, [good, b""]) == Close.MALFORMED


def test_without_a_hello_a_socket_is_closed_in_the_end(address, monkeypatch):
    monkeypatch.setattr(sockets, "PATIENCE", 0.05)
    with dial(address) as client:
        assert closed(client) == Close.SLOW


def test_the_end_of_a_session_closes_its_sockets_and_its_token_is_not_taken_again(address, token):
    with joined(address, token) as first, joined(address, token) as second, joined(address) as other:
        sessions.end_session(token)
        assert closed(first) == closed(second) == Close.TOKEN
        with dial(address) as replayed:
            replayed.send(message(Kind.HELLO, token.encode()))
            assert closed(replayed) == Close.TOKEN
        assert_place(ask(other, Kind.PLACE, PLACE), PLACE)


def test_a_session_that_ends_during_a_hello_keeps_no_socket(address, token, monkeypatch):
    send = WebSocket.send_bytes

    async def send_late(self, answer: bytes) -> None:
        sessions.end_session(token)
        await send(self, answer)

    monkeypatch.setattr(WebSocket, "send_bytes", send_late)
    with joined(address, token) as client:
        assert closed(client) == Close.TOKEN


def test_a_session_has_four_sockets_at_a_time(address, token):
    with ExitStack() as stack:
        clients = [stack.enter_context(joined(address, token)) for _ in range(4)]
        with dial(address) as fifth:
            fifth.send(message(Kind.HELLO, token.encode()))
            assert closed(fifth) == Close.TOO_MANY
        assert_served(address)
        clients[0].close()
        until(lambda: len(sessions.by_token[token].stops) == 3)
        assert_place(ask(stack.enter_context(joined(address, token)), Kind.PLACE, PLACE), PLACE)


def test_the_server_has_so_many_sockets_at_a_time(address, monkeypatch):
    monkeypatch.setattr(sockets, "SOCKETS", 1)
    with joined(address), dial(address) as second:
        assert closed(second) == Close.TOO_MANY


def test_the_sockets_of_a_session_share_what_it_may_ask(address, token, monkeypatch):
    monkeypatch.setattr(sessions, "RATE", 0.0)
    sessions.by_token[token].allowance = 3.0
    with joined(address, token) as first, joined(address, token) as second:
        for client in (first, second, first):
            assert_place(ask(client, Kind.PLACE, PLACE), PLACE)
        second.send(message(Kind.PLACE, PLACE))
        assert closed(second) == Close.TOO_MANY
        assert_served(address)


def test_what_a_session_may_ask_grows_back_up_to_its_most(monkeypatch):
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(sessions, "time", clock)
    visitor = sessions.Session(since=0.0)
    for clock.now, amount in ((0.0, sessions.BURST), (0.5, sessions.RATE / 2), (1e6, sessions.BURST)):
        for _ in range(round(amount)):
            visitor.spend()
        with pytest.raises(messages.Refused) as refused:
            visitor.spend()
        assert refused.value.code == Close.TOO_MANY
        visitor.allowance += 1


def test_a_request_is_charged_to_its_session_and_to_no_other(address, token, monkeypatch):
    charged = []
    monkeypatch.setattr(Visitor, "charge", lambda self, seconds: charged.append((self, seconds)))
    asked = {
        Kind.PLACE: PLACE,
        Kind.PICTURES: random_places(0, 100),
        Kind.DRAWING: np.tri(140, 140, 20, np.uint8) * 255,
        Kind.NEAR: PLACE,
        Kind.ANCESTRY: PLACE.numpy().tobytes() + bytes(4),
        Kind.DECODING: PLACE,
        Kind.REFINE: bytes(PIXELS),
    }
    with joined(address, token) as client, joined(address):
        for kind, body in asked.items():
            ask(client, kind, body)
            assert {who for who, _ in charged} == {sessions.by_token[token].visitor}
            assert sum(seconds for _, seconds in charged) > 0
            charged.clear()
        for thorough in (b"\0", b"\1"):
            ask(client, Kind.POSTERIOR, thorough + bytes(PIXELS), SMALLEST)
            assert sessions.by_token[token].visitor in {who for who, _ in charged}
            charged.clear()


def test_who_has_used_up_their_share_is_not_refused_but_waits_and_others_do_not(address, token):
    with joined(address, token) as client, joined(address) as other:
        sessions.by_token[token].visitor.charge(turns.SAVED + turns.SHARE)  # that is a second
        start = time.monotonic()
        client.send(message(Kind.PLACE, PLACE))
        for _ in range(5):
            assert_place(ask(other, Kind.PLACE, PLACE), PLACE)
        others = time.monotonic() - start
        assert_place(client.recv(LONG)[8:], PLACE)
        assert time.monotonic() - start > max(0.9, others)


def test_where_too_many_wait_a_client_is_told_so(address, token, monkeypatch):
    monkeypatch.setattr(turns, "WAITING", 0)
    with joined(address, token) as client:
        client.send(message(Kind.REFINE, bytes(PIXELS)))
        with pytest.raises(ConnectionClosed) as closing:
            client.recv(LONG)
    assert closing.value.rcvd.code == Close.TOO_MANY
    assert "Too many visitors" in closing.value.rcvd.reason


def test_what_a_session_waits_for_is_not_computed_once_it_has_ended(address, token, monkeypatch):
    standing, go_on, ran = threading.Semaphore(0), threading.Event(), []

    def stand() -> None:
        standing.release()
        assert go_on.wait(LONG)

    monkeypatch.setattr(planes, "refined", lambda *_: ran.append("refined"))
    records = engine().records
    jobs = [records.submit(stand, visitor=Visitor()) for _ in range(engines.RECORDS)]
    for _ in jobs:
        assert standing.acquire(timeout=LONG)
    with ExitStack() as stack:
        clients = [stack.enter_context(joined(address, token)) for _ in range(4)]
        for client in clients:
            client.send(message(Kind.REFINE, bytes(PIXELS)))
        until(lambda: sum(map(len, records._waiting.values())) == 4)
        sessions.end_session(token)
        for client in clients:
            assert closed(client) == Close.TOKEN
    go_on.set()
    for job in jobs:
        job.result(LONG)
    assert records.submit(str, 1).result(LONG) == "1"
    assert ran == []


def test_a_client_that_asks_but_never_reads_is_let_go_and_told_why(address, token, monkeypatch):
    close, answer, asked, refused = sockets._close, exchange.answer, [], []

    async def noted(request: exchange.Request, *others) -> bytes:
        asked.append(request)
        return await answer(request, *others)

    async def told(socket: WebSocket, code: Close, reason: str) -> None:
        monkeypatch.setattr(sockets, "PATIENCE", LONG)  # for the client below, which begins to read
        refused.append(code)
        await close(socket, code, reason)

    monkeypatch.setattr(sockets, "answer", noted)
    monkeypatch.setattr(sockets, "_close", told)
    monkeypatch.setattr(sockets, "PATIENCE", 1.0)
    monkeypatch.setattr(sessions, "BURST", math.inf)
    with dial(address, max_queue=1) as client:  # its thread reads no more than a message ahead
        ask(client, Kind.HELLO, token.encode())
        while not refused:  # real answers fill the buffers of both sides
            already = len(asked)
            assert already < 100
            client.send(message(Kind.PICTURES, random_places(0, 1024)))
            until(lambda already=already: len(asked) > already or refused)
        assert len(asked) > 1
        came = []
        with pytest.raises(ConnectionClosed) as closing:
            came.extend(iter(lambda: len(client.recv(LONG)), None))
        assert set(came) == {8 + 1024 * PIXELS}
        assert closing.value.rcvd.code == Close.SLOW
    assert refused == [Close.SLOW]
    assert_served(address)


def test_an_exception_here_closes_its_socket_is_logged_and_the_next_client_is_served(address, monkeypatch, caplog):
    failed = Future()
    failed.set_exception(ArithmeticError("of the engine"))
    with joined(address) as client, monkeypatch.context() as broken:
        broken.setattr(engine(), "ask", lambda *arguments: failed)
        client.send(message(Kind.PLACE, PLACE))
        assert closed(client) == Close.BROKEN
    until(lambda: any(record.levelno >= logging.ERROR for record in caplog.records))
    (error,) = (record for record in caplog.records if record.levelno >= logging.ERROR)
    assert error.exc_info[1] is failed.exception()
    caplog.clear()
    assert_served(address)


# ---- those who mean harm ----


@contextmanager
def raw(address: str, *headers: str) -> Iterator[socket.socket]:
    """A bare TCP connection after the websocket's handshake, for what no client of good manners would send."""
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), LONG) as bare:
        lines = ["GET /live HTTP/1.1", f"Host: {address}", f"Origin: http://{address}", "Upgrade: websocket"]
        lines += ["Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]
        bare.sendall("\r\n".join([*lines, *headers, "", ""]).encode())
        came = b""
        while b"\r\n\r\n" not in came:
            came += bare.recv(1)
        assert came.startswith(b"HTTP/1.1 101")
        yield bare


def framed(body: bytes, opcode: Opcode = Opcode.BINARY) -> bytes:
    return Frame(opcode, body).serialize(mask=True)


def close_code(bare: socket.socket) -> int:
    """The code of the close frame, after what else comes; the frames are short."""
    with bare.makefile("rb") as stream:
        while True:
            opcode, length = stream.read(2)
            if length == 126:
                length = int.from_bytes(stream.read(2), "big")
            body = stream.read(length)
            if opcode & 15 == Opcode.CLOSE:
                return int.from_bytes(body[:2], "big")


def test_who_only_knocks_keeps_nobody_out(address, monkeypatch):
    monkeypatch.setattr(sockets, "SOCKETS", 3)
    with joined(address) as settled, ExitStack() as stack:
        knocking = [stack.enter_context(dial(address)) for _ in range(2)]
        until(lambda: len(sockets._knocking) == 2)
        for _ in range(3):
            with joined(address) as client:
                assert closed(knocking.pop(0)) == Close.SLOW  # the oldest
                assert_place(ask(client, Kind.PLACE, PLACE), PLACE)
            until(lambda: len(sockets._open) == 2)
            knocking.append(stack.enter_context(dial(address)))
            until(lambda: len(sockets._knocking) == 2)
        assert_place(ask(settled, Kind.PLACE, PLACE), PLACE)


def test_a_hello_that_comes_byte_by_byte_is_not_waited_for(address, token, monkeypatch):
    monkeypatch.setattr(sockets, "PATIENCE", 0.3)
    with raw(address) as bare:
        for byte in framed(message(Kind.HELLO, token.encode()))[:-1]:
            bare.sendall(bytes([byte]))
            if not sockets._open:
                break
            time.sleep(0.02)
        assert close_code(bare) == Close.SLOW


def test_many_hellos_at_once_do_not_pass_the_limit_of_a_session(address, token, monkeypatch):
    send, most = WebSocket.send_bytes, []

    async def late(self, answer: bytes) -> None:
        most.append(len(sessions.by_token[token].stops))
        await sockets.asyncio.sleep(0.05)
        await send(self, answer)

    def come(_: int) -> Close | None:
        with dial(address) as client:
            client.send(message(Kind.HELLO, token.encode()))
            start.wait(LONG)
            try:
                client.recv(LONG)
                done.wait(LONG)
            except ConnectionClosed as closing:
                return Close(closing.rcvd.code)
        return None

    start, done = threading.Barrier(12), threading.Event()
    monkeypatch.setattr(WebSocket, "send_bytes", late)
    with ThreadPoolExecutor(12) as crowd:
        found = [crowd.submit(come, number) for number in range(12)]
        until(lambda: sum(one.done() for one in found) == 8)
        done.set()
    assert [one.result() for one in found].count(Close.TOO_MANY) == 8
    assert max(most) == sockets.SOCKETS_EACH


@pytest.mark.parametrize("before", [0, 1])
def test_a_broken_frame_behind_a_request_is_no_error_here(address, token, before):
    requests = [message(Kind.HELLO, token.encode())] + before * [message(Kind.EXAMPLE, bytes(4))]
    with raw(address) as bare:
        bare.sendall(b"".join(map(framed, requests)) + b"\xff\x80\0\0\0\0")
        assert close_code(bare) == 1002
    assert_served(address)


def test_an_answer_to_a_socket_that_the_server_below_has_closed_is_no_error_here(address, monkeypatch):
    send = WebSocket.send_bytes

    async def too_late(self, answer: bytes) -> None:
        if answer[1] == Kind.PLACE:
            raise RuntimeError("Unexpected ASGI message 'websocket.send', after sending 'websocket.close'.")
        await send(self, answer)

    with joined(address) as client, monkeypatch.context() as closing:
        closing.setattr(WebSocket, "send_bytes", too_late)
        client.send(message(Kind.PLACE, PLACE))
        with pytest.raises(ConnectionClosed):
            client.recv(LONG)
    assert_served(address)


def test_text_that_is_none_is_closed_by_the_server_below(address, caplog):
    with raw(address) as bare:
        bare.sendall(framed(b"\xff", Opcode.TEXT))
        assert close_code(bare) == 1007
    until(lambda: not sockets._open)
    assert {record.name for record in caplog.records if record.levelno >= logging.ERROR} <= {"uvicorn.error"}
    caplog.clear()
    assert_served(address)


@pytest.mark.parametrize("parts", [1, 7])
def test_more_than_the_server_takes_is_closed_by_the_server_below(address, parts):
    part = bytes(MOST // parts + 1)
    with raw(address) as bare:
        for number in range(parts - 1):
            bare.sendall(Frame(Opcode.CONT if number else Opcode.BINARY, part, fin=False).serialize(mask=True))
        # Of the last frame its head, which says how long it will be: what was sent after a server's last word, and
        # never read, would have the kernel take that word back.
        bare.sendall(Frame(Opcode.CONT if parts > 1 else Opcode.BINARY, part).serialize(mask=True)[: -len(part)])
        assert close_code(bare) == 1009
    assert_served(address)


def test_nothing_is_unpacked(address):
    with dial(address, compression="deflate") as client:
        assert client.protocol.extensions == []
    assert not st.get_option("server.enableWebsocketCompression")


@pytest.mark.parametrize(("size", "code"), [(MOST + 1, 1009), (MOST, Close.TOO_LARGE)])
def test_where_the_owner_has_messages_packed_a_bomb_is_refused(size, code):
    with serving(ws_per_message_deflate=True) as address, joined(address) as client:
        assert client.protocol.extensions == []
        with dial(address, compression="deflate") as bomber:
            bomber.send(bytes(size))
            with pytest.raises(ConnectionClosed) as closing:
                bomber.recv(LONG)
        assert closing.value.rcvd.code == code
        assert_place(ask(client, Kind.PLACE, PLACE), PLACE)


def test_nothing_of_a_refused_client_is_kept(address):
    x = example_of(0)

    def come(times: int) -> None:
        for number in range(times):
            with joined(address) as client:
                client.send(message(Kind.INPUT, x))
                client.send([bytes(MOST_BYTES), b"1"] if number % 2 else message(Kind.PLACE, PLACE + math.nan))
                assert closed(client) in (Close.TOO_LARGE, Close.NOT_A_PLACE, Close.MALFORMED)
        until(lambda: not sockets._open)
        gc.collect()

    def grown() -> int:
        before, _ = tracemalloc.get_traced_memory()
        come(20)
        return tracemalloc.get_traced_memory()[0] - before

    come(4)
    known = len(sessions.by_token)
    tracemalloc.start()
    come(4)
    # one frame alone has as much; what others keep for the first time at that moment they keep once
    least = min(grown() for _ in range(3))
    tracemalloc.stop()
    assert least < 2**18
    assert len(sessions.by_token) == known
    kept = [one for one in gc.get_objects() if type(one) in (sockets._Connection, exchange.Request)]
    assert kept == []


# ---- who may come ----


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", "http://["])
def test_a_page_from_elsewhere_is_sent_away(address, origin, monkeypatch):
    monkeypatch.setattr(net_util, "get_external_ip", lambda: None)  # it would ask the net
    with dial(address, origin) as client:
        assert closed(client) == Close.ORIGIN
    assert_served(address)


@pytest.mark.parametrize(("base", "path"), [("", "/live"), ("/lab/", "/lab/live"), ("a/b", "/a/b/live")])
def test_the_routes_lie_below_the_base_path(monkeypatch, base, path):
    monkeypatch.setattr(routes.st, "get_option", {"server.baseUrlPath": base}.__getitem__)
    assert routes.route(routes.SOCKET) == path
    assert routes.route(routes.PLOTLY) == path.removesuffix("live") + "plotly.js"


# ---- the file that components load ----


def asked(address: str, method: str, path: str) -> tuple[HTTPResponse, bytes]:
    """The answer to a request by HTTP, and its content."""
    with closing(HTTPConnection(address, timeout=LONG)) as connection:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer, answer.read()


def test_the_installed_plotly_is_served_to_be_kept_for_good(address):
    answer, content = asked(address, "GET", f"/{wire.plotly_path()}")
    assert answer.status == 200
    assert content == (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_bytes()
    assert "javascript" in answer.headers["content-type"]
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_another_version_of_plotly_has_another_address(monkeypatch):
    before = wire.plotly_path()
    monkeypatch.setattr(plotly, "__version__", "99.0")
    assert wire.plotly_path() == before.split("?")[0] + "?v=99.0" != before


def test_plotly_is_only_read(address):
    assert asked(address, "POST", f"/{wire.plotly_path()}")[0].status == 405


# ---- anything may come ----


def good(kind: Kind, number: int, width: int, height: int, share: float, seed: int) -> bytes:
    generator, body = np.random.default_rng(seed), b""
    if kind == Kind.DRAWING:
        ink = generator.integers(0, 256, (height, width)) * (generator.random((height, width)) < share)
        body = ink.astype(np.uint8)
    elif kind == Kind.INPUT and height % 2:
        body = generator.integers(0, SPECS[number].levels, SPECS[number].pixels).astype(np.uint8).tobytes()
    elif kind in (Kind.POSTERIOR, Kind.REFINE):
        body = generator.integers(0, SPECS[number].levels, SPECS[number].pixels).astype(np.uint8).tobytes()
        body = (bytes([seed % 2]) if kind == Kind.POSTERIOR else b"") + body
    elif kind == Kind.EXAMPLE:
        body = struct.pack("<I", seed * width)
    elif kind in (Kind.PLACE, Kind.PICTURES, Kind.NEAR, Kind.ANCESTRY, Kind.DECODING):
        rows = width if kind == Kind.PICTURES else 1
        body = torch.from_numpy(generator.uniform(-100 * share, 100 * share, (rows, LATENTS[number])))
        if kind == Kind.ANCESTRY:
            body = body.numpy().astype("<f4").tobytes() + struct.pack("<I", seed)
    return message(kind, body, number)


def changed(whole: bytes, changes: list[tuple[str, int, int]]) -> bytes:
    for how, at, value in changes:
        at %= len(whole) + 1
        head, tail = whole[:at], whole[at:]
        middle = bytes(byte ^ value for byte in tail[:1]) + tail[1:]
        whole = {"cut": head, "extend": whole + bytes([value]) * at, "flip": head + middle}[how]
    return whole


sides, places_in = some.sampled_from([1, 2, 28, 140, 256]) | some.integers(1, 256), some.integers(0, 11)
kinds = some.sampled_from(sorted(set(Kind) - {Kind.HELLO, Kind.SENTENCE}))
shares, numbers = some.sampled_from([0.0, 0.01, 0.3, 1.0]), some.integers(0, len(NAMES) - 1)
ways = some.tuples(
    some.sampled_from(["cut", "extend", "flip"]), places_in | some.integers(0, 5000), some.integers(1, 255)
)
goods = some.builds(good, kinds, numbers, sides, sides, shares, some.integers(0, 99))
long = some.sampled_from([Kind.POSTERIOR, Kind.REFINE])  # half a second each to answer, or a plane to build
longs = some.builds(good, long, numbers, sides, sides, shares, some.integers(0, 99))
anything_long = some.builds(changed, longs, some.lists(ways, max_size=2))
anything = some.builds(changed, goods, some.lists(ways, max_size=2)) | some.binary(max_size=80)


def parsed(whole: bytes) -> exchange.Request | messages.Refused:
    session = sessions.Session()
    for name in NAMES:
        session.number(entry(name))
    try:
        return exchange.parse(whole, session)
    except messages.Refused as refused:
        return refused


@settings(max_examples=500, deadline=None)
@given(anything | anything_long)
def test_any_bytes_are_a_request_within_the_rules_or_refused(whole):
    found = parsed(whole)
    if isinstance(found, messages.Refused):
        assert found.code in (Close.MALFORMED, Close.MODEL, Close.TOO_LARGE, Close.NOT_A_PLACE)
        assert 0 < len(found.reason.encode()) <= 123  # what a close frame can hold
        return
    number, (value, *more) = NAMES.index(found.entry.name), found.values
    spec = SPECS[number]
    assert found.header == whole[:8] == message(found.kind, model=number)[:4] + whole[4:8]
    if found.kind == Kind.DRAWING:
        assert max(value.shape) <= messages.MOST_SIDE
    elif found.kind == Kind.INPUT:
        assert value is None or is_read(value, spec)
    elif found.kind == Kind.EXAMPLE:
        assert 0 <= value < data.DATASETS[found.entry.card["data"]["name"]].count("test")
    elif found.kind in (Kind.POSTERIOR, Kind.REFINE):
        thorough, x = (value, *more) if found.kind == Kind.POSTERIOR else (False, value)
        assert thorough in (False, True)
        assert is_read(x, spec)
        assert found.kind == Kind.REFINE or LATENTS[number] == 2
    else:
        if found.kind == Kind.ANCESTRY:
            (seed,) = more
            assert seed.shape == (1,)
            assert 0 <= int(seed) < 2**32
        assert value.shape[1] == LATENTS[number]
        assert value.abs().max() <= messages.BEYOND
        assert len(value) <= (messages.MOST_PLACES if found.kind == Kind.PICTURES else 1)


def is_read(x: Tensor, spec: Pictures) -> bool:
    """Whether it is a picture that a model reads: of its shape, each value one of its levels."""
    steps = x * (spec.levels - 1)
    return x.shape == (1, *spec.shape) and bool(
        ((steps - steps.round()).abs() < 1e-4).all() and x.min() >= 0 and x.max() <= 1
    )


def answers(client: ClientConnection, messages: list[bytes]) -> list[bytes] | Close:
    """What comes until the last message is answered, or why the socket is closed instead."""
    came = []
    try:
        for whole in messages:
            client.send(whole)
        while not came or came[-1][:8] != messages[-1][:8]:
            came.append(client.recv(LONG))
    except ConnectionClosed as closing:
        return Close(closing.rcvd.code)
    return came


@settings(max_examples=100, deadline=None)
@given(some.lists(anything, min_size=1, max_size=4))
def test_whatever_a_client_sends_it_is_answered_or_refused_and_the_next_one_is_served(address, messages):
    with joined(address) as client:
        came = answers(client, [*messages, message(Kind.PLACE, PLACE, sequence=0xFEDCBA98)])
    if isinstance(came, Close):
        assert came in (Close.MALFORMED, Close.MODEL, Close.TOO_LARGE, Close.NOT_A_PLACE)
    else:
        assert {tuple(answer[:2]) for answer in came} <= {(1, kind) for kind in set(Kind) - {Kind.HELLO, Kind.INPUT}}
        assert_pictures(came[-1][-PIXELS:], places(model(0), PLACE).mean)
    assert_served(address)


# ---- anyone may come ----

TOKENS = ("good", "over", "replayed", "shouted", "of another", "unknown")
headers = some.tuples(some.just(1) | some.integers(0, 255), some.integers(0, 2**16 - 1), some.integers(0, 2**32 - 1))


@settings(max_examples=60, deadline=None)
@given(headers, some.sampled_from(TOKENS) | some.binary(max_size=40), some.integers(1, 5), some.booleans())
@example((1, len(NAMES), 0), "good", 1, False)
@example((1, 0, 0), b"\xff" * 32, 3, True)
def test_a_hello_is_taken_of_this_version_with_a_token_of_a_session(address, header, token, pieces, text):
    version, number, sequence = header
    own, other, over = opened(), opened(), opened()
    with dial(address) as client:
        client.send(message(Kind.HELLO, over.encode()))
        client.recv(LONG)
        sessions.end_session(over)
    known = {
        "good": own,
        "of another": other,
        "over": over,
        "replayed": over,
        "shouted": own.upper(),
        "unknown": "0" * 32,
    }
    body = known[token].encode() if isinstance(token, str) else token
    whole = message(Kind.HELLO, body, number, sequence, version)
    expected = Close.TOKEN if version == 1 and len(body) == 32 else Close.MALFORMED
    if expected == Close.TOKEN and body in (own.encode(), other.encode()):
        expected = None
    step = -(-len(whole) // pieces)
    with dial(address) as client:
        client.send([whole[at : at + step] for at in range(0, len(whole), step)])
        if expected is None:
            assert client.recv(LONG) == whole[:8]
            client.send("HELLO" if text else whole)  # neither words nor a second HELLO
            expected = Close.MALFORMED
        assert closed(client) == expected
    for remaining in (own, other):
        sessions.end_session(remaining)
    assert_served(address)


frames = some.tuples(anything, some.sampled_from(["whole", "in pieces", "as text", "twice"]))
sizes = some.integers(MOST_BYTES + 1, MOST_BYTES + 2**19)
large = some.tuples(
    some.builds(lambda size: message(Kind.PICTURES, bytes(size)), sizes), some.sampled_from(["whole", "in pieces"])
)


@settings(max_examples=60, deadline=None)
@given(some.lists(frames | large, min_size=1, max_size=5), some.booleans())
def test_whatever_is_sent_in_whatever_frames_ends_in_a_code_or_an_answer(address, sent, hello):
    with joined(address) if hello else dial(address) as client:
        try:
            for whole, how in sent:
                if how == "in pieces":
                    client.send(
                        [whole[at : at + 1 + len(whole) // 3] for at in range(0, len(whole) or 1, 1 + len(whole) // 3)]
                    )
                else:
                    for _ in range(2 if how == "twice" else 1):
                        client.send(whole.decode("latin-1") if how == "as text" else whole)
            last = message(Kind.PLACE, PLACE, sequence=0xFEDCBA98)
            client.send(last)
            while client.recv(LONG)[:8] != last[:8]:
                pass
            assert hello
        except ConnectionClosed as closing:
            code = Close(closing.rcvd.code)
            assert code in (Close.MALFORMED, Close.MODEL, Close.TOO_LARGE, Close.NOT_A_PLACE)
            assert hello or code in (Close.MALFORMED, Close.TOO_LARGE)
    assert_served(address)


def test_who_has_two_origins_has_none(address):
    own = f"http://{address}"
    for others in (["https://evil.example"], [own], ["null", own]):
        with pytest.raises(InvalidStatus) as refused:
            dial(address, additional_headers=[("Origin", other) for other in others])
        assert refused.value.response.status_code == 400
    assert_served(address)
