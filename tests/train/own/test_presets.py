"""Recipes for pictures of one's own: what each control may say, and pictures from which there is little to learn."""

import math

import numpy as np
import pytest
import torch

from vae.data import own
from vae.data.own import SHAPES
from vae.train.own.presets import most_latents, preset
from vae.train.own.watch import Watch
from vae.train.recipes import Recipe
from vae.train.run import Run

COLOUR, BITS = SHAPES["colour-32"].spec("crop"), SHAPES["bits-28"].spec("plain")


def pictures(spec, images: np.ndarray | None = None, count: int = 30) -> own.own_set:
    """A set of these, or of noise."""
    shape = (count, *spec.shape)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8) if images is None else images
    return own.own_set("x", (), spec, torch.from_numpy(images), torch.zeros(len(images), dtype=torch.int64))


@pytest.mark.parametrize(
    ("control", "value", "why"),
    [
        ("size", "huge", "one of quick, good, best, not 'huge'"),
        ("latents", 0, "1 to 12 latents, not 0"),
        ("latents", -3, "1 to 12 latents, not -3"),
        ("latents", 13, "1 to 12 latents, not 13"),
        ("beta", 0.0, "above 0 and at most 100, not 0"),
        ("beta", -1.0, "above 0 and at most 100, not -1"),
        ("beta", 1e9, "above 0 and at most 100"),
        ("beta", math.nan, "above 0 and at most 100, not nan"),
        ("beta", math.inf, "above 0 and at most 100, not inf"),
        ("seed", -1, "seed is a whole number from 0 to"),
        ("seed", 2**63, "seed is a whole number from 0 to"),
    ],
)
def test_a_control_out_of_its_range_is_refused_with_what_is_allowed(control, value, why):
    with pytest.raises(ValueError, match=why):
        preset("mine", pictures(COLOUR), **{control: value})


def test_every_number_of_latents_that_is_offered_is_a_recipe():
    for spec in (COLOUR, BITS):
        few = pictures(spec, count=20)
        recipes = [preset("mine", few, "quick", latents) for latents in range(1, most_latents(few) + 1)]
        assert [recipe.model.latents for recipe in recipes] == list(range(1, 9))
        assert all(isinstance(recipe, Recipe) for recipe in recipes)


def alike(kind: str, spec) -> np.ndarray:
    """Thirty pictures that are nearly, or quite, the same."""
    chance = np.random.default_rng(0)
    one = {
        "noise": chance.integers(0, 256, spec.shape),
        "black": np.zeros(spec.shape),
        "white": np.full(spec.shape, 255),
    }
    images = np.repeat(one[kind.split()[0]][None].astype(np.uint8), 30, 0)
    if kind.endswith("but for a pixel"):
        images[:, 0, 0, 0] = np.arange(30)
    if kind.endswith("but for rounding"):
        images = np.clip(images.astype(int) + chance.integers(0, 2, images.shape), 0, 255).astype(np.uint8)
    return images


@pytest.mark.parametrize("spec", [COLOUR, BITS], ids=["colour", "bits"])
@pytest.mark.parametrize(
    "kind", ["black", "white", "black but for a pixel", "noise but for a pixel", "noise but for rounding"]
)
def test_pictures_that_are_alike_are_learnt_from_in_finite_numbers(tmp_path, spec, kind):
    same = pictures(spec, alike(kind, spec))
    recipe = preset("mine", same, "quick")
    run = Run(recipe, same.part("train").images, labels=same.part("train").labels)
    watch = Watch(run, same, tmp_path)
    watch(True)
    for _ in range(2):
        run.advance()
    watch(True)
    assert run.is_finite()
    for frame in watch.frames:
        assert all(math.isfinite(value) for part in ("train", "validation") for value in frame[part].values())
        assert np.isfinite(frame["points"]).all()
        assert np.isfinite(frame["kl"]).all()
