"""The networks of the models, and the configuration that determines them.

Two kinds, chosen by `NetworkConfig.network`. "conv" is built for hardware with fast bfloat16 products: the picture is
folded to a quarter of its size at once (pixel_unshuffle), wide 3 x 3 residual blocks work at 14 x 14 and 7 x 7, and
PixelShuffle unfolds it again; no BatchNorm. "dense" is built for plain CPUs: residual blocks over the whole picture,
ten times cheaper a step.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vae.models.spaces import Latents, Pictures, Vector


@dataclass(frozen=True)
class Config:
    """What the models of all families have: the picture and the latents.

    Each family has a subclass of its own, which says by what name files know it (`family`) and adds what no other has;
    these are asked of all: `octaves`, the number of frequencies at which a decoder is also told the sines and cosines
    of z, and `classes`, the number of labels that a model is told of. A `corrected` q is the encoder's with the
    decoder's correction (`vae.models.families.correction`).
    """

    spec: Pictures
    latents: int
    # Without types, for dataclasses give a field the place of the annotation that it replaces: a family's come last.
    octaves = 0
    classes = 0
    corrected = False
    linear = False  # whether principal components are added to what the networks say
    prior = True  # whether z has a distribution
    any_size = False  # whether pictures of every size are read

    @property
    def space(self) -> Latents:
        """What z is."""
        return Vector(self.latents)

    def __post_init__(self):
        if self.any_size != (self.spec.height is None):
            size = "of any size" if self.any_size else "of one size"
            raise ValueError(f"a {self.family} model reads pictures {size}, not {self.spec.height} x {self.spec.width}")
        if self.latents < 1:
            raise ValueError(f"a model needs at least one latent, not {self.latents}")


@dataclass(frozen=True)
class NetworkConfig(Config):
    """That of the families whose networks are of this file: the sizes of the network.

    `width` and `dense_blocks` are those of the dense parts; `channels` (at half and at quarter size) and
    `conv_blocks` (at each; of a ladder at half size) those of the convolutions, which only network "conv" has.
    """

    network: str = "dense"
    width: int = 512
    dense_blocks: int = 1
    channels: tuple[int, int] = (64, 128)
    conv_blocks: int = 1

    def __post_init__(self):
        super().__post_init__()
        if self.network not in NETWORKS:
            raise ValueError(f"network must be one of {', '.join(NETWORKS)}, not {self.network!r}")
        if min(self.width, *self.channels) < 1:
            raise ValueError(f"width and channels must be at least 1, not {self.width} and {self.channels}")
        if not (0 <= self.dense_blocks <= 64 and 0 <= self.conv_blocks <= 64):
            raise ValueError(f"a part has 0 to 64 blocks, not {self.dense_blocks} and {self.conv_blocks}")
        if not 0 <= self.octaves <= 16:
            raise ValueError(f"z is told at 0 to 16 frequencies, not {self.octaves}")
        if self.network == "conv" and not self.any_size and (self.spec.height % 4 or self.spec.width % 4):
            raise ValueError(f"a conv model needs sides divisible by 4, not {self.spec.height} x {self.spec.width}")


class DenseBlock(nn.Module):
    """x + W2 silu(W1 norm(x)); the identity at the start of training."""

    def __init__(self, width: int):
        super().__init__()
        self.body = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, x: Float[Tensor, "*b width"]) -> Float[Tensor, "*b width"]:
        return x + self.body(x)


class ConvBlock(nn.Module):
    """x + conv2 silu(conv1 silu(x)), 3 x 3; the identity at the start of training."""

    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return x + self.body(x)


class Halved(nn.Module):
    """x + conv2 silu(conv1 silu(x)), 3 x 3 to half the channels and 1 x 1 back; the identity at the start of training.

    A fifth of the products of a ConvBlock of as many channels.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.SiLU(),
            nn.Conv2d(channels, channels // 2, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(channels // 2, channels, 1),
        )

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return x + self.body(x)


class FourierFeatures(nn.Module):
    """z with sin(w z) and cos(w z) of each latent, w = pi / 4, pi / 2, pi, ...: (b, d) -> (b, d (1 + 2 octaves)).

    A network of few inputs learns fine detail slowly; two latents that must tell ten thousands of pictures apart are
    such inputs. Tancik et al., Fourier Features Let Networks Learn High Frequency Functions (2020).
    """

    def __init__(self, octaves: int):
        super().__init__()
        self.frequencies = [math.pi / 4 * 2**k for k in range(octaves)]

    def forward(self, z: Float[Tensor, "b d"]) -> Float[Tensor, "b features"]:
        waves = [wave(w * z) for w in self.frequencies for wave in (torch.sin, torch.cos)]
        return torch.cat([z, *waves], dim=1)


def _from_latents(config: NetworkConfig) -> list[nn.Module]:
    """What a decoder begins with: z, or its Fourier features, to the width of the dense blocks."""
    if not config.octaves:
        return [nn.Linear(config.latents + config.classes, config.width)]
    features = config.latents * (1 + 2 * config.octaves)
    return [FourierFeatures(config.octaves), nn.Linear(features, config.width)]


def _trunk(config: NetworkConfig) -> list[nn.Module]:
    return [*(DenseBlock(config.width) for _ in range(config.dense_blocks)), nn.SiLU()]


