"""Portraits moved, turned and scaled by chance, which says where their eyes went."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from vae.data import bank
from vae.pictures.face.eyes import STANDARD

SHIPPED = Path(__file__).resolve().parents[2] / "pretrained" / "data" / "portraits" / "portraits.npz"
CANVAS = 512  # pixels on a side


class Placed(NamedTuple):
    """A picture (CANVAS, CANVAS, 3) with a portrait on it, (x, y) of its eyes in pixels, and what was done to it: its
    side as a share of the canvas, and degrees clockwise."""

    picture: np.ndarray
    eyes: np.ndarray
    scale: float
    turn: float


def shipped() -> bank.Bank:
    """The portraits that are part of the repository, none of which anything was trained on."""
    return bank.load(SHIPPED)


def placed(portrait: np.ndarray, scale: float, turn: float, middle: tuple[float, float], ground: tuple) -> Placed:
    """A square portrait on plain ground, its middle in shares of the canvas."""
    side, angle = scale * CANVAS, np.deg2rad(turn)
    across = side * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    back = np.linalg.inv(across) * len(portrait)
    start = len(portrait) / 2 - back @ (CANVAS * np.array(middle))
    affine = (*back[0], start[0], *back[1], start[1])
    options = (CANVAS, CANVAS), Image.Transform.AFFINE, affine
    moved = Image.fromarray(portrait).transform(*options, Image.Resampling.BICUBIC)
    inside = Image.new("L", (len(portrait),) * 2, 255).transform(*options, Image.Resampling.NEAREST)
    canvas = Image.new("RGB", (CANVAS, CANVAS), tuple(ground))
    canvas.paste(moved, mask=inside)
    eyes = (np.array(STANDARD) - 0.5) @ across.T + CANVAS * np.array(middle)
    return Placed(np.asarray(canvas), eyes, scale, turn)


def by_chance(portrait: np.ndarray, chance: np.random.Generator) -> Placed:
    """0.3 to 1 of the canvas wide, turned by up to 30 degrees, anywhere on it, on any colour."""
    scale, turn = chance.uniform(0.3, 1), chance.uniform(-30, 30)
    middle = chance.uniform(scale / 2, 1 - scale / 2, 2)
    return placed(portrait, scale, turn, tuple(middle), tuple(chance.integers(0, 256, 3).tolist()))
