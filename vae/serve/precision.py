"""In which precision a model's pictures are decoded: the fastest on this machine."""

import time
from copy import deepcopy
from dataclasses import dataclass
from statistics import median

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vae.models import VAE
from vae.models.device import multiplies_bf16
from vae.serve.batcher import ROWS

WORTH = 1.2  # how many times as fast a lower precision must be before it serves


@dataclass(frozen=True)
class Precision:
    """What decodes pictures without numbers, and the milliseconds that one and `ROWS` took when it was loaded."""

    name: str
    one: float
    batch: float


@torch.inference_mode()
def decoded(model: VAE, z: Float[Tensor, "n d"]) -> Float[Tensor, "n c h w"]:
    weight = next(model.decoder.parameters())
    return model.decode(z.to(weight.device, weight.dtype)).mean.float().cpu()


def fastest(model: VAE) -> tuple[Precision, VAE]:
    """The model in the precision that decodes a batch fastest. Numbers need float32; a picture has 256 levels.

    Where no hardware multiplies bfloat16, that is not tried: it would take minutes to find out how slow it is.
    """
    full = _timed("float32", model)
    if not multiplies_bf16(model.device):
        return full
    half = _timed("bfloat16", _rounded(model, torch.bfloat16))
    return half if half[0].batch * WORTH < full[0].batch else full


def _timed(name: str, model: VAE) -> tuple[Precision, VAE]:
    return Precision(name, *(_milliseconds(model, rows) for rows in (1, ROWS))), model


def _rounded(model: VAE, dtype: torch.dtype) -> VAE:
    """A copy whose networks are in `dtype` but for the decoder's first layer: most of the error came from rounding z
    itself."""
    copy = deepcopy(model)
    for network in (copy.encoder, copy.decoder):
        network.to(dtype)
    first = next(layer for layer in copy.decoder if isinstance(layer, nn.Linear)).float()
    first.register_forward_hook(lambda layer, inputs, output: output.to(dtype))
    return copy


def _milliseconds(model: VAE, rows: int) -> float:
    """The median of a few calls; what arrives on the CPU has been computed, on a GPU too."""
    z, seconds = torch.zeros(rows, model.latents), []
    for _ in range(8):
        start = time.perf_counter()
        decoded(model, z)
        seconds.append(time.perf_counter() - start)
    return 1000 * median(seconds[2:])
