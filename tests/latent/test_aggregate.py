"""Densities, neighbours and groups of encodings against torch's own mixture, quadrature and known Gaussians."""

import math
import statistics

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from vae.latent import aggregate
from vae.latent.aggregate import aggregate_log_density
from vae.latent.directions import attribute


def encodings(n: int, d: int, spread: float, sigma: tuple[float, float], seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    least, greatest = sigma
    mu = spread * torch.randn(n, d, generator=generator)
    return mu, least + (greatest - least) * torch.rand(n, d, generator=generator)


def mixture(mu: Tensor, sigma: Tensor) -> MixtureSameFamily:
    """The oracle, in float64."""
    components = Independent(Normal(mu.double(), sigma.double()), 1)
    return MixtureSameFamily(Categorical(torch.ones(len(mu), dtype=torch.float64)), components)


@pytest.mark.parametrize("sigma", [(0.2, 1.0), (0.005, 0.05), (0.005, 0.005)])
@pytest.mark.parametrize("d", [1, 2, 24])
def test_the_aggregate_density_is_torchs_mixture(d, sigma):
    mu, sigma = encodings(200, d, 5.0, sigma)
    noise = torch.randn(mu.shape, generator=torch.Generator().manual_seed(1))
    z = torch.cat([mu + sigma * noise, mu[:20] + 0.5, torch.full((1, d), 30.0)])
    expected = mixture(mu, sigma).log_prob(z.double())
    torch.testing.assert_close(aggregate_log_density(z, mu, sigma).double(), expected, rtol=1e-5, atol=1e-4)


def test_the_aggregate_density_integrates_to_one():
    mu, sigma = encodings(30, 2, 1.0, (0.1, 0.5))
    axis = torch.linspace(-7, 7, 561, dtype=torch.float64)
    density = aggregate_log_density(torch.cartesian_prod(axis, axis), mu, sigma).exp()
    assert density.sum() * (axis[1] - axis[0]) ** 2 == pytest.approx(1, abs=1e-6)


def test_the_slope_of_the_aggregate_density_is_that_of_torchs_mixture():
    mu, sigma = encodings(50, 3, 1.0, (0.05, 0.5))
    z = torch.randn(40, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(aggregate_log_density(z, mu, sigma).sum(), z)
    (expected,) = torch.autograd.grad(mixture(mu, sigma).log_prob(z).sum(), z)
    torch.testing.assert_close(slope, expected)


def test_the_aggregate_density_is_the_same_however_few_places_are_taken_at_a_time(monkeypatch):
    mu, sigma = encodings(20, 2, 1.0, (0.1, 0.5))
    z = torch.randn(11, 2, generator=torch.Generator().manual_seed(1))
    whole = aggregate_log_density(z, mu, sigma)
    for chunk in (1, 60):
        monkeypatch.setattr(aggregate, "CHUNK", chunk)
        torch.testing.assert_close(aggregate_log_density(z, mu, sigma), whole)


def groups(na: int, nb: int, d: int, apart: float, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Standard normal encodings, those of the first group moved by `apart` along the first latent."""
    mu = torch.randn(na + nb, d, generator=torch.Generator().manual_seed(seed))
    mu[:na, 0] += apart
    return mu, torch.arange(na), torch.arange(na, na + nb)


def test_the_effect_of_a_known_shift_is_found_within_its_error():
    found = attribute(*groups(3000, 5000, 4, 1.5))
    assert abs(found.effect - 1.5) < 3 * found.error
    torch.testing.assert_close(found.direction, torch.tensor([1.5, 0, 0, 0]), atol=0.15, rtol=0)
    torch.testing.assert_close(found.per_dimension, torch.tensor([1.5, 0, 0, 0]), atol=0.15, rtol=0)


@pytest.mark.parametrize(("na", "nb"), [(40, 60), (41, 7)])
def test_the_effect_is_cohens_d_of_the_half_that_was_held_out_as_computed_by_hand(na, nb):
    mu, a, b = groups(na, nb, 3, 1.0, seed=5)
    generator, halves = torch.Generator().manual_seed(2), []
    for group in (a.tolist(), b.tolist()):
        shuffled = [group[i] for i in torch.randperm(len(group), generator=generator).tolist()]
        cut = math.ceil(len(group) / 2)
        halves.append((mu[shuffled[:cut]].double().tolist(), mu[shuffled[cut:]].double().tolist()))
    (held_a, made_a), (held_b, made_b) = halves
    mean = [[statistics.fmean(column) for column in zip(*half, strict=True)] for half in (made_a, made_b)]
    direction = [x - y for x, y in zip(*mean, strict=True)]

    def cohen(one: list[float], other: list[float]) -> float:
        n, m = len(one), len(other)
        pooled = ((n - 1) * statistics.variance(one) + (m - 1) * statistics.variance(other)) / (n + m - 2)
        return (statistics.fmean(one) - statistics.fmean(other)) / math.sqrt(pooled)

    along_a, along_b = (
        [sum(x * y for x, y in zip(z, direction, strict=True)) for z in half] for half in (held_a, held_b)
    )
    found = attribute(mu, a, b, seed=2)
    assert found.direction.tolist() == pytest.approx(direction, abs=1e-6)
    assert found.effect == pytest.approx(cohen(along_a, along_b), rel=1e-9)
    per_dimension = [cohen(*sides) for sides in zip(zip(*held_a, strict=True), zip(*held_b, strict=True), strict=True)]
    assert found.per_dimension.tolist() == pytest.approx(per_dimension, rel=1e-5)
    n, m = len(held_a), len(held_b)
    assert found.error == pytest.approx(math.sqrt((n + m) / (n * m) + found.effect**2 / (2 * (n + m))), rel=1e-9)


def test_the_error_is_the_spread_of_the_effect_over_many_draws():
    """d = 1, so that the direction is the same whatever the halves are, but for its sign."""
    found = [attribute(*groups(60, 40, 1, 1.0, seed)) for seed in range(400)]
    spread = torch.tensor([each.effect for each in found]).std().item()
    assert spread == pytest.approx(sum(each.error for each in found) / len(found), rel=0.1)
    assert found[0].error == pytest.approx(math.sqrt(50 / 600 + found[0].effect ** 2 / 100))


def test_noise_has_no_effect_on_pictures_that_the_direction_was_not_made_from():
    """24 pictures in 200 dimensions: there is always a direction between them, and it says nothing of others."""
    large = 0
    for seed in range(20):
        mu, a, b = groups(12, 12, 200, 0.0, seed)
        direction = mu[a].mean(0) - mu[b].mean(0)
        seen, other = mu[a] @ direction, mu[b] @ direction
        assert (seen.mean() - other.mean()) / ((seen.var() + other.var()) / 2).sqrt() > 3
        found = attribute(mu, a, b)
        large += abs(found.effect) > 3 * found.error
    assert large <= 1


def test_who_is_in_both_groups_is_in_neither_and_who_is_named_twice_counts_once():
    mu, a, b = groups(20, 30, 3, 1.0)
    alone = attribute(mu, a[:15], b)
    both = attribute(mu, torch.cat([a, a[:4]]), torch.cat([b, a[15:]]))
    for one, other in zip(alone, both, strict=True):
        assert torch.equal(torch.as_tensor(one), torch.as_tensor(other))


def test_the_halves_are_those_of_the_seed():
    mu, a, b = groups(20, 30, 3, 1.0)
    assert torch.equal(attribute(mu, a, b, seed=1).direction, attribute(mu, a, b, seed=1).direction)
    assert not torch.equal(attribute(mu, a, b, seed=1).direction, attribute(mu, a, b, seed=2).direction)


def test_groups_of_fewer_than_four_pictures_of_their_own_are_refused():
    mu, a, b = groups(8, 8, 3, 1.0)
    attribute(mu, a[:4], b[:4])
    with pytest.raises(ValueError, match="these have 3 and 8"):
        attribute(mu, torch.cat([a[:3], a[:3]]), b)
    with pytest.raises(ValueError, match="these have 2 and 3"):
        attribute(mu, a[:7], torch.cat([a[2:], b[:2]]).long())


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_groups_whose_means_coincide_are_refused(value):
    with pytest.raises(ValueError, match="the same mean"):
        attribute(torch.full((21, 3), value), torch.arange(8), torch.arange(8, 21))
