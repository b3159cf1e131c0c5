"""Held-out pictures at steps ever farther apart: the same steps on every machine, whenever a run was taken up again."""

import math
from pathlib import Path

from vae import data
from vae.models import checkpoint
from vae.train import saved
from vae.train.own.held import BEST, HeldOut, is_past_its_best
from vae.train.run import Run

OFTEN, SELDOM, MANY = 10, 50, 4000  # steps from one report to the next, in a training of up to MANY steps and of more
APART = 1.12  # the factor between looks
ROWS = 256  # validation pictures that are looked at


def every(steps: int) -> int:
    """Steps from one report to the next."""
    return OFTEN if steps <= MANY else SELDOM


def marks(steps: int) -> set[int]:
    """The steps after which is looked, each of them one that is reported."""
    stride, found = every(steps), set()
    mark = stride
    while mark < steps:
        found.add(mark)
        mark = max(mark + stride, int(mark * APART) // stride * stride)
    return found | {steps}


class Lookout:
    """To be called after each report: at its marks it looks at the held-out pictures, and keeps the best weights.

    `is_over` says that the training only learns by heart, from the first look on after which it did, whatever later
    ones say: so one that goes on ends where one that was never stopped did.
    """

    def __init__(self, run: Run, own: data.Own, folder: Path):
        self.run, self.held, self.marks = run, HeldOut(run, own, folder, ROWS), marks(run.steps)
        before = [line for line in saved.logged(folder, run.step) if "validation" in line]
        self.steps = [line["step"] for line in before]
        losses = (line["validation"]["loss"] for line in before)
        self.losses = [math.inf if loss is None else loss for loss in losses]
        looks = range(1, len(self.steps) + 1)
        self.is_over = any(is_past_its_best(self.steps[:many], self.losses[:many]) for many in looks)
        if run.step and (folder / BEST).is_file():
            self.held.best = checkpoint.training_facts(folder / BEST)["loss"]
        elif not run.step:
            (folder / BEST).unlink(missing_ok=True)

    def __call__(self) -> dict[str, dict[str, float]]:
        """What is seen of "validation" and "train" pictures where the run is at a mark; else nothing."""
        if self.run.step not in self.marks or self.run.step in self.steps:
            return {}
        found = self.held.numbers()
        loss = found["validation"]["loss"]
        self.steps.append(self.run.step)
        self.losses.append(loss if math.isfinite(loss) else math.inf)
        self.is_over = self.is_over or is_past_its_best(self.steps, self.losses)
        try:
            self.held.keep(loss)
        except OSError as error:
            saved.warn(f"The best weights cannot be saved: {error.strerror or error}.")
        return found
