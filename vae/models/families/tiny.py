"""The small autoencoder that was taught to do what a large one does, as diffusers' `AutoencoderTiny` has it.

Convolutions and ReLUs without any norm: what a place becomes depends on what is near it, so that a large picture can be
taken in strips. Bohan, TAESD: Tiny AutoEncoder for Stable Diffusion (2023), github.com/madebyollin/taesd.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.distributions import Independent

from vae.distributions import normal
from vae.models.families.foreign import MOST_BLOCKS, Foreign, ForeignConfig
from vae.models.networks import initialise

BOUND = 3.0  # its decoder bends latents to less than that


@dataclass(frozen=True)
class TinyConfig(ForeignConfig):
    """The numbers of diffusers' config.json under their names there, with its defaults; its latent_channels are
    `latents`.

    Each of the four tuples has an entry for each size of the picture, in the order of the network.
    """

    encoder_block_out_channels: tuple[int, ...] = (64, 64, 64, 64)
    decoder_block_out_channels: tuple[int, ...] = (64, 64, 64, 64)
    num_encoder_blocks: tuple[int, ...] = (1, 3, 3, 3)
    num_decoder_blocks: tuple[int, ...] = (3, 3, 3, 1)
    prior: ClassVar[bool] = False
    family: str = field(default="tiny", init=False, repr=False)

    @property
    def stages(self) -> int:
        """At how many sizes of the picture the network works."""
        return len(self.num_encoder_blocks)

    @property
    def reach(self) -> int:
        """How many places of the map beyond one have a say in what is encoded there, or decoded from it."""
        step = self.space.step
        encoded = sum((3 * blocks + 1) * 2**stage for stage, blocks in enumerate(self.num_encoder_blocks)) + step
        decoded = sum((3 * blocks + 1) * 2**stage for stage, blocks in enumerate(self.num_decoder_blocks[::-1])) + step
        return -(-max(encoded, decoded) // step)

    def __post_init__(self):
        super().__post_init__()
        sizes = {
            name: getattr(self, name)
            for name in ("encoder_block_out_channels", "decoder_block_out_channels", "num_decoder_blocks")
        }
        for name, size in sizes.items():
            if len(size) != self.stages:
                raise ValueError(f"{name} must have {self.stages} entries, as num_encoder_blocks has, not {len(size)}")
        for name in ("encoder_block_out_channels", "decoder_block_out_channels"):
            if min(sizes[name]) < 1 or any(one != other for one, other in pairwise(sizes[name])):
                raise ValueError(f"{name} must be one number of channels at every size, not {sizes[name]}")
        for blocks in (*self.num_encoder_blocks, *self.num_decoder_blocks):
            if not 0 <= blocks <= MOST_BLOCKS:
                raise ValueError(f"there are 0 to {MOST_BLOCKS} blocks at a size, not {blocks}")


class Block(nn.Module):
    """relu(x + conv relu conv relu conv x), 3 x 3."""

    def __init__(self, channels: int):
        super().__init__()
        first, second, third = (_conv(channels, channels) for _ in range(3))
        self.conv = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), third)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return (x + self.conv(x)).relu()


class Layers(nn.Module):
    """Layers one after the other, under the name that the files have for them."""

    def __init__(self, layers: list[nn.Module]):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Float[Tensor, "b inputs h w"]) -> Float[Tensor, "b outputs rows columns"]:
        return self.layers(x)


def _conv(inputs: int, outputs: int, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=bias)


def _encoder(config: TinyConfig) -> Layers:
    """A picture from 0 to 1 -> latents."""
    width, layers = config.encoder_block_out_channels[0], []
    for stage, blocks in enumerate(config.num_encoder_blocks):
        layers.append(_conv(width, width, 2, bias=False) if stage else _conv(config.spec.channels, width))
        layers += [Block(width) for _ in range(blocks)]
    return Layers([*layers, _conv(width, config.latents)])


def _decoder(config: TinyConfig) -> Layers:
    """Latents -> a picture from 0 to 1."""
    width = config.decoder_block_out_channels[0]
    layers: list[nn.Module] = [_conv(config.latents, width), nn.ReLU()]
    for stage, blocks in enumerate(config.num_decoder_blocks):
        if stage:
            layers += [nn.Upsample(scale_factor=2), _conv(width, width, bias=False)]
        layers += [Block(width) for _ in range(blocks)]
    return Layers([*layers, _conv(width, config.spec.channels)])


class AutoencoderTiny(Foreign):
    """diffusers' `AutoencoderTiny`: a picture becomes one map, and nothing says where maps may lie.

    Like a plain autoencoder it has neither a width of q nor a prior, and so no KL and no ELBO. z is in the scale that
    diffusion works in, (latents - shift_factor) scaling_factor, which is their own scale by default.
    """

    Config = TinyConfig

    def __init__(self, config: TinyConfig, generator: torch.Generator | None = None):
        super().__init__(config)
        self.encoder, self.decoder = _encoder(config), _decoder(config)
        initialise(self, generator)

    @property
    def prior(self) -> None:
        """None: this autoencoder gives z no distribution."""

    def encode(self, x: Float[Tensor, "b c h w"], keep: Int64[Tensor, " b"] | None = None) -> Independent:
        """All of q at one point, N(mu(x), 0); x in [0, 1], its sides multiples of the step, or ValueError.

        Where only the first `keep` channels of a picture are kept, the others are 0.
        """
        mu = self.scaled(self.encoder(self.whole(x)))
        if keep is not None:
            mu = mu * self.kept(keep)
        return normal(mu, torch.zeros_like(mu), 3)

    def picture(self, latents: Float[Tensor, "b k rows columns"]) -> Float[Tensor, "b c h w"]:
        """What is drawn of latents as the network has them, where pictures are from 0 to 1."""
        return self.decoder(BOUND * (latents / BOUND).tanh())
