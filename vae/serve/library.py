"""The models that are served: found by their cards, loaded when somebody first asks, let go of when memory is short.

The shipped ones are everybody's, and so are those that `vae.evaluate` made of this machine's own trainings; others
belong to one owner. Pages, messages and caches pass on an `Entry`, which is small and lives as long as its model is
here; the model itself is had by `Library.lease`, and whoever holds that has it.
"""

import logging
from collections import OrderedDict
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from threading import RLock
from weakref import WeakValueDictionary

import torch

from vae import data
from vae.data import own
from vae.inference.familiar import Judges
from vae.latent.encodings import Company
from vae.latent.named import Classes, Named
from vae.models import checkpoint, pretrained
from vae.models.spaces import Layers, Map, Vector
from vae.serve.asked import PASSING, PICTURES, PLACES
from vae.serve.capabilities import Can
from vae.serve.engine import Engine, engine
from vae.serve.entry import CHAPTERS, PAGES, Encoded, Entry, Loaded
from vae.serve.jobs.limits import MOST_WEIGHTS
from vae.serve.precision import fastest
from vae.serve.turns import apart

log = logging.getLogger(__name__)

BUDGET = 2 * 10**9  # bytes of loaded models and of what is derived from them
# Numbers of a card that pages show, by what z is.
SHOWN = {
    Vector: ("reconstruction", "negative_elbo", "negative_iw", "kl", "kl_per_dimension", "active_units"),
    Layers: ("reconstruction", "negative_elbo", "negative_iw", "kl"),
    Map: ("photos",),
}
OF_CLASSES = ("linear_probe", "nearest_neighbours", "weighed_neighbours")  # and where pictures have a class
COMPARED = ("reconstruction",)  # and those that chapters do


class Library:
    """Every model that somebody may see; every method may be called from any thread."""

    def __init__(self, engine: Engine, device: str = "auto", budget: int = BUDGET):
        self._engine, self._device, self._budget = engine, device, budget
        self._lock = RLock()
        self._entries: dict[str | None, dict[str, Entry]] = {None: {}}  # by owner and name
        self.broken: dict[str, str] = {}  # of the shipped ones that cannot be served: why
        self._recent: OrderedDict[Entry, Loaded] = OrderedDict()  # the one used last is the last
        self._held: WeakValueDictionary[Entry, Loaded] = WeakValueDictionary()  # by whomever
        self._loading: dict[Entry, Future] = {}
        shelves = (
            (PAGES, [*pretrained.folders(), *pretrained.own_folders()]),
            (CHAPTERS, pretrained.folders(chapters=True)),
        )
        for shelf, folders in shelves:
            for folder in folders:
                try:
                    self._entries[None][folder.name] = read(folder, shelf)
                except ValueError as error:
                    self._say_broken(folder.name, error)

    def visible(self, owner: str | None = None) -> list[Entry]:
        """What an owner may choose from, in the picker's order: the shipped models, then their own."""
        with self._lock:
            shipped = [entry for entry in self._entries[None].values() if entry.shelf == PAGES]
            theirs = self._entries.get(owner, {}).values() if owner is not None else ()
            sets = [*data.SETS, *(entry.dataset.name for entry in shipped if entry.mine)]
            return sorted(shipped, key=lambda one: (sets.index(one.dataset.name), -one.latents)) + list(theirs)

    def chapters(self) -> list[Entry]:
        """The models that only the theory's chapters compare."""
        with self._lock:
            return [entry for entry in self._entries[None].values() if entry.shelf == CHAPTERS]

    def find(self, name: str, owner: str | None = None) -> Entry:
        """A model by its name, an owner's own before the shipped; ValueError says why it cannot be had."""
        with self._lock:
            theirs = self._entries.get(owner, {})
            if name in theirs or name in self._entries[None]:
                return theirs.get(name) or self._entries[None][name]
            raise ValueError(self.why_not(name, owner))

    def why_not(self, name: str, owner: str | None = None) -> str:
        """Why a model is not here."""
        others = ", ".join(entry.name for entry in self.visible(owner))
        return self.broken.get(name, f"there is no model {name!r}; there are: {others}")

    def add(self, owner: str, folder: Path) -> Entry:
        """A model of an owner's own, weights and card in a folder.

        ValueError where it is damaged, its name is taken, or all of the owner's would be over MOST_WEIGHTS.
        """
        entry = read(folder, PAGES, owner)
        with self._lock:
            theirs = self._entries.setdefault(owner, {})
            if entry.name in theirs or entry.name in self._entries[None]:
                raise ValueError(f"there is a model {entry.name!r} already")
            held = sum(one.bytes for one in theirs.values())
            if held + entry.bytes > MOST_WEIGHTS:
                raise ValueError(
                    f"this model takes {entry.bytes / 1e6:.0f} MB, and of the {MOST_WEIGHTS / 1e6:.0f} MB for models "
                    f"of your own {held / 1e6:.0f} MB are taken"
                )
            theirs[entry.name] = entry
        return entry

    def forget(self, owner: str, name: str) -> None:
        """One of an owner's models is no more."""
        with self._lock:
            entry = self._entries.get(owner, {}).pop(name, None)
            if entry is not None:
                self._recent.pop(entry, None)

    def end(self, owner: str) -> None:
        """An owner has gone, and what was theirs goes as well."""
        with self._lock:
            for entry in self._entries.pop(owner, {}).values():
                self._recent.pop(entry, None)

    def lease(self, entry: Entry) -> Loaded:
        """The loaded model, waited for; ValueError where it is damaged, after which it is served no more."""
        loaded = self._at_hand(entry)
        return loaded if loaded is not None else self._engine.callers.wait(self.ask(entry))

    def warm(self) -> None:
        """Load the model that visitors see first, and make the first calls of each thread, which are the slow ones."""
        for entry in self.visible():
            try:
                loaded = self.lease(entry)
            except ValueError:  # it has been said
                continue
            z = torch.zeros(1, entry.latents)
            for question in (PASSING, PLACES, PICTURES):
                self._engine.answer(question, loaded, z)
            return

    def ask(self, entry: Entry) -> Future:
        """The future `Loaded`."""
        with self._lock:
            loaded = self._at_hand(entry)
            if loaded is not None:
                ready: Future = Future()
                ready.set_result(loaded)
                return ready
            if entry not in self._loading:
                self._loading[entry] = self._engine.records.submit(self._load, entry)  # for all, so charged to nobody
            return apart(self._loading[entry])

    def _at_hand(self, entry: Entry) -> Loaded | None:
        with self._lock:
            loaded = self._held.get(entry)
            if loaded is not None:
                self._use(loaded)
            return loaded

    def _load(self, entry: Entry) -> Loaded:
        """On a thread of the engine, since torch is called."""
        try:
            loaded = load(entry, self._device)
            with self._lock:
                self._held[entry] = loaded
                self._use(loaded)
            return loaded
        except ValueError as error:
            with self._lock:
                self._entries.get(entry.owner, {}).pop(entry.name, None)
                if entry.owner is None:
                    self._say_broken(entry.name, error)
            raise
        finally:
            with self._lock:
                self._loading.pop(entry, None)

    def _use(self, loaded: Loaded) -> None:
        """It is the one used last; those used longest ago are let go of where all take more than the budget."""
        entry = loaded.entry
        if self._entries.get(entry.owner, {}).get(entry.name) is not entry:  # its owner has gone meanwhile
            return
        self._recent[entry] = loaded
        self._recent.move_to_end(entry)
        while len(self._recent) > 1 and sum(one.bytes for one in self._recent.values()) > self._budget:
            self._recent.popitem(last=False)

    def _say_broken(self, name: str, error: ValueError) -> None:
        log.warning("the model %s is not served: %s", name, error)
        self.broken[name] = pretrained.shown(error)


