"""Pages of text and sheets of small pictures, drawn at random: what screenshots and drawings look like."""

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

PAGE, SHEET, GAP = 512, 384, 8  # pixels
SIZES = (9, 10, 11, 12, 12, 13, 14, 14, 16, 18, 22, 28, 40)  # of letters, in pixels
ICONS = (24, 32, 48, 64, 64, 96, 128)


def page(fonts: Sequence[Path], words: Sequence[str], chance: random.Random) -> UInt8[np.ndarray, "512 512 3"]:
    """A page of text in several fonts, sizes and colours, dark on light or light on dark, with bars and lines."""
    dark = chance.random() < 0.3
    ground = [chance.randint(0, 50) if dark else chance.randint(225, 255) for _ in range(3)]
    if chance.random() < 0.2:
        ground = _colour(chance)
        dark = sum(ground) < 380
    image = Image.new("RGB", (PAGE, PAGE), tuple(ground))
    draw, y = ImageDraw.Draw(image), chance.randint(4, 20)
    while y < PAGE - GAP:
        y = _paragraph(draw, y, dark, fonts, words, chance)
    return np.array(image)


def _paragraph(
    draw: ImageDraw.ImageDraw,
    y: int,
    dark: bool,
    fonts: Sequence[Path],
    words: Sequence[str],
    chance: random.Random,
) -> int:
    """Some lines in one font and colour; the height at which the next begin."""
    size, left = chance.choice(SIZES), chance.randint(4, 30)
    font = ImageFont.truetype(chance.choice(fonts), size)
    ink = [chance.randint(200, 255) if dark else chance.randint(0, 60) for _ in range(3)]
    if chance.random() < 0.2:
        ink = _colour(chance)
    for _ in range(chance.randint(1, 5)):
        if chance.random() < 0.1:
            bar = [left - 4, y, left + chance.randint(60, 400), y + size + 4]
            draw.rectangle(bar, fill=tuple(_colour(chance)))
        line = " ".join(chance.choice(words) for _ in range(chance.randint(3, 14)))
        draw.text((left, y), line, font=font, fill=tuple(ink))
        y += int(1.35 * size)
    if chance.random() < 0.15:
        draw.line([left, y + 4, PAGE - left, y + 4], fill=tuple(ink), width=chance.randint(1, 3))
        y += 6
    return y + chance.randint(2, 18)


def sheet(icons: Sequence[Path], chance: random.Random) -> UInt8[np.ndarray, "384 384 3"]:
    """Rows of small pictures of one size, on white, black or a colour."""
    ground = chance.choice([[255, 255, 255], [255, 255, 255], [20, 22, 30], _colour(chance)])
    image, size = Image.new("RGB", (SHEET, SHEET), tuple(ground)), chance.choice(ICONS)
    step = size + GAP
    for y in range(GAP // 2, SHEET - step + 1, step):
        for x in range(GAP // 2, SHEET - step + 1, step):
            icon = Image.open(chance.choice(icons)).convert("RGBA").resize((size, size), Image.Resampling.LANCZOS)
            image.paste(icon, (x, y), icon)
    return np.array(image)


def _colour(chance: random.Random) -> list[int]:
    return [chance.randint(0, 255) for _ in range(3)]
