"""What was brought -> a data set: each picture as a model reads it, and a share of them held out."""

import hashlib
from collections.abc import Iterator

import torch
from jaxtyping import UInt8
from torch import Tensor

from vae.data.idx import DataError
from vae.data.own.brought import Brought
from vae.data.sets import OWN, SHOWN, Own, Split
from vae.models.spaces import Pictures
from vae.pictures import ImageError, prepare
from vae.pictures.files import unmarked

LEAST = 20  # pictures that a model can be trained on at all
TESTED, VALIDATED = 0.10, 0.05  # shares that are held out: for the numbers of the card, and to stop by
SEED = 1998
TITLE = 40  # letters


class TooFew(DataError):
    """So few pictures are left that nothing can be learnt; `refused` has a sentence about each that is not."""

    def __init__(self, sentence: str, refused: list[str]):
        super().__init__(sentence)
        self.refused = refused


def prepared(found: Brought, spec: Pictures) -> Iterator[tuple[int, UInt8[Tensor, "c h w"] | str]]:
    """The place of each picture and what a model reads of it, or a sentence why nothing can be read of it."""
    bank = found.bank
    for place, one in enumerate(found.seen):
        try:
            picture = prepare(bank.content(place), spec).picture[0]
            yield place, picture.mul(255).round().byte()
        except ImageError as error:
            yield place, f"{one.name}: {error}"


def made(title: str, found: Brought, spec: Pictures) -> tuple[Own, list[str]]:
    """The data set, and a sentence about each picture that could not be prepared, or is another once more as it is
    read. TooFew where too few are left."""
    images, classes, refused, known = [], [], [], {}
    labels = found.labels.tolist()
    for place, picture in prepared(found, spec):
        if isinstance(picture, str):
            refused.append(picture)
            continue
        digest = picture.numpy().tobytes()
        if digest in known:
            refused.append(f"{found.seen[place].name}: as it is read it is {known[digest]} once more.")
            continue
        known[digest] = found.seen[place].name
        images.append(picture)
        classes.append(labels[place])
    try:
        return own_set(title, found.class_names, spec, images, classes), refused
    except DataError as error:
        raise TooFew(str(error), refused) from error


def own_set(
    title: str, class_names: tuple[str, ...], spec: Pictures, images: list[Tensor] | Tensor, labels: list[int] | Tensor
) -> Own:
    """A data set of pictures as they are read, in an order by chance, always the same; DataError where they are too
    few."""
    count = len(images)
    if count < LEAST:
        raise DataError(
            f"{_pictures(count)} can be used, and a network needs {LEAST} to learn from, better some hundred."
        )
    order = torch.randperm(count, generator=torch.Generator().manual_seed(SEED))
    pictures = torch.stack(list(images))[order]
    classes = torch.as_tensor(labels, dtype=torch.int64)[order]
    tested, validated = (min(SHOWN, max(2, round(share * count))) for share in (TESTED, VALIDATED))
    title = unmarked(title)[:TITLE].strip() or "My pictures"
    digest = hashlib.sha256(repr((title, class_names, spec)).encode())
    digest.update(pictures.numpy().tobytes())
    digest.update(classes.numpy().tobytes())
    return Own(
        OWN + digest.hexdigest()[:24],
        title,
        tuple(unmarked(name) for name in class_names),
        spec,
        tested,
        validated,
        Split(pictures, classes),
    )


def _pictures(count: int) -> str:
    return {0: "No picture", 1: "Only one picture"}.get(count, f"Only {count} pictures")
