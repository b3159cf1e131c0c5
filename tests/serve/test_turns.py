"""Turns among visitors: who goes next, what is charged, and what becomes of those who no longer wait."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from vae.serve import turns
from vae.serve.batcher import ROWS, Batcher
from vae.serve.turns import SAVED, SHARE, Busy, Callers, Shared, Turns, Visitor

PATIENCE = 60


@contextmanager
def held(several: Turns, visitors: list[Visitor | None]) -> Iterator[None]:
    """A job of each of these visitors runs inside, and ends with it."""
    standing, go_on = threading.Semaphore(0), threading.Event()

    def stand() -> None:
        standing.release()
        assert go_on.wait(PATIENCE)

    jobs = [several.submit(stand, visitor=visitor) for visitor in visitors]
    for _ in visitors:
        assert standing.acquire(timeout=PATIENCE)
    try:
        yield
    finally:
        go_on.set()
    for job in jobs:
        job.result(PATIENCE)


def order(asked: list[int], threads: int = 1) -> list[int]:
    """In which order the jobs of numbered visitors run, that wait together in the order `asked`."""
    several, ran = Turns("vae-test", threads), []
    visitors = {number: Visitor() for number in asked}
    with held(several, [Visitor() for _ in range(threads)]):
        jobs = [several.submit(ran.append, number, visitor=visitors[number]) for number in asked]
    for job in jobs:
        job.result(PATIENCE)
    return ran


def test_who_asks_for_much_waits_for_who_asks_for_little():
    assert order([1] * 5 + [2, 3, 3]) == [1, 2, 3, 1, 3, 1, 1, 1]


@settings(deadline=None, max_examples=30)
@given(some.lists(some.integers(0, 4), min_size=1, max_size=20))
def test_before_a_visitors_nth_job_no_other_has_had_more_than_n(asked):
    ran = order(asked)
    assert sorted(ran) == sorted(asked)
    for place, visitor in enumerate(ran):
        before = ran[:place]
        assert all(before.count(other) <= before.count(visitor) + 1 for other in set(asked))


def test_of_one_visitor_one_job_runs_at_a_time_and_another_one_gets_the_other_thread():
    several, greedy, modest = Turns("vae-test", 2), Visitor(), Visitor()
    with held(several, [greedy]):
        second = several.submit(str, 2, visitor=greedy)
        assert several.submit(str, 1, visitor=modest).result(PATIENCE) == "1"
        assert not second.running()
        assert not second.done()
    assert second.result(PATIENCE) == "2"


def test_what_is_no_longer_wanted_never_runs():
    one, ran = Turns("vae-test"), []
    with held(one, [Visitor()]):
        jobs = [one.submit(ran.append, number, visitor=Visitor()) for number in range(100)]
        assert all(job.cancel() for job in jobs)
        last = one.submit(ran.append, 100)
    last.result(PATIENCE)
    assert ran == [100]


def test_so_many_may_wait_and_the_next_one_is_told_so(monkeypatch):
    monkeypatch.setattr(turns, "WAITING", 3)
    one = Turns("vae-test")
    with held(one, [Visitor()]):
        jobs = [one.submit(int, visitor=Visitor()) for _ in range(3)]
        with pytest.raises(Busy, match="Too many visitors are waiting"):
            one.submit(int, visitor=Visitor())
        jobs[1].cancel()  # who has gone is not counted
        last = one.submit(int, visitor=Visitor())
    assert last.result(PATIENCE) == jobs[0].result(PATIENCE) == jobs[2].result(PATIENCE) == 0


def test_an_exception_is_the_callers_and_the_thread_serves_on():
    one, visitor = Turns("vae-test"), Visitor()
    with pytest.raises(ZeroDivisionError):
        one.submit(lambda: 1 / 0, visitor=visitor).result(PATIENCE)
    assert one.submit(str, 1, visitor=visitor).result(PATIENCE) == "1"


def spin(seconds: float) -> None:
    """Compute for so long."""
    start = time.thread_time()
    while time.thread_time() < start + seconds:
        pass


def test_a_visitor_is_charged_for_what_was_computed_and_not_for_waiting(monkeypatch):
    charged = []
    monkeypatch.setattr(Visitor, "charge", lambda self, seconds: charged.append((self, seconds)))
    one, visitor = Turns("vae-test"), Visitor()
    one.submit(spin, 0.1, visitor=visitor).result(PATIENCE)
    one.submit(time.sleep, 0.2, visitor=visitor).result(PATIENCE)
    one.submit(spin, 0.1).result(PATIENCE)
    assert [who for who, _ in charged] == [visitor, visitor]
    assert 0.1 <= charged[0][1] < 0.2
    assert charged[1][1] < 0.05


def test_a_batch_is_charged_by_the_rows_that_each_had_in_it(monkeypatch):
    charged = {}
    monkeypatch.setattr(Visitor, "charge", lambda self, seconds: charged.update({self: seconds}))
    batcher, visitors = Batcher("vae-test"), [Visitor(), Visitor(), None]
    standing, go_on = threading.Event(), threading.Event()

    def slow(rows: torch.Tensor) -> torch.Tensor:
        standing.set()
        assert go_on.wait(PATIENCE)
        spin(0.06)
        return rows

    first = batcher.submit(slow, torch.zeros(1))
    assert standing.wait(PATIENCE)
    rows = (1, 3, 2)
    waiting = [batcher.submit(slow, torch.zeros(n), visitor=who) for n, who in zip(rows, visitors, strict=True)]
    go_on.set()
    for future in (first, *waiting):
        future.result(PATIENCE)
    assert set(charged) == set(visitors[:2])
    assert charged[visitors[1]] == pytest.approx(3 * charged[visitors[0]])
    assert 0.06 / 6 <= charged[visitors[0]] < 0.12 / 6


def test_what_may_be_computed_grows_back_up_to_its_most(monkeypatch):
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(turns, "time", clock)
    visitor = Visitor()
    assert visitor.pause() == 0
    visitor.charge(SAVED)
    assert visitor.pause() == 0
    visitor.charge(3.0)
    assert visitor.pause() == pytest.approx(3.0 / SHARE)
    clock.now = 2.0
    assert visitor.pause() == pytest.approx(3.0 / SHARE - 2.0)
    clock.now = 1e6
    visitor.charge(SAVED + SHARE)
    assert visitor.pause() == pytest.approx(1.0)


class Leaving(Callers):
    """One who waits for so many looks."""

    def __init__(self, looks: int, visitor: Visitor | None = None):
        self.looks, self.who = looks, visitor

    def visitor(self) -> Visitor | None:
        return self.who

    def look_up(self) -> None:
        self.looks -= 1
        if self.looks < 0:
            raise KeyboardInterrupt  # no Exception, as what Streamlit stops a script by


def test_who_leaves_takes_the_job_along():
    future: Future = Future()
    with pytest.raises(KeyboardInterrupt):
        Leaving(2).wait(future)
    assert future.cancelled()


def test_who_stays_gets_the_result_however_long_it_takes():
    future: Future = Future()
    threading.Timer(0.3, future.set_result, ["it"]).start()
    assert Leaving(100).wait(future) == "it"
    failed: Future = Future()
    failed.set_exception(TimeoutError("of the job itself"))
    with pytest.raises(TimeoutError, match="of the job itself"):
        Leaving(100).wait(failed)


def test_who_has_used_up_their_share_waits_until_there_is_some_and_may_leave_meanwhile():
    visitor = Visitor()
    Leaving(0, visitor).hold_on()
    Leaving(0).hold_on()
    visitor.charge(SAVED + 0.2 * SHARE)
    start = time.monotonic()
    Leaving(100, visitor).hold_on()
    assert time.monotonic() - start > 0.1
    visitor.charge(60.0)
    with pytest.raises(KeyboardInterrupt):
        Leaving(1, visitor).hold_on()


def test_pieces_of_many_rows_go_visitor_by_visitor():
    batcher, log = Batcher("vae-test"), []
    standing, go_on = threading.Event(), threading.Event()

    def piece(rows: torch.Tensor) -> torch.Tensor:
        log.append(float(rows[0]))
        standing.set()
        assert go_on.wait(PATIENCE)
        return rows

    first = batcher.submit_all(piece, torch.zeros(1))
    assert standing.wait(PATIENCE)
    greedy = batcher.submit_all(piece, torch.full((5 * ROWS,), 1.0), visitor=Visitor())
    modest = batcher.submit_all(piece, torch.full((2 * ROWS,), 2.0), visitor=Visitor())
    go_on.set()
    for future in (*first, *greedy, *modest):
        future.result(PATIENCE)
    assert log == [0, 1, 2, 1, 2, 1, 1, 1]


def test_one_visitors_drawings_make_no_large_batch_and_those_of_many_do():
    batcher, log = Batcher("vae-test"), []
    standing, go_on = threading.Event(), threading.Event()

    def sketched(rows: torch.Tensor) -> torch.Tensor:
        log.append(len(rows))
        standing.set()
        assert go_on.wait(PATIENCE)
        return rows

    greedy = Visitor()
    waiting = [batcher.submit(sketched, torch.zeros(1), most=8)]
    assert standing.wait(PATIENCE)
    waiting += [batcher.submit(sketched, torch.zeros(1), most=8, visitor=greedy) for _ in range(4)]
    waiting += [batcher.submit(sketched, torch.zeros(1), most=8, visitor=Visitor()) for _ in range(3)]
    go_on.set()
    for future in waiting:
        future.result(PATIENCE)
    assert log == [1, 4, 1, 1, 1]


# ---- what many ask for ----


def test_what_many_ask_for_at_once_and_later_is_computed_once():
    several, shared, begun = Turns("vae-test"), Shared(2), []

    def begin() -> Future:
        begun.append(Visitor())
        return several.submit(lambda: "result", visitor=begun[-1])

    with held(several, [Visitor()]):
        asked = [shared.ask("key", begin) for _ in range(30)]
    assert [one.result(PATIENCE) for one in asked] == ["result"] * 30
    assert shared.ask("key", begin).result(PATIENCE) == "result"
    assert len(begun) == 1


def test_of_what_many_ask_for_the_last_are_known_and_what_failed_is_begun_again():
    several, shared, begun = Turns("vae-test"), Shared(2), []

    def ask(key: int) -> Future:
        return shared.ask(key, lambda: several.submit(begun.append, key))

    for key in (1, 2, 1, 3, 1, 2):  # 2 is forgotten for 3, since 1 was asked for again
        ask(key).result(PATIENCE)
    assert begun == [1, 2, 3, 2]
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            shared.ask("broken", lambda: several.submit(lambda: 1 / 0)).result(PATIENCE)
    assert shared.ask("broken", lambda: several.submit(lambda: "whole")).result(PATIENCE) == "whole"


def test_who_goes_away_leaves_it_to_those_who_wait_and_the_last_one_takes_it_along():
    several, shared, ran = Turns("vae-test"), Shared(4), []

    def ask(key: str) -> Future:
        return shared.ask(key, lambda: several.submit(ran.append, key))

    with held(several, [Visitor()]):
        wanted, left, forsaken = [ask("wanted") for _ in range(3)], [ask("again")], [ask("forsaken") for _ in range(2)]
        for future in (*wanted[:2], *left, *forsaken):
            assert future.cancel()
        again = ask("again")
    wanted[2].result(PATIENCE)
    again.result(PATIENCE)
    several.submit(ran.append, "end").result(PATIENCE)
    assert sorted(ran) == ["again", "end", "wanted"]
