"""A run on disk: what it goes on from, what is refused, and what happens where it cannot be written."""

import errno
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from vae import data
from vae.data import Split
from vae.models import VAE, Autoencoder, Conditional, checkpoint
from vae.models.spaces import Pictures
from vae.train import saved
from vae.train.command import main
from vae.train.loop import HOPELESS, Diverged, train
from vae.train.recipes import RECIPES, Recipe, recipe_from
from vae.train.run import Run
from vae.train.saved import LOG, STATE, Keeper
from vae.train.validation import validate

ROOT = Path(__file__).resolve().parents[2]
MODEL = VAE.Config(Pictures(), 2, width=16)
TINY = Recipe("tiny", "mnist", MODEL, 12, 20, learning_rate=3e-3, warmup=5, kl_warmup=2.0, ema=0.9, full_precision=True)
WEIGHTS = checkpoint.WEIGHTS


@pytest.fixture
def command_line(tmp_path, monkeypatch, digits):
    """`main` on 200 digits and the tiny recipe, in an empty folder; the signal handlers are put back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(RECIPES, "tiny", TINY)
    monkeypatch.setattr(data, "load", lambda name, split: Split(digits[:200], torch.arange(200) % 10))
    for name in ("WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield lambda *words: main(["tiny", *words, "--device", "cpu"])
    for number, handler in handlers.items():
        signal.signal(number, handler)


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Ctrl-C during a step."""
    advance = Run.advance

    def stopped(run: Run):
        if run.step == step:
            signal.raise_signal(signal.SIGINT)
        return advance(run)

    monkeypatch.setattr(Run, "advance", stopped)


