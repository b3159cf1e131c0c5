"""The history of a training: it is watched without being changed, and says what the model itself says."""

import io
import math
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from vae import data
from vae.data import Split
from vae.models import VAE, checkpoint
from vae.models.spaces import Pictures
from vae.objective import elbo, terms
from vae.train import history, recorder
from vae.train.command import main
from vae.train.loop import train
from vae.train.recipes import RECIPES, Recipe
from vae.train.recorder import Recorder
from vae.train.run import Run

TINY = Recipe(
    "tiny", "mnist", VAE.Config(Pictures(), 2, width=16), 12, 20, warmup=0, kl_warmup=0.0, ema=0.0, full_precision=True
)
LABELS = torch.arange(200) % 10


@pytest.fixture
def command_line(tmp_path, monkeypatch, digits):
    """`main` on 200 digits and the tiny recipe, in an empty folder; the signal handlers are put back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(RECIPES, "tiny", TINY)
    monkeypatch.setattr(data, "load", lambda name, split: Split(digits[:200], LABELS))
    monkeypatch.setattr(recorder, "PICTURES", 50)
    for name in ("WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield lambda *words: main(["tiny", *words, "--device", "cpu"])
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_the_marks_begin_at_the_untrained_model_and_end_at_the_last_step():
    for steps in (1, 7, 120, 18720):
        every = history.marks(steps)
        assert every[0] == 0
        assert every[-1] == steps
        assert every == sorted(set(every))
        assert set(history.slow_marks(steps)) <= set(every[:-1])


def test_two_runs_give_the_same_file_and_so_does_one_that_was_stopped_and_another_not_watched_the_same_weights(
    command_line, tmp_path, monkeypatch
):
    assert command_line("--out", "plain") == 0
    assert command_line("--out", "straight", "--history", "straight.safetensors") == 0
    advance, stop = Run.advance, history.slow_marks(120)[1]

    def stopped(run: Run):
        if run.step == stop:
            signal.raise_signal(signal.SIGINT)
        return advance(run)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "advance", stopped)
        assert command_line("--out", "stopped", "--history", "stopped.safetensors") == 130
    assert command_line("--out", "stopped", "--history", "stopped.safetensors", "--resume") == 0
    assert (tmp_path / "straight.safetensors").read_bytes() == (tmp_path / "stopped.safetensors").read_bytes()
    plain, straight = (load_file(tmp_path / name / checkpoint.WEIGHTS) for name in ("plain", "straight"))
    assert plain.keys() == straight.keys()
    assert all(torch.equal(plain[name], straight[name]) for name in plain)


def test_what_is_kept_is_what_the_model_says_at_that_step(tmp_path, digits, monkeypatch):
    monkeypatch.setattr(recorder, "PICTURES", 50)
    run = Run(TINY, digits[:200])
    watch = Recorder(run, tmp_path / "h", Split(digits[:200], LABELS))
    list(train(run, watching=watch))
    kept = history.read(tmp_path / "h")
    assert kept.recipe == TINY
    assert kept.steps == history.marks(run.steps)
    x, model = data.fixed_binarisation("mnist")[kept.rows], run.model.eval()
    with torch.no_grad():
        q = model.encode(x)
        assert torch.allclose(kept.plane.mu[-1], q.mean, atol=2e-3)
        assert torch.allclose(kept.plane.sigma[-1], q.stddev, atol=2e-3)
        bound = elbo(model, x, 200, torch.Generator().manual_seed(9)).mean()
        assert float(-kept.test.distortion[-1] - kept.test.kl[-1].sum()) == pytest.approx(float(bound), abs=0.5)
        sheet = np.asarray(Image.open(io.BytesIO(kept.plane.sheets[-1])).convert("L"))
        side, reach = history.SIDE, history.REACH
        assert sheet.shape == (28 * side, 28 * side)
        top_right = model.decode(torch.tensor([[reach, reach]]) * (1 - 1 / side)).mean[0, 0]
        assert np.abs(sheet[:28, -28:] / 255 - top_right.numpy()).max() <= 0.51 / (recorder.GREYS - 1)


@torch.no_grad()
def summed(model: VAE, x: torch.Tensor, apart: float = 0.1) -> float:
    """log p(x) as the plain sum of p(x|z) p(z) over a grid."""
    along = torch.arange(-6, 6, apart)
    z = torch.cartesian_prod(along, along)
    joint = [model.decode(part).log_prob(x) + model.prior.log_prob(part) for part in z.split(4000)]
    return float(torch.cat(joint).logsumexp(0)) + 2 * math.log(apart)


def test_a_step_in_slow_motion_is_the_step_that_the_run_takes(tmp_path, digits, monkeypatch):
    monkeypatch.setattr(recorder, "PICTURES", 50)
    run = Run(TINY, digits[:200])
    list(train(run, watching=Recorder(run, tmp_path / "h", Split(digits[:200], LABELS))))
    kept = history.read(tmp_path / "h")
    assert list(kept.slow) == history.slow_marks(run.steps)
    again = Run(TINY, digits[:200])
    for step, slow in kept.slow.items():
        while again.step < step:
            again.advance()
        x, eps, _ = again.batch()
        assert torch.equal(slow.x.view(-1, 1, 28, 28).float(), x)
        assert torch.equal(slow.labels.long(), LABELS[again.rows()])
        q = again.model.encode(x)
        parts = terms(again.model, x, eps=eps)
        found = torch.stack([parts.log_likelihood, parts.kl]).detach()
        assert torch.allclose(torch.stack([slow.log_likelihood[0], slow.kl[0]]), found, atol=1e-3)
        nudged = torch.zeros_like(eps, requires_grad=True)
        again.model.decode(q.mean.detach() + nudged + q.stddev.detach() * eps).log_prob(x).sum().backward()
        assert torch.allclose(slow.gradient, nudged.grad, atol=1e-3)
        assert float(slow.evidence) == pytest.approx(summed(again.model, x[:1]), abs=0.05)
        again.optimiser.zero_grad()
        again.advance()
        with torch.no_grad():
            after = terms(again.model, x, eps=eps)
        found = torch.stack([after.log_likelihood, after.kl])
        assert torch.allclose(torch.stack([slow.log_likelihood[1], slow.kl[1]]), found, atol=1e-3)


def test_what_cannot_be_recorded_is_refused_with_one_sentence(tmp_path, digits):
    seen = Split(digits[:200], LABELS)
    twin = RECIPES["mnist-2d-ae"]
    with pytest.raises(ValueError, match=r"^--history is for a vae of binary pixels, which mnist-2d-ae is not$"):
        Recorder(Run(replace(twin, batch=20), digits[:200]), tmp_path / "h", seen)
    run = Run(TINY, digits[:200])
    run.advance()
    with pytest.raises(ValueError, match="cannot be read"):
        Recorder(run, tmp_path / "missing", seen)
    with pytest.raises(ValueError, match="cannot be read"):
        history.read(tmp_path / "missing")
    checkpoint.save(run.model, tmp_path / "weights", {})
    with pytest.raises(ValueError, match="is not a whole history of a training"):
        history.read(tmp_path / "weights")