def dense_networks(config: NetworkConfig, outputs: int) -> tuple[nn.Module, nn.Module]:
    """(encoder to 2 x latents, decoder to `outputs` values a pixel and channel) of dense residual blocks.

    Those of a model with classes read one more value for each class, after the pixels and after z.
    """
    channels, height, width = config.spec.shape
    encoder = nn.Sequential(
        nn.Flatten(),
        nn.Linear(config.spec.pixels + config.classes, config.width),
        *_trunk(config),
        nn.Linear(config.width, 2 * config.latents),
    )
    decoder = nn.Sequential(
        *_from_latents(config),
        *_trunk(config),
        nn.Linear(config.width, outputs * config.spec.pixels),
        nn.Unflatten(1, (outputs * channels, height, width)),
    )
    return encoder, decoder


def conv_networks(config: NetworkConfig, outputs: int) -> tuple[nn.Module, nn.Module]:
    """The same with residual convolutions at half and quarter size around the dense part."""
    channels, height, width = config.spec.shape
    half, quarter = config.channels
    cells = (quarter, height // 4, width // 4)
    flat = quarter * (height // 4) * (width // 4)

    def blocks(size: int) -> list[nn.Module]:
        return [ConvBlock(size) for _ in range(config.conv_blocks)]

    encoder = nn.Sequential(
        nn.PixelUnshuffle(2),
        nn.Conv2d(4 * channels, half, 3, padding=1),
        *blocks(half),
        nn.PixelUnshuffle(2),
        nn.Conv2d(4 * half, quarter, 1),
        *blocks(quarter),
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(flat, config.width),
        *_trunk(config),
        nn.Linear(config.width, 2 * config.latents),
    )
    decoder = nn.Sequential(
        *_from_latents(config),
        *_trunk(config),
        nn.Linear(config.width, flat),
        nn.Unflatten(1, cells),
        *blocks(quarter),
        nn.Conv2d(quarter, 4 * half, 1),
        nn.PixelShuffle(2),
        *blocks(half),
        nn.SiLU(),
        nn.Conv2d(half, 4 * outputs * channels, 3, padding=1),
        nn.PixelShuffle(2),
    )
    return encoder, decoder


class Rungs(NamedTuple):
    """What a ladder is built of; a state is what runs up and down it."""

    state: tuple[int, ...]
    stem: nn.Module  # a picture to a state
    blocks: Callable[[], nn.Module]  # a state to a state
    merge: Callable[[], nn.Module]  # the same, where the way down meets what the way up saw
    head: Callable[[int], nn.Module]  # a state to mu and log sigma of n latents
    entry: Callable[[int], nn.Module]  # n latents to a state
    picture: nn.Module  # a state to the values of all pixels


def dense_rungs(config: NetworkConfig, outputs: int) -> Rungs:
    """The state is a vector."""
    channels, height, width = config.spec.shape
    return Rungs(
        (config.width,),
        nn.Sequential(nn.Flatten(), nn.Linear(config.spec.pixels, config.width)),
        lambda: nn.Sequential(*(DenseBlock(config.width) for _ in range(config.dense_blocks))),
        lambda: DenseBlock(config.width),
        lambda n: nn.Sequential(nn.SiLU(), nn.Linear(config.width, 2 * n)),
        lambda n: nn.Linear(n, config.width),
        nn.Sequential(
            nn.SiLU(),
            nn.Linear(config.width, outputs * config.spec.pixels),
            nn.Unflatten(1, (outputs * channels, height, width)),
        ),
    )


def conv_rungs(config: NetworkConfig, outputs: int) -> Rungs:
    """The state is a picture of many channels at quarter size; z is read off it, and added to it, as a vector.

    There is one block on each rung at quarter size, and `conv_blocks` before and after them at half size.
    """
    channels, height, width = config.spec.shape
    half, quarter = config.channels
    cells = (quarter, height // 4, width // 4)
    flat = math.prod(cells)

    def blocks() -> list[nn.Module]:
        return [ConvBlock(half) for _ in range(config.conv_blocks)]

    return Rungs(
        cells,
        nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(4 * channels, half, 3, padding=1),
            *blocks(),
            nn.PixelUnshuffle(2),
            nn.Conv2d(4 * half, quarter, 1),
        ),
        lambda: ConvBlock(quarter),
        lambda: ConvBlock(quarter),
        lambda n: nn.Sequential(nn.SiLU(), nn.Flatten(), nn.Linear(flat, 2 * n)),
        lambda n: nn.Sequential(nn.Linear(n, flat), nn.Unflatten(1, cells)),
        nn.Sequential(
            nn.Conv2d(quarter, 4 * half, 1),
            nn.PixelShuffle(2),
            *blocks(),
            nn.SiLU(),
            nn.Conv2d(half, 4 * outputs * channels, 3, padding=1),
            nn.PixelShuffle(2),
        ),
    )


NETWORKS = {"dense": dense_networks, "conv": conv_networks}
RUNGS = {"dense": dense_rungs, "conv": conv_rungs}


def initialise(model: nn.Module, generator: torch.Generator | None) -> None:
    """Draw the first weights: every layer keeps the variance, and every block begins as the identity."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.kaiming_uniform_(module.weight, nonlinearity="linear", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in model.modules():
        if isinstance(module, DenseBlock | ConvBlock | Halved):
            nn.init.zeros_(module.body[-1].weight)
