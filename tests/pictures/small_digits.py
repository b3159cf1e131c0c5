"""Digits drawn at 28 x 28 pixels as people draw them in a paint program: anywhere, in any size, with any pen."""

import io

import numpy as np
from PIL import Image, ImageDraw

# Strokes in a box of 1 x 1, y downwards: how a hand would draw each digit, some in two ways.
ARC = [(0.5 + 0.5 * np.cos(t), 0.5 + 0.5 * np.sin(t)) for t in np.linspace(-np.pi / 2, 3 * np.pi / 2, 25)]
UPPER = [(0.5 + 0.4 * x, 0.26 + 0.26 * y) for x, y in ((2 * a - 1, 2 * b - 1) for a, b in ARC)]
LOWER = [(0.5 + 0.5 * x, 0.76 + 0.24 * y) for x, y in ((2 * a - 1, 2 * b - 1) for a, b in ARC)]


def bow(x: float, y: float, w: float, h: float, start: float, end: float) -> list[tuple[float, float]]:
    """Part of an ellipse around (x, y), angles in degrees, clockwise from the right."""
    return [(x + w * np.cos(t), y + h * np.sin(t)) for t in np.radians(np.linspace(start, end, 15))]


DIGITS = {
    0: [[ARC], [bow(0.5, 0.5, 0.36, 0.5, -100, 262)]],
    1: [[[(0.5, 0), (0.5, 1)]], [[(0.25, 0.25), (0.55, 0), (0.55, 1)]]],
    2: [[[*bow(0.5, 0.28, 0.45, 0.28, -170, 30), (0.05, 1), (1, 1)]]],
    3: [[[*bow(0.45, 0.25, 0.42, 0.25, -150, 90), *bow(0.45, 0.74, 0.5, 0.26, -90, 150)]]],
    4: [
        [[(0.6, 0), (0.0, 0.66), (1, 0.66)], [(0.7, 0.35), (0.7, 1)]],
        [[(0.1, 0), (0.1, 0.5), (0.9, 0.5)], [(0.85, 0), (0.85, 1)]],
    ],
    5: [[[(0.95, 0), (0.15, 0), (0.12, 0.42), *bow(0.45, 0.68, 0.5, 0.32, -120, 140)]]],
    6: [
        [[(0.75, 0), *bow(0.5, 0.7, 0.45, 0.3, -160, 200)]],
        [[(0.65, 0), (0.15, 0.5), *bow(0.5, 0.72, 0.42, 0.28, -180, 170)]],
    ],
    7: [[[(0, 0), (1, 0), (0.4, 1)]], [[(0, 0.05), (1, 0), (0.35, 1)], [(0.3, 0.5), (0.85, 0.5)]]],
    8: [[UPPER, LOWER]],
    9: [
        [[*bow(0.5, 0.3, 0.42, 0.3, 0, 360), (0.85, 1)]],
        [[*bow(0.5, 0.28, 0.4, 0.28, 0, 360), (0.9, 0.6), (0.45, 1)]],
    ],
}
# (pen in pixels, height of the digit in pixels, where in the free space: across and down, ink, paper)
STYLES = [
    (1, 20, 0.5, 0.5, 0, 255),
    (1, 12, 0.5, 0.5, 0, 255),
    (1, 24, 0.0, 0.0, 0, 255),
    (1, 16, 1.0, 1.0, 255, 0),
    (2, 20, 0.5, 0.5, 0, 255),
    (2, 14, 0.1, 0.2, 0, 255),
    (2, 26, 0.5, 0.5, 255, 0),
    (2, 18, 0.5, 1.0, 0, 255),
    (2, 22, 0.9, 0.5, 40, 230),
    (3, 24, 0.5, 0.5, 0, 255),
    (3, 18, 0.2, 0.9, 255, 0),
    (3, 26, 0.5, 0.5, 0, 255),
    (4, 24, 0.5, 0.5, 0, 255),
    (4, 22, 0.0, 0.5, 255, 0),
]


def drawn(digit: int, style: int, seed: int = 0) -> Image.Image:
    """28 x 28 pixels, grey, without a soft edge, as a pencil of a paint program leaves them."""
    chance = np.random.default_rng([seed, digit, style])
    pen, height, across, down, ink, paper = STYLES[style]
    strokes = DIGITS[digit][chance.integers(len(DIGITS[digit]))]
    slant, width = chance.uniform(-0.1, 0.25), height * chance.uniform(0.5, 0.75)
    points = [np.array(stroke) for stroke in strokes]
    points = [
        np.stack([p[:, 0] + slant * (1 - p[:, 1]), p[:, 1]], 1) + chance.normal(0, 0.015, p.shape) for p in points
    ]
    low, high = np.concatenate(points).min(0), np.concatenate(points).max(0)
    size = np.array([width if high[0] - low[0] > 0.4 else (high[0] - low[0]) * height, height])
    size = np.minimum(size - pen, 27 - pen)
    corner = pen / 2 + (27 - pen - size) * np.array([across, down])
    picture = Image.new("L", (28, 28), paper)
    pencil = ImageDraw.Draw(picture)
    for p in points:
        at = corner + (p - low) / np.maximum(high - low, 1e-6) * size
        pencil.line([tuple(map(float, one)) for one in at], ink, pen, "curve")
    return picture


def saved(image: Image.Image, times: int = 1) -> bytes:
    """A PNG, each pixel `times` as large."""
    buffer = io.BytesIO()
    image.resize((28 * times, 28 * times), Image.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue()


def everything() -> list[tuple[int, Image.Image]]:
    """(digit, picture) of every digit in every style."""
    return [(digit, drawn(digit, style)) for style in range(len(STYLES)) for digit in DIGITS]
