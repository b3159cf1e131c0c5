"""What the URL decides in a session, and when it is read."""

from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from vae.app.session import link


@pytest.fixture
def visit(monkeypatch):
    """A session's state and a URL without a server; `back` is whether the visitor came by Back or Forward."""
    visit = SimpleNamespace(state={}, back=False, query=AppTest.from_function(lambda: None).query_params)
    written = []
    query = SimpleNamespace(to_dict=lambda: dict(visit.query), from_dict=lambda values: written.append(values))
    visit.written = written
    monkeypatch.setattr(link.st, "session_state", visit.state)
    monkeypatch.setattr(link.st, "query_params", query)
    monkeypatch.setattr(link, "get_script_run_ctx", lambda: SimpleNamespace(is_history_navigation=visit.back))
    return visit


def test_a_link_is_read_at_the_first_run_and_then_only_after_back_or_forward(visit):
    visit.query = {"model": "a", "z": "1,2"}
    link.read()
    assert (link.asked("model"), link.asked("z"), link.asked("x"), link.turn()) == ("a", "1,2", "", 1)
    visit.query = {"model": "b"}
    link.read()
    assert (link.asked("model"), link.turn()) == ("a", 1)
    visit.back = True
    link.read()
    assert (link.asked("model"), link.turn()) == ("b", 2)


def test_going_back_forgets_what_the_address_decides_and_nothing_else(visit):
    visit.state |= {"link": {}, "model": "a", "z.a": [1], "own": "upload", "input.mnist": "i1", "seed": 3}
    visit.state |= {"journey.at.two": [0.5], "upload": (1, b""), "source": "Draw"}
    visit.query, visit.back = {"model": "b", "x": "i7"}, True
    link.read()
    assert set(visit.state) == {"link", "link.turn", "z.a", "seed", "journey.at.two", "upload", "source"}
    visit.query = {"z": "3", "at": "0.1", "seed": "4", "strange": "?"}
    link.read()
    assert set(visit.state) == {"link", "link.turn", "upload", "source"}


def test_going_back_to_an_address_with_a_place_and_no_kept_sliders_has_none_of_that_model_and_leaves_anothers(visit):
    visit.state |= {"link": {}, "yours.a": [1], "yours.b": [2], "measured.a": {1: 1}}
    visit.query, visit.back = {"model": "a", "x": "i7"}, True  # of a page that says none of any
    link.read()
    assert "yours.a" in visit.state
    visit.query = {"model": "a", "z": "1"}
    link.read()
    assert set(visit.state) == {"link", "link.turn", "yours.b", "measured.a"}


def test_what_a_link_says_of_another_model_is_not_said_of_this_one(visit):
    visit.query = {"model": "a", "z": "1,2"}
    link.read()
    assert (link.asked("z", "a"), link.asked("z", "b")) == ("1,2", "")
    link.forget("z")
    assert link.asked("z", "a") == ""
    visit.query, visit.back = {"z": "5"}, True
    link.read()
    assert link.asked("z", "b") == "5"


def test_the_url_is_written_only_where_it_changes(visit):
    visit.query = {"model": "a"}
    link.write({"model": "a"})
    assert visit.written == []
    link.write({"model": "a", "x": "i7"})
    assert visit.written == [{"model": "a", "x": "i7"}]
