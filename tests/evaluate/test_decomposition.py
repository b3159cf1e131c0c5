"""The parts of the average KL against cases in which they are known."""

import math

import pytest
import torch

from vae.distributions import kl_per_dimension, normal, standard_normal
from vae.evaluate.decomposition import decompose


def draws(n: int, d: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_equal_posteriors_tell_nothing_and_the_rest_is_their_kl_dimension_by_dimension():
    mu, sigma = torch.tensor([[0.5, -1.0, 0.0]]).expand(200, 3), torch.tensor([[0.7, 1.3, 1.0]]).expand(200, 3)
    parts = decompose(mu, sigma, seeded(), 4000)
    expected = float(kl_per_dimension(normal(mu[:1], sigma[:1]), standard_normal(3)).sum())
    assert abs(parts.mutual_information) < 1e-9
    assert abs(parts.total_correlation) < 1e-9
    assert parts.dimension_wise_kl == pytest.approx(expected, abs=4 * parts.dimension_wise_kl_error)
    assert parts.kl == pytest.approx(expected, abs=1e-5)


def test_posteriors_far_apart_tell_which_picture_it_was_log_n_nats_and_never_more():
    mu = torch.stack([torch.arange(50.0), torch.zeros(50)], 1)
    parts = decompose(mu, torch.full((50, 2), 0.01), seeded(), 1000)
    assert parts.mutual_information == pytest.approx(math.log(50), abs=1e-6)
    assert parts.bound == math.log(50)
    close = decompose(mu, torch.full((50, 2), 0.5), seeded(), 1000)
    assert close.mutual_information < math.log(50) - 0.1


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.9])
def test_correlated_gaussians_have_their_closed_total_correlation_and_information(correlation):
    # q(z) = N(0, C + s^2 I) when mu ~ N(0, C): with n = 4000 means it is that Gaussian but for sampling
    covariance = torch.tensor([[1.0, correlation], [correlation, 1.0]], dtype=torch.float64)
    mu, s = draws(4000, 2) @ torch.linalg.cholesky(covariance).T, 0.5
    parts = decompose(mu, torch.full((4000, 2), s), seeded(), 4000)
    whole = torch.cov(mu.T) + s**2 * torch.eye(2)
    dependence = 0.5 * float(whole.diagonal().log().sum() - whole.logdet())
    information = 0.5 * float(whole.logdet()) - 2 * math.log(s)
    assert parts.total_correlation == pytest.approx(dependence, abs=4 * parts.total_correlation_error + 0.02)
    assert parts.mutual_information == pytest.approx(information, abs=4 * parts.mutual_information_error + 0.02)


def test_the_parts_sum_to_the_estimate_which_agrees_with_the_kl_in_closed_form():
    mu, sigma = 2 * draws(500, 4), draws(500, 4, 3).abs() + 0.1
    parts = decompose(mu, sigma, seeded(), 5000)
    three = parts.mutual_information + parts.total_correlation + parts.dimension_wise_kl
    assert three == pytest.approx(parts.total, abs=1e-9)
    expected = float(torch.distributions.kl_divergence(normal(mu, sigma), standard_normal(4)).mean())
    assert parts.kl == pytest.approx(expected, abs=1e-9)
    assert abs(parts.total - parts.kl) < 4 * parts.total_error


def test_the_stated_error_is_the_spread_over_repeated_estimates():
    mu, sigma = draws(300, 2), torch.full((300, 2), 0.4)
    repeated = [decompose(mu, sigma, seeded(seed), 300) for seed in range(60)]
    for part in ("mutual_information", "total_correlation"):
        spread = float(torch.tensor([getattr(one, part) for one in repeated]).std())
        stated = float(torch.tensor([getattr(one, part + "_error") for one in repeated]).mean())
        assert 0.6 * stated < spread < 1.3 * stated  # below 1: every picture is drawn once


def test_points_without_a_density_are_refused():
    with pytest.raises(ValueError, match="standard deviation of 0"):
        decompose(torch.zeros(3, 2), torch.zeros(3, 2), seeded())
