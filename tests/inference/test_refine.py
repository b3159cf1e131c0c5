"""Refining q: the ELBO climbs towards log p(x), and reaches it where the family holds the posterior."""

import pytest
import torch

from tests.registry import VECTORS
from vae import data
from vae.distributions import normal
from vae.inference.record import LARGE
from vae.inference.refine import refine
from vae.models import pretrained
from vae.models.spaces import Pictures
from vae.objective import importance_bound

MODELS = VECTORS


def test_where_the_posterior_is_a_gaussian_refinement_closes_the_gap(linear_gaussian):
    class Model(torch.nn.Module):
        """The linear-Gaussian model in float32, with an encoder that misses."""

        latents, input_spec, device = 2, Pictures(height=2, width=3), torch.device("cpu")

        def __init__(self):
            super().__init__()
            self.exact, self.anchor = linear_gaussian(0.4, 1.5), torch.nn.Parameter(torch.zeros(1))

        @property
        def prior(self):
            return normal(torch.zeros(2), torch.ones(2))

        def encode(self, x):
            q = self.exact.encode(x.double())
            return normal(q.mean.float(), q.stddev.float())

        def decode(self, z):
            return self.exact.decode(z.double())

    model = Model()
    x = model.exact.sample(1)
    found = refine(model, x.float(), 200)
    evidence, start = float(model.exact.log_evidence(x)), float(model.exact.elbo(x))
    assert float(found.elbo[0]) == pytest.approx(start, abs=5 * float(found.error[0]))
    assert evidence - start > 0.3
    # at the posterior log p(x, z) - log q(z) is the same for every z; with a closed-form KL only the mean is
    assert float(found.elbo[-1]) == pytest.approx(evidence, abs=5 * float(found.error[-1]))
    posterior = model.exact.posterior(x)
    torch.testing.assert_close(found.mu[-1], posterior.mean[0].float(), atol=0.05, rtol=0)
    torch.testing.assert_close(found.sigma[-1], posterior.stddev[0].float(), atol=0, rtol=0.1)


@pytest.mark.parametrize("name", MODELS)
def test_the_elbo_of_a_shipped_model_climbs_and_stays_below_the_importance_bound(name):
    model = pretrained.load_pretrained(name, "cpu")
    x = data.test_inputs(pretrained.load_card(name)["data"]["name"])[[1234]]
    steps, draws = (100, 20_000) if model.input_spec.pixels < LARGE else (10, 1000)
    with torch.inference_mode():  # as the engine's threads run it
        found, again = refine(model, x, steps), refine(model, x, steps)
        q = model.encode(x)
        best = normal(found.mu[-1:], found.sigma[-1:])
        bound = importance_bound(model, x, draws, torch.Generator().manual_seed(5), q=best)
    assert all(torch.equal(one, other) for one, other in zip(found, again, strict=True))
    assert found.mu.shape == (steps + 1, model.latents)
    assert torch.equal(found.mu[0], q.mean[0])
    assert torch.equal(found.sigma[0], q.stddev[0])
    assert float(found.elbo[-1]) > float(found.elbo[0]) - float(found.error[0])
    assert float(found.elbo[-1]) < float(bound) + 5 * float(found.error[-1])
    assert next(model.parameters()).grad is None


def test_to_refine_takes_a_step():
    model = pretrained.load_pretrained(MODELS[0], "cpu")
    with pytest.raises(ValueError, match="at least one step, not 0"):
        refine(model, torch.zeros(1, 1, 28, 28), 0)