def begun(command_line, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run that was stopped at step 50 of 120."""
    with monkeypatch.context() as patch:
        stop_at(patch, 30)
        assert command_line() == 130
    return Path("runs/tiny")


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("changes", "words", "said"),
    [
        ({}, ("--epochs", "24"), "epochs was 12 and is 24"),
        ({}, ("--epochs", "3"), "epochs was 12 and is 3"),
        ({"learning_rate": 1e-2}, (), "learning_rate was 0.003 and is 0.01"),
        ({"beta": 4.0, "seed": 1}, (), "beta was 1.0 and is 4.0, seed was 0 and is 1"),
        ({"name": "other"}, ("--out", "runs/tiny"), "name was 'tiny' and is 'other'"),
        ({"model": Autoencoder.Config(Pictures(), 2, width=16)}, (), "family was 'vae' and is 'autoencoder'"),
        ({"dataset": "fashion-mnist"}, (), "dataset was 'mnist' and is 'fashion-mnist'"),
        ({}, ("--validate", "20"), "held_out was 0 and is 20"),
    ],
)
def test_resuming_with_another_recipe_is_refused_with_the_difference_and_touches_nothing(
    changes, words, said, command_line, monkeypatch, capsys
):
    folder = begun(command_line, monkeypatch)
    before = snapshot(folder)
    monkeypatch.setitem(RECIPES, "tiny", replace(TINY, **changes))
    assert command_line("--resume", *words) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"runs/tiny was begun with another recipe: {said} now. Resume with the same, or begin anew in another folder "
        "(--out)."
    )
    assert snapshot(folder) == before


def test_a_state_that_does_not_name_its_recipe_is_refused(command_line, monkeypatch, capsys):
    folder = begun(command_line, monkeypatch)
    save_file(load_file(folder / STATE), folder / STATE)
    assert command_line("--resume") == 1
    assert f"runs/tiny/{STATE} does not say which recipe it is of" in capsys.readouterr().err


@pytest.mark.parametrize("changed", [{"step": 121}, {"step": -1}, {"step": math.nan}, {"seconds": math.nan}])
def test_a_state_of_a_step_that_the_run_does_not_have_is_refused(changed, digits):
    run = Run(TINY, digits[:200])
    progress = {"step": 50, "skipped": 0, "seconds": 1.0} | changed
    with pytest.raises(ValueError, match="is not one of recipe tiny"):
        run.restore(run.state() | {"progress": torch.tensor(list(progress.values()), dtype=torch.float64)})


def test_a_state_with_weights_that_are_no_numbers_is_refused(digits):
    run = Run(TINY, digits[:200])
    state = {name: tensor.clone() for name, tensor in run.state().items()}
    next(tensor for name, tensor in state.items() if name.startswith("average.module.")).fill_(math.nan)
    with pytest.raises(ValueError, match=r"^the saved state holds weights that are not finite numbers$"):
        run.restore(state)


def test_the_facts_tell_of_every_leg(command_line, monkeypatch):
    commits = iter("abcdefghijklmnopqrstuvwxyz")
    monkeypatch.setattr(saved, "_commit", lambda: next(commits))
    monkeypatch.setattr(saved, "_here", lambda run: {"device": "cpu", "processes": 1, "torch": "0", "commit": leg})
    leg = "first"
    folder = begun(command_line, monkeypatch)
    leg = "second"
    with monkeypatch.context() as patch:
        stop_at(patch, 60)
        assert command_line("--resume") == 130
    leg = "third"
    assert command_line("--resume") == 0
    leg = "idle"
    assert command_line("--resume") == 0  # there is nothing left to do, and who does that is no leg
    facts = checkpoint.training_facts(folder / WEIGHTS)
    assert [(one["first_step"], one["last_step"], one["commit"]) for one in facts["legs"]] == [
        (0, 50, "first"),
        (50, 100, "second"),
        (100, 120, "third"),
    ]
    assert facts["commit"] == "third"
    assert abs(sum(one["seconds"] for one in facts["legs"]) - facts["seconds"]) <= 2  # each is rounded
    assert recipe_from(facts["recipe"]) == TINY


def test_what_was_logged_after_the_last_save_is_logged_once(command_line, monkeypatch):
    folder = begun(command_line, monkeypatch)
    line = json.loads((folder / LOG).read_text())
    with (folder / LOG).open("a") as log:  # as a run that was killed at step 100 leaves it
        log.write(json.dumps(line | {"step": 100}) + '\n{"step": 10')
    assert command_line("--resume") == 0
    assert [json.loads(line)["step"] for line in (folder / LOG).read_text().splitlines()] == [50, 100, 120]


@pytest.mark.parametrize("left", [WEIGHTS, STATE, LOG])
def test_a_folder_that_holds_a_run_is_not_written_over(left, command_line, capsys, tmp_path):
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / left).write_text("somebody's")
    assert command_line("--out", "held") == 1
    said = capsys.readouterr().err
    assert said == "held holds a run already: --resume goes on with it, --out names another folder\n"
    assert snapshot(tmp_path / "held") == {left: b"somebody's"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--out", "file"), "file is a file; --out names a folder"),
        (("--out", "file/below"), "file/below cannot be written to: Not a directory"),
        (("--out", "/proc/here"), "/proc/here cannot be written to: No such file or directory"),
        (("--threads", "-1"), "--threads must be from 1 to 256, not -1"),
        (("--threads", "0"), "--threads must be from 1 to 256, not 0"),
        (("--threads", "100000"), "--threads must be from 1 to 256, not 100000"),
        (("--save-every", "-1"), "--save-every is a number of seconds, not -1.0"),
        (("--save-every", "nan"), "--save-every is a number of seconds, not nan"),
        (("--validate", "200"), "of 200 pictures 0 to 199 can be held out, not 200"),
        (("--validate", "-1"), "held_out is a number of pictures, not -1"),
        (("--validate", "190"), "a batch of 20 needs at least as many pictures, not 10"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence_before_the_first_step(words, said, command_line, monkeypatch, capsys):
    Path("file").touch()
    monkeypatch.setattr(Run, "advance", lambda run: pytest.fail("a step was taken"))
    assert command_line(*words) == 1
    assert capsys.readouterr().err == said + "\n"


def test_there_is_something_to_resume_from_before_the_first_step(command_line, monkeypatch):
    def killed(run: Run):
        raise SystemExit  # as little as SIGKILL would leave time for

    with monkeypatch.context() as patch:
        patch.setattr(Run, "advance", killed)
        with pytest.raises(SystemExit):
            command_line()
    assert command_line("--resume") == 0


def test_the_first_report_is_saved_and_then_every_so_many_seconds(tmp_path, monkeypatch, digits):
    run, now, written = Run(TINY, digits[:200]), [0.0], []
    monkeypatch.setattr(saved.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(saved, "write", lambda run, folder: written.append(run.step))
    keeper = Keeper(run, tmp_path, 60.0)
    for metrics in train(run, every=10):
        keeper.report(metrics)
        now[0] += 25.0
    assert written == [10, 40, 70, 100]


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_a_warning_and_the_run_goes_on_and_is_saved_once_there_is_room(
    command_line, monkeypatch, capsys
):
    write, tries = saved.write, []

    def sometimes(run: Run, folder: Path) -> None:
        tries.append(run.step)
        write(run, folder) if len(tries) in (2, 6) else full()

    monkeypatch.setattr(saved, "write", sometimes)
    monkeypatch.setattr(saved, "AGAIN", 0.0)
    assert command_line("--save-every", "0") == 0
    assert tries == [50, 100, 120, 120, 120, 120]
    said = capsys.readouterr().err
    assert "Step 50 cannot be saved: No space left on device; nothing is saved yet. It will be tried again." in said
    assert "Step 120 cannot be saved: No space left on device; what is saved is step 100." in said
    assert checkpoint.training_facts(Path("runs/tiny") / WEIGHTS)["epochs"] == 12


def test_a_run_that_can_never_be_saved_ends_with_a_sentence_and_what_was_saved_stays(command_line, monkeypatch, capsys):
    folder = begun(command_line, monkeypatch)
    before = load_file(folder / STATE)
    monkeypatch.setattr(saved, "write", full)
    monkeypatch.setattr(saved, "AGAIN", 0.0)
    monkeypatch.setattr(saved, "PATIENCE", 0.05)
    assert command_line("--resume") == 1
    assert "Step 120 is not saved. The last good weights in runs/tiny are of step 50." in capsys.readouterr().err
    assert torch.equal(load_file(folder / STATE)["progress"], before["progress"])


def test_a_log_that_cannot_be_written_ends_no_run(command_line, tmp_path, capsys):
    (tmp_path / "runs" / "tiny").mkdir(parents=True)
    (tmp_path / "runs" / "tiny" / "metrics.jsonl.d").touch()
    original = Path.open
    try:
        Path.open = lambda path, *words, **more: full() if path.name == LOG else original(path, *words, **more)
        assert command_line() == 0
    finally:
        Path.open = original
    assert f"runs/tiny/{LOG} cannot be written: No space left on device." in capsys.readouterr().err


def poison(monkeypatch: pytest.MonkeyPatch, first: int, last: int = 10**9) -> None:
    """NaN pictures from one step to another."""
    batch = Run.batch

    def poisoned(run: Run):
        x, eps, y = batch(run)
        return (x * math.nan if first <= run.step <= last else x), eps, y

    monkeypatch.setattr(Run, "batch", poisoned)


def test_a_run_whose_gradient_stays_broken_stops_with_a_sentence_and_the_last_good_weights(
    command_line, monkeypatch, capsys, digits
):
    poison(monkeypatch, 45)
    assert command_line() == 1
    said = capsys.readouterr().err
    assert "The last 55 steps had no finite gradient, so training ends at step 100 of 120." in said
    kept = checkpoint.load(Path("runs/tiny") / WEIGHTS, "cpu")
    good = Run(TINY, digits[:200])
    for _ in range(45):
        good.advance()
    expected = good.average.module.state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in kept.state_dict().items())
    steps = [
        json.loads(line, parse_constant=pytest.fail) for line in (Path("runs/tiny") / LOG).read_text().splitlines()
    ]
    assert [line["loss"] is None for line in steps] == [False, True]  # the second report had no good step


def test_weights_that_are_no_numbers_are_never_saved(command_line, monkeypatch, capsys):
    advance = Run.advance

    def broken(run: Run):
        if run.step == 60:
            next(run.model.parameters()).data.fill_(math.nan)
            next(run.average.module.parameters()).data.fill_(math.nan)
        return advance(run)

    monkeypatch.setattr(Run, "advance", broken)
    assert command_line("--save-every", "0") == 1
    said = capsys.readouterr().err
    assert "The last good weights in runs/tiny are of step 50." in said
    assert "Traceback" not in said
    weights = checkpoint.load(Path("runs/tiny") / WEIGHTS, "cpu")
    assert all(tensor.isfinite().all() for tensor in weights.state_dict().values())
    assert load_file(Path("runs/tiny") / STATE)["progress"][0] == 50


def test_a_few_broken_steps_are_left_out_of_the_means(monkeypatch, digits):
    poison(monkeypatch, 13, 14)
    run = Run(TINY, digits[:200])
    reports = list(train(run, every=10))
    assert all(math.isfinite(value) for metrics in reports for value in vars(metrics).values())
    assert [metrics.skipped for metrics in reports] == [0] + 11 * [2]


def test_a_device_whose_optimiser_cannot_be_told_is_asked(monkeypatch, digits):
    run = Run(TINY, digits[:200])
    run.advance()
    before = {name: tensor.clone() for name, tensor in run.state().items()}
    run.waits = True
    monkeypatch.setattr(run.optimiser, "step", lambda: pytest.fail("a step was taken with a broken gradient"))
    run._update(torch.tensor(False))
    after = run.state() | {"progress": before["progress"]}
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert run.skipped == 1


def test_a_healthy_run_is_never_hopeless(digits):
    run = Run(TINY, digits[:200])
    run.skipped_in_a_row.fill_(HOPELESS - 1)
    next(train(run, every=10))
    assert int(run.skipped_in_a_row) == 0


def test_the_loop_reports_before_it_gives_up(monkeypatch, digits):
    poison(monkeypatch, 0)
    run, reports = Run(TINY, digits[:200]), []
    with pytest.raises(Diverged, match="training ends at step 50 of 120"):
        reports.extend(metrics.step for metrics in train(run, every=25))
    assert reports == [25, 50]


@pytest.mark.parametrize(
    "model",
    [MODEL, Autoencoder.Config(Pictures(), 2, width=16), Conditional.Config(Pictures(), 2, width=16, classes=10)],
    ids=["vae", "autoencoder", "conditional"],
)
def test_held_out_pictures_are_never_trained_on_and_their_elbo_is_printed(
    model, command_line, monkeypatch, capsys, digits
):
    monkeypatch.setitem(RECIPES, "tiny", replace(TINY, model=model, epochs=2))
    whole = Split(digits[:200], torch.arange(200) % 10)
    seen, held_out = data.hold_out(whole, 40)
    pictures = []
    grey = data.grey
    monkeypatch.setattr(data, "grey", lambda images: pictures.append(images) or grey(images))
    assert command_line("--validate", "40") == 0
    trained = {picture.numpy().tobytes() for batch in pictures if len(batch) == TINY.batch for picture in batch}
    assert trained == {picture.numpy().tobytes() for picture in seen.images}
    assert not trained & {picture.numpy().tobytes() for picture in held_out.images}
    facts = checkpoint.training_facts(Path("runs/tiny") / WEIGHTS)
    found = validate(checkpoint.load(Path("runs/tiny") / WEIGHTS, "cpu"), held_out)
    assert facts["recipe"]["held_out"] == 40
    assert facts["validation"] == pytest.approx(found)
    assert (
        f"-ELBO of 40 held-out pictures: {found['negative_elbo']} +- {found['error']} nats" in capsys.readouterr().err
    )


def test_the_held_out_pictures_are_the_same_for_all_recipes_and_random_ones():
    split = Split(torch.arange(100, dtype=torch.uint8).view(100, 1, 1, 1), torch.arange(100))
    seen, held_out = data.hold_out(split, 30)
    assert torch.equal(held_out.labels, data.hold_out(split, 30)[1].labels)
    assert sorted([*seen.labels.tolist(), *held_out.labels.tolist()]) == list(range(100))
    assert torch.equal(held_out.images.flatten().long(), held_out.labels)
    assert held_out.labels.tolist() != sorted(held_out.labels.tolist())
    assert torch.equal(data.hold_out(split, 10)[1].labels, held_out.labels[:10])
    assert data.hold_out(split, 0)[0] is split


STOPPED_WHILE_IMPORTING = """
import os, runpy, signal, sys
class CtrlC:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, CtrlC())
sys.argv = [sys.argv[0], sys.argv[1]]
runpy.run_module("vae.train", run_name="__main__", alter_sys=True)
"""
EARLY = "Stopped before the first step; nothing was saved.\n"


@pytest.mark.parametrize("imported", ["torch", "torch.optim", "vae.train.run"])
def test_ctrl_c_while_modules_are_imported_is_one_sentence(imported):
    words = [sys.executable, "-c", STOPPED_WHILE_IMPORTING, imported]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (130, EARLY)


def test_ctrl_c_while_the_data_are_loaded_is_one_sentence(command_line, monkeypatch, capsys):
    def stopped(name: str, split: str) -> Split:
        raise KeyboardInterrupt

    monkeypatch.setattr(data, "load", stopped)
    assert command_line() == 130
    assert capsys.readouterr().err == EARLY
    assert not Path("runs").exists()


WORKER = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from tests.train.test_saved import TINY, digits_of_all
from vae import data
from vae.train.recipes import RECIPES
from vae.train import saved
from vae.train.command import main
from vae.train.run import Run
RECIPES["tiny"] = TINY
load = data.load
data.load = lambda name, split: digits_of_all(load)
rank, restart = int(os.environ["RANK"]), int(os.environ["TORCHELASTIC_RESTART_COUNT"])
Path(f"pid-{rank}-{restart}").write_text(str(os.getpid()))
advance = Run.advance
def killed(run):
    if rank == 0 and restart == 0 and run.step == 80:
        os.kill(os.getpid(), signal.SIGKILL)
    return advance(run)
Run.advance = killed
sys.exit(main(["tiny", "--out", "run", "--device", "cpu", "--save-every", "0"]))
"""