def read(folder: Path, shelf: str, owner: str | None = None) -> Entry:
    """The entry of a folder, without its weights; ValueError where card or configuration cannot be read."""
    card = pretrained.read_card(folder)
    config, weights = checkpoint.head(folder / checkpoint.WEIGHTS)
    name, file = card["data"]["name"], folder / own.FILE
    mine = own.load(file) if file.is_file() else None
    if mine.name != name if mine else name not in data.SETS:
        raise ValueError(f"the card of {folder.name} is of the data set {name[:80]!r}, which is not known")
    shown = COMPARED
    if shelf == PAGES:
        classes = mine is None and getattr(data.SETS[name], "class_names", ())
        shown = SHOWN[type(config.space)] + (OF_CLASSES if classes else ())
    if missing := [number for number in shown if number not in card["numbers"]]:
        raise ValueError(
            f"the card of {folder.name} does not say {missing[0]}: `python -m vae.evaluate {folder.name}` writes it"
        )
    if card["latents"] != config.latents:
        raise ValueError(f"the card of {folder.name} is that of another model")
    return Entry(folder.name, folder, card, config, 4 * weights, shelf, owner, mine)


def load(entry: Entry, device: str) -> Loaded:
    """The model of an entry with what belongs to it; ValueError where anything is damaged."""
    model, encoded = checkpoint.load(entry.weights, device), Encoded()
    _ = entry.fingerprint  # while the file is here
    if model.config != entry.config:
        raise ValueError(f"the weights of {entry.name} have become those of another model")
    if entry.lacks(Can.COMPANY) is None:
        pictures, tensors = data.test_set(entry.card["data"]["name"]).images, pretrained.read_encodings(entry.folder)
        mu, sigma = tensors["mu"], tensors["sigma"]
        if mu.shape != (len(pictures), model.latents):
            raise ValueError(
                f"the encodings of {entry.name} are {tuple(mu.shape)}, not {(len(pictures), model.latents)}"
            )
        file = entry.folder / pretrained.JUDGE
        judges = Judges.load(file) if file.is_file() else None
        encoded = Encoded(Company(mu, sigma, pictures), tensors["reconstruction"], judges, *_named(entry))
    # decoded by z alone, while a hand may wait for it; to time one takes longer than to load it
    timed = entry.shelf == PAGES and entry.lacks(Can.MOVE, Can.DRAW, Can.READ) is None
    return Loaded(entry, model, encoded, *(fastest(model) if timed else (None, model)))


def _named(entry: Entry) -> tuple[Named | None, Classes | None]:
    """The directions by name and by class that came with a model, None where none did; ValueError where its card lacks
    one."""
    by_name, by_class = (entry.folder / file for file in (pretrained.DIRECTIONS, pretrained.CLASSES))
    named = Named.load(by_name, entry.latents) if by_name.is_file() else None
    classes = Classes.load(by_class, entry.latents, entry.pictures) if by_class.is_file() else None
    for found, key in ((named, "directions"), (classes, "class_directions")):
        lacking = [name for name in (found.names if found else ()) if name not in entry.card.get(key, {})]
        if lacking:
            raise ValueError(f"the card of {entry.name} does not say how good the direction {lacking[0][:80]!r} is")
    return named, classes


_opening = RLock()  # a session that ends while the library is opened asks for it in the same thread


def library() -> Library:
    """The one library of this process, opened on first use."""
    with _opening:
        return _library()


@cache
def _library() -> Library:
    return Library(engine())
