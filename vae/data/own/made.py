"""What was brought -> a data set: each picture as a model reads it, and a share of them held out."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch
from jaxtyping import UInt8
from torch import Tensor

from vae.data.idx import DataError
from vae.data.own.brought import Brought
from vae.data.sets import OWN, Own, Split
from vae.models.spaces import Pictures
from vae.pictures import ImageError, prepare
from vae.pictures.files import File, unmarked

LEAST = 20  # pictures that a model can be trained on at all
TESTED, VALIDATED = 0.10, 0.05  # shares that are held out: for the numbers of the card, and to stop by
MOST_HELD = 1000  # pictures for each of these
SEED = 1998
TITLE = 40  # letters


class TooFew(DataError):
    """So few pictures are left that nothing can be learnt; `refused` has a sentence about each that is not."""

    def __init__(self, sentence: str, refused: list[str]):
        super().__init__(sentence)
        self.refused = refused


def copies(found: Brought) -> Iterator[tuple[int, bytes]]:
    """The place of each picture that was brought, and its small copy."""
    bank = found.bank
    for place in range(len(found)):
        yield place, bank.content(place)


def read_on(found: Brought, files: Iterable[File]) -> Iterator[tuple[int, bytes]]:
    """The same of files as they are read: `found` comes to know them, and keeps none of the copies."""
    for file in files:
        copy = found.add(file, keep=False)
        if copy is not None:
            yield len(found) - 1, copy


def prepared(
    found: Brought, spec: Pictures, brought: Iterable[tuple[int, bytes]] | None = None
) -> Iterator[tuple[int, UInt8[Tensor, "c h w"] | str]]:
    """The place of each picture and what a model reads of it, or a sentence why nothing can be read of it.

    The pictures are the `copies` of `found`, unless they are `brought` one by one, as by `read_on`.
    """
    for place, copy in copies(found) if brought is None else brought:
        try:
            yield place, prepare(copy, spec).picture[0].mul(255).round().byte().contiguous()
        except ImageError as error:
            yield place, f"{found.seen[place].name}: {error}"


def made(
    title: str, found: Brought, spec: Pictures, brought: Iterable[tuple[int, bytes]] | None = None
) -> tuple[Own, list[str]]:
    """The data set of what is `prepared`, and a sentence about each picture that could not be, or is another once more
    as it is read. TooFew where too few are left."""
    images, places, refused, known = [], [], [], {}
    for place, picture in prepared(found, spec, brought):
        name = found.seen[place].name
        if isinstance(picture, str):
            refused.append(picture)
            continue
        digest = hashlib.sha256(picture.numpy()).digest()
        if digest in known:
            refused.append(f"{name}: as it is read it is {found.seen[known[digest]].name} once more.")
            continue
        known[digest] = place
        images.append(picture)
        places.append(place)
    labels = torch.from_numpy(found.labels)[torch.tensor(places, dtype=torch.int64)]
    try:
        return own_set(title, found.class_names, spec, images, labels), refused
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
    pictures = torch.stack([images[row] for row in order.tolist()])
    classes = torch.as_tensor(labels, dtype=torch.int64)[order]
    tested, validated = (min(max(2, round(share * count)), MOST_HELD) for share in (TESTED, VALIDATED))
    names = tuple(unmarked(name) for name in class_names)
    return entitled(Own("", "", names, spec, tested, validated, Split(pictures, classes)), title)


def entitled(pictures: Own, title: str) -> Own:
    """The same pictures under a title, and so under another name."""
    title = unmarked(title)[:TITLE].strip() or "My pictures"
    digest = hashlib.sha256(repr((title, pictures.class_names, pictures.spec)).encode())
    digest.update(pictures.pictures.images.numpy())
    digest.update(pictures.pictures.labels.numpy())
    return replace(pictures, name=OWN + digest.hexdigest()[:24], title=title)


def _pictures(count: int) -> str:
    return {0: "No picture", 1: "Only one picture"}.get(count, f"Only {count} pictures")
