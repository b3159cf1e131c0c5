"""What a training's folder says: what was asked for, how far it is, and what its process is wished to do.

job.json     who may have it, its recipe, where it stands (the server writes it)
wish.json    run, pause, how many single steps, slow motion, or stop (the server writes it)
said.json    a sentence (the process writes it)
pictures.safetensors, state.safetensors, best.safetensors, watch/, and at the end model/; of a model that was brought,
which is not trained but measured, brought/ alone, with its file or files until it was
"""

import errno
import json
import time
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path

from vae.models.checkpoint import as_facts, typed
from vae.models.files import whole

JOB, WISH, SAID, LOG = "job.json", "wish.json", "said.json", "process.log"
BROUGHT = "brought"  # a model that is measured and not trained
MODEL, DRAFT = "model", ".model"  # the second while it is measured


class Stand(Enum):
    """Where a training stands."""

    WAITING = "waiting"
    TRAINING = "training"
    STOPPED = "stopped"  # by whom it belongs to; it can go on
    DONE = "done"
    FAILED = "failed"


OVER = (Stand.DONE, Stand.FAILED)


@dataclass(frozen=True)
class Asked:
    """One training. `tries` are the processes that were lost so far, and `halved` says that there was too little memory
    for its batch; `since` is when it was asked for, or asked to go
    on, in seconds since 1970, and `touched` when somebody last looked at it."""

    key: str
    title: str
    recipe: dict
    stand: Stand = Stand.WAITING
    why: str = ""
    tries: int = 0
    halved: bool = False
    since: float = field(default_factory=time.time)
    touched: float = field(default_factory=time.time)


@dataclass(frozen=True)
class Wish:
    """What a process is to do: go on or `pause`; while it pauses, take as many single steps as `steps` says in all;
    take them so `slow` that each is seen; or `stop`."""

    pause: bool = False
    steps: int = 0
    slow: bool = False
    stop: bool = False


def read(folder: Path) -> Asked:
    """ValueError where the folder is no training's."""
    values = _values(folder / JOB)
    try:
        return Asked(**typed(Asked, values) | {"stand": Stand(values["stand"])})
    except (KeyError, TypeError) as error:
        raise ValueError(f"{folder / JOB} is no training's: {error}") from error


def write(folder: Path, asked: Asked) -> None:
    """OSError where the disk is full."""
    _write(folder / JOB, asdict(asked) | {"stand": asked.stand.value})


def wish(folder: Path) -> Wish:
    """What is wished; to go on where nothing is."""
    return Wish(**typed(Wish, _values(folder / WISH))) if (folder / WISH).is_file() else Wish()


def ask(folder: Path, wished: Wish) -> None:
    """Wish it from now on."""
    _write(folder / WISH, asdict(wished))


def said(folder: Path) -> str:
    """The sentence that the process said last; "" where it has said nothing."""
    return str(_values(folder / SAID).get("sentence", "")) if (folder / SAID).is_file() else ""


def say(folder: Path, sentence: str) -> None:
    """By the process."""
    _write(folder / SAID, {"sentence": sentence})


def unsaved(error: OSError) -> str:
    """Why something could not be written, for a visitor: not where on the server's disk."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The server's disk is full, so that nothing more could be saved. Try again later."
    return f"The server could not save it: {error.strerror or 'it does not say why'}."


def _values(path: Path) -> dict:
    try:
        return as_facts(path.read_text(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def _write(path: Path, values: dict) -> None:
    with whole(path) as draft:
        draft.write_text(json.dumps(values))
