"""The chapter on autoencoders: what the page sends, against the models themselves."""

import base64

import numpy as np
import pytest
import torch

from tests.app.pages.test_pages import HOW_IT_WORKS, explorer, notes, opened
from tests.registry import VECTORS
from vae import data
from vae.app.chapters import autoencoder as chapter
from vae.models import pretrained
from vae.train.recipes import RECIPES

NAMES = [name for name in VECTORS if f"{name}-ae" in RECIPES]
ALONE = [name for name in VECTORS if name not in NAMES]  # without a plain autoencoder of the same network


def floats(text: str) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), "<f4").copy()).view(-1, 2)


def pictures(text: str) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), np.uint8).copy()).view(-1, 1, 28, 28)


@pytest.mark.parametrize("name", NAMES)
def test_both_models_decode_the_same_z_and_the_pictures_below_are_the_nearest(name):
    sent = explorer(opened(name, HOW_IT_WORKS, chapter="autoencoder"))
    latents = pretrained.load_card(name)["latents"]
    z = torch.randn(8, latents, generator=torch.Generator().manual_seed(0))
    dataset = pretrained.load_card(name)["data"]["name"]
    test = data.load(dataset, "test").images
    for side, key in zip(sent["sides"], (f"{name}-ae", name), strict=True):
        decoded = pretrained.load_pretrained(key).decode(z).mean
        assert (pictures(side["samples"]).int() - decoded.mul(255).round().int()).abs().max() <= 1
        away = torch.cdist(decoded.flatten(1), data.grey(test).flatten(1))
        assert torch.equal(pictures(side["nearest"]), test[away.argmin(1)])
        assert side["distances"] == pytest.approx(away.amin(1).tolist(), abs=0.02)


def test_what_all_see_who_open_the_chapter_is_computed_for_the_first(monkeypatch):
    opened("mnist", HOW_IT_WORKS, chapter="autoencoder", pair="mnist")
    monkeypatch.setattr(chapter, "scene", lambda *arguments: pytest.fail("computed again"))
    monkeypatch.setattr(chapter, "passed", lambda *arguments: pytest.fail("computed again"))
    sent = explorer(opened("mnist", HOW_IT_WORKS, chapter="autoencoder", pair="mnist"))
    assert [side["title"] for side in sent["sides"]] == ["Autoencoder", "VAE"]


def test_the_pair_is_the_plainest_at_first_then_what_the_link_or_the_picker_says():
    page = opened(None, HOW_IT_WORKS, chapter="autoencoder")
    assert explorer(page)["rev"].split()[0] == "fashion"
    assert page.selectbox[0].value == "mnist"
    page.selectbox[0].set_value("mnist-2d").run()
    assert explorer(page)["rev"].split()[0] == "mnist-2d"
    assert page.query_params["pair"] in ("mnist-2d", ["mnist-2d"])
    linked = opened("mnist", HOW_IT_WORKS, chapter="autoencoder", pair="fashion-2d")
    assert explorer(linked)["rev"].split()[0] == "fashion-2d"
    lost = opened("mnist", HOW_IT_WORKS, chapter="autoencoder", pair="zzz")
    assert explorer(lost)["rev"].split()[0] == "mnist"
    assert [warning.value for warning in lost.warning] == [
        "The link asks for a pair of models that there is not; this is another."
    ]


@pytest.mark.parametrize("name", ALONE)
def test_a_model_without_a_twin_is_no_pair_and_the_page_says_whose_pair_it_shows(name):
    page = opened(name, HOW_IT_WORKS, chapter="autoencoder")
    (pills,) = (one for one in page.button_group if one.key == "twins.pair")
    assert len(pills.options) == len(NAMES)
    assert explorer(page)["rev"].split()[0] == "fashion"
    (said,) = (note for note in notes(page) if note.startswith("No plain autoencoder learned"))
    assert said.endswith("the pair below is of another network.")
    assert not page.warning
    turned = opened("mnist", HOW_IT_WORKS, chapter="autoencoder")
    assert not any(note.startswith("No plain autoencoder learned") for note in notes(turned))
    turned.selectbox[0].set_value(name).run()
    assert not turned.exception
    assert explorer(turned)["rev"].split()[0] in NAMES


@pytest.mark.parametrize("name", NAMES[:1])
def test_the_numbers_of_each_side_are_its_cards(name):
    sent = explorer(opened(name, HOW_IT_WORKS, chapter="autoencoder"))
    for side, key in zip(sent["sides"], (f"{name}-ae", name), strict=True):
        card = pretrained.load_card(key)
        assert side["missed"] == f"{100 * card['numbers']['coverage']['missed']:.0f} %"
        assert sent["real"] == f"{100 * card['numbers']['coverage']['missed_by_pictures']:.0f} %"
        assert side["epochs"] == card["training"]["recipe"]["epochs"]
    assert sent["sides"][0]["epochs"] == sent["sides"][1]["epochs"]
