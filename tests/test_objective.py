"""The bounds on a linear-Gaussian model whose evidence is known in closed form."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import kl_divergence

from vae.distributions import rsample
from vae.objective import Terms, elbo, importance_bound, loss, terms


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def standard_error(samples: Tensor) -> float:
    """Of the mean of independent samples."""
    return samples.std().item() / math.sqrt(len(samples))


@pytest.mark.parametrize("samples", [1, 2, 7, 50])
def test_with_the_exact_posterior_every_importance_bound_is_the_evidence_without_any_noise(linear_gaussian, samples):
    model = linear_gaussian()
    x = model.sample(5)
    torch.testing.assert_close(importance_bound(model, x, samples, seeded()), model.log_evidence(x))


def test_an_importance_bound_draws_from_the_given_q_in_place_of_the_encoders(linear_gaussian):
    model = linear_gaussian(0.4, 1.5)
    x = model.sample(5)
    bound = importance_bound(model, x, 3, seeded(), q=model.posterior(x))
    torch.testing.assert_close(bound, model.log_evidence(x))  # any other q would leave noise


@pytest.mark.parametrize(("shift", "stretch"), [(0.0, 1.0), (0.3, 1.4)])
def test_the_elbo_is_in_expectation_the_evidence_less_the_divergence_from_the_posterior(
    linear_gaussian, shift, stretch
):
    model = linear_gaussian(shift, stretch)
    x = model.sample(1)
    estimates = elbo(model, x.repeat(50_000, 1, 1, 1), generator=seeded())
    error = standard_error(estimates)
    assert error < 0.02
    assert abs(estimates.mean() - model.elbo(x)) < 4 * error


def test_the_bounds_are_ordered_elbo_iwae_2_iwae_8_evidence_where_q_is_not_the_posterior(linear_gaussian):
    model = linear_gaussian(0.3, 1.4)
    x = model.sample(1)
    many = x.repeat(20_000, 1, 1, 1)
    two, eight = (importance_bound(model, many, k, seeded(k)) for k in (2, 8))
    steps = [
        (two.mean() - model.elbo(x), standard_error(two)),
        (eight.mean() - two.mean(), math.hypot(standard_error(two), standard_error(eight))),
        (model.log_evidence(x) - eight.mean(), standard_error(eight)),
    ]
    for rise, error in steps:
        assert rise > 5 * error


def test_the_importance_bound_of_one_sample_is_the_elbo_in_expectation(linear_gaussian):
    model = linear_gaussian(0.3, 1.4)
    x = model.sample(1)
    estimates = importance_bound(model, x.repeat(50_000, 1, 1, 1), 1, seeded())
    assert abs(estimates.mean() - model.elbo(x)) < 4 * standard_error(estimates)


def test_a_bound_of_many_samples_reaches_the_evidence(linear_gaussian):
    model = linear_gaussian(0.3, 1.4)
    x = model.sample(4)
    torch.testing.assert_close(
        importance_bound(model, x, 100_000, seeded(), chunk=400_000), model.log_evidence(x), atol=0.02, rtol=0
    )


def test_a_chunked_importance_bound_uses_the_same_noise_as_an_unchunked_one(linear_gaussian):
    model = linear_gaussian(0.3, 1.4)
    x = model.sample(4)  # four pictures of two latents: 16 normals, the block torch draws, are two samples
    whole = importance_bound(model, x, 40, seeded(), chunk=10_000)
    for chunk in (8, 24, 64):
        torch.testing.assert_close(importance_bound(model, x, 40, seeded(), chunk=chunk), whole)
    by_hand = model.encode(x)
    z = rsample(by_hand, seeded(), (40,))
    likelihood = model.decode(z.flatten(0, 1)).log_prob(x.repeat(40, 1, 1, 1)).unflatten(0, (40, 4))
    weights = (likelihood + model.prior.log_prob(z) - by_hand.log_prob(z)).exp()
    torch.testing.assert_close(whole, weights.mean(0).log())


def test_chunks_that_do_not_divide_the_samples_give_the_same_bound_on_average(linear_gaussian):
    model = linear_gaussian(0.3, 1.4)
    many = model.sample(1).repeat(3000, 1, 1, 1)
    whole = importance_bound(model, many, 7, seeded(1), chunk=100_000)
    parts = importance_bound(model, many, 7, seeded(2), chunk=9_000)
    assert abs(whole.mean() - parts.mean()) < 4 * math.hypot(standard_error(whole), standard_error(parts))


def test_no_more_than_a_chunk_is_decoded_at_once_and_all_samples_are(linear_gaussian, monkeypatch):
    model, calls = linear_gaussian(0.3), []
    x = model.sample(3)
    decode = model.decode
    monkeypatch.setattr(model, "decode", lambda z: calls.append(len(z)) or decode(z))
    importance_bound(model, x, 50, seeded(), chunk=10)
    assert max(calls) <= 10
    assert sum(calls) == 150


def test_beta_weighs_the_kl_in_the_loss_and_never_enters_the_elbo(linear_gaussian):
    model = linear_gaussian(0.3, 1.4)
    x = model.sample(6)
    parts = terms(model, x, seeded())
    for beta in (0.0, 0.5, 1.0, 4.0):
        torch.testing.assert_close(loss(parts, beta), -parts.log_likelihood.mean() + beta * parts.kl.mean())
    torch.testing.assert_close(-loss(parts), elbo(model, x, generator=seeded()).mean())


def test_the_loss_is_the_mean_over_pictures_of_sums():
    parts = Terms(torch.tensor([-10.0, -30.0]), torch.tensor([2.0, 4.0]))
    assert loss(parts).item() == 23.0
    assert loss(parts, 2.0).item() == 26.0


def test_terms_with_noise_given_are_those_the_generator_gives_with_the_same_noise(linear_gaussian):
    model = linear_gaussian(0.3, 1.4)
    x = model.sample(6)
    eps = torch.randn(6, 2, generator=seeded(9), dtype=torch.float64)
    given, drawn = terms(model, x, eps=eps), terms(model, x, seeded(9))
    torch.testing.assert_close(given, drawn, rtol=1e-14, atol=0)
    assert torch.equal(given.log_likelihood, terms(model, x, eps=eps).log_likelihood)
    z = model.encode(x).mean + model.encode(x).stddev * eps
    torch.testing.assert_close(given.log_likelihood, model.decode(z).log_prob(x))
    torch.testing.assert_close(given.kl, kl_divergence(model.encode(x), model.prior))


def test_the_elbo_of_several_samples_is_the_mean_over_the_generators_next_draws(linear_gaussian):
    model = linear_gaussian(0.3, 1.4)
    x, generator = model.sample(4), seeded()
    each = torch.stack([elbo(model, x, generator=generator) for _ in range(5)])
    torch.testing.assert_close(elbo(model, x, 5, seeded()), each.mean(0))


def test_a_plain_autoencoder_has_terms_without_kl_and_refuses_the_bounds(linear_gaussian):
    model = linear_gaussian()
    model.prior = None
    x = model.sample(3)
    assert (terms(model, x, seeded()).kl == 0).all()
    with pytest.raises(ValueError, match="no prior"):
        elbo(model, x)
    with pytest.raises(ValueError, match="no prior"):
        importance_bound(model, x, 5)


@pytest.mark.parametrize("bound", [elbo, importance_bound])
@pytest.mark.parametrize("samples", [0, -1])
def test_fewer_than_one_sample_is_refused(linear_gaussian, bound, samples):
    model = linear_gaussian()
    with pytest.raises(ValueError, match="at least one sample"):
        bound(model, model.sample(2), samples)
