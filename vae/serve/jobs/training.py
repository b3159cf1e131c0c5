"""The work of one training's process: it trains, saves, does what is wished of it, and makes a model of the best.

It ends with DONE where there is a model, STOPPED where it was asked to stop, and FAILED where it has said why none will
come of it. Anything else is an accident, after which another process goes on from the last save.
"""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import torch

from vae.data import Own, own
from vae.models import checkpoint, files
from vae.serve.jobs import asked, packed
from vae.train import saved
from vae.train.loop import Diverged, train
from vae.train.own.held import BEST, write_weights
from vae.train.own.watch import FOLDER, Watch
from vae.train.recipes import recipe_from
from vae.train.run import Run

HALVED = "There was not enough memory, so it takes half as many pictures at once."
DONE, STOPPED, FAILED = 0, 3, 4
PATIENCE = 120.0  # seconds for which it pauses; then it stops, and somebody else may train
SLOW = 0.6  # seconds that a step takes in slow motion
LOOK = 0.05  # seconds between looks at what is wished while it pauses
OFTEN = 10  # steps from one report to the next
SAVE_EVERY = 15.0  # seconds
BOUNDS = {2: 50, 256: 10}  # held-out pictures for the importance-weighted bound, by the levels of a pixel


class Unusable(Exception):
    """What was asked for cannot be had; the message is one sentence for the visitor."""


@contextmanager
def _read() -> Iterator[None]:
    """What is read inside may be anybody's, or damaged."""
    try:
        yield
    except ValueError as error:
        raise Unusable(_as_sentence(str(error))) from error


def _as_sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:].removesuffix('.')}."


