"""Serving: the persistent threads in which torch runs.

A fresh thread pays up to 64 ms for its first torch call, and Streamlit starts one after every idle moment; so no page
calls torch itself. Several threads share the work, because one record with its quadrature takes longer than a hand
that moves may wait:

- "live" answers what a hand that moves is waiting for. Requests of one kind that wait at the same moment become one
  batch of a few milliseconds, whoever they come from.
- "large" does the same for what takes longer, and cuts what is many into pieces.
- "records" are two threads for whole records and whatever else takes longer. A visitor has one of them at most.
- "tried" is one for photos through networks from elsewhere, of which nobody knows how much they take: half a minute for
  one photo, and a gigabyte of memory.

Two more are for the true posteriors of models with two latents: "plane" answers while a hand draws, in some 20 ms each,
and "build" decodes a model's plane when it is first asked about, in passes of 60 ms that hold no lock of Python's.

In all of them visitors take turns (`vae.serve.turns`), and what was computed is charged to the one who asked.
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache
from threading import Lock

import torch
from torch import Tensor

from vae.serve.batcher import ROWS, Batcher
from vae.serve.entry import Loaded
from vae.serve.turns import Callers, Turns

RECORDS = 2  # threads for what takes longer: while one visitor has one of them, the other serves everybody else


@dataclass(frozen=True)
class Asked:
    """A function that is asked over rows: `function(subject, *rows)` gives a tensor or a tuple of them, row by row.

    `of` takes the subject out of a loaded model, `slow` says where no hand may wait behind it, and `most` is how many
    rows make a batch of a model as fast as those that ship.
    """

    function: Callable
    of: Callable[[Loaded], object]
    slow: Callable[[Loaded], bool]
    most: int = ROWS

    def rows(self, loaded: Loaded) -> int:
        """How many make a batch of this model, by its measured time."""
        return max(1, int(self.most * loaded.share))


@dataclass(frozen=True)
class _With:
    """A function with its subject; equal to another one of the same two."""

    function: Callable
    subject: object

    def __call__(self, *rows: Tensor):
        return self.function(self.subject, *rows)


class Engine:
    """The threads; every method may be called from any thread.

    `callers` says for whom, and whether a caller that waits still wants to; whoever serves visitors sets it.
    """

    def __init__(self):
        self.callers = Callers()
        self.records = Turns("vae-records", RECORDS)
        self._tried = Turns("vae-tried")
        self.plane = Turns("vae-plane")
        self.build = Turns("vae-build")
        self._live = Batcher("vae-live")
        self._large = Batcher("vae-large", behind=True)

    def ask(self, asked: Asked, loaded: Loaded, *rows: Tensor) -> Future:
        """The future result for as many rows as make a batch at most; ValueError for more."""
        batcher, function = self._large if asked.slow(loaded) else self._live, _With(asked.function, asked.of(loaded))
        return batcher.submit(function, *rows, most=asked.rows(loaded), visitor=self.callers.visitor())

    def ask_all(self, asked: Asked, loaded: Loaded, *rows: Tensor) -> list[Future]:
        """The same for any number of rows, in pieces that let other visitors pass in between."""
        pieces = zip(*(tensor.split(asked.rows(loaded)) for tensor in rows), strict=True)
        return [self.ask(asked, loaded, *piece) for piece in pieces]

    def answer(self, asked: Asked, loaded: Loaded, *rows: Tensor):
        """The same, waited for, in one."""
        self.callers.hold_on()
        found = [self.callers.wait(piece) for piece in self.ask_all(asked, loaded, *rows)]
        if isinstance(found[0], Tensor):
            return torch.cat(found)
        return type(found[0])(*map(torch.cat, zip(*found, strict=True)))

    def submit(self, function: Callable, *arguments) -> Future:
        """The future result of a longer computation, on a records thread; Busy where too many wait already."""
        return self.records.submit(function, *arguments, visitor=self.callers.visitor())

    def compute(self, function: Callable, *arguments):
        """The same, waited for; it raises what that raises."""
        return self.callers.wait(self.submit(function, *arguments))

    def submit_photo(self, loaded: Loaded, function: Callable, *arguments) -> Future:
        """The future `function(model, *arguments)` of a network of photos; Busy where too many wait already."""
        turns = self._tried if loaded.entry.is_tried else self.records
        return turns.submit(function, loaded.model, *arguments, visitor=self.callers.visitor())

    def compute_photo(self, loaded: Loaded, function: Callable, *arguments):
        """The same, waited for."""
        return self.callers.wait(self.submit_photo(loaded, function, *arguments))


_starting = Lock()


def engine() -> Engine:
    """The one engine of this process, started on first use."""
    with _starting:
        return _engine()


@cache
def _engine() -> Engine:
    return Engine()