def digits_of_all(load: Callable[[str, str], Split]) -> Split:
    return Split(load("mnist", "test").images[:200], torch.arange(200) % 10)


def torchrun(folder: Path, script: str) -> subprocess.CompletedProcess:
    """Two processes that meet over the loopback, started again up to three times."""
    (folder / "worker.py").write_text(script)
    environment = os.environ | {
        "GLOO_SOCKET_IFNAME": "lo",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }
    start = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--max-restarts=3"]
    meet = ["--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0", "--local-addr=127.0.0.1"]
    command = [*start, *meet, "--monitor-interval=0.1", "worker.py"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)


def test_a_killed_process_is_started_again_by_torchrun_and_goes_on_from_the_last_save(tmp_path):
    done = torchrun(tmp_path, WORKER)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Going on at step 50 of 120." in done.stderr
    assert sorted(path.name for path in tmp_path.glob("pid-*")) == ["pid-0-0", "pid-0-1", "pid-1-0", "pid-1-1"]
    steps = [json.loads(line)["step"] for line in (tmp_path / "run" / LOG).read_text().splitlines()]
    assert steps == [50, 100, 120]
    legs = checkpoint.training_facts(tmp_path / "run" / WEIGHTS)["legs"]
    assert [(leg["first_step"], leg["last_step"], leg["processes"]) for leg in legs] == [(0, 50, 2), (50, 120, 2)]
    straight = Run(TINY, digits_of_all(data.load).images)
    for _ in train(straight):
        pass
    weights = checkpoint.load(tmp_path / "run" / WEIGHTS, "cpu").state_dict()
    for name, tensor in straight.average.module.state_dict().items():
        torch.testing.assert_close(weights[name], tensor, rtol=0, atol=2e-3)  # sums in another order, over 120 steps


@pytest.mark.parametrize(
    ("launched", "name", "restarts", "expected"),
    [
        ("torchrun 7", "none", "1", True),  # the same torchrun
        ("torchrun 8", "none", "1", False),  # an earlier torchrun's run is not gone on with unasked
        ("torchrun 7", "none", "0", False),
        ("night", "night", "2", True),
        ("night", "day", "2", False),
        ("", "none", "1", False),
    ],
)
def test_only_what_the_same_torchrun_began_is_gone_on_with_unasked(
    launched, name, restarts, expected, tmp_path, monkeypatch
):
    save_file({"a": torch.zeros(1)}, tmp_path / STATE, {"launch": launched})
    monkeypatch.setattr(os, "getppid", lambda: 7)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", name)
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", restarts)
    assert saved.is_restarted(tmp_path) is expected
    (tmp_path / STATE).write_bytes(b"damaged")
    assert not saved.is_restarted(tmp_path)
    assert not saved.is_restarted(tmp_path / "nowhere")
