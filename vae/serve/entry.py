"""A model as pages, messages and caches pass it on, and the same model in memory."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from torch import Tensor

from vae import data
from vae.inference.familiar import Judges
from vae.latent.encodings import Company
from vae.latent.named import Classes, Named
from vae.models import Config, Model, checkpoint
from vae.models.spaces import Pictures
from vae.serve.capabilities import About, Can, lacks
from vae.serve.precision import Precision

QUICK = 8.0  # milliseconds that a batch may take: a hand waits for the one before its own as well
SIDES = [512, 1024]  # pixels on the long side of a photo
PAGES, CHAPTERS = "pages", "chapters"  # the shelves: what visitors choose from, and what only the theory compares


@dataclass(frozen=True, eq=False)
class Entry:
    """A model by what its card and the head of its weights say; two of the same name are two."""

    name: str
    folder: Path
    card: dict
    config: Config
    bytes: int  # of its weights in memory, in float32
    shelf: str = PAGES
    owner: str | None = None  # None: it is everybody's
    mine: data.Own | None = None  # the pictures that it came with, where they are its owner's

    @property
    def title(self) -> str:
        """Its name for people: MNIST, 24 numbers."""
        return f"{self.card['data']['title']}, {self.latents} {'channels' if self.config.any_size else 'numbers'}"

    @property
    def words(self) -> str:
        """Its name for those who know no such title: Handwritten digits, 24 numbers."""
        how = " of any size" if self.config.any_size else f", {self.latents} numbers"
        things = self.dataset.things
        if self.is_tried:
            return f"\u201c{self.card['data']['title']}\u201d, {things}{how}"
        return f"{things[0].upper()}{things[1:]}{how}"

    @property
    def numbers(self) -> dict:
        """What was measured on the test set."""
        return self.card["numbers"]

    @property
    def pictures(self) -> Pictures:
        """What a picture must become before the model can read it."""
        return self.config.spec

    @property
    def latents(self) -> int:
        """The number of dimensions of z, over all layers; of a map, at each of its places."""
        return self.config.latents

    @property
    def order(self) -> list[int]:
        """The latents, those that tell most nats first."""
        kl = self.numbers["kl_per_dimension"]
        return sorted(range(len(kl)), key=lambda dimension: -kl[dimension])

    @property
    def dataset(self) -> data.Set:
        """What it was trained on."""
        return self.mine or data.SETS[self.card["data"]["name"]]

    @property
    def is_tried(self) -> bool:
        """Whether it is a network of photos from elsewhere, of which no more is known than what it was tried on."""
        return "sides" in self.card

    @property
    def sides(self) -> list[int]:
        """Of a network of photos: how many pixels a photo may have on its long side, the usual number first."""
        return self.card.get("sides", SIDES)

    @property
    def examples(self) -> int:
        """How many pictures the test set has."""
        return self.dataset.count("test")

    @property
    def weights(self) -> Path:
        """The file."""
        return self.folder / checkpoint.WEIGHTS

    @cached_property
    def fingerprint(self) -> str:
        """Of the weights: what is kept of a model is kept under it, so that no other model finds it."""
        with self.weights.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def lacks(self, *needs: Can) -> str | None:
        """One sentence where something of this cannot be done with the model."""
        return lacks(About(self.config, self.card), *needs)


class Encoded(NamedTuple):
    """The encoded test set where there is one, E_q[log p(x|z)] of its pictures (n,), nats: the card's estimate; what
    tells pictures like them from others; directions of z by name, and towards each class."""

    company: Company | None = None
    reconstructions: Tensor | None = None
    judges: Judges | None = None
    named: Named | None = None
    classes: Classes | None = None


class Loaded:
    """A model in memory with all that is derived from it, for as long as somebody holds it."""

    def __init__(self, entry: Entry, model: Model, encoded: Encoded, precision: Precision | None, decoder: Model):
        self.entry, self.model = entry, model
        self.company, self.reconstructions, self.judges, self.named, self.classes = encoded
        self.precision, self.decoder = precision, decoder  # `decoder` is for pictures without numbers
        weights = {id(weight): weight.nbytes for one in (model, decoder) for weight in one.parameters()}
        self.bytes = sum(weights.values()) + (self.company.bytes if self.company else 0)
        self._derived: dict[Hashable, Any] = {}
        self._making: defaultdict[Hashable, Lock] = defaultdict(Lock)

    @property
    def is_slow(self) -> bool:
        """Whether q(z|x) takes ten times as long as the network: its decoder corrects it."""
        return self.model.config.corrected

    @property
    def share(self) -> float:
        """How many rows of a usual batch are decoded in QUICK milliseconds, as a share; at most 1."""
        return min(1.0, QUICK / self.precision.batch) if self.precision else 1.0

    def derived(self, key: Hashable, make: Callable[[], Any], size: int = 0) -> Any:
        """What `make` gives, `size` bytes, made once by whoever asks first; it goes when the model goes."""
        if key not in self._derived:
            with self._making[key]:
                if key not in self._derived:
                    self._derived[key] = make()
                    self.bytes += size
        return self._derived[key]

    def known(self, key: Hashable) -> Any | None:
        """What was derived already; None where nothing was."""
        return self._derived.get(key)
