"""A number on the wire means one model, for one visitor, for as long as the token lives."""

import shutil
import struct

import pytest

from tests.registry import VECTORS
from tests.served import entry
from vae.app.live import exchange, sessions
from vae.app.live.messages import Close, Kind, Refused
from vae.models import pretrained
from vae.serve.library import library

NAMES = VECTORS


def message(kind: int, number: int, body: bytes = b"") -> bytes:
    return struct.pack("<BBHI", 1, kind, number, 0) + body


def test_a_number_is_given_once_and_kept():
    session = sessions.Session()
    numbers = [session.number(entry(name)) for name in [*NAMES, *NAMES[::-1]]]
    assert numbers == [*range(len(NAMES)), *reversed(range(len(NAMES)))]
    assert [session.entry(number) for number in range(len(NAMES))] == [entry(name) for name in NAMES]


def test_another_visitors_number_or_none_that_a_page_spoke_of_is_refused():
    mine, yours = sessions.Session(), sessions.Session()
    mine.number(entry(NAMES[0]))
    assert yours.number(entry(NAMES[1])) == 0
    assert exchange.parse(message(Kind.INPUT, 0), mine).entry is entry(NAMES[0])
    assert exchange.parse(message(Kind.INPUT, 0), yours).entry is entry(NAMES[1])
    with pytest.raises(Refused) as refusal:
        exchange.parse(message(Kind.INPUT, 1), yours)
    assert refusal.value.code == Close.MODEL


def test_with_the_session_its_own_models_go_and_their_numbers_with_it(tmp_path):
    token = sessions.open_session()
    folder = shutil.copytree(pretrained.PRETRAINED / "mnist-2d", tmp_path / "mine")
    own = library().add(token, folder)
    session = sessions.by_token[token]
    assert session.entry(session.number(own)) is own
    assert own in library().visible(token)
    sessions.end_session(token)
    assert token not in sessions.by_token
    assert own not in library().visible(token)


def test_what_cannot_be_done_with_a_model_is_refused_in_the_words_of_the_pages():
    session = sessions.Session()
    deep = next(name for name in NAMES if entry(name).latents > 2)
    number = session.number(entry(deep))
    with pytest.raises(Refused, match="two latents") as refusal:
        exchange.parse(message(Kind.POSTERIOR, number, bytes(785)), session)
    assert refusal.value.code == Close.MODEL


def test_a_model_that_is_damaged_when_it_is_loaded_closes_its_socket_and_is_no_error_here(tmp_path):
    token = sessions.open_session()
    folder = shutil.copytree(pretrained.PRETRAINED / "mnist-2d", tmp_path / "mine")
    own = library().add(token, folder)
    (folder / "model.safetensors").write_bytes(b"garbage")
    session = sessions.by_token[token]
    session.number(own)
    with pytest.raises(Refused) as refusal:
        exchange.answer_here(token, message(Kind.PLACE, 0, bytes(8)), message(Kind.INPUT, 0))
    assert refusal.value.code == Close.MODEL
    sessions.end_session(token)
