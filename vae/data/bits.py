"""Grey values and bits: what of a picture a model reads."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from vae.data.catalogue import dataset_of
from vae.data.splits import load, test_set
from vae.models.spaces import Pictures

BINARISATION_SEED = 2015  # any constant will do, but changing it changes every published test number


def grey(images: UInt8[Tensor, "*b c h w"]) -> Float[Tensor, "*b c h w"]:
    """Grey values in [0, 1]: images / 255."""
    return images.to(torch.float32).div_(255)


def binarise(x: Float[Tensor, "*b c h w"], generator: torch.Generator | None) -> Float[Tensor, "*b c h w"]:
    """A fresh sample, 0 or 1, of Bernoulli(x) for every grey value in [0, 1]; `generator` is on x's device.

    Source: Salakhutdinov and Murray, On the quantitative analysis of deep belief networks, ICML 2008.
    """
    return torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device).lt_(x)


def as_read(picture: Float[Tensor, "b c h w"], spec: Pictures) -> Float[Tensor, "b c h w"]:
    """The x that a model reads of a prepared picture, or of several: bits, always drawn with the same noise, where it
    wants bits."""
    if spec.levels != 2:
        return picture
    return binarise(picture, torch.Generator().manual_seed(BINARISATION_SEED))


def test_inputs(name: str) -> Float[Tensor, "n c h w"]:
    """The whole test set as models read it: the fixed binarisation, or, where they read 256 levels, those."""
    if dataset_of(name).spec.levels == 2:
        return fixed_binarisation(name)
    return grey(test_set(name).images)


def fixed_binarisation(name: str) -> Float[Tensor, "n c h w"]:
    """The whole test set, binarised once and for all: the same bits on every call and every machine.

    It is `binarise` with a CPU generator seeded with BINARISATION_SEED. Raises as `load` does.
    """
    return binarise(grey(load(name, "test").images), torch.Generator("cpu").manual_seed(BINARISATION_SEED))
