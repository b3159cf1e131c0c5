"""How far log p(x) on screen is from an independent quadrature: `python -m tests.benchmarks.evidence [PICTURES]`.

The other quadrature is that of tests/inference/test_evidence.py: float64 sums over a lattice of the whole plane,
divided where the posterior is until nothing changes, with a likelihood written out there. The pictures that stay apart
are named on the standard error stream. Takes half an hour for 1,000 pictures of each model on one core.
"""

import sys

import torch
from tqdm import tqdm

from tests.inference.test_evidence import FLAT, by_halving, coarse_joint
from vae import data
from vae.inference.evidence import Grid
from vae.models.pretrained import load_pretrained
from vae.train.recipes import RECIPES


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
            for index, *row, value in zip(rows, bits.split(1), coarse_joint(model, bits), expected, strict=True):
                found.append(abs(float(by_halving(model, *row) - value)))
                if found[-1] > 0.01:
                    tqdm.write(f"{name}: picture {int(index)} is off by {found[-1]:.3f} nats", sys.stderr)
        far = torch.tensor(found)
        print(f"| `{name}` | {count} | {int((far > 0.01).sum())} | {far.median():.4f} | {far.max():.4f} |", flush=True)


if __name__ == "__main__":
    main()
