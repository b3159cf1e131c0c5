"""log p(x) of models with two latents against independent quadratures in float64."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.grids import grid
from tests.registry import VECTORS
from vae import data
from vae.distributions import bernoulli
from vae.inference.evidence import Evidence, Grid, log_evidence
from vae.models import VAE
from vae.models.pretrained import load_pretrained
from vae.models.spaces import Pictures
from vae.objective import elbo, importance_bound
from vae.train.recipes import RECIPES

SPEC = Pictures(height=6, width=6)
FLAT = [name for name in VECTORS if name in RECIPES and RECIPES[name].model.latents == 2]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_model(gain: float, seed: int = 0, spec: Pictures = SPEC) -> VAE:
    """A small dense model whose decoder's weights are scaled up by `gain`: the larger, the narrower the posterior."""
    generator = seeded(seed)
    model = VAE(VAE.Config(spec, 2, width=16), generator)
    for parameter in model.decoder.parameters():
        if parameter.ndim == 1:
            parameter.data += 0.5 * torch.randn(parameter.shape, generator=generator)
    model.decoder[1].body[-1].weight.data.normal_(0, 0.3, generator=generator)
    model.decoder[-2].weight.data *= gain
    return model.requires_grad_(False)


def samples(model: VAE, count: int, seed: int = 1) -> Tensor:
    """Pictures from p(x), so that the posterior is where the model means it to be."""
    generator = seeded(seed)
    means = model.decode(torch.randn(count, 2, generator=generator)).mean
    return data.binarise(means, generator)


def in_float64(model: VAE) -> VAE:
    twin = VAE(model.config).double()
    twin.load_state_dict({name: tensor.double() for name, tensor in model.state_dict().items()})
    return twin.requires_grad_(False)


def log_joint(model: VAE, x: Tensor, z: Tensor, precision: torch.dtype = torch.float64) -> Tensor:
    """log p(x, z) for every picture and place, `(b, n)`, without the library's formula."""
    logits = model.decoder(z.to(next(model.parameters()).dtype)).flatten(1).to(precision)
    x = x.flatten(1).to(precision)
    # log sigmoid(l) = l + log sigmoid(-l) where a pixel is 1, and log sigmoid(-l) where it is 0
    likelihood = x @ logits.T + F.logsigmoid(-logits).sum(1)
    return likelihood + torch.distributions.Normal(0, 1).log_prob(z).sum(1)


def plane(width: float, extent: float = 6.5) -> Tensor:
    """The corners of square cells, `(n, 2)` in float64: not the midpoints that the library takes."""
    line = torch.arange(-extent, extent + width / 2, width, dtype=torch.float64)
    return torch.cartesian_prod(line, line)


def by_grid(model: VAE, x: Tensor, width: float) -> Tensor:
    twin, total = in_float64(model), torch.full((len(x),), -math.inf, dtype=torch.float64)
    for z in plane(width).split(50_000):
        total = total.logaddexp(log_joint(twin, x, z).logsumexp(1))
    return total + 2 * math.log(width)


def test_the_evidence_of_a_smooth_model_is_that_of_gauss_hermite_quadrature():
    model = random_model(gain=0.5)
    x = samples(model, 6)
    nodes, weights = np.polynomial.hermite_e.hermegauss(100)
    z = torch.cartesian_prod(*[torch.from_numpy(nodes)] * 2)
    log_weight = torch.cartesian_prod(*[torch.from_numpy(weights / weights.sum()).log()] * 2).sum(1)
    prior = torch.distributions.Normal(0, 1).log_prob(z).sum(1)
    expected = (log_joint(in_float64(model), x, z) - prior + log_weight).logsumexp(1)
    torch.testing.assert_close(log_evidence(model, x).double(), expected, atol=2e-3, rtol=0)


@pytest.mark.parametrize("gain", [3.0, 20.0])
def test_the_evidence_is_that_of_a_fine_grid_and_the_error_is_stated(gain):
    model = random_model(gain, seed=3)
    x = samples(model, 10)
    evidence = Grid(model).evidence(x)
    assert ((evidence.log_evidence - by_grid(model, x, 0.02)).abs() < 2e-3).all()
    assert (evidence.error < 1e-2).all()


def test_a_posterior_far_narrower_than_the_coarsest_cell_is_found():
    model = random_model(20.0, seed=4, spec=Pictures(height=12, width=12))
    x = samples(model, 6)
    z, twin = plane(0.02, 4.0), in_float64(model)
    joint = torch.cat([log_joint(twin, x, part) for part in z.split(50_000)], 1)
    posterior = joint.softmax(1)
    sigma = (posterior @ z.square() - (posterior @ z).square()).sqrt()
    assert sigma.min() < 0.05  # half of the coarsest cell
    expected = joint.logsumexp(1) + 2 * math.log(0.02)
    torch.testing.assert_close(log_evidence(model, x).double(), expected, atol=1e-2, rtol=0)


