"""One picture and one noise through models, against the distributions themselves."""

import pytest
import torch

import vae
from tests.registry import VECTORS
from vae.data import DATASETS
from vae.inference.comparison import passed, scene
from vae.latent.directions import principal_directions
from vae.models import FAMILIES, build, pretrained

SPEC = DATASETS["mnist"].spec


def model(latents: int, family: str = "vae") -> torch.nn.Module:
    config = FAMILIES[family].Config(SPEC, latents, width=16)
    return build(config, torch.Generator().manual_seed(latents)).eval().requires_grad_(False)


def bits(n: int) -> torch.Tensor:
    return torch.rand(n, 1, 28, 28, generator=torch.Generator().manual_seed(0)).round()


def test_a_picture_passes_with_the_noise_that_is_given():
    x, eps, one = bits(1), torch.tensor([[0.5, -2.0, 1.0]]), model(3)
    found, q = passed(one, x, eps), one.encode(x)
    probabilities = one.decode(q.mean + q.stddev * eps).mean
    assert torch.allclose(found.mean, probabilities[0], atol=1e-6)
    expected = -torch.nn.functional.binary_cross_entropy(probabilities, x, reduction="sum")
    assert found.log_likelihood == pytest.approx(float(expected), abs=1e-2)
    kl = 0.5 * (q.mean**2 + q.variance - 1 - q.variance.log())
    assert torch.allclose(found.kl_per_dimension, kl[0], atol=1e-5)


def test_an_autoencoder_ignores_the_noise_and_has_no_kl():
    x, one = bits(1), model(3, "autoencoder")
    found, again = passed(one, x, torch.ones(1, 3)), passed(one, x, -torch.ones(1, 3))
    assert torch.equal(found.mean, again.mean)
    assert found.kl_per_dimension is None


@pytest.mark.parametrize("family", ["vae", "autoencoder"])
def test_the_way_begins_and_ends_at_the_two_reconstructions_and_samples_are_of_the_given_z(family):
    one, x, z = model(2, family), bits(30), torch.tensor([[1.0, -1.0], [0.0, 2.0]])
    found = scene(one, x, z, x[:2], 9)
    ends = one.encode(x[:2]).mean
    assert torch.allclose(found.strip[[0, -1]], one.decode(ends).mean, atol=1e-5)
    assert torch.allclose(found.way[[0, -1]], ends, atol=1e-6)
    assert torch.allclose(found.samples, one.decode(z).mean, atol=1e-5)
    assert torch.equal(found.places, z)
    assert found.explained == pytest.approx(1)


def test_the_plane_of_many_latents_is_that_of_a_singular_value_decomposition():
    mu = torch.randn(500, 6, generator=torch.Generator().manual_seed(1)) * torch.tensor([1.0, 5, 0.5, 3, 1, 1]) + 2
    found, expected = principal_directions(mu), torch.linalg.svd(mu - mu.mean(0), full_matrices=False).Vh[:2]
    assert torch.allclose((found @ expected.T).abs(), torch.eye(2), atol=1e-4)


def test_the_plane_explains_what_the_largest_singular_values_do():
    one, x = model(5), bits(60)
    values = torch.linalg.svdvals(one.encode(x).mean - one.encode(x).mean.mean(0)).square()
    found = scene(one, x, torch.zeros(1, 5), x[:2], 2)
    assert found.explained == pytest.approx(float(values[:2].sum() / values.sum()), abs=1e-4)


def test_shipped_models_agree_with_their_pages_records():
    name = VECTORS[0]
    shipped, x = pretrained.load_pretrained(name), bits(1)
    record = vae.inference.record.frame(shipped, x)
    found = passed(shipped, x, record.eps[None])
    assert torch.allclose(found.mean, record.mean, atol=1e-5)
    assert float(found.kl_per_dimension.sum()) == pytest.approx(record.kl, rel=1e-5)
