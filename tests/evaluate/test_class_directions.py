"""What a card promises of each direction towards a class, asked again of pictures that it was not made from."""

import pytest
import torch

from tests.registry import CLASSED, VECTORS
from vae import data
from vae.evaluate import class_directions, directions
from vae.latent.named import FACTORS, Classes, Factor, Named
from vae.models import pretrained

SOME = 400


@pytest.fixture(scope="module", params=VECTORS)
def shipped(request):
    """(card, model, its named directions, those towards classes)."""
    card, model = pretrained.load_card(request.param), pretrained.load_pretrained(request.param, "cpu")
    folder = pretrained.folder_of(request.param)
    named = Named.load(folder / pretrained.DIRECTIONS, model.latents)
    return card, model, named, Classes.load(folder / pretrained.CLASSES, model.latents, model.input_spec)


def test_a_card_speaks_of_every_class_and_the_file_has_those_that_hold_by_it(shipped):
    card, _, _, classes = shipped
    stated = card["class_directions"]
    assert list(stated) == list(data.groups(card["data"]["name"]))
    assert classes.names == tuple(name for name, found in stated.items() if found["offered"])
    for found in stated.values():
        if found["offered"]:
            assert found["r2"] >= directions.EXPLAINED
            assert abs(found["got"]["median"] - 1) <= directions.WITHIN
            assert found["got"]["quartiles"][0] > 0
            assert max(found["strays"].values()) < 1
        else:
            assert found["why"]


def test_other_pictures_get_of_a_class_what_the_card_says_and_are_read_for_what_they_are(shipped):
    card, model, named, classes = shipped
    mu = pretrained.load_encodings(card["name"])[0]
    groups, margin = (
        data.groups(card["data"]["name"]),
        2 if card["data"]["name"] in CLASSED else 0,
    )  # nats; tags are vague
    held = tuple(factor for factor in FACTORS[model.input_spec.preparation] if factor.name in named.names)
    rows = directions.halves_of(len(mu))[1][:SOME]
    for at, name in enumerate(classes.names[:3]):
        found = card["class_directions"][name]
        factor = Factor(name, name, "nats", "", lambda x, at=at: classes.log_odds(x)[:, at])
        factors = (*held, factor)
        stated = [*(card["directions"][one.name] for one in held), found]
        values = directions.measured(model, factors, mu[rows])
        deviations = torch.tensor([one["deviation"] for one in stated])
        ends = torch.tensor([one["range"] for one in stated]).T
        half = directions.Half(model, factors, mu[rows], values, deviations, ends, class_directions.SIZES)
        answered = directions.answers(half, classes.steps[at], len(held))
        low, high = found["got"]["quartiles"]
        assert float(answered.got.median()) == pytest.approx(found["got"]["median"], abs=0.25 * (high - low))
        is_class = torch.isin(rows, groups[name])
        assert values[is_class, -1].median() > values[~is_class, -1].median() + margin


def test_what_reads_a_class_tells_it_by_the_pixel_that_it_has():
    generator = torch.Generator().manual_seed(0)
    pictures, labels = torch.rand(400, 9, generator=generator), torch.arange(400) % 2
    pictures[:, 4] = labels.float()
    weights, offset = class_directions.reading(pictures, labels)
    assert int(weights.abs().argmax()) == 4
    read = class_directions.log_odds(pictures.view(400, 1, 3, 3), weights, offset)
    assert torch.equal(read > 0, labels.bool())
