"""Models whose z is a map."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Normal, kl_divergence

from vae.models import Spatial, build
from vae.models.checkpoint import config_from_json, config_to_json, load, save
from vae.models.families.spatial import transform_of
from vae.models.spaces import STEP, Map, Pictures
from vae.objective import elbo, importance_bound, loss, terms

PHOTO = Pictures(3, None, None, 256, "photo")
SMALL = Spatial.Config(PHOTO, 4, "conv", channels=(8, 16), conv_blocks=1, blocks=(1, 2))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def stirred(config: Spatial.Config = SMALL, size: float = 0.1) -> Spatial:
    """A model whose layers all do something, also those that begin as zeros."""
    model, generator = build(config, seeded()), seeded(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += size * torch.randn(parameter.shape, generator=generator)
    return model.requires_grad_(False).eval()


def pictures(count: int = 2, height: int = 16, width: int = 24) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=seeded(1)).mul(255).round().div(255)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (16, 40), (64, 8)])
def test_pictures_of_every_size_become_maps_of_an_eighth_of_it_and_come_back_as_large(height, width):
    model, x = stirred(), pictures(3, height, width)
    q = model.encode(x)
    assert q.batch_shape == (3,)
    assert q.event_shape == (4, height // STEP, width // STEP)
    assert model.decode(q.mean).mean.shape == x.shape
    assert model.config.space == Map(4, STEP)


def test_the_terms_are_those_of_torchs_own_distributions():
    model, x = stirred(), pictures()
    model.log_scale.fill_(math.log(2.0))  # wide, so that differences of sigmoids are still numbers
    q = model.encode(x)
    eps = torch.randn(q.mean.shape, generator=seeded(3))
    found = terms(model, x, eps=eps)
    by_torch = kl_divergence(Normal(q.mean, q.stddev), Normal(0.0, 1.0)).flatten(1).sum(1)
    assert found.kl == pytest.approx(by_torch, rel=1e-5)
    loc = model.decode(q.mean + q.stddev * eps).base_dist.loc
    scale = model.log_scale[-1].exp()[:, None, None]
    edges = [(x - 1 / 510 - loc) / scale, (x + 1 / 510 - loc) / scale]
    below, above = (torch.sigmoid(edge.double()) for edge in edges)
    below[x == 0], above[x == 1] = 0, 1
    assert found.log_likelihood == pytest.approx((above - below).log().flatten(1).sum(1).float(), rel=1e-4)


def test_the_importance_bound_lies_above_the_elbo():
    model, x = stirred(), pictures(2, 8, 8)
    bound = importance_bound(model, x, 400, seeded())
    assert (bound > elbo(model, x, 400, seeded())).all()


def test_the_loss_reaches_every_weight_whatever_is_cut():
    model = stirred().requires_grad_(True)
    loss(terms(model.given(torch.tensor([2, 4])), pictures(), seeded())).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_of_a_channel_that_is_cut_q_is_the_prior_and_the_decoder_is_told_nothing():
    model, x, keep = stirred(), pictures(), torch.tensor([1, 3])
    cut = model.given(keep)
    q, whole = cut.encode(x), model.encode(x)
    for row, k in enumerate(keep):
        assert torch.equal(q.mean[row, :k], whole.mean[row, :k])
        assert (q.mean[row, k:] == 0).all()
        assert (q.stddev[row, k:] == 1).all()
    z = q.mean + torch.randn(q.mean.shape, generator=seeded(2))
    other = z.clone()
    other[0, 1:] += 5
    assert torch.equal(cut.decode(z).mean, cut.decode(other).mean)
    assert cut.decode(z).base_dist.log_scale[1, :, 0, 0] == pytest.approx(model.log_scale[2])
    rounds = cut.decode(torch.cat([z, z]))
    assert rounds.mean == pytest.approx(torch.cat([cut.decode(z).mean] * 2), abs=1e-6)


def blocks(count: int = 4000) -> torch.Tensor:
    """Blocks of pixels that differ in some directions more than in others."""
    spread = torch.linspace(0.2, 0.001, 3 * STEP**2)
    turn = torch.linalg.qr(torch.randn(len(spread), len(spread), generator=seeded(4)))[0]
    return 0.5 + torch.randn(count, len(spread), generator=seeded(5)) * spread @ turn


def test_the_transform_is_what_torchs_singular_values_say_and_its_rest_what_it_leaves():
    rows = blocks()
    found = transform_of(rows, 6)
    centred = rows - rows.mean(0)
    _, singular, right = torch.linalg.svd(centred, full_matrices=False)
    assert found.deviations == pytest.approx(singular[:6] / math.sqrt(len(rows)), rel=1e-3)
    assert (found.directions @ right[:6].T).abs() == pytest.approx(torch.eye(6), abs=2e-2)
    left = centred - centred @ found.directions.T @ found.directions
    assert left.square().sum() / len(rows) / (left.shape[1] - 6) == pytest.approx(found.rest**2, rel=1e-3)


def test_a_new_model_is_the_transform_itself_its_code_white():
    rows, model = blocks(4096), build(SMALL, seeded())
    transform = transform_of(rows, 4)
    model.begin_as(transform)
    x = F.pixel_shuffle(rows.T.reshape(1, 3 * STEP**2, 64, 64), STEP)
    q = model.encode(x)
    code = q.mean.detach().flatten(2)[0]
    assert code.mean(1) == pytest.approx(torch.zeros(4), abs=1e-3)
    assert code @ code.T / 4096 == pytest.approx(torch.eye(4), abs=1e-2)
    back = F.pixel_unshuffle(model.decode(q.mean).base_dist.loc, STEP).flatten(2)[0].T
    centred = rows - transform.mean
    projected = transform.mean + centred @ transform.directions.T @ transform.directions
    assert back.detach() == pytest.approx(projected, abs=1e-4)
    assert q.stddev[0, :, 0, 0].detach() == pytest.approx(transform.rest / transform.deviations, rel=1e-4)
    left = (rows - projected).square().mean().sqrt()
    spread = model.log_scale[-1].exp().detach() * math.pi / math.sqrt(3)
    assert spread == pytest.approx(torch.full((3,), transform.rest), rel=1e-4)
    assert left == pytest.approx(transform.rest, rel=0.03)  # of all values, not of those that the channels leave


def test_what_a_place_becomes_depends_on_what_is_near_it_and_on_nothing_else():
    model = stirred()
    x = pictures(1, 256, 8)
    q = model.encode(x)
    other = x.clone()
    other[..., 200:, :] = 0.3
    moved = (model.encode(other).mean - q.mean).abs().amax((0, 1, 3)) > 0
    first = int(moved.nonzero()[0])
    assert 25 - 5 <= first <= 25  # convolutions of 1 block and 2 more reach 3 places far
    z = q.mean
    beyond = z.clone()
    beyond[..., 25:, :] += 1
    rows = (model.decode(beyond).mean - model.decode(z).mean).abs().amax((0, 1, 3)) > 0
    assert 200 - 6 * STEP <= int(rows.nonzero()[0]) <= 200


def test_far_out_a_map_is_cut_where_latents_end():
    model = stirred()
    with torch.no_grad():
        model.analysis.bias[:4] = 500.0
        model.analysis.bias[4:] = 50.0
    q = model.encode(pictures())
    assert q.mean.max() == 12
    assert q.stddev.max() == pytest.approx(3)


def test_files_give_the_same_model_back(tmp_path):
    model = stirred()
    save(model, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors", "cpu")
    assert again.config == model.config
    assert again.encode(pictures()).mean == pytest.approx(model.encode(pictures()).mean, abs=1e-5)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"blocks": (1, 65)}, "0 to 64 blocks each"),
        ({"network": "dense"}, "a spatial model is convolutional"),
        ({"spec": Pictures(3, 8, 8, 256, "crop")}, "pictures of any size, not 8 x 8"),
        ({"spec": Pictures(3, None, None, 2, "photo")}, "256 levels"),
    ],
)
def test_a_configuration_that_no_map_can_have_is_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        replace(SMALL, **changes)


@pytest.mark.parametrize("size", [(None, 8), (8, None), (8, 8)])
def test_a_photo_has_any_size_and_nothing_else_has(size):
    with pytest.raises(ValueError, match="any size is a photo"):
        Pictures(3, *size, 256, "photo")
    with pytest.raises(ValueError, match="any size is a photo"):
        Pictures(3, None, None, 256, "crop")


@pytest.mark.parametrize("damage", ['"blocks": [1, 2.5]', '"blocks": 3', '"blocks": ["a", 1]'])
def test_a_configuration_of_another_kind_is_no_configuration(damage):
    text = config_to_json(SMALL).replace('"blocks": [1, 2]', damage)
    with pytest.raises(ValueError, match="this is not a model configuration"):
        config_from_json(text)
