"""Where the tensors live, and in which precision they are multiplied."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def choose_device(name: str = "auto") -> torch.device:
    """ "auto": cuda, else mps, else cpu; any other name must be a device this machine has, or ValueError.

    On CUDA, products of float32 are from then on float32's and not TF32's, in the whole process: numbers need them, and
    what may be rounder is asked for in bfloat16 (see `autocast`).
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return _exact(torch.device(next(kind for kind, here in available.items() if here)))
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"{name!r} is not a device; use auto, {', '.join(available)} or cuda:N") from error
    if not available.get(device.type, False):
        here = ", ".join(kind for kind, found in available.items() if found)
        raise ValueError(f"device {name!r} is not available here; this machine has: {here}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device {name!r} is not available here; there are {torch.cuda.device_count()} CUDA devices")
    return _exact(device)


def _exact(device: torch.device) -> torch.device:
    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    return device


def multiplies_bf16(device: torch.device) -> bool:
    """Whether bfloat16 products run in hardware there: CUDA from Ampere on, CPUs with AMX or AVX512-BF16."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and (torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())


def autocast(device: torch.device, wanted: bool = True) -> torch.autocast:
    """A context that computes in bfloat16 where `wanted` and `multiplies_bf16`, and changes nothing elsewhere."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=wanted and multiplies_bf16(device))


def in_float32(device: torch.device) -> AbstractContextManager:
    """A context in which nothing is computed in bfloat16, whatever is around it."""
    known = torch.amp.is_autocast_available(device.type)
    return torch.autocast(device.type, enabled=False) if known else nullcontext()


def upload(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor there; from main memory to a CUDA device through pinned memory, so that nobody waits for the copy."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
