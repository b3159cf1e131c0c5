"""A deep generative model whose top layer is one vector, and whose other layers are maps, each as fine again.

The vector says what the whole picture is like, and how sure it is of each value; it is a finished `principal` model,
which stays as it is. Every layer below is told what those above it made of the picture, and adds detail where it is:
so a change low down is local, and one at the top moves everything. What is left to say is measured in the scales of
the layer above, so that a place that is hard to guess gets most of the bits.

Beside the network of each map runs a linear path, the Karhunen-Loeve transform of blocks of what is left; the network
begins at zero, and the whole as good as that. Vahdat and Kautz, NVAE (2020); Child, Very Deep VAEs (2021).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Independent

from vae.distributions import Joint, discretized_logistic, standard_normal
from vae.models.base import Model
from vae.models.families.ladder import BEND
from vae.models.families.principal import Principal
from vae.models.families.spatial import COARSE, FINE, SPREAD, begin_as, blocks_of, transform_of
from vae.models.families.vae import gaussian, posterior
from vae.models.networks import Halved, NetworkConfig, initialise
from vae.models.spaces import STEP, Layers

# Residual blocks: at a quarter of the picture's size; at an eighth on sight of a picture, where the way down meets what
# was seen, and after a map.
QUARTER, SIGHT, MERGE, AFTER = 1, 2, 1, 2


@dataclass(frozen=True)
class PyramidConfig(NetworkConfig):
    """`maps` are the channels of z in each layer below the vector; the last has a place for each 8 x 8 pixels.

    `latents` counts those of all layers; what is left of them is the vector, that of a principal model of the same
    `channels`, `blocks` and `conv_blocks`. The networks of the maps have the same channels.
    """

    maps: tuple[int, ...] = ()
    blocks: tuple[int, int] = (3, 5)
    family: str = field(default="pyramid", init=False, repr=False)

    @property
    def steps(self) -> list[int]:
        """Pixels on a side of what one place of each map speaks for."""
        return [STEP * 2**finer for finer in reversed(range(len(self.maps)))]

    @property
    def sides(self) -> list[tuple[int, int]]:
        """(height, width) of each map."""
        return [(self.spec.height // step, self.spec.width // step) for step in self.steps]

    @property
    def space(self) -> Layers:
        """What z is: the vector, and each map flattened."""
        sides = zip(self.maps, self.sides, strict=True)
        below = [channels * height * width for channels, (height, width) in sides]
        return Layers((self.latents - sum(below), *below))

    @property
    def top(self) -> Principal.Config:
        """The model that the vector is of."""
        size = self.space.sizes[0]
        return Principal.Config(
            self.spec, size, "conv", channels=self.channels, conv_blocks=self.conv_blocks, blocks=self.blocks
        )

    def __post_init__(self):
        super().__post_init__()
        if self.network != "conv" or self.spec.levels != 256:
            raise ValueError("a pyramid is convolutional, and reads pictures of 256 levels")
        if min(self.maps, default=0) < 1:
            raise ValueError(f"a pyramid has maps of at least one channel, not {self.maps}")
        coarsest = STEP * 2 ** (len(self.maps) - 1)
        if self.spec.height % coarsest or self.spec.width % coarsest:
            raise ValueError(
                f"a pyramid of {len(self.maps)} maps needs sides divisible by {coarsest}, not {self.spec.height} x "
                f"{self.spec.width}"
            )
        vector, *below = self.space.sizes
        if vector < 1:
            raise ValueError(
                f"maps of {self.maps} channels have {sum(below)} latents, which leaves none of "
                f"{self.latents} for the vector"
            )
        _ = self.top  # which has conditions of its own, and says them


class Known(NamedTuple):
    """What the layers above say of pictures: the middle of each value, less 1/2, and the log of its scale."""

    loc: Float[Tensor, "b c h w"]
    log_scale: Float[Tensor, "b c h w"]
    state: Float[Tensor, "b channels rows columns"]  # what the networks make of both, and of the maps so far


class Pyramid(Model):
    """A principal model, and maps that correct it; z is the vector and the maps, flattened, one after the other."""

    Config = PyramidConfig
    first: ClassVar[int] = 4096

    def __init__(self, config: PyramidConfig, generator: torch.Generator | None = None):
        super().__init__(config)
        colours, (fine, coarse) = config.spec.channels, config.channels

        def blocks(width: int, count: int) -> list[nn.Module]:
            return [Halved(width) for _ in range(count)]

        def seen(channels: int) -> nn.Module:
            return nn.Sequential(
                nn.PixelUnshuffle(FINE),
                nn.Conv2d(channels * FINE**2, fine, 3, padding=1),
                *blocks(fine, QUARTER),
                nn.PixelUnshuffle(COARSE),
                nn.Conv2d(fine * COARSE**2, coarse, 1),
                *blocks(coarse, SIGHT),
            )

        def head(factor: int, channels: int) -> nn.Module:
            return nn.Sequential(
                nn.SiLU(), nn.PixelUnshuffle(factor), nn.Conv2d(coarse * factor**2, 2 * channels, 1), nn.Flatten()
            )

        def entry(factor: int, channels: int) -> nn.Module:
            return nn.Sequential(nn.Conv2d(channels, coarse * factor**2, 1), nn.PixelShuffle(factor))

        layers = [(channels, step, step // STEP) for channels, step in zip(config.maps, config.steps, strict=True)]
        self.context, self.sight = seen(2 * colours), seen(colours)
        self.merge = nn.ModuleList(nn.Sequential(*blocks(coarse, MERGE)) for _ in layers)
        self.down = nn.ModuleList(nn.Sequential(*blocks(coarse, AFTER)) for _ in layers)
        self.priors = nn.ModuleList(head(factor, channels) for channels, _, factor in layers)
        self.corrections = nn.ModuleList(head(factor, channels) for channels, _, factor in layers)
        self.entries = nn.ModuleList(entry(factor, channels) for channels, _, factor in layers)
        self.analyses = nn.ModuleList(nn.Conv2d(colours * step**2, 2 * k, 1) for k, step, _ in layers)
        self.syntheses = nn.ModuleList(nn.Conv2d(k, colours * step**2, 1) for k, step, _ in layers)
        self.picture = nn.Sequential(
            nn.Conv2d(coarse, fine * COARSE**2, 1),
            nn.PixelShuffle(COARSE),
            *blocks(fine, QUARTER),
            nn.SiLU(),
            nn.Conv2d(fine, 2 * colours * FINE**2, 3, padding=1),
            nn.PixelShuffle(FINE),
        )
        initialise(self, generator)
        for last in (*(head[2] for head in (*self.priors, *self.corrections)), self.picture[-2]):
            nn.init.zeros_(last.weight)  # at first the maps are N(0, I), and all is linear
        self.top = Principal(config.top, generator).requires_grad_(False)

    @torch.no_grad()
    def begin(self, x: Float[Tensor, "n c h w"]) -> None:
        """The linear paths become the transforms of what the layers above leave of these pictures.

        Where the vector's model says nothing yet, it begins with them too.
        """
        if not self.top.components.directions.any():
            self.top.begin(x)
        left = torch.cat([self._left(part) for part in x.split(256)])
        for layer, (k, step) in enumerate(zip(self.config.maps, self.config.steps, strict=True)):
            transform = transform_of(blocks_of(left, step).flatten(0, 2), k)
            begin_as(self.analyses[layer], self.syntheses[layer], transform)
            means = self.analyses[layer](F.pixel_unshuffle(left, step)).chunk(2, dim=1)[0]
            left = left - F.pixel_shuffle(self.syntheses[layer](means), step)
        self.picture[-2].bias.view(2, -1)[1] = (SPREAD * left.square().mean().sqrt()).log()

    def _left(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """What the vector leaves of pictures, in the scales of its model."""
        p = self.top.decode(self.top.encode(x).mean).base_dist
        return (x - p.loc) / p.log_scale.exp()

    @property
    def prior(self) -> Joint:
        """p(z), a joint distribution over the layers."""
        return Joint(lambda choose, shape: self._walk(choose, shape, None), self.config.space.sizes, (), self.device)

    def encode(self, x: Float[Tensor, "b c h w"]) -> Joint:
        """q(z|x), a joint distribution over the layers; x in [0, 1]."""
        x = x.to(self.device)
        return Joint(
            lambda choose, shape: self._walk(choose, shape, x), self.config.space.sizes, (len(x),), self.device
        )

    def decode(self, z: Float[Tensor, "b d"]) -> Independent:
        """p(x|z), event = the picture; its `.mean` is what is shown."""
        vector, *maps = z.to(self.device).split(self.config.space.sizes, -1)
        known = self._known(vector)
        said = torch.zeros_like(known.loc)
        for layer, part in enumerate(maps):
            z_map = self._as_map(layer, part)
            said = said + self._linear(layer, z_map)
            known = self._below(layer, known, z_map)
        loc, log_scale = self.picture(known.state).float().chunk(2, dim=1)
        return discretized_logistic(
            known.loc + 0.5 + known.log_scale.exp() * (said.float() + loc),
            (known.log_scale + log_scale).clamp(-9, 1),
            self.input_spec.levels,
        )

    def _walk(
        self, choose: Callable[[int, Independent], Tensor], shape: tuple[int, ...], x: Tensor | None
    ) -> list[tuple[Independent, Independent]]:
        """Down all layers: the distribution of each, and its prior, given what `choose` made of those above."""
        vector = self.config.space.sizes[0]
        p = standard_normal(vector, self.device).expand(shape)
        q = p if x is None else self.top.encode(x).expand(shape)
        known, found = self._known(choose(0, q).reshape(-1, vector)), [(q, p)]
        if x is not None:
            whole = x.expand(*shape, *x.shape[1:]).flatten(0, len(shape) - 1)
            left = (whole - 0.5 - known.loc) / known.log_scale.exp()
            sight = self.sight(BEND * (left / BEND).tanh())  # a few far ones upset the optimiser, as in a ladder
        for layer in range(len(self.config.maps)):
            q = p = gaussian(self.priors[layer](known.state).reshape(*shape, -1))
            if x is not None:
                linear = self.analyses[layer](F.pixel_unshuffle(left, self.config.steps[layer])).flatten(1)
                output = linear + self.corrections[layer](self.merge[layer](known.state + sight))
                q = posterior(output.reshape(*shape, -1), False, self.training)
            found.append((q, p))
            z = choose(layer + 1, q)
            if layer + 1 < len(self.config.maps):
                z_map = self._as_map(layer, z.reshape(len(known.state), -1))
                known = self._below(layer, known, z_map)
                if x is not None:
                    left = left - self._linear(layer, z_map)
        return found

    def _known(self, vector: Float[Tensor, "b k"]) -> Known:
        p = self.top.decode(vector).base_dist
        loc = p.loc - 0.5
        return Known(loc, p.log_scale, self.context(torch.cat([loc, 2 + p.log_scale], 1)))

    def _as_map(self, layer: int, z: Float[Tensor, "b n"]) -> Float[Tensor, "b k rows columns"]:
        return z.unflatten(1, (self.config.maps[layer], *self.config.sides[layer]))

    def _linear(self, layer: int, z: Float[Tensor, "b k rows columns"]) -> Float[Tensor, "b c h w"]:
        """What a map says by itself, in the scales of the vector's model."""
        return F.pixel_shuffle(self.syntheses[layer](z), self.config.steps[layer])

    def _below(self, layer: int, known: Known, z: Float[Tensor, "b k rows columns"]) -> Known:
        return known._replace(state=self.down[layer](known.state + self.entries[layer](z)))
