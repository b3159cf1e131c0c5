"""One training from what is asked for to a model, and what becomes of it where something goes wrong."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from tests import own_pictures
from vae.data import Own, own
from vae.evaluate import card
from vae.models import checkpoint, pretrained
from vae.serve.jobs import asked, packed, training
from vae.serve.jobs.asked import Asked, Wish
from vae.serve.jobs.training import DONE, FAILED, STOPPED, work
from vae.serve.library import read
from vae.train import saved
from vae.train.own import held, watch
from vae.train.own.presets import preset, with_steps
from vae.train.recipes import Recipe

KEY, MINUTES = "mine-0123456789abcdef0123456789abcdef", 5.0


def begun(root: Path, pictures: Own, steps: int = 30, **changes: object) -> Path:
    """The folder of a training that was asked for."""
    recipe = replace(with_steps(preset(KEY, pictures, "quick", 4), pictures, steps), **changes)
    folder = root / KEY
    folder.mkdir()
    own.save(pictures, folder / own.FILE)
    asked.write(folder, Asked(KEY, pictures.title, asdict(recipe)))
    return folder


def taken(folder: Path) -> int:
    """The steps up to the last save."""
    return int(checkpoint.read(folder / saved.STATE)[1]["progress"][0])


@pytest.fixture
def unmeasured(monkeypatch):
    """The card is not what a test is about: it is one that says nothing."""
    monkeypatch.setattr(card, "write_card", lambda folder, pictures: (folder / "card.json").write_text("{}"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """The folder of a whole training, of pictures with classes."""
    folder = begun(tmp_path_factory.mktemp("trained"), own_pictures.some(60, classes=True), steps=150)
    assert work(folder, MINUTES) == DONE
    return folder


def test_a_training_ends_with_a_model_that_the_library_serves(trained, tmp_path):
    entry = read(trained / asked.MODEL / KEY, "pages", "somebody")
    assert (entry.name, entry.latents, entry.dataset.class_names) == (KEY, 4, ("level", "ring", "upright"))
    assert entry.numbers["negative_elbo"]["pictures"] == 6  # a tenth of 60, held out
    frames = watch.frames(trained)
    assert frames[0]["step"] == 0
    assert frames[-1]["step"] == frames[-1]["steps"]
    assert frames[-1]["validation"]["loss"] < frames[0]["validation"]["loss"] / 2


def test_the_weights_that_are_kept_are_those_of_the_best_moment(trained):
    frames = [frame for frame in watch.frames(trained) if frame["step"]]
    best = min(frames, key=lambda frame: frame["validation"]["loss"])
    weights = trained / asked.MODEL / KEY / checkpoint.WEIGHTS
    assert checkpoint.training_facts(weights)["kept_step"] == best["step"]


def test_the_cards_numbers_are_those_of_the_pictures_that_were_held_out(trained):
    """Once more by hand: q of the tenth that nothing was trained on or chosen by, and the divergence by torch's own."""
    folder = trained / asked.MODEL / KEY
    model, pictures = checkpoint.load(folder / checkpoint.WEIGHTS, "cpu"), own.load(folder / own.FILE)
    levels = pictures.pictures.images[: pictures.tested].float() / 255
    x = torch.rand(60, 1, 28, 28, generator=torch.Generator().manual_seed(2015))[: pictures.tested].lt(levels).float()
    q = model.encode(x)
    kl = torch.distributions.kl_divergence(q.base_dist, torch.distributions.Normal(0.0, 1.0)).sum(1)
    told = json.loads((folder / "card.json").read_text())["numbers"]["kl"]
    assert told["value"] == pytest.approx(float(kl.mean()), abs=2e-3)


def test_a_training_that_was_killed_goes_on_to_the_same_weights(tmp_path, unmeasured, monkeypatch):
    monkeypatch.setattr(watch.Watch, "is_past_its_best", False)
    monkeypatch.setattr(training, "SAVE_EVERY", 0.0)
    pictures = own_pictures.some(40)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    one, other = begun(whole, pictures, 200), begun(killed, pictures, 200)
    command = [sys.executable, "-m", "vae.serve.jobs.process", str(other), str(MINUTES), "6000", "1"]
    with subprocess.Popen(command, cwd=Path(__file__).parents[3]) as process:
        until = time.monotonic() + 60
        while not (other / saved.STATE).is_file() and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert not (other / asked.MODEL).exists()
    assert work(other, MINUTES) == DONE
    assert work(one, MINUTES) == DONE
    assert taken(one) == taken(other) >= 200
    found = [checkpoint.read(folder / saved.STATE)[1] for folder in (one, other)]
    for name, tensor in found[0].items():
        assert name == "progress" or torch.equal(tensor, found[1][name]), name


