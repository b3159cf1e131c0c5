"""One z in every class, and every class as an explanation: against the model's own calls and an importance bound."""

import pytest
import torch

from vae.latent.classes import accuracy, in_every_class, style, terms_by_class
from vae.models import Conditional
from vae.models.spaces import Pictures
from vae.objective import importance_bound

SPEC = Pictures(channels=1, height=4, width=4, levels=2, preparation="digit")


@pytest.fixture
def model() -> Conditional:
    config = Conditional.Config(SPEC, 3, width=16, classes=5)
    found = Conditional(config, torch.Generator().manual_seed(2)).requires_grad_(False).eval()
    for parameter in found.parameters():  # as it is made, its decoder hardly listens to z and y
        parameter.mul_(1.5)
    return found


@pytest.fixture
def x() -> torch.Tensor:
    return torch.rand(6, *SPEC.shape, generator=torch.Generator().manual_seed(1)).round()


def test_each_z_is_decoded_in_each_class_by_itself(model, x):
    z = torch.randn(4, 3, generator=torch.Generator().manual_seed(3))
    found = in_every_class(model, x[:1], z)
    assert found.pictures.shape == (4, 5, *SPEC.shape)
    for row in range(4):
        for y in range(5):
            p = model.decode(z[row : row + 1], torch.tensor([y]))
            torch.testing.assert_close(found.pictures[row, y], p.mean[0])
            bits = x[0] * p.mean[0] + (1 - x[0]) * (1 - p.mean[0])  # Bernoulli by its definition
            torch.testing.assert_close(found.log_likelihood[row, y], bits.log().sum(), rtol=1e-4, atol=1e-4)
    assert found.pictures.std(1).max() > 1e-3, "the classes must differ for this to test anything"


def test_the_style_is_the_posterior_mean_given_the_class(model, x):
    torch.testing.assert_close(style(model, x[:1], 3), model.encode(x[:1], torch.tensor([3])).mean)


def test_the_elbo_of_each_class_lies_below_its_importance_bound_by_little(model, x):
    rows = x.repeat(2000, 1, 1, 1)
    parts = [part.view(2000, 6, 5) for part in terms_by_class(model, rows, torch.Generator().manual_seed(0))]
    elbos = parts[0] - parts[1]
    found, error = elbos.mean(0), elbos.std(0) / 2000**0.5
    bounds = [
        importance_bound(model.given(torch.full((6,), y)), x, 2000, torch.Generator().manual_seed(1)) for y in range(5)
    ]
    assert (torch.stack(bounds, 1) - found).min() > -0.05
    # by densities instead of the closed KL: E_q[log p(x|z, y) + log p(z) - log q(z|x, y)]
    q = model.encode(x, torch.full((6,), 2))
    z = q.sample((2000,))
    p = model.decode(z.flatten(0, 1), torch.full((12000,), 2)).log_prob(rows).view(2000, 6)
    log_weights = p + model.prior.log_prob(z) - q.log_prob(z)
    both = (error[:, 2].square() + log_weights.var(0) / 2000).sqrt()
    assert ((found[:, 2] - log_weights.mean(0)).abs() < 5 * both).all()


def test_every_class_is_tried_with_the_same_noise(model, x):
    for part, alone in zip(tried(model, x), tried(model, x[:1].expand(6, -1, -1, -1)), strict=True):
        torch.testing.assert_close(part[0], alone[0])
    blind = Conditional(model.config, torch.Generator().manual_seed(2)).requires_grad_(False)
    for network in (blind.encoder, blind.decoder):
        first = next(layer for layer in network.modules() if isinstance(layer, torch.nn.Linear))
        first.weight[:, -5:] = 0  # blind to the class
    for part in tried(blind, x):
        torch.testing.assert_close(part, part[:, :1].expand_as(part), atol=1e-4, rtol=0)


def tried(model: Conditional, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return terms_by_class(model, x, torch.Generator().manual_seed(4))


def test_accuracy_counts_the_classes_of_highest_elbo(model, x):
    log_likelihood, kl = terms_by_class(model, x, torch.Generator().manual_seed(0))
    best = (log_likelihood - kl).argmax(1)
    assert accuracy(model, x, best) == 1.0
    wrong = best.clone()
    wrong[:2] = (best[:2] + 1) % 5
    assert accuracy(model, x, wrong) == pytest.approx(4 / 6)
