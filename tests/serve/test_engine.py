"""The batching thread against plain calls, and the engine against the library, from one thread and from many."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

import vae
from tests.grids import grid
from tests.registry import VECTORS
from tests.served import answer, ask, entry, loaded, record
from vae import data
from vae.inference import record as library_of_records
from vae.latent import places
from vae.latent.encodings import Company, Near, near
from vae.models import VAE, pretrained
from vae.models.spaces import Pictures
from vae.serve import engine as serve
from vae.serve import planes, precision
from vae.serve.asked import ANCESTRY, ENCODED, NEAR, PASSING, PICTURES, PLACES, SKETCH
from vae.serve.batcher import ROWS, Batcher
from vae.serve.capabilities import Can
from vae.serve.engine import Engine, engine
from vae.serve.library import Library, library
from vae.serve.precision import WORTH
from vae.serve.turns import Visitor

NAMES = VECTORS
EVERY_MODEL = pytest.mark.parametrize("name", NAMES)
PATIENCE = 60  # seconds until a future that never comes fails its test


class Moments(NamedTuple):
    double: Tensor
    total: Tensor


@pytest.fixture
def batcher() -> Batcher:
    return Batcher("vae-test")


@pytest.fixture
def serving() -> Engine:
    return engine()


@contextmanager
def held(batcher: Batcher) -> Iterator[None]:
    """The thread stands still inside, so that all that is submitted there waits together."""
    standing, go_on = threading.Event(), threading.Event()

    def stand(rows: Tensor) -> Tensor:
        standing.set()
        assert go_on.wait(PATIENCE)
        return rows

    first = batcher.submit(stand, torch.zeros(1))
    assert standing.wait(PATIENCE)
    try:
        yield
    finally:
        go_on.set()
    first.result(PATIENCE)


def doubling(log: list, label: str = "") -> Callable[[Tensor], Tensor]:
    """A new function, and so of its own kind, that notes its label and the number of rows in `log`."""

    def double(rows: Tensor) -> Tensor:
        log.append((label, len(rows)))
        return 2 * rows

    return double


def numbers(*sizes: int) -> list[Tensor]:
    """For each size so many rows of three; no two numbers are equal."""
    return list(torch.arange(3.0 * sum(sizes)).unflatten(0, (-1, 3)).split(sizes))


def test_equal_requests_that_wait_together_are_one_batch_and_each_caller_gets_its_rows(batcher):
    log, requests = [], numbers(1, 3, 2)
    double = doubling(log)
    with held(batcher):
        futures = [batcher.submit(double, rows) for rows in requests]
    for future, rows in zip(futures, requests, strict=True):
        assert torch.equal(future.result(PATIENCE), 2 * rows)
    assert log == [("", 6)]


def test_a_named_tuple_is_split_field_by_field(batcher):
    def moments(rows: Tensor) -> Moments:
        return Moments(2 * rows, rows.sum(1))

    requests = numbers(2, 1)
    with held(batcher):
        futures = [batcher.submit(moments, rows) for rows in requests]
    for future, rows in zip(futures, requests, strict=True):
        found = future.result(PATIENCE)
        assert type(found) is Moments
        assert torch.equal(found.double, 2 * rows)
        assert torch.equal(found.total, rows.sum(1))


def test_several_tensors_go_row_by_row_together(batcher):
    log = []

    def difference(a: Tensor, b: Tensor | None = None) -> Tensor:
        log.append((len(a), b is not None))
        return a if b is None else a - b

    requests = numbers(2, 1, 2)
    with held(batcher):
        with_b = [batcher.submit(difference, rows, rows.flip(0)) for rows in requests]
        without = [batcher.submit(difference, rows) for rows in requests]
    for rows, one, other in zip(requests, with_b, without, strict=True):
        assert torch.equal(one.result(PATIENCE), rows - rows.flip(0))
        assert torch.equal(other.result(PATIENCE), rows)
    assert log == [(5, True), (5, False)]


def test_a_batch_has_at_most_so_many_rows_and_begins_with_the_oldest_request(batcher):
    log, requests = [], numbers(40, 20, 20, ROWS, 4)
    double = doubling(log)
    with held(batcher):
        futures = [batcher.submit(double, rows) for rows in requests]
    for future, rows in zip(futures, requests, strict=True):
        assert torch.equal(future.result(PATIENCE), 2 * rows)
    assert ROWS == 64
    assert log == [("", 40 + 20 + 4), ("", 20), ("", ROWS)]


def test_different_functions_are_different_batches_in_the_order_of_their_oldest_requests(batcher):
    log, (row,) = [], numbers(1)
    functions = [doubling(log, label) for label in "abc"]
    with held(batcher):
        futures = [batcher.submit(functions[number], row) for number in (0, 1, 0, 2, 1, 0)]
    for future in futures:
        future.result(PATIENCE)
    assert log == [("a", 3), ("b", 2), ("c", 1)]


def test_a_flood_of_one_function_does_not_starve_another(batcher):
    log = []
    other = doubling(log, "other")

    def flood(rows: Tensor) -> Tensor:
        log.append(("flood", len(rows)))
        if len(log) < 50:
            batcher.submit(flood, rows)
        return rows

    with held(batcher):
        for _ in range(3):
            batcher.submit(flood, torch.zeros(ROWS))
        future = batcher.submit(other, torch.zeros(1))
    future.result(PATIENCE)
    assert log.index(("other", 1)) == 3


def test_a_sheet_of_one_visitor_lets_others_pass_between_its_pieces(batcher):
    log, (one, other) = [], (Visitor(), Visitor())
    with held(batcher):
        futures = batcher.submit_all(doubling(log, "piece"), torch.zeros(5 * ROWS), visitor=one)
        futures += [batcher.submit(doubling(log, "drawing"), torch.zeros(1), visitor=other) for _ in range(2)]
    for future in futures:
        future.result(PATIENCE)
    assert [label for label, _ in log] == ["piece", "drawing", "piece", "drawing", "piece", "piece", "piece"]


def test_what_is_slow_makes_small_batches(batcher):
    log = []
    slow = doubling(log, "slow")
    with held(batcher):
        futures = [batcher.submit(slow, torch.zeros(1), most=8) for _ in range(20)]
    for future in futures:
        future.result(PATIENCE)
    assert log == [("slow", 8), ("slow", 8), ("slow", 4)]


# what takes longer than a hand that moves may wait
LARGE = {
    "drawings": lambda name: ask(SKETCH, name, examples(name, 1)),
    "pictures of the prior": lambda name: ask(ANCESTRY, name, spots(name, 1), torch.zeros(1).long()),
    "company": lambda name: ask(NEAR, name, spots(name, 1)),
    "a sheet": lambda name: engine().ask_all(PICTURES, loaded(name), spots(name, 200))[-1],
}


@pytest.mark.parametrize("name", NAMES)
def test_a_hand_waits_for_nothing_that_is_large(serving, name):
    """While the thread for what takes long stands still, hands that move get their answers."""
    x, z = examples(name, 1), spots(name, 1)
    with held(serving._large):
        large = [ask_for(name) for ask_for in LARGE.values()]
        if vae.load_pretrained(name).config.corrected:
            large += [ask(PLACES, name, z, x), ask(ENCODED, name, x)]
        else:
            ask(PLACES, name, z, x).result(PATIENCE)
            ask(ENCODED, name, x).result(PATIENCE)
        ask(PASSING, name, z).result(PATIENCE)
        assert not any(future.done() for future in large)
    for future in large:
        future.result(PATIENCE)


@pytest.mark.parametrize("rows", [1, ROWS, ROWS + 1, 3 * ROWS + 5])
def test_any_number_of_rows_is_cut_into_pieces_in_order(batcher, rows):
    (a,), log = numbers(rows), []

    def add(a: Tensor, b: Tensor) -> Tensor:
        log.append(len(a))
        return a + b

    pieces = batcher.submit_all(add, a, a.flip(0))
    assert torch.equal(torch.cat([piece.result(PATIENCE) for piece in pieces]), a + a.flip(0))
    assert sum(log) == rows
    assert max(log) <= ROWS


def test_an_exception_reaches_all_callers_of_its_batch_and_no_other(batcher):
    broken, (row,) = [True], numbers(1)
    double = doubling([])

    def fail(rows: Tensor) -> Tensor:
        if broken:
            raise ArithmeticError("of the batch")
        return rows

    with held(batcher):
        failing, fine = [batcher.submit(fail, row) for _ in range(2)], batcher.submit(double, row)
    for future in failing:
        with pytest.raises(ArithmeticError, match="of the batch"):
            future.result(PATIENCE)
    assert torch.equal(fine.result(PATIENCE), 2 * row)
    broken.clear()
    assert torch.equal(batcher.submit(fail, row).result(PATIENCE), row)


def test_requests_of_different_widths_do_not_stop_the_thread(batcher):
    double = doubling([])
    with held(batcher):
        futures = [batcher.submit(double, torch.zeros(1, columns)) for columns in (2, 3)]
    for future in futures:
        future.exception(PATIENCE)  # there may be one, but not none for ever
    assert batcher.submit(double, torch.ones(1, 3)).result(PATIENCE).sum() == 6


def test_what_is_cancelled_while_it_waits_is_left_out(batcher):
    log, requests = [], numbers(1, 2, 4)
    double, never = doubling(log, "some"), doubling(log, "none")
    with held(batcher):
        futures = [batcher.submit(double, rows) for rows in requests]
        others = [batcher.submit(never, rows) for rows in requests]
        assert all(future.cancel() for future in (futures[1], *others))
    assert torch.equal(futures[0].result(PATIENCE), 2 * requests[0])
    assert torch.equal(futures[2].result(PATIENCE), 2 * requests[2])
    with pytest.raises(CancelledError):
        futures[1].result(PATIENCE)
    batcher.submit(double, requests[0]).result(PATIENCE)
    assert log == [("some", 1 + 4), ("some", 1)]


@pytest.mark.parametrize("rows", [0, ROWS + 1, 1000])
def test_no_rows_and_too_many_are_refused(batcher, rows):
    with pytest.raises(ValueError, match=f"1 to {ROWS} rows, not {rows}"):
        batcher.submit(doubling([]), torch.zeros(rows, 3))
    assert len(batcher.submit(doubling([]), torch.zeros(ROWS, 3)).result(PATIENCE)) == ROWS


def test_a_request_has_no_more_rows_than_its_batch_may_have(batcher):
    with pytest.raises(ValueError, match="1 to 8 rows, not 9"):
        batcher.submit(doubling([]), torch.zeros(9, 3), most=8)


def test_everything_runs_in_the_one_thread_of_the_given_name(batcher):
    threads = []

    def watched(rows: Tensor) -> Tensor:
        threads.append(threading.current_thread())
        return rows

    with ThreadPoolExecutor(4) as visitors:
        for future in visitors.map(lambda _: batcher.submit(watched, torch.zeros(1)), range(20)):
            future.result(PATIENCE)
    for future in batcher.submit_all(watched, torch.zeros(3 * ROWS)):
        future.result(PATIENCE)
    assert len(set(threads)) == 1
    assert threads[0].name == "vae-test"


def spots(name: str, count: int) -> Tensor:
    """Draws from the prior."""
    return torch.randn(
        (count, pretrained.load_card(name)["latents"]), generator=torch.Generator().manual_seed(len(name))
    )


def examples(name: str, count: int) -> Tensor:
    """Test pictures that the model's card names, over and over."""
    card = pretrained.load_card(name)
    chosen = [card["examples"][number % len(card["examples"])] for number in range(count)]
    return data.test_inputs(card["data"]["name"])[chosen]


