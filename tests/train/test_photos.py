"""Training on squares of photos."""

import io
import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from vae import data
from vae.data import bank
from vae.models import Spatial
from vae.models.families.spatial import transform_of
from vae.models.spaces import STEP
from vae.objective import terms
from vae.train.command import line as command
from vae.train.crops import Crops
from vae.train.recipes import RECIPES, recipe_from
from vae.train.run import Run

TINY = replace(
    RECIPES["photos"],
    model=Spatial.Config(data.BANKS["photos"].spec, 6, "conv", channels=(8, 16), blocks=(1, 1)),
    side=32,
    crops=160,
    batch=4,
    warmup=2,
    learning_rate=3e-3,
)


def landscape(seed: int) -> bytes:
    """A picture of soft shapes with edges between them, as a file."""
    chance = torch.Generator().manual_seed(seed)
    soft = F.interpolate(torch.randn(1, 3, 6, 6, generator=chance), (96, 80), mode="bicubic")
    mask = F.interpolate(torch.randn(1, 1, 5, 5, generator=chance), (96, 80), mode="bicubic") > 0
    pixels = (0.5 + 0.15 * torch.where(mask, soft, soft.flip(3) - 0.5)).clamp(0, 1).mul(255).byte()[0]
    file = io.BytesIO()
    Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def squares():
    found = bank.bank(map(landscape, range(12)), {"kind": np.array(["photos"] * 12)})
    return Crops(found, {"photos": 1.0}, TINY.side, TINY.crops)


def test_a_run_begins_as_the_transform_of_its_squares(squares):
    run = Run(TINY, squares)
    x = data.grey(squares[torch.arange(160)])
    transform = transform_of(F.pixel_unshuffle(x, STEP).permute(0, 2, 3, 1).flatten(0, 2), 6)
    expected = (transform.directions * transform.deviations[:, None]).T
    assert torch.equal(run.model.synthesis.weight[:, :, 0, 0].detach(), expected)


def test_a_run_learns_more_than_the_transform_says(squares):
    run, x = Run(TINY, squares), data.grey(squares[torch.arange(40)])

    def bound() -> float:
        parts = terms(run.model, x, torch.Generator().manual_seed(1))
        return float((parts.log_likelihood - parts.kl).mean().detach())

    before = bound()
    while run.step < run.steps:
        run.advance()
    assert bound() > before + 50


def test_of_half_of_the_pictures_all_channels_are_kept_and_of_the_others_any_number(squares):
    run, kept = Run(replace(TINY, batch=80), squares), []
    for run.step in range(100):
        kept.append(run.batch()[2])
    shares = torch.cat(kept).bincount(minlength=7)[1:] / 8000
    assert shares == pytest.approx(torch.tensor([1 / 12] * 5 + [1 / 2 + 1 / 12]), abs=0.012)
    assert Run(replace(TINY, cut=0.0), squares).batch()[2] is None


def test_the_noise_has_the_shape_of_the_map(squares):
    x, eps, told = Run(TINY, squares).batch()
    assert x.shape == (4, 3, 32, 32)
    assert eps.shape == (4, 6, 4, 4)
    assert told.shape == (4,)


def test_a_run_that_is_restored_goes_on_bit_for_bit(squares):
    straight, first = Run(TINY, squares), Run(TINY, squares)
    for _ in range(6):
        straight.advance()
    for _ in range(3):
        first.advance()
    resumed = Run(TINY, squares)
    resumed.restore(first.state())
    for _ in range(3):
        resumed.advance()
    for name, weight in straight.model.state_dict().items():
        assert torch.equal(weight, resumed.model.state_dict()[name]), name


def test_a_recipe_of_photos_is_read_back_from_a_card():
    assert recipe_from(json.loads(json.dumps(asdict(RECIPES["photos"])))) == RECIPES["photos"]


@pytest.mark.parametrize(
    ("name", "changes", "sentence"),
    [
        ("photos", {"side": 0}, "squares are cut for a model of pictures of any size"),
        ("photos", {"crops": 0}, "squares are cut for a model of pictures of any size"),
        ("photos", {"side": 100}, "a multiple of 8, not 100"),
        ("photos", {"cut": 1.5}, "shares from 0 to 1"),
        ("photos", {"dataset": "mnist"}, "dataset must be one of"),
        ("mnist", {"side": 16}, "not for a vae"),
        ("mnist", {"cut": 0.5}, "no channels that could be cut"),
        ("mnist", {"dataset": "photos"}, "dataset must be one of"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(name, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        replace(RECIPES[name], **changes)


def test_the_command_refuses_to_record_such_a_training_in_its_sentence(squares, monkeypatch, tmp_path, capsys):
    held_out = data.Split(squares[torch.arange(2)], torch.zeros(2, dtype=torch.int64))
    monkeypatch.setattr(command, "squares", lambda recipe: (squares, held_out))
    monkeypatch.setitem(command.RECIPES, "photos", TINY)
    assert command.main(["photos", "--out", str(tmp_path / "run"), "--history", str(tmp_path / "h")]) == 1
    assert "--history is for a vae of binary pixels, which photos is not" in capsys.readouterr().err
