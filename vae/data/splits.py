"""The training and test sets, from the files on this machine."""

import hashlib
import os
import re
from contextlib import suppress
from functools import cache
from pathlib import Path

import platformdirs
import torch
from torch import Tensor

from vae.data.catalogue import dataset_of
from vae.data.idx import DataError, expand, read_file, read_idx
from vae.data.sets import IdxFile, Split

SHIPPED = Path(__file__).resolve().parent.parent.parent / "pretrained" / "data"
HOLD_OUT_SEED = 1998


def load(name: str, split: str) -> Split:
    """The "train" or "test" set of DATASETS[name]; never goes to the network.

    The test sets ship with the project; a training set is read from the cache. Raises DataError, with the command
    to run, where the files are missing or damaged, and ValueError for an unknown name or split.
    """
    dataset = dataset_of(name)
    _check_split(split)
    tensors = {}
    for file in (file for file in dataset.files if file.split == split):
        for folder in (SHIPPED / name, cache_folder(name)):
            with suppress(DataError):
                tensors[file.kind] = read_idx(from_folder(folder, file))
                break
        else:
            raise DataError(
                f"The {split} set of {dataset.title} is not on this machine, or damaged: "
                f"run `python -m vae.data fetch {name}`."
            )
    return _as_split(tensors["images"], tensors["labels"], dataset.title)


@cache
def test_set(name: str) -> Split:
    """The test set of DATASETS[name], read once and shared by all who ask: it is not for writing into."""
    return load(name, "test")


def hold_out(split: Split, count: int) -> tuple[Split, Split]:
    """A set without `count` random pictures, and these: always the same ones, for all recipes alike.

    ValueError where there are not so many.
    """
    if not 0 <= count < len(split.images):
        raise ValueError(f"of {len(split.images)} pictures 0 to {len(split.images) - 1} can be held out, not {count}")
    if not count:
        return split, Split(split.images[:0], split.labels[:0])
    order = torch.randperm(len(split.images), generator=torch.Generator().manual_seed(HOLD_OUT_SEED))
    away, kept = order[:count], order[count:].sort().values
    return Split(split.images[kept], split.labels[kept]), Split(split.images[away], split.labels[away])


def cache_folder(name: str) -> Path:
    """Where the files of a data set are kept: in $VAE_LAB_CACHE, or the user's cache folder."""
    root = os.environ.get("VAE_LAB_CACHE") or platformdirs.user_cache_dir("vae-lab", appauthor=False)
    return Path(root).expanduser() / "data" / name


def _check_split(split: str) -> None:
    if split not in ("train", "test"):
        raise ValueError(f"split must be 'train' or 'test', not {split!r}")


def _as_split(images: Tensor, labels: Tensor, where: str) -> Split:
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
        raise DataError(
            f"{where} does not have one label for each picture: the shapes are {list(images.shape)} and "
            f"{list(labels.shape)}."
        )
    return Split(images.unsqueeze(1), labels.long())


def verified(path: Path, file: IdxFile) -> bytes:
    """The uncompressed content of `path`, if it is `file`; DataError names the path, its size, and what is wrong."""
    packed = read_file(path, file.size + 2**16)
    try:
        content = expand(packed, file.size + 1)
    except DataError as error:
        raise DataError(f"{path} ({len(packed):,} bytes) is cut off or damaged: {error}") from error
    if len(content) < file.size:
        raise DataError(f"{path} is cut off: it holds {len(content):,} bytes, not {file.size:,}.")
    digest = hashlib.sha256(content).hexdigest()
    if digest != file.sha256:
        raise DataError(f"{path} has the checksum {digest[:12]}, not {file.sha256[:12]}.")
    return content


def candidates(folder: Path, split: str, kind: str) -> list[tuple[str, Path]]:
    """(prefix, path) of the files in a folder with such a name; of two with one prefix, the uncompressed is last."""
    pattern = rf"((?:.+[-_.])?)(?:{'train' if split == 'train' else 't10k|test'})-{kind}[-.]idx[13]-ubyte(\.gz)?"
    try:
        paths = sorted(folder.iterdir(), key=lambda path: (path.suffix != ".gz", path.name))
        matches = [(re.fullmatch(pattern, path.name, re.IGNORECASE), path) for path in paths if path.is_file()]
    except OSError as error:
        raise DataError(f"The folder {folder} cannot be read: {error.strerror}.") from error
    return [(match[1], path) for match, path in matches if match]


def from_folder(folder: Path, file: IdxFile) -> bytes:
    return first_good([path for _, path in candidates(folder, file.split, file.kind)], folder, file)


def first_good(paths: list[Path], folder: Path, file: IdxFile) -> bytes:
    reasons = []
    for path in paths:
        try:
            return verified(path, file)
        except DataError as error:
            reasons.append(str(error))
    raise DataError(" ".join(reasons) or f"There is no IDX file of {file.split} {file.kind} in {folder}.")
