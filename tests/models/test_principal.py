"""The VAE that begins as principal components, against scikit-learn's."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from vae.models import Principal, build, checkpoint
from vae.models.families.principal import SPREAD
from vae.models.spaces import Pictures
from vae.objective import elbo

SPEC = Pictures(3, 16, 8, 256, "crop")
CONFIG = Principal.Config(SPEC, 6, "conv", channels=(4, 8), blocks=(1, 1))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int = 400) -> torch.Tensor:
    """Of 8 directions, each half as wide as the one before, and a little noise."""
    generator, values = seeded(1), math.prod(SPEC.shape)
    directions = torch.linalg.qr(torch.randn(values, 8, generator=generator)).Q
    code = torch.randn(count, 8, generator=generator) * 2.0 ** -torch.arange(8)
    x = 0.5 + code @ directions.T + 0.02 * torch.randn(count, values, generator=generator)
    return x.clamp(0, 1).mul(255).round().div(255).view(count, *SPEC.shape)


def begun() -> Principal:
    model = build(CONFIG, seeded())
    model.begin(pictures())
    return model.eval()


@torch.inference_mode()
def test_before_the_first_step_it_is_probabilistic_principal_component_analysis():
    x, model = pictures(), begun()
    known = PCA(6, svd_solver="full").fit(x.flatten(1).double().numpy())
    q, deviations = model.encode(x), np.sqrt(known.explained_variance_ * (len(x) - 1) / len(x))
    np.testing.assert_allclose(model.components.deviations, deviations, rtol=1e-4)
    code = known.transform(x.flatten(1).double().numpy()) / deviations
    turned = np.sign((code * q.mean.numpy()).sum(0))  # a direction and its opposite are the same one
    np.testing.assert_allclose(q.mean.numpy() * turned, code, atol=0.02)  # of the narrowest, which is near the next
    rest = math.sqrt(known.noise_variance_ * (len(x) - 1) / len(x))
    np.testing.assert_allclose(q.stddev[0], rest / deviations, rtol=1e-3)
    linear = known.inverse_transform(known.transform(x.flatten(1).double().numpy()))
    p = model.decode(q.mean).base_dist
    np.testing.assert_allclose(p.loc.flatten(1), linear, atol=1e-4)
    np.testing.assert_allclose(p.log_scale, math.log(SPREAD * rest), atol=1e-3)


def test_what_it_begins_with_is_not_trained_and_is_kept_with_the_weights(tmp_path):
    model = begun()
    trained = {name for name, _ in model.named_parameters()}
    assert {f"components.{name}" for name in ("mean", "directions", "deviations")} == set(model.state_dict()) - trained
    checkpoint.save(model, tmp_path / "model.safetensors")
    again = checkpoint.load(tmp_path / "model.safetensors", "cpu")
    assert torch.equal(
        again.decode(again.encode(pictures(3)).mean).mean, model.decode(model.encode(pictures(3)).mean).mean
    )


def test_beginning_with_pictures_is_worth_many_steps_and_is_the_same_each_time():
    x = pictures(40)
    plain = build(CONFIG, seeded()).eval()
    with torch.inference_mode():
        bounds = [float(elbo(one, x, 5, seeded()).mean()) for one in (plain, begun(), begun())]
    assert bounds[1] > bounds[0] + 500
    assert bounds[1] == bounds[2]


@pytest.mark.parametrize("differ", [0, 3], ids=["not at all", "in three ways"])
def test_pictures_that_differ_in_fewer_ways_than_there_are_latents_leave_the_others_to_the_prior(differ):
    x, model = torch.full((40, *SPEC.shape), 0.5), build(CONFIG, seeded())
    x[:, 0, 0, :differ] = torch.rand(40, differ, generator=seeded(1))
    model.begin(x)
    with torch.inference_mode():
        q, p = model.eval().encode(x), model.decode(model.encode(x).mean)
    told = q.stddev[0] < 0.5
    assert int(told.sum()) == differ
    torch.testing.assert_close(q.stddev[:, ~told], torch.ones(40, 6 - differ))
    torch.testing.assert_close(p.base_dist.loc, x, atol=0.01, rtol=0)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"network": "dense"}, "convolutional, and reads pictures of 256 levels"),
        ({"spec": Pictures(3, 16, 8, 2, "crop")}, "convolutional, and reads pictures of 256 levels"),
        ({"spec": Pictures(3, 16, 12, 256, "crop")}, "sides divisible by 8, not 16 x 12"),
        ({"spec": Pictures(1, 8, 8, 256, "crop"), "latents": 65}, "a picture of 64 values has no 65 principal"),
        ({"blocks": (1, 65)}, "0 to 64 blocks each"),
    ],
)
def test_what_a_principal_model_cannot_be_is_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        replace(CONFIG, **changes)
