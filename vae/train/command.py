"""The command line of training.

python -m vae.train mnist                                  one process
torchrun --nproc_per_node=2 -m vae.train mnist             data-parallel; the same gradients
python -m vae.train mnist --resume                         goes on where Ctrl-C stopped it
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous
from tqdm import tqdm

from vae import data
from vae.data import Split
from vae.models import checkpoint, files
from vae.models.device import choose_device
from vae.train import history, saved
from vae.train.crops import squares
from vae.train.loop import Diverged, train
from vae.train.recipes import RECIPES
from vae.train.recorder import Recorder
from vae.train.run import Replica, Run
from vae.train.validation import validate

SAVE_EVERY = 60.0  # seconds
MOST_THREADS = 256  # far more than these take the process down

EXAMPLES = """examples:
  python -m vae.train mnist-2d
  python -m vae.train mnist-2d --validate 5000 --out runs/try
  python -m vae.train mnist-2d-small --history pretrained/histories/mnist-2d-small.safetensors
  torchrun --nproc_per_node=2 -m vae.train mnist
  torchrun --nproc_per_node=2 --max-restarts=3 -m vae.train mnist   goes on by itself where a process is lost"""


def main(arguments: list[str] | None = None) -> int:
    """The command line; gives the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m vae.train",
        description="Trains a recipe of vae/train/recipes.py. Ctrl-C saves, and --resume goes on from there.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", choices=list(RECIPES), help="the recipe")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where weights and state go (default: runs/RECIPE)")
    parser.add_argument("--resume", action="store_true", help="go on from the state in that folder")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: auto)")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--threads", type=int, help="CPU threads (default: all; 1 beside other work)")
    parser.add_argument(
        "--validate",
        type=int,
        metavar="N",
        help="hold back N random pictures of the training set, always the same, and print their -ELBO at the end: "
        "choose recipes by it, and not by the test set",
    )
    parser.add_argument(
        "--save-every",
        type=float,
        default=SAVE_EVERY,
        metavar="SECONDS",
        help=f"seconds from one save to the next (default: {SAVE_EVERY:.0f})",
    )
    parser.add_argument(
        "--history",
        type=Path,
        metavar="FILE",
        help=f"also record to FILE what the model makes of {history.PICTURES:,} test pictures at some {history.MARKS} "
        "steps, spread evenly over the logarithm of time",
    )
    options = parser.parse_args(arguments)
    try:
        return _run(options)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped before the first step; nothing was saved.", file=sys.stderr)
        return 130
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _run(options: argparse.Namespace) -> int:
    if options.threads is not None:
        if not 1 <= options.threads <= MOST_THREADS:
            raise ValueError(f"--threads must be from 1 to {MOST_THREADS}, not {options.threads}")
        torch.set_num_threads(options.threads)
    if not options.save_every >= 0:
        raise ValueError(f"--save-every is a number of seconds, not {options.save_every}")
    recipe = RECIPES[options.recipe]
    if options.epochs is not None:
        recipe = replace(recipe, epochs=options.epochs)
    if options.validate is not None:
        recipe = replace(recipe, held_out=options.validate)
    folder = options.out or Path("runs") / recipe.name
    goes_on = options.resume or saved.is_restarted(folder)
    _check(folder, goes_on)

    world = int(os.environ.get("WORLD_SIZE", "1"))
    replica = Replica(int(os.environ.get("RANK", "0")), world)
    device = choose_device(options.device)
    if world > 1:
        if device.type == "cuda":
            device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(device)
        _meet("nccl" if device.type == "cuda" else "gloo")
    if recipe.model.any_size:
        pictures, held_out = squares(recipe)
        run, seen = (
            Run(recipe, pictures, device, replica),
            held_out,
        )  # a recorder, which would look, refuses such a model
    else:
        seen, held_out = data.hold_out(data.load(recipe.dataset, "train"), recipe.held_out)
        run = Run(recipe, seen.images, device, replica, seen.labels)
    if goes_on:
        saved.resume(run, folder)
        _say(run, f"Going on at step {run.step} of {run.steps}.")
    recorder = Recorder(run, options.history, seen) if options.history else lambda: None
    _prepare(run, folder)
    return _follow(run, folder, options.save_every, held_out, recorder)


