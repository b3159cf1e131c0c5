"""Training: resuming and splitting change nothing, broken steps are skipped, and the command line behaves."""

import itertools
import json
import math
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from torch import Tensor

from vae import data
from vae.data import Split
from vae.models import NETWORKS, VAE, Autoencoder, Conditional, Ladder, checkpoint
from vae.models.spaces import Pictures
from vae.objective import terms
from vae.train.command import main
from vae.train.loop import train
from vae.train.recipes import RECIPES, Recipe
from vae.train.run import Replica, Run, warmup_cosine
from vae.train.saved import LOG, STATE

ROOT = Path(__file__).resolve().parents[2]
TINY = Recipe(
    "tiny",
    "mnist",
    VAE.Config(Pictures(), 2, width=16, channels=(4, 8)),
    epochs=12,
    batch=20,
    learning_rate=3e-3,
    warmup=5,
    kl_warmup=2.0,
    ema=0.9,
    full_precision=True,  # sums in another order must agree to 1e-5
)


SIZES = {"width": 16, "channels": (4, 8)}
KINDS = {network: replace(TINY.model, network=network) for network in NETWORKS} | {
    "autoencoder": Autoencoder.Config(Pictures(), 2, **SIZES),
    "conditional": Conditional.Config(Pictures(), 2, **SIZES, classes=10),
    "ladder": Ladder.Config(Pictures(), 2, **SIZES, layers=(1, 1)),
}
LABELS = torch.arange(200) % 10


def variant(kind: str) -> Recipe:
    return replace(TINY, model=KINDS[kind])


def run_for(recipe: Recipe, pictures: Tensor, steps: int = 0) -> Run:
    run = Run(recipe, pictures[:200], labels=LABELS)
    for _ in range(steps):
        run.advance()
    return run


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_run_is_bit_for_bit_the_uninterrupted_one(kind, tmp_path, digits):
    recipe = variant(kind)
    straight = run_for(recipe, digits, 24)
    save_file(run_for(recipe, digits, 13).state(), tmp_path / STATE)  # in the middle of the second epoch
    resumed = Run(replace(recipe), digits[:200], labels=LABELS)
    resumed.restore(load_file(tmp_path / STATE))
    assert resumed.step == 13
    for _ in range(11):
        resumed.advance()
    assert same(straight.state(), resumed.state())
    assert not same(straight.state(), run_for(replace(recipe, seed=1), digits, 24).state())


def test_a_state_of_another_kind_is_refused_with_one_sentence(digits):
    run = run_for(TINY, digits, 1)
    other = run_for(replace(TINY, model=replace(TINY.model, width=24)), digits, 1).state()
    state = run.state()
    for wrong in (
        {},
        other,
        run_for(variant("conv"), digits, 1).state(),
        dict(run.model.state_dict()),
        {name: tensor for name, tensor in state.items() if name != "progress"},
        state | {"progress": torch.tensor([3, 0])},
        state | {"optimiser.99.exp_avg": torch.zeros(3)},
        state | {"optimiser.first.exp_avg": torch.zeros(3)},
    ):
        with pytest.raises(ValueError, match=r"^the saved state is not one of recipe tiny$"):
            run.restore(wrong)


REPLICA = """
import sys
from datetime import timedelta
import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from vae.train.recipes import Recipe
from vae.models.families.ladder import LadderConfig
from vae.models.families.vae import AutoencoderConfig, VAEConfig
from vae.models.spaces import Pictures
from vae.train.loop import train
from vae.train.run import Replica, Run
torch.set_num_threads(1)
folder, recipe, steps = sys.argv[1], eval(sys.argv[2]), int(sys.argv[3])
dist.init_process_group("gloo", f"file://{folder}/store", timedelta(seconds=60), rank=1, world_size=2)
run = Run(recipe, load_file(f"{folder}/pictures")["pictures"], replica=Replica(1, 2))
for _ in range(steps):
    run.advance()
next(train(run, every=10))
save_file(run.state(), f"{folder}/replica")
dist.destroy_process_group()
"""


