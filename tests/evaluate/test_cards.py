"""Every card against the recipe in the code, the weights that it tells of, and the sentences that are made of it."""

import pytest

from vae import data
from vae.evaluate import card as cards
from vae.evaluate import photos
from vae.models import checkpoint, pretrained
from vae.train.recipes import RECIPES, differences, recipe_from

NAMES = [*pretrained.list_pretrained(), *pretrained.list_pretrained(chapters=True)]


@pytest.mark.parametrize("name", NAMES)
def test_the_recipe_in_the_code_is_the_one_that_made_the_weights(name):
    trained = recipe_from(pretrained.load_card(name)["training"]["recipe"])
    assert differences(trained, RECIPES[name]) == []
    assert trained == RECIPES[name]
    assert trained.held_out == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_card_tells_of_the_training_what_the_weights_do_and_the_model_serves_as_the_recipe_says(name):
    card, weights = pretrained.load_card(name), pretrained.folder_of(name) / checkpoint.WEIGHTS
    assert card["training"] == checkpoint.training_facts(weights)
    assert card["training"]["epochs"] == recipe_from(card["training"]["recipe"]).epochs
    assert checkpoint.load(weights, "cpu").config == RECIPES[name].kept


@pytest.mark.parametrize("name", NAMES)
def test_the_cards_limits_are_those_of_its_numbers(name):
    card, model = pretrained.load_card(name), pretrained.load_pretrained(name, "cpu")
    if model.config.any_size:
        assert card["limits"] == photos.limits(card["numbers"])
    else:
        assert card["limits"] == cards.limits(model, card["numbers"], data.DATASETS[card["data"]["name"]])
