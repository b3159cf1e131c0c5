"""The company of a place: against counting by hand, closed forms and torch's own distributions."""

import math

import pytest
import torch

from tests.registry import VECTORS
from vae import data
from vae.latent.aggregate import aggregate_log_density
from vae.latent.encodings import Company, near, shadow, typical_densities
from vae.models import pretrained


def normals(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def company(n: int, d: int, sigma: float = 0.1) -> Company:
    """Encodings, and pictures of 2 x 2 grey levels that are linear in them, each latent a fifth of the one before."""
    mu, slopes = normals(n, d), torch.zeros(d, 4)
    slopes[:4] = (0.1 * 0.2 ** torch.arange(4))[:d, None] * torch.linalg.qr(normals(4, 4, seed=1)).Q[:d]
    levels = 128 + 255 * mu @ slopes
    return Company(mu, torch.full((n, d), sigma), levels.round().clamp(0, 255).byte().view(n, 1, 2, 2))


def test_the_nearest_come_first_and_a_member_is_its_own_nearest():
    around = company(50, 3, sigma=1e-4)
    found = near(around, around.mu[[7, 9]])
    assert found.indices[:, 0].tolist() == [7, 9]
    assert torch.equal(found.distances, found.distances.sort().values)
    # what the distances promise, but for one factor: the pictures' own differences, in grey levels
    changes = (around.pictures.flatten(1).float() - around.pictures[7].flatten()).norm(dim=1).sort().values[:8]
    factor = (changes @ found.distances[0]) / found.distances[0].square().sum()
    torch.testing.assert_close(factor * found.distances[0], changes, atol=2.5, rtol=0)  # four levels were rounded


def test_the_metric_is_the_least_squares_fit_of_the_pictures_on_draws_of_their_encodings():
    around = company(400, 3, sigma=0.5)
    z = around.mu + around.sigma * normals(500, 400, 3, seed=2)
    x = (around.pictures.flatten(1).float() / 255).expand(500, -1, -1).flatten(0, 1)
    z = z.flatten(0, 1)
    slopes = torch.linalg.lstsq(z - z.mean(0), x - x.mean(0)).solution
    expected = slopes @ slopes.T
    torch.testing.assert_close(around.metric, 3 * expected / expected.trace(), rtol=0.03, atol=0.01)
    assert float(torch.linalg.eigvalsh(around.metric).mean()) == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(around.yardstick @ around.yardstick.T, around.metric, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", VECTORS)
def test_by_the_metric_the_nearest_look_more_alike_than_by_distances_of_z(name):
    dataset = pretrained.load_card(name)["data"]["name"]
    around = Company(*pretrained.load_encodings(name), data.load(dataset, "test").images)
    pictures = around.pictures.flatten(1).float() / 255
    different = []
    for places in (around.measured, around.mu):
        nearest = torch.cdist(places[:500], places).topk(6, largest=False).indices[:, 1:]
        different.append(float((pictures[nearest] - pictures[:500, None]).square().mean()))
    if around.mu.shape[1] == 2:
        assert different[0] == pytest.approx(different[1], rel=0.02)  # two latents weigh about the same
    else:
        assert different[0] < 0.95 * different[1]


def test_typical_places_of_a_wide_company_are_as_dense_as_the_normal_they_were_drawn_from():
    # mu ~ N(0, I) and sigma = 1: places z ~ N(0, 2 I), whose mean log density is known
    found = typical_densities(company(10_000, 2, sigma=1.0), count=2000)
    assert torch.equal(found, found.sort().values)
    assert abs(float(found.mean()) + math.log(2 * math.pi * 2) + 1) < 0.1


def test_a_picture_does_not_stand_in_its_own_light():
    # far apart and narrow: each place would be very dense if its own encoding counted
    apart = company(1000, 24, sigma=0.01)
    assert typical_densities(apart, count=50).max() < -1000


def test_the_shadow_ranks_the_middle_of_a_crowd_highest_and_emptiness_zero():
    around = company(10_000, 3, sigma=0.3)
    rank = shadow(around, torch.eye(3)[:2], (0.0, 0.0), 6.0, 40)
    assert rank[19:21, 19:21].min() > 0.9
    assert rank[0].max() == 0
    # half of N(0, 1.09 I) lies inside radius sqrt(2 ln 2) sigma, where half of all encodings are in less dense cells
    radius = math.sqrt(2 * math.log(2) * 1.09)
    cell = int((radius / 6 + 1) * 20)
    assert abs(float(rank[20, cell]) - 0.5) < 0.15


def test_rows_of_the_shadow_go_upwards_and_columns_to_the_right():
    mu = torch.tensor([[1.5, 2.5], [1.5, 2.5], [-1.5, -1.5]])
    around = Company(mu, torch.full((3, 2), 1e-3), torch.zeros(3, 1, 2, 2, dtype=torch.uint8))
    rank = shadow(around, torch.eye(2), (0.0, 0.0), 4.0, 8)
    crowded = (rank > 0).nonzero().double()
    assert crowded.mean(0).tolist() == [6, 5]
    assert rank.max() == pytest.approx(1 / 3)  # the lone one lies where it is less dense


@pytest.mark.parametrize("name", VECTORS)
def test_at_a_pictures_own_place_the_density_is_that_of_the_others_and_comparable_to_the_typical(name):
    dataset = pretrained.load_card(name)["data"]["name"]
    around = Company(*pretrained.load_encodings(name), data.load(dataset, "test").images)
    some = torch.randperm(len(around), generator=torch.Generator().manual_seed(4))[:40]
    others = torch.ones(len(around), dtype=torch.bool)
    found = near(around, around.mu[some])
    for index, density in zip(some[:5], found.log_density, strict=False):
        others[:] = True
        others[index] = False
        expected = aggregate_log_density(around.mu[index][None], around.mu[others], around.sigma[others])[0]
        assert float(density) == pytest.approx(float(expected), abs=0.02)
    rank = torch.searchsorted(typical_densities(around), found.log_density.contiguous()) / 400
    assert 0.3 < float(rank.mean()) < 0.95  # means lie a little denser than draws, not beyond all of them
    kept = around.without(around.mu[some[:3]])
    assert len(around) - 8 <= len(kept) <= len(around) - 3
    assert around.without(around.mu[some[:1]] + 0.5) is around
