"""Every network and likelihood: shapes, finite numbers, seeds, and that it can learn."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError

from vae import data
from vae.distributions import bernoulli
from vae.models import NETWORKS, VAE, FourierFeatures
from vae.models.spaces import Pictures
from vae.objective import elbo, loss, terms

SPECS = {
    "grey": Pictures(),
    "grey, 256 levels": Pictures(levels=256, preparation="crop"),
    "colour": Pictures(3, 8, 12, 256, "crop"),
    "colour, bits": Pictures(3, 8, 12, 2, "crop"),
}
EACH = pytest.mark.parametrize(
    "config",
    [
        pytest.param(VAE.Config(spec, 3, network, width=16, channels=(4, 8)), id=f"{network}, {name}")
        for network in NETWORKS
        for name, spec in SPECS.items()
    ]
    + [
        pytest.param(VAE.Config(Pictures(), 3, network, width=16, channels=(4, 8), octaves=4), id=f"{network}, octaves")
        for network in NETWORKS
    ],
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(spec: Pictures, count: int = 5) -> torch.Tensor:
    """Random pictures of the levels that the likelihood knows."""
    return torch.randint(spec.levels, (count, *spec.shape), generator=seeded(1)) / (spec.levels - 1)


@EACH
def test_the_posterior_is_over_the_latents_and_the_likelihood_over_the_picture(config):
    model = VAE(config, seeded())
    x = pictures(config.spec)
    q = model.encode(x)
    assert (q.batch_shape, q.event_shape) == ((5,), (3,))
    p = model.decode(q.mean)
    assert (p.batch_shape, p.event_shape) == ((5,), config.spec.shape)
    assert p.mean.shape == x.shape
    assert p.mean.min() >= 0
    assert p.mean.max() <= 1
    assert p.log_prob(x).shape == (5,)
    assert p.log_prob(x).isfinite().all()
    assert (model.prior.batch_shape, model.prior.event_shape) == ((), (3,))
    assert (model.latents, model.input_spec) == (3, config.spec)


@EACH
def test_the_gradient_of_an_untrained_model_is_finite_and_reaches_encoder_and_decoder(config):
    model = VAE(config, seeded())
    loss(terms(model, pictures(config.spec), seeded())).backward()
    gradients = dict(model.named_parameters())
    assert all(parameter.grad.isfinite().all() for parameter in gradients.values())
    for end in ("encoder.", "decoder."):
        first = [parameter for name, parameter in gradients.items() if name.startswith(end)][:2]
        assert all(parameter.grad.abs().max() > 0 for parameter in first)


@EACH
def test_the_same_seed_gives_the_same_weights_and_the_global_generator_is_not_consulted(config):
    one = VAE(config, seeded(4)).state_dict()
    torch.manual_seed(99)
    two, other = VAE(config, seeded(4)).state_dict(), VAE(config, seeded(5)).state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


@EACH
def test_pictures_are_encoded_and_decoded_each_on_its_own(config):
    model = VAE(config, seeded()).eval()
    x = pictures(config.spec)
    with torch.inference_mode():
        together, alone = model.encode(x), model.encode(x[2:3])
        torch.testing.assert_close(together.mean[2:3], alone.mean, rtol=1e-4, atol=1e-5)
        means = model.decode(together.mean).mean
        torch.testing.assert_close(means[2:3], model.decode(alone.mean).mean, rtol=1e-4, atol=1e-5)


def test_the_logits_of_a_binary_model_are_its_decoders_output():
    model = VAE(VAE.Config(Pictures(), 2, width=16), seeded())
    z = torch.randn(3, 2, generator=seeded())
    x = pictures(model.input_spec, 3)
    assert torch.equal(model.decode(z).log_prob(x), bernoulli(model.decoder(z)).log_prob(x))


def test_sigma_is_the_exponential_of_the_encoders_second_half_and_kept_between_exp_minus_9_and_exp_3():
    model = VAE(VAE.Config(Pictures(), 3, width=16), seeded())
    last = model.encoder[-1]
    last.weight.data.zero_()
    last.bias.data = torch.tensor([0.5, -2.0, 40.0, -8.5, 2.5, 1.0])
    q = model.encode(pictures(model.input_spec, 2))
    torch.testing.assert_close(q.mean, torch.tensor([0.5, -2.0, 40.0]).expand(2, -1))
    torch.testing.assert_close(q.base_dist.scale, torch.tensor([-8.5, 2.5, 1.0]).exp().expand(2, -1))
    last.bias.data[3:] = torch.tensor([-1e4, 1e4, 3.1])
    limits = model.encode(pictures(model.input_spec, 2)).base_dist.scale
    torch.testing.assert_close(limits, torch.tensor([-9.0, 3.0, 3.0]).exp().expand(2, -1))


@pytest.mark.parametrize("size", [(26, 28), (28, 30), (27, 27)])
def test_a_conv_model_refuses_sides_that_are_not_divisible_by_4_and_a_dense_one_takes_them(size):
    spec = Pictures(1, *size)
    with pytest.raises(ValueError, match="divisible by 4"):
        VAE.Config(spec, 2, "conv")
    model = VAE(VAE.Config(spec, 2, "dense", width=8), seeded())
    assert model.decode(model.encode(pictures(spec)).mean).mean.shape[2:] == size


def test_unknown_networks_and_models_without_latents_are_refused():
    with pytest.raises(ValueError, match="network must be one of dense, conv"):
        VAE.Config(Pictures(), 2, "transformer")
    with pytest.raises(ValueError, match="at least one latent"):
        VAE.Config(Pictures(), 0)


@pytest.mark.parametrize("octaves", range(6))
def test_fourier_features_are_z_and_its_sines_and_cosines_from_a_quarter_of_pi_on(octaves):
    z = 3 * torch.randn(7, 3, generator=seeded(), dtype=torch.float64)
    waves = [wave(math.pi / 4 * 2**k * z.numpy()) for k in range(octaves) for wave in (np.sin, np.cos)]
    features = FourierFeatures(octaves)(z)
    assert features.shape == (7, 3 * (1 + 2 * octaves))
    torch.testing.assert_close(features, torch.from_numpy(np.hstack([z, *waves])), rtol=0, atol=1e-12)


@pytest.mark.parametrize("network", NETWORKS)
def test_octaves_change_nothing_but_what_the_decoders_first_layer_reads(network):
    config = VAE.Config(Pictures(), 3, network, width=16, channels=(4, 8))
    plain = {name: tuple(weight.shape) for name, weight in VAE(config).state_dict().items()}
    told = {name: tuple(weight.shape) for name, weight in VAE(replace(config, octaves=4)).state_dict().items()}
    assert plain["decoder.0.weight"] == (16, 3)
    assert told["decoder.1.weight"] == (16, 3 * 9)
    assert [shape for name, shape in plain.items() if name != "decoder.0.weight"] == [
        shape for name, shape in told.items() if name != "decoder.1.weight"
    ]


def test_the_weights_of_a_model_without_octaves_are_named_as_in_the_files_that_ship():
    names = [f"{end}.weight" for end in ("encoder.1", "encoder.2.body.0", "encoder.2.body.1", "encoder.2.body.3")]
    names += ["encoder.4.weight", "decoder.0.weight", "decoder.1.body.0.weight", "decoder.1.body.1.weight"]
    names += ["decoder.1.body.3.weight", "decoder.3.weight"]
    state = VAE(VAE.Config(Pictures(), 2, width=8)).state_dict()
    assert set(state) == {*names, *(name.replace("weight", "bias") for name in names)}


@pytest.mark.parametrize("octaves", [-1, 17, 10**6])
def test_a_number_of_octaves_out_of_range_is_refused(octaves):
    with pytest.raises(ValueError, match=f"0 to 16 frequencies, not {octaves}"):
        VAE.Config(Pictures(), 2, octaves=octaves)
    assert [VAE.Config(Pictures(), 2, octaves=fine).octaves for fine in (0, 16)] == [0, 16]


def test_shapes_are_checked_while_the_tests_run():
    model = VAE(VAE.Config(Pictures(), 2, width=8), seeded())
    with pytest.raises(TypeCheckError):
        model.encode(torch.zeros(28, 28))
    with pytest.raises(TypeCheckError):
        model.decode(torch.zeros(2))
    with pytest.raises(TypeCheckError):
        terms(model, torch.zeros(4, 1, 28, 28, dtype=torch.uint8))
    with pytest.raises(TypeCheckError):
        terms(model, torch.zeros(4, 1, 28, 28), eps=torch.zeros(3, 2))


@pytest.mark.parametrize("network", NETWORKS)
def test_a_model_fitted_to_32_digits_is_far_better_than_the_best_decoder_that_ignores_z(network, digits):
    x = data.binarise(data.grey(digits[:32]), seeded())
    ink = x.mean(0, keepdim=True).clamp(1e-6, 1 - 1e-6)
    ignoring = bernoulli(ink.logit().expand_as(x)).log_prob(x).mean()  # -193 nats: no constant picture does better
    model = VAE(VAE.Config(Pictures(), 8, network, width=64, channels=(4, 16)), seeded())
    optimiser = torch.optim.Adam(model.parameters(), 0.01, fused=True)
    generator = seeded(2)
    for _ in range(160 if network == "dense" else 80):
        optimiser.zero_grad()
        loss(terms(model, x, generator)).backward()
        optimiser.step()
    with torch.inference_mode():
        assert elbo(model, x, 5, generator).mean() > ignoring + 100


def test_a_configuration_can_be_varied_but_not_changed():
    config = VAE.Config(Pictures(), 2)
    assert replace(config, latents=3).latents == 3
    with pytest.raises(AttributeError):
        config.latents = 3
