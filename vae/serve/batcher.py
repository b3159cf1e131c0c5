"""One thread for many requests: what waits together for the same function is one batch."""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Condition, Thread

import torch
from torch import Tensor

from vae.serve.turns import Visitor, charge, step_back

ROWS = 64  # pictures in one batch: a few milliseconds on a slow core


@dataclass(frozen=True, eq=False)
class _Rows:
    """A request: the rows of each tensor, and where their results go."""

    function: Callable
    tensors: tuple[Tensor, ...]
    future: Future
    most: int
    visitor: Visitor | None

    def __len__(self) -> int:
        return len(self.tensors[0])

    def is_like(self, other: "_Rows") -> bool:
        return self.function == other.function and self._columns() == other._columns()

    def _columns(self) -> list[torch.Size]:
        return [tensor.shape[1:] for tensor in self.tensors]


class _Line:
    """Requests that wait. Visitors take turns, and the requests of one of them go in order, one in a batch."""

    def __init__(self):
        self._waiting: dict[Visitor | None, deque[_Rows]] = {}  # the next visitor first

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def append(self, request: _Rows) -> None:
        self._waiting.setdefault(request.visitor, deque()).append(request)

    def take(self) -> list[_Rows]:
        """The request whose turn it is and those like it, up to the most rows of a batch."""
        first = next(iter(self._waiting.values()))[0]
        batch: list[_Rows] = []
        for visitor in list(self._waiting):
            requests = self._waiting[visitor]
            taken = self._of_one(requests, first, first.most - sum(map(len, batch)), visitor)
            batch += taken
            if taken:  # the visitor goes behind all others, or home
                left = deque(request for request in self._waiting.pop(visitor) if request not in taken)
                if left:
                    self._waiting[visitor] = left
        return batch

    def _of_one(self, requests: deque[_Rows], first: _Rows, room: int, visitor: Visitor | None) -> list[_Rows]:
        """Those of one visitor that go with the first, as long as there is room; of the house as many as there are."""
        taken: list[_Rows] = []
        for request in requests:
            if taken and visitor is not None:
                break
            if request.is_like(first) and len(request) <= room:
                taken.append(request)
                room -= len(request)
        return taken


class Batcher:
    """One thread that runs `function(*tensors)` over rows, and together what waits together for the same function.

    A function takes tensors of equally many rows and gives a tensor, or a tuple of tensors, of as many rows. Visitors
    take turns; what a batch took is charged to them by their rows. `behind`: other threads go first.
    """

    def __init__(self, name: str, behind: bool = False):
        self._line, self._changed, self._behind = _Line(), Condition(), behind
        Thread(target=self._serve, name=name, daemon=True).start()

    def submit(self, function: Callable, *tensors: Tensor, most: int = ROWS, visitor: Visitor | None = None) -> Future:
        """The future result; a batch has at most `most` rows. ValueError for more: `submit_all` cuts them."""
        if not 0 < len(tensors[0]) <= most:
            raise ValueError(f"a request has 1 to {most} rows, not {len(tensors[0])}")
        if len({len(tensor) for tensor in tensors}) > 1:
            raise ValueError(f"a request's tensors have equally many rows, not {[len(tensor) for tensor in tensors]}")
        future: Future = Future()
        with self._changed:
            self._line.append(_Rows(function, tensors, future, most, visitor))
            self._changed.notify()
        return future

    def submit_all(self, function: Callable, *tensors: Tensor, visitor: Visitor | None = None) -> list[Future]:
        """The same for any number of rows, in pieces that let other visitors' requests pass in between."""
        pieces = zip(*(tensor.split(ROWS) for tensor in tensors), strict=True)
        return [self.submit(function, *rows, visitor=visitor) for rows in pieces]

    def _serve(self) -> None:
        if self._behind:
            step_back()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._line))
                batch = self._line.take()
            self._run(batch)

    @staticmethod
    def _run(batch: list[_Rows]) -> None:
        batch = [request for request in batch if request.future.set_running_or_notify_cancel()]
        if not batch:
            return
        sizes, start = [len(request) for request in batch], time.thread_time()
        try:
            tensors = [torch.cat(parts) for parts in zip(*(request.tensors for request in batch), strict=True)]
            result = batch[0].function(*tensors)
            fields = [field.split(sizes) for field in ((result,) if isinstance(result, Tensor) else result)]
        except Exception as error:  # it is the callers', and the thread serves on
            for request in batch:
                request.future.set_exception(error)
            return
        finally:
            each = (time.thread_time() - start) / sum(sizes)
            for request in batch:
                charge(request.visitor, each * len(request))
        rows = zip(*fields, strict=True)
        answers = [row[0] if isinstance(result, Tensor) else type(result)(*row) for row in rows]
        for request, answer in zip(batch, answers, strict=True):
            request.future.set_result(answer)