def test_the_evidence_is_the_elbo_plus_the_divergence_of_q_from_the_posterior():
    model = random_model(0.5, seed=2)
    x = samples(model, 2)
    q = model.encode(x)
    z, twin = plane(0.02), in_float64(model)
    log_q = q.log_prob(z[:, None].float()).T.double()
    log_posterior = log_joint(twin, x, z).log_softmax(1) - 2 * math.log(0.02)
    divergence = (log_q.exp() * (log_q - log_posterior)).sum(1) * 0.02**2
    torch.testing.assert_close(log_q.exp().sum(1) * 0.02**2, torch.ones(2, dtype=torch.float64), atol=1e-5, rtol=0)
    many, generator = x.repeat_interleave(60_000, 0), seeded(9)
    bounds = torch.cat([elbo(model, part, generator=generator) for part in many.split(30_000)]).view(2, -1)
    assert (bounds.std(1) / math.sqrt(60_000)).max() < 1e-2
    error = 4 * bounds.std(1) / math.sqrt(60_000) + 1e-3
    assert ((bounds.mean(1) + divergence - log_evidence(model, x)).abs() < error).all()


def test_a_decoder_that_ignores_z_has_its_likelihood_as_the_evidence():
    model = random_model(0.0)
    x = samples(model, 8)
    expected = bernoulli(model.decode(torch.zeros(1, 2)).base_dist.logits.expand(8, -1, -1, -1)).log_prob(x)
    torch.testing.assert_close(log_evidence(model, x), expected, atol=1e-3, rtol=0)


def test_pictures_are_integrated_each_on_its_own_whatever_the_blocks():
    model = random_model(5.0, seed=5)
    x, grid = samples(model, 12), Grid(model)
    together = grid.evidence(x).log_evidence
    torch.testing.assert_close(grid.evidence(x, block=5).log_evidence, together, atol=1e-3, rtol=0)
    torch.testing.assert_close(grid.evidence(x[7:8]).log_evidence, together[7:8], atol=1e-3, rtol=0)
    torch.testing.assert_close(grid.evidence(x.flip(0)).log_evidence, together.flip(0), atol=1e-3, rtol=0)


def test_the_evidence_of_every_picture_there_can_be_sums_to_one():
    model = random_model(2.0, spec=Pictures(height=2, width=2))
    every = torch.tensor([[(code >> bit) & 1 for bit in range(4)] for code in range(16)]).float().view(16, 1, 2, 2)
    assert log_evidence(model, every).logsumexp(0).item() == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(("latents", "levels"), [(1, 2), (3, 2), (2, 256)])
def test_other_models_are_refused(latents, levels):
    model = VAE(VAE.Config(Pictures(height=6, width=6, levels=levels), latents, width=8))
    with pytest.raises(ValueError, match=f"two latents and binary pixels.* {latents} latents and {levels} grey"):
        log_evidence(model, torch.zeros(1, 1, 6, 6))


# Test pictures whose posterior has a part so narrow, or at |z| = 6, that it was missed once, by up to 2.9 nats.
MISSED = {"fashion-2d": [3070, 4070, 1076, 6594, 981], "mnist-2d": [8243]}


