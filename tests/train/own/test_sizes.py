"""Recipes for pictures of one's own: what suits bits and colours, and what cannot be."""

from dataclasses import replace

import pytest
import torch

from vae import data
from vae.data import own
from vae.train.own.presets import SIZES, preset, varied, with_steps


def pictures(shape: str, preparation: str, count: int = 60) -> data.Own:
    spec, generator = own.SHAPES[shape].spec(preparation), torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, *spec.shape), generator=generator, dtype=torch.uint8)
    return own.opened(own.own_set(f"{shape} {preparation}", (), spec, images, torch.zeros(count, dtype=torch.int64)))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("shape", "preparation", "varies"),
    [
        ("bits-28", "plain", (1.0, False)),
        ("colour-32", "crop", (1.0, True)),
        ("colour-32", "face", (0.0, False)),
    ],
)
def test_a_preset_takes_the_steps_of_its_size_and_varies_what_may_be(size, shape, preparation, varies):
    mine = pictures(shape, preparation)
    recipe = preset("mine", mine, size)
    each = mine.count("train") // recipe.batch
    assert SIZES[size].steps <= recipe.epochs * each < SIZES[size].steps + each
    assert (recipe.warp, recipe.mirrored) == varies
    assert (varied(recipe, False).warp, varied(recipe, False).mirrored) == (0.0, False)
    assert varied(recipe, True).mirrored == (preparation != "plain")


def test_a_control_out_of_its_range_is_refused():
    mine = pictures("bits-28", "plain")
    for words, said in (
        ({"size": "huge"}, "the size must be one of quick, good, best, not 'huge'"),
        ({"latents": 26}, "51 training pictures are enough for 1 to 25 latents, not 26"),
        ({"beta": 0.0}, "beta must be above 0 and at most 100, not 0"),
    ):
        with pytest.raises(ValueError, match=f"^{said}$"):
            preset("mine", mine, **words)
    with pytest.raises(ValueError, match=r"^a batch of 64 needs at least as many pictures, not 51$"):
        with_steps(replace(preset("mine", mine), batch=64), mine, 10)
