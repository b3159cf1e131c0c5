"""A damaged model costs that model: the others are served, and what is wrong is said in one sentence."""

import contextlib
import json
import logging
import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from streamlit.testing.v1 import AppTest

from vae.models import checkpoint, pretrained
from vae.models.checkpoint import config_from_json
from vae.serve import library as module
from vae.serve.asked import PICTURES
from vae.serve.engine import engine
from vae.serve.library import Library

GOOD, BAD = "mnist", "mnist-2d"


@pytest.fixture
def shelf(tmp_path, monkeypatch) -> Path:
    """A pretrained/ of two models, the second to be damaged."""
    for name in (GOOD, BAD):
        shutil.copytree(pretrained.PRETRAINED / name, tmp_path / name)
    shutil.copytree(pretrained.PRETRAINED / "chapters" / "mnist-ae", tmp_path / "chapters" / "mnist-ae")
    monkeypatch.setattr(pretrained, "PRETRAINED", tmp_path)
    return tmp_path


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def garbage(path: Path) -> None:
    path.write_bytes(b"\xff\xfe garbage")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def gone(path: Path) -> None:
    path.unlink()


def deep(path: Path) -> None:
    path.write_text("[" * 100_000)


def not_numbers(path: Path) -> None:
    tensors = load_file(path)
    tensors[min(tensors)].view(-1)[0] = torch.nan
    with checkpoint.safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    save_file(tensors, path, metadata=metadata)


def without_numbers(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"numbers": {"reconstruction": {}}}))


def of_no_data(path: Path) -> None:
    card = json.loads(path.read_text())
    path.write_text(json.dumps(card | {"data": card["data"] | {"name": "celeba"}}))


def of_another(path: Path) -> None:
    shutil.copy(path.parent.parent / GOOD / path.name, path)


DAMAGES = [
    *(("model.safetensors", how) for how in (truncated, garbage, empty, not_numbers, of_another)),
    *(("card.json", how) for how in (truncated, garbage, empty, deep, without_numbers, of_no_data, of_another)),
    *(("encodings.safetensors", how) for how in (truncated, garbage, empty, gone, not_numbers, of_another)),
    *(("judge.safetensors", how) for how in (truncated, garbage, empty, not_numbers)),
]
EACH = pytest.mark.parametrize(("file", "how"), DAMAGES, ids=[f"{file}, {how.__name__}" for file, how in DAMAGES])


@EACH
def test_a_damaged_model_is_one_line_of_the_log_and_the_others_are_served(shelf, caplog, file, how):
    how(shelf / BAD / file)
    with caplog.at_level(logging.WARNING):
        library = Library(engine())
        for entry in library.visible():  # some damage shows when the model is loaded
            with contextlib.suppress(ValueError):
                library.lease(entry)
    assert [entry.name for entry in library.visible()] == [GOOD]
    assert list(library.broken) == [BAD]
    (line,) = (record for record in caplog.records if record.name == "vae.serve.library")
    assert BAD in line.getMessage()
    assert "\n" not in line.getMessage()
    assert line.exc_info is None
    with pytest.raises(ValueError, match=re.escape(library.broken[BAD])):
        library.find(BAD)
    assert engine().answer(PICTURES, library.lease(library.find(GOOD)), torch.zeros(1, 24)).isfinite().all()


def served(monkeypatch) -> None:
    """The models of the shelf, for the pages."""
    library = Library(engine())
    monkeypatch.setattr(module, "_library", lambda: library)


PAGES = ["explore", "latent_map", "interpolate", "reconstruct", "how_it_works", "models"]


@pytest.fixture
def pages(monkeypatch):
    """Runs a page with nothing cached of other tests' models."""
    import streamlit as st

    st.cache_data.clear()
    st.cache_resource.clear()
    yield lambda page, **query: opened(page, **query)
    st.cache_data.clear()
    st.cache_resource.clear()


def opened(page: str, **query: str) -> AppTest:
    app = AppTest.from_file("../../streamlit_app.py", default_timeout=60)
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    if page != "explore":
        app.switch_page(f"vae/app/pages/{page}.py").run()
    assert not app.exception, app.exception[0].value
    return app


def test_every_page_opens_beside_a_damaged_model_and_models_says_what_is_wrong(shelf, monkeypatch, pages):
    truncated(shelf / BAD / "model.safetensors")
    (shelf / GOOD / "thumbnails.png").unlink()
    served(monkeypatch)
    for page in PAGES:
        app = pages(page)
        if page == "models":
            assert any(BAD in one.value for one in app.warning)
            (said,) = (one.value for one in app.code if "not a readable safetensors file" in one.value)
            assert said.startswith(f"pretrained/{BAD}/")
            assert str(shelf) not in said


def test_without_any_model_every_page_says_how_to_train_one(shelf, monkeypatch, pages):
    for name in (GOOD, BAD):
        shutil.rmtree(shelf / name)
    served(monkeypatch)
    for page in PAGES:
        app = pages(page)
        assert any("python -m vae.train mnist" in one.value for one in app.code)


@pytest.mark.parametrize("how", [truncated, garbage])
@pytest.mark.parametrize("file", ["model.safetensors", "card.json"])
def test_a_chapter_whose_model_is_damaged_says_so(shelf, monkeypatch, pages, file, how):
    how(shelf / "chapters" / "mnist-ae" / file)
    served(monkeypatch)
    app = pages("how_it_works", chapter="autoencoder", model=GOOD)
    assert any("mnist-ae" in one.value for one in app.info)


def test_a_configuration_of_a_hundred_thousand_brackets_is_refused():
    with pytest.raises(ValueError, match="not a model configuration"):
        config_from_json("[" * 100_000)


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    shutil.copytree(pretrained.PRETRAINED / BAD, tmp_path / BAD)
    not_numbers(tmp_path / BAD / "model.safetensors")
    with pytest.raises(ValueError, match="not all numbers"):
        checkpoint.load(tmp_path / BAD / "model.safetensors")


@pytest.mark.parametrize("page", PAGES)
def test_a_model_whose_damage_shows_when_it_is_loaded_makes_room_for_another(shelf, monkeypatch, pages, page):
    not_numbers(shelf / BAD / "model.safetensors")
    served(monkeypatch)
    app = pages(page, model=BAD)
    assert app.session_state["model"] == GOOD
    assert any(BAD in one.value for one in app.warning) or page != "explore"
