"""The ledger's claims hold for shipped models, and the right one fails where an error is planted."""

import math
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Normal

import vae
from vae import checkpoint, data
from vae import frame as library
from vae.exact import Grid
from vae.frame import Estimate, Frame, frame
from vae.ledger import Check, at_most, checks, equal
from vae.posterior import Plane

NAMES = vae.list_pretrained()
FLAT = next(name for name in NAMES if checkpoint.load_card(name)["latents"] == 2)
DEEP = next(name for name in NAMES if checkpoint.load_card(name)["latents"] > 2)
EVERY_MODEL = pytest.mark.parametrize("name", NAMES)

POSITIVE = "0 ≤ KL of every latent"
SUM = "Σ KL of the latents = E_q[log q(z|x) − log p(z)]"
TWICE = "E_q[log p(x|z)] − KL = E_q[log p(x, z) − log q(z|x)]"
FIRST = "ELBO ≤ IWAE, k = 10"
LAST = "IWAE, k = 1000 ≤ log p(x)"
BAYES = "ELBO + KL(q(z|x) ‖ p(z|x)) = log p(x)"


@pytest.fixture(scope="module")
def plane(tmp_path_factory) -> Plane:
    return Plane(model(FLAT), tmp_path_factory.mktemp("plane"))


@cache
def model(name: str):
    return vae.load_pretrained(name, device="cpu")


@cache
def grid(name: str) -> Grid | None:
    return Grid(model(name)) if model(name).latents == 2 else None


def pictures(name: str, count: int) -> Tensor:
    x = data.fixed_binarisation(checkpoint.load_card(name)["data"]["name"])
    return x[torch.randperm(len(x), generator=torch.Generator().manual_seed(5))[:count]]


def record(name: str, plane: Plane | None = None, number: int = 0) -> Frame:
    x = pictures(name, number + 1)[number:]
    return frame(model(name), x, 3, grid(name), plane, checkpoint.load_encodings(name))


def failing(found: list[Check]) -> set[str]:
    return {check.claim for check in found if not check.holds}


@EVERY_MODEL
def test_every_claim_holds_for_random_test_pictures(name):
    for number, x in enumerate(pictures(name, 10).split(1)):
        found = checks(frame(model(name), x, number, grid(name), others=checkpoint.load_encodings(name)))
        assert failing(found) == set()
        assert len(found) == (9 if model(name).latents == 2 else 8)


def test_with_the_true_posterior_the_two_sides_of_bayes_are_compared_and_agree(plane):
    for number in range(5):
        found = {check.claim: check for check in checks(record(FLAT, plane, number))}
        assert failing(list(found.values())) == set()
        assert found[BAYES].left == pytest.approx(found[BAYES].right, abs=found[BAYES].slack)
        assert len(found) == 11


# ---- planted errors: each turns the lamps red that it should ----


def test_a_variance_taken_for_a_standard_deviation_in_the_kl_is_seen(monkeypatch):
    def wrong(q, prior):
        return 0.5 * (q.mean.square() + q.stddev - 1 - q.stddev.log())

    monkeypatch.setattr(library, "kl_per_dimension", wrong)
    for name in (FLAT, DEEP):
        assert {SUM, TWICE} <= failing(checks(record(name)))


def test_a_variance_taken_for_a_standard_deviation_in_the_samples_is_seen(monkeypatch):
    def wrong(q, generator, shape):
        return q.mean + q.variance * torch.randn((*shape, *q.mean.shape), generator=generator)

    monkeypatch.setattr(library, "rsample", wrong)
    for name in (FLAT, DEEP):
        assert SUM in failing(checks(record(name)))


def test_a_mean_over_latents_taken_for_a_sum_is_seen():
    for name in (FLAT, DEEP):
        seen = record(name)
        wrong = replace(seen, kl_per_dimension=seen.kl_per_dimension / len(seen.mu))
        assert {SUM, TWICE} <= failing(checks(wrong))


def test_a_mean_over_pixels_taken_for_a_sum_is_seen(plane):
    for name in (FLAT, DEEP):
        seen = record(name, plane if name == FLAT else None)
        size = seen.x.numel()
        wrong = replace(
            seen, reconstruction=Estimate(seen.reconstruction.value / size, seen.reconstruction.error / size)
        )
        expected = {TWICE, FIRST} | ({BAYES} if name == FLAT else set())
        assert expected <= failing(checks(wrong))


def test_another_pictures_z_is_seen(monkeypatch, plane):
    for name in (FLAT, DEEP):
        other = model(name).encode(pictures(name, 2)[1:])
        calls, right = [], library.rsample

        def wrong(q, generator, shape, other=other, calls=calls, right=right):
            calls.append(shape)
            return right(other if len(calls) == 1 else q, generator, shape)

        with monkeypatch.context() as patch:
            patch.setattr(library, "rsample", wrong)
            found = failing(checks(record(name, plane if name == FLAT else None)))
        assert len(calls) == 2
        assert {TWICE, BAYES} & found == ({TWICE, BAYES} if name == FLAT else {TWICE})


