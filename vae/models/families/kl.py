"""The autoencoder of latent diffusion, as diffusers' `AutoencoderKL` has it, under its names of the weights.

Residual blocks of 3 x 3 convolutions with group norms at each size, and one block of attention over all places at the
coarsest. Rombach et al., High-Resolution Image Synthesis with Latent Diffusion Models (2022), section 3.1; Esser et
al., Taming Transformers for High-Resolution Image Synthesis (2021).
"""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.distributions import Independent

from vae.distributions import normal
from vae.models.families.foreign import MOST_BLOCKS, Foreign, ForeignConfig
from vae.models.networks import initialise

EPSILON = 1e-6  # of every norm
LOG_VARIANCE = (-30.0, 20.0)  # where q's is cut


@dataclass(frozen=True)
class KLConfig(ForeignConfig):
    """The numbers of diffusers' config.json under their names there, with its defaults; its latent_channels are
    `latents`."""

    scaling_factor: float = 0.18215
    block_out_channels: tuple[int, ...] = (64,)
    layers_per_block: int = 1
    norm_num_groups: int = 32
    use_quant_conv: bool = True
    use_post_quant_conv: bool = True
    mid_block_add_attention: bool = True
    reach: ClassVar[None] = None  # norms and attention see the whole picture
    family: str = field(default="kl", init=False, repr=False)

    @property
    def stages(self) -> int:
        """At how many sizes of the picture the network works."""
        return len(self.block_out_channels)

    def __post_init__(self):
        super().__post_init__()
        if not 1 <= self.layers_per_block <= MOST_BLOCKS:
            raise ValueError(f"layers_per_block must be 1 to {MOST_BLOCKS}, not {self.layers_per_block}")
        if self.norm_num_groups < 1:
            raise ValueError(f"norm_num_groups must be at least 1, not {self.norm_num_groups}")
        if any(channels < 1 or channels % self.norm_num_groups for channels in self.block_out_channels):
            raise ValueError(
                f"block_out_channels must be multiples of norm_num_groups, {self.norm_num_groups}, not "
                f"{self.block_out_channels}"
            )


class Residual(nn.Module):
    """x + conv2 silu(norm2 conv1 silu(norm1 x)), 3 x 3; x through a 1 x 1 convolution where the channels change."""

    def __init__(self, inputs: int, outputs: int, groups: int):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, inputs, EPSILON)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2 = nn.GroupNorm(groups, outputs, EPSILON)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Float[Tensor, "b inputs h w"]) -> Float[Tensor, "b outputs h w"]:
        h = self.conv1(F.silu(self.norm1(x)))
        return self.conv_shortcut(x) + self.conv2(F.silu(self.norm2(h)))


class Attention(nn.Module):
    """x + what each place takes from all places, one head."""

    def __init__(self, channels: int, groups: int):
        super().__init__()
        self.group_norm = nn.GroupNorm(groups, channels, EPSILON)
        self.to_q, self.to_k, self.to_v = (nn.Linear(channels, channels) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        places = self.group_norm(x).flatten(2).transpose(1, 2)[:, None]
        taken = F.scaled_dot_product_attention(self.to_q(places), self.to_k(places), self.to_v(places))[:, 0]
        return x + self.to_out[0](taken).transpose(1, 2).unflatten(2, x.shape[2:])


class Middle(nn.Module):
    """A residual block, attention where there is any, and a residual block."""

    def __init__(self, config: KLConfig):
        super().__init__()
        channels, groups = config.block_out_channels[-1], config.norm_num_groups
        self.resnets = nn.ModuleList(Residual(channels, channels, groups) for _ in range(2))
        self.attentions = nn.ModuleList(Attention(channels, groups) for _ in range(config.mid_block_add_attention))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        first, last = self.resnets
        x = first(x)
        for attention in self.attentions:
            x = attention(x)
        return last(x)


class Halving(nn.Module):
    """A 3 x 3 convolution at every second pixel, zeros beyond the right and the lower edge only."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c rows columns"]:
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Doubling(nn.Module):
    """Each pixel four times, and a 3 x 3 convolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Float[Tensor, "b c rows columns"]) -> Float[Tensor, "b c h w"]:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Stage(nn.Module):
    """The residual blocks at one size, and the way to the next, `downsamplers` or `upsamplers`; none after the last."""

    def __init__(self, inputs: int, outputs: int, groups: int, blocks: int, way: dict[str, nn.Module]):
        super().__init__()
        self.resnets = nn.ModuleList(Residual(outputs if block else inputs, outputs, groups) for block in range(blocks))
        self.ways = list(way)
        for name, module in way.items():
            self.add_module(name, nn.ModuleList([module]))

    def forward(self, x: Float[Tensor, "b inputs h w"]) -> Float[Tensor, "b outputs rows columns"]:
        for block in self.resnets:
            x = block(x)
        for name in self.ways:
            x = self.get_submodule(name)[0](x)
        return x


