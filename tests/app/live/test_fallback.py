"""The live protocol answered by a page's script, for a browser whose socket is away."""

import asyncio
import base64
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from tests.app.live.test_sockets import (
    EVERY_MODEL,
    LATENTS,
    PIXELS,
    PLACE,
    assert_pictures,
    assert_place,
    example_of,
    message,
    model,
    opened,
    random_places,
)
from vae.app.live import exchange, sessions, wire
from vae.app.live.messages import Close, Kind, Refused


@pytest.fixture
def token():
    token = opened()
    yield token
    sessions.end_session(token)


@EVERY_MODEL
def test_a_place_is_that_of_a_direct_call_with_an_input_and_without(token, number):
    z, x = random_places(number, 1), example_of(number)
    for about in (x, None):
        given = message(Kind.INPUT, b"" if about is None else about, number)
        found = exchange.answer_here(token, message(Kind.PLACE, z, number), given)
        assert found[:8] == message(Kind.PLACE, b"", number)
        assert_place(found[8:], z, about, number)


def test_many_pictures_a_drawing_and_an_empty_one_are_answered_too(token):
    z, given = random_places(0, 70), message(Kind.INPUT, b"")
    found = exchange.answer_here(token, message(Kind.PICTURES, z), given)
    assert_pictures(found[8:], model(0).decode(z).mean.detach(), within=2.6)
    canvas = np.zeros((140, 140), np.uint8)
    assert exchange.answer_here(token, message(Kind.DRAWING, canvas), given)[1] == Kind.SENTENCE
    canvas[30:110, 60:76] = 255
    found = exchange.answer_here(token, message(Kind.DRAWING, canvas), given)
    assert len(found) == 8 + 4 * (2 + 3 * LATENTS[0]) + 3 * PIXELS


@pytest.mark.parametrize(
    ("asked", "given", "code"),
    [
        (message(Kind.PLACE, PLACE), message(Kind.PLACE, PLACE), Close.MALFORMED),
        (message(Kind.INPUT, b""), message(Kind.INPUT, b""), Close.MALFORMED),
        (message(Kind.PLACE, PLACE), message(Kind.INPUT, b"", 1), Close.MALFORMED),
        (message(Kind.HELLO, b"0" * 32), message(Kind.INPUT, b""), Close.MALFORMED),
        (message(Kind.PLACE, PLACE * float("nan")), message(Kind.INPUT, b""), Close.NOT_A_PLACE),
        (message(Kind.PLACE, PLACE, 99), message(Kind.INPUT, b"", 99), Close.MODEL),
        (b"", b"", Close.MALFORMED),
    ],
    ids=["no-input", "no-question", "two-models", "hello", "nan", "model", "nothing"],
)
def test_what_a_socket_would_not_take_is_refused_here(token, asked, given, code):
    with pytest.raises(Refused) as refusal:
        exchange.answer_here(token, asked, given)
    assert refusal.value.code == code


def test_who_asks_from_within_an_event_loop_is_answered_too(token):
    async def ask() -> bytes:
        return exchange.answer_here(token, message(Kind.PLACE, PLACE), message(Kind.INPUT, b""))

    with ThreadPoolExecutor(1) as elsewhere:  # this thread's loop may be Playwright's
        assert_place(elsewhere.submit(lambda: asyncio.run(ask())).result()[8:], PLACE)


def test_questions_use_up_what_the_session_may_ask(token, monkeypatch):
    monkeypatch.setattr(sessions, "RATE", 0.0)
    sessions.by_token[token].allowance = 1.5
    given = message(Kind.INPUT, b"")
    exchange.answer_here(token, message(Kind.PLACE, PLACE), given)
    with pytest.raises(Refused) as refusal:
        exchange.answer_here(token, message(Kind.PLACE, PLACE), given)
    assert refusal.value.code == Close.TOO_MANY


@pytest.mark.parametrize(
    "question",
    [
        {"n": "1", "message": "%%%", "input": ""},
        {"n": "1", "message": base64.b64encode(b"words").decode(), "input": ""},
        {"n": "1"},
        {"n": ["1"], "message": 5, "input": None},
    ],
)
def test_a_question_that_means_nothing_gets_an_empty_answer(token, monkeypatch, question):
    state = {"it": {"question": question}}
    monkeypatch.setattr("vae.app.session.picker.st.session_state", state)
    monkeypatch.setattr(wire, "live_token", lambda: token)
    wire.answer("it")
    assert state["it.heard"] == {"n": str(question["n"]), "message": ""}


def test_an_answer_is_kept_until_the_browser_has_its_socket_again(token, monkeypatch):
    z = torch.zeros(1, LATENTS[0])
    parts = {"message": message(Kind.PLACE, z), "input": message(Kind.INPUT, b"")}
    said = {"n": "7"} | {name: base64.b64encode(part).decode() for name, part in parts.items()}
    state = {"it": {"question": said}}
    monkeypatch.setattr("vae.app.session.picker.st.session_state", state)
    monkeypatch.setattr(wire, "live_token", lambda: token)
    wire.answer("it")
    assert state["it.heard"]["n"] == "7"
    assert_place(base64.b64decode(state["it.heard"]["message"])[8:], z)
    state["it"] = {"question": None}
    wire.answer("it")
    assert "it.heard" not in state
