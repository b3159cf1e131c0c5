"""Whose turn it is: threads that visitors share, so that whoever asks for much keeps nobody else waiting."""

import os
import sys
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from threading import Condition, Lock, Thread, get_native_id

SHARE, SAVED = 0.6, 30.0  # seconds of compute for each second that passes, and how many of them can be saved up
WAITING = 100  # jobs of one kind of thread; at a quarter of a second each the last would wait for a quarter of a minute
LOOK_UP = 0.05  # seconds between a waiting caller's looks at whether the result is still wanted
BEHIND = 5  # niceness of threads that no hand is waiting for


class Busy(Exception):
    """Too many are waiting already; what it says is for the visitor."""


class Visitor:
    """Somebody who asks, and what may still be computed for them, in seconds of a core."""

    def __init__(self):
        self._left, self._since, self._lock = SAVED, time.monotonic(), Lock()

    def charge(self, seconds: float) -> None:
        """So much was computed for them. It may be more than they had left: nobody knows before how long it takes."""
        with self._lock:
            self._left = self._now() - seconds

    def pause(self) -> float:
        """Seconds until the next thing may be computed for them."""
        with self._lock:
            self._left = self._now()
            return max(0.0, -self._left / SHARE)

    def _now(self) -> float:
        now = time.monotonic()
        passed, self._since = now - self._since, now
        return min(SAVED, self._left + SHARE * passed)


class Callers:
    """How an engine learns who calls it; this one knows nobody."""

    def visitor(self) -> Visitor | None:
        """For whom the calling thread or task asks; None for the house itself."""
        return None

    def look_up(self) -> None:
        """Called time and again while the calling thread waits: raises where its result is no longer wanted."""

    def wait(self, future: Future):
        """The result of a future. Where it is no longer wanted it is cancelled."""
        while not wait([future], LOOK_UP).done:
            try:
                self.look_up()
            except BaseException:  # Streamlit stops a script by one
                future.cancel()
                raise
        return future.result()

    def hold_on(self) -> None:
        """Wait until something may be computed for the calling thread's visitor."""
        visitor = self.visitor()
        while visitor is not None and (pause := visitor.pause()) > 0:
            time.sleep(min(pause, LOOK_UP))
            self.look_up()


def apart(future: Future) -> Future:
    """One more future with the same result: to cancel it leaves the other, for which others may wait."""
    own: Future = Future()

    def pass_on(done: Future) -> None:
        if not own.set_running_or_notify_cancel():
            return
        if error := done.exception():
            own.set_exception(error)
        else:
            own.set_result(done.result())

    future.add_done_callback(pass_on)
    return own


@dataclass(eq=False)
class _Wanted:
    """A result on its way, and how many have asked for it and not gone away since."""

    future: Future
    askers: int = 0


class Shared:
    """Results that many may ask for: whoever asks first has one computed, and the last so many are known."""

    def __init__(self, most: int):
        self._most, self._lock = most, Lock()
        self._known: OrderedDict[Hashable, _Wanted] = OrderedDict()  # the one asked for last is the last

    def ask(self, key: Hashable, begin: Callable[[], Future]) -> Future:
        """The future result; `begin` gives one that is computed. It is cancelled where all who asked have cancelled."""
        with self._lock:
            wanted = self._known.get(key)
            if wanted is None or _failed(wanted.future):
                wanted = self._known[key] = _Wanted(begin())
            wanted.askers += 1
            self._known.move_to_end(key)
            if len(self._known) > self._most:
                self._known.popitem(last=False)
            own = apart(wanted.future)
        own.add_done_callback(lambda own: own.cancelled() and self._leave(wanted))
        return own

    def _leave(self, wanted: _Wanted) -> None:
        with self._lock:
            wanted.askers -= 1
            if wanted.askers == 0:
                wanted.future.cancel()


def _failed(future: Future) -> bool:
    return future.cancelled() or (future.done() and future.exception() is not None)


@dataclass(frozen=True, eq=False)
class _Job:
    function: Callable
    arguments: tuple
    future: Future


class Turns:
    """Threads that run one function after another. Visitors take turns, and of each of them one is running at most."""

    def __init__(self, name: str, threads: int = 1):
        self._waiting: dict[Hashable, deque[_Job]] = {}  # by visitor, the next one first
        self._running: set[Hashable] = set()
        self._changed = Condition()
        for number in range(threads):
            Thread(target=self._serve, name=f"{name}_{number}", daemon=True).start()

    def submit(self, function: Callable, *arguments, visitor: Visitor | None = None) -> Future:
        """The future result; what it took is charged to the visitor. Busy where WAITING others wait."""
        job = _Job(function, arguments, Future())
        with self._changed:
            if sum(map(len, self._waiting.values())) >= WAITING:
                self._forget_cancelled()
            if sum(map(len, self._waiting.values())) >= WAITING:
                raise Busy("Too many visitors are waiting for an answer just now. Try again in a minute.")
            self._waiting.setdefault(visitor, deque()).append(job)
            self._changed.notify()
        return job.future

    def _forget_cancelled(self) -> None:
        kept = {who: deque(job for job in jobs if not job.future.cancelled()) for who, jobs in self._waiting.items()}
        self._waiting = {who: jobs for who, jobs in kept.items() if jobs}

    def _serve(self) -> None:
        step_back()
        while True:
            visitor, job = self._take()
            try:
                if job.future.set_running_or_notify_cancel():
                    _run(job, visitor)
            finally:
                with self._changed:
                    self._running.discard(visitor)
                    self._changed.notify()
            del visitor, job  # while nobody asks, nothing of the last one is kept

    def _take(self) -> tuple[Visitor | None, _Job]:
        with self._changed:
            self._changed.wait_for(lambda: self._next() is not _NOBODY)
            visitor = self._next()
            jobs = self._waiting.pop(visitor)
            job = jobs.popleft()
            if jobs:
                self._waiting[visitor] = jobs  # behind all others
            self._running.add(visitor)
            return visitor, job

    def _next(self) -> Hashable:
        return next((visitor for visitor in self._waiting if visitor not in self._running), _NOBODY)


_NOBODY = object()


def _run(job: _Job, visitor: Visitor | None) -> None:
    start = time.thread_time()
    try:
        result = job.function(*job.arguments)
    except Exception as error:  # it is the caller's, and the thread serves on
        charge(visitor, time.thread_time() - start)
        job.future.set_exception(error)
    else:
        charge(visitor, time.thread_time() - start)
        job.future.set_result(result)


def charge(visitor: Visitor | None, seconds: float) -> None:
    """Charge somebody, or nobody."""
    if visitor is not None:
        visitor.charge(seconds)


def step_back() -> None:
    """Let other threads go first from now on; on Linux, where a thread can have a niceness of its own."""
    if sys.platform == "linux":
        with suppress(OSError):  # a sandbox may forbid it; then all threads are equal
            os.setpriority(os.PRIO_PROCESS, get_native_id(), BEHIND)
