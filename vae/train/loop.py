"""The training loop, as a generator of metrics: for the command line, for torchrun and for the app."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.distributed as dist

from vae.train.run import Run

HOPELESS = 50  # steps in a row whose gradient was not finite


class Diverged(ValueError):
    """A training whose gradient is not finite any more; the message is one sentence for the user."""


@dataclass(frozen=True)
class Metrics:
    """Means over the steps taken since the last report, nats per picture; NaN where all of them were skipped.

    `seconds` of training so far, `skipped` steps so far.
    """

    step: int
    steps: int
    epoch: float
    seconds: float
    loss: float
    log_likelihood: float
    kl: float
    beta: float
    learning_rate: float
    gradient_norm: float
    skipped: int


def train(
    run: Run,
    every: int = 50,
    stopping: Callable[[], bool] = lambda: False,
    watching: Callable[[], None] = lambda: None,
) -> Iterator[Metrics]:
    """Train to the end of the recipe, yielding metrics each `every` steps and at the end.

    Before each step, and after the last, somebody may be `watching`.

    Where `stopping()` says so in any of the processes, all of them end after the same report. Raises Diverged, after
    the report, where the last `HOPELESS` steps were all skipped; the weights are then those before these steps.
    """
    before, start, since, stop = run.seconds, time.monotonic(), [], 0.0
    while run.step < run.steps and not stop:
        watching()
        parts, norm = run.advance()
        since.append(torch.stack([parts.log_likelihood.detach().mean(), parts.kl.detach().mean(), norm.detach()]))
        if run.step % every == 0 or run.step == run.steps:
            rows = torch.stack(since)
            taken = rows[:, 2:].isfinite()
            told = torch.tensor([float(stopping())], device=run.device)
            means = torch.cat([torch.where(taken, rows, 0.0).sum(0) / taken.sum(), told])
            if run.replica.world > 1:
                dist.all_reduce(means)
                means /= run.replica.world
            log_likelihood, kl, gradient_norm, stop, in_a_row = [*means.tolist(), int(run.skipped_in_a_row)]
            since.clear()
            run.seconds = before + time.monotonic() - start
            yield Metrics(
                step=run.step,
                steps=run.steps,
                epoch=run.step / run.steps_per_epoch,
                seconds=run.seconds,
                loss=run.beta * kl - log_likelihood,
                log_likelihood=log_likelihood,
                kl=kl,
                beta=run.beta,
                learning_rate=run.optimiser.param_groups[0]["lr"],
                gradient_norm=gradient_norm,
                skipped=run.skipped,
            )
            if in_a_row >= HOPELESS:
                raise Diverged(
                    f"The last {in_a_row} steps had no finite gradient, so training ends at step {run.step} of "
                    f"{run.steps}."
                )
    watching()