def close(found: tuple, expected: tuple, but: tuple[str, ...] = ()) -> None:
    """Each field to within rounding, which differs with the size of the batch."""
    assert type(found) is type(expected)
    for field in set(found._fields) - set(but):
        torch.testing.assert_close(
            getattr(found, field), getattr(expected, field), rtol=1e-4, atol=1e-4, equal_nan=True
        )


def tolerance(name: str) -> float:
    """How far pictures may be from those in float32."""
    return 1e-5 if loaded(name).precision.name == "float32" else 0.1


DRAWN = ("drift", "round_trip_kl")  # of a drawn picture, in which rounding can turn a pixel over


def test_it_serves_the_models_that_ship():
    assert sorted(one.name for one in library().visible()) == vae.list_pretrained()


@EVERY_MODEL
def test_a_record_is_that_of_a_direct_call(name):
    model, x = vae.load_pretrained(name), examples(name, 1)
    seen = record(name, x, 4)
    expected = library_of_records.frame(model, x, 4, grid(name, model))
    for field in ("x", "mu", "sigma", "eps", "z", "mean", "kl_per_dimension"):
        torch.testing.assert_close(getattr(seen, field), getattr(expected, field), rtol=1e-5, atol=1e-5)
    numbers = ("kl", "elbo", "iwae", "bits_per_dimension")
    for number in (*numbers, "gap") if model.latents == 2 else numbers:
        assert getattr(seen, number) == pytest.approx(getattr(expected, number), rel=1e-5, abs=1e-3)
    for number in ("reconstruction", "kl_sampled", "elbo_again", *(["log_evidence"] if model.latents == 2 else [])):
        assert getattr(seen, number) == pytest.approx(getattr(expected, number), rel=1e-4, abs=1e-3)
    assert (seen.log_evidence is None) == (model.latents != 2)