@pytest.mark.parametrize("kind", ["dense", "autoencoder", "ladder"])
def test_two_processes_take_the_steps_of_one(kind, tmp_path, digits, monkeypatch):
    recipe = variant(kind)
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    save_file({"pictures": digits[:200]}, tmp_path / "pictures")
    other = subprocess.Popen([sys.executable, "-c", REPLICA, str(tmp_path), repr(recipe), "5"], cwd=ROOT)
    try:
        store = f"file://{tmp_path}/store"
        dist.init_process_group("gloo", store, timedelta(seconds=60), rank=0, world_size=2)
        single, half = Run(recipe, digits[:200]), Run(recipe, digits[:200], replica=Replica(0, 2))
        for _ in range(5):
            single.advance()
            half.advance()
            assert half.batch()[0].shape[0] == 10
            for one, two in zip(single.model.parameters(), half.model.parameters(), strict=True):
                torch.testing.assert_close(two.grad, one.grad, rtol=1e-4, atol=1e-5 * one.grad.abs().max().item())
                torch.testing.assert_close(two, one, rtol=0, atol=1e-5)
        whole, mean = next(train(single, every=10)), next(train(half, every=10))
        assert mean.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-4)
        assert mean.kl == pytest.approx(whole.kl, rel=1e-3)
        assert mean.gradient_norm == pytest.approx(whole.gradient_norm, rel=1e-3)
        assert other.wait(60) == 0
    finally:
        other.kill()
        other.wait()
        if dist.is_initialized():
            dist.destroy_process_group()
    there = load_file(tmp_path / "replica")
    assert same(half.state() | {"progress": there["progress"]}, there)


def test_the_rows_of_all_replicas_are_the_batch():
    batch = torch.arange(12)
    assert torch.equal(torch.cat([Replica(rank, 4).rows(batch) for rank in range(4)]), batch)


def test_batches_that_cannot_be_formed_are_refused(digits):
    with pytest.raises(ValueError, match="batch of 20 cannot be split evenly over 3 processes"):
        Run(TINY, digits, replica=Replica(0, 3))
    with pytest.raises(ValueError, match="batch of 20 needs at least as many pictures, not 19"):
        Run(TINY, digits[:19])
    with pytest.raises(ValueError, match=r"reads \(1, 28, 28\), not \(1, 20, 28\)"):
        Run(TINY, digits[:, :, :20])


def test_an_epoch_shows_every_picture_once_in_an_order_of_its_own():
    spec = Pictures(levels=256, preparation="crop")
    recipe = replace(TINY, model=replace(TINY.model, spec=spec))
    pictures = torch.arange(200, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 28, 28).contiguous()
    run, epochs = Run(recipe, pictures), []
    for _ in range(2):
        seen = []
        for _ in range(run.steps_per_epoch):
            seen.append((run.batch()[0][:, 0, 0, 0] * 255).round().int())
            run.step += 1
        epochs.append(torch.cat(seen).tolist())
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(200))
    assert epochs[0] != epochs[1]


def test_binary_models_see_fresh_bits_each_step_with_the_grey_values_as_probabilities():
    pictures = torch.full((20, 1, 28, 28), 64, dtype=torch.uint8)
    run = Run(TINY, pictures)
    first, noise, _ = run.batch()
    assert torch.equal(first, run.batch()[0])
    assert set(first.unique().tolist()) == {0.0, 1.0}
    assert first.mean().item() == pytest.approx(64 / 255, abs=4 * math.sqrt(0.19 / first.numel()))
    run.step += 1
    second, other_noise, _ = run.batch()
    assert not torch.equal(first, second)
    assert not torch.equal(noise, other_noise)


def test_a_step_with_a_gradient_that_is_not_finite_is_skipped_and_counted(digits, monkeypatch):
    run = run_for(TINY, digits, 3)
    before = {name: tensor.clone() for name, tensor in run.state().items()}
    x, eps, _ = run.batch()
    monkeypatch.setattr(run, "batch", lambda: (torch.full_like(x, math.nan), eps, None))
    _, norm = run.advance()
    monkeypatch.undo()
    assert not norm.isfinite()
    assert (run.step, run.skipped) == (4, 1)
    after = run.state() | {"progress": before["progress"]}
    assert same(before, after)
    assert run.advance()[1].isfinite()
    assert (run.step, run.skipped) == (5, 1)
    assert all(tensor.isfinite().all() for tensor in run.state().values())


