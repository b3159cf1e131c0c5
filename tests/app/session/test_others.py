"""The same picture through another model: prepared for each once, and never as another model has it."""

import pytest

from tests.app.pages.test_pages import RECONSTRUCT, checked, notes, opened, plain_png, uploaded
from vae.app.session import inputs


@pytest.fixture
def prepared(monkeypatch) -> list:
    """The specs that a file was prepared for, one after the other."""
    specs, prepare = [], inputs.prepare

    def counted(data, spec, *more, **named):
        specs.append(spec)
        return prepare(data, spec, *more, **named)

    monkeypatch.setattr(inputs, "prepare", counted)
    return specs


def test_a_picture_is_prepared_for_another_model_once_somebody_asks_and_then_once(prepared):
    app = opened("mnist", RECONSTRUCT)
    uploaded(app, plain_png())
    prepared.clear()
    checked(app.run())
    assert prepared == []
    app.session_state["compare"] = True
    app.session_state["compare.with"] = "fashion"
    checked(app.run())
    checked(app.run())
    assert len(prepared) == 1


def test_a_picture_that_the_other_model_cannot_prepare_is_not_shown_as_its_own(monkeypatch):
    app = opened("mnist", RECONSTRUCT)
    uploaded(app, plain_png())
    find = inputs.find
    monkeypatch.setattr(
        inputs, "find", lambda entry, picture: None if entry.name == "fashion" else find(entry, picture)
    )
    app.session_state["compare"] = True
    app.session_state["compare.with"] = "fashion"
    checked(app.run())
    assert any("cannot be prepared for" in note for note in notes(app))
    assert not any("x-fashion" in element.proto.body for element in app.get("html"))