@EVERY_MODEL
def test_places_and_sketches_are_those_of_direct_calls(name):
    model, z, x = vae.load_pretrained(name), spots(name, 5), examples(name, 5)
    close(answer(PLACES, name, z), places.places(model, z))
    close(answer(PLACES, name, z, x), places.places(model, z, x))
    close(answer(SKETCH, name, x), library_of_records.sketch(model, x))


@EVERY_MODEL
def test_pictures_are_the_decoded_means_and_come_in_pieces(name):
    rows = PICTURES.rows(loaded(name))
    z = spots(name, 2 * rows + 1)
    expected = vae.load_pretrained(name).decode(z).mean.cpu()
    torch.testing.assert_close(answer(PICTURES, name, z), expected, rtol=0, atol=tolerance(name))
    assert [len(piece.result(PATIENCE)) for piece in engine().ask_all(PICTURES, loaded(name), z)] == [rows, rows, 1]


@EVERY_MODEL
def test_what_is_near_is_that_of_a_direct_call_whether_asked_alone_or_together(name):
    z, company = spots(name, 4), Company(*pretrained.load_encodings(name), loaded(name).company.pictures)
    expected = near(company, z)
    close(answer(NEAR, name, z), expected)
    alone = [ask(NEAR, name, row[None]) for row in z]
    for row, future in enumerate(alone):
        close(future.result(PATIENCE), Near(*(field[row : row + 1] for field in expected)))


