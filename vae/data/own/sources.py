"""A folder, a ZIP archive or an IDX pair on this machine -> its pictures as files, however many there are."""

from collections.abc import Iterable
from pathlib import Path

import torch

from vae.data.idx import MAX_BYTES, DataError, read_file
from vae.data.own.brought import Brought
from vae.data.own.pairs import is_idx, unpacked
from vae.data.own.suggested import suggested
from vae.pictures.files import File, archived, below, readable

MOST = 1_000_000  # pictures of an IDX pair
SAMPLE, SEED = 400, 1998  # pictures by which it is suggested what all of them become
HEAD, GZIP = 4, b"\x1f\x8b"  # bytes of a file that say whether it is of an IDX pair; of a gzipped one all do
PAIRED = ("images", "labels"), ("idx3", "idx1")  # what sets the names of a pair apart


def found_in(path: Path) -> tuple[list[File], list[str]]:
    """The pictures in a folder and below it, in a ZIP archive, or in the IDX pair that a file is one of; and a sentence
    about each that is left out. DataError where it is none of these."""
    if path.is_dir():
        pairs = [one for one in sorted(path.rglob("*idx*")) if _is_idx(one)]
        names = {readable(str(one.relative_to(path))) for one in pairs}
        found, refused = _of_pairs(pairs)
        return [*(one for one in below(path) if one.name not in names), *found], refused
    if not path.is_file():
        raise DataError(f"there is no folder or file {path}")
    if _is_idx(path):
        return _of_pairs([path, *_others(path)])
    try:
        return archived(path)
    except ValueError as error:
        raise DataError(
            f"{path} is neither a folder, nor a ZIP archive or an IDX file that can be read, nor prepared pictures"
        ) from error


def sampled(files: list[File]) -> tuple[str, str]:
    """What all of them become, (a name of SHAPES, a preparation), by some of them, always the same; DataError where no
    picture is among these."""
    order = torch.randperm(len(files), generator=torch.Generator().manual_seed(SEED))[:SAMPLE]
    some = Brought()
    for place in sorted(order.tolist()):
        some.add(files[place], keep=False)
    if not some.seen:
        reason = f", as {some.refused[0]}" if some.refused else ""
        raise DataError(f"there is no picture that can be read{reason}")
    return suggested(some)


def _of_pairs(paths: Iterable[Path]) -> tuple[list[File], list[str]]:
    return unpacked([(path.name, read_file(path, MAX_BYTES)) for path in paths], MOST)


def _is_idx(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(HEAD)
            return is_idx(start + file.read(MAX_BYTES) if start[:2] == GZIP else start)
    except OSError:
        return False


def _others(path: Path) -> list[Path]:
    """The other file of a pair, beside this one, gzipped or not."""
    plain = path.name.removesuffix(".gz")
    for one, other in ((0, 1), (1, 0)):
        if PAIRED[0][one] in plain:
            name = plain
            for words in PAIRED:
                name = name.replace(words[one], words[other])
            beside = (path.with_name(name + end) for end in ("", ".gz"))
            return [candidate for candidate in beside if candidate.is_file()][:1]
    return []
