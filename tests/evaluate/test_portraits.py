"""What the benchmark of portraits measures with: principal components, a distance of two sets, a share of scales."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from scipy.stats import norm, rankdata
from torch.distributions import MultivariateNormal, kl_divergence

from tests.benchmarks import portraits, tags
from vae.data.catalogue import PORTRAITS
from vae.evaluate.fidelity import SCALES, ms_ssim


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def linear(monkeypatch):
    """Three components of forty pictures with twelve values, some of them black or white."""
    monkeypatch.setattr(portraits, "PORTRAITS", type("Small", (), {"spec": type("Spec", (), {"shape": (3, 2, 2)})}))
    mixed = torch.randn(40, 4, generator=seeded()) @ torch.randn(4, 12, generator=seeded(1))
    x = (0.5 + 0.1 * mixed + 0.02 * torch.randn(40, 12, generator=seeded(2))).clamp(0, 1)
    x = x.mul(255).round().div(255).unflatten(1, (3, 2, 2))
    assert (x == 0).any()
    assert (x == 1).any()
    return portraits.Linear.of(x, 3), x


def covariance(linear: portraits.Linear) -> torch.Tensor:
    """W W^T + s^2 I."""
    w = linear.directions.T.double() * (linear.variances - linear.noise).sqrt()
    return w @ w.T + linear.noise * torch.eye(12, dtype=torch.float64)


def test_the_density_is_the_most_likely_normal_of_its_form_and_its_value_torchs(linear):
    found, x = linear
    values, vectors = np.linalg.eigh(np.cov(x.flatten(1).numpy().T, bias=True))
    assert found.variances.tolist() == pytest.approx(values[::-1][:3], rel=1e-4)
    assert found.noise == pytest.approx(values[:9].mean(), rel=1e-4)
    assert np.abs(vectors[:, ::-1][:, :3].T @ found.directions.numpy().T).diagonal() == pytest.approx(1, abs=1e-4)
    exact = MultivariateNormal(found.mean.double(), covariance(found)).log_prob(x.flatten(1).double())
    assert found.log_density(x) == pytest.approx(exact.float(), abs=2e-3)


def test_the_posterior_makes_the_bound_of_the_density_tight(linear):
    """log p(x) = log p(x|z) + log p(z) - log p(z|x) at any z."""
    found, x = linear
    q = found.posterior(x)
    z = q.mean + 0.7 * q.stddev
    p = portraits.standard_normal(3)
    noise = torch.distributions.Normal(found.decoded(z), found.noise**0.5).log_prob(x).flatten(1).sum(1)
    assert noise + p.log_prob(z) - q.log_prob(z) == pytest.approx(found.log_density(x), abs=2e-3)
    assert (kl_divergence(q, p) > 0).all()


def test_the_levels_of_a_normal_are_scipys_and_the_outermost_hold_the_tails(linear):
    found, x = linear
    z = found.posterior(x).mean
    at, scale = found.decoded(z).double().numpy(), found.noise**0.5
    lower = np.where(x == 0, -np.inf, x.double() - 0.5 / 255)
    upper = np.where(x == 1, np.inf, x.double() + 0.5 / 255)
    exact = np.log(norm.cdf(upper, at, scale) - norm.cdf(lower, at, scale)).sum((1, 2, 3))
    assert found.log_levels(x, z).numpy() == pytest.approx(exact, abs=1e-3)


def test_without_noise_components_give_back_what_lies_in_their_span(linear):
    found, _ = linear
    x = found.picture(torch.randn(5, 3, generator=seeded(5)))
    assert found.picture(found.code(x)) == pytest.approx(x, abs=1e-5)


def test_the_frechet_distance_is_that_of_the_two_normal_distributions():
    a = torch.randn(300, 6, generator=seeded(), dtype=torch.float64)
    b = (
        1.5
        * torch.randn(200, 6, generator=seeded(1), dtype=torch.float64)
        @ torch.randn(6, 6, generator=seeded(2), dtype=torch.float64)
    )
    first, second = np.cov(a.numpy().T), np.cov(b.numpy().T)
    root = sqrtm(first @ second).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(first + second - 2 * root)
    assert tags.frechet(a, b) == pytest.approx(float(expected), rel=1e-6)
    assert tags.frechet(a, a) == pytest.approx(0, abs=1e-9)
    assert tags.frechet(a, a + 2) == pytest.approx(24, rel=1e-9)


def test_sets_are_as_far_apart_as_their_means_and_halves_of_one_set_hardly():
    real = torch.randn(2000, 3, generator=seeded(), dtype=torch.float64)
    mean, spread = portraits.apart(real, real)
    assert 0 < mean < 0.02
    assert 0 < spread < mean
    assert portraits.apart(real, real + 2)[0] == pytest.approx(12, rel=0.05)


def test_the_area_under_the_curve_is_that_of_the_ranks():
    scores, labels = torch.randn(50, generator=seeded()), torch.rand(50, generator=seeded(1)) < 0.3
    ranks, yes = rankdata(scores.numpy()), int(labels.sum())
    expected = (ranks[labels.numpy()].sum() - yes * (yes + 1) / 2) / (yes * (50 - yes))
    assert tags.auc(scores, labels) == pytest.approx(expected)
    assert tags.auc(labels.float() + 0.1 * scores.sigmoid(), labels) == 1


def test_fewer_scales_are_the_finest_and_their_weights_have_the_same_sum():
    x = torch.rand(2, 3, 64, 64, generator=seeded())
    found = (x + 0.1 * torch.randn(x.shape, generator=seeded(1))).clamp(0, 1)
    assert ms_ssim(x, x, 3) == pytest.approx(torch.ones(2), abs=1e-5)
    one = ms_ssim(found, x, 1)
    flat = torch.full_like(x, 0.5)
    light = (2 * 0.5 * 0.6 + 0.0001) / (0.25 + 0.36 + 0.0001)
    assert ms_ssim(flat + 0.1, flat, 1) == pytest.approx(torch.full((2,), light ** sum(SCALES)), abs=1e-4)
    weight = sum(SCALES) * SCALES[2] / sum(SCALES[:3])
    assert ms_ssim(flat + 0.1, flat, 3) == pytest.approx(torch.full((2,), light**weight), abs=1e-4)
    assert (one < 1).all()
    with pytest.raises(ValueError, match="5 scales need 176 pixels on each side, not 64 x 64"):
        ms_ssim(found, x)


def test_a_row_of_the_table_says_bits_for_each_value_and_for_each_place():
    nats = torch.tensor([1.0, 3.0]) * PORTRAITS.spec.pixels * math.log(2)
    rate = torch.full((2,), 4096 * math.log(2))
    said = str(portraits.Row((torch.tensor([20.0, 30.0]),), (torch.tensor([0.5, 0.7]),), nats, rate)).split()
    assert said[:3] == ["2.000", "±", "1.000"]
    assert said[5:] == ["1.0000", "25.00", "0.6000"]
    assert str(portraits.Row()).strip() == ""


def test_the_network_of_tags_is_trained_once_and_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("VAE_LAB_CACHE", str(tmp_path))
    monkeypatch.setattr(tags, "BATCH", 16)
    images = torch.randint(0, 256, (32, 3, 16, 16), dtype=torch.uint8, generator=seeded())
    words = torch.rand(32, 4, generator=seeded(1)) < 0.5
    network = tags.trained(images, words)
    monkeypatch.setattr(tags.F, "binary_cross_entropy_with_logits", lambda *_: pytest.fail("trained again"))
    again = tags.trained(images, words)
    x = images / 255
    assert again(x) == pytest.approx(network(x), abs=1e-5)
    assert tags.seen(network, x).shape == (32, tags.FEATURES)
