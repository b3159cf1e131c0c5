"""How near a picture comes back, and what the best linear code of as many numbers would do."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vae.models.families.spatial import Transform, blocks_of
from vae.models.spaces import STEP

WINDOW, SPREAD = 11, 1.5  # pixels: the Gaussian window of SSIM
STEADY = (0.01**2, 0.03**2)  # what keeps its quotients finite
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # the weights of five scales, from the finest


def ms_ssim(
    found: Float[Tensor, "n c h w"], x: Float[Tensor, "n c h w"], scales: int = len(SCALES)
) -> Float[Tensor, " n"]:
    """The structural similarity of each picture over some scales, 1 for the same picture; a mean over the colours.

    Wang, Simoncelli and Bovik, Multiscale Structural Similarity for Image Quality Assessment (2003). A picture of less
    than 176 pixels on a side has too few for five: ValueError. With fewer, their weights still sum to one.
    """
    least = WINDOW * 2 ** (scales - 1)
    if min(x.shape[2:]) < least:
        raise ValueError(f"{scales} scales need {least} pixels on each side, not {x.shape[2]} x {x.shape[3]}")
    product, weights = torch.ones(x.shape[:2]), SCALES[:scales]
    for scale, weight in enumerate(weight * sum(SCALES) / sum(weights) for weight in weights):
        light, structure = _similar(found, x)
        last = scale == scales - 1
        product = product * (light * structure if last else structure).flatten(2).mean(2).clamp(min=0) ** weight
        found, x = (F.avg_pool2d(picture, 2) for picture in (found, x))
    return product.mean(1)


def _similar(found: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """SSIM's two factors at every place: of the light, and of contrast and structure."""
    mean_x, mean_f = _blurred(x), _blurred(found)
    var_x, var_f = _blurred(x * x) - mean_x**2, _blurred(found * found) - mean_f**2
    both = _blurred(x * found) - mean_x * mean_f
    light = (2 * mean_x * mean_f + STEADY[0]) / (mean_x**2 + mean_f**2 + STEADY[0])
    return light, (2 * both + STEADY[1]) / (var_x + var_f + STEADY[1])


def _blurred(picture: Tensor) -> Tensor:
    """By a Gaussian window, where it fits."""
    places = torch.arange(WINDOW) - WINDOW // 2
    window = torch.exp(-0.5 * (places / SPREAD) ** 2)
    window = (window / window.sum()).expand(picture.shape[1], 1, 1, -1)
    wide = F.conv2d(picture, window, groups=picture.shape[1])
    return F.conv2d(wide, window.transpose(2, 3), groups=picture.shape[1])


@dataclass(frozen=True)
class Linear:
    """The Karhunen-Loeve transform of 8 x 8 blocks as a code of `channels` numbers, sent with Gaussian noise.

    Each number is as exact as makes the same mean squared error `distortion` of all: the best that a linear code can
    do at its rate, were blocks Gaussian. A number that varies less than that is not sent.
    """

    transform: Transform
    channels: int
    distortion: float = 0.0

    def __call__(
        self, x: Float[Tensor, "n c h w"], generator: torch.Generator | None = None
    ) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, " n"]]:
        """What comes back of pictures, and the rate of each, bits per pixel; without noise the rate is infinite."""
        mean, directions, deviations, _ = self.transform
        directions, deviations = directions[: self.channels], deviations[: self.channels]
        code = (blocks_of(x) - mean) @ directions.T
        bits = torch.full((len(x),), torch.inf)
        if self.distortion:
            white, noise = code / deviations, (self.distortion / deviations.square()).clamp(max=1)
            kept = 1 - noise  # what comes is drawn towards the mean as far as that is wise
            eps = torch.randn(white.shape, generator=generator)
            code = (kept * white + (kept * noise).sqrt() * eps) * deviations
            nats = 0.5 * (noise + kept * white.square() - 1 - noise.log())  # KL to what comes of all blocks, N(0, kept)
            bits = nats.sum(-1).mean((1, 2)) / (STEP**2 * math.log(2))
        back = mean + code @ directions
        return F.pixel_shuffle(back.permute(0, 3, 1, 2), STEP).clamp(0, 1), bits
