"""The ledger's claims hold for shipped models, and the right one fails where an error is planted."""

import math
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Normal

import vae
from tests.grids import grid
from tests.registry import VECTORS
from vae import data
from vae.distributions import normal
from vae.inference import record as library
from vae.inference.ledger import Check, at_most, checks, equal
from vae.inference.posterior import Plane
from vae.inference.record import Estimate, Frame, frame
from vae.models import pretrained

NAMES = VECTORS
FLAT = next(name for name in NAMES if pretrained.load_card(name)["latents"] == 2)
DEEP = next(name for name in NAMES if pretrained.load_card(name)["latents"] > 2)
EVERY_MODEL = pytest.mark.parametrize("name", NAMES)

EVERY = "KL of every latent = ∫ q(z|x) log(q(z|x) / p(z)) dz"
SUM = "Σ KL of the latents = E_q[log q(z|x) − log p(z)]"
TWICE = "E_q[log p(x|z)] − KL = E_q[log p(x, z) − log q(z|x)]"
FORMULA = "E_q[log p(x|z)] = the same draws by another formula"
AVERAGE = "IWAE, k = 1000 = its weights added up one by one"
LAST = "IWAE, k = 1000 ≤ log p(x)"
QUADRATURES = "log p(x) = the same by another quadrature"
NOT_NEGATIVE = "0 ≤ KL(q(z|x) ‖ p(z|x))"
BAYES = "ELBO + KL(q(z|x) ‖ p(z|x)) = log p(x)"


@pytest.fixture(scope="module")
def plane(tmp_path_factory) -> Plane:
    return Plane(model(FLAT), tmp_path_factory.mktemp("plane"))


@cache
def model(name: str):
    return vae.load_pretrained(name, device="cpu")


def pictures(name: str, count: int) -> Tensor:
    x = data.fixed_binarisation(pretrained.load_card(name)["data"]["name"])
    return x[torch.randperm(len(x), generator=torch.Generator().manual_seed(5))[:count]]


def record(name: str, plane: Plane | None = None, number: int = 0) -> Frame:
    x = pictures(name, number + 1)[number:]
    return frame(model(name), x, 3, grid(name, model(name)), plane)


def failing(found: list[Check]) -> set[str]:
    return {check.claim for check in found if not check.holds}


@EVERY_MODEL
def test_every_claim_holds_for_random_test_pictures(name):
    for number, x in enumerate(pictures(name, 10).split(1)):
        found = checks(frame(model(name), x, number, grid(name, model(name))))
        assert failing(found) == set()
        assert len(found) == (6 if model(name).latents == 2 else 5)


def test_with_the_true_posterior_the_two_sides_of_bayes_are_compared_and_agree(plane):
    for number in range(5):
        found = {check.claim: check for check in checks(record(FLAT, plane, number))}
        assert failing(list(found.values())) == set()
        assert found[BAYES].left == pytest.approx(found[BAYES].right, abs=found[BAYES].slack)
        assert len(found) == 9


def test_each_claim_says_what_it_would_catch(plane):
    found = checks(record(FLAT, plane))
    assert all(len(check.catches) > 20 for check in found)
    assert len({check.catches for check in found}) == len(found)


# ---- planted errors: each turns the lamps red that it should, at a share of the error that somebody might make ----


def part(share: float, right, wrong):
    """A share of an error."""
    return right + share * (wrong - right)


def test_a_hundredth_of_a_variance_taken_for_a_standard_deviation_in_the_kl_is_seen(monkeypatch):
    right = library.kl_per_dimension

    def wrong(q, prior):
        return part(0.01, right(q, prior), 0.5 * (q.mean.square() + q.stddev - 1 - q.stddev.log()))

    monkeypatch.setattr(library, "kl_per_dimension", wrong)
    for name in (FLAT, DEEP):
        assert EVERY in failing(checks(record(name)))


def test_a_fifteenth_of_a_variance_taken_for_a_standard_deviation_in_the_samples_is_seen(monkeypatch):
    right = library.stratified

    def wrong(q, *given):
        return right(normal(q.mean, part(1 / 15, q.stddev, q.variance)), *given)

    monkeypatch.setattr(library, "stratified", wrong)
    for name in (FLAT, DEEP):
        assert SUM in failing(checks(record(name)))


def test_draws_a_fiftieth_too_wide_are_seen(monkeypatch):
    right = library.stratified
    monkeypatch.setattr(library, "stratified", lambda q, *given: right(normal(q.mean, 1.02 * q.stddev), *given))
    assert failing(checks(record(DEEP))) == {SUM}


def test_a_hundredth_of_a_mean_over_latents_taken_for_a_sum_is_seen():
    for name in (FLAT, DEEP):
        seen = record(name)
        kl = part(0.01, seen.kl_per_dimension, seen.kl_per_dimension / len(seen.mu))
        assert EVERY in failing(checks(replace(seen, kl_per_dimension=kl)))


def test_a_fiftieth_of_a_mean_over_pixels_taken_for_a_sum_is_seen(plane):
    for name in (FLAT, DEEP):
        seen = record(name, plane if name == FLAT else None)
        value, error = seen.reconstruction
        wrong = replace(seen, reconstruction=Estimate(part(0.02, value, value / seen.x.numel()), error))
        expected = {FORMULA, TWICE} | ({BAYES} if name == FLAT else set())
        assert expected <= failing(checks(wrong))


