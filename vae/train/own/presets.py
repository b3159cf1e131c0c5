"""Recipes for pictures of one's own, by three controls: how much time, how many latents, and beta."""

import math
from dataclasses import dataclass, replace

from vae.data import Own
from vae.models import VAE, Config, Principal
from vae.train.recipes import Recipe

MOST_LATENTS = 256
COLOURS_RATE = 1e-3
PER_LATENT = 2  # training pictures that each latent needs at least: as many components as pictures explain everything


@dataclass(frozen=True)
class Size:
    """How long is trained, in steps of the optimiser, and how large the network is. `rate` is the learning rate for
    bits, chosen by held-out drawings and letters; colours begin as principal components, and it matters little there.
    """

    words: str
    steps: int
    width: int  # of a dense network
    dense_blocks: int
    channels: tuple[int, int]  # of a convolutional one
    blocks: tuple[int, int]
    ema: float
    rate: float


SIZES = {
    "quick": Size("Quick", 400, 384, 1, (32, 64), (1, 2), 0.97, 3e-3),
    "good": Size("Good", 2000, 384, 1, (32, 96), (2, 3), 0.99, 3e-3),
    "best": Size("Best", 8000, 512, 2, (64, 128), (3, 4), 0.998, 2e-3),
}


def most_latents(own: Own) -> int:
    """How many latents a set is enough for."""
    return max(2, min(MOST_LATENTS, own.count("train") // PER_LATENT, own.spec.pixels // 4))


def of_bits(recipe: Recipe) -> bool:
    """Whether it is for pictures in black and white."""
    return recipe.model.spec.levels == 2


def usual_latents(own: Own) -> int:
    """How many suit it: few for drawings, more for colours."""
    return min(16 if own.spec.levels == 2 else 64, most_latents(own))


def preset(
    name: str, own: Own, size: str = "good", latents: int | None = None, beta: float = 1.0, seed: int = 0
) -> Recipe:
    """The recipe; ValueError where a control is out of its range."""
    if size not in SIZES:
        raise ValueError(f"the size must be one of {', '.join(SIZES)}, not {size!r}")
    latents = usual_latents(own) if latents is None else latents
    if latents not in range(1, most_latents(own) + 1):
        raise ValueError(
            f"{own.count('train')} training pictures are enough for 1 to {most_latents(own)} latents, not {latents}"
        )
    if not 0 < beta <= 100:
        raise ValueError(f"beta must be above 0 and at most 100, not {beta:g}")
    chosen, count, is_bits = SIZES[size], own.count("train"), own.spec.levels == 2
    recipe = Recipe(
        name,
        own.name,
        _model(own, chosen, latents),
        epochs=1,
        batch=min(64 if is_bits else 32, count),
        learning_rate=chosen.rate if is_bits else COLOURS_RATE,
        warmup=20,
        kl_warmup=0.0,
        beta=beta,
        ema=chosen.ema,
        clip=200.0 if is_bits else 3.0 * math.sqrt(own.spec.pixels) * 36,
        seed=seed,
    )
    return with_steps(varied(recipe, own.spec.preparation != "face"), own, chosen.steps)


def varied(recipe: Recipe, wanted: bool) -> Recipe:
    """The same with pictures that are varied where that is `wanted`, against learning them by heart: bits are bent a
    little, colours are mirrored, too; of faces, whose eyes are in one place, nothing is bent."""
    spec = recipe.model.spec
    return replace(
        recipe,
        warp=1.0 if wanted and spec.preparation != "face" else 0.0,
        mirrored=wanted and not spec.is_binary,
    )


def with_steps(recipe: Recipe, own: Own, steps: int) -> Recipe:
    """The same with as many epochs as take at least so many steps; ValueError where there is not one batch."""
    if recipe.batch > own.count("train"):
        raise ValueError(f"a batch of {recipe.batch} needs at least as many pictures, not {own.count('train')}")
    each = own.count("train") // recipe.batch
    return replace(recipe, epochs=math.ceil(steps / each))


def _model(own: Own, size: Size, latents: int) -> Config:
    """Bits are learnt by a dense network; colours begin as the principal components of the pictures."""
    if own.spec.levels == 2:
        return VAE.Config(own.spec, latents, width=size.width, dense_blocks=size.dense_blocks, bounded=True)
    return Principal.Config(own.spec, latents, "conv", channels=size.channels, conv_blocks=1, blocks=size.blocks)
