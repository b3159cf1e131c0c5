"""A run on disk: its weights, the state from which it goes on, and its log, one line of metrics a report."""

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType

import torch
from safetensors import SafetensorError, safe_open
from tqdm import tqdm

from vae.models import checkpoint, files
from vae.train.loop import Metrics
from vae.train.recipes import Recipe, differences, recipe_from
from vae.train.run import Run

STATE, LOG = "state.safetensors", "metrics.jsonl"
AGAIN, PATIENCE = 10.0, 600.0  # seconds from one try to save a finished run to the next, and for how long


def facts(run: Run) -> dict:
    """What a model's card tells of its training; of several legs, `device` to `commit` are those of the last."""
    here, taken = _here(run), legs(run)
    last = taken[-1] if taken else here
    return {
        "recipe": asdict(run.recipe),
        "epochs": round(run.step / run.steps_per_epoch, 2),
        "seconds": round(run.seconds),
        "skipped_steps": run.skipped,
        **{key: last[key] for key in here},
        "legs": taken,
    } | ({} if run.validation is None else {"validation": run.validation})


def legs(run: Run) -> list[dict]:
    """Who took which steps: one entry for each time that the run was started or resumed."""
    seconds = round(run.seconds - run.first_seconds)
    this = {"first_step": run.first_step, "last_step": run.step, "seconds": seconds, **_here(run)}
    return [*run.legs, this] if run.step > run.first_step else [*run.legs]


def _here(run: Run) -> dict:
    cuda = run.device.type == "cuda"
    threads = f"{run.device.type}, {torch.get_num_threads()} threads"
    return {
        "device": torch.cuda.get_device_name(run.device) if cuda else threads,
        "processes": run.replica.world,
        "torch": torch.__version__,
        "commit": _commit(),
    }


def _commit() -> str | None:
    """The commit checked out where this file is; None outside a git checkout."""
    git = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def write(run: Run, folder: Path) -> None:
    """The averaged weights as `model.safetensors`, and the state from which `resume` goes on.

    OSError where they cannot be written; what was there stays then.
    """
    checkpoint.save(run.average.module, folder / checkpoint.WEIGHTS, facts(run))
    write_state(run, folder)


def write_state(run: Run, folder: Path) -> None:
    """The state alone. OSError where it cannot be written."""
    told = {"recipe": json.dumps(asdict(run.recipe)), "legs": json.dumps(legs(run)), "launch": launch()}
    files.save_tensors(run.state(), folder / STATE, told)


def resume(run: Run, folder: Path) -> None:
    """Go on from the state in a folder, its log cut to there.

    ValueError with a sentence where there is none, or it is damaged, or of another recipe.
    """
    before, earlier = _told(folder)
    try:
        with safe_open(folder / STATE, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{folder / STATE} cannot be read: {error}") from error
    if changed := differences(before, run.recipe):
        raise ValueError(
            f"{folder} was begun with another recipe: {', '.join(changed[:3])} now. Resume with the same, or begin "
            "anew in another folder (--out)."
        )
    run.restore(tensors)
    run.legs = earlier


def recipe_of(folder: Path) -> Recipe:
    """The recipe that a folder's run was begun with; ValueError with a sentence where there is none, or it is
    damaged."""
    return _told(folder)[0]


def _told(folder: Path) -> tuple[Recipe, list[dict]]:
    """The recipe and the legs of the run in a folder."""
    path = folder / STATE
    if not path.is_file():
        raise ValueError(f"there is nothing to resume in {folder}")
    try:
        with safe_open(path, framework="pt") as file:
            told = file.metadata() or {}
        return recipe_from(json.loads(told["recipe"])), json.loads(told["legs"])
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path} does not say which recipe it is of") from error


def cut_log(folder: Path, step: int) -> None:
    """Take away what was reported after a step, which will be reported again."""
    path = folder / LOG
    if path.is_file():
        kept = [line for line in path.read_text().splitlines(keepends=True) if _step(line) <= step]
        with files.whole(path) as draft:
            draft.write_text("".join(kept))


def _step(line: str) -> float:
    """The step of a line of the log; infinity where a full disk has cut it off."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf


def logged(folder: Path, step: int) -> list[dict]:
    """What was reported up to a step, line by line."""
    path = folder / LOG
    lines = path.read_text().splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines if _step(line) <= step]


def launch() -> str:
    """What the processes that one torchrun starts, and starts again, have in common; "" without torchrun."""
    name = os.environ.get("TORCHELASTIC_RUN_ID", "")
    return f"torchrun {os.getppid()}" if name == "none" else name


def is_restarted(folder: Path) -> bool:
    """Whether torchrun starts this process again, after one that it started before has saved into the folder."""
    if not int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) or not (folder / STATE).is_file():
        return False
    try:
        with safe_open(folder / STATE, framework="pt") as file:
            return (file.metadata() or {}).get("launch") == launch()
    except (SafetensorError, OSError):
        return False


class Keeper:
    """Writes a run into its folder now and then, as `write` does or somebody else's `writing`. What cannot be written
    is a warning, and is tried again."""

    def __init__(self, run: Run, folder: Path, every: float, writing: Callable[[Run, Path], None] | None = None):
        self.run, self.folder, self.every, self._writing = run, folder, every, writing
        self.step = run.first_step or None  # whose weights are on disk
        self._tried = -math.inf

    def report(self, metrics: Metrics, held_out: Mapping[str, dict[str, float]] = MappingProxyType({})) -> None:
        """A line of the log, with what was seen of held-out pictures, and, where it is time, the run."""
        line = _finite(asdict(metrics)) | {part: _finite(numbers) for part, numbers in held_out.items()}
        try:
            with (self.folder / LOG).open("a") as log:
                log.write(json.dumps(line) + "\n")
        except OSError as error:
            warn(f"{self.folder / LOG} cannot be written: {error.strerror or error}.")
        if time.monotonic() - self._tried >= self.every:
            self.keep()

    def keep(self) -> bool:
        """Whether the run could be written. Weights that are not finite numbers never replace those that are."""
        self._tried = time.monotonic()
        if not self.run.is_finite():
            warn(f"Step {self.run.step} is not saved: its weights are not finite numbers.")
            return False
        try:
            (self._writing or write)(self.run, self.folder)
        except OSError as error:
            last = "nothing is saved yet" if self.step is None else f"what is saved is step {self.step}"
            warn(f"Step {self.run.step} cannot be saved: {error.strerror or error}; {last}. It will be tried again.")
            return False
        self.step = self.run.step
        return True

    def insist(self, stopping: Callable[[], bool]) -> bool:
        """Try for as long as PATIENCE, because what is not written now is lost; or until a Ctrl-C from now on."""
        asked, end = stopping(), time.monotonic() + PATIENCE
        while not self.keep():
            if time.monotonic() > end or stopping() > asked:
                return False
            time.sleep(AGAIN)
        return True


def _finite(numbers: dict[str, int | float]) -> dict[str, int | float | None]:
    """As JSON has numbers."""
    return {name: value if math.isfinite(value) else None for name, value in numbers.items()}


def warn(sentence: str) -> None:
    """On the terminal, beside a progress bar."""
    tqdm.write(sentence, file=sys.stderr)
