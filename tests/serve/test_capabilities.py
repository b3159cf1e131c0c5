"""What can be done with a model follows from what its x and z are."""

from dataclasses import dataclass

import pytest

from tests.registry import BITS, MAPS, VECTORS
from tests.served import entry
from vae.app.live.exchange import EXCHANGES
from vae.models import VAE
from vae.models.pretrained import list_pretrained
from vae.models.spaces import Latents, Layers, Map, Pictures, Vector
from vae.serve.capabilities import RULES, About, Can, lacks

CLOSE_FRAME = 123  # bytes of a reason that it can hold


@dataclass(frozen=True)
class Maplike(VAE.Config):
    """A model whose z is a map."""

    @property
    def space(self) -> Latents:
        return Map(16, 8)


def can(name: str) -> set[Can]:
    return {need for need in Can if entry(name).lacks(need) is None}


@pytest.mark.parametrize("name", VECTORS)
def test_with_a_model_of_the_pages_everything_can_be_done_and_the_plane_drawn_where_there_are_two_latents(name):
    planar = {Can.FLAT, Can.EXACT} if entry(name).latents == 2 else set()
    bits = {Can.BITS} if name in BITS else set()
    assert can(name) == {Can.MOVE, Can.DRAW, Can.READ, Can.COMPANY} | bits | planar


@pytest.mark.parametrize(
    ("name", "cannot"),
    [
        ("mnist-ladder", {Can.MOVE, Can.FLAT, Can.EXACT, Can.COMPANY}),
        ("mnist-conditional", {Can.READ, Can.FLAT, Can.EXACT, Can.COMPANY}),
        ("mnist-2d-ae", {Can.DRAW, Can.EXACT, Can.COMPANY}),
        ("mnist-ae", {Can.DRAW, Can.FLAT, Can.EXACT, Can.COMPANY}),
    ],
)
def test_of_other_families_it_is_said_what_cannot(name, cannot):
    assert name in list_pretrained(chapters=True)
    assert can(name) == set(Can) - cannot - {Can.MAP}


@pytest.mark.parametrize("name", MAPS)
def test_of_a_map_photos_can_be_asked_for_and_no_place_moved(name):
    assert can(name) == {Can.MAP, Can.DRAW, Can.READ}


def test_what_z_is_follows_from_the_configuration():
    assert entry("mnist").config.space == Vector(24)
    ladder = entry("mnist-ladder").config
    assert ladder.space == Layers(ladder.layers)
    assert ladder.space.size == ladder.latents


def test_a_model_of_greys_or_of_maps_has_no_plane():
    numbers = {"numbers": {}, "examples": []}
    grey = About(VAE.Config(Pictures(levels=256), 2), numbers)
    assert lacks(grey, Can.MOVE, Can.FLAT, Can.DRAW, Can.READ, Can.COMPANY) is None
    assert lacks(grey, Can.EXACT) == RULES[Can.EXACT].lack
    assert lacks(grey, Can.BITS) == RULES[Can.BITS].lack
    assert lacks(About(Maplike(Pictures(3, 64, 64, 256, "crop"), 2), numbers), Can.MOVE) == RULES[Can.MOVE].lack


def test_the_first_thing_that_is_lacking_is_said():
    one = entry("mnist-ladder")
    assert one.lacks(Can.READ, Can.EXACT, Can.MOVE) == RULES[Can.EXACT].lack


@pytest.mark.parametrize("need", Can)
def test_every_lack_is_one_sentence_or_two_that_a_close_frame_can_hold(need):
    lack = RULES[need].lack
    assert lack[0].isupper()
    assert lack.endswith(".")
    assert len(lack.encode()) <= CLOSE_FRAME


def test_every_kind_of_message_says_what_it_needs():
    assert all(exchange.needs for exchange in EXCHANGES.values())
