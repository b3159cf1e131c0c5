"""The chapter on autoencoders: what the page sends, against the models themselves."""

import base64

import numpy as np
import pytest
import torch

from tests.test_app import HOW_IT_WORKS, explorer, opened
from vae import checkpoint, data
from vae.app.chapters.autoencoder import misleads

NAMES = checkpoint.list_pretrained()


def floats(text: str) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), "<f4").copy()).view(-1, 2)


def pictures(text: str) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), np.uint8).copy()).view(-1, 1, 28, 28)


@pytest.mark.parametrize("name", NAMES)
def test_both_models_decode_the_same_z_and_the_pictures_below_are_the_nearest(name):
    sent = explorer(opened(name, HOW_IT_WORKS, chapter="autoencoder"))
    latents = checkpoint.load_card(name)["latents"]
    z = torch.randn(8, latents, generator=torch.Generator().manual_seed(0))
    dataset = checkpoint.load_card(name)["data"]["name"]
    test = data.load(dataset, "test").images
    for side, key in zip(sent["sides"], (f"{name}-ae", name), strict=True):
        decoded = checkpoint.load_pretrained(key).decode(z).mean
        assert (pictures(side["samples"]).int() - decoded.mul(255).round().int()).abs().max() <= 1
        away = torch.cdist(decoded.flatten(1), data.grey(test).flatten(1))
        assert torch.equal(pictures(side["nearest"]), test[away.argmin(1)])
        assert side["distances"] == pytest.approx(away.amin(1).tolist(), abs=0.02)


def test_the_hole_fraction_is_said_to_mislead_where_the_autoencoder_has_fewer_and_misses_more():
    said = {
        name: explorer(opened(name, HOW_IT_WORKS, chapter="autoencoder"))["misleads"] for name in ("mnist", "fashion")
    }
    assert said == {"mnist": True, "fashion": False}
    clear, unclear = ({"fraction": share, "error": 0.01, "missed": 0.3} for share in (0.05, 0.09))
    vae = {"fraction": 0.1, "error": 0.01, "missed": 0.2}
    assert misleads(clear, vae)
    assert not misleads(unclear, vae)
    assert not misleads(clear | {"missed": 0.1}, vae)


@pytest.mark.parametrize("name", NAMES[:1])
def test_the_numbers_of_each_side_are_its_cards(name):
    for side, key in zip(
        explorer(opened(name, HOW_IT_WORKS, chapter="autoencoder"))["sides"], (f"{name}-ae", name), strict=True
    ):
        numbers = checkpoint.load_card(key)["numbers"]
        shown = {label: value for label, value, _ in side["numbers"]}
        assert shown["linear probe"] == f"{100 * numbers['linear_probe']['latents']:.1f} %"
        assert shown["samples in holes"] == f"{100 * numbers['holes']['fraction']:.1f} %"
        assert side["epochs"] == checkpoint.load_card(key)["training"]["recipe"]["epochs"]
