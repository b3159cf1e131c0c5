"""A photo as a map: strips join without a seam, what is kept is what the model says of it, and noise is q's."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from vae.latent import maps
from vae.latent.maps import Asked, Photo
from vae.models import Spatial
from vae.models.spaces import Pictures

CONFIG = Spatial.Config(
    Pictures(3, None, None, 256, "photo"), 6, "conv", channels=(8, 12), conv_blocks=1, blocks=(2, 3)
)


def model(seed: int = 0) -> Spatial:
    """One whose network says something: it begins at zero."""
    generator = torch.Generator().manual_seed(seed)
    made = Spatial(CONFIG, generator).eval()
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=generator))
    return made


def levels(height: int, width: int, seed: int = 1) -> torch.Tensor:
    return torch.randint(0, 256, (3, height, width), generator=torch.Generator().manual_seed(seed)).byte()


@pytest.mark.parametrize("strip", [1, 40, 48, 10**6])
def test_strips_join_without_a_seam(strip, monkeypatch):
    one, x = model(), levels(160, 64)
    monkeypatch.setattr(maps, "STRIP", strip)
    photo = maps.encoded(one, x)
    with torch.inference_mode():
        q = one.encode(x[None] / 255)
        whole = one.decode(photo.mu[None], torch.tensor([4])).mean[0]
    torch.testing.assert_close(photo.mu, q.mean[0], rtol=0, atol=1e-5)
    torch.testing.assert_close(photo.sigma, q.stddev[0], rtol=0, atol=1e-5)
    back = maps.decoded(one, photo.mu, 4)
    assert (back.float() / 255 - whole).abs().max() <= 0.5 / 255 + 1e-5


def test_the_reach_is_what_a_place_has_a_say_in_and_no_further():
    one, cells = model(), 40
    z = torch.zeros(1, 6, cells, 8)
    moved = z.clone()
    moved[:, :, cells // 2] = 1
    with torch.inference_mode():
        apart = (one.decode(z).mean - one.decode(moved).mean).abs().amax((0, 1, 3)).view(cells, 8).amax(1)
        x = torch.full((1, 3, 8 * cells, 64), 0.5)
        changed = x.clone()
        changed[:, :, 4 * cells : 4 * cells + 8] = 0
        before, after = one.encode(x), one.encode(changed)
        read = (before.mean - after.mean).abs().amax((0, 1, 3))
    for seen in (apart, read):
        touched = seen.nonzero()[:, 0]
        assert touched.min() >= cells // 2 - one.config.reach
        assert touched.max() <= cells // 2 + one.config.reach
    assert apart.nonzero()[:, 0].min() == cells // 2 - one.config.reach  # which the decoder's more blocks decide


def test_bits_are_torchs_kl_and_the_rate_their_sum_over_the_pixels():
    photo = maps.encoded(model(), levels(16, 24))
    expected = kl_divergence(Normal(photo.mu, photo.sigma), Normal(torch.zeros(()), torch.ones(()))) / math.log(2)
    torch.testing.assert_close(photo.bits, expected)
    assert photo.rate(2) == pytest.approx(float(expected[:2].sum()) / (16 * 24))


def test_without_noise_the_mean_is_shown_and_with_it_a_draw_of_q():
    one = model()
    photo = maps.encoded(one, levels(16, 24))
    still = maps.shown(one, Asked(6), photo)
    assert torch.equal(still.mean, maps.decoded(one, photo.mu, 6))
    eps = torch.randn(photo.mu.shape, generator=torch.Generator().manual_seed(5))
    drawn = maps.shown(one, Asked(6, noise=1.0, seed=5), photo)
    assert torch.equal(drawn.mean, maps.decoded(one, photo.mu + photo.sigma * eps, 6))
    assert torch.equal(drawn.mean, maps.shown(one, Asked(6, 1.0, 5), photo).mean)
    assert not torch.equal(drawn.mean, maps.shown(one, Asked(6, 1.0, 6), photo).mean)


def test_what_is_shown_says_its_own_distance_and_rate():
    one, x = model(), levels(16, 24)
    photo = maps.encoded(one, x)
    found = maps.shown(one, Asked(3), photo)
    error = (found.mean.double() - x.double()).square().mean() / 255**2
    assert found.psnr == pytest.approx(-10 * math.log10(error), rel=1e-5)
    assert found.rate == photo.rate(3)


def test_of_two_photos_the_ends_are_theirs_and_between_them_both_are_faded():
    one = model()
    first, second = (maps.encoded(one, levels(16, 24, seed)) for seed in (1, 2))
    for share, end in ((0.0, first), (1.0, second)):
        assert torch.equal(maps.shown(one, Asked(6, share=share), first, second).mean, maps.decoded(one, end.mu, 6))
    half = maps.shown(one, Asked(6, share=0.5), first, second)
    assert half.rate == pytest.approx(first.rate(6) + second.rate(6))
    faded = (first.levels.double() + second.levels.double()) / 2
    error = (half.mean.double() - faded).square().mean() / 255**2
    assert half.psnr == pytest.approx(-10 * math.log10(error), rel=1e-4)


def test_a_photo_of_one_place_is_one():
    photo = maps.encoded(model(), levels(8, 8))
    assert photo.mu.shape == photo.sigma.shape == (6, 1, 1)
    assert isinstance(photo, Photo)
    assert maps.shown(model(), Asked(1), photo).mean.shape == (3, 8, 8)
