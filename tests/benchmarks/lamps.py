"""How sharp the ledger's checks are, and how often one is red: `python -m tests.benchmarks.lamps [pictures [names]]`.

Of random test pictures, each with a seed of its own: the milliseconds of a record, and of each check its median slack
in nats, how near any picture came to a red lamp, as a share of the slack, and the red lamps. Under models with two
latents there is the plane, which makes a record several times as slow; `PLANE=no` leaves it out.
"""

import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import torch

from tests.registry import VECTORS
from vae import data
from vae.inference.evidence import Grid
from vae.inference.ledger import Check, checks
from vae.inference.posterior import Plane
from vae.inference.record import frame
from vae.models.pretrained import load_card, load_pretrained

SEED = 11


def nearest(found: list[Check]) -> float:
    """The largest share of its slack that a check used; 1 and more is a red lamp."""
    return max((abs(c.left - c.right) if c.sign == "=" else c.left - c.right) / c.slack for c in found)


def survey(name: str, pictures: int, folder: Path) -> None:
    model = load_pretrained(name, "cpu")
    flat = model.latents == 2
    grid = Grid(model) if flat else None
    plane = Plane(model, folder) if flat and os.environ.get("PLANE") != "no" else None
    x = data.fixed_binarisation(load_card(name)["data"]["name"])
    x = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(SEED))[:pictures]]
    found, times, red = defaultdict(list), [], 0
    for seed, one in enumerate(x.split(1)):
        start = time.perf_counter()
        record = frame(model, one, seed, grid, plane)
        times.append(time.perf_counter() - start)
        made = checks(record)
        red += not all(check.holds for check in made)
        for check in made:
            found[check.claim].append(check)
    print(f"{name}: {red} of {len(x)} records with a red lamp, {1e3 * statistics.median(times):.0f} ms a record")
    for claim, each in found.items():
        slack, failed = statistics.median(check.slack for check in each), sum(not check.holds for check in each)
        print(f"  {claim:55} slack {slack:.4f}, nearest {nearest(each):6.2f}, red {failed}", flush=True)


def main() -> None:
    pictures = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as folder:
        for name in sys.argv[2:] or VECTORS:
            survey(name, pictures, Path(folder))


if __name__ == "__main__":
    main()