def test_what_is_stopped_is_saved_and_goes_on(tmp_path, unmeasured):
    folder = begun(tmp_path, own_pictures.some(40), 60)
    asked.ask(folder, Wish(stop=True))
    assert work(folder, MINUTES) == STOPPED
    assert 0 < taken(folder) < 60
    asked.ask(folder, Wish())
    assert work(folder, MINUTES) == DONE
    assert [frame["step"] for frame in watch.frames(folder)] == sorted({f["step"] for f in watch.frames(folder)})
    assert watch.frames(folder)[-1]["step"] >= 60


def test_single_steps_are_taken_while_it_pauses_and_each_is_seen(tmp_path, unmeasured, monkeypatch):
    monkeypatch.setattr(training, "PATIENCE", 0.5)
    folder = begun(tmp_path, own_pictures.some(40), 60)
    asked.ask(folder, Wish(pause=True, steps=3))
    assert work(folder, MINUTES) == STOPPED  # nobody asked for more for so long
    assert [frame["step"] for frame in watch.frames(folder)][:4] == [0, 1, 2, 3]
    assert watch.frames(folder)[-1]["step"] <= 3 + training.OFTEN


def test_one_that_pauses_too_long_stops_after_one_pause_and_not_after_one_for_each_step(
    tmp_path, unmeasured, monkeypatch
):
    monkeypatch.setattr(training, "PATIENCE", 2.0)
    folder = begun(tmp_path, own_pictures.some(40), 60)
    asked.ask(folder, Wish(pause=True))
    since = time.monotonic()
    assert work(folder, MINUTES) == STOPPED
    assert time.monotonic() - since < 2 * training.PATIENCE + 3


def test_the_time_that_is_left_is_of_steps_and_not_of_pauses_and_no_more_than_it_may_have(
    tmp_path, unmeasured, monkeypatch
):
    monkeypatch.setattr(training, "PATIENCE", 3.0)
    folder = begun(tmp_path, own_pictures.some(40), 300)
    asked.ask(folder, Wish(pause=True))
    assert work(folder, MINUTES) == STOPPED
    assert 0 < watch.frames(folder)[1]["left"] < 299 * training.PATIENCE / 3
    asked.ask(folder, Wish())
    assert work(folder, 0.01) == DONE
    assert watch.frames(folder)[-1]["left"] == 0


def test_a_training_whose_server_has_gone_stops_and_is_saved(tmp_path, unmeasured, monkeypatch):
    folder = begun(tmp_path, own_pictures.some(40), 60)
    parents = iter([1])
    monkeypatch.setattr(os, "getppid", lambda: next(parents, 2))
    assert work(folder, MINUTES) == STOPPED
    assert (folder / saved.STATE).is_file()


def test_one_that_takes_too_long_ends_with_the_model_that_it_has(tmp_path, unmeasured):
    folder = begun(tmp_path, own_pictures.some(40), 5000)
    assert work(folder, 0.5 / 60) == DONE
    assert watch.frames(folder)[-1]["step"] < 5000
    assert asked.said(folder) == "Its 0.00833333 minutes were over, so the best network up to then is kept."


def test_numbers_that_are_none_end_in_a_sentence_and_no_model(tmp_path, unmeasured):
    folder = begun(tmp_path, own_pictures.some(40), 200, learning_rate=1e30, clip=1e30)
    assert work(folder, MINUTES) == FAILED
    assert "finite" in asked.said(folder)
    assert not (folder / asked.MODEL).exists()


def test_a_full_disk_ends_in_a_sentence(tmp_path, unmeasured, monkeypatch):
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    folder = begun(tmp_path, own_pictures.some(40))
    monkeypatch.setattr(held.checkpoint, "save", full)
    assert work(folder, MINUTES) == FAILED
    assert "full" in asked.said(folder)
    assert not (folder / asked.MODEL).exists()


