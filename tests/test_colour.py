"""What is written for bits holds for a model of 256 levels in colour: one is trained here and asked everything."""

import base64
import math
import zlib
from functools import cache

import numpy as np
import pytest
import torch
from scipy.stats import logistic

from vae.app.session import inputs
from vae.app.session.ids import UPLOAD, parse
from vae.distributions import draw
from vae.inference.ledger import checks
from vae.inference.record import frame, log_likelihood, sketch
from vae.latent.places import places
from vae.models import VAE
from vae.models.spaces import Pictures
from vae.objective import loss, terms

SPEC = Pictures(3, 8, 8, 256, "crop")


def pictures(count: int, seed: int = 0) -> torch.Tensor:
    """A light of one colour that fades from a corner into another."""
    generator = torch.Generator().manual_seed(seed)
    colours = torch.rand(2, count, 3, 1, 1, generator=generator)
    share = torch.linspace(0, 1, 8).view(1, 1, 8, 1)
    return ((1 - share) * colours[0] + share * colours[1]).expand(-1, -1, 8, 8).mul(255).round().div(255)


@cache
def model() -> VAE:
    trained = VAE(VAE.Config(SPEC, 3, width=64), torch.Generator().manual_seed(0))
    optimiser = torch.optim.Adam(trained.parameters(), 2e-3)
    x, generator = pictures(256), torch.Generator().manual_seed(1)
    for _ in range(150):
        optimiser.zero_grad()
        loss(terms(trained, x, generator)).backward()
        optimiser.step()
    return trained.requires_grad_(False).eval()


def test_the_model_learned_something():
    x = pictures(64, 2)
    drawn = model().decode(model().encode(x).mean).mean
    assert (drawn - x).square().mean() < 0.5 * (x - x.mean(0)).square().mean()


def test_a_place_is_encoded_again_from_a_picture_that_is_drawn_and_not_from_the_mean():
    z = torch.randn(4, 3, generator=torch.Generator().manual_seed(3))
    found = places(model(), z, seed=5)
    uniform = torch.rand(SPEC.shape, generator=torch.Generator().manual_seed(5))
    again = model().encode(draw(model().decode(z), uniform.expand(4, -1, -1, -1)))
    drift = ((again.mean - z) / again.stddev).square().mean(1).sqrt()
    torch.testing.assert_close(found.drift, drift)
    of_the_mean = model().encode(model().decode(z).mean)
    assert not torch.allclose(found.drift, ((of_the_mean.mean - z) / of_the_mean.stddev).square().mean(1).sqrt())


def test_the_second_likelihood_is_scipys_and_another_way_to_the_first():
    x = pictures(1, 4)
    x[0, :, 0, 0], x[0, :, 1, 0] = 0.0, 1.0  # the outermost bins hold the tails
    z = torch.randn(6, 3, generator=torch.Generator().manual_seed(6))
    pixels = model().decode(z).base_dist
    level = (x.double().numpy() * 255).round()
    loc, scale = pixels.loc.double().numpy(), pixels.log_scale.double().exp().numpy()
    below = np.where(level == 0, -np.inf, (level - 0.5) / 255)
    above = np.where(level == 255, np.inf, (level + 0.5) / 255)
    left = logistic.cdf(above, loc, scale) - logistic.cdf(below, loc, scale)
    right = logistic.sf(below, loc, scale) - logistic.sf(above, loc, scale)
    expected = np.log(np.where(below + above > 2 * loc, right, left)).sum((1, 2, 3))
    found = log_likelihood(model().decode(z), x)
    assert found.tolist() == pytest.approx(expected.tolist(), rel=1e-5)
    first = model().decode(z).log_prob(x.expand(6, -1, -1, -1))
    assert found.tolist() == pytest.approx(first.tolist(), rel=1e-4)
    assert not torch.equal(found, first)


def test_every_number_of_the_record_is_finite_and_every_claim_holds():
    x = pictures(1, 7)
    record = frame(model(), x)
    assert math.isfinite(record.elbo)
    assert all(check.holds for check in checks(record))
    assert all(field.isfinite().all() for field in sketch(model(), x))


def given(x: torch.Tensor) -> inputs.Input:
    return inputs.Input(UPLOAD, "", x, x)


def test_pictures_with_the_same_dark_pixels_have_different_addresses_that_read_back():
    one, other = pictures(2, 8)[:, None].clamp(min=1 / 255)
    said = [inputs.address(given(x)) for x in (one, other)]
    assert said[0] != said[1]
    for x, text in zip((one, other), said, strict=True):
        assert torch.equal(parse(text).picture(SPEC), x)


def test_bits_are_said_as_they_always_were():
    x = torch.zeros(1, 1, 28, 28)
    x[..., 3:5, 7] = 1
    bits = np.packbits(x.numpy().astype(bool))
    expected = "b" + base64.urlsafe_b64encode(bits).decode().rstrip("=")
    assert inputs.address(given(x)) == expected
    assert torch.equal(parse(expected).picture(Pictures()), x)


@pytest.mark.parametrize("said", ["g", "g!!", "gAAAA", "b", "g" + "A" * 300, "geNoDAAAAAAE"])
def test_what_is_no_picture_is_none(said):
    assert parse(said).picture(SPEC) is None


def test_a_picture_that_packs_small_is_not_unpacked_further_than_it_may_be():
    bomb = "g" + base64.urlsafe_b64encode(zlib.compress(bytes(10_000_000))).decode()
    assert parse(bomb).picture(SPEC) is None
