"""The true posterior on the plane: its evidence against adaptive quadrature, its gap against sampling."""

import math

import numpy as np
import pytest
import torch

from tests.registry import VECTORS
from vae import data
from vae.inference.evidence import Grid
from vae.inference.posterior import EXTENT, MASSES, SIDE, THOROUGH, WIDTH, Plane, Raster, gap
from vae.models import VAE, pretrained
from vae.models.spaces import Pictures
from vae.objective import elbo

SMALL = Pictures(height=4, width=4)


def toy(seed: int = 0) -> VAE:
    """A small decoder with steep log-odds, so that posteriors are narrower than the prior and not Gaussian."""
    model = VAE(VAE.Config(SMALL, 2, width=16, dense_blocks=1), torch.Generator().manual_seed(seed))
    with torch.no_grad():
        model.decoder[-2].weight *= 6
    return model.requires_grad_(False).eval()


@pytest.fixture(scope="module")
def plane(tmp_path_factory) -> Plane:
    return Plane(toy(), tmp_path_factory.mktemp("plane"))


def bits(count: int, spec: Pictures = SMALL) -> torch.Tensor:
    return torch.rand(count, 1, *spec.shape, generator=torch.Generator().manual_seed(2)).round()


def test_every_cell_holds_the_joint_density_at_its_middle(plane):
    for x in bits(3):
        joint = plane.log_joint(x)
        cells = torch.randint(SIDE, (200, 2), generator=torch.Generator().manual_seed(1))
        cells = cells // 3 + SIDE // 3  # where each cell has a place of its own
        z = torch.stack([cells[:, 1], cells[:, 0]], 1) * WIDTH + WIDTH / 2 - EXTENT
        exact = plane.at(z, x)
        np.testing.assert_allclose(joint[cells[:, 0], cells[:, 1]], exact, atol=0.02)


def test_log_p_of_x_is_that_of_adaptive_quadrature(plane):
    grid = Grid(plane.model)
    for x in bits(5):
        found = plane.posterior(x, THOROUGH)
        assert found.log_evidence == pytest.approx(float(grid.evidence(x).log_evidence), abs=5e-3)
        assert found.error < 0.1


@pytest.mark.parametrize("name", [name for name in VECTORS if name.endswith("-2d")][:1])
def test_log_p_of_a_test_picture_under_a_shipped_model_is_that_of_adaptive_quadrature(name, tmp_path):
    model = pretrained.load_pretrained(name, "cpu")
    x = data.fixed_binarisation(pretrained.load_card(name)["data"]["name"])
    some = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(3))[:4]]
    narrow = x[[2525, 2981, 5150]]  # whose posteriors reach into cells whose middles they miss
    plane, grid = Plane(model, tmp_path), Grid(model)
    for one in torch.cat([some, narrow]):
        value = plane.posterior(one[None], THOROUGH).log_evidence
        assert value == pytest.approx(float(grid.evidence(one[None]).log_evidence), abs=5e-3)


def test_the_gap_is_log_p_of_x_minus_an_elbo_of_samples(plane):
    for x in bits(4):
        evidence = plane.posterior(x, THOROUGH).log_evidence
        q = plane.model.encode(x)
        found, changed = gap(plane.model, x, q, evidence)
        with torch.inference_mode():
            draws = torch.stack([elbo(plane.model, x, 1, torch.Generator().manual_seed(s))[0] for s in range(3000)])
        assert found >= 0
        assert found == pytest.approx(evidence - float(draws.mean()), abs=4 * float(draws.std()) / math.sqrt(3000))
        assert changed < 0.1


def test_a_picture_that_is_drawn_pixel_by_pixel_has_the_density_of_one_that_comes_at_once(plane, tmp_path):
    x, y = bits(2)
    drawn = x.clone()
    for place in (x != y).nonzero():
        drawn[tuple(place)] = y[tuple(place)]
        plane.log_joint(drawn)
    np.testing.assert_array_equal(plane.log_joint(drawn), Plane(plane.model, tmp_path).log_joint(y))


@pytest.mark.parametrize("places", [320, 8000])
def test_a_posterior_is_normalised_by_the_evidence_of_adaptive_quadrature(plane, places):
    grid = Grid(plane.model)
    for x in bits(5):
        assert plane.posterior(x, places).log_evidence == pytest.approx(float(grid.evidence(x).log_evidence), abs=5e-3)


def test_half_of_the_places_that_are_decoded_again_bound_the_error_of_narrow_posteriors(tmp_path):
    narrow = toy(4)
    with torch.no_grad():
        narrow.decoder[-2].weight *= 40
    plane, grid = Plane(narrow, tmp_path), Grid(narrow)
    found = [plane.posterior(x, 320) for x in bits(5)]
    off = [abs(p.log_evidence - float(grid.evidence(x).log_evidence)) for p, x in zip(found, bits(5), strict=True)]
    stated = [p.error for p in found]
    assert max(stated) > 1e-4  # it is not always zero
    assert all(difference < max(5 * error, 5e-3) for difference, error in zip(off, stated, strict=True))


def lattice(raster: Raster) -> torch.Tensor:
    """The raster's places, (rows, columns, 2)."""
    rows, columns = raster.log_density.shape
    across = raster.left + (torch.arange(columns) + 0.5) * raster.width
    up = raster.bottom + (torch.arange(rows) + 0.5) * raster.width
    return torch.stack(torch.meshgrid(across, up, indexing="xy"), -1).float()


def test_rasters_hold_the_normalised_density_at_their_places(plane):
    for x in bits(3):
        found = plane.posterior(x, 8000)
        _, near, fine = found.rasters
        assert fine.width < near.width == WIDTH
        for raster in (near, fine):
            exact = plane.at(lattice(raster).flatten(0, 1), x).numpy().reshape(raster.log_density.shape)
            likely = raster.log_density > found.levels[-1]
            assert likely.sum() > 20
            np.testing.assert_allclose(raster.log_density[likely], (exact - found.log_evidence)[likely], atol=0.06)


def test_the_whole_planes_raster_holds_all_of_the_mass(plane):
    for x in bits(3):
        whole = plane.posterior(x).rasters[0]
        assert float(np.exp(whole.log_density).sum() * whole.width**2) == pytest.approx(1, abs=5e-3)


def test_the_regions_inside_the_levels_hold_their_shares_of_prior_samples_weighed_by_the_likelihood(plane):
    z = torch.randn(200_000, 2, generator=torch.Generator().manual_seed(4))
    for x in bits(3):
        found = plane.posterior(x)
        density = plane.at(z, x).numpy() - found.log_evidence
        weights = np.exp(density - plane.model.prior.log_prob(z).numpy())
        shares = [weights[density >= level].sum() / weights.sum() for level in found.levels]
        np.testing.assert_allclose(shares, MASSES, atol=0.02)


@pytest.mark.parametrize("config", [VAE.Config(SMALL, 3, width=8), VAE.Config(Pictures(levels=256), 2, width=8)])
def test_other_models_have_no_plane(config, tmp_path):
    with pytest.raises(ValueError, match="two latents and binary pixels"):
        Plane(VAE(config), tmp_path)
