"""Training speed of every recipe on this machine: `python -m tests.benchmarks.training [threads]`.

Times the whole training step (data, binarisation, both passes, optimiser, averaging) of `vae.train.run.Run` on random
pictures. Prints the median pictures a second, the time of an epoch, and the ratio to the first recipe.
"""

import statistics
import sys
import time

import torch

from vae.models.device import choose_device
from vae.train.recipes import RECIPES, Recipe
from vae.train.run import Run

PICTURES, STEPS, WARM = 4096, 5, 1


def pictures_per_second(recipe: Recipe) -> float:
    device = choose_device()
    pictures = torch.randint(0, 256, (PICTURES, *recipe.model.spec.shape), dtype=torch.uint8)
    run = Run(recipe, pictures, device)
    seconds = []
    for step in range(WARM + STEPS):
        start = time.perf_counter()
        _, norm = run.advance()
        float(norm)  # waits for the device
        if step >= WARM:
            seconds.append(time.perf_counter() - start)
    return recipe.batch / statistics.median(seconds)


def main() -> None:
    if len(sys.argv) > 1:
        torch.set_num_threads(int(sys.argv[1]))
    print(f"{choose_device()}, {torch.get_num_threads()} threads")
    print(f"{'recipe':16} {'pictures/s':>11} {'s/epoch':>8} {'ratio':>6}")
    first = None
    for name, recipe in RECIPES.items():
        speed = pictures_per_second(recipe)
        first = first or speed
        print(f"{name:16} {speed:11.0f} {60_000 / speed:8.1f} {speed / first:6.2f}", flush=True)


if __name__ == "__main__":
    main()
