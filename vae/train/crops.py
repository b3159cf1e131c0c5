"""Random squares of pictures of many sizes, as if all of them were one tensor."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor
from tqdm import tqdm

from vae import data
from vae.data import Split
from vae.data.bank import Bank
from vae.train.recipes import Recipe


class Crops:
    """`count` squares of `side` pixels, of each kind of a bank's pictures as many as its weight in `mix` says, within a
    kind of each picture as many as its area says, half of them mirrored. A row is always the same square.

    ValueError where a kind has no picture that is large enough.
    """

    def __init__(self, bank: Bank, mix: Mapping[str, float], side: int, count: int, seed: int = 0):
        self.side, self.count, self.seed, self.device = side, count, seed, torch.device("cpu")
        kinds = bank.about["kind"]
        wanted = [row for row in range(len(bank)) if kinds[row] in mix]
        self.pictures = [bank.picture(row) for row in tqdm(wanted, desc="pictures", disable=None)]
        areas = np.array([h * w if min(h, w) >= side else 0.0 for h, w, _ in (one.shape for one in self.pictures)])
        chances = np.zeros(len(wanted))
        for kind, weight in mix.items():
            of_kind = areas * (kinds[wanted] == kind)
            if not of_kind.any():
                raise ValueError(f"there is no picture of kind {kind!r} with {side} pixels on each side")
            chances += weight * of_kind / of_kind.sum()
        self._edges = np.cumsum(chances) / chances.sum()

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(count, channels, height, width)."""
        return self.count, 3, self.side, self.side

    def __len__(self) -> int:
        return self.count

    def to(self, device: torch.device) -> "Crops":
        """The same, where rows are given on this device from now on."""
        self.device = device
        return self

    def __getitem__(self, rows: Int64[Tensor, " b"]) -> UInt8[Tensor, "b 3 side side"]:
        squares = np.zeros((len(rows), *self.shape[1:]), np.uint8)
        for place, row in enumerate(rows.tolist()):
            squares[place] = self._square(row)
        return torch.from_numpy(squares).to(self.device)

    def _square(self, row: int) -> UInt8[np.ndarray, "3 side side"]:
        chance = np.random.default_rng((self.seed, row))
        picture = self.pictures[int(np.searchsorted(self._edges, chance.random(), side="right"))]
        top, left = (chance.integers(length - self.side + 1) for length in picture.shape[:2])
        square = picture[top : top + self.side, left : left + self.side]
        return (square[:, ::-1] if chance.random() < 0.5 else square).transpose(2, 0, 1)


def squares(recipe: Recipe) -> tuple[Crops, Split]:
    """The squares that a recipe is trained on, and some of pictures that are held out, always the same.

    DataError where the bank is not on this machine.
    """
    bank, mix = data.load_bank(recipe.dataset), data.BANKS[recipe.dataset].mix
    parts = {part: bank.some(np.flatnonzero(bank.about["part"] == part)) for part in ("train", "validation")}
    seen = Crops(parts["train"], mix, recipe.side, recipe.crops, recipe.seed)
    held_out = Crops(parts["validation"], mix, recipe.side, recipe.held_out)[torch.arange(recipe.held_out)]
    return seen, Split(held_out, torch.zeros(len(held_out), dtype=torch.int64))
