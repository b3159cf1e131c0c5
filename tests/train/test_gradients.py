"""Gradients by draws, against closed forms and against quadrature of each other."""

import pytest
import torch

import vae
from vae import data
from vae.distributions import normal
from vae.train.gradients import Draws, drawn, pathwise, quadrature, score_function

MU, SIGMA, PLACE = torch.tensor([0.7]), torch.tensor([0.4]), 2.0


def parabola(n: int) -> Draws:
    """f(z) = -(z - PLACE)^2 in the place of log p(x|z), whose gradients have closed forms."""
    eps = torch.randn(n, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    away = MU + SIGMA * eps - PLACE
    return Draws(eps, -away.square().sum(1), -2 * away)


def test_both_estimators_have_the_gradient_and_the_variance_of_their_closed_forms():
    n, draws = 400_000, parabola(400_000)
    a, s = float(MU - PLACE), float(SIGMA)
    exact = -2 * a
    # f = -(a^2 + 2 a s e + s^2 e^2), times e / s, squared, with the moments 1, 3 and 15 of e
    score_variance = (a**4 + (4 * a**2 * s**2 + 2 * a**2 * s**2) * 3 + s**4 * 15) / s**2 - exact**2
    for estimate, variance in (
        (pathwise(draws), 4 * s**2),
        (score_function(draws, SIGMA), score_variance),
    ):
        assert float(estimate.mean()) == pytest.approx(exact, abs=5 * (variance / n) ** 0.5)
        assert float(estimate.var()) == pytest.approx(variance, rel=0.03)


def test_a_baseline_leaves_the_mean_and_takes_most_of_the_variance():
    draws, exact = parabola(400_000), float(-2 * (MU - PLACE))
    without, with_one = (score_function(draws, SIGMA, baseline) for baseline in (False, True))
    assert float(with_one.var()) < 0.9 * float(without.var())
    assert float(with_one.mean()) == pytest.approx(exact, abs=5 * float(with_one.var() / len(with_one)) ** 0.5)


def test_of_a_few_draws_the_baseline_of_the_others_is_without_bias():
    few = parabola(400_000)
    groups = [Draws(*(part[5 * i : 5 * i + 5] for part in few)) for i in range(20_000)]
    means = torch.stack([score_function(group, SIGMA, baseline=True).mean() for group in groups])
    exact = float(-2 * (MU - PLACE))
    assert float(means.mean()) == pytest.approx(exact, abs=5 * float(means.std()) / len(means) ** 0.5)


def test_of_a_model_the_quadratures_through_z_and_through_q_agree_with_each_other_and_with_draws():
    model, x = vae.load_pretrained("mnist-2d", "cpu"), data.fixed_binarisation("mnist")[:1]
    q = normal(model.encode(x).mean, torch.full((1, 2), 0.05))
    through_z, through_q = quadrature(model.decoder, x, q)
    assert through_z.tolist() == pytest.approx(through_q.tolist(), rel=1e-3, abs=1e-2)
    eps = torch.randn(4000, 2, generator=torch.Generator().manual_seed(1))
    draws = drawn(model.decoder, x, q, eps)
    for estimate in (pathwise(draws), score_function(draws, q.stddev[0], baseline=True)):
        error = estimate.std(0) / len(estimate) ** 0.5
        assert ((estimate.mean(0) - through_z).abs() < 5 * error).all()