def test_another_pictures_z_in_every_estimate_is_seen(monkeypatch):
    for name in (FLAT, DEEP):
        other, right = model(name).encode(pictures(name, 2)[1:]), library.rsample
        with monkeypatch.context() as patch:
            patch.setattr(library, "rsample", lambda q, g, shape, other=other, right=right: right(other, g, shape))
            assert SUM in failing(checks(record(name)))


def test_a_wrong_sign_of_the_kl_is_seen(monkeypatch, plane):
    monkeypatch.setattr(Frame, "elbo", property(lambda self: self.reconstruction.value + self.kl))
    for name in (FLAT, DEEP):
        found = failing(checks(record(name, plane if name == FLAT else None)))
        assert {TWICE, FIRST} <= found
        assert (BAYES in found) == (name == FLAT)


def test_a_wrong_sign_in_the_weights_is_seen(plane):
    seen = record(FLAT, plane)
    bounds = {k: Estimate(bound.value + 2 * seen.kl, bound.error) for k, bound in seen.bounds.items()}
    assert {TWICE, LAST} <= failing(checks(replace(seen, bounds=bounds)))


def test_a_negative_kl_of_one_latent_is_seen_even_where_the_sum_is_right():
    seen = record(DEEP)
    shift = torch.zeros_like(seen.mu)
    shift[0], shift[1] = -seen.kl_per_dimension[0] - 0.1, seen.kl_per_dimension[0] + 0.1
    assert failing(checks(replace(seen, kl_per_dimension=seen.kl_per_dimension + shift))) == {POSITIVE}


@pytest.mark.parametrize(
    ("wrong", "claim"),
    [
        (lambda right, z, mu: right - math.log(len(mu)), "KL(q(z|x) ‖ q(z)) ≤ log N"),
        (lambda right, z, mu: right / z.shape[1], "0 ≤ KL(q(z|x) ‖ q(z))"),
    ],
    ids=["1/N twice", "mean for sum"],
)
def test_a_wrong_aggregate_is_seen(monkeypatch, wrong, claim):
    right = library.aggregate_log_density
    monkeypatch.setattr(library, "aggregate_log_density", lambda z, mu, sigma: wrong(right(z, mu, sigma), z, mu))
    assert failing(checks(record(DEEP))) == {claim}


def test_an_evidence_of_another_picture_is_seen(plane):
    seen = record(FLAT, plane)
    wrong = Estimate(seen.log_evidence.value - 30, seen.log_evidence.error)
    assert {LAST, BAYES} <= failing(checks(replace(seen, log_evidence=wrong)))


def test_a_number_that_is_no_number_never_holds():
    nothing = Estimate(math.nan, 0.0)
    for claim in (at_most, equal):
        assert not claim("", nothing, Estimate(1.0, 0.0)).holds
        assert not claim("", Estimate(1.0, math.nan), Estimate(1.0, 0.0)).holds


# ---- the estimates themselves ----


@EVERY_MODEL
def test_the_sampled_kl_and_bounds_are_those_of_torch_distributions_at_other_draws(name):
    x = pictures(name, 1)
    seen = record(name)
    q, p = Independent(Normal(seen.mu, seen.sigma), 1), Independent(Normal(0 * seen.mu, 1.0), 1)
    z = q.sample((4000,))
    ratio = q.log_prob(z) - p.log_prob(z)
    assert abs(seen.kl_sampled.value - float(ratio.mean())) < 5 * math.hypot(
        seen.kl_sampled.error, float(ratio.std()) / 4000**0.5
    )
    with torch.inference_mode():
        weights = model(name).decode(z).log_prob(x.expand(4000, -1, -1, -1)) - ratio
    for k, bound in seen.bounds.items():
        groups = weights.unflatten(0, (4000 // k, k)).logsumexp(1) - math.log(k)
        error = math.hypot(bound.error, float(groups.std()) / len(groups) ** 0.5)
        assert abs(bound.value - float(groups.mean())) < 5 * error + 0.05
    assert list(seen.bounds) == [1, 10, 100, 1000]


def test_the_likelihood_by_the_formula_is_that_of_torchs_bernoulli():
    z = torch.randn(7, model(DEEP).latents, generator=torch.Generator().manual_seed(1))
    x = pictures(DEEP, 1)
    with torch.inference_mode():
        expected = model(DEEP).decode(z).log_prob(x.expand(7, -1, -1, -1))
        torch.testing.assert_close(library.log_likelihood(model(DEEP), x, z), expected, rtol=1e-5, atol=1e-3)


def test_the_information_of_one_picture_among_copies_of_itself_is_nothing_and_among_strangers_log_n():
    x = pictures(DEEP, 1)
    q = model(DEEP).encode(x)
    copies = q.mean.expand(9, -1), q.stddev.expand(9, -1)
    assert frame(model(DEEP), x, 0, others=copies).information.value == pytest.approx(0, abs=1e-3)
    strangers = q.mean.expand(9, -1) + 50, q.stddev.expand(9, -1)
    assert frame(model(DEEP), x, 0, others=strangers).information.value == pytest.approx(math.log(10), abs=1e-3)
