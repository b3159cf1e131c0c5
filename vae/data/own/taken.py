"""Whatever was brought -> files of pictures: plain ones, those in archives, and those of IDX pairs."""

from collections.abc import Iterable

from vae.data.own.pairs import is_idx, unpacked
from vae.pictures.files import MAX_FILES, MAX_TOTAL, File, uploads


def taken(
    files: Iterable[tuple[str, bytes]], most: int = MAX_FILES, most_bytes: int = MAX_TOTAL
) -> tuple[list[File], list[str]]:
    """The first `most` pictures, and a sentence about each file that is left out; archives may have `most_bytes`
    unpacked."""
    files = [(name, content, is_idx(content)) for name, content in files]
    found, refused = uploads([(name, content) for name, content, pair in files if not pair], most, most_bytes)
    more, complaints = unpacked([(name, content) for name, content, pair in files if pair], most)
    refused += complaints
    if len(found) + len(more) > most:
        refused.append(f"Only the first {most:,} of {len(found) + len(more):,} pictures are taken.")
    return [*found, *more][:most], refused
