"""What 1,000 draws in place of 5,000 cost the bound: `python -m tests.benchmarks.draws [pictures [names]]`.

The published figures that the README compares with take 5,000. Of random test pictures, the bound of 5 x 1,000 draws
together against the mean of the five bounds of 1,000. Prints nats per picture and the standard error.
"""

import math
import sys

import torch

from tests.registry import VECTORS
from vae import data
from vae.evaluate.bounds import IW_SAMPLES
from vae.models.pretrained import load_card, load_pretrained
from vae.objective import importance_bound

TIMES, SEED = 5, 1


@torch.inference_mode()
def gained(name: str, pictures: int) -> torch.Tensor:
    """By how much the bound of each picture rises, nats."""
    model, generator = load_pretrained(name, "cpu"), torch.Generator().manual_seed(SEED)
    x = data.fixed_binarisation(load_card(name)["data"]["name"])
    x = x[torch.randperm(len(x), generator=generator)[:pictures]]
    found = []
    for part in x.split(8):
        bounds = torch.stack([importance_bound(model, part, IW_SAMPLES, generator) for _ in range(TIMES)])
        found.append(bounds.logsumexp(0) - math.log(TIMES) - bounds.mean(0))
    return torch.cat(found)


def main() -> None:
    pictures = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for name in sys.argv[2:] or VECTORS:
        rise = gained(name, pictures)
        print(f"{name:12} {rise.mean():.3f} +- {rise.std() / pictures**0.5:.3f} nats, {pictures} pictures", flush=True)


if __name__ == "__main__":
    main()
