"""What a judge is fitted on, and how."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from vae import data
from vae.evaluate import judge, strangers
from vae.inference.familiar import Judge
from vae.inference.looks import MEASURES
from vae.pictures import upright


def test_the_pictures_that_judges_are_fitted_on_are_apart_from_those_held_out():
    for name in data.DATASETS:
        fitted, others = judge.split(name)
        assert len(fitted) == judge.FITTED
        assert torch.equal(torch.cat([fitted, others]).sort().values, torch.arange(10_000))


@pytest.mark.parametrize("name", data.DATASETS)
def test_every_kind_of_stranger_is_a_picture_and_the_same_for_the_same_seed(name):
    rows = {each: judge.split(each)[0][:20] for each in data.DATASETS}
    for make in strangers.strangers(name, rows).values():
        first, again, other = (make(np.random.default_rng(seed)) for seed in (3, 3, 4))
        assert first == again
        assert first != other
        assert min(upright(first).shape[:2]) >= 28


@pytest.mark.parametrize("way", strangers.WAYS)
def test_a_known_picture_is_brought_with_all_its_ink(way):
    digit = data.test_set("mnist").images[0, 0].numpy()
    found = upright(strangers.WAYS[way](digit, np.random.default_rng(0), 0.3)).astype(float)
    grey = found.mean(2) if found.ndim == 3 else found
    ink = np.abs(grey - np.median(grey))
    assert 0.02 < (ink > 0.5 * ink.max()).mean() < 0.5


def test_the_weights_are_where_the_penalised_likelihood_is_largest():
    generator, three = torch.Generator().manual_seed(0), [MEASURES.index(name) for name in ("kl", "ink", "fill")]

    def group(count: int, middle: float = 0.0, spread: float = 1.0) -> torch.Tensor:
        measures = torch.full((count, len(MEASURES)), torch.nan)
        measures[:, three] = spread * torch.randn(count, 3, generator=generator)
        measures[:, three[0]] += middle
        return measures

    known, strange = [group(120), group(60)], [group(80, middle=2.0), group(50, spread=3.0)]
    found = judge.fit(known, strange)
    unweighed = Judge(found.knots, torch.zeros(2, len(MEASURES)), torch.zeros(1))
    groups = [known[0][::2], known[1][::2], *strange]
    scores = [unweighed.normal_scores(one)[:, three].double().numpy() for one in groups]

    def loss(weights: np.ndarray) -> float:
        logits = [np.hstack([one, one**2]) @ weights[:6] + weights[6] for one in scores]
        sides = [np.logaddexp(0, logit if i < 2 else -logit).mean() / 2 for i, logit in enumerate(logits)]
        return sum(sides) + judge.DECAY * (weights[:6] ** 2).sum()

    best = minimize(loss, np.zeros(7)).x
    assert found.weights[:, three].flatten().numpy() == pytest.approx(best[:6], abs=2e-3)
    assert found.weights.count_nonzero() <= 6
    assert torch.equal(found.known, found.parts(torch.cat([known[0][1::2], known[1][1::2]])).sum(1).sort().values)
