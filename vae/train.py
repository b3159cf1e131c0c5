"""One training loop, as a generator of metrics: for the command line, for torchrun and for the app.

    python -m vae.train mnist                                  one process
    torchrun --nproc_per_node=2 -m vae.train mnist             data-parallel; the same gradients
    python -m vae.train mnist --resume                         goes on where Ctrl-C stopped it

Everything random is drawn from generators seeded by (recipe seed, step), for the whole global batch; each process
takes its rows. So a resumed run and a run on several processes see the same numbers as one uninterrupted process.
"""

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
import torch.distributed as dist
from jaxtyping import Float, Int64, UInt8
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from vae import checkpoint, data
from vae.config import RECIPES, Recipe
from vae.device import autocast, choose_device
from vae.models import Model, build
from vae.objective import Terms, loss, terms
from vae.warp import warp

STATE, LOG = "state.safetensors", "metrics.jsonl"
SAVE_EVERY = 60.0  # seconds


@dataclass(frozen=True)
class Metrics:
    """Means over the steps since the last report, nats per picture; `seconds` of training so far."""

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


@dataclass(frozen=True)
class Replica:
    """Which rows of each global batch this process computes."""

    rank: int = 0
    world: int = 1

    def rows(self, tensor: Tensor) -> Tensor:
        """This process's share of a tensor over the global batch."""
        return tensor.chunk(self.world)[self.rank]


class Objective(nn.Module):
    """The terms as one module call, which is what DistributedDataParallel hooks into."""

    def __init__(self, model: Model):
        super().__init__()
        self.model = model

    def forward(self, x: Float[Tensor, "b c h w"], eps: Float[Tensor, "b d"], y: Int64[Tensor, " b"] | None) -> Terms:
        """`vae.terms` with the noise given; of a conditional model, at the classes y."""
        return terms(self.model if y is None else self.model.given(y), x, eps=eps)


def warmup_cosine(step: int, steps: int, warmup: int, floor: float = 0.01) -> float:
    """The learning rate's factor: linear up over `warmup` steps, then a half cosine down to `floor`."""
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))


