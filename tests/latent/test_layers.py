"""Layers drawn again: those above stay bit for bit, the others follow their conditional priors."""

import pytest
import torch

from vae.distributions import rsample
from vae.latent.layers import by_layer, resample, variations
from vae.models import Ladder
from vae.models.spaces import Pictures
from vae.objective import elbo

SPEC = Pictures(channels=1, height=4, width=4, levels=2, preparation="digit")
LAYERS = (2, 3, 4)
EVERY_LAYER = pytest.mark.parametrize("layer", range(len(LAYERS)))


@pytest.fixture
def model() -> Ladder:
    generator = torch.Generator().manual_seed(0)
    found = Ladder(Ladder.Config(SPEC, sum(LAYERS), width=16, layers=LAYERS), generator)
    for head in (*found.priors, *found.corrections):  # as it is made, every prior is N(0, I) whatever lies above
        torch.nn.init.normal_(head[-1].weight, std=0.4, generator=generator)
    return found.requires_grad_(False).eval()


@pytest.fixture
def z(model) -> torch.Tensor:
    return rsample(model.prior, torch.Generator().manual_seed(1), (5,))


@EVERY_LAYER
def test_the_layers_above_stay_bit_for_bit_and_all_others_change(model, z, layer):
    again, kept = resample(model, z, layer, torch.Generator().manual_seed(2)), sum(LAYERS[:layer])
    assert torch.equal(again[:, :kept], z[:, :kept])
    assert (again[:, kept:] != z[:, kept:]).all()


@EVERY_LAYER
def test_a_layer_is_drawn_from_its_prior_given_the_kept_ones(model, z, layer):
    many = resample(model, z[:1].expand(20_000, -1), layer, torch.Generator().manual_seed(3))
    _, prior = model.prior.conditionals(z[:1].clone())[layer]
    part = many.split(LAYERS, -1)[layer]
    torch.testing.assert_close(part.mean(0), prior.mean[0], atol=5 * float(prior.stddev.max()) / 20_000**0.5, rtol=0)
    torch.testing.assert_close(part.std(0), prior.stddev[0], atol=0.02, rtol=0.03)


def test_from_the_top_it_is_a_draw_of_the_prior(model, z):
    expected = rsample(model.prior, torch.Generator().manual_seed(4), (5,))
    torch.testing.assert_close(resample(model, z, 0, torch.Generator().manual_seed(4)), expected)


@pytest.mark.parametrize("layer", [-1, 3])
def test_a_layer_that_is_not_there_is_named(model, z, layer):
    with pytest.raises(ValueError, match=f"from 0 to 2, not {layer}"):
        resample(model, z, layer)


def test_the_ledger_is_the_elbo_by_another_way(model):
    x = torch.rand(1, *SPEC.shape, generator=torch.Generator().manual_seed(5)).round()
    found = by_layer(model, x, 4000, torch.Generator().manual_seed(6))
    assert found.elbo == pytest.approx(found.log_likelihood - float(found.kl.sum()), abs=1e-3)
    other = float(elbo(model, x.expand(4000, -1, -1, -1), 1, torch.Generator().manual_seed(7)).mean())
    assert abs(found.elbo - other) < 5 * found.elbo_error
    q, p = model.encode(x), model.prior
    z = rsample(q, torch.Generator().manual_seed(8), (20_000,)).squeeze(1)
    by_densities = (model.encode(x.expand(20_000, -1, -1, -1)).log_prob(z) - p.log_prob(z)).mean()
    assert abs(float(found.kl.sum() - by_densities)) < 5 * found.kl_error + 0.1


def test_variations_keep_ever_more_of_the_picture(model):
    x = torch.rand(1, *SPEC.shape, generator=torch.Generator().manual_seed(5)).round()
    first, pictures = variations(model, x, 7, torch.Generator().manual_seed(9))
    assert first.shape == SPEC.shape
    assert pictures.shape == (3, 7, *SPEC.shape)
    generator = torch.Generator().manual_seed(9)
    z = rsample(model.encode(x), generator)
    for layer in range(3):
        drawn = resample(model, z.expand(7, -1), layer, generator)
        torch.testing.assert_close(pictures[layer], model.decode(drawn).mean)
