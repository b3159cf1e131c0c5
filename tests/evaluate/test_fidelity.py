"""Measures of how near a picture comes back, and the linear floor."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import correlate

from vae.distributions import psnr
from vae.evaluate.fidelity import SCALES, Linear, ms_ssim
from vae.models.families.spatial import transform_of
from vae.models.spaces import STEP


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def soft(count: int = 2, side: int = 192) -> torch.Tensor:
    coarse = torch.rand(count, 3, side // 8, side // 8, generator=seeded(3))
    return F.interpolate(coarse, (side, side), mode="bilinear")


def test_psnr_is_20_db_for_an_error_of_a_tenth_and_each_picture_has_its_own():
    x = soft()
    found = x + torch.tensor([0.1, 0.01])[:, None, None, None]
    assert psnr(found, x) == pytest.approx(torch.tensor([20.0, 40.0]), abs=1e-3)


def by_scipy(found: np.ndarray, x: np.ndarray, scales: int = 5) -> float:
    """The measure of one plane, written down once more in float64 with another library's windows."""
    window = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    window = np.outer(window, window) / window.sum() ** 2

    def mean(plane: np.ndarray) -> np.ndarray:
        return correlate(plane, window)[5:-5, 5:-5]

    value, weights = 1.0, np.array(SCALES[:scales]) * sum(SCALES) / sum(SCALES[:scales])
    for scale, weight in enumerate(weights):
        a, b = mean(x), mean(found)
        va, vb, ab = mean(x * x) - a * a, mean(found * found) - b * b, mean(x * found) - a * b
        structure = (2 * ab + 0.0009) / (va + vb + 0.0009)
        light = (2 * a * b + 0.0001) / (a * a + b * b + 0.0001)
        value *= (light * structure if scale == scales - 1 else structure).mean() ** weight
        x, found = (one.reshape(len(one) // 2, 2, -1, 2).mean((1, 3)) if len(one) > 12 else one for one in (x, found))
    return value


@pytest.mark.parametrize(("side", "scales"), [(192, 5), (64, 3)])
def test_ms_ssim_is_that_of_another_implementation_and_1_for_the_same_picture(side, scales):
    x = soft(side=side)
    found = (x + 0.1 * torch.randn(x.shape, generator=seeded(4))).clamp(0, 1)
    assert ms_ssim(x, x, scales) == pytest.approx(torch.ones(2), abs=1e-5)
    for row in range(2):
        planes = zip(found[row].double().numpy(), x[row].double().numpy(), strict=True)
        expected = np.mean([by_scipy(*plane, scales) for plane in planes])
        assert float(ms_ssim(found, x, scales)[row]) == pytest.approx(expected, abs=2e-4)
    few = side - 24
    with pytest.raises(ValueError, match=f"{11 * 2 ** (scales - 1)} pixels on each side, not {few} x {few}"):
        ms_ssim(x[..., :few, :few], x[..., :few, :few], scales)


def blocks(count: int) -> torch.Tensor:
    """Gaussian blocks whose transform is known."""
    deviations = torch.cat([torch.tensor([0.3, 0.2, 0.1, 0.05]), torch.full((3 * STEP**2 - 4,), 0.004)])
    turn = torch.linalg.qr(torch.randn(len(deviations), len(deviations), generator=seeded(1)))[0]
    return 0.5 + (torch.randn(count, len(deviations), generator=seeded(2)) * deviations / 4) @ turn


def as_picture(rows: torch.Tensor) -> torch.Tensor:
    side = math.isqrt(len(rows))
    return F.pixel_shuffle(rows.T.reshape(1, -1, side, side), STEP)


def test_without_noise_the_linear_code_is_the_projection():
    rows = blocks(4096)
    transform = transform_of(rows, 6)
    back, bits = Linear(transform, 3)(as_picture(rows))
    directions = transform.directions[:3]
    expected = transform.mean + (rows - transform.mean) @ directions.T @ directions
    rows_back = F.pixel_unshuffle(back, STEP).flatten(2)[0].T
    assert rows_back == pytest.approx(expected, abs=1e-5)
    assert bits.isinf().all()


@pytest.mark.parametrize("distortion", [1e-5, 4e-4, 1e-3])
def test_with_noise_error_and_rate_are_those_of_shannons_gaussian_channel(distortion):
    rows = blocks(128**2)
    transform = transform_of(rows, 4)
    back, bits = Linear(transform, 4, distortion)(as_picture(rows), seeded(5))
    variances = transform.deviations.double() ** 2
    sent = variances.clamp(min=distortion)
    rate = 0.5 * (sent / distortion).log2().sum() / STEP**2
    assert float(bits) == pytest.approx(float(rate), rel=0.01)
    error = torch.minimum(variances, torch.tensor(distortion)).sum() + transform.rest**2 * (3 * STEP**2 - 4)
    found = (F.pixel_unshuffle(back, STEP).flatten(2)[0].T - rows).square().sum(1).mean()
    assert float(found) == pytest.approx(float(error), rel=0.02)
