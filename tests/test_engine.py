"""The engine against direct calls of the library, from one thread and from many."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

import vae
from vae import checkpoint, data
from vae import engine as serve
from vae.engine import Engine, engine
from vae.exact import Grid
from vae.frame import frame, round_trip
from vae.models import VAE

NAMES = vae.list_pretrained()
EVERY_MODEL = pytest.mark.parametrize("name", NAMES)


@pytest.fixture
def serving() -> Engine:
    return engine()


def places(name: str, count: int) -> torch.Tensor:
    return torch.randn(
        (count, checkpoint.load_card(name)["latents"]), generator=torch.Generator().manual_seed(len(name))
    )


def test_it_serves_the_models_that_ship(serving):
    assert list(serving.models) == NAMES


@EVERY_MODEL
def test_a_record_is_that_of_a_direct_call(serving, name):
    card, model = checkpoint.load_card(name), vae.load_pretrained(name)
    x = data.fixed_binarisation(card["data"]["name"])[card["examples"][0]][None]
    seen = serving.frame(name, x, seed=4)
    expected = frame(model, x, 4, Grid(model) if model.latents == 2 else None)
    for field in ("x", "mu", "sigma", "eps", "z", "mean", "kl_per_dimension"):
        torch.testing.assert_close(getattr(seen, field), getattr(expected, field), rtol=1e-5, atol=1e-5)
    numbers = ("reconstruction", "reconstruction_error", "kl", "elbo", "iwae", "bits_per_dimension")
    for number in (*numbers, "log_evidence", "gap") if model.latents == 2 else numbers:
        assert getattr(seen, number) == pytest.approx(getattr(expected, number), rel=1e-5, abs=1e-3)
    assert (seen.log_evidence is None) == (model.latents != 2)


@EVERY_MODEL
def test_a_round_trip_and_a_decoded_batch_are_those_of_direct_calls(serving, name):
    model, z = vae.load_pretrained(name), places(name, 5)
    trip, expected = serving.round_trip(name, z[0]), round_trip(model, z[0])
    torch.testing.assert_close(trip.mean, expected.mean, rtol=0, atol=1e-5)
    for number in ("kl", "drift", "log_prior", "further_out"):
        assert getattr(trip, number) == pytest.approx(getattr(expected, number), rel=1e-4)
    torch.testing.assert_close(serving.decode(name, z), model.decode(z).mean, rtol=0, atol=1e-5)


def test_many_threads_at_once_get_their_own_results(serving):
    jobs = [(name, z) for name in NAMES for z in places(name, 40)]
    start = threading.Barrier(8)

    def ask(share: list) -> list:
        start.wait(30)
        return [serving.round_trip(name, z) for name, z in share]

    with ThreadPoolExecutor(8) as visitors:
        answers = list(visitors.map(ask, [jobs[number::8] for number in range(8)]))
    for number, share in enumerate(answers):
        for (name, z), trip in zip(jobs[number::8], share, strict=True):
            expected = round_trip(serving.models[name], z)
            torch.testing.assert_close(trip.mean, expected.mean, rtol=0, atol=1e-5)
            assert trip.log_prior == pytest.approx(expected.log_prior, rel=1e-5)


def test_all_work_runs_in_one_thread_that_is_not_the_callers(serving, monkeypatch):
    threads, decode = [], VAE.decode

    def watched(self, z):
        threads.append(threading.get_ident())
        return decode(self, z)

    monkeypatch.setattr(VAE, "decode", watched)

    def visit(name: str) -> None:
        z, shape = places(name, 1), serving.models[name].input_spec.shape
        serving.decode(name, z)
        serving.round_trip(name, z[0])
        serving.frame(name, torch.zeros(1, *shape))

    for name in NAMES:
        visitor = threading.Thread(target=visit, args=(name,))
        visitor.start()
        visitor.join()
    visit(NAMES[0])
    assert len(threads) >= 3 * (len(NAMES) + 1)
    assert len(set(threads)) == 1
    assert threading.get_ident() not in threads


def test_an_exception_reaches_its_caller_and_the_next_one_is_served(serving, monkeypatch):
    z = places(NAMES[0], 1)[0]

    def fail(*arguments):
        raise ArithmeticError("of the job")

    with monkeypatch.context() as broken:
        broken.setattr("vae.engine.round_trip", fail)
        with pytest.raises(ArithmeticError, match="of the job"):
            serving.round_trip(NAMES[0], z)
    assert serving.round_trip(NAMES[0], z).mean.shape == serving.models[NAMES[0]].input_spec.shape


def test_an_unknown_model_is_named_in_the_error(serving):
    z = places(NAMES[0], 1)
    x = torch.zeros(1, *serving.models[NAMES[0]].input_spec.shape)
    for call in (serving.decode, serving.frame, lambda name, z: serving.round_trip(name, z[0])):
        with pytest.raises(ValueError, match="no-such-model"):
            call("no-such-model", x if call == serving.frame else z)
    assert serving.decode(NAMES[0], z).isfinite().all()


def test_visitors_who_come_at_once_build_one_engine(monkeypatch):
    built = []

    def slowly(self):
        time.sleep(0.05)
        built.append(self)

    monkeypatch.setattr(Engine, "__init__", slowly)
    serve._engine.cache_clear()
    try:
        with ThreadPoolExecutor(4) as visitors:
            assert len(set(visitors.map(lambda _: engine(), range(4)))) == len(built) == 1
    finally:
        serve._engine.cache_clear()


def test_every_thread_gets_the_same_engine():
    first = engine()
    with ThreadPoolExecutor(2) as visitors:
        assert all(visitors.map(lambda _: engine() is first, range(4)))
