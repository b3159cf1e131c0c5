"""What can be measured of any picture without a label, by the words that people have for it.

All of them are sums over pixels, so that they move smoothly with a picture that is between two shapes, and take well
under a millisecond for one. `vae/app/components/instruments/explore/factors.js` says the same for each live frame.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

LEAST = 1e-6  # of ink, so that a blank picture has numbers too
FILLED = 1e-3  # grey levels: water that rises by less has come to rest
ROUNDS = 400  # no way into a hole of 28 x 28 pixels is longer

Pictures = Float[Tensor, "n c h w"]
Values = Float[Tensor, " n"]


class Factor(NamedTuple):
    """One of them: its name in files, its words and unit on screen, how it is measured in a sentence, and the measure
    of pictures in [0, 1], ink bright."""

    name: str
    words: str
    unit: str
    how: str
    measure: Callable[[Pictures], Values]


class Spread(NamedTuple):
    """Second moments of the ink about its middle, pixels^2: downwards, across, and of both."""

    down: Values
    across: Values
    both: Values


def spread(pictures: Pictures) -> Spread:
    """Those of each picture."""
    ink = pictures[:, 0]
    total = ink.sum((1, 2)).clamp(min=LEAST)
    rows, columns = torch.arange(ink.shape[1]).to(ink), torch.arange(ink.shape[2]).to(ink)
    by_row, by_column = ink.sum(2) / total[:, None], ink.sum(1) / total[:, None]
    down, right = rows - (by_row @ rows)[:, None], columns - (by_column @ columns)[:, None]
    both = (ink * down[:, :, None] * right[:, None, :]).sum((1, 2)) / total
    return Spread((by_row * down.square()).sum(1), (by_column * right.square()).sum(1), both)


def slant(pictures: Pictures) -> Values:
    """Degrees to the right from upright: of the line by which the ink's middle moves from row to row."""
    moments = spread(pictures)
    return (-moments.both / moments.down.clamp(min=LEAST)).atan().rad2deg()


def width(pictures: Pictures) -> Values:
    """Pixels: as wide as a bar with the same spread across; what the slant adds is taken out."""
    moments = spread(pictures)
    upright = moments.across - moments.both.square() / moments.down.clamp(min=LEAST)
    return (12 * upright.clamp(min=0)).sqrt()


def breadth(pictures: Pictures) -> Values:
    """Pixels: as wide as a bar with the same spread across, slanted or not."""
    return (12 * spread(pictures).across).sqrt()


def height(pictures: Pictures) -> Values:
    """Pixels: as high as a bar with the same spread downwards."""
    return (12 * spread(pictures).down).sqrt()


def stroke(pictures: Pictures) -> Values:
    """Pixels: 2 x ink / length of its edge, which is the width of a long stroke; a blurred edge is as long as a sharp
    one (total variation: Rudin, Osher and Fatemi 1992)."""
    framed = pad(pictures[:, 0], (1, 1, 1, 1))
    right = framed[:, :-1, 1:] - framed[:, :-1, :-1]
    down = framed[:, 1:, :-1] - framed[:, :-1, :-1]
    edge = (right.square() + down.square()).sqrt().sum((1, 2))
    return 2 * pictures.sum((1, 2, 3)) / edge.clamp(min=LEAST)


def ink(pictures: Pictures) -> Values:
    """The share of the picture that is ink, percent."""
    return 100 * pictures.mean((1, 2, 3))


def loops(pictures: Pictures) -> Values:
    """Pixels that ink encloses: what a flood from the border does not reach (the grey levels' holes are filled, by
    reconstruction: Vincent 1993; a hole that a faint stroke closes counts as much as that stroke is dark)."""
    ground = pad(pictures[:, 0], (1, 1, 1, 1))
    water = pad(torch.ones_like(pictures[:, 0]), (1, 1, 1, 1))
    for _ in range(ROUNDS):
        lower = water.clone()
        lower[:, 1:] = torch.minimum(lower[:, 1:], water[:, :-1])
        lower[:, :-1] = torch.minimum(lower[:, :-1], water[:, 1:])
        lower[:, :, 1:] = torch.minimum(lower[:, :, 1:], water[:, :, :-1])
        lower[:, :, :-1] = torch.minimum(lower[:, :, :-1], water[:, :, 1:])
        lower = torch.maximum(lower, ground)
        rests = bool((water - lower).amax() < FILLED)
        water = lower
        if rests:
            break
    return (water - ground).sum((1, 2))