def test_the_company_of_a_model_are_the_pictures_that_were_encoded():
    for name in NAMES:
        company = loaded(name).company
        chosen = torch.tensor([0, 432, 1337])
        x = data.test_inputs(pretrained.load_card(name)["data"]["name"])[chosen]
        found = library_of_records.sketch(loaded(name).model, x)
        torch.testing.assert_close(company.mu[chosen], found.mu, atol=2e-3, rtol=0)
        torch.testing.assert_close(company.sigma[chosen], found.sigma, atol=2e-3, rtol=0)
        assert torch.equal(company.pictures, data.load(pretrained.load_card(name)["data"]["name"], "test").images)


def test_a_longer_computation_runs_in_a_records_thread_and_its_result_or_error_is_the_callers(serving):
    def where(*arguments) -> tuple:
        return threading.current_thread().name, arguments

    def fail() -> None:
        raise ArithmeticError("of the computation")

    for _ in range(3):
        thread, arguments = serving.compute(where, 1, "two")
        assert thread in ("vae-records_0", "vae-records_1")
        assert arguments == (1, "two")
    with pytest.raises(ArithmeticError, match="of the computation"):
        serving.compute(fail)
    assert serving.compute(where)[1] == ()


def test_a_hand_is_answered_while_something_longer_is_computed(serving):
    started, go_on = threading.Event(), threading.Event()

    def long() -> str:
        started.set()
        assert go_on.wait(PATIENCE)
        return "done"

    z = spots(NAMES[0], 1)
    with ThreadPoolExecutor(1) as visitor:
        computed = visitor.submit(serving.compute, long)
        assert started.wait(PATIENCE)
        assert answer(PLACES, NAMES[0], z).mean.isfinite().all()
        assert answer(PICTURES, NAMES[0], z).isfinite().all()
        assert ask(NEAR, NAMES[0], z).result(PATIENCE).distances.isfinite().all()
        assert not computed.done()
        go_on.set()
        assert computed.result(PATIENCE) == "done"


