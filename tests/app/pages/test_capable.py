"""A page that cannot do something with a model says so in a sentence, and nothing breaks."""

import shutil

import pytest

from tests.app.pages.test_pages import notes, opened
from vae.models import pretrained
from vae.serve import library as module
from vae.serve.capabilities import RULES, Can
from vae.serve.engine import engine
from vae.serve.library import Library

PAGES = ["explore", "latent_map", "interpolate", "reconstruct", "how_it_works"]
CONDITIONAL = "mnist-conditional"


@pytest.fixture
def shelf(tmp_path, monkeypatch) -> None:
    """The pages' models are a flat one, and one that reads no picture without its class."""
    shutil.copytree(pretrained.PRETRAINED / "mnist", tmp_path / "mnist")
    shutil.copytree(pretrained.PRETRAINED / "chapters" / CONDITIONAL, tmp_path / CONDITIONAL)
    monkeypatch.setattr(pretrained, "PRETRAINED", tmp_path)
    here = Library(engine())
    monkeypatch.setattr(module, "_library", lambda: here)


@pytest.mark.parametrize("page", PAGES)
def test_the_page_says_the_sentence(shelf, page):
    app = opened(CONDITIONAL, f"vae/app/pages/{page}.py", x="i7", z="0,0")
    assert [one.value for one in app.info] == [RULES[Can.READ].lack]
    assert not [one for one in app.main.get("bidi_component") if one.key != "page"]


def test_models_shows_it_without_draws(shelf):
    app = opened(CONDITIONAL, "vae/app/pages/models.py")
    assert RULES[Can.READ].lack in notes(app)
    assert any(one.key == f"use.{CONDITIONAL}" for one in app.button)


def test_another_model_can_be_chosen_there(shelf):
    app = opened(CONDITIONAL)
    app.sidebar.selectbox(key="model").set_value("mnist").run()
    assert not app.exception
    assert not app.info
    assert app.query_params["model"] == "mnist"