class Run:
    """The state of one training: weights, their moving average, optimiser and step; it can be saved and restored."""

    def __init__(
        self,
        recipe: Recipe,
        pictures: UInt8[Tensor, "n c h w"],
        device: torch.device | None = None,
        replica: Replica = Replica(),
        labels: Int64[Tensor, " n"] | None = None,
    ):
        if recipe.batch % replica.world:
            raise ValueError(f"a batch of {recipe.batch} cannot be split evenly over {replica.world} processes")
        if recipe.batch > len(pictures):
            raise ValueError(f"a batch of {recipe.batch} needs at least as many pictures, not {len(pictures)}")
        if tuple(pictures.shape[1:]) != recipe.model.spec.shape:
            raise ValueError(f"recipe {recipe.name} reads {recipe.model.spec.shape}, not {tuple(pictures.shape[1:])}")
        if recipe.model.classes and (labels is None or labels.max() >= recipe.model.classes):
            raise ValueError(f"recipe {recipe.name} needs the pictures' classes, from 0 to {recipe.model.classes - 1}")
        self.recipe, self.replica = recipe, replica
        self.device = device or torch.device("cpu")
        self.pictures = pictures.to(self.device)
        self.labels = labels.to(self.device) if recipe.model.classes else None
        model = build(recipe.model, torch.Generator().manual_seed(recipe.seed))
        self.model = model.to(self.device, memory_format=torch.channels_last)
        self.average = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema))
        objective = Objective(self.model)
        self.objective = DistributedDataParallel(objective) if replica.world > 1 else objective
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
        )
        self.steps_per_epoch = len(pictures) // recipe.batch
        self.steps = recipe.epochs * self.steps_per_epoch
        self.step, self.skipped, self.seconds = 0, 0, 0.0
        self.commit = _commit()
        self._order: tuple[int, Tensor] | None = None

    def batch(self) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b d"], Int64[Tensor, " b"] | None]:
        """This process's rows of the step's pictures (where the model wants bits, binarised afresh), noise, classes."""
        epoch, index = divmod(self.step, self.steps_per_epoch)
        if self._order is None or self._order[0] != epoch:
            self._order = (epoch, torch.randperm(len(self.pictures), generator=self._generator("cpu", 2 * epoch)))
        rows = self._order[1][index * self.recipe.batch : (index + 1) * self.recipe.batch]
        generator = self._generator(self.device, 2 * self.step + 1)
        x = data.grey(self.pictures[rows.to(self.device)])
        if self.recipe.warp:
            share = self.recipe.warp * (1 - self.step / self.steps)
            chosen = torch.rand(len(x), 1, 1, 1, generator=generator, device=self.device) < share
            x = torch.where(chosen, warp(x, generator), x)
        if self.recipe.model.spec.levels == 2:
            x = data.binarise(x, generator)
        eps = torch.randn(len(x), self.recipe.model.latents, generator=generator, device=self.device)
        y = None if self.labels is None else self.replica.rows(self.labels[rows.to(self.device)])
        return self.replica.rows(x), self.replica.rows(eps), y

    def advance(self) -> tuple[Terms, Tensor]:
        """One step of the optimiser; the terms before it and the gradient's norm. A non-finite gradient is skipped."""
        x, eps, y = self.batch()
        rate = self.recipe.learning_rate * warmup_cosine(self.step, self.steps, self.recipe.warmup)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with autocast(self.device, not self.recipe.full_precision):
            parts = self.objective(x, eps, y)
        self.optimiser.zero_grad(set_to_none=True)
        loss(parts, self.beta).backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        if torch.isfinite(norm):
            self.optimiser.step()
            self.average.update_parameters(self.model)
        else:
            self.skipped += 1
        self.step += 1
        return parts, norm

    @property
    def beta(self) -> float:
        """The weight of the KL term now: it rises linearly from 0 over the recipe's `kl_warmup` epochs."""
        epoch = self.step / self.steps_per_epoch
        return self.recipe.beta * (min(1.0, epoch / self.recipe.kl_warmup) if self.recipe.kl_warmup else 1.0)

    def _generator(self, device: torch.device | str, stream: int) -> torch.Generator:
        return torch.Generator(device).manual_seed((self.recipe.seed << 32) + stream)

    def state(self) -> dict[str, Tensor]:
        """Everything that `restore` needs, as named tensors."""
        tensors = {"progress": torch.tensor([self.step, self.skipped, self.seconds], dtype=torch.float64)}
        for name, tensor in self.model.state_dict().items():
            tensors[f"model.{name}"] = tensor
        for name, tensor in self.average.state_dict().items():
            tensors[f"average.{name}"] = tensor
        for index, slots in self.optimiser.state_dict()["state"].items():
            for slot, tensor in slots.items():
                tensors[f"optimiser.{index}.{slot}"] = tensor
        return {name: tensor.contiguous() for name, tensor in tensors.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Go on from a `state`; ValueError where it is of another recipe's model."""
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}, "optimiser": {}}
        slots: dict[int, dict[str, Tensor]] = {}
        weights = list(self.model.parameters())
        try:
            for name, tensor in tensors.items():
                kind, _, rest = name.partition(".")
                if rest:
                    parts[kind][rest] = tensor
            for name, tensor in parts["optimiser"].items():
                index, slot = name.split(".")
                like = weights[int(index)]
                # The fused optimiser walks the memory in order, so the moments must lie in it as the weights do.
                moment = torch.empty_like(like).copy_(tensor) if tensor.shape == like.shape else tensor
                slots.setdefault(int(index), {})[slot] = moment
            step, skipped, seconds = tensors["progress"].tolist()
            self.model.load_state_dict(parts["model"])
            self.average.load_state_dict(parts["average"])
        except (RuntimeError, LookupError, ValueError) as error:
            raise ValueError(f"the saved state is not one of recipe {self.recipe.name}") from error
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": slots, "param_groups": groups})
        self.step, self.skipped, self.seconds = int(step), int(skipped), seconds


def train(run: Run, every: int = 50, stopping: Callable[[], bool] = lambda: False) -> Iterator[Metrics]:
    """Train to the end of the recipe, yielding metrics each `every` steps and at the end.

    Where `stopping()` says so in any of the processes, all of them end after the same report.
    """
    before, start, since, stop = run.seconds, time.monotonic(), [], 0.0
    while run.step < run.steps and not stop:
        parts, norm = run.advance()
        since.append(torch.stack([parts.log_likelihood.detach().mean(), parts.kl.detach().mean(), norm.detach()]))
        if run.step % every == 0 or run.step == run.steps:
            means = torch.cat([torch.stack(since).mean(0), torch.tensor([float(stopping())], device=run.device)])
            if run.replica.world > 1:
                dist.all_reduce(means)
                means /= run.replica.world
            log_likelihood, kl, gradient_norm, stop = means.tolist()
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


