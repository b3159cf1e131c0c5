"""A small network that reads the tags of portraits, and how far apart two sets of pictures lie in what it sees.

The tags are words of what somebody asked a painter for, so that they are often wrong; what the network sees on its way
to them tells faces apart all the same. It is trained on the training pictures when it is first needed, in some minutes,
and kept in the cache folder.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn
from tqdm import tqdm

from vae import data
from vae.models import checkpoint
from vae.models.files import save_tensors

FEATURES, WIDTHS = 64, (32, 64, 128)
EPOCHS, BATCH, RATE = 4, 128, 3e-3
SEED = 0
VERSION = "1"  # of the weights in the cache; a change above makes another


class Tags(nn.Module):
    """Log-odds of each tag, from FEATURES numbers that are means over a picture."""

    def __init__(self, tags: int):
        super().__init__()
        first, second, third = WIDTHS
        self.body = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(12, first, 3, padding=1),
            nn.GroupNorm(8, first),
            nn.SiLU(),
            nn.Conv2d(first, second, 3, 2, 1),
            nn.GroupNorm(8, second),
            nn.SiLU(),
            nn.Conv2d(second, third, 3, 2, 1),
            nn.GroupNorm(8, third),
            nn.SiLU(),
            nn.Conv2d(third, third, 3, padding=1),
            nn.GroupNorm(8, third),
            nn.SiLU(),
            nn.Conv2d(third, FEATURES, 1),
            nn.SiLU(),
        )
        self.last = nn.Linear(FEATURES, tags)

    def features(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n features"]:
        """What the tags are told from."""
        return self.body(x - 0.5).mean((2, 3))

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n tags"]:
        return self.last(self.features(x))


def trained(images: UInt8[Tensor, "n 3 h w"], tags: Bool[Tensor, "n tags"]) -> Tags:
    """The network of these pictures, from the cache where it has been trained on as many before."""
    path = data.cache_folder("portraits") / "tags.safetensors"
    told = {"version": VERSION, "pictures": str(len(images))}
    if (kept := _kept(path, told, tags.shape[1])) is not None:
        return kept
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = Tags(tags.shape[1]).to(memory_format=torch.channels_last)
    generator, steps = torch.Generator().manual_seed(SEED), EPOCHS * (len(images) // BATCH)
    optimiser = torch.optim.AdamW(model.parameters(), RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    rows = torch.cat([torch.randperm(len(images), generator=generator) for _ in range(EPOCHS)])
    for some in tqdm(rows[: steps * BATCH].split(BATCH), desc="tags", disable=None):
        x = data.grey(images[some])
        x = torch.where(torch.rand(len(x), 1, 1, 1, generator=generator) < 0.5, x, x.flip(3))
        optimiser.zero_grad()
        F.binary_cross_entropy_with_logits(model(x), tags[some].float()).backward()
        optimiser.step()
        schedule.step()
    model = model.requires_grad_(False).eval()
    save_tensors({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, path, told)
    return model


def _kept(path: Path, told: dict[str, str], tags: int) -> Tags | None:
    """The network in the cache; None where there is none of these pictures."""
    if not path.is_file():
        return None
    metadata, tensors = checkpoint.read(path)
    if metadata != told:
        return None
    model = Tags(tags)
    model.load_state_dict(tensors)
    return model.requires_grad_(False).eval()


@torch.inference_mode()
def seen(model: Tags, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n features"]:
    """The features of many pictures, float64."""
    return torch.cat([model.features(part) for part in x.split(250)]).double()


def auc(scores: Float[Tensor, " n"], labels: Bool[Tensor, " n"]) -> float:
    """How often a picture with a tag has a higher score than one without it."""
    ranks = torch.empty(len(scores), dtype=torch.float64)
    ranks[scores.argsort()] = torch.arange(1, len(scores) + 1, dtype=torch.float64)
    yes = int(labels.sum())
    return float((ranks[labels].sum() - yes * (yes + 1) / 2) / (yes * (len(labels) - yes)))


def frechet(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> float:
    """The squared Frechet distance of two normal distributions with the moments of two sets of features.

    Dowson and Landau (1982), as Heusel et al., GANs Trained by a Two Time-Scale Update Rule (2017), use it. With few
    pictures it is too large, the more so the fewer: compare equal numbers only.
    """
    first, second = torch.cov(a.T), torch.cov(b.T)
    values, vectors = torch.linalg.eigh(first)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    both = torch.linalg.eigvalsh(root @ second @ root).clamp(min=0).sqrt().sum()
    return float((a.mean(0) - b.mean(0)).square().sum() + first.trace() + second.trace() - 2 * both)
