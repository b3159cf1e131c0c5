"""What the families of networks from elsewhere have in common: autoencoders of photos that the lab has not trained.

They are made for diffusion in their latents, which is done in a space of about unit variance: z here is that,
(their latents - shift_factor) scaling_factor. Rombach et al., High-Resolution Image Synthesis with Latent Diffusion
Models (2022), section D.1.
"""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.distributions import Independent

from vae.distributions import discretized_logistic
from vae.models.base import Mapped
from vae.models.networks import Config
from vae.models.spaces import STEP, Map

# These networks come without a likelihood. Theirs is set here: a discretised logistic whose standard deviation is
# 10 of 255 levels, the error of a PSNR of 28 dB. It moves no picture, and every log p(x|z) is relative to it.
DEVIATION = 10 / 255
LOG_SCALE = math.log(DEVIATION * math.sqrt(3) / math.pi)
MOST_STAGES = int(math.log2(STEP)) + 1  # each halves the picture once more, but the first
MOST_BLOCKS = 64  # of a stage


@dataclass(frozen=True)
class ForeignConfig(Config):
    """`latents` is the number of channels of z, which is (the network's latents - `shift_factor`) `scaling_factor`.

    Families add their network, and `reach`, which `vae.latent.maps` asks for.
    """

    scaling_factor: float = 1.0
    shift_factor: float = 0.0
    any_size: ClassVar[bool] = True

    @property
    def stages(self) -> int:
        """At how many sizes of the picture the network works."""
        raise NotImplementedError(f"a {self.family} model does not say its stages")

    @property
    def space(self) -> Map:
        """What z is."""
        return Map(self.latents, 2 ** (self.stages - 1))

    def __post_init__(self):
        super().__post_init__()
        if (self.spec.channels, self.spec.levels) != (3, 256):
            raise ValueError(
                f"a {self.family} model reads photos in 3 colours of 256 levels, not {self.spec.channels} of "
                f"{self.spec.levels}"
            )
        if not 1 <= self.stages <= MOST_STAGES:
            raise ValueError(
                f"a place of z may speak for at most {STEP} x {STEP} pixels, which are 1 to {MOST_STAGES} stages, not "
                f"{self.stages}"
            )
        if not (math.isfinite(self.scaling_factor) and self.scaling_factor > 0):
            raise ValueError(f"scaling_factor must be a number above 0, not {self.scaling_factor}")
        if not math.isfinite(self.shift_factor):
            raise ValueError(f"shift_factor must be a number, not {self.shift_factor}")


class Foreign(Mapped):
    """A network from elsewhere; a family says what it makes of a picture (`encode`) and of latents (`picture`)."""

    @abstractmethod
    def picture(self, latents: Float[Tensor, "b k rows columns"]) -> Float[Tensor, "b c h w"]:
        """What is drawn of latents as the network has them, where pictures are from 0 to 1."""

    def decode(self, z: Float[Tensor, "b k rows columns"], keep: Int64[Tensor, " b"] | None = None) -> Independent:
        """p(x|z), event = the picture: a discretised logistic of DEVIATION around it, `.mean` cut to [0, 1].

        Where `keep` is said the channels after the first `keep` are 0, the mean of N(0, I); no order of the channels
        was learned, so that those first are no better than others.
        """
        z = z.to(self.device)
        if keep is not None:
            z = z * self.kept(keep)
        loc = self.picture(z / self.config.scaling_factor + self.config.shift_factor).float()
        return discretized_logistic(loc, torch.full_like(loc, LOG_SCALE), self.input_spec.levels)

    def scaled(self, latents: Float[Tensor, "b k rows columns"]) -> Float[Tensor, "b k rows columns"]:
        """Latents as the network has them, as z."""
        return (latents.float() - self.config.shift_factor) * self.config.scaling_factor

    def whole(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Pictures on the model's device; ValueError where a side is no multiple of its step."""
        step = self.config.space.step
        if x.shape[2] % step or x.shape[3] % step:
            raise ValueError(f"the sides of a picture are multiples of {step}, not {x.shape[2]} x {x.shape[3]}")
        return x.to(self.device)
