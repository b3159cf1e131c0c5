"""A deep generative model whose layers are maps, each twice as fine as the one above it.

The top layer says of a whole picture what a few places of it are like, and each layer below adds detail where it is: so
a change low down is local, and one at the top moves everything. What a layer means is decided by those above it, as in
a ladder; Vahdat and Kautz, NVAE (2020); Child, Very Deep VAEs (2021).
"""

from dataclasses import dataclass, field

import torch
from torch import nn

from vae.models.base import Model
from vae.models.families.ladder import Ladder
from vae.models.families.spatial import FINE
from vae.models.networks import Config, Halved, initialise
from vae.models.spaces import Layers


@dataclass(frozen=True)
class PyramidConfig(Config):
    """`maps` are the channels of z in each layer, from the top; the last layer has a place for 4 x 4 pixels.

    `channels` are those of the network at a quarter of the picture's size, and at all coarser ones; `conv_blocks` there
    are at each size, on the way up and on the way down. `latents` counts those of all layers.
    """

    maps: tuple[int, ...] = ()
    family: str = field(default="pyramid", init=False, repr=False)

    @property
    def sides(self) -> list[tuple[int, int]]:
        """(height, width) of each layer, from the top."""
        steps = [FINE * 2**finer for finer in reversed(range(len(self.maps)))]
        return [(self.spec.height // step, self.spec.width // step) for step in steps]

    @property
    def space(self) -> Layers:
        """What z is: the layers' maps, each flattened."""
        sides = zip(self.maps, self.sides, strict=True)
        return Layers(tuple(channels * height * width for channels, (height, width) in sides))

    def __post_init__(self):
        super().__post_init__()
        if self.network != "conv":
            raise ValueError("a pyramid is convolutional")
        if min(self.maps, default=0) < 1:
            raise ValueError(f"a pyramid has layers of at least one channel, not {self.maps}")
        coarsest = FINE * 2 ** (len(self.maps) - 1)
        if self.spec.height % coarsest or self.spec.width % coarsest:
            raise ValueError(
                f"a pyramid of {len(self.maps)} layers needs sides divisible by {coarsest}, not {self.spec.height} x "
                f"{self.spec.width}"
            )
        if self.space.size != self.latents:
            raise ValueError(f"layers of {self.maps} channels have {self.space.size} latents, not {self.latents}")


class Pyramid(Ladder):
    """A ladder whose state is twice as fine at each layer; z is the layers' maps, flattened, one after the other."""

    Config = PyramidConfig

    def __init__(self, config: PyramidConfig, generator: torch.Generator | None = None):
        Model.__init__(self, config)
        colours, outputs = config.spec.channels, 1 if config.spec.levels == 2 else 2
        fine, coarse = config.channels
        widths = [*[coarse] * (len(config.maps) - 1), fine]  # from the top, as all that follows

        def blocks(width: int) -> list[nn.Module]:
            return [Halved(width) for _ in range(config.conv_blocks)]

        def head(width: int, channels: int) -> nn.Module:
            return nn.Sequential(nn.SiLU(), nn.Conv2d(width, 2 * channels, 1), nn.Flatten())

        def finer(width: int, below: int) -> list[nn.Module]:
            return [nn.Conv2d(width, 4 * below, 1), nn.PixelShuffle(2)]

        def coarser(below: int, width: int) -> list[nn.Module]:
            return [nn.PixelUnshuffle(2), nn.Conv2d(4 * below, width, 1)]

        layers = list(zip(widths, config.maps, config.sides, strict=True))
        self.stem = nn.Sequential(nn.PixelUnshuffle(FINE), nn.Conv2d(colours * FINE**2, fine, 3, padding=1))
        self.up = nn.ModuleList([nn.Sequential(*blocks(fine))])
        for width, below in zip(widths[-2::-1], widths[:0:-1], strict=True):
            self.up.append(nn.Sequential(*coarser(below, width), *blocks(width)))
        self.merge = nn.ModuleList(nn.Sequential(*blocks(width)) for width in widths)
        self.down = nn.ModuleList(
            nn.Sequential(*blocks(width), *(finer(width, below) if below else []))
            for width, below in zip(widths, [*widths[1:], 0], strict=True)
        )
        self.priors = nn.ModuleList(head(width, channels) for width, channels, _ in layers[1:])
        self.corrections = nn.ModuleList(head(width, channels) for width, channels, _ in layers)
        self.start = nn.Parameter(torch.zeros(widths[0], *config.sides[0]))
        self.entries = nn.ModuleList(
            nn.Sequential(nn.Unflatten(1, (channels, *sides)), nn.Conv2d(channels, width, 1))
            for width, channels, sides in layers
        )
        self.picture = nn.Sequential(
            nn.SiLU(), nn.Conv2d(fine, outputs * colours * FINE**2, 3, padding=1), nn.PixelShuffle(FINE)
        )
        initialise(self, generator)
        for each in (*self.priors, *self.corrections):  # at first every layer is N(0, I), and q is the prior
            nn.init.zeros_(each[1].weight)
        nn.init.zeros_(self.picture[1].weight)  # and every picture is grey
