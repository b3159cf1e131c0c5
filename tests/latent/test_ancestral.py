"""Ancestral sampling against torch's own densities, and against a model whose posterior is known."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Normal

import vae
from tests.likelihoods import drawn, log_prob
from tests.registry import BITS, VECTORS
from vae.data import DATASETS
from vae.latent.ancestral import ancestry, calibration
from vae.models import VAE, build

NAMES = VECTORS
EVERY_MODEL = pytest.mark.parametrize("name", NAMES)


def unrelated(stretch: float) -> VAE:
    """A model of pictures that have nothing to do with z, so that p(z|x) is the prior; q's scale is `stretch`."""
    model = build(VAE.Config(DATASETS["mnist"].spec, 3, width=4, dense_blocks=0), torch.Generator().manual_seed(0))
    layers = [
        [layer for layer in network if isinstance(layer, nn.Linear)] for network in (model.encoder, model.decoder)
    ]
    for *_, last in layers:
        nn.init.zeros_(last.weight)
    with torch.no_grad():
        layers[0][-1].bias[3:] = math.log(stretch)
    return model.requires_grad_(False)


def some(latents: int, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(rows, latents, generator=generator), torch.randint(2**32, (rows,), generator=generator)


@EVERY_MODEL
def test_densities_are_those_of_torch_at_the_sample(name):
    model = vae.load_pretrained(name, device="cpu")
    z, seeds = some(model.latents, 5)
    found = ancestry(model, z, seeds)
    with torch.inference_mode():
        q, p = model.encode(found.x), model.decode(z)
    levels = model.input_spec.levels - 1
    assert torch.equal((levels * found.x).round() / levels, found.x)
    assert found.x.unique().numel() > 1
    close = {"rtol": 1e-4, "atol": 1e-3}
    torch.testing.assert_close(found.log_prior, Normal(0, 1).log_prob(z).sum(1), **close)
    torch.testing.assert_close(found.log_likelihood, log_prob(p, found.x).float(), **close)
    torch.testing.assert_close(found.log_posterior, Normal(q.mean, q.stddev).log_prob(z).sum(1), **close)
    inside = Normal(q.mean, q.stddev).cdf(z).sub(0.5).abs() < Normal(0, 1).cdf(torch.tensor(1.0)) - 0.5
    torch.testing.assert_close(found.within, inside.float().mean(1), **close)


@pytest.mark.parametrize("name", BITS)
def test_each_pixel_is_drawn_with_the_probability_that_the_mean_says(name):
    """Chi-squared over the pixels: 2,000 draws of one z, each with a seed of its own."""
    model = vae.load_pretrained(name, device="cpu")
    z, rows = some(model.latents, 1)[0], 2000
    found = [ancestry(model, z.expand(500, -1), torch.arange(first, first + 500)) for first in range(0, rows, 500)]
    mean = found[0].mean[0].double()
    ink = torch.cat([part.x for part in found]).double().mean(0)
    doubtful = (mean > 0.01) & (mean < 0.99)
    squares = ((ink - mean).square() / (mean * (1 - mean) / rows))[doubtful]
    assert len(squares) > 50
    assert abs(squares.sum() - len(squares)) < 6 * (2 * len(squares)) ** 0.5


@EVERY_MODEL
def test_each_value_is_drawn_as_its_distribution_function_says(name):
    """By scipy's, turned around: the picture of the noise of each seed."""
    model = vae.load_pretrained(name, device="cpu")
    z, seeds = some(model.latents, 3)
    found = ancestry(model, z, seeds)
    noise = torch.stack([torch.rand(found.x.shape[1:], generator=torch.Generator().manual_seed(int(s))) for s in seeds])
    with torch.inference_mode():
        expected = drawn(model.decode(z), noise)
    assert (found.x - expected).abs().gt(1e-6).double().mean() < 1e-3  # where float32 decides otherwise
    assert (found.x - expected).abs().max() <= 1 / (model.input_spec.levels - 1) + 1e-6


def test_no_row_depends_on_its_company_and_a_seed_draws_the_same_picture_again():
    model = vae.load_pretrained(NAMES[0], device="cpu")
    z, seeds = some(model.latents, 4)
    together, alone = ancestry(model, z, seeds), ancestry(model, z[2:3], seeds[2:3])
    assert torch.equal(together.x[2], alone.x[0])
    assert not torch.equal(alone.x, ancestry(model, z[2:3], seeds[:1]).x)


@pytest.mark.parametrize(("stretch", "share"), [(1.0, 0.6827), (2.0, 0.9545)])
def test_z_is_within_one_sigma_68_percent_of_the_time_where_q_is_the_posterior_and_more_where_it_is_too_wide(
    stretch, share
):
    z, seeds = some(3, 2000)
    within = ancestry(unrelated(stretch), z, seeds).within
    assert abs(within.mean() - share) < 4 * within.std() / len(z) ** 0.5


@pytest.mark.parametrize("stretch", [0.5, 1.0, 2.0])
def test_of_a_known_posterior_the_share_within_a_sigma_is_the_normal_distributions(stretch):
    found = calibration(unrelated(stretch), 4000, torch.Generator().manual_seed(1))
    exact = float(2 * Normal(0, 1).cdf(torch.tensor(stretch)) - 1)
    assert found.within == pytest.approx(exact, abs=4 * found.error)
    assert found.error == pytest.approx((exact * (1 - exact) / 12000) ** 0.5, rel=0.1)
    assert found.typical == pytest.approx(0.6745 / stretch, rel=0.05)
    assert found.samples == 4000