@contextmanager
def _measuring() -> Iterator[None]:
    """What is measured inside needs the memory that it needs, whatever the training's batch was."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not _is_of_memory(error):
            raise
        raise Unusable("To measure it needs more memory than is allowed here.") from error


def _is_of_memory(error: RuntimeError | MemoryError) -> bool:
    return isinstance(error, MemoryError) or "memory" in str(error)


class Hand:
    """What is wished of a training while it goes on, and how long it may."""

    def __init__(self, run: Run, watch: Watch, folder: Path, minutes: float):
        self.run, self.watch, self.folder = run, watch, folder
        self.parent, self.end = os.getppid(), 60 * minutes
        self.taken = asked.wish(folder).steps  # single steps, before this process and by it
        self.left = False  # nobody wishes that it goes on, or is there to

    def __call__(self) -> None:
        """Before each step: look at the pictures where it is time, and wait where that is wished."""
        wished = asked.wish(self.folder)
        self.watch(wished.slow or wished.pause)  # each step is seen there
        if self.left:  # the next report ends it
            return
        since = time.monotonic()
        self._wait(since, wished)
        self.watch.waited += time.monotonic() - since

    def _wait(self, since: float, wished: asked.Wish) -> None:
        """As long as it is to pause, and for a while where it is to be slow."""
        while (wished := asked.wish(self.folder)).pause and not wished.stop and not self.orphaned:
            if wished.steps > self.taken:
                self.taken += 1
                return
            if time.monotonic() - since > PATIENCE:
                self.left = True
                return
            time.sleep(LOOK)
        if wished.slow and not wished.stop:
            time.sleep(SLOW)

    @property
    def orphaned(self) -> bool:
        """Whether the server has gone."""
        return os.getppid() != self.parent

    @property
    def stops(self) -> bool:
        """Whether the training is to end here, to go on another time."""
        return self.left or asked.wish(self.folder).stop or self.orphaned

    @property
    def is_late(self) -> bool:
        """Whether its time is up."""
        return self.run.seconds > self.end

    @property
    def is_over(self) -> bool:
        """Whether it is to end here for good: its time is up, or it only learns by heart from here on."""
        return self.is_late or self.watch.is_past_its_best


def work(folder: Path, minutes: float) -> int:
    """Train what the folder asks for; the exit status."""
    try:
        asked.say(folder, HALVED if asked.read(folder).halved else "")  # not what a process before this one had to say
        return _measure(folder) if (folder / asked.BROUGHT).is_dir() else _train(folder, minutes)
    except (RuntimeError, MemoryError) as error:
        if not _is_of_memory(error):
            raise
    except Unusable as error:
        return _failed(folder, str(error))
    except OSError as error:
        return _failed(folder, asked.unsaved(error))
    return _spared(folder, minutes)


def _train(folder: Path, minutes: float) -> int:
    files.tidy(folder)
    with _read():
        pictures, recipe = own.load(folder / own.FILE), recipe_from(asked.read(folder).recipe)
        part = pictures.part("train")
        run = Run(recipe, part.images, labels=part.labels)
        if (folder / saved.STATE).is_file():
            saved.resume(run, folder)
    watch = Watch(run, pictures, folder, 60 * minutes)
    hand, keeper = Hand(run, watch, folder, minutes), saved.Keeper(run, folder, SAVE_EVERY)
    try:
        for metrics in train(run, OFTEN, stopping=lambda: hand.stops or hand.is_over, watching=hand):
            keeper.report(metrics)
    except Diverged as error:
        if not (folder / BEST).is_file():
            return _failed(folder, str(error))
        asked.say(folder, f"{error} The best network before that is kept.")
    if hand.stops:
        keeper.insist(lambda: 0)
        return STOPPED
    if hand.is_late and run.step < run.steps:
        asked.say(folder, f"Its {minutes:g} minutes were over, so the best network up to then is kept.")
    watch(True)
    _finish(folder, run, pictures)
    return DONE


def _measure(folder: Path) -> int:
    """Of a model that was brought; it is there already where a process before this one was lost at its very end."""
    if (folder / asked.MODEL).is_dir():
        return DONE
    draft = folder / asked.DRAFT / folder.name
    shutil.rmtree(draft.parent, ignore_errors=True)
    with _read(), _measuring():
        packed.unpacked(folder / asked.BROUGHT, draft)
    _put(folder, draft)
    for file in (folder / asked.BROUGHT).iterdir():  # what is shown is kept in the model's own folder
        file.unlink()
    return DONE


def _spared(folder: Path, minutes: float) -> int:
    """Once more from the beginning, with half as many pictures at once; where that was tried, it is too large."""
    job = asked.read(folder)
    if job.halved:
        return _failed(folder, "It needs more memory than a training may take here. Choose a smaller size.")
    asked.write(folder, replace(job, halved=True, recipe=job.recipe | {"batch": max(1, job.recipe["batch"] // 2)}))
    for name in (saved.STATE, saved.LOG, BEST):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    return work(folder, minutes)


def _finish(folder: Path, run: Run, pictures: Own) -> None:
    """Measure the best weights and put the model into the folder, as a whole."""
    draft = folder / asked.DRAFT / folder.name
    shutil.rmtree(draft.parent, ignore_errors=True)
    write_weights(run, folder, draft / checkpoint.WEIGHTS, torch.float16)
    own.save(pictures, draft / own.FILE, shown_only=True)
    _put(folder, draft)


def _put(folder: Path, draft: Path) -> None:
    """Measure a model, and put it where it is found, as a whole."""
    from vae.evaluate import card  # here, because what it imports takes seconds before the first picture

    config, _ = checkpoint.head(draft / checkpoint.WEIGHTS)
    with _measuring():
        if config.any_size:
            card.write_tried_card(draft, asked.read(folder).title)
        else:
            card.write_card(draft, BOUNDS[config.spec.levels])
    shutil.rmtree(folder / asked.MODEL, ignore_errors=True)
    draft.parent.rename(folder / asked.MODEL)


def _failed(folder: Path, sentence: str) -> int:
    brought = folder / asked.BROUGHT
    words = {brought / checkpoint.WEIGHTS: "This file", f"{brought}{os.sep}": "", folder: "its folder"}
    for place, word in words.items():
        sentence = sentence.replace(str(place), word)
    print(sentence, file=sys.stderr)
    with suppress(OSError):  # of a full disk; the server says that it ended
        asked.say(folder, sentence)
    return FAILED
