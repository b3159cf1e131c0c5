"""A run from its first save to its last: the processes that meet, the progress, what is said and kept."""

import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous
from tqdm import tqdm

from vae.data import Own, Split
from vae.models import checkpoint, files
from vae.train import saved
from vae.train.command.board import Board
from vae.train.loop import Diverged, train
from vae.train.own import held
from vae.train.own.linear import floor
from vae.train.own.lookout import Lookout, every
from vae.train.run import Run
from vae.train.validation import validate

EVERY = 50  # steps from one report to the next
SAID_OF_HELD_OUT = "-ELBO of {pictures} held-out pictures: {negative_elbo} +- {error} nats"
READY, LONGEST = "pictures", timedelta(days=1)  # that the first process may take to prepare pictures


def meet(backend: str, before: Callable[[], None]) -> None:
    """Join the other processes, once the first has done what is to be done `before`; torchrun told in the environment
    where they are.

    A torchrun that meets by c10d keeps one store for all of its attempts, in which those that are started again would
    look for the addresses of the dead: so each attempt has a part of its own.
    """
    store, rank, world = next(rendezvous("env://"))
    attempt = dist.PrefixStore(f"attempt {os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
    if rank == 0:
        before()
        attempt.set(READY, "")
    else:
        attempt.wait([READY], LONGEST)
    dist.init_process_group(backend, store=attempt, rank=rank, world_size=world)


def check(folder: Path, goes_on: bool) -> None:
    """ValueError where a run cannot go into the folder, without having made it."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; --out names a folder")
    known = [name for name in (saved.STATE, checkpoint.WEIGHTS, saved.LOG) if (folder / name).exists()]
    if known and not goes_on:
        raise ValueError(f"{folder} holds a run already: --resume goes on with it, --out names another folder")


def prepare(run: Run, folder: Path) -> None:
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


def follow(
    run: Run,
    folder: Path,
    save_every: float,
    held_out: Split,
    watching: Callable[[], None],
    mine: Own | None = None,
    to_the_end: bool = False,
) -> int:
    """Train with a progress bar; the first process logs, and saves at times, at the end and on Ctrl-C.

    Of pictures of one's own the best weights for the validation pictures are kept, and it ends where those have become
    worse for long, unless it is to go on `to_the_end`.
    """
    first = run.replica.rank == 0
    signals: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda caught, frame: signals.append(caught))
    keeper = saved.Keeper(run, folder, save_every, held.write if mine else None)
    lookout = Lookout(run, mine, folder) if mine and first else None
    board = Board(folder, run.step) if first else None

    def is_over() -> bool:
        return lookout is not None and lookout.is_over and not to_the_end

    bar = tqdm(total=run.steps, initial=run.step, desc=run.recipe.name, unit="step", disable=None if first else True)
    trouble, over = "", bool(mine) and _all_agree(run, is_over() or not first)
    with bar:
        try:
            steps = train(run, every(run.steps) if mine else EVERY, lambda: bool(signals) or is_over(), watching)
            for metrics in () if over else steps:
                bar.update(metrics.step - bar.n)
                bar.set_postfix_str(f"-ELBO {metrics.kl - metrics.log_likelihood:.2f}, KL {metrics.kl:.2f} nats")
                if first:
                    seen = lookout() if lookout else {}
                    keeper.report(metrics, seen)
                    board.report(metrics, seen)
        except Diverged as error:
            trouble = str(error)
    if board:
        board.close()
    over = bool(mine) and _all_agree(run, is_over() or not first)
    ends = over or run.step == run.steps
    if not run.is_finite():
        trouble = trouble or "The weights are not finite numbers."
    elif first:
        if mine and ends:
            _measure(run, folder, mine)
        elif run.recipe.held_out:
            run.validation = validate(run.average.module, held_out)
            say(run, SAID_OF_HELD_OUT.format(**run.validation))
        if not keeper.insist(lambda: len(signals)):
            trouble = f"{trouble} Step {run.step} is not saved.".strip()
    if trouble:
        step = "no step" if keeper.step is None else f"step {keeper.step}"
        say(run, f"{trouble} The last good weights in {folder} are of {step}.")
        return 1
    if not ends:
        say(run, f"Stopped at step {run.step} of {run.steps} and saved; the same command with --resume goes on.")
        return 130
    if run.step < run.steps:
        say(run, f"It ends at step {run.step} of {run.steps}: from here on it would only learn its pictures by heart.")
    say(run, f"The weights are in {folder / checkpoint.WEIGHTS}")
    if mine:
        name = run.recipe.name
        say(run, f"`python -m vae.evaluate {name} --run {folder}` measures them, and the app lists them then.")
    return 0


def _measure(run: Run, folder: Path, mine: Own) -> None:
    """What the best weights lose of the validation pictures, and what a linear code does."""
    best, part = folder / held.BEST, mine.part("validation")
    model, step = run.average.module, run.step
    if best.is_file():
        model, step = checkpoint.load(best, str(run.device)), checkpoint.training_facts(best)["step"]
    run.validation = validate(model, part)
    say(run, f"The best weights for held-out pictures are those of step {step}.")
    say(run, SAID_OF_HELD_OUT.format(**run.validation))
    latents = run.recipe.model.latents
    lost = floor(mine, latents, part.images)
    say(run, f"A linear code of {latents} numbers loses {lost:.3f} nats of them, before a nat is spent on the numbers.")


def say(run: Run, sentence: str) -> None:
    """On the terminal, by the first process only."""
    if run.replica.rank == 0:
        print(sentence, file=sys.stderr)
