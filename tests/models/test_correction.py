"""The corrected q of two latents: against the peak of the true posterior, and against the encoder alone."""

import pytest
import torch
from torch import nn

import vae
from tests.grids import grid
from tests.registry import VECTORS
from vae import data
from vae.distributions import kl, normal, rsample
from vae.models import VAE, build
from vae.models.checkpoint import config_from_json, config_to_json
from vae.models.families.correction import corrected
from vae.models.spaces import Pictures
from vae.train.recipes import DIGIT, GARMENT, RECIPES

SPEC = Pictures(1, 8, 8, 2)
CORRECTED = [name for name in VECTORS if RECIPES[name].corrected]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Linear(nn.Module):
    """log-odds linear in z, so that log p(x, z) has one peak and is concave."""

    def __init__(self):
        super().__init__()
        self.slopes = torch.randn(2, SPEC.pixels, generator=seeded(0))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return (z @ self.slopes).view(-1, *SPEC.shape)


def peak(decoder: Linear, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The z of the highest p(x, z) by Newton's method, and minus the second derivatives of log p(x, z) there."""
    z, slopes = torch.zeros(2), decoder.slopes
    for _ in range(50):
        p = (z @ slopes).sigmoid()
        precision = slopes * (p * (1 - p)) @ slopes.T + torch.eye(2)
        z = z + torch.linalg.solve(precision, slopes @ (x.flatten() - p) - z)
    return z, precision


@pytest.mark.parametrize("off", [(0.0, 0.0), (2.0, -1.0), (-9.0, 4.0)])  # in sigmas of the encoder
def test_where_the_posterior_has_one_peak_q_comes_near_it_and_is_as_wide(off):
    decoder, z = Linear(), torch.tensor([[0.4, -0.7]])
    x = torch.bernoulli(decoder(z).sigmoid(), generator=seeded(1))
    expected, precision = peak(decoder, x)
    width = precision.diagonal().rsqrt()
    start = expected + torch.tensor(off) * width
    q = corrected(decoder, x, normal(start[None], width[None]))
    away = ((q.mean[0] - expected) / width).abs().max()
    assert away < (1.2 if off[0] else 0.01)
    # the curvature is that of the place before the last step
    torch.testing.assert_close(q.stddev[0], width, rtol=0.35 if off[0] else 0.02, atol=0)


def test_pictures_are_corrected_each_on_its_own_and_alike_under_any_precision_around():
    model = build(VAE.Config(SPEC, 2, width=16, corrected=True), seeded(3)).eval().requires_grad_(False)
    x = torch.rand(7, *SPEC.shape, generator=seeded(4)).round()
    with torch.inference_mode():
        together, q = model.encode(x), normal(torch.randn(7, 2, generator=seeded(5)), torch.full((7, 2), 0.1))
        for row in range(7):
            alone = model.encode(x[row : row + 1])
            torch.testing.assert_close(alone.mean[0], together.mean[row], rtol=1e-3, atol=1e-4)
            torch.testing.assert_close(alone.stddev[0], together.stddev[row], rtol=1e-3, atol=1e-4)
        with torch.autocast("cpu", torch.bfloat16):
            inside = corrected(model.decoder, x, q)
        assert torch.equal(inside.mean, corrected(model.decoder, x, q).mean)


def test_in_training_q_is_the_encoder_s_own_and_has_gradients():
    config = VAE.Config(SPEC, 2, width=16, corrected=True)
    model, x = build(config, seeded(3)), torch.rand(4, *SPEC.shape, generator=seeded(4)).round()
    mu, log_sigma = model.encoder(x).chunk(2, 1)
    q = model.encode(x)
    assert torch.equal(q.mean, mu)
    torch.testing.assert_close(q.stddev, log_sigma.exp())
    assert q.mean.requires_grad
    assert not model.eval().encode(x).mean.requires_grad


@pytest.mark.parametrize("name", CORRECTED)
def test_a_shipped_model_is_nearer_to_the_true_posterior_than_its_encoder(name):
    """The gap log p(x) - ELBO, by quadrature and 400 draws: the card's target is 3 nats, and the encoder's is 6."""
    model, x = vae.load_pretrained(name, "cpu"), data.fixed_binarisation(RECIPES[name].dataset)[100:160]
    evidence = grid(name, model).evidence(x).log_evidence
    gaps = []
    with torch.inference_mode():
        mu, log_sigma = model.encoder(x).chunk(2, 1)
        for q in (normal(mu, log_sigma.exp()), model.encode(x)):
            z = rsample(q, seeded(6), (400,))
            likelihood = torch.stack([model.decode(draw).log_prob(x) for draw in z]).mean(0)
            gaps.append(evidence - likelihood + kl(q, model.prior, z[0]))
    assert gaps[1].mean() < 3 < gaps[0].mean()
    assert gaps[1].median() < 0.5
    assert gaps[1].min() > -0.1  # a gap is a divergence


@pytest.mark.parametrize(
    "other",
    [
        {"latents": 3},
        {"spec": Pictures(1, 8, 8, 256)},
    ],
)
def test_only_a_vae_of_two_latents_and_binary_pixels_can_be_corrected(other):
    with pytest.raises(ValueError, match="only a vae of two latents and binary pixels"):
        VAE.Config(**{"spec": SPEC, "latents": 2, "corrected": True} | other)


def test_a_file_says_whether_q_is_corrected_and_files_from_before_need_not():
    config = VAE.Config(DIGIT, 2, corrected=True)
    assert config_from_json(config_to_json(config)) == config
    before = config_to_json(VAE.Config(GARMENT, 2)).replace(', "corrected": false', "")
    assert "corrected" not in before
    assert config_from_json(before) == VAE.Config(GARMENT, 2)
    with pytest.raises(ValueError, match="corrected must be of type bool"):
        config_from_json(config_to_json(config).replace("true", "1"))
