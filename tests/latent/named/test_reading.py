"""What tells two groups apart by their drawn pictures, beside scipy's minimum and scikit-learn's AUC."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from sklearn.metrics import roc_auc_score

from tests.registry import VECTORS
from tests.served import loaded
from vae import data
from vae.latent.directions import halves
from vae.latent.named import block_of, moves, seen
from vae.latent.named.kept import Kept, deviation
from vae.latent.named.reading import DECAY, LEAST, SURE, auc, logistic, measured, reading


def normals(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("n", "m", "levels"), [(40, 25, 1000), (7, 300, 3), (1, 1, 1), (50, 50, 2)])
def test_the_auc_is_scikit_learns_with_ties_too(n, m, levels):
    a, b = (normals(count, seed=count + shift).mul(levels / 4).round() + shift for count, shift in ((n, 1), (m, 0)))
    expected = roc_auc_score([1] * n + [0] * m, torch.cat([a, b]).numpy())
    assert auc(a, b) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("n", "m", "p"), [(60, 60, 9), (200, 12, 30), (10, 10, 300), (25, 3, 25)])
def test_the_straight_line_is_where_the_penalised_loss_is_least(n, m, p):
    """More rows than columns and fewer, equal groups and not; the columns are as far apart as in a separable case."""
    values = torch.cat([normals(n, p) + 0.7, normals(m, p, seed=1)])
    is_a = torch.arange(n + m) < n
    weights, offset = logistic(values, is_a)
    rows, sign = values.double().numpy(), np.where(is_a, 1.0, -1.0)

    def loss(found: np.ndarray) -> float:
        lost = np.logaddexp(0, -sign * (rows @ found[:-1] + found[-1]))
        return (lost[:n].mean() + lost[n:].mean()) / 2 + DECAY / 2 * (found[:-1] ** 2).sum()

    best = minimize(loss, np.zeros(p + 1), method="L-BFGS-B", options={"maxfun": 10**6, "ftol": 1e-14, "gtol": 1e-9}).x
    np.testing.assert_allclose(weights, best[:-1], atol=1e-3)
    assert offset == pytest.approx(best[-1], abs=2e-3)


def classes(name: str, first: int, second: int) -> dict[str, torch.Tensor]:
    groups = data.groups(loaded(name).entry.dataset.name)
    words = list(groups)
    return {words[at]: groups[words[at]] for at in (first, second)}


@pytest.mark.parametrize("name", VECTORS)
def test_a_reading_tells_pictures_of_the_half_that_it_has_not_seen(name):
    model, company = loaded(name).model, loaded(name).company
    (_, a), (_, b) = classes(name, 3, 8).items()
    apart = halves(a, b)
    found = reading(model, company.mu, apart)
    with torch.inference_mode():
        drawn = [seen(model.decode(company.mu[rows[:500]]).mean) for rows in (apart.held_a, apart.held_b)]
    told = torch.cat(drawn) @ found.weights + found.offset
    is_a = torch.arange(len(told)) < len(drawn[0])
    assert found.auc == pytest.approx(roc_auc_score(is_a.numpy(), told.numpy()), abs=1e-4)
    assert found.is_sure
    assert ((told > 0) == is_a).float().mean() > 0.85  # both sides of one half of all nats


def test_two_halves_of_one_class_cannot_be_told_apart():
    a = classes(VECTORS[0], 3, 8).popitem()[1]
    found = reading(loaded(VECTORS[0]).model, loaded(VECTORS[0]).company.mu, halves(a[::2], a[1::2]))
    assert abs(found.auc - 0.5) < 0.1
    assert found.auc < SURE
    assert not found.is_sure


@pytest.mark.parametrize(("n", "m", "is_there"), [(LEAST, LEAST, True), (LEAST - 1, 400, False), (400, 4, False)])
def test_of_too_few_pictures_nothing_is_read(n, m, is_there):
    (_, a), (_, b) = classes(VECTORS[0], 0, 1).items()
    found = reading(loaded(VECTORS[0]).model, loaded(VECTORS[0]).company.mu, halves(a[:n], b[:m]))
    assert (found is not None) == is_there


@pytest.mark.parametrize("name", VECTORS)
def test_a_step_towards_a_group_is_read_as_more_of_it_in_most_pictures(name):
    """The loop closes: what is asked of z is got in pixels, by a reading that was fitted without the pictures asked."""
    held = loaded(name)
    groups = classes(name, 2, 7)
    apart = halves(*groups.values())
    direction = held.company.mu[apart.made_a].mean(0) - held.company.mu[apart.made_b].mean(0)
    one = Kept.of("a", deviation(held.company.mu, direction))
    found = measured(held.model, held.company, one.step, groups)
    assert (found.a, found.b) == tuple(groups)
    z = held.company.mu[apart.held_b[:200]]
    with torch.inference_mode():
        before, after = (seen(held.model.decode(place).mean) @ found.reading.weights for place in (z, z + 2 * one.step))
    assert (after > before).float().mean() > 0.9
    assert found.moved == moves(held.model, held.company, one.step)
    spec = held.entry.pictures
    assert found.reading.weights.shape == (spec.pixels // block_of(spec.height, spec.width) ** 2,)