def brightness(pictures: Pictures) -> Values:
    """Percent: the mean grey of the garment, each pixel weighed by its own grey, so that the ground counts nothing."""
    return 100 * pictures.square().sum((1, 2, 3)) / pictures.sum((1, 2, 3)).clamp(min=LEAST)


def texture(pictures: Pictures) -> Values:
    """Percent of all grey: how far pixels differ from the mean of the 3 x 3 around them, edges among them."""
    around = avg_pool2d(pictures, 3, 1, padding=1)
    return 100 * (pictures - around).abs().sum((1, 2, 3)) / pictures.sum((1, 2, 3)).clamp(min=LEAST)


LUMINANCE = (0.2126, 0.7152, 0.0722)  # of red, green and blue: Rec. 709, of values as they are stored


def luminance(pictures: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n h w"]:
    """How light each pixel is, 0 to 1."""
    red, green, blue = LUMINANCE
    return red * pictures[:, 0] + green * pictures[:, 1] + blue * pictures[:, 2]


def light(pictures: Float[Tensor, "n 3 h w"]) -> Values:
    """Percent: the mean luminance."""
    return 100 * luminance(pictures).mean((1, 2))


def contrast(pictures: Float[Tensor, "n 3 h w"]) -> Values:
    """Percent: the standard deviation of the luminance from pixel to pixel."""
    return 100 * luminance(pictures).std((1, 2), correction=0)


def warmth(pictures: Float[Tensor, "n 3 h w"]) -> Values:
    """Percent: how much more red there is than blue, on average."""
    return 100 * (pictures[:, 0] - pictures[:, 2]).mean((1, 2))


def saturation(pictures: Float[Tensor, "n 3 h w"]) -> Values:
    """Percent: how far the strongest colour of a pixel is above its weakest, on average."""
    return 100 * (pictures.amax(1) - pictures.amin(1)).mean((1, 2))


def sideways(pictures: Float[Tensor, "n 3 h w"]) -> Values:
    """Percent: how much lighter the right half is than the left."""
    left, right = luminance(pictures).tensor_split(2, 2)
    return 100 * (right.mean((1, 2)) - left.mean((1, 2)))


COLOUR = (
    Factor("light", "Brightness", "%", "the mean luminance", light),
    Factor("contrast", "Contrast", "%", "how much the luminance varies", contrast),
    Factor("warmth", "Warmth", "%", "how much more red than blue", warmth),
    Factor("saturation", "Saturation", "%", "how far the strongest colour is above the weakest", saturation),
    Factor("sideways", "Light from the right", "%", "how much lighter the right half is", sideways),
)
INK = (
    Factor("slant", "Slant", "degrees", "how far it leans to the right", slant),
    Factor("stroke", "Stroke", "pixels", "2 x ink / length of its edge", stroke),
    Factor("width", "Width", "pixels", "that of a bar of the same spread, put upright", width),
    Factor("height", "Height", "pixels", "that of a bar of the same spread", height),
    Factor("loops", "Loops", "pixels", "what ink encloses", loops),
    Factor("ink", "Ink", "%", "the share of the picture that is ink", ink),
)
# By the preparation of the pictures, in the order in which they are tried: what comes first is kept first.
FACTORS: dict[str, tuple[Factor, ...]] = {
    "digit": INK,
    "garment": (
        Factor("length", "Length", "pixels", "that of a bar of the same spread", height),
        Factor("width", "Width", "pixels", "that of a bar of the same spread", breadth),
        Factor("brightness", "Brightness", "%", "the garment's mean grey", brightness),
        Factor("texture", "Texture", "%", "how far pixels differ from those around them", texture),
        Factor("cloth", "Cloth", "%", "the mean grey of the whole picture", ink),
    ),
    "drawing": INK,
    "thing": INK,
    "plain": INK,
    "crop": COLOUR,
    "face": COLOUR,
}
