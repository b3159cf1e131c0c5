"""How far log p(x) on screen is from an independent quadrature: `python -m tests.benchmarks.evidence [PICTURES]`.

The other quadrature is that of tests/test_exact.py: float64 sums over a lattice of the whole plane, divided twice where
the posterior is, with a likelihood written out there. Where the two differ by more than 0.005 nats, it is taken again
from a lattice four times as fine down to cells of 1/2560, since some posteriors are narrower than 1/80. The pictures
that stay apart are named on the standard error stream. Takes an hour for 1,000 pictures of each model on one core.
"""

import sys

import torch
from torch import Tensor
from tqdm import tqdm

from tests.test_exact import FINER_LATTICE, FINER_LEVELS, FLAT, by_local_lattice, coarse_joint
from vae import data
from vae.checkpoint import load_pretrained
from vae.config import RECIPES
from vae.exact import Grid
from vae.models import VAE


def distance(model: VAE, bits: Tensor, coarse: Tensor, value: Tensor) -> float:
    """Between log p(x) on screen and by the other quadrature, nats."""
    far = abs(float(by_local_lattice(model, bits, coarse)) - float(value))
    if far <= 0.005:
        return far
    finer = coarse_joint(model, bits, FINER_LATTICE)[0]
    return abs(float(by_local_lattice(model, bits, finer, FINER_LATTICE, FINER_LEVELS)) - float(value))


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    torch.set_num_threads(1)
    print("| model | pictures | above 0.01 nats | median, nats | worst, nats |\n|---|---|---|---|---|", flush=True)
    for name in FLAT:
        model, x = load_pretrained(name, "cpu"), data.fixed_binarisation(RECIPES[name].dataset)
        chosen = torch.randperm(len(x), generator=torch.Generator().manual_seed(11))[:count]
        evidence = Grid(model).evidence(x[chosen], 100).log_evidence
        found = []
        for rows, expected in tqdm(list(zip(chosen.split(50), evidence.split(50), strict=True)), name):
            bits = x[rows].flatten(1).double()
            for index, *row in zip(rows.tolist(), bits.split(1), coarse_joint(model, bits), expected, strict=True):
                found.append(distance(model, *row))
                if found[-1] > 0.01:
                    tqdm.write(f"{name}: picture {index} is off by {found[-1]:.3f} nats", sys.stderr)
        far = torch.tensor(found)
        print(f"| `{name}` | {count} | {int((far > 0.01).sum())} | {far.median():.4f} | {far.max():.4f} |", flush=True)


if __name__ == "__main__":
    main()
