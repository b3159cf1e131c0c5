"""The true posterior on the plane: its evidence against adaptive quadrature, its gap against sampling."""

import math

import numpy as np
import pytest
import torch

from vae import checkpoint, data
from vae.exact import Grid
from vae.models import VAE, ModelConfig
from vae.objective import elbo
from vae.posterior import EXTENT, SIDE, WIDTH, Plane, fingerprint, gap
from vae.spec import InputSpec

SMALL = InputSpec(height=4, width=4)


def toy(seed: int = 0) -> VAE:
    """A small decoder with steep log-odds, so that posteriors are narrower than the prior and not Gaussian."""
    model = VAE(ModelConfig(SMALL, 2, width=16, dense_blocks=1), torch.Generator().manual_seed(seed))
    with torch.no_grad():
        model.decoder[-2].weight *= 6
    return model.requires_grad_(False).eval()


@pytest.fixture(scope="module")
def plane(tmp_path_factory) -> Plane:
    return Plane(toy(), tmp_path_factory.mktemp("plane"))


def bits(count: int, spec: InputSpec = SMALL) -> torch.Tensor:
    return torch.rand(count, 1, *spec.shape, generator=torch.Generator().manual_seed(2)).round()


def test_every_cell_holds_the_joint_density_at_its_middle(plane):
    for x in bits(3):
        joint = plane.log_joint(x)
        cells = torch.randint(SIDE, (200, 2), generator=torch.Generator().manual_seed(1))
        z = torch.stack([cells[:, 1], cells[:, 0]], 1) * WIDTH + WIDTH / 2 - EXTENT
        exact = plane.at(z, x)
        np.testing.assert_allclose(joint[cells[:, 0], cells[:, 1]], exact, atol=0.02)


def test_log_p_of_x_is_that_of_adaptive_quadrature(plane):
    grid = Grid(plane.model)
    for x in bits(5):
        value, changed = plane.log_evidence(x)
        assert value == pytest.approx(float(grid.evidence(x).log_evidence), abs=5e-3)
        assert changed < 0.1


@pytest.mark.parametrize("name", [name for name in checkpoint.list_pretrained() if name.endswith("-2d")][:1])
def test_log_p_of_a_test_picture_under_a_shipped_model_is_that_of_adaptive_quadrature(name, tmp_path):
    model = checkpoint.load_pretrained(name, "cpu")
    x = data.fixed_binarisation(checkpoint.load_card(name)["data"]["name"])
    some = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(3))[:4]]
    plane, grid = Plane(model, tmp_path), Grid(model)
    for one in some:
        value, _ = plane.log_evidence(one[None])
        assert value == pytest.approx(float(grid.evidence(one[None]).log_evidence), abs=5e-3)


def test_the_gap_is_log_p_of_x_minus_an_elbo_of_samples(plane):
    for x in bits(4):
        evidence = plane.log_evidence(x)[0]
        q = plane.model.encode(x)
        found, changed = gap(plane.model, x, q, evidence)
        with torch.inference_mode():
            draws = torch.stack([elbo(plane.model, x, 1, torch.Generator().manual_seed(s))[0] for s in range(3000)])
        assert found >= 0
        assert found == pytest.approx(evidence - float(draws.mean()), abs=4 * float(draws.std()) / math.sqrt(3000))
        assert changed < 0.1


def test_the_window_holds_q_and_the_best_place_and_the_density_there(plane):
    for x in bits(4):
        q = plane.model.encode(x)
        window = plane.window(x, q, side=24)
        joint = plane.log_joint(x)
        row, column = np.unravel_index(joint.argmax(), joint.shape)
        best = np.array([column, row]) * WIDTH + WIDTH / 2 - EXTENT
        for place in (best, q.mean[0].numpy()):
            assert (np.abs(place - np.array(window.middle)) <= window.half).all()
        assert window.log_density.shape == (24, 24)
        assert window.log_density.max() == 0
        corner = torch.tensor([window.middle]) + window.half * torch.tensor([[1 - 1 / 24, 1 - 1 / 24]])
        opposite = torch.tensor([window.middle]) - window.half * torch.tensor([[1 - 1 / 24, 1 - 1 / 24]])
        values = plane.at(torch.cat([corner, opposite]), x)
        difference = float(values[0] - values[1])
        assert window.log_density[-1, -1] - window.log_density[0, 0] == pytest.approx(difference, abs=1e-3)


def test_the_plane_is_built_once_for_the_same_decoder_and_again_for_another(tmp_path):
    shares: list[float] = []
    Plane(toy(), tmp_path, shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    before = len(shares)
    Plane(toy(), tmp_path, shares.append)
    assert len(shares) == before
    assert fingerprint(toy()) != fingerprint(toy(1))
    next(tmp_path.iterdir()).write_bytes(b"torn")  # whatever is there is not trusted
    Plane(toy(), tmp_path, shares.append)
    assert len(shares) == 2 * before


@pytest.mark.parametrize("config", [ModelConfig(SMALL, 3, width=8), ModelConfig(InputSpec(levels=256), 2, width=8)])
def test_other_models_have_no_plane(config, tmp_path):
    with pytest.raises(ValueError, match="two latents and binary pixels"):
        Plane(VAE(config), tmp_path)
