"""The structure of a model against forward hooks on a copy of it, which see the same pass."""

import pytest
import torch

import vae
from tests.likelihoods import log_prob
from tests.registry import VECTORS
from vae import data
from vae.inference.structure import COMPONENTS, decoding, gradients, structure
from vae.models import VAE, build
from vae.objective import loss, terms
from vae.train import recipes

NAMES = VECTORS
CONV = VAE.Config(recipes.DIGIT, 5, network="conv", width=32, channels=(4, 8))


def example(model) -> tuple[torch.Tensor, torch.Tensor]:
    name = next(name for name, one in data.DATASETS.items() if one.spec == model.input_spec)
    x = data.as_read(data.grey(data.test_set(name).images[:1]), model.input_spec)
    return x, torch.randn(1, model.latents, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("name", [*NAMES, "conv"])
def test_every_layer_has_the_kind_the_shape_and_the_values_that_hooks_see(name):
    model = build(CONV, torch.Generator().manual_seed(1)) if name == "conv" else vae.load_pretrained(name, "cpu")
    x, eps = example(model)
    seen = []
    handles = [
        layer.register_forward_hook(lambda layer, _, output: seen.append((type(layer).__name__, output[0].clone())))
        for network in (model.encoder, model.decoder)
        for layer in network
    ]
    with torch.inference_mode():
        q = model.encode(x)
        mean = model.decode(q.mean + q.stddev * eps).mean
    for handle in handles:
        handle.remove()
    found = structure(model, x, eps)
    encoder, last = found.encoder[: len(model.encoder)], found.encoder[len(model.encoder) :]
    decoder, beside = found.decoder[: len(model.decoder)], found.decoder[len(model.decoder) :]
    added = [COMPONENTS] * model.config.linear
    assert [layer.kind for layer in last] == ["Correction"] * model.config.corrected + added
    assert [layer.kind for layer in beside] == added
    layers = [*encoder, *decoder]
    seen = seen[: len(encoder)] + seen[-len(decoder) :]  # a correction runs the decoder in between
    assert [layer.kind for layer in layers] == [kind for kind, _ in seen]
    for layer, (_, output) in zip(layers, seen, strict=True):
        torch.testing.assert_close(layer.output, output)
    torch.testing.assert_close(found.mean, mean[0])
    assert sum(layer.parameters for layer in layers) == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_the_last_layers_are_mu_and_log_sigma_and_the_log_odds_and_z_lies_where_eps_says(name):
    model = vae.load_pretrained(name, device="cpu")
    found = structure(model, *example(model))
    mu, log_sigma = found.encoder[-1].output.chunk(2)
    torch.testing.assert_close(found.mu, mu)
    torch.testing.assert_close(found.sigma.log(), log_sigma, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close((found.z - found.mu) / found.sigma, found.eps, rtol=1e-3, atol=1e-3)
    shown = torch.sigmoid if model.input_spec.levels == 2 else lambda output: output.chunk(2)[0].clamp(0, 1)
    torch.testing.assert_close(shown(found.decoder[-1].output), found.mean)


@pytest.mark.parametrize("name", NAMES)
def test_decoding_is_the_decoder_s_half_of_the_structure_for_each_row(name):
    model = vae.load_pretrained(name, device="cpu")
    found = structure(model, *example(model))
    values = torch.cat([layer.output.flatten() for layer in found.decoder] + [found.mean.flatten()])
    rows = decoding(model, torch.stack([found.z, torch.zeros_like(found.z)]))
    torch.testing.assert_close(rows[0], values, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(rows[1:], decoding(model, torch.zeros(1, model.latents)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_differences_of_the_loss_and_divide_at_z_as_the_chain_rule_says(name):
    model = vae.load_pretrained(name, device="cpu")
    x, eps = example(model)
    found = gradients(model, x, eps)
    with torch.inference_mode():
        q = model.encode(x)
        assert found.loss == pytest.approx(float(loss(terms(model, x, eps=eps))), abs=1e-2, rel=1e-6)
        latent = int(found.z.abs().argmax())
        wide = 0.02 * q.stddev[0, latent]

        def at(mu: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
            kl = 0.5 * (mu.square() + sigma.square() - 1) - sigma.log()
            return kl.double().sum() - log_prob(model.decode(mu + sigma * eps), x).sum()

        step = torch.zeros_like(q.mean)
        step[0, latent] = wide
        slope_mu = (at(q.mean + step, q.stddev) - at(q.mean - step, q.stddev)) / (2 * wide)
        slope_sigma = (at(q.mean, q.stddev + step) - at(q.mean, q.stddev - step)) / (2 * wide)
    assert float(found.mu[latent]) == pytest.approx(float(slope_mu), rel=0.03, abs=0.3)
    part = abs(float(found.z_to_sigma[latent]))  # of which the KL's own takes nearly all away
    assert float(found.sigma[latent]) == pytest.approx(float(slope_sigma), rel=0.03, abs=0.3 + 0.005 * part)
    torch.testing.assert_close(found.z_to_mu, found.z)
    torch.testing.assert_close(found.z_to_sigma, found.z * eps[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.kl_to_mu, q.mean[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.kl_to_sigma, (q.stddev - 1 / q.stddev)[0], rtol=1e-4, atol=1e-3)
