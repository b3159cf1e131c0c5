"""A training that has begun, on its page: what is said of it, and what belongs to whom."""

from types import SimpleNamespace

import pytest

from tests import own_pictures
from tests.app.pages.conftest import PAGE
from tests.app.pages.test_pages import checked, opened, turned
from tests.app.pages.test_train import given, notes, warnings
from tests.data.own.uploads import photos
from vae.app.session import kept, mine
from vae.app.train import watched
from vae.serve.jobs import asked
from vae.serve.jobs.asked import Stand


@pytest.mark.parametrize(
    ("stand", "says", "never"),
    [
        (Stand.TRAINING, "the training goes on", "download"),
        (Stand.STOPPED, "leads back to it", "goes on"),
        (Stand.DONE, "To keep it for longer, download it", "goes on"),
    ],
)
def test_how_one_comes_back_to_a_training_is_said_as_it_is(app, held, stand, says, never):
    given(app, photos(20))
    assert "when nobody has used it for 7 days" in notes(opened(page=PAGE))
    checked(app.button(key="train.go").click().run())
    (one,) = held._all()
    held._set(one.key, stand=stand)
    body = notes(checked(app.run()))
    assert says in body
    assert never not in body
    assert "until nobody has used it for 7 days" in body


def test_of_what_a_tab_tells_only_trainings_that_are_there_are_believed(app, held, monkeypatch):
    given(app, photos(20))
    checked(app.button(key="train.go").click().run())
    (one,) = held._all()
    for told in ([one.key, "mine-" + "0" * 32, "mnist", 7, None, [one.key]], None, {"a": 1}, "mine-"):
        state = {"page": {"trainings": told}}
        monkeypatch.setattr(mine, "st", SimpleNamespace(session_state=state))
        mine.told()
        assert mine.is_told()
        assert mine.known() == ([one.key] if isinstance(told, list) else [])


def test_what_is_wished_of_a_training_that_somebody_has_deleted_changes_nothing(app, held, monkeypatch):
    given(app, photos(20))
    checked(app.button(key="train.go").click().run())
    (one,) = held._all()
    wish = {"pause": True, "steps": 0, "slow": False, "stop": False}
    monkeypatch.setattr(watched, "st", SimpleNamespace(session_state={"watching": {"wish": wish}}))
    watched.wished(one.key)
    assert asked.wish(held.folder(one.key)).pause
    held.end(one.key)
    watched.wished(one.key)
    assert held._all() == []


def test_only_a_picture_that_was_held_out_is_called_one_of_the_test(held):
    found = own_pictures.some(40)
    held_out = found.tested + found.validated
    assert kept.called(found.name, held_out - 1).startswith(f"test picture {held_out - 1}")
    assert kept.called(found.name, held_out).startswith(f"picture {held_out}, which it learned from")
    assert kept.called("mnist", 9000).startswith("test picture 9000")


def test_a_network_that_is_lost_or_too_large_costs_a_sentence_on_every_page(app, held):
    given(app, photos(20))
    checked(app.button(key="train.go").click().run())
    (one,) = held._all()
    held._set(one.key, stand=Stand.DONE)
    checked(app.run())
    for page in (PAGE, "vae/app/pages/explore.py"):
        (warning,) = warnings(turned(app, page))
        assert warning.startswith("A network of yours cannot be opened: the card its folder")
        assert str(held.root) not in warning
