"""Pictures that the tests draw, as arrays and as files, and what came of them."""

import io
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

LIGHTS = ("gradient", "vignette", "shadow", "table", "grain")


def flag() -> np.ndarray:
    """A colour picture (24, 40, 3) without any symmetry."""
    picture = np.zeros((24, 40, 3), np.uint8)
    picture[:, :] = (200, 40, 40)
    picture[:8, :24] = (30, 60, 220)
    picture[8:16, 8:16] = (240, 230, 90)
    return picture


def ramp() -> np.ndarray:
    """Grey levels in [0, 1], (24, 40), from 0 to exactly 1."""
    return np.linspace(0, 1, 24 * 40).reshape(24, 40)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def file(picture: np.ndarray | Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noisy(kind: str, **options) -> bytes:
    """A picture whose every byte counts."""
    return file(np.random.default_rng(0).integers(0, 256, (37, 51, 3), dtype=np.uint8), kind, **options)


@cache
def drawn(digit: int, side: int = 200, size: int = 120, at: tuple[float, float] = (0.5, 0.5)) -> np.ndarray:
    """The ink (side, side) in [0, 1] of a digit in Pillow's own font."""
    image = Image.new("L", (side, side))
    place = (at[0] * side, at[1] * side)
    ImageDraw.Draw(image).text(place, str(digit), 255, font=ImageFont.load_default(size), anchor="mm")
    return np.asarray(image) / 255


def painted(ink: np.ndarray, paper: tuple, pen: tuple) -> np.ndarray:
    return np.rint(np.array(paper) * (1 - ink[..., None]) + np.array(pen) * ink[..., None]).astype(np.uint8)


def line(pen: int) -> Image.Image:
    """A 7 (400, 400), black on white, by a pen of so many pixels."""
    image = Image.new("L", (400, 400), 255)
    ImageDraw.Draw(image).line([(100, 80), (300, 80), (180, 340)], 0, pen)
    return image


def photographed(lighting: str) -> np.ndarray:
    """A 3 on paper, uint8 (480, 640), under one of LIGHTS."""
    y, x = np.mgrid[:480, :640] / 640
    light = {
        "gradient": 0.5 + 0.45 * x,
        "vignette": 0.95 - 1.2 * ((x - 0.5) ** 2 + (y - 0.375) ** 2),
        "shadow": ndimage.gaussian_filter(np.where(x + y > 0.8, 0.9, 0.55), 12),
    }.get(lighting, np.full(x.shape, 0.85))
    ink = np.zeros((480, 640))
    ink[100:300, 250:450] = drawn(3)
    photo = light * (1 - 0.8 * ink)
    if lighting == "table":
        photo[:, :60] = 0.2
    photo = photo + np.random.default_rng(0).normal(0, 0.04 if lighting == "grain" else 0.01, photo.shape)
    return np.rint(photo.clip(0, 1) * 255).astype(np.uint8)


def levels(prepared) -> np.ndarray:
    """The prepared picture as uint8 (h, w, c)."""
    return (prepared.picture[0] * 255).round().byte().permute(1, 2, 0).numpy()


def step(prepared, name):
    return next(s for s in prepared.steps if s.name == name)
