"""The VAE whose z is a map: some numbers for each 8 x 8 pixels, whatever the size of the picture.

Fully convolutional, without attention and without a norm over space: what a place becomes depends on what is near it
and on nothing else, so that a large picture can be taken in tiles. Beside the network runs a linear path, the
Karhunen-Loeve transform of blocks of pixels; the network begins at zero and learns what the transform cannot do.

The channels are ordered: a picture's later channels are cut off at random in training, so that the first k alone are
the best that k channels can say. Rippel, Gelbart and Adams, Learning Ordered Representations with Nested Dropout,
2014.
"""

import math
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.distributions import Independent

from vae.distributions import discretized_logistic, normal
from vae.models.base import Mapped
from vae.models.families.vae import FARTHEST, WIDEST
from vae.models.networks import Halved, NetworkConfig, initialise
from vae.models.spaces import STEP, Map

FINE, COARSE = 4, 2  # the network works at a quarter of the picture's size, and at an eighth, which is that of z
SPREAD = math.sqrt(3) / math.pi  # the scale of a logistic whose standard deviation is 1


@dataclass(frozen=True)
class SpatialConfig(NetworkConfig):
    """`latents` is the number of channels of z; `channels` are those of the network at a quarter and an eighth size.

    `blocks` are the residual blocks at an eighth of the size, in the encoder and in the decoder; at a quarter there are
    `conv_blocks` in each.
    """

    blocks: tuple[int, int] = (4, 7)
    any_size: ClassVar[bool] = True
    family: str = field(default="spatial", init=False, repr=False)

    @property
    def space(self) -> Map:
        """What z is."""
        return Map(self.latents, STEP)

    @property
    def reach(self) -> int:
        """How many places of the map beyond one have a say in what is encoded there, or decoded from it."""
        at_quarter = 1 + self.conv_blocks  # each convolution of 3 x 3 sees one further
        return max(self.blocks) + 1 + -(-at_quarter // COARSE)

    def __post_init__(self):
        super().__post_init__()
        if self.network != "conv" or self.spec.levels != 256:
            raise ValueError("a spatial model is convolutional, and reads pictures of 256 levels")
        if len(self.blocks) != 2 or not all(0 <= blocks <= 64 for blocks in self.blocks):
            raise ValueError(f"encoder and decoder have 0 to 64 blocks each, not {self.blocks}")


class Transform(NamedTuple):
    """The Karhunen-Loeve transform of 8 x 8 blocks: what a block is on average, the directions in which blocks differ
    most, from the widest, and the standard deviation along each; `rest` is that of each value around what they say."""

    mean: Float[Tensor, " values"]
    directions: Float[Tensor, "k values"]
    deviations: Float[Tensor, " k"]
    rest: float


def blocks_of(x: Float[Tensor, "n c h w"], side: int = STEP) -> Float[Tensor, "n rows columns values"]:
    """The blocks of so many pixels a side that pictures are made of, each flattened."""
    return F.pixel_unshuffle(x, side).permute(0, 2, 3, 1)


def transform_of(blocks: Float[Tensor, "n values"], k: int) -> Transform:
    """That of some blocks."""
    blocks = blocks.double()
    mean = blocks.mean(0)
    values, vectors = torch.linalg.eigh((blocks - mean).T @ (blocks - mean) / len(blocks))
    rest = values[:-k].mean().sqrt()
    return Transform(mean.float(), vectors.T.flip(0)[:k].float(), values.flip(0)[:k].sqrt().float(), float(rest))


@torch.no_grad()
def begin_as(analysis: nn.Conv2d, synthesis: nn.Conv2d, transform: Transform, middle: float = 0.0) -> None:
    """A linear path becomes a transform, whitened, and q's sigma what it would be of a linear model.

    `analysis` gives mu and log sigma of k channels, of blocks less `middle`; `synthesis` gives such blocks back.
    Tipping and Bishop, Probabilistic Principal Component Analysis (1999), section 3.2.
    """
    mean, directions, deviations, rest = transform
    k, rows = len(directions), directions / deviations[:, None]
    analysis.weight.zero_()
    analysis.weight[:k, :, 0, 0] = rows
    analysis.bias[:k] = -rows @ (mean - middle)
    analysis.bias[k:] = (rest / deviations).log()
    synthesis.weight[:, :, 0, 0] = (directions * deviations[:, None]).T
    synthesis.bias.copy_(mean - middle)


class Spatial(Mapped):
    """p(z) = N(0, I) for each number of the map, p(x|z) a discretised logistic with one learned scale for each colour.

    z is (b, channels, h / 8, w / 8).
    """

    Config = SpatialConfig
    first: ClassVar[int] = 1024

    def __init__(self, config: SpatialConfig, generator: torch.Generator | None = None):
        super().__init__(config)
        colours, (fine, coarse) = config.spec.channels, config.channels
        within, k = colours * STEP**2, config.latents
        self.analysis = nn.Conv2d(within, 2 * k, 1)
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(FINE),
            nn.Conv2d(colours * FINE**2, fine, 3, padding=1),
            *(Halved(fine) for _ in range(config.conv_blocks)),
            nn.PixelUnshuffle(COARSE),
            nn.Conv2d(fine * COARSE**2, coarse, 1),
            *(Halved(coarse) for _ in range(config.blocks[0])),
            nn.SiLU(),
            nn.Conv2d(coarse, 2 * k, 3, padding=1),
        )
        self.synthesis = nn.Conv2d(k, within, 1)
        self.decoder = nn.Sequential(
            nn.Conv2d(k, coarse, 3, padding=1),
            *(Halved(coarse) for _ in range(config.blocks[1])),
            nn.Conv2d(coarse, fine * COARSE**2, 1),
            nn.PixelShuffle(COARSE),
            *(Halved(fine) for _ in range(config.conv_blocks)),
            nn.SiLU(),
            nn.Conv2d(fine, colours * FINE**2, 3, padding=1),
            nn.PixelShuffle(FINE),
        )
        self.log_scale = nn.Parameter(torch.full((k, colours), math.log(0.05)))
        initialise(self, generator)
        for last in (self.encoder[-1], self.decoder[-2]):
            nn.init.zeros_(last.weight)

    def begin(self, x: Float[Tensor, "n c h w"]) -> None:
        """The linear path becomes the transform of these pictures' blocks."""
        self.begin_as(transform_of(blocks_of(x).flatten(0, 2), self.config.latents))

    @torch.no_grad()
    def begin_as(self, transform: Transform) -> None:
        """Set the linear path to a transform, and the scales of p to what each number of channels leaves."""
        begin_as(self.analysis, self.synthesis, transform, 0.5)
        mean, _, deviations, rest = transform
        left = deviations.square().flip(0).cumsum(0).flip(0) - deviations.square()  # what the channels after k say
        spread = (rest**2 + left / len(mean)).sqrt()
        self.log_scale.copy_((SPREAD * spread).log()[:, None].expand_as(self.log_scale))

    def encode(self, x: Float[Tensor, "b c h w"], keep: Int64[Tensor, " b"] | None = None) -> Independent:
        """q(z|x), event = the map; x in [0, 1], its sides multiples of 8.

        Where only the first `keep` channels of a picture are kept, q of the others is the prior, which costs no bit.
        """
        x = x.to(self.device) - 0.5
        output = self.analysis(F.pixel_unshuffle(x, STEP)) + self.encoder(x)
        mu, log_sigma = output.float().chunk(2, dim=1)
        sigma = log_sigma.clamp(-9, math.log(WIDEST)).exp()
        mu = mu if self.training else mu.clamp(-FARTHEST, FARTHEST)
        if keep is not None:
            kept = self.kept(keep)
            mu, sigma = mu * kept, sigma * kept + (1 - kept)
        return normal(mu, sigma, 3)

    def decode(self, z: Float[Tensor, "b k h w"], keep: Int64[Tensor, " b"] | None = None) -> Independent:
        """p(x|z), event = the picture; of each picture the first `keep` channels alone, where that is said."""
        z = z.to(self.device)
        if keep is None:
            log_scale = self.log_scale[-1:]
        else:
            z, log_scale = z * self.kept(keep), self.log_scale[keep.to(self.device) - 1]
        loc = F.pixel_shuffle(self.synthesis(z), STEP) + self.decoder(z)
        log_scale = log_scale[:, :, None, None].expand_as(loc)
        return discretized_logistic(loc.float() + 0.5, log_scale, self.input_spec.levels)