def test_a_model_without_a_plane_is_compared_with_nothing():
    deep = next(name for name in NAMES if entry(name).latents > 2)
    assert entry(deep).lacks(Can.EXACT)
    with pytest.raises(ValueError, match="two latents"):
        planes.ask_comparison(engine(), loaded(deep), examples(deep, 1))


def test_all_who_look_at_one_picture_share_its_comparison(monkeypatch):
    compared = []
    monkeypatch.setattr(planes, "_begun", lambda *arguments: planes._Building(share=1.0))
    monkeypatch.setattr(planes, "_compare", lambda loaded, x, thorough: compared.append(thorough))
    here = Library(engine())
    flat = here.lease(here.find(next(name for name in NAMES if entry(name).lacks(Can.EXACT) is None)))
    one, other = examples(flat.entry.name, 2).split(1)
    for x, thorough in ((one, False), (one, True), (one.clone(), False), (other, False), (one, True)):
        planes.ask_comparison(engine(), flat, x, thorough).result(PATIENCE)
    assert sorted(compared) == [False, False, True]


def test_many_threads_at_once_get_their_own_results():
    jobs = [(name, *pair) for name in NAMES for pair in zip(spots(name, 24), examples(name, 24), strict=True)]
    start = threading.Barrier(8)

    def visit(share: list) -> list:
        start.wait(PATIENCE)
        return [
            (
                answer(PLACES, name, z[None]),
                answer(PLACES, name, z[None], x[None]),
                ask(SKETCH, name, x[None]).result(PATIENCE),
                answer(PICTURES, name, z[None]),
            )
            for name, z, x in share
        ]

    with ThreadPoolExecutor(8) as visitors:
        answers = list(visitors.map(visit, [jobs[number::8] for number in range(8)]))
    for number, share in enumerate(answers):
        for (name, z, x), (place, given, sketch, picture) in zip(jobs[number::8], share, strict=True):
            model = loaded(name).model
            close(place, places.places(model, z[None]), but=DRAWN)
            close(given, places.places(model, z[None], x[None]), but=DRAWN)
            close(sketch, library_of_records.sketch(model, x[None]))
            torch.testing.assert_close(picture, place.mean, rtol=0, atol=tolerance(name))