def test_a_large_gradient_is_clipped_to_the_recipes_norm(digits):
    run = Run(replace(TINY, clip=0.5), digits[:200])
    _, norm = run.advance()
    clipped = torch.stack([parameter.grad.norm() for parameter in run.model.parameters()]).norm()
    assert norm > 0.5
    assert clipped.item() == pytest.approx(0.5, rel=1e-3)


def test_the_kept_weights_are_the_exponential_average_of_those_trained(digits):
    run = run_for(TINY, digits, 1)
    expected = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    for _ in range(4):
        run.advance()
        for name, tensor in run.model.state_dict().items():
            expected[name] = TINY.ema * expected[name] + (1 - TINY.ema) * tensor
    for name, tensor in run.average.module.state_dict().items():
        torch.testing.assert_close(tensor, expected[name])


def test_the_learning_rate_rises_linearly_then_falls_along_a_half_cosine_to_a_hundredth(digits):
    factors = [warmup_cosine(step, 105, 5) for step in range(105)]
    assert factors[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert factors[5] == 1.0
    assert factors[55] == pytest.approx((1 + 0.01) / 2)
    assert warmup_cosine(105, 105, 5) == pytest.approx(0.01)
    assert all(a >= b for a, b in itertools.pairwise(factors[5:]))
    assert warmup_cosine(0, 10, 0) == 1.0
    run = run_for(TINY, digits, 3)
    assert run.optimiser.param_groups[0]["lr"] == pytest.approx(TINY.learning_rate * 0.6)


def test_beta_rises_linearly_over_the_warm_up_epochs_and_stays(digits):
    run, seen = Run(replace(TINY, beta=4.0), digits[:200]), {}
    for step in (0, 5, 10, 20, 21, 119):
        run.step = step
        seen[step] = run.beta
    assert seen == pytest.approx({0: 0.0, 5: 1.0, 10: 2.0, 20: 4.0, 21: 4.0, 119: 4.0})
    assert Run(replace(TINY, kl_warmup=0.0), digits[:200]).beta == 1.0


def test_the_gradient_is_that_of_the_loss_with_the_current_beta(digits):
    run = run_for(replace(TINY, beta=3.0, kl_warmup=0.0, clip=math.inf), digits)
    x, eps, _ = run.batch()
    parts = terms(run.model, x, eps=eps)
    expected = torch.autograd.grad((3.0 * parts.kl - parts.log_likelihood).mean(), list(run.model.parameters()))
    run.advance()
    for parameter, gradient in zip(run.model.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_the_metrics_are_finite_and_improve_and_the_last_step_is_reported(digits):
    run = Run(replace(TINY, epochs=11), digits[:200])
    reports = list(train(run, every=25))
    assert [metrics.step for metrics in reports] == [25, 50, 75, 100, 110]
    assert all(math.isfinite(value) for metrics in reports for value in vars(metrics).values())
    assert reports[-1].loss < reports[0].loss - 50
    assert reports[-1].epoch == 11
    for metrics in reports[1:]:  # beta is 1 from the second epoch on
        assert metrics.loss == pytest.approx(metrics.kl - metrics.log_likelihood)
    assert list(train(run)) == []


def test_the_metrics_are_means_over_the_steps_since_the_last_report(digits):
    run, by_hand = Run(TINY, digits[:200]), Run(TINY, digits[:200])
    steps = [by_hand.advance() for _ in range(20)]
    _, second = (metrics for _, metrics in zip(range(2), train(run, every=10), strict=False))
    assert second.log_likelihood == pytest.approx(sum(s[0].log_likelihood.mean().item() for s in steps[10:]) / 10)
    assert second.kl == pytest.approx(sum(s[0].kl.mean().item() for s in steps[10:]) / 10)
    assert second.gradient_norm == pytest.approx(sum(s[1].item() for s in steps[10:]) / 10)


def test_training_ends_after_the_report_at_which_it_is_told_to_stop(digits):
    run, asked = Run(TINY, digits[:200]), iter([False, True])
    assert [metrics.step for metrics in train(run, every=10, stopping=lambda: next(asked))] == [10, 20]


@pytest.fixture
def command_line(tmp_path, monkeypatch, digits):
    """`main` on 200 digits and the tiny recipe, in an empty folder; the signal handlers are put back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(RECIPES, "tiny", TINY)
    monkeypatch.setattr(data, "load", lambda name, split: Split(digits[:200], torch.zeros(200, dtype=torch.int64)))
    for name in ("WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield lambda *words: main([*words, "--device", "cpu"])
    for number, handler in handlers.items():
        signal.signal(number, handler)


def interrupt(monkeypatch: pytest.MonkeyPatch, number: signal.Signals, step: int) -> None:
    """Has the signal arrive during a step."""
    advance = Run.advance

    def interrupted(run: Run):
        if run.step == step:
            signal.raise_signal(number)
        return advance(run)

    monkeypatch.setattr(Run, "advance", interrupted)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_saves_and_exits_130_and_resume_ends_where_an_uninterrupted_run_does(
    number, command_line, tmp_path, monkeypatch, capsys
):
    assert command_line("tiny", "--out", "straight") == 0
    with monkeypatch.context() as patch:
        interrupt(patch, number, 30)
        assert command_line("tiny", "--out", "stopped") == 130
    assert "Stopped at step 50 of 120 and saved; the same command with --resume goes on." in capsys.readouterr().err
    assert load_file(tmp_path / "stopped" / STATE)["progress"][0] == 50
    checkpoint.load(tmp_path / "stopped" / checkpoint.WEIGHTS, "cpu")
    assert command_line("tiny", "--out", "stopped", "--resume") == 0
    straight, resumed = (
        checkpoint.load(tmp_path / name / checkpoint.WEIGHTS, "cpu") for name in ("straight", "stopped")
    )
    assert same(straight.state_dict(), resumed.state_dict())
    steps = [json.loads(line)["step"] for line in (tmp_path / "stopped" / LOG).read_text().splitlines()]
    assert steps == [50, 100, 120]


def test_the_weights_go_to_runs_by_default_and_are_the_averaged_ones(command_line, tmp_path, digits, capsys):
    assert command_line("tiny", "--epochs", "2") == 0
    assert "runs/tiny/model.safetensors" in capsys.readouterr().err
    saved = checkpoint.load(tmp_path / "runs" / "tiny" / checkpoint.WEIGHTS, "cpu")
    expected = run_for(replace(TINY, epochs=2), digits, 20)
    assert same(saved.state_dict(), dict(expected.average.module.state_dict()))
    facts = checkpoint.training_facts(tmp_path / "runs" / "tiny" / checkpoint.WEIGHTS)
    assert (facts["recipe"]["name"], facts["epochs"], facts["skipped_steps"]) == ("tiny", 2, 0)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--resume"], "there is nothing to resume in runs/tiny"),
        (["--epochs", "0"], "epochs and batch must be at least 1"),
        (["--device", "nonsense"], "'nonsense' is not a device"),
    ],
)
def test_a_mistake_is_answered_with_one_sentence_and_exit_status_1(words, reason, command_line, capsys, tmp_path):
    status = main(["tiny", *words]) if "--device" in words else command_line("tiny", *words)
    assert status == 1
    said = capsys.readouterr().err
    assert reason in said
    assert said.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_a_damaged_state_is_answered_with_one_sentence(command_line, tmp_path, capsys):
    folder = tmp_path / "runs" / "tiny"
    folder.mkdir(parents=True)
    for content in (b"", b"nonsense" * 10):
        (folder / STATE).write_bytes(content)
        assert command_line("tiny", "--resume") == 1
        assert f"{STATE} cannot be read" in capsys.readouterr().err


def test_help_shows_examples_and_an_unknown_recipe_is_refused_with_those_there_are(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "python -m vae.train mnist-2d" in said
    for option in ("--out", "--resume", "--device", "--epochs", "--threads"):
        assert option in said
    with pytest.raises(SystemExit) as ended:
        main(["cifar"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert all(name in said for name in ("cifar", *RECIPES))


def test_a_conditional_recipe_needs_the_classes_it_knows(digits):
    recipe = variant("conditional")
    for labels in (None, LABELS + 1):
        with pytest.raises(ValueError, match=r"^recipe tiny needs the pictures' classes, from 0 to 9$"):
            Run(recipe, digits[:200], labels=labels)
    run = Run(recipe, digits[:200], labels=LABELS)
    x, _, y = run.batch()
    order = torch.randperm(200, generator=torch.Generator().manual_seed(recipe.seed << 32))[: len(x)]
    assert torch.equal(y, LABELS[order])
