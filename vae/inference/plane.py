"""A decoder's log-odds on the whole plane, kept in a file that is checked whenever it is opened.

The plane [-6, 6]^2 is cut into 480 x 480 cells of width 0.025. Beyond a distance of 4 from the middle, where a prior of
two dimensions has 0.03 % of its mass, four cells share one place, which halves the file: 185 MB at 28 x 28 pixels.
"""

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from filelock import FileLock
from jaxtyping import Float, Int, Int16, Int32
from torch import Tensor

from vae.models import VAE, files

EXTENT, SIDE = 6.0, 480
WIDTH = 2 * EXTENT / SIDE
NEAR = 4.0  # cells further out share a place with their neighbours
UNIT = 512  # kept log-odds are multiples of 1/UNIT: sums are exact, and so is to add a pixel or to take it back
AT_ONCE = 2400  # places decoded in one pass

BUDGET = 10**9  # bytes of a folder of planes: five of 28 x 28 pixels
KIND = b"VAE Lab: a plane, 2nd kind\n".ljust(32)
HEADER = len(KIND) + hashlib.sha256().digest_size


class Kept(NamedTuple):
    """What is in the file: `constant` is log p(z) + log p(no ink|z) at each place, nats; to it comes `log_odds` / UNIT
    of each pixel of the ink. `place` is the place of each cell, rows upwards, columns to the right.
    """

    constant: Float[np.ndarray, " places"]
    log_odds: Int16[np.ndarray, "pixels places"]
    place: Int32[np.ndarray, " cells"]


def kept(model: VAE, folder: Path, progress: Callable[[float], None] = lambda share: None) -> Kept:
    """Open the plane of a model's decoder in `folder`, or decode it; the log-odds are mapped and not read.

    One process decodes at a time, and what was used longest ago makes room. OSError where the disk is full, ValueError
    where one plane is over the folder's BUDGET.
    """
    z, place = _places()
    pixels, path = model.input_spec.pixels, folder / f"{fingerprint(model)}.plane"
    size = HEADER + 4 * len(z) + 2 * pixels * len(z)
    if not _is_sound(path, size):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock"):
            if not _is_sound(path, size):  # another process may have decoded it meanwhile
                files.tidy(folder)
                _make_room(folder, size)
                with files.whole(path) as draft:
                    _write(draft, size, model, z, progress)
    with contextlib.suppress(PermissionError):  # where files cannot be touched, none are deleted either
        os.utime(path)  # used just now
    return Kept(*_mapped(path, pixels, len(z), "r"), place)


def middles(cells: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n 2"]:
    """The middle of each cell, (across, up)."""
    return ((np.stack([cells % SIDE, cells // SIDE], 1) + 0.5) * WIDTH - EXTENT).astype(np.float32)


def fingerprint(model: VAE) -> str:
    """A name for the decoder's weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.decoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:24]


def _places() -> tuple[Float[np.ndarray, "places 2"], Int32[np.ndarray, " cells"]]:
    """Where the decoder is asked, and which of these places each cell has."""
    row, column = np.divmod(np.arange(SIDE * SIDE), SIDE)
    first = (row - row % 2) * SIDE + column - column % 2  # of the four cells of a block
    block = middles(first) + WIDTH / 2
    far = np.hypot(*block.T) > NEAR
    owner = np.where(far, first, np.arange(SIDE * SIDE))
    owners, place = np.unique(owner, return_inverse=True)
    return np.where(far[:, None], block, middles(np.arange(SIDE * SIDE)))[owners], place.astype(np.int32)


def _is_sound(path: Path, size: int) -> bool:
    """Whether a file of that size says of itself what it is and holds what was written."""
    if not path.is_file() or path.stat().st_size != size:
        return False
    with path.open("rb") as file:
        return file.read(HEADER) == KIND + hashlib.file_digest(file, "sha256").digest()


def _make_room(folder: Path, size: int) -> None:
    if size > BUDGET:
        raise ValueError(f"a plane of {size / 1e6:.0f} MB is over the {BUDGET / 1e6:.0f} MB that planes may take")
    others = [(file.stat(), file) for file in folder.iterdir() if file.is_file() and file.name != "lock"]
    held = sum(known.st_size for known, _ in others)
    for known, file in sorted(others, key=lambda other: other[0].st_mtime):
        if held + size <= BUDGET:
            break
        file.unlink()
        held -= known.st_size


def _mapped(path: Path, pixels: int, places: int, mode: str) -> tuple[np.memmap, np.memmap]:
    return (
        np.memmap(path, np.float32, mode, HEADER, (places,)),
        np.memmap(path, np.int16, mode, HEADER + 4 * places, (pixels, places)),
    )


@torch.inference_mode()
def _write(draft: Path, size: int, model: VAE, z: Float[np.ndarray, "places 2"], progress: Callable) -> None:
    """Decode every place and keep it: pixel by pixel, so that one pixel's log-odds lie together.

    It takes some 50 MB at 28 x 28 pixels, and pages of the file itself, which the system may write out at any time.
    """
    with draft.open("wb") as file:
        _reserve(file, size)
    device = model.device
    constant, log_odds = _mapped(draft, model.input_spec.pixels, len(z), "r+")
    for start in range(0, len(z), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        here = torch.from_numpy(z[part]).to(device)
        logits: Tensor = model.decode(here).base_dist.logits.flatten(1)
        constant[part] = (model.prior.log_prob(here) - F.softplus(logits).sum(1)).cpu().numpy()
        whole = (logits * UNIT).round().clamp(-(2**15), 2**15 - 1).to(torch.int16)
        log_odds[:, part] = whole.T.cpu().numpy()
        progress(min(1.0, (start + AT_ONCE) / len(z)))
    constant.flush()
    log_odds.flush()
    with draft.open("rb+") as file:
        file.seek(HEADER)
        digest = hashlib.file_digest(file, "sha256").digest()
        file.seek(0)
        file.write(KIND + digest)


def _reserve(file: BinaryIO, size: int) -> None:
    """Take all of the disk that is needed: written through a map, a full disk would end the process."""
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
            raise
        for start in range(0, size, 2**20):  # a system or a disk that cannot reserve
            file.write(bytes(min(2**20, size - start)))