class Ends(nn.Module):
    """What encoder and decoder have at both ends: a convolution; a norm and a convolution."""

    def __init__(self, inputs: int, first: int, last: int, outputs: int, groups: int):
        super().__init__()
        self.conv_in = nn.Conv2d(inputs, first, 3, padding=1)
        self.conv_norm_out = nn.GroupNorm(groups, last, EPSILON)
        self.conv_out = nn.Conv2d(last, outputs, 3, padding=1)

    def out(self, x: Float[Tensor, "b last h w"]) -> Float[Tensor, "b outputs h w"]:
        """What comes after all blocks."""
        return self.conv_out(F.silu(self.conv_norm_out(x)))


class Encoder(Ends):
    """A picture from -1 to 1 -> mu and log variance of each number of the map."""

    def __init__(self, config: KLConfig):
        widths, groups = config.block_out_channels, config.norm_num_groups
        super().__init__(config.spec.channels, widths[0], widths[-1], 2 * config.latents, groups)
        last = len(widths) - 1
        self.down_blocks = nn.ModuleList(
            Stage(
                widths[max(0, stage - 1)],
                width,
                groups,
                config.layers_per_block,
                {"downsamplers": Halving(width)} if stage < last else {},
            )
            for stage, width in enumerate(widths)
        )
        self.mid_block = Middle(config)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b values rows columns"]:
        x = self.conv_in(x)
        for stage in self.down_blocks:
            x = stage(x)
        return self.out(self.mid_block(x))


class Decoder(Ends):
    """Latents -> a picture from -1 to 1."""

    def __init__(self, config: KLConfig):
        widths, groups = config.block_out_channels[::-1], config.norm_num_groups
        super().__init__(config.latents, widths[0], widths[-1], config.spec.channels, groups)
        last = len(widths) - 1
        self.mid_block = Middle(config)
        self.up_blocks = nn.ModuleList(
            Stage(
                widths[max(0, stage - 1)],
                width,
                groups,
                config.layers_per_block + 1,
                {"upsamplers": Doubling(width)} if stage < last else {},
            )
            for stage, width in enumerate(widths)
        )

    def forward(self, z: Float[Tensor, "b k rows columns"]) -> Float[Tensor, "b c h w"]:
        x = self.mid_block(self.conv_in(z))
        for stage in self.up_blocks:
            x = stage(x)
        return self.out(x)


class AutoencoderKL(Foreign):
    """diffusers' `AutoencoderKL`: q(z|x) = N(mu(x), diag(sigma(x)^2)) for each number of a map.

    z is in the scale that diffusion works in, (latents - shift_factor) scaling_factor, where it has about unit variance
    over all its channels together. p(z) = N(0, I) is set here: these networks were trained with a weight of some 1e-6
    on the KL, of latents that are not scaled. So KL(q || p) is what q costs under that prior, and not what they learned
    to pay, and samples of p become no pictures. Neither mu nor sigma is cut where the lab's own models cut them.
    """

    Config = KLConfig

    def __init__(self, config: KLConfig, generator: torch.Generator | None = None):
        super().__init__(config)
        k = config.latents
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        self.quant_conv = nn.Conv2d(2 * k, 2 * k, 1) if config.use_quant_conv else nn.Identity()
        self.post_quant_conv = nn.Conv2d(k, k, 1) if config.use_post_quant_conv else nn.Identity()
        initialise(self, generator)

    def encode(self, x: Float[Tensor, "b c h w"], keep: Int64[Tensor, " b"] | None = None) -> Independent:
        """q(z|x), event = the map; x in [0, 1], its sides multiples of the step, or ValueError.

        Where only the first `keep` channels of a picture are kept, q of the others is the prior.
        """
        mu, log_variance = self.quant_conv(self.encoder(2 * self.whole(x) - 1)).chunk(2, dim=1)
        sigma = (0.5 * log_variance.float().clamp(*LOG_VARIANCE)).exp() * self.config.scaling_factor
        mu = self.scaled(mu)
        if keep is not None:
            kept = self.kept(keep)
            mu, sigma = mu * kept, sigma * kept + (1 - kept)
        return normal(mu, sigma, 3)

    def picture(self, latents: Float[Tensor, "b k rows columns"]) -> Float[Tensor, "b c h w"]:
        """What is drawn of latents as the network has them, where pictures are from 0 to 1."""
        return (self.decoder(self.post_quant_conv(latents)) + 1) / 2