def facts(run: Run) -> dict:
    """What a model's card tells of its training."""
    cuda = run.device.type == "cuda"
    return {
        "recipe": asdict(run.recipe),
        "epochs": round(run.step / run.steps_per_epoch, 2),
        "seconds": round(run.seconds),
        "device": torch.cuda.get_device_name(run.device)
        if cuda
        else f"{run.device.type}, {torch.get_num_threads()} threads",
        "processes": run.replica.world,
        "torch": torch.__version__,
        "skipped_steps": run.skipped,
        "commit": run.commit,
    }


def _commit() -> str | None:
    """The commit checked out where this file is; None outside a git checkout."""
    git = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def write(run: Run, folder: Path) -> None:
    """The averaged weights as `model.safetensors`, and the state from which `--resume` goes on."""
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint.save(run.average.module, folder / checkpoint.WEIGHTS, facts(run))
    partial = folder / f"{STATE}.part"
    save_file(run.state(), partial)
    partial.replace(folder / STATE)


def main(arguments: list[str] | None = None) -> int:
    """The command line; gives the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m vae.train",
        description="Trains a recipe of vae/config.py. Ctrl-C saves, and --resume goes on from there.",
        epilog="examples:\n  python -m vae.train mnist-2d\n  torchrun --nproc_per_node=2 -m vae.train mnist",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", choices=list(RECIPES), help="the recipe")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where weights and state go (default: runs/RECIPE)")
    parser.add_argument("--resume", action="store_true", help="go on from the state in that folder")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: auto)")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--threads", type=int, help="CPU threads (default: all; 1 beside other work)")
    options = parser.parse_args(arguments)

    if options.threads:
        torch.set_num_threads(options.threads)
    world = int(os.environ.get("WORLD_SIZE", "1"))
    replica = Replica(int(os.environ.get("RANK", "0")), world)
    try:
        device = choose_device(options.device)
        if world > 1:
            if device.type == "cuda":
                device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
                torch.cuda.set_device(device)
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        recipe = RECIPES[options.recipe]
        if options.epochs is not None:
            recipe = replace(recipe, epochs=options.epochs)
        split = data.load(recipe.dataset, "train")
        run = Run(recipe, split.images, device, replica, split.labels)
        folder = options.out or Path("runs") / recipe.name
        if options.resume:
            if not (folder / STATE).is_file():
                raise ValueError(f"there is nothing to resume in {folder}")
            try:
                run.restore(load_file(folder / STATE))
            except SafetensorError as error:
                raise ValueError(f"{folder / STATE} cannot be read: {error}") from error
        elif replica.rank == 0:
            (folder / LOG).unlink(missing_ok=True)
        return _follow(run, folder)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _follow(run: Run, folder: Path) -> int:
    """Train with a progress bar; the first process logs, and saves at times, at the end and on Ctrl-C."""
    first = run.replica.rank == 0
    signals = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda caught, frame: signals.append(caught))
    bar = tqdm(total=run.steps, initial=run.step, desc=run.recipe.name, unit="step", disable=None if first else True)
    saved = time.monotonic()
    with bar:
        for metrics in train(run, stopping=lambda: bool(signals)):
            bar.update(metrics.step - bar.n)
            bar.set_postfix_str(f"-ELBO {metrics.kl - metrics.log_likelihood:.2f}, KL {metrics.kl:.2f} nats")
            if first:
                folder.mkdir(parents=True, exist_ok=True)
                with (folder / LOG).open("a") as log:
                    log.write(json.dumps(asdict(metrics)) + "\n")
                if time.monotonic() - saved > SAVE_EVERY:
                    write(run, folder)
                    saved = time.monotonic()
    if first:
        write(run, folder)
        done = run.step == run.steps
        print(
            f"The weights are in {folder / checkpoint.WEIGHTS}"
            if done
            else f"Stopped at step {run.step} of {run.steps} and saved; the same command with --resume goes on.",
            file=sys.stderr,
        )
    return 0 if run.step == run.steps else 130


if __name__ == "__main__":
    sys.exit(main())
