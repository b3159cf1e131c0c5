"""The families beside the plain VAE: autoencoder, conditional and hierarchical models."""

import json
import math
from dataclasses import replace

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from tests.registry import VECTORS
from vae.distributions import Joint, kl, normal, rsample
from vae.models import (
    FAMILIES,
    VAE,
    Autoencoder,
    AutoencoderKL,
    AutoencoderTiny,
    Conditional,
    Ladder,
    Principal,
    Pyramid,
    Spatial,
    build,
)
from vae.models.checkpoint import config_from_json, config_to_json
from vae.models.networks import Config
from vae.models.pretrained import list_pretrained, load_card
from vae.models.spaces import Pictures
from vae.objective import elbo, importance_bound, loss, terms

SMALL = Pictures(height=4, width=4)
CONFIGS = {
    "vae": VAE.Config(SMALL, 3, width=16),
    "autoencoder": Autoencoder.Config(SMALL, 3, width=16),
    "conditional": Conditional.Config(SMALL, 3, width=16, classes=4),
    "ladder": Ladder.Config(SMALL, 6, width=16, layers=(1, 2, 3)),
    "spatial": Spatial.Config(Pictures(3, None, None, 256, "photo"), 4, "conv", channels=(4, 8), blocks=(1, 1)),
    "principal": Principal.Config(Pictures(3, 8, 16, 256, "crop"), 4, "conv", channels=(4, 8), blocks=(1, 1)),
    "pyramid": Pyramid.Config(
        Pictures(3, 16, 16, 256, "crop"), 15, "conv", channels=(4, 8), maps=(3, 2), blocks=(1, 1)
    ),
    "kl": AutoencoderKL.Config(
        Pictures(3, None, None, 256, "photo"), 4, block_out_channels=(4, 8), norm_num_groups=2, layers_per_block=1
    ),
    "tiny": AutoencoderTiny.Config(
        Pictures(3, None, None, 256, "photo"),
        4,
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1),
    ),
}
# Weights that change nothing: an encoder's half for sigma, and what is added to all keys alike.
UNUSED = {
    "autoencoder": {"encoder.4.weight"},
    "kl": {f"{part}.mid_block.attentions.0.to_k.bias" for part in ("encoder", "decoder")},
}
LADDERS = {"dense": CONFIGS["ladder"], "conv": replace(CONFIGS["ladder"], network="conv", channels=(4, 8))}
EVERY_LADDER = pytest.mark.parametrize("config", LADDERS.values(), ids=LADDERS)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def stirred(config: Config, size: float = 0.3):
    """A model whose layers all do something, also those that begin as zeros."""
    model, generator = build(config, seeded()), seeded(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += size * torch.randn(parameter.shape, generator=generator)
    return model.requires_grad_(False).eval()


def bits(count: int = 5, spec: Pictures = SMALL) -> torch.Tensor:
    return torch.rand(count, spec.channels, spec.height or 8, spec.width or 16, generator=seeded(1)).round()


def test_every_family_has_a_name_and_a_configuration_here():
    assert list(FAMILIES) == list(CONFIGS)
    for name, family in FAMILIES.items():
        assert CONFIGS[name].family == name
        assert type(CONFIGS[name]) is family.Config


@pytest.mark.parametrize("config", [*CONFIGS.values(), LADDERS["conv"]], ids=[*CONFIGS, "conv ladder"])
def test_the_loss_of_every_family_reaches_every_weight_that_it_uses(config):
    model = stirred(config).requires_grad_(True).train()
    y = torch.arange(5) % 4
    parts = terms(model.given(y) if config.classes else model, bits(spec=config.spec), seeded())
    loss(parts).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert name in UNUSED.get(config.family, ()) or parameter.grad.abs().max() > 0, name


FINE = {"network": "conv", "spec": {"channels": 3, "height": 8, "width": 8, "levels": 256, "preparation": "crop"}}


@pytest.mark.parametrize(
    ("family", "changes", "sentence"),
    [
        ("gan", {}, "family must be one of vae, autoencoder, conditional, ladder, spatial, principal, pyramid"),
        ("conditional", {}, "2 or more classes, not 0"),
        ("conditional", {"classes": 1}, "2 or more classes, not 1"),
        ("vae", {"classes": 3}, "'vae' has no classes"),
        ("vae", {"classes": -1}, "'vae' has no classes"),
        ("conditional", {"classes": 3, "network": "conv"}, "a conditional model is dense"),
        ("conditional", {"classes": 3, "octaves": 2}, "'conditional' has no octaves"),
        ("autoencoder", {"corrected": True}, "'autoencoder' has no corrected"),
        ("ladder", {"layers": [3], "octaves": 2}, "'ladder' has no octaves"),
        ("ladder", {}, "layers of at least one latent"),
        ("ladder", {"layers": [3, 0]}, "layers of at least one latent"),
        ("vae", {"layers": [3]}, "'vae' has no layers"),
        ("pyramid", {"maps": [1]}, "a pyramid is convolutional"),
        ("pyramid", {"network": "conv", "maps": [1]}, "and reads pictures of 256 levels"),
        ("pyramid", {**FINE, "maps": []}, "maps of at least one channel"),
        ("pyramid", {**FINE, "maps": [1, 1]}, "needs sides divisible by 16, not 8 x 8"),
        ("pyramid", {**FINE, "maps": [3]}, r"maps of \(3,\) channels have 3 latents, which leaves none of 3"),
        ("pyramid", {**FINE, "maps": [1], "blocks": [1, 65]}, "encoder and decoder have 0 to 64 blocks each"),
        ("vae", {"maps": [1]}, "unexpected keyword argument 'maps'"),
        ("ladder", {"layers": [1, 1]}, r"layers of \(1, 1\) latents are 2 in all, not 3"),
    ],
)
def test_what_a_family_has_not_or_cannot_be_is_refused(family, changes, sentence):
    values = json.loads(config_to_json(CONFIGS["vae"])) | {"family": family} | changes
    with pytest.raises(ValueError, match=sentence):
        config_from_json(json.dumps(values))


@pytest.mark.parametrize("name", [*VECTORS, *list_pretrained(chapters=True)])
def test_a_shipped_configuration_is_read_as_its_familys_and_nothing_that_it_said_is_lost(name):
    said = load_card(name)["training"]["recipe"]["model"]
    read = json.loads(config_to_json(config_from_json(json.dumps(said))))
    assert {key: value for key, value in said.items() if key in read} == {key: read[key] for key in read if key in said}
    assert not any(value for key, value in said.items() if key not in read)


# ---- the plain autoencoder ----


def test_an_autoencoder_has_the_vaes_weights_and_puts_all_of_q_at_its_mean():
    auto, vae, x = stirred(CONFIGS["autoencoder"]), stirred(CONFIGS["vae"]), bits()
    assert {name: weight.shape for name, weight in auto.state_dict().items()} == {
        name: weight.shape for name, weight in vae.state_dict().items()
    }
    assert torch.equal(auto.encode(x).mean, vae.encode(x).mean)
    assert torch.equal(rsample(auto.encode(x), seeded()), vae.encode(x).mean)
    assert auto.prior is None


def test_an_autoencoders_terms_are_the_likelihood_at_its_point_and_it_has_no_bound():
    auto, x = stirred(CONFIGS["autoencoder"]), bits()
    parts = terms(auto, x, seeded())
    assert torch.equal(parts.log_likelihood, auto.decode(auto.encode(x).mean).log_prob(x))
    assert torch.equal(parts.kl, torch.zeros(5))
    for bound in (lambda: elbo(auto, x), lambda: importance_bound(auto, x, 3)):
        with pytest.raises(ValueError, match="no prior"):
            bound()


# ---- conditions ----


def test_a_conditional_model_given_classes_is_a_vae_whose_rows_keep_their_class():
    model, x, y = stirred(CONFIGS["conditional"]), bits(), torch.tensor([0, 3, 1, 1, 2])
    given = model.given(y)
    assert torch.equal(given.encode(x).mean, model.encode(x, y).mean)
    z = torch.randn(5, 3, generator=seeded())
    assert torch.equal(given.decode(z).mean, model.decode(z, y).mean)
    assert not torch.allclose(model.decode(z, y).mean, model.decode(z, (y + 1) % 4).mean)
    several = torch.randn(3, 5, 3, generator=seeded())
    together = given.decode(several.flatten(0, 1)).mean.unflatten(0, (3, 5))
    for one, mean in zip(several, together, strict=True):
        torch.testing.assert_close(mean, model.decode(one, y).mean)


def test_the_importance_bound_of_a_conditional_model_is_that_of_each_picture_with_its_class():
    model, x, y = stirred(CONFIGS["conditional"], 0.1), bits(2), torch.tensor([3, 1])
    both = importance_bound(model.given(y), x, 20_000, seeded())
    alone = [importance_bound(model.given(y[i : i + 1]), x[i : i + 1], 20_000, seeded(9))[0] for i in (0, 1)]
    wrong = importance_bound(model.given(y.flip(0)), x, 20_000, seeded())
    torch.testing.assert_close(both, torch.stack(alone), atol=0.05, rtol=0)
    assert (both - wrong).abs().min() > 0.15


# ---- layers ----


def plane(step: float = 0.05, far: float = 9.0) -> tuple[torch.Tensor, float]:
    """Midpoints of cells over a square, and the area of one."""
    side = torch.arange(-far + step / 2, far, step)
    return torch.cartesian_prod(side, side), step**2


def two_layers(config: Config):
    return stirred(replace(config, latents=2, layers=(1, 1)), 0.1)


@EVERY_LADDER
def test_prior_and_posterior_of_a_ladder_are_densities(config):
    model, (z, area) = two_layers(config), plane()
    q = model.encode(bits(1))
    assert float(model.prior.log_prob(z).exp().sum() * area) == pytest.approx(1, abs=1e-3)
    assert float(q.log_prob(z[:, None]).exp().sum() * area) == pytest.approx(1, abs=1e-3)


@EVERY_LADDER
def test_a_ladders_draws_have_the_density_that_it_states(config):
    model, (z, area) = two_layers(config), plane()
    for q in (model.prior, model.encode(bits(1))):
        density = q.log_prob(z.unflatten(0, (-1, *q.batch_shape))).exp().flatten() * area
        mean, square = density @ z, density @ z.square()
        draws = rsample(q, seeded(3), (40_000,)).flatten(0, -2)
        torch.testing.assert_close(draws.mean(0), mean, atol=0.03, rtol=0)
        torch.testing.assert_close(draws.square().mean(0), square, atol=0.08, rtol=0)


@EVERY_LADDER
def test_the_kl_of_a_ladder_is_the_mean_log_ratio_of_its_densities_and_that_of_quadrature(config):
    model, (z, area) = two_layers(config), plane()
    q, p = model.encode(bits(1)), model.prior
    log_q = q.log_prob(z[:, None]).flatten()
    exact = float((log_q.exp() * (log_q - p.log_prob(z))).sum() * area)
    draws = rsample(q, seeded(3), (20_000,))
    estimate = kl(q, p, draws)
    ratio = q.log_prob(draws) - p.log_prob(draws)
    assert exact > 0.04
    assert float(estimate.mean()) == pytest.approx(exact, abs=0.01)
    assert float(ratio.mean()) == pytest.approx(exact, abs=0.04)
    assert float(estimate.std()) < float(ratio.std())  # closed form in each layer: that is what it is for
    torch.testing.assert_close(q.kl_per_layer(draws).sum(-1), estimate)


@EVERY_LADDER
def test_the_bounds_of_a_ladder_rise_from_the_elbo_to_log_p_of_x_by_quadrature(config):
    model, (z, area), x = two_layers(config), plane(), bits(2)
    joint = model.prior.log_prob(z)
    evidence = torch.stack(
        [(joint + model.decode(z).log_prob(one.expand(len(z), -1, -1, -1))).logsumexp(0) + math.log(area) for one in x]
    )
    low, middle = elbo(model, x, 1000, seeded()), importance_bound(model, x.repeat(500, 1, 1, 1), 5, seeded())
    middle = middle.unflatten(0, (500, 2)).mean(0)
    high = importance_bound(model, x, 20_000, seeded(2))
    assert (low < middle - 0.01).all()
    assert (middle < high - 0.01).all()
    torch.testing.assert_close(high, evidence, atol=0.02, rtol=0)


@EVERY_LADDER
def test_a_ladder_of_one_layer_is_a_gaussian(config):
    model, x = stirred(replace(config, latents=3, layers=(3,))), bits()
    q, p = model.encode(x), model.prior
    z = rsample(q, seeded())
    (own, prior) = q.conditionals(z)[0]
    flat = normal(own.mean, own.stddev)
    torch.testing.assert_close(q.log_prob(z), flat.log_prob(z))
    torch.testing.assert_close(p.log_prob(z), Independent(Normal(torch.zeros(3), torch.ones(3)), 1).log_prob(z))
    torch.testing.assert_close(kl(q, p, z), kl_divergence(flat, prior))


@EVERY_LADDER
def test_lower_layers_change_nothing_above_them_and_upper_ones_do(config):
    model = stirred(config)
    z = torch.randn(1, 6, generator=seeded())
    lower, upper = z.clone(), z.clone()
    lower[:, 3:] += 1
    upper[:, :1] += 1
    before, after, above = (model.prior.conditionals(one) for one in (z, lower, upper))
    assert all(torch.equal(before[layer][0].mean, after[layer][0].mean) for layer in range(3))
    assert not torch.allclose(before[1][0].mean, above[1][0].mean)
    assert not torch.allclose(model.decode(z).mean, model.decode(lower).mean)


@EVERY_LADDER
def test_what_a_joint_distribution_keeps_of_its_last_draw_is_never_given_for_another(config):
    model, x = stirred(config), bits()
    q = model.encode(x)
    z = rsample(q, seeded())
    first = q.log_prob(z)
    other = rsample(q, seeded(5))
    assert isinstance(q, Joint)
    torch.testing.assert_close(q.log_prob(z), first)
    torch.testing.assert_close(q.log_prob(other.clone()), q.log_prob(other))
    torch.testing.assert_close(model.encode(x).log_prob(other), q.log_prob(other))
    torch.manual_seed(4)
    drawn = q.rsample((2,))
    assert drawn.shape == (2, 5, 6)
    torch.manual_seed(4)
    assert torch.equal(rsample(q, None, (2,)), drawn)
