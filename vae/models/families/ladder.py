"""A deep generative model: several layers of latents, each with a prior that the layers above it set.

    p(x, z) = p(z_1) p(z_2|z_1) ... p(z_L|z_<L) p(x|z)          q(z|x) = q(z_1|x) q(z_2|z_1, x) ... q(z_L|z_<L, x)

z_1 is the top layer, drawn from N(0, I). One state h runs down: each layer reads its prior off h, and adds what was
drawn to it. Going down, q corrects that prior by what the encoder saw of the picture.

Soenderby et al., Ladder Variational Autoencoders (2016); Kingma et al., Improving Variational Inference with Inverse
Autoregressive Flow (2016), section 5.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Independent

from vae.distributions import Joint, normal
from vae.models.base import Model
from vae.models.families.vae import gaussian, likelihood
from vae.models.networks import RUNGS, NetworkConfig, initialise
from vae.models.spaces import Layers

BEND = 5.0  # corrections stay below it, in standard deviations of the prior; a few far ones upset the optimiser


@dataclass(frozen=True)
class LadderConfig(NetworkConfig):
    """`layers` are the latents of each layer, from the top."""

    layers: tuple[int, ...] = ()
    family: str = field(default="ladder", init=False, repr=False)

    @property
    def space(self) -> Layers:
        """What z is."""
        return Layers(self.layers)

    def __post_init__(self):
        super().__post_init__()
        if min(self.layers, default=0) < 1:
            raise ValueError(f"a ladder has layers of at least one latent, not {self.layers}")
        if sum(self.layers) != self.latents:
            raise ValueError(f"layers of {self.layers} latents are {sum(self.layers)} in all, not {self.latents}")


class Ladder(Model):
    """`Config.layers` latents in each layer, from the top; z is their concatenation."""

    Config = LadderConfig

    def __init__(self, config: LadderConfig, generator: torch.Generator | None = None):
        super().__init__(config)
        parts = RUNGS[config.network](config, 1 if config.spec.levels == 2 else 2)

        def rungs(make: Callable[[], nn.Module]) -> nn.ModuleList:
            return nn.ModuleList(make() for _ in config.layers)

        self.stem = parts.stem
        self.up, self.merge, self.down = rungs(parts.blocks), rungs(parts.merge), rungs(parts.blocks)
        self.priors = nn.ModuleList(parts.head(n) for n in config.layers[1:])  # that of the top layer is N(0, I)
        self.corrections = nn.ModuleList(parts.head(n) for n in config.layers)
        self.start = nn.Parameter(torch.zeros(parts.state))
        self.entries = nn.ModuleList(parts.entry(n) for n in config.layers)
        self.picture = parts.picture
        initialise(self, generator)
        for head in (*self.priors, *self.corrections):  # at first every layer is N(0, I), and q is the prior
            nn.init.zeros_(head[-1].weight)

    @property
    def prior(self) -> Joint:
        """p(z), a joint distribution over the layers."""
        return Joint(
            lambda choose, shape: self._walk(choose, shape, None), self.config.space.sizes, (), self.start.device
        )

    def encode(self, x: Float[Tensor, "b c h w"]) -> Joint:
        """q(z|x), a joint distribution over the layers; x in [0, 1]."""
        state, seen = self.stem(x.to(self.device)), []
        for block in self.up:  # the last to be computed has seen most, and informs the top
            state = block(state)
            seen.insert(0, state)
        return Joint(
            lambda choose, shape: self._walk(choose, shape, seen), self.config.space.sizes, (len(x),), self.start.device
        )

    def decode(self, z: Float[Tensor, "b d"]) -> Independent:
        """p(x|z), event = the picture; its `.mean` is what is shown."""
        state = self._states(len(z))
        for layer, part in enumerate(z.to(self.device).split(self.config.space.sizes, -1)):
            state = self._below(layer, state, part)
        return likelihood(self.picture(state), self.input_spec)

    def _walk(
        self, choose: Callable[[int, Independent], Tensor], shape: tuple[int, ...], seen: list[Tensor] | None
    ) -> list[tuple[Independent, Independent]]:
        """Down all layers: the distribution of each, and its prior, given what `choose` made of those above."""
        layers = range(len(self.config.space.sizes))
        state, found = self._states(math.prod(shape)), []
        for layer in layers:
            p = gaussian(self.priors[layer - 1](state).reshape(*shape, -1)) if layer else self._top(shape)
            q = p
            if seen is not None:
                here = seen[layer].expand(*shape, *seen[layer].shape[1:]).flatten(0, len(shape) - 1)
                correction = gaussian(self.corrections[layer](self.merge[layer](state + here)).reshape(*shape, -1))
                far = BEND * (correction.mean / BEND).tanh()
                q = normal(p.mean + p.stddev * far, p.stddev * correction.stddev)
            found.append((q, p))
            z = choose(layer, q)
            if layer < layers[-1]:
                state = self._below(layer, state, z.reshape(len(state), -1))
        return found

    def _states(self, rows: int) -> Tensor:
        return self.start.expand(rows, *self.start.shape)

    def _below(self, layer: int, state: Tensor, z: Float[Tensor, "b n"]) -> Tensor:
        return self.down[layer](state + self.entries[layer](z))

    def _top(self, shape: tuple[int, ...]) -> Independent:
        zero = self.start.new_zeros((*shape, self.config.space.sizes[0]))
        return normal(zero, torch.ones_like(zero))
