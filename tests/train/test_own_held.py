"""Held-out pictures beside a training: when they are looked at, what is kept of it, and what is written down."""

import itertools
import json
import math
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from tests.train.ones_own import PLAIN, TINY, folder, handlers
from vae import data
from vae.data import own
from vae.models import checkpoint
from vae.objective import terms
from vae.train.command import board, main
from vae.train.loop import Metrics
from vae.train.own.held import BEST, DRAWS, HeldOut, is_past_its_best
from vae.train.own.lookout import Lookout, every, marks
from vae.train.own.presets import preset
from vae.train.run import Run


@pytest.fixture
def mine(digits) -> data.Own:
    labels = torch.zeros(60, dtype=torch.int64)
    return own.opened(own.own_set("mine", (), own.SHAPES["bits-28"].spec("plain"), digits[:60], labels))


def run_of(mine: data.Own, beta: float = 1.0) -> Run:
    return Run(preset("mine", mine, "quick", 2, beta), mine.part("train").images)


@pytest.mark.parametrize("steps", [1, 7, 60, 400, 2002, 8000, 100_000])
def test_looks_are_at_steps_that_are_reported_ever_farther_apart_and_at_the_last(steps):
    found = sorted(marks(steps))
    assert found[-1] == steps
    assert all(mark % every(steps) == 0 for mark in found[:-1])
    gaps = [later - sooner for sooner, later in itertools.pairwise(found[:-1])]
    assert gaps == sorted(gaps)
    assert len(found) <= 100


def test_what_is_seen_is_the_loss_of_the_averaged_weights_with_the_same_noise_each_time(mine, tmp_path):
    run = run_of(mine, beta=3.0)
    held = HeldOut(run, mine, tmp_path)
    for _ in range(3):
        run.advance()
    found = held.numbers()
    assert found == held.numbers()
    x = data.as_read(data.grey(mine.part("validation").images), mine.spec)
    model = run.average.module.eval()
    with torch.no_grad():
        parts = [terms(model, x, eps=held.eps[draw, : len(x)]) for draw in range(DRAWS)]
    distortion = -float(torch.stack([part.log_likelihood for part in parts]).mean())
    rate = float(parts[0].kl.mean())
    expected = {"distortion": distortion, "rate": rate, "negative_elbo": distortion + rate}
    expected["loss"] = distortion + 3 * rate
    assert found["validation"] == pytest.approx(expected, abs=2e-3)


def test_only_weights_that_are_better_are_kept(mine, tmp_path):
    run = run_of(mine)
    held = HeldOut(run, mine, tmp_path)
    assert not held.keep(1.0)  # before the first step there is nothing to keep
    run.advance()
    assert held.keep(5.0)
    assert not held.keep(5.0)
    assert not held.keep(math.nan)
    run.advance()
    assert held.keep(4.0)
    assert checkpoint.training_facts(tmp_path / BEST) == {"step": 2, "loss": 4.0}


def test_it_learns_by_heart_where_it_became_worse_for_as_long_as_it_became_better():
    steps = [10 * step for step in range(1, 20)]
    assert not is_past_its_best([], [])
    assert not is_past_its_best(steps, [float(-step) for step in steps])
    assert not is_past_its_best(steps, [abs(step - 100.0) for step in steps])
    assert is_past_its_best(steps, [abs(step - 90.0) for step in steps])
    assert not is_past_its_best(steps[:6], [abs(step - 10.0) for step in steps[:6]])


def test_weights_that_cannot_be_kept_are_a_warning_and_the_training_goes_on(mine, tmp_path, capsys, monkeypatch):
    def full(*words: object) -> None:
        raise OSError(28, "No space left on device")

    run = run_of(mine)
    lookout = Lookout(run, mine, tmp_path)
    monkeypatch.setattr(checkpoint, "save", full)
    for _ in range(10):
        run.advance()
    assert set(lookout()) == {"validation", "train"}
    assert "The best weights cannot be saved: No space left on device." in capsys.readouterr().err


class Writer:
    """What stands for TensorBoard's."""

    written: list[tuple[str, float, int]] = []  # noqa: RUF012
    made: list[dict] = []  # noqa: RUF012

    def __init__(self, folder: str, purge_step: int):
        Writer.made.append({"folder": folder, "purge_step": purge_step})

    def add_scalar(self, name: str, value: float, step: int) -> None:
        Writer.written.append((name, value, step))

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def tensorboard(monkeypatch) -> type[Writer]:
    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    monkeypatch.setattr(board, "find_spec", lambda name: object())
    monkeypatch.setattr(Writer, "written", [])
    monkeypatch.setattr(Writer, "made", [])
    return Writer


def trained(tmp_path: Path, monkeypatch, digits) -> list[dict]:
    monkeypatch.chdir(tmp_path)
    with handlers():
        words = ("--data", str(folder(tmp_path / "pictures", digits)), "--name", "mine", "--device", "cpu")
        assert main([*words, *TINY, *PLAIN]) == 0
    return [json.loads(line) for line in Path("runs/mine/metrics.jsonl").read_text().splitlines()]


def test_tensorboard_is_told_what_the_log_says(tensorboard, tmp_path, monkeypatch, digits):
    lines = trained(tmp_path, monkeypatch, digits)
    assert tensorboard.made == [{"folder": "runs/mine", "purge_step": 1}]
    told = {(name, step): value for name, value, step in tensorboard.written}
    for line in lines:
        step = line["step"]
        assert told["train/loss", step] == line["loss"]
        assert told["train/distortion", step] == -line["log_likelihood"]
        assert told["train/rate", step] == line["kl"]
        assert told["learning_rate", step] == line["learning_rate"]
        if "validation" in line:
            assert told["held_out/negative_elbo", step] == line["validation"]["negative_elbo"]
    assert any("validation" in line for line in lines)


def test_a_board_that_cannot_be_written_ends_no_run(tensorboard, tmp_path, monkeypatch, digits, capsys):
    def full(*words: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tensorboard, "add_scalar", full)
    assert trained(tmp_path, monkeypatch, digits)[-1]["step"] == 60
    assert capsys.readouterr().err.count("Nothing more is written for TensorBoard: No space left on device.") == 1


def test_without_tensorboard_nothing_of_it_is_imported(tmp_path, monkeypatch, digits):
    monkeypatch.setattr(board, "find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    trained(tmp_path, monkeypatch, digits)
    assert "torch.utils.tensorboard" not in sys.modules
    assert not list(Path("runs/mine").glob("events*"))


@pytest.mark.filterwarnings("ignore")  # of what it imports
def test_the_event_files_are_read_by_tensorboard_itself(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for step, first in ((0, 50), (50, 100)):
        one = board.Board(tmp_path, step)
        one.report(Metrics(first, 200, 1.0, 1.0, 7.0, -5.0, 2.0, 1.0, 1e-3, 1.0, 0), {"validation": {"loss": 8.0}})
        one.close()
    found = EventAccumulator(str(tmp_path)).Reload()
    assert [(event.step, event.value) for event in found.Scalars("train/loss")] == [(50, 7.0), (100, 7.0)]
    assert [event.value for event in found.Scalars("held_out/loss")] == [8.0, 8.0]