def test_too_little_memory_halves_the_batch_once_and_says_so(tmp_path, unmeasured, monkeypatch):
    folder, run = begun(tmp_path, own_pictures.some(60)), training.Run
    batch = asked.read(folder).recipe["batch"]
    tried = []

    def scarce(recipe: Recipe, *arguments: object, **more: object) -> training.Run:
        tried.append(recipe.batch)
        if recipe.batch > batch // 2:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory")
        return run(recipe, *arguments, **more)

    monkeypatch.setattr(training, "Run", scarce)
    assert work(folder, MINUTES) == DONE
    assert tried == [batch, batch // 2]
    assert "half as many" in asked.said(folder)


def test_what_a_process_before_had_to_say_is_not_said_of_the_next(tmp_path, unmeasured):
    folder = begun(tmp_path, own_pictures.some(40), 20)
    asked.say(folder, "It needs more memory.")
    assert work(folder, MINUTES) == DONE
    assert asked.said(folder) == ""


def test_that_it_takes_half_as_many_is_said_by_the_next_process_too(tmp_path, unmeasured):
    folder = begun(tmp_path, own_pictures.some(40), 20)
    asked.write(folder, replace(asked.read(folder), halved=True))
    assert work(folder, MINUTES) == DONE
    assert "half as many" in asked.said(folder)


def test_too_little_memory_for_half_the_batch_too_ends_in_a_sentence(tmp_path, unmeasured, monkeypatch):
    def scarce(*arguments: object, **more: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    folder = begun(tmp_path, own_pictures.some(60))
    monkeypatch.setattr(training, "Run", scarce)
    assert work(folder, MINUTES) == FAILED
    assert "smaller" in asked.said(folder)


def test_an_error_of_ours_is_no_sentence_but_an_accident(tmp_path, unmeasured, monkeypatch):
    def wrong(*arguments: object, **more: object) -> None:
        raise RuntimeError("shapes do not fit")

    folder = begun(tmp_path, own_pictures.some(40))
    monkeypatch.setattr(training, "Run", wrong)
    with pytest.raises(RuntimeError, match="shapes"):
        work(folder, MINUTES)


def test_a_model_that_cannot_be_measured_is_never_offered(tmp_path, monkeypatch):
    def wrong(*arguments: object) -> None:
        raise KeyError("a number that is not there")

    folder = begun(tmp_path, own_pictures.some(40), 10)
    monkeypatch.setattr(card, "write_card", wrong)
    with pytest.raises(KeyError):
        work(folder, MINUTES)
    assert not (folder / asked.MODEL).exists()


# ---- in one file ----


def brought(root: Path, content: bytes) -> Path:
    folder = root / KEY
    folder.mkdir()
    asked.write(folder, Asked(KEY, "Brought", {}))
    (folder / asked.BROUGHT).mkdir()
    (folder / asked.BROUGHT / checkpoint.WEIGHTS).write_bytes(content)
    return folder


def test_a_model_that_was_taken_away_comes_back_the_same(trained, tmp_path):
    before = trained / asked.MODEL / KEY
    folder = brought(tmp_path, packed.packed(before))
    assert work(folder, MINUTES) == DONE
    after = folder / asked.MODEL / KEY
    weights = [checkpoint.read(one / checkpoint.WEIGHTS)[1] for one in (before, after)]
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())
    cards = [json.loads((one / "card.json").read_text()) for one in (before, after)]
    assert cards[0]["numbers"] == cards[1]["numbers"]
    assert own.load(after / own.FILE).name == own.load(before / own.FILE).name
    assert {file.name for file in after.iterdir()} == {file.name for file in before.iterdir()}


def test_the_file_that_is_taken_away_is_a_model_for_python_too(trained, tmp_path):
    import vae

    path = tmp_path / "mine.safetensors"
    path.write_bytes(packed.packed(trained / asked.MODEL / KEY))
    model = vae.load(path, "cpu")
    assert model.latents == 4


def test_a_network_that_pages_cannot_show_is_refused_with_why(tmp_path):
    path = pretrained.folder_of("mnist-conditional") / checkpoint.WEIGHTS
    folder = brought(tmp_path, path.read_bytes())
    assert work(folder, MINUTES) == FAILED
    assert "only together with its class" in asked.said(folder)
    assert not (folder / asked.MODEL).exists()


def test_a_network_that_needs_too_much_memory_to_be_measured_is_refused_with_why(trained, tmp_path, monkeypatch):
    def scarce(*arguments: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    folder = brought(tmp_path, packed.packed(trained / asked.MODEL / KEY))
    monkeypatch.setattr(card, "write_card", scarce)
    assert work(folder, MINUTES) == FAILED
    assert "memory" in asked.said(folder)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04K\x01.", b"\xff" * 100], ids=repr)
def test_what_is_no_model_ends_in_a_sentence(tmp_path, content):
    folder = brought(tmp_path, content)
    assert work(folder, MINUTES) == FAILED
    assert asked.said(folder)
    assert str(tmp_path) not in asked.said(folder)
    assert not (folder / asked.MODEL).exists()
