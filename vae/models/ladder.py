"""A deep generative model: several layers of latents, each with a prior that the layers above it set.

    p(x, z) = p(z_1) p(z_2|z_1) ... p(z_L|z_<L) p(x|z)          q(z|x) = q(z_1|x) q(z_2|z_1, x) ... q(z_L|z_<L, x)

z_1 is the top layer, drawn from N(0, I). One state h runs down: each layer reads its prior off h, and adds what was
drawn to it. Going down, q corrects that prior by what the encoder saw of the picture.

Soenderby et al., Ladder Variational Autoencoders (2016); Kingma et al., Improving Variational Inference with Inverse
Autoregressive Flow (2016), section 5.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Independent

from vae.distributions import Joint, normal
from vae.models.base import Model
from vae.models.flat import gaussian, likelihood
from vae.models.networks import DenseBlock, ModelConfig, initialise


class Ladder(Model):
    """`ModelConfig.layers` latents in each layer, from the top; z is their concatenation."""

    def __init__(self, config: ModelConfig, generator: torch.Generator | None = None):
        super().__init__(config)
        width, layers = config.width, config.layers
        outputs = (1 if config.spec.levels == 2 else 2) * config.spec.channels

        def blocks() -> nn.Sequential:
            return nn.Sequential(*(DenseBlock(width) for _ in range(config.dense_blocks)))

        def heads() -> nn.ModuleList:
            return nn.ModuleList(nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * n)) for n in layers)

        def rungs(make: Callable[[], nn.Module]) -> nn.ModuleList:
            return nn.ModuleList(make() for _ in layers)

        self.stem = nn.Sequential(nn.Flatten(), nn.Linear(config.spec.pixels, width))
        self.up, self.merge, self.down = rungs(blocks), rungs(lambda: DenseBlock(width)), rungs(blocks)
        self.priors, self.corrections = heads(), heads()
        self.start = nn.Parameter(torch.zeros(width))
        self.entries = nn.ModuleList(nn.Linear(n, width) for n in layers)
        self.picture = nn.Sequential(
            nn.SiLU(),
            nn.Linear(width, outputs * config.spec.pixels // config.spec.channels),
            nn.Unflatten(1, (outputs, config.spec.height, config.spec.width)),
        )
        initialise(self, generator)
        for head in (*self.priors, *self.corrections):  # at first every layer is N(0, I), and q is the prior
            nn.init.zeros_(head[-1].weight)

    @property
    def prior(self) -> Joint:
        """p(z), a joint distribution over the layers."""
        return Joint(lambda choose, shape: self._walk(choose, shape, None), self.config.layers, (), self.start.device)

    def encode(self, x: Float[Tensor, "b c h w"]) -> Joint:
        """q(z|x), a joint distribution over the layers; x in [0, 1]."""
        state, seen = self.stem(x), []
        for block in self.up:  # the last to be computed has seen most, and informs the top
            state = block(state)
            seen.insert(0, state)
        return Joint(
            lambda choose, shape: self._walk(choose, shape, seen), self.config.layers, (len(x),), self.start.device
        )

    def decode(self, z: Float[Tensor, "b d"]) -> Independent:
        """p(x|z), event = the picture; its `.mean` is what is shown."""
        state = self.start.expand(len(z), -1)
        for entry, down, part in zip(self.entries, self.down, z.split(self.config.layers, -1), strict=True):
            state = down(state + entry(part))
        return likelihood(self.picture(state), self.input_spec)

    def _walk(
        self, choose: Callable[[int, Independent], Tensor], shape: tuple[int, ...], seen: list[Tensor] | None
    ) -> list[tuple[Independent, Independent]]:
        """Down all layers: the distribution of each, and its prior, given what `choose` made of those above."""
        state, found = self.start.expand(*shape, -1), []
        for layer in range(len(self.config.layers)):
            p = gaussian(self.priors[layer](state)) if layer else self._top(shape)
            q = p
            if seen is not None:
                correction = gaussian(self.corrections[layer](self.merge[layer](state + seen[layer])))
                q = normal(p.mean + p.stddev * correction.mean, p.stddev * correction.stddev)
            found.append((q, p))
            state = self.down[layer](state + self.entries[layer](choose(layer, q)))
        return found

    def _top(self, shape: tuple[int, ...]) -> Independent:
        zero = self.start.new_zeros((*shape, self.config.layers[0]))
        return normal(zero, torch.ones_like(zero))