def test_a_pixel_left_out_of_the_likelihood_is_seen_by_one_lamp_alone():
    seen = record(DEEP)
    likely = math.log(0.99)  # a pixel that the model is sure of
    wrong = seen.reconstruction._replace(value=seen.reconstruction.value - likely)
    assert failing(checks(replace(seen, reconstruction=wrong))) == {FORMULA}


@pytest.mark.parametrize(
    ("which", "share", "expected"),
    [
        ("stratified", 0.02, {SUM}),
        ("stratified", 0.25, {SUM, TWICE, BAYES}),
        ("rsample", 0.25, {TWICE}),
    ],
)
def test_draws_a_share_of_the_way_to_another_pictures_z_are_seen(monkeypatch, plane, which, share, expected):
    for name in (FLAT, DEEP):
        mine, theirs = model(name).encode(pictures(name, 2)).mean
        between, right = part(share, mine, theirs)[None], getattr(library, which)

        def wrong(q, *given, between=between, right=right):
            return right(normal(between, q.stddev), *given)

        with monkeypatch.context() as patch:
            patch.setattr(library, which, wrong)
            found = failing(checks(record(name, plane if name == FLAT else None)))
        assert (expected if name == FLAT else expected - {BAYES}) <= found


def test_a_fiftieth_of_a_wrong_sign_of_the_kl_is_seen(monkeypatch, plane):
    monkeypatch.setattr(Frame, "elbo", property(lambda self: self.reconstruction.value - part(0.02, self.kl, -self.kl)))
    for name in (FLAT, DEEP):
        found = failing(checks(record(name, plane if name == FLAT else None)))
        assert found == ({TWICE, BAYES} if name == FLAT else {TWICE})


def test_half_a_wrong_sign_in_the_weights_is_seen(plane):
    seen = record(FLAT, plane, 3)  # one whose posterior q meets well
    bound, again = (each._replace(value=each.value + seen.kl) for each in (seen.bound, seen.elbo_again))
    wrong = replace(seen, bound=bound, bound_again=bound.value, elbo_again=again)
    assert failing(checks(wrong)) == {TWICE, LAST}


@pytest.mark.parametrize(
    "wrong",
    [lambda weights: weights.logsumexp(0), lambda weights: weights.max(), lambda weights: weights.mean()],
    ids=["the sum", "the largest", "the mean logarithm"],
)
def test_a_hundredth_of_a_wrong_average_of_the_weights_is_seen(monkeypatch, wrong):
    right = library._bound

    def planted(weights):
        bound = right(weights)
        return bound._replace(value=part(0.01, bound.value, float(wrong(weights))))

    monkeypatch.setattr(library, "_bound", planted)
    for name in (FLAT, DEEP):
        assert AVERAGE in failing(checks(record(name)))


def test_a_hundredth_of_a_nat_off_the_kl_of_one_latent_is_seen_even_where_the_sum_is_right():
    seen = record(DEEP)
    shift = torch.zeros_like(seen.mu)
    shift[0], shift[1] = -0.01, 0.01
    assert failing(checks(replace(seen, kl_per_dimension=seen.kl_per_dimension + shift))) == {EVERY}


def test_a_log_evidence_that_is_off_is_seen(plane):
    seen = record(FLAT, plane)

    def moved(nats: float) -> set[str]:
        evidence = seen.log_evidence._replace(value=seen.log_evidence.value + nats)
        return failing(checks(replace(seen, log_evidence=evidence)))

    assert moved(-0.025) == moved(0.025) == {QUADRATURES}
    assert moved(-0.3) == moved(0.3) == {QUADRATURES, BAYES}
    assert moved(-15) == {LAST, QUADRATURES, BAYES}


def test_a_log_evidence_that_is_too_low_in_both_quadratures_is_seen(plane):
    seen = record(FLAT, plane)
    lower = {
        field: getattr(seen, field)._replace(value=getattr(seen, field).value - seen.gap - 0.1)
        for field in ("log_evidence", "log_evidence_again", "divergence")
    }
    assert NOT_NEGATIVE in failing(checks(replace(seen, **lower)))


def test_a_log_evidence_below_the_bound_is_seen_where_there_is_no_other_quadrature():
    seen = record(FLAT, number=3)  # one whose posterior q meets well
    low = seen.log_evidence._replace(value=seen.log_evidence.value - 0.1)
    assert failing(checks(replace(seen, log_evidence=low))) == {LAST}


def test_a_number_that_is_no_number_never_holds():
    nothing = Estimate(math.nan, 0.0)
    for claim in (at_most, equal):
        assert not claim("", nothing, Estimate(1.0, 0.0), "").holds
        assert not claim("", Estimate(1.0, math.nan), Estimate(1.0, 0.0), "").holds
        assert not claim("", Estimate(math.inf, 0.0), Estimate(1.0, 0.0), "").holds
        assert not claim("", Estimate(1.0, 0.0), Estimate(-math.inf, 0.0), "").holds


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
    for k, bound in ((1, seen.elbo_again), (1000, seen.bound)):
        groups = weights.unflatten(0, (4000 // k, k)).logsumexp(1) - math.log(k)
        error = math.hypot(bound.error, float(groups.std()) / len(groups) ** 0.5)
        assert abs(bound.value - float(groups.mean())) < 5 * error + 0.05


def test_the_likelihood_by_the_formula_is_that_of_torchs_bernoulli():
    z = torch.randn(7, model(DEEP).latents, generator=torch.Generator().manual_seed(1))
    x = pictures(DEEP, 1)
    with torch.inference_mode():
        expected = model(DEEP).decode(z).log_prob(x.expand(7, -1, -1, -1))
        found = library.log_likelihood(model(DEEP).decode(z), x)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-3)
