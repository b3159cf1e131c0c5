"""How long a journey and its films take: `python -m tests.benchmarks.interpolate [pairs]`.

For each model, random pairs of test pictures: both are encoded, then come all three paths of 60 steps with every number
on them, as the page computes them, and then the 60 decoded pictures as films, at least 256 pixels wide. Prints medians
and the slowest; beside the times, over the same pairs, what the paths are judged by.
"""

import os
import statistics
import sys
import time
from collections import defaultdict

os.environ.setdefault("OMP_NUM_THREADS", "1")  # as the app runs

import torch

from tests.registry import VECTORS
from vae import data
from vae.latent.journey import PATHS, Way, journey
from vae.models.pretrained import load_card
from vae.pictures import films
from vae.serve.asked import SKETCH
from vae.serve.engine import engine
from vae.serve.library import library

STEPS, WIDTH, SPEED = 60, 256, 20


def timed(seconds: list[float], function, *arguments):
    start = time.perf_counter()
    result = function(*arguments)
    seconds.append(time.perf_counter() - start)
    return result


def compare(name: str, pairs: int) -> tuple[dict[str, list[float]], list[dict[str, Way]]]:
    """Seconds of each kind of work, and the ways, for some random pairs of a model's test set."""
    loaded = library().lease(library().find(name))
    x = data.fixed_binarisation(load_card(name)["data"]["name"])
    chosen = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[: 2 * pairs].view(pairs, 2)
    seconds, found = defaultdict(list), []
    for a, b in chosen.tolist():
        ends = x[[a, b]].float()
        start = time.perf_counter()
        mu = engine().answer(SKETCH, loaded, ends).mu
        found.append(engine().compute(journey, loaded.model, mu[0], mu[1], ends[:1], ends[1:], loaded.company, STEPS))
        seconds["three paths"].append(time.perf_counter() - start)
        frames = films.as_frames(found[-1]["straight"].steps.mean)
        for kind, film in films.formats().items():
            timed(seconds[kind], film.write, frames, WIDTH, SPEED)
    return seconds, found


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    results = {name: compare(name, pairs) for name in VECTORS}
    kinds = list(next(iter(results.values()))[0])
    print(f"{f'ms, {pairs} pairs':16}" + "".join(f"{kind:>20}" for kind in kinds))
    for name, (seconds, _) in results.items():
        cells = (f"{1000 * statistics.median(seconds[kind]):8.0f} ({1000 * max(seconds[kind]):.0f})" for kind in kinds)
        print(f"{name:16}" + "".join(f"{cell:>20}" for cell in cells))
    print(f"\n{'means':16}" + "".join(f"{word:>30}" for word in PATHS))
    print(f"{'':16}" + "".join(f"{'length largest log q(z)':>30}" for _ in PATHS))
    for name, (_, ways) in results.items():
        cells = []
        for word in PATHS:
            judged = [way[word].judged for way in ways]
            means = (statistics.mean(values) for values in list(zip(*judged, strict=True))[:3])
            cells.append("{:.1f} {:7.2f} {:8.1f}".format(*means))
        print(f"{name:16}" + "".join(f"{cell:>30}" for cell in cells))


if __name__ == "__main__":
    main()
