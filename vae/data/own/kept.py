"""A data set of one's own in a file, and those that are open in this process, by name."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from weakref import WeakValueDictionary

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from vae.data.idx import DataError
from vae.data.own.brought import MOST_CLASSES
from vae.data.own.made import TITLE
from vae.data.sets import OWN, SHOWN, Own, Split
from vae.models.checkpoint import as_facts, typed
from vae.models.files import save_tensors
from vae.models.guard import check
from vae.models.spaces import Pictures
from vae.pictures.files import unmarked

FILE = "pictures.safetensors"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")  # what a model of one's own may be called
_open: WeakValueDictionary[str, Own] = WeakValueDictionary()


def opened(own: Own) -> Own:
    """The set, known by its name for as long as somebody holds it. DataError where other pictures are open under that
    name, which a file may claim."""
    held = _open.setdefault(own.name, own)
    if not _alike(held, own):
        raise DataError(f"Other pictures are open under the name {own.name!r}.")
    return held if len(held.pictures.labels) >= len(own.pictures.labels) else own


def _alike(one: Own, other: Own) -> bool:
    """Whether two are the same set, as far as both have its pictures."""
    if one is other:
        return True
    facts = [(own.title, own.class_names, own.spec, own.tested, own.validated) for own in (one, other)]
    count = min(len(own.pictures.labels) for own in (one, other))
    pairs = ((getattr(own.pictures, name)[:count] for own in (one, other)) for name in ("images", "labels"))
    return facts[0] == facts[1] and all(torch.equal(*pair) for pair in pairs)


def find(name: str) -> Own:
    """The open set of a name; ValueError where there is none."""
    own = _open.get(name)
    if own is None:
        raise ValueError(f"no pictures are open under the name {name!r}")
    return own


def save(own: Own, path: Path, shown_only: bool = False) -> None:
    """Write it; `shown_only` leaves out what pages do not show. OSError where it cannot be written."""
    tensors, said = packed(own, shown_only)
    save_tensors(tensors, path, {"set": said})


def packed(own: Own, shown_only: bool = False) -> tuple[dict[str, Tensor], str]:
    """Its tensors by their names, and what is said of them, as JSON."""
    count = SHOWN if shown_only else None
    facts = {
        "name": own.name,
        "title": own.title,
        "class_names": own.class_names,
        "spec": asdict(own.spec),
        "tested": own.tested,
        "validated": own.validated,
    }
    tensors = {"images": own.pictures.images[:count], "labels": own.pictures.labels[:count]}
    return {name: tensor.contiguous() for name, tensor in tensors.items()}, json.dumps(facts)


def load(path: Path, before: str = "") -> Own:
    """The set in a file that `save` wrote, opened; `before` is what the names of its tensors begin with. DataError
    where there is none."""
    try:
        check(path)
        with safe_open(path, framework="pt") as file:
            told, tensors = file.metadata() or {}, [file.get_tensor(before + name) for name in ("images", "labels")]
        own = _checked(as_facts(told.get("set", ""), "what it says of itself"), *tensors)
    except KeyError as error:
        raise DataError(f"{path} holds no pictures of one's own: it does not say {error}") from error
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        raise DataError(f"{path} holds no pictures of one's own: {error}") from error
    return opened(own)


@contextmanager
def open_in(folder: Path) -> Iterator[Own | None]:
    """The set that lies beside a model in its folder, open meanwhile; None where there is none."""
    found = load(folder / FILE) if (folder / FILE).is_file() else None  # known for as long as it is held
    yield found


def _checked(facts: dict, images: Tensor, labels: Tensor) -> Own:
    """ValueError, KeyError or TypeError where anything does not fit: the file may be anybody's."""
    names = facts["class_names"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"class_names are words, not {str(names)[:80]}")
    spec = Pictures(**typed(Pictures, facts["spec"]))
    if images.dtype != torch.uint8 or tuple(images.shape[1:]) != spec.shape or labels.dtype != torch.int64:
        raise ValueError(f"its pictures are {images.dtype} {tuple(images.shape)}, its labels {labels.dtype}")
    if labels.shape != images.shape[:1]:
        raise ValueError(f"it has {len(images)} pictures and labels of the shape {tuple(labels.shape)}")
    values = {"class_names": tuple(names), "spec": spec, "pictures": Split(images, labels)}
    own = Own(**typed(Own, {name: facts[name] for name in ("name", "title", "tested", "validated")}) | values)
    if not 2 <= own.tested <= len(images) or own.validated < 1:
        raise ValueError(f"{len(images)} pictures, {own.tested} of them held out, are no set")
    if len(names) > MOST_CLASSES or len(set(names)) < len(names) or any(unmarked(name) != name for name in names):
        raise ValueError(f"its {len(names)} classes must be at most {MOST_CLASSES}, with names that can be shown")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < max(1, len(names)):
        raise ValueError("its labels are of no class")
    if not own.title or unmarked(own.title)[:TITLE] != own.title:
        raise ValueError(f"its title must have 1 to {TITLE} letters that can be shown")
    key = own.name.removeprefix(OWN)
    if key == own.name or not (key.isascii() and key.isalnum()) or len(own.name) > 60:
        raise ValueError("its name is none of such a set")
    return own
