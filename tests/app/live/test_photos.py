"""Photos on the wire: a session's own by its numbers, whole, and nobody else's."""

import struct
from collections.abc import Iterator

import numpy as np
import pytest
import torch

import vae
from tests.registry import MAPS, VECTORS
from tests.served import entry
from vae.app.live import exchange, sessions
from vae.app.live.messages import ASKED, HEADER, LOUDEST, VERSION, Close, Kind, Refused
from vae.latent import maps
from vae.latent.maps import Asked, Photo

NAME = MAPS[0]
MODEL = vae.load_pretrained(NAME)
NOTHING = HEADER.pack(VERSION, Kind.INPUT, 0, 0)


def photo(height: int = 32, width: int = 48, seed: int = 0) -> Photo:
    levels = torch.randint(0, 256, (3, height, width), generator=torch.Generator().manual_seed(seed)).byte()
    return maps.encoded(MODEL, levels)


@pytest.fixture
def token() -> Iterator[str]:
    token = sessions.open_session()
    sessions.by_token[token].number(entry(NAME))
    yield token
    sessions.end_session(token)


def answer(token: str, kind: Kind, body: bytes) -> bytes:
    """The body of the answer, of the kind that was asked."""
    found = exchange.answer_here(token, HEADER.pack(VERSION, kind, 0, 7) + body, NOTHING)
    assert found[1] == kind, found[8:].decode()
    return found[HEADER.size :]


def sentence(token: str, kind: Kind, body: bytes) -> str:
    found = exchange.answer_here(token, HEADER.pack(VERSION, kind, 0, 7) + body, NOTHING)
    assert found[1] == Kind.SENTENCE
    return found[HEADER.size :].decode()


def asked(number: int, other: int = 0, keep: int = 16, noise: float = 0.0, seed: int = 0, share: float = 0.0) -> bytes:
    return ASKED.pack(number, other, keep, noise, seed, share)


def test_a_photo_comes_as_it_is_and_as_the_model_gives_it_back(token):
    session, one, two = sessions.by_token[token], photo(), photo(seed=1)
    first, second = session.keep(one), session.keep(two)
    assert answer(token, Kind.ORIGINAL, struct.pack("<H", first)) == one.levels.numpy().tobytes()
    for told in (Asked(16), Asked(5, 0.5, 9), Asked(16, 0.0, 0, 0.25)):
        other = (two,) if told.share else ()
        found = answer(token, Kind.PHOTO, asked(first, second if other else 0, *told))
        expected = maps.shown(MODEL, told, one, *other)
        assert struct.unpack_from("<ff", found) == pytest.approx((expected.psnr, expected.rate), rel=1e-5)
        assert found[8:] == expected.mean.numpy().tobytes()


def test_a_session_keeps_its_last_photos_and_says_so_of_one_that_is_gone(token):
    session, one = sessions.by_token[token], photo(8, 8)
    numbers = [session.keep(one) for _ in range(sessions.PHOTOS + 2)]
    assert list(session.photos) == numbers[2:]
    for kind, body in ((Kind.PHOTO, asked(numbers[0])), (Kind.ORIGINAL, struct.pack("<H", numbers[0]))):
        assert sentence(token, kind, body) == "This photo is not here any more."


def test_the_names_of_photos_fit_a_message_and_are_used_again_at_last(token):
    session = sessions.by_token[token]
    session.brought = sessions.NUMBERS - 1
    assert [session.keep(photo(8, 8)) for _ in range(2)] == [sessions.NUMBERS, 1]


def test_nobody_sees_anothers_photo(token):
    number = sessions.by_token[token].keep(photo(8, 8))
    stranger = sessions.open_session()
    sessions.by_token[stranger].number(entry(NAME))
    assert sentence(stranger, Kind.ORIGINAL, struct.pack("<H", number)) == "This photo is not here any more."
    sessions.end_session(stranger)


NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (asked(1, keep=0), Close.NOT_A_PLACE),
        (asked(1, keep=17), Close.NOT_A_PLACE),
        *((asked(1, noise=noise), Close.NOT_A_PLACE) for noise in (-0.1, 2 * LOUDEST, NAN, INFINITE)),
        *((asked(1, share=share), Close.NOT_A_PLACE) for share in (-0.1, 1.1, NAN, INFINITE)),
        (asked(1)[:-1], Close.MALFORMED),
        (b"", Close.MALFORMED),
    ],
)
def test_what_cannot_be_shown_is_refused(token, body, code):
    sessions.by_token[token].keep(photo(8, 8))
    with pytest.raises(Refused) as refusal:
        answer(token, Kind.PHOTO, body)
    assert refusal.value.code == code


def test_two_photos_of_two_sizes_are_refused(token):
    session = sessions.by_token[token]
    numbers = session.keep(photo(8, 8)), session.keep(photo(8, 16))
    with pytest.raises(Refused, match="one size"):
        answer(token, Kind.PHOTO, asked(*numbers))


def test_a_model_of_maps_answers_nothing_that_needs_a_place_and_one_of_places_no_photo(token):
    for kind in (Kind.PLACE, Kind.PICTURES, Kind.DRAWING, Kind.NEAR, Kind.DECODING, Kind.REFINE, Kind.EXAMPLE):
        with pytest.raises(Refused) as refusal:
            exchange.parse(HEADER.pack(VERSION, kind, 0, 7), sessions.by_token[token])
        assert refusal.value.code == Close.MODEL
    with pytest.raises(Refused, match="numbers"):
        exchange.parse(HEADER.pack(VERSION, Kind.INPUT, 0, 7) + b"1", sessions.by_token[token])
    digits = sessions.by_token[token].number(entry(VECTORS[0]))
    with pytest.raises(Refused) as refusal:
        exchange.parse(HEADER.pack(VERSION, Kind.PHOTO, digits, 7) + asked(1), sessions.by_token[token])
    assert refusal.value.code == Close.MODEL


def test_a_photo_takes_no_more_memory_than_is_said():
    map_ = torch.empty(16, 128, 128)
    largest = Photo(torch.empty((3, 1024, 1024), dtype=torch.uint8), map_, map_)
    held = largest.levels.numel() + largest.mu.nbytes + largest.sigma.nbytes
    assert held <= 5.5e6
    assert np.prod(largest.levels.shape) <= 2**24  # so that an answer holds it
