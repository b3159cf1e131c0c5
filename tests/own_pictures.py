"""Small sets of one's own pictures for tests: bars and rings, in bits or in colours, always the same."""

import numpy as np
import torch

from vae.data import Own, own
from vae.models.spaces import Pictures

BITS = Pictures(1, 28, 28, 2, "plain")
COLOURS = Pictures(3, 32, 32, 256, "crop")


def pictures(count: int, spec: Pictures = BITS, seed: int = 0) -> torch.Tensor:
    """(count, c, h, w) bytes: in turn an upright bar, a level one, and a ring, each elsewhere, of another size."""
    chance, found = np.random.default_rng(seed), []
    y, x = np.mgrid[: spec.height, : spec.width]
    for place in range(count):
        down, across = chance.integers(spec.height // 3, 2 * spec.height // 3, 2)
        lean, long, pen = chance.uniform(-0.3, 0.3), chance.uniform(6, 10), chance.uniform(1.3, 2.6)
        along, beside = (x - across) + lean * (y - down), (y - down) - lean * (x - across)
        upright, level = np.maximum(abs(along), abs(beside) - long), np.maximum(abs(beside), abs(along) - long)
        ring = np.abs(np.hypot(along * (1 + lean), beside) - 0.8 * long)
        levels = (255 * (pen + 0.5 - (upright, level, ring)[place % 3])).clip(0, 255)
        if spec.channels == 3:
            levels = levels * chance.uniform(0.4, 1, 3)[:, None, None] + chance.uniform(0, 90, 3)[:, None, None]
        found.append(torch.from_numpy(levels.clip(0, 255).astype(np.uint8)).view(-1, *levels.shape[-2:]))
    return torch.stack(found)


def some(count: int = 60, spec: Pictures = BITS, title: str = "Bars and rings", classes: bool = False) -> Own:
    """A data set of them, opened."""
    names = ("level", "ring", "upright") if classes else ()
    labels = [(2, 0, 1)[place % 3] if classes else 0 for place in range(count)]
    return own.opened(own.own_set(title, names, spec, pictures(count, spec), labels))
