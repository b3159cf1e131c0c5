"""Are eyes found where they are: `python -m tests.benchmarks.faces [COUNT] [--seed N]`.

Takes COUNT of the portraits that ship (1,338, all by default), which nothing was trained on, and puts each on a plain
canvas of 512 x 512 pixels: 0.3 to 1 of it wide, turned by up to 30 degrees, anywhere, on any colour. Where its eyes
went follows from where those of portraits usually are. Prints the share of eyes found within 5 % of the distance
between them, with its 95 % Wilson interval, over all and by size and turn, and what a picture takes; then how many of
the pictures without a face, of each kind that is there, are taken for one.
"""

import argparse
import math
import time
from collections.abc import Iterable

import numpy as np
from tqdm import tqdm

from tests.pictures.faces import Placed, by_chance, shipped
from vae import data
from vae.pictures.face.finder import find

NEAR = 0.05  # of the distance between the eyes
OTHERS = 300  # pictures of each kind without a face


def wilson(hits: int, count: int) -> str:
    """A share in percent, and its 95 % interval."""
    z, share = 1.96, hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2) / (1 + z * z / count)
    return f"{100 * share:.1f} % ({100 * (middle - half):.1f} to {100 * (middle + half):.1f})"


def errors(one: Placed) -> tuple[np.ndarray, int]:
    """How far from each eye the found one is, as a share of the distance between them, and how many faces were found;
    infinitely far where there was none."""
    found = find(one.picture)
    if found.eyes is None:
        return np.full(2, np.inf), 0
    away = np.linalg.norm(found.eyes.pixels(one.picture.shape[:2]) - one.eyes, axis=1)
    return away / np.linalg.norm(one.eyes[1] - one.eyes[0]), found.faces


def without_faces() -> Iterable[tuple[str, list[np.ndarray]]]:
    """Kinds of pictures without a face: those that ship, and photos of birds where they were gathered."""
    for name in ("mnist", "fashion-mnist"):
        yield name, [one.numpy() for one in data.load(name, "test").images[:OTHERS, 0]]
    try:
        bank = data.load_bank("photos")
    except data.DataError:
        return
    rows = np.flatnonzero(bank.about["kind"] == "photos")[:OTHERS]
    yield "photos of birds", [bank.picture(row) for row in rows.tolist()]


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", nargs="?", type=int, default=1338)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    bank, chance = shipped(), np.random.default_rng(asked.seed)
    rows = chance.permutation(len(bank))[: asked.count]
    all_placed = [by_chance(bank.picture(row), chance) for row in rows.tolist()]
    start = time.perf_counter()
    results = [errors(one) for one in tqdm(all_placed, disable=None)]
    took = (time.perf_counter() - start) / len(results)
    away, faces = np.stack([one for one, _ in results]), np.array([count for _, count in results])
    scales, turns = (np.array([getattr(one, name) for one in all_placed]) for name in ("scale", "turn"))
    groups = {
        "all": scales > 0,
        "0.3 to 0.5 of the canvas": scales < 0.5,
        "0.5 to 0.75": (scales >= 0.5) & (scales < 0.75),
        "0.75 to 1": scales >= 0.75,
        "turned by less than 15°": abs(turns) < 15,
        "by 15° to 30°": abs(turns) >= 15,
    }
    for words, group in groups.items():
        hits = int((away[group] < NEAR).sum())
        print(f"{words:26s} {wilson(hits, 2 * int(group.sum())):28s} median {100 * np.median(away[group]):.1f} %")
    print(f"no face {np.mean(faces == 0):.1%}, one {np.mean(faces == 1):.1%}, several {np.mean(faces > 1):.1%}")
    print(f"{1000 * took:.0f} ms a picture")
    for words, pictures in without_faces():
        taken = sum(find(one).eyes is not None for one in tqdm(pictures, disable=None))
        print(f"taken for a face, of {len(pictures)} {words}: {wilson(taken, len(pictures))}")


if __name__ == "__main__":
    main()
