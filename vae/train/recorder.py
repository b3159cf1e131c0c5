"""Writes down what a model makes of the same pictures while it learns, and changes nothing of how it learns."""

import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from vae import data
from vae.data import Split
from vae.distributions import kl_per_dimension, reparameterised
from vae.inference.evidence import log_evidence
from vae.models import VAE, files
from vae.pictures import films
from vae.train.gradients import drawn, quadrature
from vae.train.history import PICTURES, REACH, SIDE, marks, slow_marks, step_of, tensors
from vae.train.run import Run

SAMPLES, SEED = 16, 0  # draws of z a picture
TRIED = 1000  # draws of each estimator of a gradient
GREYS = 16  # of the map's pictures, which are small


class Recorder:
    """To be called before each step and after the last: at the marks it writes to a file what it saw.

    A run that goes on, goes on with the file that it finds there. ValueError where a training cannot be recorded, or
    what came before is not there.
    """

    def __init__(self, run: Run, path: Path, seen: Split):
        recipe = run.recipe
        if not isinstance(recipe.model, VAE.Config) or recipe.model.spec.levels != 2:
            raise ValueError(f"--history is for a vae of binary pixels, which {recipe.name} is not")
        if run.replica.world > 1:
            raise ValueError("--history is for one process")
        self.run, self.path, self.labels = run, path, seen.labels
        generator = torch.Generator().manual_seed(SEED)
        test = data.fixed_binarisation(recipe.dataset)
        self.rows = torch.randperm(len(test), generator=generator)[:PICTURES]
        some = torch.randperm(len(seen.images), generator=generator)[:PICTURES]
        bits = data.binarise(data.grey(seen.images[some]), generator)
        self.pictures = {"test": test[self.rows].to(run.device), "train": bits.to(run.device)}
        self.eps = torch.randn(SAMPLES, PICTURES, recipe.model.latents, generator=generator)  # the same at every mark
        self.tried = torch.randn(TRIED, recipe.model.latents, generator=generator)
        self.planar = recipe.model.latents == 2
        self.marks = marks(run.steps)
        self.slow = slow_marks(run.steps) if self.planar else []
        before = tensors(path)[1] if run.step else {}
        self.found = {name: tensor for name, tensor in before.items() if 0 <= step_of(name) < run.step}

    def __call__(self) -> None:
        """Look, where the run is at a mark; what a step in slow motion did is seen after it."""
        step, model, fresh = self.run.step, self.run.model, {}
        was = model.training
        model.eval()
        with torch.no_grad():
            if step - 1 in self.slow:
                x, eps = self._unpacked(f"{step - 1}.slow.x"), self.found[f"{step - 1}.slow.eps"]
                fresh |= {f"{step - 1}.after.{name}": value for name, value in self._passed(x, eps)}
            if step in self.marks:
                fresh |= {f"{step}.{name}": value for name, value in self._looked()}
            if step in self.slow:
                fresh |= {f"{step}.slow.{name}": value for name, value in self._about_to()}
        model.train(was)
        if fresh:
            self.found |= {name: value.detach().cpu().contiguous() for name, value in fresh.items()}
            told = {"recipe": json.dumps(asdict(self.run.recipe))}
            files.save_tensors(self.found | {"rows": self.rows.short(), "tried": self.tried}, self.path, told)

    def _looked(self) -> Iterator[tuple[str, Tensor]]:
        """The numbers of both sets, and the map."""
        model = self.run.model
        for split, x in self.pictures.items():
            q = model.encode(x)
            draws = [model.decode(reparameterised(q, eps[: len(x)])).log_prob(x) for eps in self.eps]
            lost = -torch.stack(draws).mean(0)
            yield f"{split}.distortion", lost.mean()
            yield f"{split}.error", lost.std() / len(lost) ** 0.5
            yield f"{split}.kl", kl_per_dimension(q, model.prior).mean(0)
            if split == "test" and self.planar:
                yield "mu", q.mean.half()
                yield "sigma", q.stddev.half()
        if self.planar:
            yield "sheet", torch.from_numpy(np.frombuffer(as_sheet(model.decode(tiles()).mean), np.uint8).copy())

    def _about_to(self) -> Iterator[tuple[str, Tensor]]:
        """What the next step is made of: its minibatch, and what each of its pictures asks for."""
        model, (x, eps, _) = self.run.model, self.run.batch()
        yield "x", torch.from_numpy(np.packbits(x.flatten(1).byte().cpu().numpy(), axis=1))
        yield "eps", eps
        yield "labels", self.labels[self.run.rows().cpu()].byte()
        yield from self._passed(x, eps)
        q = model.encode(x)
        with torch.enable_grad():
            z = reparameterised(q, eps).requires_grad_()
            (gradient,) = torch.autograd.grad(model.decode(z).log_prob(x).sum(), z)
        yield "gradient", gradient
        one = model.encode(x[:1])
        draws = drawn(model.decoder, x[:1], one, self.tried.to(self.run.device))
        yield "draws.log_likelihood", draws.log_likelihood
        yield "draws.gradient", draws.gradient
        yield "exact", torch.stack(quadrature(model.decoder, x[:1], one))
        yield "evidence", log_evidence(model, x[:1])

    def _passed(self, x: Float[Tensor, "b c h w"], eps: Float[Tensor, "b d"]) -> Iterator[tuple[str, Tensor]]:
        model = self.run.model
        q = model.encode(x)
        yield "mu", q.mean
        yield "sigma", q.stddev
        yield "log_likelihood", model.decode(reparameterised(q, eps)).log_prob(x)
        yield "kl", kl_per_dimension(q, model.prior).sum(1)

    def _unpacked(self, name: str) -> Float[Tensor, "b c h w"]:
        spec = self.run.recipe.model.spec
        bits = np.unpackbits(self.found[name].numpy(), axis=1, count=spec.pixels)
        return torch.from_numpy(bits).float().view(-1, *spec.shape).to(self.run.device)


def tiles() -> Float[Tensor, "places 2"]:
    """The places of the map's pictures, row by row from above: each in the middle of its tile."""
    along = REACH * (2 * torch.arange(SIDE) + 1 - SIDE) / SIDE
    up, across = torch.meshgrid(along.flip(0), along, indexing="ij")
    return torch.stack([across, up], -1).flatten(0, 1)


def as_sheet(pictures: Float[Tensor, "n 1 h w"]) -> bytes:
    """SIDE x SIDE pictures as one PNG of GREYS greys."""
    levels = pictures.mul(GREYS - 1).round() / (GREYS - 1)
    whole = films.sheet(films.as_frames(levels), SIDE)
    image = Image.fromarray((whole // (255 // (GREYS - 1))).astype(np.uint8), "P")
    image.putpalette([level for grey in range(GREYS) for level in [grey * 255 // (GREYS - 1)] * 3])
    out = io.BytesIO()
    image.save(out, "PNG", bits=4, optimize=True)
    return out.getvalue()
