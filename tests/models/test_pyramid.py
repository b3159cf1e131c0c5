"""A pyramid: a principal model's vector, and maps that say what it leaves, each twice as fine as the one above it."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from tests.models.test_families import seeded, stirred
from tests.models.test_principal import pictures
from vae.distributions import kl, rsample
from vae.models import Principal, Pyramid, build, checkpoint
from vae.models.families.pyramid import AFTER, QUARTER
from vae.models.families.spatial import SPREAD, blocks_of
from vae.models.spaces import Layers, Pictures
from vae.objective import elbo, loss, terms

SPEC = Pictures(3, 64, 16, 256, "crop")
CONFIG = Pyramid.Config(SPEC, 64, "conv", channels=(6, 8), maps=(4, 2), blocks=(1, 1))
SMALL = replace(CONFIG, spec=Pictures(3, 16, 8, 256, "crop"), latents=6, maps=(2,))  # 2 in the vector, as 2 places


def of_its_own(model: Pyramid, count: int) -> torch.Tensor:
    """Pictures that the model makes: what it knows nothing of it would put at the edge of what is reached."""
    return model.decode(rsample(model.prior, seeded(5), (count,))).mean.clamp(0, 1)


def begun() -> Pyramid:
    model = build(SMALL, seeded())
    model.begin(pictures())
    return model.eval()


def test_each_map_has_places_of_half_the_side_and_the_vector_is_what_is_left():
    assert CONFIG.steps == [16, 8]
    assert CONFIG.sides == [(4, 1), (8, 2)]
    assert CONFIG.space == Layers((64 - 16 - 32, 16, 32))
    assert CONFIG.top == Principal.Config(SPEC, 16, "conv", channels=(6, 8), blocks=(1, 1))


@torch.inference_mode()
def test_before_the_first_step_a_map_is_what_the_principal_components_of_blocks_say_of_what_the_vector_leaves():
    x, model = pictures(), begun()
    vector = model.top.encode(x).mean
    p = model.top.decode(vector).base_dist
    left = (x - p.loc) / p.log_scale.exp()
    blocks = blocks_of(left).flatten(0, 2).double().numpy()
    known = PCA(2, svd_solver="full").fit(blocks)
    scaled = len(blocks) / (len(blocks) - 1)  # scikit-learn's variances are unbiased
    deviations = np.sqrt(known.explained_variance_ / scaled)
    z = torch.cat([vector, torch.zeros(len(x), 4)], 1)
    (_, _), (q, prior) = model.encode(x).conditionals(z)
    code = (known.transform(blocks) / deviations).reshape(len(x), 2, 2).transpose(0, 2, 1)  # channel, then place
    found = q.mean.unflatten(1, (2, 2)).numpy()
    np.testing.assert_allclose(found * np.sign((code * found).sum((0, 2)))[:, None], code, atol=0.02)
    assert torch.equal(prior.mean, torch.zeros_like(prior.mean))
    assert torch.equal(prior.stddev, torch.ones_like(prior.stddev))
    rest = math.sqrt(known.noise_variance_ / scaled)
    np.testing.assert_allclose(q.stddev[0].unflatten(0, (2, 2)), (rest / deviations)[:, None].repeat(2, 1), rtol=1e-2)

    said = model.decode(torch.cat([vector, q.mean], 1)).base_dist
    back = known.inverse_transform(known.transform(blocks)).reshape(len(x), 2, 1, 3, 8, 8)
    back = torch.from_numpy(back.transpose(0, 3, 1, 4, 2, 5).reshape(left.shape)).float()
    torch.testing.assert_close(said.loc, p.loc + p.log_scale.exp() * back, atol=1e-4, rtol=0)
    torch.testing.assert_close(said.log_scale, p.log_scale + math.log(SPREAD * rest), atol=2e-2, rtol=0)


def test_it_begins_better_than_its_vector_alone_and_its_first_steps_leave_that_as_it_was():
    x, model = pictures(), begun()
    assert elbo(model, x, 8, seeded()).mean() > elbo(model.top, x, 8, seeded()).mean() + 20
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for step in range(3):
        optimiser.zero_grad()
        loss(terms(model.train(), x[:32], seeded(step))).backward()
        optimiser.step()
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed
    assert not any(name.startswith("top.") for name in changed)


def test_a_vector_that_is_trained_already_is_not_begun_anew(tmp_path):
    top = Principal(SMALL.top, seeded(4))
    top.begin(pictures()[:100])
    model = build(SMALL, seeded())
    model.top.load_state_dict(top.state_dict())
    model.begin(pictures())
    assert all(torch.equal(tensor, model.top.state_dict()[name]) for name, tensor in top.state_dict().items())
    checkpoint.save(model, tmp_path / "model.safetensors")
    z = torch.randn(3, 6, generator=seeded())
    again = checkpoint.load(tmp_path / "model.safetensors")
    assert torch.equal(again.decode(z).mean, checkpoint.load(tmp_path / "model.safetensors").decode(z).mean)
    torch.testing.assert_close(again.decode(z).mean, model.eval().decode(z).mean)


def test_the_finest_map_changes_the_picture_near_its_place_alone_and_the_vector_all_of_it():
    model = stirred(CONFIG)
    z = torch.randn(1, CONFIG.latents, generator=seeded())
    low, high = z.clone(), z.clone()
    low[0, -1] += 1  # the last place of the last map: the corner below on the right
    high[0, 0] += 1
    here, near, all_over = (model.decode(one).base_dist.loc[0] for one in (z, low, high))
    changed = (near - here).abs().amax(0) > 1e-6
    reach = 8 * (1 + AFTER) + 4 * (1 + QUARTER)  # pixels: its own place, and a neighbour for each 3 x 3 after it
    assert changed[-8:, -8:].any()
    assert not changed[:-reach, :].any()
    assert ((all_over - here).abs().amax(0) > 1e-6).float().mean() > 0.9


def test_what_is_drawn_above_decides_the_prior_below_and_nothing_below_decides_what_is_above():
    model, sizes = stirred(CONFIG), CONFIG.space.sizes
    z = torch.randn(1, CONFIG.latents, generator=seeded())
    top, bottom = z.clone(), z.clone()
    top[:, : sizes[0]] += 1
    bottom[:, -sizes[-1] :] += 1
    before, above, below = (model.prior.conditionals(one) for one in (z, top, bottom))
    assert all(torch.equal(before[layer][1].mean, below[layer][1].mean) for layer in range(3))
    assert not torch.allclose(before[1][1].mean, above[1][1].mean)
    assert not torch.allclose(before[2][1].mean, above[2][1].mean)


def test_the_kl_is_the_mean_log_ratio_of_the_densities_of_q_and_p():
    model = stirred(CONFIG, 0.1)
    x = of_its_own(model, 1)
    q, p = model.encode(x), model.prior
    z = rsample(q, seeded(3), (2000,))
    ratio = q.log_prob(z) - p.log_prob(z)
    estimate = kl(q, p, z)
    error = float((ratio - estimate).std()) / 2000**0.5
    assert abs(float((ratio - estimate).mean())) < 4 * error
    assert float(estimate.mean()) > 0.1


@pytest.mark.parametrize("many", [(), (3,), (2, 3)])
def test_several_draws_for_each_picture_are_those_of_the_pictures_one_by_one(many):
    model = stirred(CONFIG, 0.1)
    x = of_its_own(model, 2)
    z = rsample(model.encode(x), seeded(3), many)
    assert z.shape == (*many, 2, CONFIG.latents)
    found = model.encode(x).conditionals(z)
    for row in range(2):
        alone = model.encode(x[row : row + 1]).conditionals(z[..., row : row + 1, :])
        for both, one in zip(found, alone, strict=True):
            for q, expected in zip(both, one, strict=True):
                torch.testing.assert_close(q.mean[..., row : row + 1, :], expected.mean, rtol=1e-3, atol=1e-3)
                torch.testing.assert_close(q.stddev[..., row : row + 1, :], expected.stddev, rtol=1e-3, atol=1e-3)
