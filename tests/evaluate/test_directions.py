"""What a card promises of each named direction, asked again of pictures that it was not made from."""

import json
import math
from types import SimpleNamespace

import pytest
import torch

from tests.registry import VECTORS
from vae.evaluate import __main__, class_directions, directions
from vae.latent.named import FACTORS, Named
from vae.models import VAE, build, pretrained
from vae.models.spaces import Pictures

SOME = 400


@pytest.fixture(scope="module", params=VECTORS)
def shipped(request):
    """(card, its named directions, some of the pictures that they are judged on)."""
    card, model = pretrained.load_card(request.param), pretrained.load_pretrained(request.param, "cpu")
    kind = FACTORS[model.input_spec.preparation]
    mu = pretrained.load_encodings(request.param)[0]
    order = torch.randperm(len(mu), generator=torch.Generator().manual_seed(directions.SEED))
    second = order.tensor_split(2)[1]
    stated = card["directions"].values()
    half = directions.Half(
        model,
        kind,
        mu[second[:SOME]],
        directions.measured(model, kind, mu[second[:SOME]]),
        torch.tensor([found["deviation"] for found in stated]),
        torch.tensor([found["range"] for found in stated]).T,
    )
    named = Named.load(pretrained.folder_of(request.param) / pretrained.DIRECTIONS, card["latents"])
    return card, named, half


def test_some_direction_of_every_model_is_offered_and_its_file_has_those_that_the_card_offers(shipped):
    card, named, half = shipped
    assert [factor.name for factor in half.factors] == list(card["directions"])
    offered = tuple(name for name, found in card["directions"].items() if found["offered"])
    assert named.names == offered
    assert all("why" in found for found in card["directions"].values() if not found["offered"])


def test_what_is_offered_holds_by_the_card(shipped):
    card, named, _ = shipped
    for name in named.names:
        found = card["directions"][name]
        assert found["r2"] >= directions.EXPLAINED
        assert abs(found["got"]["median"] - 1) <= directions.WITHIN
        assert found["got"]["quartiles"][0] > 0
        assert max(found["strays"].values()) < 1


def test_other_pictures_get_of_what_is_asked_what_the_card_says(shipped):
    card, named, half = shipped
    names = [factor.name for factor in half.factors]
    for name, step in zip(named.names, named.steps, strict=True):
        found, column = card["directions"][name], names.index(name)
        answered = directions.answers(half, step, column)
        low, high = found["got"]["quartiles"]
        error = 3 * (high - low) / 1.35 * 1.25 / math.sqrt(SOME)  # of a median; one picture's answers are alike
        assert float(answered.got.median()) == pytest.approx(found["got"]["median"], abs=error)
        for other, size in found["moves"].items():
            assert float(answered.moves[:, names.index(other)].median()) == pytest.approx(size, abs=0.2)


def test_the_halves_share_no_picture_and_are_all_of_them():
    model = build(small(), torch.Generator().manual_seed(0)).eval().requires_grad_(False)
    mu = torch.randn(101, 4, generator=torch.Generator().manual_seed(0))
    first, second = directions.halves(model, FACTORS["digit"], mu)
    together = torch.cat([first.mu, second.mu])
    assert torch.equal(together[together[:, 0].argsort()], mu[mu[:, 0].argsort()])


def small(latents: int = 4) -> VAE.Config:
    """Of a model of digits that is never trained."""
    return VAE.Config(Pictures(height=28, width=28), latents, width=8)


class Bars(VAE):
    """z are the slant, ten degrees, and the width, pixels, of a soft upright bar."""

    def decode(self, z: torch.Tensor) -> SimpleNamespace:
        rows, columns = torch.meshgrid(torch.arange(28) - 13.5, torch.arange(28) - 13.5, indexing="ij")
        slant = torch.tan(torch.deg2rad(10 * z[:, 0]))[:, None, None]
        half = (3 + 0.5 * z[:, 1])[:, None, None]
        inside = torch.sigmoid(4 * (half - (columns + slant * rows).abs())) * (rows.abs() < 9)
        return SimpleNamespace(mean=inside[:, None])


def bars() -> tuple[directions.Half, directions.Half]:
    mu = torch.randn(600, 2, generator=torch.Generator().manual_seed(2))
    return directions.halves(Bars(small(2), torch.Generator().manual_seed(0)).eval(), FACTORS["digit"][:3], mu)


def test_a_step_of_a_known_length_is_found_whatever_its_length_was():
    first, second = bars()
    for wrong in (0.4, 3.0):
        step = directions.calibrated(first, torch.tensor([wrong / 10, 0.0]), 0)
        assert step.tolist() == pytest.approx([0.1, 0.0], rel=0.03)  # one degree is a tenth of the first latent
        answered = directions.answers(second, step, 0)
        assert float(answered.got.median()) == pytest.approx(1, abs=0.03)
        assert directions.objection(second, answered, 0) is None


def test_a_step_the_other_way_and_one_that_moves_something_else_more_do_not_hold():
    first, _ = bars()
    backwards = directions.answers(first, torch.tensor([-0.1, 0.0]), 0)
    assert "is got" in directions.objection(first, backwards, 0)
    sideways = directions.answers(first, torch.tensor([0.1, 1.0]), 0)
    assert "changes more than slant" in directions.objection(first, sideways, 0)


def test_where_nothing_can_be_asked_a_direction_does_not_hold_and_the_card_has_no_figures_of_it():
    first, _ = bars()
    narrow = first._replace(ends=first.ends[:1].repeat(2, 1))
    step = directions.calibrated(narrow, torch.tensor([0.1, 0.0]), 0)
    assert step.tolist() == pytest.approx([0.1, 0.0])
    answered = directions.answers(narrow, step, 0)
    assert "leaves no room" in directions.objection(narrow, answered, 0)
    assert directions.report(narrow, answered, 0) == {}


def test_of_two_factors_that_are_one_only_the_first_is_kept():
    first, _ = bars()
    steps, why = directions.choose(first)
    assert 0 in steps
    assert len(steps) == 2
    (left,) = why
    assert why[left].startswith("beside those offered it does not hold")


def test_directions_are_made_anew_by_a_command_and_the_rest_of_the_card_stays(tmp_path, monkeypatch, capsys):
    figures = {"slant": {"offered": True}}
    monkeypatch.setattr(directions, "directions", lambda *_: (Named(("slant",), torch.zeros(1, 2)), figures))
    monkeypatch.setattr(class_directions, "write", lambda folder: {})
    before = pretrained.load_card("mnist-2d")
    folder = tmp_path / "mnist-2d"
    folder.mkdir()
    for file in pretrained.folder_of("mnist-2d").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(pretrained, "PRETRAINED", tmp_path)
    assert __main__.main(["mnist-2d", "--directions"]) == 0
    assert json.loads((folder / pretrained.CARD).read_text()) == before | {"directions": figures}
    assert Named.load(folder / pretrained.DIRECTIONS, 2).names == ("slant",)
    assert "slant" in capsys.readouterr().out
