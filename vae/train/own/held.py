"""Held-out pictures beside a training: what is lost of them, and the weights that lose least."""

import math
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from vae import data
from vae.distributions import kl_per_dimension, reparameterised
from vae.models import Model, checkpoint
from vae.train import saved
from vae.train.run import Run

BEST = "best.safetensors"
DRAWS = 4  # of z a picture, with the same noise at every look
ROWS = 64  # pictures that are looked at, and at once
LONG = 6  # looks


class HeldOut:
    """The first `rows` validation pictures of a set, and ROWS of those that are trained on, seen by the averaged
    weights of a run. Those weights that are best for the validation pictures are kept in a folder, in BEST."""

    def __init__(self, run: Run, own: data.Own, folder: Path, rows: int = ROWS):
        self.run, self.kept = run, folder / BEST
        parts = {"validation": own.part("validation").images[:rows], "train": own.part("train").images[:ROWS]}
        self.x = {name: data.as_read(data.grey(images), own.spec).to(run.device) for name, images in parts.items()}
        generator, most = torch.Generator().manual_seed(0), max(map(len, self.x.values()))
        self.eps = torch.randn(DRAWS, most, run.recipe.model.latents, generator=generator).to(run.device)
        self.best = math.inf  # the loss of what is kept

    def numbers(self) -> dict[str, dict[str, float]]:
        """Of each part: distortion, rate and -ELBO at beta = 1, nats a picture, and the loss at the recipe's beta."""
        model = self.run.average.module
        was = model.training
        model.eval()
        with torch.no_grad():
            found = {name: self._bound(model, x) for name, x in self.x.items()}
        model.train(was)
        return found

    def keep(self, loss: float) -> bool:
        """Keep the averaged weights where their loss is the least so far; whether it is. OSError where they cannot be
        written."""
        if not self.run.step or not loss < self.best or not self.run.is_finite():
            return False
        checkpoint.save(self.run.average.module, self.kept, {"step": self.run.step, "loss": loss})
        self.best = loss
        return True

    def _bound(self, model: Model, x: Float[Tensor, "n c h w"]) -> dict[str, float]:
        lost, rates = [], []
        for part, eps in zip(x.split(ROWS), self.eps[:, : len(x)].split(ROWS, 1), strict=True):
            q = model.encode(part)
            lost.append(-torch.stack([model.decode(reparameterised(q, one)).log_prob(part) for one in eps]))
            rates.append(kl_per_dimension(q, model.prior).sum(1))
        distortion, rate = float(torch.cat(lost, 1).mean()), float(torch.cat(rates).mean())
        loss = distortion + self.run.recipe.beta * rate
        found = {"distortion": distortion, "rate": rate, "negative_elbo": distortion + rate, "loss": loss}
        return {name: round(value, 3) for name, value in found.items()}


def is_past_its_best(steps: list[int], losses: list[float]) -> bool:
    """Whether held-out pictures have become worse for as long as it took to reach the best look, at least LONG looks
    ago: it only learns by heart from here on."""
    best = min(range(len(losses)), key=losses.__getitem__, default=0)
    behind = len(losses) - 1 - best
    return behind >= LONG and steps[-1] > 2 * steps[best]


def write_weights(run: Run, folder: Path, path: Path, dtype: torch.dtype | None = None) -> None:
    """Write the weights that a folder keeps as the best, with what is told of the training; where it keeps none yet,
    the averaged ones of now. OSError where they cannot be written."""
    facts, best = saved.facts(run), folder / BEST
    if not best.is_file():
        checkpoint.save(run.average.module, path, facts, dtype)
        return
    told = {"kept_step": checkpoint.training_facts(best)["step"]}
    checkpoint.save(checkpoint.load(best, "cpu"), path, facts | told, dtype)


def write(run: Run, folder: Path) -> None:
    """As `vae.train.saved.write`, but the weights are the best. OSError where they cannot be written."""
    write_weights(run, folder, folder / checkpoint.WEIGHTS)
    saved.write_state(run, folder)
