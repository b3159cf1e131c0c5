"""Directions kept on the latent map: what Explore and the link are told of them, and what cannot be kept."""

import base64
import unicodedata

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from tests.app.pages.test_latent_map import DEEP, FLAT, NAMES, dataset, of_class, told
from tests.app.pages.test_latent_map import opened as on_the_map
from tests.app.pages.test_pages import EXPLORE, checked, explorer, notes, opened, turned
from tests.served import entry, loaded
from vae import data, latent
from vae.app.look import named
from vae.app.session.places import yours
from vae.latent.directions import halves
from vae.latent.named import Kept, Measured, deviation, moves
from vae.latent.named import kept as kept_of
from vae.latent.named.kept import LETTERS, MOST, parse
from vae.latent.named.reading import LEAST, reading
from vae.models import pretrained


def keep(app: AppTest, written: str | None = None) -> AppTest:
    """Press the button, after another name was written."""
    if written is not None:
        app.text_input(key="map.name").set_value(written)
    return checked(app.button(key="map.keep").click().run())


def compared(name: str, a: str, b: str, **state: object) -> AppTest:
    app = on_the_map(name, **state)
    app.selectbox(key="map.a").set_value(a)
    return checked(app.selectbox(key="map.b").set_value(b).run())


def classes(name: str) -> tuple[str, str]:
    names = list(data.groups(dataset(name).name))
    return names[3], names[8]


def linked(app: AppTest) -> str:
    """What the address says of them."""
    found = app.query_params["yours"]
    return found[0] if isinstance(found, list) else found


def rows(app: AppTest) -> list[dict]:
    """What Explore is told of them."""
    return explorer(turned(app, EXPLORE))["named"]["yours"]


@pytest.mark.parametrize("name", NAMES)
def test_a_kept_direction_is_a_slider_whose_step_and_reading_are_the_librarys(name):
    a, b = classes(name)
    app = keep(compared(name, a, b))
    (row,) = rows(app)
    mu, groups = pretrained.load_encodings(name)[0], data.groups(dataset(name).name)
    step = deviation(mu, latent.attribute(mu, groups[a], groups[b]).direction)
    assert row["words"] == f"{a} − {b}"[:LETTERS].strip()
    assert row["step"] == pytest.approx(step.tolist(), abs=float(step.abs().max()) / 127 / 2 + 1e-6)
    assert (row["most"], row["unit"]) == (3, "standard deviations")
    expected = reading(loaded(name).model, mu, halves(groups[a], groups[b]))
    levels = np.frombuffer(base64.b64decode(row["reading"]["weights"]), np.int8)
    scale = row["reading"]["scale"]
    np.testing.assert_allclose(levels * scale, expected.weights, atol=scale * 0.51)
    assert row["reading"]["offset"] == pytest.approx(expected.offset)
    assert row["short"].startswith(f"more like {a} than {b}, AUC {expected.auc:.2f}")


def test_what_else_moves_is_said_of_one_standard_deviation():
    app = keep(compared(DEEP, *classes(DEEP)))
    one, found = app.session_state[f"yours.{DEEP}"][0], app.session_state[f"measured.{DEEP}"]
    moved = moves(loaded(DEEP).model, loaded(DEEP).company, one.step)
    assert found[one].moved == pytest.approx(moved)
    (row,) = rows(app)
    for word, change in moved.items():
        said = f"{word} {change:+.1f}".replace("-", "−")
        assert (said in row["sure"]) == (abs(change) >= named.SEEN)


def test_both_pages_have_it_in_their_link_and_another_visitor_has_the_same_slider_without_its_measure():
    app = keep(compared(DEEP, *classes(DEEP)), "mine")
    said = linked(app)
    (mine,) = rows(app)
    assert linked(app) == said
    other = opened(DEEP, yours=said)
    (theirs,) = explorer(other)["named"]["yours"]
    assert not other.warning
    assert (theirs["words"], theirs["step"]) == ("mine", mine["step"])
    assert "reading" in mine
    assert "reading" not in theirs
    assert theirs["short"] == "from a link: not measured"
    there = turned(other, "vae/app/pages/latent_map.py")
    checked(there.selectbox(key="map.a").set_value(classes(DEEP)[0]).run())
    assert any(f"1 of {MOST} sliders kept" in note for note in notes(there))


def test_a_link_to_one_model_gives_another_none():
    app = keep(compared(DEEP, *classes(DEEP)))
    said = linked(app)
    other = opened(DEEP, yours=said)
    checked(other.sidebar.selectbox(key="model").set_value(FLAT).run())
    assert explorer(other)["named"]["yours"] == []
    assert not other.warning
    checked(other.sidebar.selectbox(key="model").set_value(DEEP).run())
    assert len(explorer(other)["named"]["yours"]) == 1