def _meet(backend: str) -> None:
    """Join the other processes; torchrun told in the environment where they are.

    A torchrun that meets by c10d keeps one store for all of its attempts, in which those that are started again would
    look for the addresses of the dead: so each attempt has a part of its own.
    """
    store, rank, world = next(rendezvous("env://"))
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    dist.init_process_group(backend, store=dist.PrefixStore(f"attempt {attempt}", store), rank=rank, world_size=world)


def _check(folder: Path, goes_on: bool) -> None:
    """ValueError where a run cannot go into the folder, without having made it."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; --out names a folder")
    held = [name for name in (saved.STATE, checkpoint.WEIGHTS, saved.LOG) if (folder / name).exists()]
    if held and not goes_on:
        raise ValueError(f"{folder} holds a run already: --resume goes on with it, --out names another folder")


def _prepare(run: Run, folder: Path) -> None:
    """Save before the first step, so that a folder that cannot be written to is noticed now and not after hours.

    OSError in every process where the first one has it.
    """
    reason: OSError | None = None
    _all_agree(run, True)  # that each has read what is now written anew
    if run.replica.rank == 0:
        try:
            files.tidy(folder)
            saved.cut_log(folder, run.step)
            saved.write_state(run, folder)
        except OSError as error:
            reason = error
    if not _all_agree(run, reason is None):
        why = "the first process cannot write there" if reason is None else reason.strerror or reason
        raise OSError(f"{folder} cannot be written to: {why}")


def _all_agree(run: Run, vote: bool) -> bool:
    """Whether all processes vote so; they wait for one another."""
    if run.replica.world == 1:
        return vote
    votes = torch.tensor([float(vote)], device=run.device)
    dist.all_reduce(votes, dist.ReduceOp.MIN)
    return bool(votes.item())


def _follow(run: Run, folder: Path, save_every: float, held_out: Split, watching: Callable[[], None]) -> int:
    """Train with a progress bar; the first process logs, and saves at times, at the end and on Ctrl-C."""
    first = run.replica.rank == 0
    signals: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda caught, frame: signals.append(caught))
    keeper = saved.Keeper(run, folder, save_every)
    bar = tqdm(total=run.steps, initial=run.step, desc=run.recipe.name, unit="step", disable=None if first else True)
    trouble = ""
    with bar:
        try:
            for metrics in train(run, stopping=lambda: bool(signals), watching=watching):
                bar.update(metrics.step - bar.n)
                bar.set_postfix_str(f"-ELBO {metrics.kl - metrics.log_likelihood:.2f}, KL {metrics.kl:.2f} nats")
                if first:
                    keeper.report(metrics)
        except Diverged as error:
            trouble = str(error)
    if not run.is_finite():
        trouble = trouble or "The weights are not finite numbers."
    elif first:
        if run.recipe.held_out:
            run.validation = validate(run.average.module, held_out)
            _say(run, "-ELBO of {pictures} held-out pictures: {negative_elbo} +- {error} nats".format(**run.validation))
        if not keeper.insist(lambda: len(signals)):
            trouble = f"{trouble} Step {run.step} is not saved.".strip()
    if trouble:
        step = "no step" if keeper.step is None else f"step {keeper.step}"
        _say(run, f"{trouble} The last good weights in {folder} are of {step}.")
        return 1
    if run.step < run.steps:
        _say(run, f"Stopped at step {run.step} of {run.steps} and saved; the same command with --resume goes on.")
        return 130
    _say(run, f"The weights are in {folder / checkpoint.WEIGHTS}")
    return 0


def _say(run: Run, sentence: str) -> None:
    """On the terminal, by the first process only."""
    if run.replica.rank == 0:
        print(sentence, file=sys.stderr)
