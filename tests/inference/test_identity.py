"""Both sides of the identity: each against another method, and the two against one another, with errors planted."""

import math

import pytest
import torch

from vae.distributions import rsample
from vae.inference.evidence import Grid
from vae.inference.identity import QUICK, THOROUGH, sides
from vae.inference.posterior import Plane
from vae.models import VAE
from vae.models.spaces import Pictures
from vae.objective import elbo

SMALL = Pictures(height=4, width=4)


def toy() -> VAE:
    model = VAE(VAE.Config(SMALL, 2, width=16, dense_blocks=1), torch.Generator().manual_seed(0))
    with torch.no_grad():
        model.decoder[-2].weight *= 6
    return model.requires_grad_(False).eval()


@pytest.fixture
def plane(tmp_path_factory) -> Plane:
    return Plane(toy(), tmp_path_factory.mktemp("plane"))


def bits(count: int) -> torch.Tensor:
    return torch.rand(count, 1, *SMALL.shape, generator=torch.Generator().manual_seed(2)).round()


@torch.inference_mode()
def test_every_term_of_the_right_side_is_that_of_many_other_draws():
    model = toy()
    for x in bits(3):
        found, posterior = sides(model, x, effort=THOROUGH)
        assert posterior is None
        assert all(math.isnan(value) for value in found[-4:])
        q = model.encode(x)
        torch.testing.assert_close(found.mu, q.mean[0])
        torch.testing.assert_close(found.sigma, q.stddev[0])
        z = rsample(q, torch.Generator().manual_seed(9), (20_000,)).flatten(0, 1)
        assert found.entropy == pytest.approx(-float(q.log_prob(z).mean()), abs=0.03)
        assert found.expected_prior == pytest.approx(float(model.prior.log_prob(z).mean()), abs=0.03)
        assert found.kl == pytest.approx(-found.entropy - found.expected_prior, abs=1e-4)
        draws = torch.cat([elbo(model, x, 1, torch.Generator().manual_seed(seed)) for seed in range(2000)])
        error = math.hypot(found.reconstruction_error, float(draws.std()) / math.sqrt(2000))
        assert found.reconstruction - found.kl == pytest.approx(float(draws.mean()), abs=4 * error)
        assert found.likelihood_at_mu == pytest.approx(float(model.decode(q.mean).log_prob(x)), abs=1e-4)
        assert found.prior_at_mu == pytest.approx(float(model.prior.log_prob(q.mean)), abs=1e-5)


@pytest.mark.parametrize("effort", [QUICK, THOROUGH])
def test_the_sides_agree_within_their_errors_and_log_p_of_x_is_that_of_adaptive_quadrature(plane, effort):
    grid = Grid(plane.model)
    for x in bits(5):
        found, posterior = sides(plane.model, x, plane, effort=effort)
        apart = found.log_evidence - found.gap - (found.reconstruction - found.kl)
        assert abs(apart) < 4 * found.reconstruction_error + found.evidence_error + found.gap_error
        assert found.log_evidence == posterior.log_evidence
        assert found.log_evidence == pytest.approx(float(grid.evidence(x).log_evidence), abs=5e-3)
        assert found.gap >= 0


def test_an_error_of_the_planes_log_p_of_x_sets_the_sides_apart_where_the_grid_normalises_the_posterior(plane):
    x, grid = bits(1)[0], Grid(plane.model)
    right, _ = sides(plane.model, x, plane, grid, THOROUGH)
    plane._constant = plane._constant + 0.5
    plane.at = lambda z, x, at=plane.at: at(z, x) + 0.5
    wrong, _ = sides(plane.model, x, plane, grid, THOROUGH)
    apart = [one.log_evidence - one.gap - (one.reconstruction - one.kl) for one in (right, wrong)]
    assert apart[1] - apart[0] == pytest.approx(0.5, abs=1e-3)
    assert right.evidence_error < 5e-3
    assert wrong.evidence_error == pytest.approx(0.5, abs=5e-3)


def test_the_noise_is_that_of_the_seed():
    x = bits(1)[0]
    same = [sides(toy(), x, seed=3)[0].reconstruction for _ in range(2)]
    assert same[0] == same[1] != sides(toy(), x, seed=4)[0].reconstruction
