"""Recipes and model configurations: they build, they survive JSON, and nonsense is refused."""

import json
from dataclasses import FrozenInstanceError, replace

import pytest
import torch

from vae.models import NETWORKS, VAE, Autoencoder, Conditional, Ladder, Spatial, build
from vae.models.checkpoint import config_from_json, config_to_json
from vae.models.spaces import PREPARATIONS, Pictures
from vae.objective import terms
from vae.train.recipes import RECIPES

PHOTO = Pictures(3, None, None, 256, "photo")
EACH = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
CONFIGS = [
    VAE.Config(Pictures(3, 8, 12, 256, preparation), 5, network, width=7, dense_blocks=2, channels=(4, 6), octaves=3)
    for network in NETWORKS
    for preparation in PREPARATIONS
    if preparation != PHOTO.preparation
] + [
    Spatial.Config(PHOTO, 5, "conv", channels=(4, 6), blocks=(0, 2)),
    Autoencoder.Config(Pictures(), 3),
    Conditional.Config(Pictures(), 3, classes=10),
    Ladder.Config(Pictures(), 6, layers=(1, 2, 3)),
]


@EACH
def test_the_model_of_a_recipe_can_be_built_and_makes_its_pictures(recipe):
    with torch.device("meta"):
        model, y = build(recipe.model), torch.zeros(2, dtype=torch.int64)
        model = model.given(y) if recipe.model.classes else model
        channels, height, width = recipe.model.spec.shape
        parts = terms(model, torch.zeros(2, channels, height or 16, width or 24))
        assert parts.log_likelihood.shape == parts.kl.shape == (2,)


@EACH
def test_a_recipe_cannot_be_changed_and_refuses_what_cannot_be_trained(recipe):
    with pytest.raises(FrozenInstanceError):
        recipe.beta = 2.0
    with pytest.raises(ValueError, match="dataset must be one of"):
        replace(recipe, dataset="cifar")
    for wrong in ({"epochs": 0}, {"batch": 0}, {"batch": -1}):
        with pytest.raises(ValueError, match="at least 1"):
            replace(recipe, **wrong)


@pytest.mark.parametrize("config", [recipe.model for recipe in RECIPES.values()] + CONFIGS)
def test_a_configuration_comes_back_from_json_as_it_was(config):
    assert config_from_json(config_to_json(config)) == config


def changed(**values) -> str:
    """The JSON of a configuration with some of its fields changed; None takes a field away."""
    fields = json.loads(config_to_json(CONFIGS[0])) | values
    return json.dumps({name: value for name, value in fields.items() if value is not None})


@pytest.mark.parametrize("config", CONFIGS)
def test_a_configuration_written_before_there_were_octaves_has_none(config):
    old = json.loads(config_to_json(config))
    had = old.pop("octaves", 0)
    assert config_from_json(json.dumps(old)) == (replace(config, octaves=0) if had else config)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "3",
        '"mnist"',
        "{}",
        changed(colour=1),
        changed(spec={"channels": 1, "colour": 1}),
        changed(spec=3),
        changed(spec=None),
        changed(latents=None),
        changed(channels=None),
        changed(channels=5),
        changed(latents=0),
        changed(latents="2"),
        changed(network="transformer"),
        changed(network=["dense"]),
        changed(spec={"channels": 2}),
        changed(spec={"levels": 3}),
        changed(spec={"height": 0}),
        changed(spec={"preparation": "nose"}),
        changed(latents=2.5),
        changed(width=0),
        changed(width=-5),
        changed(width="wide"),
        changed(dense_blocks=-1),
        changed(conv_blocks=0.5),
        changed(octaves=-1),
        changed(octaves=17),
        changed(octaves=1.5),
        changed(octaves=True),
        changed(octaves="4"),
        changed(channels=[8]),
        changed(channels=[8, 0]),
        changed(channels=[8, 16, 32]),
        changed(family="gan"),
        changed(family=3),
        changed(classes=2.5),
        changed(classes=3),
        changed(layers=[5]),
        changed(layers=5),
        changed(layers=["5"]),
        changed(family="ladder", layers=[2, 2]),
        changed(spec={"height": 8.5}),
        changed(spec={"height": "tall"}),
        changed(spec={"preparation": ["digit"]}),
    ],
)
def test_text_that_is_no_configuration_is_refused_with_one_sentence(text):
    with pytest.raises(ValueError, match=r"\w") as refusal:
        config_from_json(text)
    assert "\n" not in str(refusal.value)
    assert type(refusal.value) is ValueError
