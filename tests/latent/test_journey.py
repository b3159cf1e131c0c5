"""Journeys: their ends, their numbers against the library's, and the grid between four."""

import pytest
import torch

import vae
from tests.registry import VECTORS
from vae import data, latent
from vae.latent.encodings import Company
from vae.latent.journey import PATHS, journey, met, paths
from vae.models import pretrained

NAMES = VECTORS
STEPS = 7


def setting(name: str):
    model, dataset = vae.load_pretrained(name), pretrained.load_card(name)["data"]["name"]
    company = Company(*pretrained.load_encodings(name), data.load(dataset, "test").images)
    x = data.test_inputs(dataset)[[3, 21]]
    mu = model.encode(x).mean.detach()
    return model, company, x, mu


@pytest.fixture(scope="module", params=NAMES)
def travelled(request):
    model, company, x, mu = setting(request.param)
    return model, company, x, mu, journey(model, mu, x[:1], x[1:], company, STEPS)


def test_every_path_runs_from_one_encoding_exactly_to_the_other(travelled):
    model, _, _, mu, ways = travelled
    assert list(ways) == list(paths(model.input_spec))
    assert len(ways) == len(PATHS) - (model.input_spec.levels > 2)  # a large picture takes too long to follow the data
    for way in ways.values():
        assert way.z.shape == (STEPS, mu.shape[1])
        assert torch.equal(way.z[0], mu[0])
        assert torch.equal(way.z[-1], mu[1])


def test_what_is_met_is_what_the_library_says_of_each_place(travelled):
    model, everyone, x, mu, ways = travelled
    company = everyone.without(mu)  # the ends are test pictures, which do not count themselves
    assert len(everyone) - 5 <= len(company) <= len(everyone) - 2  # on a plane another may be as near
    for way in ways.values():
        likelihood = model.decode(way.z)
        steps = way.steps
        torch.testing.assert_close(steps.mean, likelihood.mean)
        torch.testing.assert_close(steps.towards_a, likelihood.log_prob(x[:1].expand(STEPS, -1, -1, -1)))
        torch.testing.assert_close(steps.towards_b, likelihood.log_prob(x[1:].expand(STEPS, -1, -1, -1)))
        mixture = torch.distributions.MixtureSameFamily(
            torch.distributions.Categorical(torch.ones(len(company), dtype=torch.float64)),
            torch.distributions.Independent(torch.distributions.Normal(company.mu.double(), company.sigma.double()), 1),
        )
        torch.testing.assert_close(steps.log_density, mixture.log_prob(way.z.double()).float(), atol=1e-3, rtol=1e-4)
        assert (steps.kl > 0).all()
        assert way.judged == latent.judge(model, way.z, company.mu, company.sigma)


def test_a_journey_from_a_picture_to_itself_stays_there():
    model, company, x, mu = setting(NAMES[0])
    for way in journey(model, mu[[0, 0]], x[:1], x[:1], company, STEPS).values():
        assert torch.equal(way.z, mu[:1].expand(STEPS, -1))
        assert way.judged.length == 0


def test_no_step_depends_on_its_company():
    model, company, x, mu = setting(NAMES[0])
    z = latent.lerp(mu[0], mu[1], STEPS)
    whole, part = (met(model, rows, x[:1], x[1:], company) for rows in (z, z[2:4]))
    for all_of_it, some in zip(whole, part, strict=True):
        torch.testing.assert_close(all_of_it[2:4], some)


def test_the_corners_of_the_grid_are_the_four_and_its_edges_are_straight():
    corners = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    grid = latent.bilinear(corners, 6)
    assert grid.shape == (6, 6, 5)
    assert torch.equal(torch.stack([grid[0, 0], grid[0, -1], grid[-1, 0], grid[-1, -1]]), corners)
    assert torch.equal(grid[0], latent.lerp(corners[0], corners[1], 6))
    assert torch.equal(grid[:, -1], latent.lerp(corners[1], corners[3], 6))
    weights = torch.tensor([0.6 * 0.8, 0.4 * 0.8, 0.6 * 0.2, 0.4 * 0.2])
    torch.testing.assert_close(grid[1, 2], weights @ corners)


def test_a_grid_needs_two_rows():
    with pytest.raises(ValueError, match="at least 2"):
        latent.bilinear(torch.zeros(4, 2), 1)
