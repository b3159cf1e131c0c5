"""How near what comes back is to the picture, in words and numbers: of bits by their ink, of colours by levels."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from vae.app.look.html import COLOURS, symbol, to_uint8
from vae.distributions import psnr
from vae.inference.record import ink
from vae.serve.capabilities import Can
from vae.serve.entry import Entry

APART = 4  # how much stronger than it is a difference of colours is shown


def read(entry: Entry) -> str:
    """What a model reads of a picture."""
    return "the bits" if entry.lacks(Can.BITS) is None else "the picture"


def difference(
    entry: Entry, x: Float[Tensor, "c h w"], mean: Float[Tensor, "c h w"]
) -> tuple[UInt8[np.ndarray, "h w *c"], str]:
    """Where the two differ, as a picture, and what it shows.

    Of bits x's colour on black where the model misses ink, and the model's where it adds ink; of colours their
    difference around a middle grey, APART times as strong.
    """
    if entry.lacks(Can.BITS) is not None:
        return to_uint8(0.5 + APART * (mean - x)), f"the difference, {APART} times as strong; grey is none"
    gap = (x - mean).mean(0)[..., None]
    missing, added = (torch.tensor([int(COLOURS[name].dark[i : i + 2], 16) for i in (1, 3, 5)]) for name in ("x", "x̂"))
    shown = (gap.clamp(min=0) * missing + (-gap).clamp(min=0) * added).round().to(torch.uint8).numpy()
    return shown, f"ink {symbol('x', 'missed')} and {symbol('x̂', 'added')}"


def facts(entry: Entry, x: Float[Tensor, "c h w"], mean: Float[Tensor, "c h w"]) -> dict[str, tuple[str, str]]:
    """The two numbers that matter, and what they are of."""
    if entry.lacks(Can.BITS) is not None:
        off = 100 * float((mean - x).abs().mean())
        return {
            "it is off by": (f"{off:.1f} %", "of full brightness, on average"),
            "how near": (f"{float(psnr(mean[None], x[None])):.1f} dB", "PSNR; from 35 on few see a difference"),
        }
    changed = ink(x, mean)
    shares = {"the network misses": changed.missed, "the network adds": changed.added}
    return {words: (f"{100 * share:.1f} %", "of the ink") for words, share in shares.items()}