@EVERY_MODEL
def test_64_who_draw_are_answered_a_few_at_once(serving, monkeypatch, name):
    log, call = [], serve._With.__call__

    def counted(self, *tensors: Tensor):
        log.append((self.function.__name__, len(tensors[0])))
        return call(self, *tensors)

    x = examples(name, 1)
    monkeypatch.setattr(type(loaded(name)), "share", 1.0)  # on a machine that decodes fast enough
    with held(serving._large):
        monkeypatch.setattr(serve._With, "__call__", counted)
        drawn = [ask(SKETCH, name, x) for _ in range(64)]
    for future in drawn:
        future.result(PATIENCE)
    assert log == [("sketch", SKETCH.most)] * (64 // SKETCH.most)


def test_torch_runs_in_the_engines_threads_and_never_in_the_callers(serving, monkeypatch):
    threads, networks = set(), {"encode": VAE.encode, "decode": VAE.decode}

    def watched(kind: str) -> Callable:
        def call(self: VAE, rows: Tensor):
            threads.add((kind, threading.current_thread()))
            return networks[kind](self, rows)

        return call

    for kind in networks:
        monkeypatch.setattr(VAE, kind, watched(kind))

    def visit(name: str) -> threading.Thread:
        z, x = spots(name, 1), examples(name, 1)
        answer(PICTURES, name, z)
        answer(PLACES, name, z, x)
        ask(SKETCH, name, x).result(PATIENCE)
        record(name, x)
        return threading.current_thread()

    with ThreadPoolExecutor(3) as pool:
        visitors = {visit(NAMES[0]), *pool.map(visit, NAMES)}
    for kind in networks:
        names = {thread.name for one, thread in threads if one == kind}
        assert {"vae-large"} < names <= {"vae-live", "vae-large", "vae-records_0", "vae-records_1"}
    assert visitors.isdisjoint(thread for _, thread in threads)


def test_an_exception_reaches_its_caller_and_the_next_one_is_served(monkeypatch):
    z, x = spots(NAMES[0], 1), examples(NAMES[0], 1)

    def fail(self, z):
        raise ArithmeticError("of the decoder")

    calls = (
        lambda: answer(PLACES, NAMES[0], z, x).mean,
        lambda: ask(SKETCH, NAMES[0], x).result(PATIENCE).mean,
        lambda: answer(PICTURES, NAMES[0], z),
        lambda: record(NAMES[0], x).mean,
    )
    for call in calls:
        with monkeypatch.context() as broken:
            broken.setattr(VAE, "decode", fail)
            with pytest.raises(ArithmeticError, match="of the decoder"):
                call()
        assert call().isfinite().all()


def test_an_unknown_model_is_named_in_the_error():
    with pytest.raises(ValueError, match="no model 'no-such-model'") as refusal:
        library().find("no-such-model")
    assert all(name in str(refusal.value) for name in NAMES)


def test_each_model_states_the_precision_of_its_pictures_and_their_time():
    for stated in (loaded(name).precision for name in NAMES):
        assert stated.name in ("float32", "bfloat16")
        assert stated.one > 0
        assert stated.batch > 0


def test_a_batch_of_a_slow_model_has_fewer_rows(monkeypatch):
    slow = precision.Precision("float32", 10.0, 80.0)
    monkeypatch.setattr(loaded(NAMES[0]), "precision", slow)
    assert PLACES.rows(loaded(NAMES[0])) == 6  # in 8 ms, where 64 take 80
    assert SKETCH.rows(loaded(NAMES[0])) == 1
    pieces = engine().ask_all(PICTURES, loaded(NAMES[0]), spots(NAMES[0], 20))
    assert [len(piece.result(PATIENCE)) for piece in pieces] == [6, 6, 6, 2]


BARELY = 10 / WORTH  # milliseconds that are just worth it against 10


@pytest.mark.parametrize(
    ("full", "half", "chosen"),
    [
        ((1.0, 10.0), (1.0, 12.0), "float32"),
        ((1.0, 10.0), (1.0, 10.0), "float32"),
        ((9.0, 10.0), (1.0, BARELY + 0.1), "float32"),
        ((1.0, 10.0), (9.0, BARELY - 0.1), "bfloat16"),
    ],
)
def test_bfloat16_serves_only_where_a_batch_is_decoded_that_much_faster(monkeypatch, full, half, chosen):
    model = VAE(VAE.Config(Pictures(), 2, width=8))
    times = {torch.float32: full, torch.bfloat16: half}
    monkeypatch.setattr(precision, "multiplies_bf16", lambda device: True)
    monkeypatch.setattr(
        precision, "_milliseconds", lambda model, rows: times[next(model.parameters()).dtype][rows == ROWS]
    )
    stated, serving = precision.fastest(model)
    assert (stated.name, stated.one, stated.batch) == (chosen, *(full if chosen == "float32" else half))
    assert next(serving.parameters()).dtype == getattr(torch, chosen)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert (serving is model) == (chosen == "float32")


def test_without_hardware_for_bfloat16_it_is_not_even_timed(monkeypatch):
    model = VAE(VAE.Config(Pictures(), 2, width=8))
    timed = []
    monkeypatch.setattr(precision, "multiplies_bf16", lambda device: False)
    monkeypatch.setattr(precision, "_milliseconds", lambda model, rows: timed.append(model) or 1.0)
    stated, serving = precision.fastest(model)
    assert (stated.name, serving) == ("float32", model)
    assert timed == [model, model]


def test_the_time_of_a_call_is_its_median_without_the_first_ones(monkeypatch):
    now, calls = [0.0], []
    durations = iter([5.0, 2.0, 0.003, 0.003, 0.003, 0.001, 0.004, 9.0])

    def decode(model: VAE, z: Tensor) -> None:
        calls.append(z.shape)
        now[0] += next(durations)

    monkeypatch.setattr(precision, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(precision, "decoded", decode)
    assert precision._milliseconds(VAE(VAE.Config(Pictures(), 3, width=8)), 7) == pytest.approx(3)
    assert set(calls) == {(7, 3)}


def test_where_bfloat16_is_faster_it_decodes_pictures_and_nothing_that_has_numbers(monkeypatch):
    monkeypatch.setattr(precision, "multiplies_bf16", lambda device: True)

    def quick_in_bfloat16(model: VAE, rows: int) -> float:
        return 1.0 if next(model.parameters()).dtype == torch.bfloat16 else 2.0

    monkeypatch.setattr(precision, "_milliseconds", quick_in_bfloat16)
    quick = Library(engine(), "cpu")
    for name in NAMES:
        one = quick.lease(quick.find(name))
        model, z, x = vae.load_pretrained(name, "cpu"), spots(name, 100), examples(name, 3)
        assert one.precision == precision.Precision("bfloat16", 1.0, 1.0)
        levels = 255 * (engine().answer(PICTURES, one, z) - model.decode(z).mean).abs()
        assert levels.max() > 0.01  # it is not float32
        assert levels.flatten().quantile(0.99) < 2
        assert levels.mean((1, 2, 3)).max() < 2
        close(engine().answer(PLACES, one, z[:3], x), places.places(model, z[:3], x), but=DRAWN)
        close(engine().answer(SKETCH, one, x), library_of_records.sketch(model, x))
        assert {weight.dtype for weight in one.model.parameters()} == {torch.float32}  # of records too


def test_visitors_who_come_at_once_build_one_engine(monkeypatch):
    built = []

    def slowly(self):
        time.sleep(0.05)
        built.append(self)

    monkeypatch.setattr(Engine, "__init__", slowly)
    monkeypatch.setattr(serve, "_engine", cache(serve._engine.__wrapped__))
    with ThreadPoolExecutor(4) as visitors:
        assert len(set(visitors.map(lambda _: engine(), range(4)))) == len(built) == 1


def test_every_thread_gets_the_same_engine():
    first = engine()
    with ThreadPoolExecutor(2) as visitors:
        assert all(visitors.map(lambda _: engine() is first, range(4)))
