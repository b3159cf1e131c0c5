"""A model of one's own pictures: from its run to its shelf, measured, loaded by name and listed by the app, apart from
the lab's."""

import json
from pathlib import Path

import pytest
import torch

import vae
from tests.train.ones_own import PLAIN, TINY, folder, handlers
from vae.data import own
from vae.evaluate.__main__ import main
from vae.models import checkpoint, pretrained
from vae.serve.entry import PAGES
from vae.serve.library import read
from vae.train.command import main as train


@pytest.fixture(scope="module")
def shelf(tmp_path_factory, digits) -> Path:
    """Where a model "mine" of 60 digits lies, of a run in run/ beside it."""
    root = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch, handlers():
        patch.setenv("VAE_LAB_MODELS", str(root / "models"))
        words = ("--data", str(folder(root / "pictures", digits)), "--name", "mine", "--out", str(root / "run"))
        assert train([*words, *TINY, *PLAIN, "--device", "cpu"]) == 0
        assert main(["mine", "--run", str(root / "run"), "--pictures", "4"]) == 0
    return root / "models"


@pytest.fixture
def here(shelf, monkeypatch) -> Path:
    monkeypatch.setenv("VAE_LAB_MODELS", str(shelf))
    return shelf / "mine"


def test_it_is_loaded_by_its_name_and_is_none_of_the_labs(here):
    assert vae.list_own() == ["mine"]
    assert "mine" not in vae.list_pretrained()
    model, best = vae.load_pretrained("mine", "cpu"), vae.load(here.parent.parent / "run", "cpu")
    for name, tensor in best.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor.half().float())
    mu, sigma = pretrained.load_encodings("mine")
    assert mu.shape == sigma.shape == (60, 2)


def test_its_card_is_of_the_pictures_that_were_held_out(here):
    card = pretrained.load_card("mine")
    assert (card["test"]["pictures"], card["data"]["title"]) == (6, "mine")
    assert card["command"] == "python -m vae.evaluate mine"
    assert card["numbers"]["negative_iw"]["pictures"] == 4
    assert card["training"]["kept_step"] <= 60


def test_it_takes_its_pictures_along_and_the_library_reads_them(here):
    entry = read(here, PAGES)
    mine = own.load(here / own.FILE)
    assert (entry.name, entry.dataset, entry.words) == ("mine", mine, "“mine”, 2 numbers")
    assert len(mine.pictures.labels) == 60


def test_it_is_measured_again_from_where_it_lies(here, capsys):
    before = json.loads((here / pretrained.CARD).read_text())
    assert main(["mine", "--pictures", "4"]) == 0
    assert json.loads((here / pretrained.CARD).read_text()) == before
    assert main(["mine", "--directions"]) == 0
    assert main(["mine", "--judge"]) == 1
    assert capsys.readouterr().err == "a judge needs 20 held-out pictures, and there are 9\n"


@pytest.mark.parametrize("name", ["mnist", "mnist-ladder", "../mine", ""])
def test_a_name_of_the_labs_or_that_is_none_is_refused(here, name, capsys):
    weights = pretrained.PRETRAINED / "mnist" / checkpoint.WEIGHTS
    before = weights.read_bytes()
    assert main([name, "--run", str(here.parent.parent / "run")]) == 1
    assert capsys.readouterr().err == f"a model of your own cannot be called {name!r}: choose another name\n"
    assert weights.read_bytes() == before


def test_an_unknown_name_is_answered_with_those_that_there_are(here):
    with pytest.raises(ValueError, match=r"portraits, mine$"):
        vae.load_pretrained("yours")


def test_the_shelf_is_in_the_cache_unless_it_is_moved(monkeypatch, tmp_path):
    monkeypatch.delenv("VAE_LAB_MODELS")
    monkeypatch.setenv("VAE_LAB_CACHE", str(tmp_path))
    assert pretrained.own_shelf() == tmp_path / "models"
    assert vae.list_own() == []
    hidden = tmp_path / "models" / "mnist"
    hidden.mkdir(parents=True)
    for name in (pretrained.CARD, checkpoint.WEIGHTS):
        (hidden / name).touch()
    assert vae.list_own() == []  # the lab's own comes first
