"""All that an operator may limit of trainings, in one place: each is an environment variable of the server.

VAE_LAB_TRAINING=off switches training off; VAE_LAB_TRAIN_MINUTES=10 bounds each to ten minutes; a field each.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

MOST_WEIGHTS = 4 * 10**8  # bytes of weights, as 32-bit numbers, that all networks of one visitor may have
PREFIX, SWITCH, FROM = "VAE_LAB_TRAIN_", "VAE_LAB_TRAINING", "VAE_LAB_TRAIN_FROM"


@dataclass(frozen=True)
class Limits:
    """`pictures` of one training and their `megapixels`, as files say them; `megabytes` that one upload has;
    `minutes` of one training; `queue`: trainings that wait at once; `each`: those of one visitor, done or not;
    `days` that a finished model is kept after somebody last used it; `disk`: megabytes that all trainings take, and
    that stay free; `memory`: megabytes of one training's process, and how `nice` it
    is to all others, from 1 to 19; `at_once`: processes that train at the same time."""

    pictures: int = 5000
    megapixels: int = 4000
    megabytes: int = 200
    minutes: int = 30
    queue: int = 8
    each: int = 4
    days: int = 7
    disk: int = 4000
    memory: int = 6000
    nice: int = 19
    at_once: int = 1


def limits(environment: Mapping[str, str] = os.environ) -> Limits:
    """Those of this server; ValueError where a variable is no whole number from 1 on."""
    found = {}
    for field in fields(Limits):
        name = PREFIX + field.name.upper()
        if name in environment:
            value = environment[name]
            if not value.isascii() or not value.isdecimal() or int(value) < 1:
                raise ValueError(f"{name} must be a whole number from 1 on, not {value!r}")
            found[field.name] = int(value)
    return Limits(**found)


def days(limited: Limits) -> str:
    """For how long what nobody uses is kept, in words."""
    return "a day" if limited.days == 1 else f"{limited.days} days"


def is_on(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether visitors may train; ValueError where the switch says neither."""
    value = environment.get(SWITCH, "on").lower()
    if value not in ("on", "off"):
        raise ValueError(f"{SWITCH} must be on or off, not {value!r}")
    return value == "on"


def folder(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder on the server that visitors may train from, with all below it; None where the operator names none."""
    return Path(environment[FROM]).resolve() if environment.get(FROM) else None


def inside(root: Path, said: str) -> Path:
    """The folder or file that a visitor names below the one that they may train from; ValueError, with one sentence,
    where there is none, or a link leads out of it."""
    try:
        place = (root / said.strip()).resolve(strict=True)
    except (OSError, RuntimeError, ValueError):  # not there, a circle of links, no name at all
        place = None
    if place is None or not place.is_relative_to(root):
        raise ValueError(f"There is no such folder or ZIP below {root.name}.")
    return place
