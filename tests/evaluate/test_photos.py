"""The card of a model of photos, on a bank of a few made pictures."""

import io
import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.special import expit

import vae
from tests.registry import MAPS
from vae import data
from vae.data import bank
from vae.evaluate import photos
from vae.evaluate.__main__ import main
from vae.models import Spatial, build, checkpoint, pretrained
from vae.models.families.spatial import blocks_of, transform_of
from vae.train.recipes import RECIPES

MIX = data.BANKS["photos"].mix
SMALL = replace(
    RECIPES["photos"], model=Spatial.Config(data.BANKS["photos"].spec, 16, "conv", channels=(8, 16), blocks=(1, 1))
)


def as_file(seed: int, height: int, width: int) -> bytes:
    chance = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 12, 12, generator=chance)
    pixels = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1).mul(255).byte()[0]
    file = io.BytesIO()
    Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def stored():
    kinds, parts, files = [], [], []
    for kind in MIX:
        for number, part in enumerate(("train", "train", "validation", "test", "test", "test")):
            kinds.append(kind)
            parts.append(part)
            files.append(as_file(len(files), 150 if number == 5 else 200, 183))
    return bank.bank(files, {"kind": np.array(kinds), "part": np.array(parts)})


@pytest.fixture
def few(monkeypatch, stored):
    monkeypatch.setattr(photos, "FITTED", 48)
    monkeypatch.setattr(data, "load_bank", {"photos": stored}.get)


def begun(stored) -> Spatial:
    """The model as it begins: the transform itself."""
    model = build(SMALL.model, torch.Generator().manual_seed(0))
    model.begin_as(photos.transform(stored, MIX, 16))
    return model.requires_grad_(False).eval()


def test_pictures_are_of_the_part_that_is_asked_for_cut_to_squares_of_8_and_large_enough(stored):
    shapes = [tuple(x.shape) for x in photos.pictures(stored, "photos")]
    assert shapes == [(1, 3, 200, 176), (1, 3, 200, 176)]
    assert len(list(photos.pictures(stored, "portraits"))) == 3
    (x,) = photos.pictures(stored, "icons", "validation")
    row = int(np.flatnonzero((stored.about["kind"] == "icons") & (stored.about["part"] == "validation"))[0])
    assert torch.equal(x[0].permute(1, 2, 0).mul(255).round().byte(), torch.tensor(stored.picture(row)[:, 3:179]))


def test_a_model_that_is_the_transform_has_its_figures_and_noise_costs_it_something(stored, few):
    numbers = photos.measured(begun(stored), stored, MIX)
    assert list(numbers) == list(MIX)
    for kind in numbers.values():
        assert kind["at_mean"] == pytest.approx(kind["linear"]["16"], abs=0.02)
        assert kind["psnr"]["16"] < kind["at_mean"]
        assert kind["psnr"]["4"] < kind["psnr"]["8"] < kind["psnr"]["16"]
        assert kind["linear"]["4"] < kind["linear"]["8"] < kind["linear"]["16"]
        assert kind["ms_ssim"] is not None
        assert 0 < kind["ms_ssim"] < 1


def test_the_figures_of_one_picture_are_those_of_another_way_to_them(stored, few):
    model, fitted = begun(stored), photos.transform(stored, MIX, 16)
    (x, *_) = photos.pictures(stored, "photos")
    found = photos.came(model, x, fitted, torch.Generator().manual_seed(3))
    q = model.encode(x)
    z = q.mean + q.stddev * torch.randn(q.mean.shape, generator=torch.Generator().manual_seed(3))
    error = ((model.decode(z).mean * 255).round() / 255 - x).double().pow(2).mean()
    assert found.psnr[16] == pytest.approx(10 * math.log10(1 / error), abs=1e-3)
    cut = z.clone()
    cut[:, 4:] = 0
    error = ((model.decode(cut).mean * 255).round() / 255 - x).double().pow(2).mean()
    assert found.psnr[4] == pytest.approx(10 * math.log10(1 / error), abs=1e-3)
    mu, sigma = q.mean.double(), q.stddev.double()
    nats = 0.5 * (mu**2 + sigma**2 - 1) - sigma.log()
    assert found.price.rate == pytest.approx(float(nats.sum()) / math.log(2) / (200 * 176), rel=1e-5)
    bits = (nats.sum() - model.decode(z).log_prob(x).double()) / math.log(2) / x.numel()
    assert found.price.bits_per_dimension == pytest.approx(float(bits), rel=1e-5)


def test_the_command_takes_a_run_and_writes_a_card_with_its_limits(stored, few, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pretrained, "PRETRAINED", tmp_path / "pretrained")
    facts = {"recipe": asdict(SMALL), "device": "cpu, 1 threads", "epochs": 1.0, "seconds": 1}
    checkpoint.save(begun(stored), tmp_path / "run" / checkpoint.WEIGHTS, facts)
    assert main(["photos", "--run", str(tmp_path / "run")]) == 0
    assert "psnr" in capsys.readouterr().out
    card = json.loads((tmp_path / "pretrained" / "photos" / pretrained.CARD).read_text())
    assert card["data"]["name"] == "photos"
    assert card["test"]["pictures"] == 2 * 4 + 3
    assert any("made smaller first" in sentence for sentence in card["limits"])
    assert any("gives more back" in sentence for sentence in card["limits"])


@pytest.mark.parametrize("name", MAPS)
def test_what_the_card_says_of_a_photo_is_found_in_another_way(name):
    model = vae.load_pretrained(name, "cpu")
    levels = bank.load(pretrained.folder_of(name) / pretrained.EXAMPLES).picture(0)[:96, :128].astype(np.float64)
    x = torch.from_numpy(levels).permute(2, 0, 1)[None].float() / 255
    chance = torch.Generator().manual_seed(3)
    fitted = transform_of(blocks_of(x).flatten(0, 2), model.latents)
    seen = photos.came(model, x, fitted, torch.Generator().manual_seed(3))
    with torch.inference_mode():
        q = model.encode(x)
        z = q.mean + q.stddev * torch.randn(q.mean.shape, generator=chance)
        likelihood = model.decode(z)
        draws = q.sample((256,))
        told = q.log_prob(draws) - model.prior.log_prob(draws)
    pixels = x.shape[2] * x.shape[3]
    rate = told.double().mean() / math.log(2) / pixels
    error = told.double().std() / 16 / math.log(2) / pixels
    assert abs(rate - seen.price.rate) < 4 * error
    back = np.rint(likelihood.mean[0].permute(1, 2, 0).double().numpy() * 255)
    assert seen.psnr[16] == pytest.approx(10 * np.log10(255**2 / np.mean((back - levels) ** 2)), abs=1e-3)
    of = likelihood.base_dist
    loc, scale = (value[0].permute(1, 2, 0).double().numpy() for value in (of.loc, of.log_scale.exp()))
    upper = np.where(levels == 255, 1.0, expit((levels / 255 + 0.5 / 255 - loc) / scale))
    lower = np.where(levels == 0, 0.0, expit((levels / 255 - 0.5 / 255 - loc) / scale))
    bits = -np.log2(upper - lower).sum() / levels.size
    assert seen.price.bits_per_dimension == pytest.approx(bits + seen.price.rate / 3, abs=2e-3)
