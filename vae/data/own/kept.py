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

from vae.data.idx import DataError
from vae.data.sets import OWN, SHOWN, Own, Split
from vae.models.checkpoint import as_facts, typed
from vae.models.files import save_tensors
from vae.models.spaces import Pictures

FILE = "pictures.safetensors"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")  # what a model of one's own may be called
_open: WeakValueDictionary[str, Own] = WeakValueDictionary()


def opened(own: Own) -> Own:
    """The set, known by its name for as long as somebody holds it."""
    return _open.setdefault(own.name, own)


def find(name: str) -> Own:
    """The open set of a name; ValueError where there is none."""
    own = _open.get(name)
    if own is None:
        raise ValueError(f"no pictures are open under the name {name!r}")
    return own


def save(own: Own, path: Path, shown_only: bool = False) -> None:
    """Write it; `shown_only` leaves out what pages do not show. OSError where it cannot be written."""
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
    save_tensors({name: tensor.contiguous() for name, tensor in tensors.items()}, path, {"set": json.dumps(facts)})


def load(path: Path) -> Own:
    """The set in a file that `save` wrote, opened. DataError where it is none."""
    try:
        with safe_open(path, framework="pt") as file:
            told, tensors = file.metadata() or {}, {name: file.get_tensor(name) for name in ("images", "labels")}
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} holds no pictures of one's own: {error}") from error
    try:
        return opened(_checked(as_facts(told.get("set", ""), f"the set in {path}"), **tensors))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} holds no pictures of one's own: {error}") from error


@contextmanager
def open_in(folder: Path) -> Iterator[Own | None]:
    """The set that lies beside a model in its folder, open meanwhile; None where there is none."""
    found = load(folder / FILE) if (folder / FILE).is_file() else None  # known for as long as it is held
    yield found


def _checked(facts: dict, images: torch.Tensor, labels: torch.Tensor) -> Own:
    """ValueError, KeyError or TypeError where anything does not fit: the file may be anybody's."""
    names = facts["class_names"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"class_names are words, not {str(names)[:80]}")
    spec = Pictures(**typed(Pictures, facts["spec"]))
    values = {"class_names": tuple(names), "spec": spec, "pictures": Split(images, labels)}
    own = Own(**typed(Own, {name: facts[name] for name in ("name", "title", "tested", "validated")}) | values)
    if images.dtype != torch.uint8 or tuple(images.shape[1:]) != spec.shape or labels.dtype != torch.int64:
        raise ValueError(f"its pictures are {images.dtype} {tuple(images.shape)}")
    if labels.shape != images.shape[:1] or not 2 <= own.tested <= len(images) or own.validated < 1:
        raise ValueError(f"{len(images)} pictures, {own.tested} of them held out, are no set")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < max(1, len(names)):
        raise ValueError("its labels are of no class")
    if not own.name.startswith(OWN) or not own.name.removeprefix(OWN).isalnum() or len(own.name) > 60:
        raise ValueError("its name is none of such a set")
    return own