def test_the_same_name_replaces_and_a_seventh_is_one_sentence():
    first, second = classes(FLAT)
    app = compared(FLAT, first, second)
    for name in "abcdef":
        keep(app, name)
    before = app.session_state[f"yours.{FLAT}"]
    assert [one.name for one in before] == list("abcdef")
    keep(app, "g")
    assert [error.value for error in app.error] == [
        f"{MOST} sliders are kept for this network, which is all that there is room for: drop one on Explore."
    ]
    assert app.session_state[f"yours.{FLAT}"] == before
    app.selectbox(key="map.a").set_value(second)
    checked(app.selectbox(key="map.b").set_value(first).run())
    keep(app, "b")
    assert not app.error
    after = app.session_state[f"yours.{FLAT}"]
    assert [one.name for one in after] == list("abcdef")
    assert after[1].step == pytest.approx(-before[1].step, abs=0.2)
    assert after[:1] + after[2:] == before[:1] + before[2:]
    assert set(app.session_state[f"measured.{FLAT}"]) == {*before, *after}


ODD = ["<img src=x onerror=alert(1)>", "**b** [x](http://x)", "\u202egnihton\u202c", "\x00a\nb", "", "   ", "🙂" * 30]


@pytest.mark.parametrize("written", ODD, ids=range(len(ODD)))
def test_any_text_can_be_a_name_and_reaches_explore_as_one_line_of_text(written):
    app = keep(compared(FLAT, *classes(FLAT)), written)
    (row,) = rows(app)
    assert 1 <= len(row["words"]) <= LETTERS
    assert not any(unicodedata.category(letter)[0] == "C" for letter in row["words"])
    if not written.strip():
        assert row["words"] == " − ".join(classes(FLAT))[:LETTERS].strip()
    said = linked(app)
    assert parse(said, 2)[0].name == row["words"]


def test_groups_too_small_to_be_read_give_a_slider_that_says_so():
    key = f"{dataset(DEEP).name}.kept"
    few = of_class(DEEP, 1)[: LEAST - 1].tolist()
    app = keep(compared(DEEP, f"selection A ({LEAST - 1})", classes(DEEP)[1], **{key: {"A": few}}))
    (row,) = rows(app)
    assert "reading" not in row
    assert row["short"].startswith("too few pictures to measure")


def test_groups_that_do_not_look_different_give_a_slider_that_says_so():
    key = f"{dataset(DEEP).name}.kept"
    same = of_class(DEEP, 1)
    groups = {"A": same[:200:2].tolist(), "B": same[1:200:2].tolist()}
    app = keep(compared(DEEP, "selection A (100)", "selection B (100)", **{key: groups}))
    (row,) = rows(app)
    assert "reading" not in row
    assert "not measured" in row["short"]
    assert "do not tell the groups apart" in row["sure"]


def test_a_model_without_directions_of_its_own_has_those_that_were_kept(monkeypatch):
    monkeypatch.setattr(loaded(DEEP), "named", None)
    app = opened(DEEP)
    assert explorer(app)["named"] is None
    app.session_state[f"yours.{DEEP}"] = [Kept.of("mine", torch.ones(24))]
    found = explorer(checked(app.run()))["named"]
    assert (found["rows"], found["classes"], [row["words"] for row in found["yours"]]) == ([], [], ["mine"])


def test_a_dropped_one_is_in_neither_session_nor_link(monkeypatch):
    kept, found = [Kept.of(name, torch.ones(2)) for name in "ab"], Measured("0", "1", None, {})
    state = {f"yours.{FLAT}": kept, f"measured.{FLAT}": dict.fromkeys(kept, found)}
    monkeypatch.setattr("vae.app.session.places.yours.st.session_state", state)
    for nothing in (None, "c", ["a"], {"a": 1}, 0):
        yours.drop(entry(FLAT), nothing)
        assert yours.current(entry(FLAT)) == kept
    yours.drop(entry(FLAT), "a")
    assert yours.current(entry(FLAT)) == kept[1:]
    assert yours.with_measures(entry(FLAT)) == [(kept[1], found)]
    assert list(state[f"measured.{FLAT}"]) == kept  # for when the visitor goes back
    yours.drop(entry(FLAT), "b")
    assert yours.said(entry(FLAT)) == {}


def test_what_the_link_has_no_room_for_is_said_on_both_pages(monkeypatch):
    monkeypatch.setattr(kept_of, "ROOM", 80)
    many = [Kept.of(letter * 20, torch.ones(24)) for letter in "abc"]
    app = on_the_map(DEEP, **{f"yours.{DEEP}": many})
    checked(app.selectbox(key="map.a").set_value(classes(DEEP)[0]).run())
    sentence = "The address has room for 1 of your 3 sliders: a link to this page lacks the others."
    for each in (app, turned(app, EXPLORE)):
        assert sentence in notes(each)
        assert parse(linked(each), 24) == many[:1]


def test_nothing_is_offered_to_be_kept_before_two_groups_are_compared():
    app = on_the_map(FLAT)
    assert not [one for one in app.button if one.key == "map.keep"]
    assert told(app)["direction"] is None
