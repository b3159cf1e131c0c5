"""A pyramid: a ladder whose layers are maps, each twice as fine as the one above it."""

import torch

from tests.models.test_families import seeded, stirred
from vae.distributions import kl, rsample
from vae.models import Pyramid
from vae.models.spaces import Layers, Pictures

CONFIG = Pyramid.Config(Pictures(3, 32, 16, 256, "crop"), 62, "conv", channels=(6, 8), maps=(3, 3, 1), conv_blocks=1)


def test_each_layer_is_a_map_twice_as_fine_as_the_one_above_it():
    assert CONFIG.sides == [(2, 1), (4, 2), (8, 4)]
    assert CONFIG.space == Layers((6, 24, 32))


def test_before_the_first_step_every_layer_is_the_standard_normal_and_q_is_the_prior():
    model = Pyramid(CONFIG, seeded()).eval()
    z = rsample(model.prior, seeded(), (4,))
    for q, p in model.encode(torch.rand(4, *CONFIG.spec.shape, generator=seeded(2))).conditionals(z):
        assert torch.equal(q.mean, torch.zeros_like(q.mean))
        assert torch.equal(p.stddev, torch.ones_like(p.stddev))
        assert torch.equal(q.stddev, p.stddev)


def test_the_finest_layer_changes_the_picture_near_its_place_alone_and_the_top_all_of_it():
    model = stirred(CONFIG)
    z = torch.randn(1, CONFIG.latents, generator=seeded())
    low, high = z.clone(), z.clone()
    low[0, -1] += 1  # the last place of the last map: the corner below on the right
    high[0, 0] += 1
    here, near, all_over = (model.decode(one).base_dist.loc[0] for one in (z, low, high))
    changed = (near - here).abs().amax(0) > 1e-6
    reach = 4 * (1 + 1 + 1 + CONFIG.conv_blocks)  # pixels: its own place, and a neighbour for each 3 x 3 after it
    assert changed[-4:, -4:].any()
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
    model, x = stirred(CONFIG, 0.1), torch.rand(1, *CONFIG.spec.shape, generator=seeded(1))
    q, p = model.encode(x), model.prior
    z = rsample(q, seeded(3), (4000,))
    ratio = q.log_prob(z) - p.log_prob(z)
    estimate = kl(q, p, z)
    error = float((ratio - estimate).std()) / 4000**0.5
    assert abs(float((ratio - estimate).mean())) < 4 * error
    assert float(estimate.mean()) > 0.1