@pytest.fixture(scope="module", params=FLAT)
def flat(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def shipped(flat) -> tuple[VAE, Tensor, Tensor, Evidence]:
    """A model with two latents that ships, 16 random test pictures as it sees them, those that were MISSED, and log
    p(x) of the random ones."""
    model = load_pretrained(flat, "cpu")
    x = data.fixed_binarisation(RECIPES[flat].dataset)
    missed, x = x[MISSED[flat]], x[torch.randperm(len(x), generator=seeded())[:16]]
    return model, x, missed, grid(flat, model).evidence(x)


def test_the_bounds_of_a_shipped_model_are_ordered(shipped):
    corrected, x, _, evidence = shipped
    # by the encoder's own q: those of a q that the decoder has corrected lie too close together to be told apart
    model = VAE(replace(corrected.config, corrected=False)).eval()
    model.load_state_dict(corrected.state_dict())
    with torch.inference_mode():
        draws = [
            torch.stack([elbo(model, x, generator=seeded(i)) for i in range(200)]),
            torch.stack([importance_bound(model, x, 5, seeded(1000 + i)) for i in range(60)]),
            torch.stack([importance_bound(model, x, 50, seeded(2000 + i)) for i in range(20)]),
        ]
    means, errors = [d.mean(0) for d in draws], [d.std(0) / math.sqrt(len(d)) for d in draws]
    for k in (0, 1):
        rise, error = means[k + 1] - means[k], (errors[k].square() + errors[k + 1].square()).sqrt()
        assert (rise >= -5 * error).all()
        assert rise.mean() > 5 * error.square().sum().sqrt() / len(x)
    assert (evidence.error < 1e-2).all()
    # A bound is above log p(x) by t nats with a probability below exp(-t) (Markov), whatever its spread.
    assert (draws[2] <= evidence.log_evidence + 9).all()
    assert (means[2] <= evidence.log_evidence + 5 * errors[2] + 1e-2).all()
    assert means[2].mean() <= evidence.log_evidence.mean()


LATTICE = 0.025
WINDOWS = (70, 33, 24, 18, 16, 16)  # nats below the best within which points are divided, at each halving


def coarse_joint(model: VAE, bits: Tensor) -> Tensor:
    """log p(x, z) on the lattice that `by_halving` begins with, a row for each picture; it says where to divide only,
    for which half the digits do.
    """
    places = plane(LATTICE, 7.0).split(4096)
    return torch.cat([log_joint(model, bits, z, torch.float32) for z in places], 1).double()


@pytest.fixture(scope="module")
def fine(shipped) -> Tensor:
    """log p(x) of the first 8 of those pictures and, after them, of those that were once MISSED, by halving."""
    model, x, missed, _ = shipped
    bits = torch.cat([x[:8], missed]).flatten(1).double()
    return torch.stack([by_halving(model, *one) for one in zip(bits.split(1), coarse_joint(model, bits), strict=True)])


def by_halving(model: VAE, x: Tensor, coarse: Tensor) -> Tensor:
    """log p(x) of one picture, `(1, pixels)`: points of a lattice over the whole plane, each divided into four until
    two halvings change the sum by less than 1e-4 nats. q is no guide, because the posterior of some pictures is
    elsewhere."""
    z, values, width, still = plane(LATTICE, 7.0), coarse, LATTICE, 0
    result = values.logsumexp(0) + 2 * math.log(width)
    for window in WINDOWS:
        offsets = torch.tensor([-0.25, 0.25], dtype=torch.float64) * width
        z = (z[values > values.max() - window][:, None] + torch.cartesian_prod(offsets, offsets)).flatten(0, 1)
        values, width = torch.cat([log_joint(model, x, part)[0] for part in z.split(4096)]), width / 2
        before, result = result, values.logsumexp(0) + 2 * math.log(width)
        still = still + 1 if abs(result - before) < 1e-4 else 0
        if still == 2:
            break
    return result


def test_the_evidence_of_a_shipped_model_is_that_of_a_fine_grid_where_the_posterior_is(shipped, fine):
    _, _, _, evidence = shipped
    torch.testing.assert_close(evidence.log_evidence[:8].double(), fine[:8], atol=5e-3, rtol=0)


def test_posteriors_between_the_coarsest_cells_and_far_from_the_prior_are_found(flat, shipped, fine):
    model, _, missed, _ = shipped
    found = grid(flat, model).evidence(missed)
    torch.testing.assert_close(found.log_evidence.double(), fine[8:], atol=5e-3, rtol=0)
    assert (found.error < 5e-3).all()


def test_the_evidence_of_a_shipped_model_is_the_elbo_plus_the_divergence_of_q_from_the_posterior(shipped, fine):
    """Three integrals that share nothing but the network: the ELBO's expectation by Gauss-Hermite quadrature, the
    divergence by a sum over a lattice of z, and the posterior's constant by another lattice."""
    model, x, _, evidence = shipped
    x, bits = x[:5], x[:5].flatten(1).double()
    q = model.encode(x)
    nodes, weights = np.polynomial.hermite_e.hermegauss(48)
    eps = torch.cartesian_prod(*[torch.from_numpy(nodes)] * 2)
    weight = torch.cartesian_prod(*[torch.from_numpy(weights / weights.sum())] * 2).prod(1)
    step = 0.08
    line = torch.arange(-6, 6 + step / 2, step, dtype=torch.float64)
    lattice = torch.cartesian_prod(line, line)
    for row, picture in enumerate(bits.split(1)):
        mu, sigma = q.mean[row].double(), q.stddev[row].double()
        z = mu + sigma * eps
        prior = torch.distributions.Normal(0, 1).log_prob(z).sum(1)
        expected = (weight * (log_joint(model, picture, z)[0] - prior)).sum()
        kl = 0.5 * (mu.square() + sigma.square() - 1 - 2 * sigma.log()).sum()
        log_q = torch.distributions.Normal(0, 1).log_prob(lattice).sum(1) - sigma.log().sum()
        log_posterior = log_joint(model, picture, mu + sigma * lattice)[0] - fine[row]
        divergence = (log_q.exp() * (log_q - log_posterior)).sum() * step**2 * sigma.prod()
        assert divergence > 0
        torch.testing.assert_close(expected - kl + divergence, evidence.log_evidence[row].double(), atol=1e-2, rtol=0)


def test_pictures_with_broad_posteriors_are_taken_in_smaller_parts_with_the_same_result(monkeypatch):
    model = random_model(0.1)
    x, grid = samples(model, 4), Grid(model)
    whole = grid.evidence(x)
    monkeypatch.setattr("vae.inference.evidence.PAIRS", 20_000)
    calls, inner = [], grid._coarse_pairs
    monkeypatch.setattr(grid, "_coarse_pairs", lambda x: (calls.append(len(x)), inner(x))[1])
    parts = grid.evidence(x)
    assert min(calls) == 1 < max(calls)
    torch.testing.assert_close(parts.log_evidence, whole.log_evidence, atol=1e-3, rtol=0)
