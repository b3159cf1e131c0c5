"""Posterior, prior and likelihoods against Monte Carlo, torch and scipy."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
import torch.nn.functional as F
from torch.distributions import MultivariateNormal, kl_divergence

from vae.distributions import (
    DiscretizedLogistic,
    bernoulli,
    bits_per_dimension,
    discretized_logistic,
    draw,
    kl_per_dimension,
    normal,
    rsample,
    standard_normal,
    stratified,
)

LEVELS = torch.linspace(0, 1, 256)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some_posterior(batch: int = 3, dims: int = 4):
    g = seeded(7)
    return normal(torch.randn(batch, dims, generator=g), torch.rand(batch, dims, generator=g) + 0.3)


def test_the_kl_to_the_prior_is_that_of_full_covariance_normals():
    q = some_posterior()
    full = MultivariateNormal(q.mean, torch.diag_embed(q.variance))
    expected = kl_divergence(full, MultivariateNormal(torch.zeros(4), torch.eye(4)))
    torch.testing.assert_close(kl_divergence(q, standard_normal(4)), expected)


def test_the_kl_to_the_prior_is_the_mean_log_ratio_of_samples():
    q, p = some_posterior(), standard_normal(4)
    z = rsample(q, seeded(), (200_000,))
    ratio = q.log_prob(z) - p.log_prob(z)
    error = ratio.std(0) / math.sqrt(len(ratio))
    assert error.max() < 0.01
    assert ((ratio.mean(0) - kl_divergence(q, p)).abs() < 4 * error).all()


def test_the_kl_of_each_dimension_is_kingma_and_wellings_formula_and_sums_to_the_kl():
    q, p = some_posterior(), standard_normal(4)
    mu, sigma = q.mean, q.base_dist.scale
    each = kl_per_dimension(q, p)
    torch.testing.assert_close(each, 0.5 * (mu**2 + sigma**2 - 1) - sigma.log())
    torch.testing.assert_close(each.sum(-1), kl_divergence(q, p))
    assert (kl_per_dimension(p, p) == 0).all()


def test_a_sample_is_mu_plus_sigma_times_the_generators_noise_and_leaves_the_global_generator_alone():
    q = some_posterior()
    before = torch.get_rng_state()
    z = rsample(q, seeded(3), (5,))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(z, rsample(q, seeded(3), (5,)))
    assert torch.equal(z, q.base_dist.loc + q.base_dist.scale * torch.randn(5, 3, 4, generator=seeded(3)))
    assert not torch.equal(z, rsample(q, seeded(4), (5,)))


def test_samples_have_the_moments_of_the_normal_distribution():
    q = some_posterior()
    n = 200_000
    z = rsample(q, seeded(), (n,))
    sigma = q.base_dist.scale
    assert ((z.mean(0) - q.mean).abs() < 5 * sigma / math.sqrt(n)).all()
    assert ((z.std(0) / sigma - 1).abs() < 5 / math.sqrt(2 * n)).all()
    p_value = scipy.stats.kstest(((z - q.mean) / sigma)[:20_000, 0, 0].numpy(), "norm").pvalue
    assert p_value > 1e-4


def test_each_block_of_stratified_samples_has_one_in_each_of_equally_probable_intervals_of_every_latent():
    q = normal(torch.tensor([[1.0, -2.0, 30.0]]), torch.tensor([[0.1, 3.0, 1.0]]))
    before = torch.get_rng_state()
    z = stratified(q, seeded(1), 40, 8)
    assert z.shape == (40, 8, 1, 3)
    assert torch.equal(torch.get_rng_state(), before)
    probability = scipy.stats.norm.cdf(z.double(), q.mean.double(), q.stddev.double())
    intervals = np.sort(np.floor(probability * 8).astype(int), axis=1)
    assert (intervals == np.arange(8)[None, :, None, None]).all()
    assert torch.equal(z, stratified(q, seeded(1), 40, 8))
    assert not torch.equal(z[0], z[1])


def test_a_stratified_sample_by_itself_is_one_of_the_distribution_and_latents_are_independent():
    q = normal(torch.tensor([[0.5, -1.0]]), torch.tensor([[2.0, 0.5]]))
    z = stratified(q, seeded(2), 4000, 8)[:, 3, 0]  # one of each block
    for latent in range(2):
        expected = scipy.stats.norm(float(q.mean[0, latent]), float(q.stddev[0, latent]))
        assert scipy.stats.kstest(z[:, latent].double(), expected.cdf).pvalue > 0.01
    assert abs(float(torch.corrcoef(z.T)[0, 1])) < 4 / 4000**0.5


def test_means_of_stratified_samples_scatter_less_where_latents_add_up_and_no_more_where_they_do_not():
    q = standard_normal(2).expand((1,))
    z = stratified(q, seeded(3), 2000, 32)[:, :, 0]
    assert z.square().sum(-1).mean(1).std() < 0.35 * (4 / 32) ** 0.5
    assert z.prod(-1).mean(1).std() == pytest.approx(32**-0.5, rel=0.1)


def test_gradients_of_a_sample_are_one_for_mu_and_the_noise_for_sigma():
    mu, sigma = torch.zeros(2, 3, requires_grad=True), torch.full((2, 3), 0.5, requires_grad=True)
    rsample(normal(mu, sigma), seeded(1)).sum().backward()
    torch.testing.assert_close(mu.grad, torch.ones(2, 3))
    torch.testing.assert_close(sigma.grad, torch.randn(2, 3, generator=seeded(1)))


def test_bernoulli_log_prob_is_minus_torchs_binary_cross_entropy_summed_over_the_picture():
    g = seeded()
    logits = 10 * torch.randn(4, 1, 5, 6, generator=g)
    x = torch.rand(4, 1, 5, 6, generator=g).round()
    expected = -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum((1, 2, 3))
    torch.testing.assert_close(bernoulli(logits).log_prob(x), expected)
    torch.testing.assert_close(bernoulli(logits).mean, logits.sigmoid())


def test_bernoulli_log_prob_and_its_gradient_are_finite_at_extreme_logits():
    logits = torch.tensor([-1e4, -200.0, 0.0, 200.0, 1e4]).view(1, 1, 1, 5).requires_grad_()
    for x in (0.0, 1.0):
        value = bernoulli(logits).log_prob(torch.full((1, 1, 1, 5), x))
        (gradient,) = torch.autograd.grad(value.sum(), logits)
        assert value.isfinite().all()
        torch.testing.assert_close(gradient, x - logits.sigmoid())


@pytest.mark.parametrize("loc", [-1e6, -1e4, -3.0, 0.0, 0.3, 0.5, 1.0, 4.0, 1e4, 1e6])
@pytest.mark.parametrize("log_scale", [-9.0, -5.0, -2.0, 1.0, 5.0])
def test_the_probabilities_of_all_256_levels_sum_to_one_and_their_gradients_are_finite(loc: float, log_scale: float):
    parameters = torch.tensor([loc]).requires_grad_(), torch.tensor([log_scale]).requires_grad_()
    log_prob = DiscretizedLogistic(*parameters).log_prob(LEVELS)
    assert log_prob.isfinite().all()
    assert log_prob.max() <= 1e-6
    # At the narrowest scale the bins' ends are off by float32's resolution of the pixel values times exp(9).
    assert log_prob.exp().sum().item() == pytest.approx(1, abs=2e-4 if log_scale == -9 else 1e-5)
    for level in (0, 1, 128, 254, 255):
        for gradient in torch.autograd.grad(log_prob[level], parameters, retain_graph=True):
            assert gradient.isfinite().all()


@pytest.mark.parametrize(("loc", "log_scale"), [(0.3, -4.0), (0.5, -2.0), (-0.2, -1.0), (1.4, 0.5)])
def test_the_probability_of_a_level_is_scipys_logistic_cdf_difference(loc: float, log_scale: float):
    edges = (np.arange(257) - 0.5) / 255
    edges[0], edges[-1] = -np.inf, np.inf
    expected = np.diff(scipy.stats.logistic.cdf(edges, loc, np.exp(log_scale)))
    levels = torch.arange(256, dtype=torch.float64) / 255
    dtype = torch.float64
    pixels = DiscretizedLogistic(torch.tensor(loc, dtype=dtype), torch.tensor(log_scale, dtype=dtype))
    np.testing.assert_allclose(pixels.log_prob(levels).exp().numpy(), expected, rtol=1e-7, atol=1e-12)


def test_the_levels_of_8_bit_pictures_divided_by_255_are_each_counted_in_their_own_bin():
    narrow = torch.full((256,), -9.0)
    pixels = torch.arange(256, dtype=torch.uint8).float() / 255
    assert DiscretizedLogistic(pixels, narrow).log_prob(pixels).min() > math.log(0.99)
    neighbours = DiscretizedLogistic(pixels, narrow).log_prob(pixels.roll(1))
    assert neighbours.max() < math.log(0.01)


def test_a_discretized_picture_sums_its_pixels_and_shows_a_mean_in_the_unit_interval():
    g = seeded()
    loc, log_scale = 2 * torch.randn(2, 3, 4, 5, generator=g), torch.randn(2, 3, 4, 5, generator=g)
    x = torch.randint(256, (2, 3, 4, 5), generator=g) / 255
    p = discretized_logistic(loc, log_scale)
    torch.testing.assert_close(p.log_prob(x), DiscretizedLogistic(loc, log_scale).log_prob(x).sum((1, 2, 3)))
    torch.testing.assert_close(p.mean, loc.clamp(0, 1))


def test_a_uniform_guess_over_256_levels_costs_eight_bits_per_dimension():
    torch.testing.assert_close(bits_per_dimension(torch.tensor([784 * math.log(256)]), 784), torch.tensor([8.0]))


@pytest.mark.parametrize(("loc", "log_scale"), [(0.5, -4.0), (0.02, -3.0), (0.99, -1.0)])
def test_pixels_made_of_even_noise_have_each_level_as_often_as_its_probability_says(loc, log_scale):
    even = (torch.arange(200_000) + 0.5) / 200_000
    pixels = discretized_logistic(*(torch.full((1, 1, 200_000), value) for value in (loc, log_scale)))
    found = draw(pixels, even.view(1, 1, -1)).flatten().mul(255).round().long().bincount(minlength=256) / 200_000
    expected = DiscretizedLogistic(torch.tensor(loc), torch.tensor(log_scale)).log_prob(LEVELS).exp()
    torch.testing.assert_close(found, expected, rtol=0, atol=5e-5)


def test_bits_made_of_even_noise_are_one_as_often_as_their_probability_says():
    even = ((torch.arange(1000) + 0.5) / 1000).view(1, 1, -1)
    for share in (0.0005, 0.25, 0.9995):
        pixels = bernoulli(torch.full((1, 1, 1000), math.log(share / (1 - share))))
        assert float(draw(pixels, even).mean()) == pytest.approx(share, abs=1e-3)
