"""A network that somebody brings from elsewhere: which files it is, how it is tried, and what its card says."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import vae
from tests.models.folders import CONFIGS, KL, TINY, written
from vae.data import ELSEWHERE, bank
from vae.evaluate import photos
from vae.evaluate.__main__ import main
from vae.models import checkpoint, elsewhere, pretrained
from vae.serve import library as libraries
from vae.serve.capabilities import Can
from vae.serve.engine import engine
from vae.serve.jobs import asked, brought, packed
from vae.serve.jobs.asked import Asked
from vae.serve.jobs.training import DONE, FAILED, work

KEY = "mine-0123456789abcdef0123456789abcdef"
MINUTES = 10.0
EVERY = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)


def job(root: Path, place: Path) -> Path:
    """The folder of a job for what lies in a folder."""
    folder = root / KEY
    (folder / asked.BROUGHT).mkdir(parents=True)
    asked.write(folder, Asked(KEY, "From elsewhere", {}))
    for name, path in brought.on_disk(place, place.parent.resolve()).items():
        (folder / asked.BROUGHT / name).write_bytes(path.read_bytes())
    return folder


def model_of(folder: Path) -> Path:
    return folder / asked.MODEL / KEY


@EVERY
def test_a_folder_of_diffusers_becomes_a_model_that_is_served_as_one_of_photos(config, tmp_path):
    place = written(tmp_path / "vae", config)
    folder = job(tmp_path, place)
    assert work(folder, MINUTES) == DONE, asked.said(folder)
    assert list((folder / asked.BROUGHT).iterdir()) == []
    assert work(folder, MINUTES) == DONE  # as after a process that was lost at its very end
    entry = libraries.Library(engine()).add("me", model_of(folder))
    assert entry.lacks(Can.MAP) is None
    assert entry.title == f"From elsewhere, {config['latent_channels']} channels"
    assert entry.words == "“From elsewhere”, photos of any size"
    assert entry.dataset == ELSEWHERE
    assert entry.card["training"]["recipe"]["model"]["family"] == entry.config.family
    given, kept = vae.load(place, "cpu"), checkpoint.load(entry.weights, "cpu")
    for name, tensor in given.state_dict().items():
        assert torch.equal(tensor.half().float(), kept.state_dict()[name])


@pytest.mark.parametrize("config", [KL, TINY], ids=["with a prior", "without one"])
def test_what_its_card_says_of_the_example_photos_is_found_in_another_way(config, tmp_path):
    folder = job(tmp_path, written(tmp_path / "vae", config))
    assert work(folder, MINUTES) == DONE
    card, model = json.loads((model_of(folder) / pretrained.CARD).read_text()), vae.load(model_of(folder), "cpu")
    (kind,) = card["numbers"]
    numbers, shipped = card["numbers"][kind], bank.load(pretrained.folder_of("photos") / pretrained.EXAMPLES)
    levels = []
    for row in np.flatnonzero(shipped.about["kind"] == kind):
        whole = shipped.picture(int(row)).astype(np.float64)
        top, left = ((side - 256) // 2 for side in whole.shape[:2])
        levels.append(whole[top : top + 256, left : left + 256])
    assert numbers["pictures"] == len(levels) == card["test"]["pictures"]
    errors, rates = [], []
    with torch.inference_mode():
        for one in levels:
            x = torch.from_numpy(one).permute(2, 0, 1)[None].float() / 255
            q = model.encode(x)
            back = np.rint(model.decode(q.mean).mean[0].permute(1, 2, 0).numpy() * 255.0)
            errors.append(10 * np.log10(255**2 / np.mean((back - one) ** 2)))
            mu, sigma = q.mean.double(), q.stddev.double()
            rates.append(float((mu**2 + sigma**2 - 1 - 2 * sigma.log()).sum()) / 2 / np.log(2) / 256**2)
    assert numbers["at_mean"] == pytest.approx(np.mean(errors), abs=0.006)
    if config is KL:
        assert numbers["rate"] == pytest.approx(np.mean(rates), rel=1e-3)
        assert numbers["rates"]["4"] == pytest.approx(numbers["rate"], abs=1e-4)
    else:  # a point tells infinitely much, so that nothing is said of it
        assert not {"rate", "rates", "bits_per_dimension"} & numbers.keys()
        assert numbers["psnr"]["4"] == numbers["at_mean"]


def test_the_file_that_is_taken_away_is_opened_again_as_what_it_is(tmp_path):
    folder = job(tmp_path / "first", written(tmp_path / "vae", KL))
    assert work(folder, MINUTES) == DONE
    place = tmp_path / "again"
    place.mkdir()
    (place / "mine.safetensors").write_bytes(packed.packed(model_of(folder)))
    again = job(tmp_path, place / "mine.safetensors")
    assert work(again, MINUTES) == DONE, asked.said(again)
    weights = [checkpoint.read(model_of(one) / checkpoint.WEIGHTS)[1] for one in (folder, again)]
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())


def test_a_network_of_photos_of_the_lab_itself_is_opened_too(tmp_path):
    folder = job(tmp_path, pretrained.folder_of("photos"))
    assert work(folder, MINUTES) == DONE, asked.said(folder)
    card = json.loads((model_of(folder) / pretrained.CARD).read_text())
    assert card["data"]["name"] == "photos"
    assert card["numbers"]["photos"]["psnr"]["16"] > 30


def test_the_command_line_opens_one_for_everybody(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VAE_LAB_MODELS", str(tmp_path / "models"))
    place = written(tmp_path / "sd" / "vae", KL).parent
    assert main(["sd", "--run", str(place)]) == 0
    assert "psnr" in capsys.readouterr().out
    assert pretrained.list_own() == ["sd"]
    assert main(["sd"]) == 0  # measured once more
    assert next(entry for entry in libraries.Library(engine()).visible() if entry.name == "sd").is_tried
    assert main(["mnist", "--run", str(place)]) == 1
    assert "choose another name" in capsys.readouterr().err


# ---- which files it is ----


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ([("mine.safetensors", b"w")], {checkpoint.WEIGHTS: b"w"}),
        ([("x.fp16.SafeTensors", b"w"), ("C.JSON", b"{}")], {elsewhere.CONFIG: b"{}", elsewhere.WEIGHTS[0]: b"w"}),
    ],
)
def test_files_that_are_dropped_are_known_by_their_endings(files, found):
    assert brought.uploaded(files) == found


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (["a.ckpt"], "may run code"),
        (["a.safetensors", "b.pt"], "may run code"),
        (["config.json"], "0 and 1 came"),
        (["a.safetensors", "b.safetensors"], "2 and 0 came"),
        (["a.safetensors", "a.json", "b.json"], "1 and 2 came"),
        (["readme.md"], "neither"),
        (["<b>[x](http://x)</b>\u202e.md"], "＜b＞"),
    ],
)
def test_other_files_are_refused_with_why(files, sentence):
    with pytest.raises(ValueError, match=sentence):
        brought.uploaded([(name, b"") for name in files])


def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path):
    outside, root = tmp_path / "outside", tmp_path / "root"
    written(outside, KL)
    root.mkdir()
    (root / "vae").symlink_to(outside)
    (root / "file.safetensors").symlink_to(outside / elsewhere.WEIGHTS[0])
    (root / "half").mkdir()
    (root / "half" / elsewhere.CONFIG).write_bytes((outside / elsewhere.CONFIG).read_bytes())
    (root / "half" / elsewhere.WEIGHTS[0]).symlink_to(outside / elsewhere.WEIGHTS[0])
    for name in ("vae", "file.safetensors", "half"):
        with pytest.raises(ValueError, match="There is no"):
            brought.on_disk(root / name, root)


def test_a_folder_without_a_network_and_one_without_its_configuration_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no model\.safetensors in empty"):
        brought.on_disk(tmp_path / "empty", tmp_path)
    (written(tmp_path / "half", KL) / elsewhere.CONFIG).unlink()
    with pytest.raises(ValueError, match=r"no config\.json in half"):
        brought.on_disk(tmp_path / "half", tmp_path)


@pytest.mark.parametrize(
    ("names", "word"),
    [
        (["diffusion_pytorch_model", "vae", "sd-mse"], "sd-mse"),
        (["mine"], "mine"),
        (["model", ""], "My network"),
        ([], "My network"),
    ],
)
def test_it_is_called_by_the_innermost_name_that_says_something(names, word):
    assert brought.called(names) == word


# ---- what is refused ----


def test_one_that_is_too_slow_is_refused_before_it_has_taken_long(tmp_path, monkeypatch):
    monkeypatch.setattr(photos, "PATIENCE", 1e-3)
    folder, began = job(tmp_path, written(tmp_path / "vae", KL)), time.monotonic()
    assert work(folder, MINUTES) == FAILED
    assert "It is too slow for this computer" in asked.said(folder)
    assert "64 x 64" in asked.said(folder)
    assert time.monotonic() - began < 30
    assert not (folder / asked.MODEL).exists()


def test_one_that_makes_more_numbers_than_can_be_shown_is_refused(tmp_path):
    config = KL | {"latent_channels": 65}
    folder = job(tmp_path, written(tmp_path / "vae", config))
    assert work(folder, MINUTES) == FAILED
    assert "It makes 65 numbers of 8 x 8 pixels" in asked.said(folder)


def test_what_is_wrong_with_a_file_is_said_by_its_name_and_without_its_place(tmp_path):
    folder = job(tmp_path, written(tmp_path / "vae", KL))
    (folder / asked.BROUGHT / elsewhere.CONFIG).write_text(json.dumps(KL | {"act_fn": "gelu"}))
    assert work(folder, MINUTES) == FAILED
    assert asked.said(folder).startswith("config.json is of no AutoencoderKL")
    assert "gelu" in asked.said(folder)
    assert str(tmp_path) not in asked.said(folder)
    (folder / asked.BROUGHT / elsewhere.CONFIG).unlink()
    assert work(folder, MINUTES) == FAILED
    assert str(tmp_path) not in asked.said(folder)


def test_weights_over_the_bound_are_refused(tmp_path, monkeypatch):
    folder = job(tmp_path, written(tmp_path / "vae", KL))
    size = (folder / asked.BROUGHT / elsewhere.WEIGHTS[0]).stat().st_size
    for most in (size - 1, size // 2):
        monkeypatch.setattr(packed, "MOST_WEIGHTS", most)
        assert work(folder, MINUTES) == FAILED
        assert "MB" in asked.said(folder)
