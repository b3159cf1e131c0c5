"""The state of one training: what a step does, and what it takes to go on from it.

Everything random is drawn from generators seeded by (recipe seed, step), for the whole global batch; each process
takes its rows. So a resumed run and a run on several processes see the same numbers as one uninterrupted process.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from vae import data
from vae.data.warp import warp
from vae.models import Model, build
from vae.models.device import autocast, upload
from vae.models.pretrained import load_pretrained
from vae.objective import Terms, loss, terms
from vae.train.crops import Crops
from vae.train.recipes import Recipe


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

    def forward(
        self, x: Float[Tensor, "b c h w"], eps: Float[Tensor, "b ..."], told: Int64[Tensor, " b"] | None
    ) -> Terms:
        """`vae.terms` with the noise given; of a model that is told something of each picture, at that."""
        return terms(self.model if told is None else self.model.given(told), x, eps=eps)


def warmup_cosine(step: int, steps: int, warmup: int, floor: float = 0.01) -> float:
    """The learning rate's factor: linear up over `warmup` steps, then a half cosine down to `floor`."""
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))


class Run:
    """Weights, their moving average, optimiser and step; they can be saved and restored.

    `average.module` is the model that is kept, and that ships. `legs` tells of the processes that took the steps up to
    `first_step`, which `first_seconds` of training went into; the later steps are this process's. `validation` is what
    held-out pictures said in the end.
    """

    def __init__(
        self,
        recipe: Recipe,
        pictures: UInt8[Tensor, "n c h w"] | Crops,
        device: torch.device | None = None,
        replica: Replica = Replica(),
        labels: Int64[Tensor, " n"] | None = None,
    ):
        if recipe.batch % replica.world:
            raise ValueError(f"a batch of {recipe.batch} cannot be split evenly over {replica.world} processes")
        if recipe.batch > len(pictures):
            raise ValueError(f"a batch of {recipe.batch} needs at least as many pictures, not {len(pictures)}")
        if not recipe.model.any_size and tuple(pictures.shape[1:]) != recipe.model.spec.shape:
            raise ValueError(f"recipe {recipe.name} reads {recipe.model.spec.shape}, not {tuple(pictures.shape[1:])}")
        if recipe.model.classes and (labels is None or labels.max() >= recipe.model.classes):
            raise ValueError(f"recipe {recipe.name} needs the pictures' classes, from 0 to {recipe.model.classes - 1}")
        self.recipe, self.replica = recipe, replica
        self.device = device or torch.device("cpu")
        self.pictures = pictures.to(self.device) if isinstance(pictures, Crops) else upload(pictures, self.device)
        self.labels = upload(labels, self.device) if recipe.model.classes else None
        model = build(recipe.model, torch.Generator().manual_seed(recipe.seed))
        if recipe.top:
            model.top.load_state_dict(load_pretrained(recipe.top, "cpu").state_dict())
        if model.first:
            model.begin(data.grey(pictures[torch.arange(min(model.first, len(pictures)))]).cpu())
        self.model = model.to(self.device, memory_format=torch.channels_last)
        self.average = AveragedModel(self.model)
        self.average.module.config = recipe.kept
        objective = Objective(self.model)
        self.objective = DistributedDataParallel(objective) if replica.world > 1 else objective
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
        )
        self.waits = self.device.type == "mps"  # whose fused optimiser ignores `found_inf`: pytorch/pytorch#186360
        self.steps_per_epoch = len(pictures) // recipe.batch
        self.steps = recipe.epochs * self.steps_per_epoch
        self.step, self.seconds = 0, 0.0
        self.legs: list[dict] = []
        self.first_step, self.first_seconds = 0, 0.0
        self.validation: dict | None = None
        self._skipped = torch.zeros((), dtype=torch.int64, device=self.device)
        self.skipped_in_a_row = torch.zeros((), dtype=torch.int64, device=self.device)
        self._order: tuple[int, Tensor] | None = None

    def rows(self) -> Int64[Tensor, " b"]:
        """Which of the pictures the whole batch of the step is made of."""
        epoch, index = divmod(self.step, self.steps_per_epoch)
        if self._order is None or self._order[0] != epoch:
            order = torch.randperm(len(self.pictures), generator=self._generator("cpu", 2 * epoch))
            self._order = (epoch, upload(order, self.device))
        return self._order[1][index * self.recipe.batch : (index + 1) * self.recipe.batch]

    def batch(self) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b ..."], Int64[Tensor, " b"] | None]:
        """This process's rows of the step's pictures (where the model wants bits, binarised afresh), of the noise, and
        of what the model is told of each: its class, or how many channels of its map are kept."""
        rows = self.rows()
        generator = self._generator(self.device, 2 * self.step + 1)
        x = data.grey(self.pictures[rows])
        if self.recipe.mirrored:
            mirrored = torch.rand(len(x), 1, 1, 1, generator=generator, device=self.device) < 0.5
            x = torch.where(mirrored, x.flip(3), x)
        if self.recipe.warp:
            share = self.recipe.warp * (1 - self.step / self.steps)
            chosen = torch.rand(len(x), 1, 1, 1, generator=generator, device=self.device) < share
            x = torch.where(chosen, warp(x, generator), x)
        if self.recipe.model.spec.levels == 2:
            x = data.binarise(x, generator)
        shape = self.recipe.model.space.shape(*x.shape[2:])
        eps = torch.randn(len(x), *shape, generator=generator, device=self.device)
        told = self._kept(len(x), generator) if self.recipe.cut else None
        if self.labels is not None:
            told = self.labels[rows]
        return self.replica.rows(x), self.replica.rows(eps), None if told is None else self.replica.rows(told)

    def _kept(self, count: int, generator: torch.Generator) -> Int64[Tensor, " b"]:
        """How many channels are kept of each picture's map: all, or, of the recipe's share, any number from 1."""
        most, draw = self.recipe.model.latents, {"generator": generator, "device": self.device}
        kept, cut = torch.randint(1, most + 1, (count,), **draw), torch.rand(count, **draw) < self.recipe.cut
        return torch.where(cut, kept, most)

    def advance(self) -> tuple[Terms, Tensor]:
        """One step of the optimiser; the terms before it and the gradient's norm. A non-finite gradient is skipped.

        But for MPS, nothing here waits for the device.
        """
        x, eps, told = self.batch()
        rate = self.recipe.learning_rate * warmup_cosine(self.step, self.steps, self.recipe.warmup)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with autocast(self.device, not self.recipe.full_precision):
            parts = self.objective(x, eps, told)
        self.optimiser.zero_grad(set_to_none=True)
        loss(parts, self.beta).backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self._update(torch.isfinite(norm))
        self.step += 1
        return parts, norm

    @torch.no_grad()
    def _update(self, good: Bool[Tensor, ""]) -> None:
        """Move weights and average where the gradient is good: a scalar on the device, that nobody has to read."""
        bad = ~good
        self._skipped += bad
        self.skipped_in_a_row = (self.skipped_in_a_row + 1) * bad
        if self.waits and bad:
            return
        self.optimiser.found_inf = bad.float()  # as torch.amp.GradScaler tells a fused optimiser to leave things be
        self.optimiser.step()
        share = torch.where(self.average.n_averaged == 0, 1.0, 1 - self.recipe.ema) * good
        for kept, trained in zip(self.average.module.parameters(), self.model.parameters(), strict=True):
            kept.lerp_(trained, share)
        self.average.n_averaged += good

    @property
    def skipped(self) -> int:
        """How many steps were skipped so far."""
        return int(self._skipped)

    @property
    def beta(self) -> float:
        """The weight of the KL term now: it rises linearly from 0 over the recipe's `kl_warmup` epochs."""
        epoch = self.step / self.steps_per_epoch
        return self.recipe.beta * (min(1.0, epoch / self.recipe.kl_warmup) if self.recipe.kl_warmup else 1.0)

    def _generator(self, device: torch.device | str, stream: int) -> torch.Generator:
        return torch.Generator(device).manual_seed((self.recipe.seed << 32) + stream)

    def is_finite(self) -> bool:
        """Whether all weights are numbers, those that are trained and those that are kept."""
        weights = [*self.model.parameters(), *self.average.module.parameters()]
        return bool(torch.stack([weight.isfinite().all() for weight in weights]).all())

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
        """Go on from a `state`; ValueError where it is of another recipe's model, or holds no numbers."""
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
            if not (0 <= step <= self.steps and 0 <= skipped <= step and 0 <= seconds < math.inf):
                raise ValueError(f"a run of {self.steps} steps is never at step {step}")
            self.model.load_state_dict(parts["model"])
            self.average.load_state_dict(parts["average"])
        except (RuntimeError, LookupError, ValueError) as error:
            raise ValueError(f"the saved state is not one of recipe {self.recipe.name}") from error
        if not self.is_finite():
            raise ValueError("the saved state holds weights that are not finite numbers")
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": slots, "param_groups": groups})
        self.step, self.seconds = int(step), seconds
        self.first_step, self.first_seconds = self.step, self.seconds
        self._skipped.fill_(int(skipped))
