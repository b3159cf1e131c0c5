"""The baselines that latents are held against: as the cards measure them."""

import pytest

from tests.registry import CLASSED, VECTORS
from vae.evaluate import probe
from vae.models import pretrained


def test_components_are_measured_as_in_the_cards():
    card = pretrained.load_card("mnist-2d")["numbers"]
    found = probe.baselines("mnist", (2,), raw=False)["pca"]["2"]
    assert found == {kind: card[kind]["pca"] for kind in found}


@pytest.mark.parametrize("name", CLASSED)
def test_the_shipped_baselines_say_the_same_as_the_cards(name):
    shipped = probe.load(name)
    cards = [pretrained.load_card(model) for model in VECTORS]
    for card in (card for card in cards if card["data"]["name"] == name):
        measured = shipped["pca"][str(card["latents"])]
        assert measured == {kind: card["numbers"][kind]["pca"] for kind in measured}
    assert [int(k) for k in shipped["pca"]] == list(probe.COMPONENTS)
