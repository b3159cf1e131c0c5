"""The training and test sets, from the files on this machine."""

import hashlib
import os
import re
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import platformdirs
import torch
from jaxtyping import Int64
from torch import Tensor

from vae.data import bank, gallery
from vae.data.bank import Bank
from vae.data.catalogue import BANKS, SETS, dataset_of
from vae.data.idx import DataError, expand, read_file, read_idx
from vae.data.sets import Dataset, Gallery, IdxFile, Own, Split

SHIPPED = Path(__file__).resolve().parent.parent.parent / "pretrained" / "data"
HOLD_OUT_SEED = 1998
LEAST = 50  # pictures of a group that is named


def load(name: str, split: str) -> Split:
    """The "train" or "test" set of DATASETS[name]; never goes to the network.

    The test sets ship with the project; a training set is read from the cache. Raises DataError, with the command
    to run, where the files are missing or damaged, and ValueError for an unknown name or split.
    """
    dataset = dataset_of(name)
    _check_split(split)
    if isinstance(dataset, Own):
        return dataset.part(split)
    if isinstance(dataset, Gallery):
        return _of_gallery(dataset, split)
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


def _of_gallery(dataset: Gallery, split: str) -> Split:
    """The pictures that may be shown ship; all others are in the cache."""
    if split == "test" and (shipped := SHIPPED / dataset.name / f"{dataset.name}.npz").is_file():
        shown = bank.load(shipped)
        return gallery.pictures(dataset, shown, np.arange(len(shown)))
    whole = load_bank(dataset.name)
    return gallery.pictures(dataset, whole, gallery.parts(dataset, whole)[split])


def load_bank(name: str) -> Bank:
    """The pictures of a bank or a whole gallery, brought into the cache before; DataError says how, where they are not
    there."""
    path = bank_file(name)
    if not path.is_file():
        how = f"gather them from a folder of yours with `python -m vae.data fetch {name} --from FOLDER`"
        if name not in BANKS:
            how = f"run `python -m vae.data fetch {name}`"
        raise DataError(f"{SETS[name].title} are not on this machine: {how}.")
    return bank.load(path)


def bank_file(name: str) -> Path:
    """Where a gathered bank is kept."""
    return cache_folder(name) / f"{name}.npz"


def test_set(name: str) -> Split:
    """The test set of a data set, read once and shared by all who ask: it is not for writing into."""
    return load(name, "test") if isinstance(dataset_of(name), Own) else _shipped(name)


@cache
def _shipped(name: str) -> Split:
    return load(name, "test")


def tested(name: str) -> int:
    """How many of the first pictures of a test set were held out, so that numbers may rest on them: of one's own set
    others are shown as well, which a model has seen."""
    dataset = dataset_of(name)
    return dataset.tested if isinstance(dataset, Own) else dataset.count("test")


def groups(name: str) -> dict[str, Int64[Tensor, " rows"]]:
    """Words for groups of a test set's pictures, and which these are: its classes, or the tags that enough have. One's
    own pictures without classes are one group."""
    dataset = dataset_of(name)
    if isinstance(dataset, Own) and not dataset.class_names:
        return {dataset.title: torch.arange(dataset.count("test"))}
    if isinstance(dataset, Own):
        return {word: rows for word, rows in _classes(dataset).items() if len(rows)}
    return _groups(name)


def _classes(dataset: Dataset | Own) -> dict[str, Int64[Tensor, " rows"]]:
    labels = test_set(dataset.name).labels
    return {word: (labels == label).nonzero()[:, 0] for label, word in enumerate(dataset.class_names)}


@cache
def _groups(name: str) -> dict[str, Int64[Tensor, " rows"]]:
    dataset = dataset_of(name)
    if not isinstance(dataset, Gallery):
        return _classes(dataset)
    tags = torch.from_numpy(bank.load(SHIPPED / name / f"{name}.npz").about["tags"])
    rows = {word: has.nonzero()[:, 0] for word, has in zip(dataset.tags, tags.T, strict=True)}
    return {word: found for word, found in rows.items() if len(found) >= LEAST}


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
