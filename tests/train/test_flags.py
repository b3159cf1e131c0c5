"""Flags made of dataclasses: none is forgotten, each has its field's type, and what is asked for is what is trained."""

from dataclasses import fields

import pytest

from vae.models import FAMILIES
from vae.train.command import flags, main
from vae.train.command.line import parser
from vae.train.recipes import RECIPES, Recipe

ABOVE = "learning_rate and clip are above 0 and weight_decay is not below, not"


def test_every_field_of_a_recipe_and_of_a_network_is_a_flag_with_words_or_said_to_be_none():
    asked = {field.name for field in flags.of_recipe()}
    assert asked == set(flags.OF_RECIPE)
    assert asked | flags.UNASKED == {field.name for field in fields(Recipe)}
    of_models = {field.name for field in flags.of_models()}
    assert of_models == set(flags.OF_MODEL)
    known = {field.name for family in flags.TRAINED for field in fields(family.Config)}
    assert of_models | flags.UNASKED_OF_MODEL | {"family"} == known


def test_families_that_recipes_are_of_have_their_flags():
    assert {recipe.model.family for recipe in RECIPES.values()} <= {
        name for name, family in FAMILIES.items() if family in flags.TRAINED
    }


@pytest.mark.parametrize("name", RECIPES)
def test_what_a_recipe_says_said_as_flags_is_the_recipe(name):
    recipe, words = RECIPES[name], []
    for part, known in ((recipe, flags.of_recipe()), (recipe.model, flags.of_models())):
        for field in known:
            value = getattr(part, field.name, None)
            if field.name not in {one.name for one in fields(part)} or value == ():
                continue
            if isinstance(value, bool):
                words.append(flags.flag(field.name) if value else f"--no-{field.name.replace('_', '-')}")
            else:
                words += [flags.flag(field.name), *map(str, value if isinstance(value, tuple) else (value,))]
    assert flags.changed(recipe, parser().parse_args([name, *words])) == recipe


def test_flags_change_a_named_recipe_and_nothing_else():
    asked = parser().parse_args(["mnist", "--latents", "8", "--beta", "4", "--mirrored", "--learning-rate", "1e-3"])
    changed = flags.changed(RECIPES["mnist"], asked)
    assert (changed.model.latents, changed.beta, changed.mirrored, changed.learning_rate) == (8, 4.0, True, 1e-3)
    assert changed.model.width == RECIPES["mnist"].model.width
    assert flags.changed(RECIPES["mnist"], parser().parse_args(["mnist"])) == RECIPES["mnist"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mnist", "--lattents", "8"], "unrecognized arguments: --lattents 8"),
        (["mnist", "--late", "8"], "unrecognized arguments: --late 8"),
        (["mnist", "--latents", "eight"], "argument --latents: invalid int value: 'eight'"),
        (["mnist", "--beta", "much"], "argument --beta: invalid float value: 'much'"),
        (["mnist", "--channels", "4"], "argument --channels: expected 2 arguments"),
        (["mnist", "--network", "deep"], "argument --network: invalid choice: 'deep'"),
        (["--data", "x", "--shape", "bits-30"], "argument --shape: invalid choice: 'bits-30'"),
        (["--data", "x"], "give a recipe, or --data and --name for pictures of your own"),
        ([], "give a recipe, or --data and --name for pictures of your own"),
    ],
)
def test_what_is_no_flag_or_of_another_type_is_status_2(words, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--latents", "0"], "a model needs at least one latent, not 0"),
        (["--width", "0"], "width and channels must be at least 1, not 0 and (64, 128)"),
        (["--blocks", "1", "2"], "a vae model has no --blocks"),
        (["--learning-rate", "0"], f"{ABOVE} 0, 200 and 0"),
        (["--learning-rate", "inf"], f"{ABOVE} inf, 200 and 0"),
        (["--ema", "1"], "ema is a share from 0 to below 1, not 1"),
        (["--seed", "-1"], "seed is a whole number from 0 to 2147483647, not -1"),
        (["--corrected"], "only a vae of two latents and binary pixels can be corrected"),
        (["--preset", "good"], "--preset is for pictures of your own, and goes with no recipe's name"),
        (["--name", "mine"], "--name is for pictures of your own, and goes with no recipe's name"),
    ],
)
def test_a_value_that_is_not_allowed_is_one_sentence_and_status_1(words, said, capsys, tmp_path):
    assert main(["mnist", *words, "--out", str(tmp_path / "run")]) == 1
    assert capsys.readouterr().err == f"{said}\n"
    assert not (tmp_path / "run").exists()


def test_help_has_examples_of_both_and_every_flag(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "python -m vae.train --data drawings/ --name mine" in said
    assert "python -m vae.train mnist --latents 8 --beta 4" in said
    for name in (*flags.OF_RECIPE, *flags.OF_MODEL, "data", "name", "preset", "shape", "preparation", "title"):
        assert flags.flag(name) in said
