"""A VAE that begins as principal components: for pictures that lie alike, such as faces whose eyes are in one place.

Beside the network runs a linear path that stays as it was begun: the code of a picture is what its principal
components say, whitened, and what the network adds to that; the same on the way back. So the first step starts from
probabilistic principal component analysis, and every later one goes into what that cannot say. Tipping and Bishop,
Probabilistic Principal Component Analysis (1999).
"""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Independent

from vae.models.base import Model
from vae.models.device import in_float32
from vae.models.families.spatial import COARSE, FINE, SPREAD
from vae.models.families.vae import VAE, likelihood, posterior
from vae.models.networks import Halved, NetworkConfig, initialise

SQUEEZED = 32  # channels that a place keeps before all places meet
FEW = 512  # pictures whose components are sooner found exactly
LEAST = 1 / 255 / math.sqrt(12)  # a standard deviation below which nothing is told: that of what rounding leaves
DRAWN = 0  # the seed of the eigenvectors' first guess


@dataclass(frozen=True)
class PrincipalConfig(NetworkConfig):
    """`channels` are those of the network at a quarter and at an eighth of the picture's size.

    `blocks` are the residual blocks at an eighth of the size, in the encoder and in the decoder; at a quarter there are
    `conv_blocks` in each.
    """

    blocks: tuple[int, int] = (3, 5)
    linear: ClassVar[bool] = True
    family: str = field(default="principal", init=False, repr=False)

    def __post_init__(self):
        super().__post_init__()
        if self.network != "conv" or self.spec.levels != 256:
            raise ValueError("a principal model is convolutional, and reads pictures of 256 levels")
        if self.spec.height % (FINE * COARSE) or self.spec.width % (FINE * COARSE):
            raise ValueError(
                f"a principal model needs sides divisible by {FINE * COARSE}, not {self.spec.height} x "
                f"{self.spec.width}"
            )
        if self.latents > self.spec.pixels:
            raise ValueError(f"a picture of {self.spec.pixels} values has no {self.latents} principal components")
        if len(self.blocks) != 2 or not all(0 <= blocks <= 64 for blocks in self.blocks):
            raise ValueError(f"encoder and decoder have 0 to 64 blocks each, not {self.blocks}")


class Components(nn.Module):
    """Mean, principal directions and standard deviations of pictures: given, and not trained."""

    def __init__(self, pixels: int, k: int):
        super().__init__()
        self.register_buffer("mean", torch.full((pixels,), 0.5))
        self.register_buffer("directions", torch.zeros(k, pixels))
        self.register_buffer("deviations", torch.ones(k))

    def analyse(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """The whitened code of pictures."""
        with in_float32(x.device):
            return (x.flatten(1) - self.mean) @ self.directions.T / self.deviations

    def synthesise(self, z: Float[Tensor, "b k"]) -> Float[Tensor, "b pixels"]:
        """What a whitened code says of a picture."""
        with in_float32(z.device):
            return self.mean + (z.float() * self.deviations) @ self.directions


class Principal(VAE):
    """A VAE whose encoder and decoder are principal components, and a network that is added to them."""

    Config = PrincipalConfig
    first: ClassVar[int] = 4096
    middle: ClassVar[float] = 0.5

    def __init__(self, config: PrincipalConfig, generator: torch.Generator | None = None):
        Model.__init__(self, config)  # a VAE's own wants the configuration of a plain one
        self.add_networks(generator)

    def add_networks(self, generator: torch.Generator | None) -> None:
        """Beside `encoder` and `decoder` the components."""
        config = self.config
        colours, (fine, coarse), k = config.spec.channels, config.channels, config.latents
        cells = (SQUEEZED, config.spec.height // (FINE * COARSE), config.spec.width // (FINE * COARSE))
        self.components = Components(config.spec.pixels, k)
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(FINE),
            nn.Conv2d(colours * FINE**2, fine, 3, padding=1),
            *(Halved(fine) for _ in range(config.conv_blocks)),
            nn.PixelUnshuffle(COARSE),
            nn.Conv2d(fine * COARSE**2, coarse, 1),
            *(Halved(coarse) for _ in range(config.blocks[0])),
            nn.SiLU(),
            nn.Conv2d(coarse, SQUEEZED, 1),
            nn.Flatten(),
            nn.Linear(math.prod(cells), 2 * k),
        )
        self.decoder = nn.Sequential(
            nn.Linear(k, math.prod(cells)),
            nn.Unflatten(1, cells),
            nn.Conv2d(SQUEEZED, coarse, 1),
            *(Halved(coarse) for _ in range(config.blocks[1])),
            nn.Conv2d(coarse, fine * COARSE**2, 1),
            nn.PixelShuffle(COARSE),
            *(Halved(fine) for _ in range(config.conv_blocks)),
            nn.SiLU(),
            nn.Conv2d(fine, 2 * colours * FINE**2, 3, padding=1),
            nn.PixelShuffle(FINE),
        )
        initialise(self, generator)
        for last in (self.encoder[-1], self.decoder[-2]):
            nn.init.zeros_(last.weight)

    @torch.no_grad()
    def begin(self, x: Float[Tensor, "n c h w"]) -> None:
        """The linear path becomes the principal components of these pictures, more of them than there are latents.

        Sigma of q and the scale of p begin as those of the linear model. Where pictures differ in fewer ways than there
        are latents, or not at all, the others tell nothing.
        """
        k, n, flat = self.latents, len(x), x.flatten(1)
        mean = flat.mean(0)
        if n <= FEW:
            _, values, rows = torch.linalg.svd(flat - mean, full_matrices=False)
            vectors = rows.T
        else:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(DRAWN)
                _, values, vectors = torch.svd_lowrank(flat - mean, q=min(n, flat.shape[1], k + 64), niter=6)
        deviations = (values[:k] / math.sqrt(n)).clamp(min=LEAST)
        left = flat.var(0, correction=0).sum() - deviations.square().sum()
        rest = left.div(max(1, len(mean) - k)).clamp(min=LEAST**2).sqrt()
        self.components.mean.copy_(mean)
        self.components.directions.copy_(vectors[:, :k].T)
        self.components.deviations.copy_(deviations)
        self.encoder[-1].bias[k:] = (rest / deviations).log()
        scales = self.decoder[-2].bias.view(2, -1)[1]
        scales.fill_(2 + float((SPREAD * rest).log()))  # as `likelihood` reads it

    def guess(self, x: Float[Tensor, "b c h w"]) -> Independent:
        """q(z|x), which nothing corrects."""
        x = x.to(self.device)
        output = self.encoder(x - self.middle).float() + F.pad(self.components.analyse(x), (0, self.latents))
        return posterior(output, False, self.training)

    def decode(self, z: Float[Tensor, "b d"]) -> Independent:
        """p(x|z), event = the picture; its `.mean` is what is shown."""
        z = z.to(self.device)
        loc, log_scale = self.decoder(z).float().chunk(2, dim=1)
        linear = self.components.synthesise(z).view_as(loc)
        return likelihood(torch.cat([loc + linear - 0.5, log_scale], 1), self.input_spec)
