"""What can be done with a model: it follows from what its x and its z are, and from its card."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from vae.models import Config
from vae.models.spaces import Map, Vector


@dataclass(frozen=True)
class About:
    """What rules may ask about a model."""

    config: Config
    card: dict


class Can(Enum):
    """What a page or a message may need of a model."""

    MOVE = "z is one place, which a hand can move"
    FLAT = "z is a place in the plane"
    MAP = "z is a map, for a picture of any size"
    DRAW = "z has a prior, from which pictures can be drawn"
    READ = "x alone is enough to encode it"
    BITS = "pictures are made of bits"
    EXACT = "log p(x) and the true posterior can be computed"
    COMPANY = "the test set was encoded"


@dataclass(frozen=True)
class Rule:
    """When something can be done, and what is said of a model with which it cannot."""

    holds: Callable[[About], bool]
    lack: str


def _is_flat(about: About) -> bool:
    return about.config.space == Vector(2)


def _is_bits(about: About) -> bool:
    return about.config.spec.levels == 2


RULES = {
    Can.MOVE: Rule(
        lambda about: isinstance(about.config.space, Vector),
        "Its numbers are no single place that a hand could move: this network makes several layers of them, or a whole "
        "map.",
    ),
    Can.FLAT: Rule(_is_flat, "This needs a model with two latents."),
    Can.MAP: Rule(
        lambda about: isinstance(about.config.space, Map),
        "This needs a model that reads photos of any size.",
    ),
    Can.DRAW: Rule(
        lambda about: about.config.prior,
        "This is a plain autoencoder: it has no prior, so that nothing can be drawn from it.",
    ),
    Can.READ: Rule(lambda about: about.config.classes == 0, "This model reads a picture only together with its class."),
    Can.BITS: Rule(_is_bits, "This needs a model of pictures that are black and white, without greys."),
    Can.EXACT: Rule(
        lambda about: _is_flat(about) and _is_bits(about) and about.config.prior,
        "The true posterior can be drawn for two latents and binary pixels only.",
    ),
    Can.COMPANY: Rule(
        lambda about: "examples" in about.card,
        "This needs a model whose test set was encoded: `python -m vae.evaluate` does that.",
    ),
}


def lacks(about: About, *needs: Can) -> str | None:
    """The sentence about the first of these that cannot be done with a model; None where all can."""
    return next((RULES[need].lack for need in needs if not RULES[need].holds(about)), None)
