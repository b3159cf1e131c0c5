"""What a judge is fitted on, and how."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.optimize import minimize

from tests import own_pictures
from vae import data
from vae.data import own
from vae.evaluate import judge, strangers
from vae.inference import looks
from vae.inference.familiar import Judge
from vae.inference.looks import MEASURES
from vae.inference.record import sketch
from vae.latent.encodings import Company
from vae.models import Principal, build
from vae.models.spaces import Pictures
from vae.pictures import upright


def test_the_pictures_that_judges_are_fitted_on_are_apart_from_those_held_out():
    for name in data.DATASETS:
        fitted, others = judge.split(name)
        count = data.DATASETS[name].count("test")
        assert len(fitted) == min(judge.FITTED, count // 2)
        assert torch.equal(torch.cat([fitted, others]).sort().values, torch.arange(count))


@pytest.mark.parametrize("name", data.DATASETS)
def test_every_kind_of_stranger_is_a_picture_and_the_same_for_the_same_seed(name):
    rows = {each: judge.split(each)[0][:20] for each in strangers.beside(name)}
    for make in strangers.strangers(name, rows).values():
        first, again, other = (make(np.random.default_rng(seed)) for seed in (3, 3, 4))
        assert first == again
        assert first != other
        assert min(upright(first).shape[:2]) >= 28


@pytest.mark.parametrize("way", strangers.IN_COLOUR)
def test_a_colour_picture_is_brought_nearly_as_it_is(way):
    portrait = strangers.levels(data.test_set("portraits").images[:1])[0]
    assert strangers.ways(data.DATASETS["portraits"].spec)[way] is strangers.IN_COLOUR[way]
    for seed in range(5):
        found = upright(strangers.IN_COLOUR[way](portrait, np.random.default_rng(seed), 0.0))
        small = np.asarray(Image.fromarray(found).resize((64, 64), Image.Resampling.BOX)).astype(float)
        assert np.abs(small - portrait).mean() < 30
        shade, own = small.mean((0, 1)), portrait.mean((0, 1))
        assert np.abs(shade / own - shade.mean() / own.mean()).max() < 0.06, "its hue is kept"


def test_of_colours_what_is_of_ink_is_not_measured_and_says_nothing():
    model = build(Principal.Config(Pictures(3, 16, 16, 256, "crop"), 4, "conv", channels=(4, 8), blocks=(1, 1)))
    x = torch.rand(12, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    model.begin(x)
    seen = sketch(model.eval(), x)
    company = Company(seen.mu, seen.sigma, (255 * x).byte())
    found = looks.measured(model, company, x, seen, [None] * 12)
    of_ink = ["reconstruction_per_ink", *looks.BY_SHAPE]
    missing = {name for name, column in zip(MEASURES, found.T, strict=True) if column.isnan().all()}
    assert missing == {*of_ink, *looks.BY_CONTENT}
    fitted = judge.fit([found], [found[:5] * 2])
    scores = fitted.normal_scores(found)
    assert (scores[:, [MEASURES.index(name) for name in of_ink]] == 0).all()
    assert fitted.shares(found).isfinite().all()


@pytest.mark.parametrize("way", strangers.WAYS)
def test_a_known_picture_is_brought_with_all_its_ink(way):
    digit = data.test_set("mnist").images[0, 0].numpy()
    found = upright(strangers.WAYS[way](digit, np.random.default_rng(0), 0.3)).astype(float)
    grey = found.mean(2) if found.ndim == 3 else found
    ink = np.abs(grey - np.median(grey))
    assert 0.02 < (ink > 0.5 * ink.max()).mean() < 0.5


def test_a_stroke_lies_as_a_digit_of_mnist_and_is_straight_and_as_wide_all_along():
    for page in strangers.strokes(20, np.random.default_rng(5)).astype(float) / 255:
        rows = np.flatnonzero(page.max(1) > 0.1)
        assert 18 <= np.ptp(rows) + 1 <= 22
        assert abs((rows.min() + rows.max()) / 2 - 13.5) <= 1
        middles = (page * np.arange(28)).sum(1)[6:22] / page.sum(1)[6:22]
        assert np.abs(np.diff(middles, n=2)).max() < 0.35
        assert np.ptp(page.sum(1)[7:21]) < 0.4


def test_where_a_preparation_sees_nothing_both_judges_are_one():
    """As of a crop: none of its pictures has a content."""
    generator = torch.Generator().manual_seed(3)
    known, strange = (middle + torch.randn(60, len(MEASURES), generator=generator) for middle in (0.0, 2.0))
    known[:, -len(looks.BY_CONTENT) :] = strange[:, -len(looks.BY_CONTENT) :] = torch.nan
    found = judge.judges_of([known], [strange])
    assert found.prepared is found.bare
    assert found.shares(strange).mean() < 0.1


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


@pytest.mark.parametrize(("count", "held"), [(60, 9), (130, 19), (134, 20), (200, 20), (400, 40)])
def test_of_few_pictures_of_ones_own_all_that_nothing_was_trained_on_make_the_judge(count, held):
    pictures = own.opened(own_pictures.some(count))
    assert judge.held_of(pictures) == held
    assert judge.can_be_made(pictures.name) == (held >= judge.FEWEST)
    first, others = judge.split(pictures.name)
    assert [*first, *others] == list(range(count))
    trained = pictures.part("train").images
    for row in first.tolist():
        assert not (trained == pictures.pictures.images[row]).flatten(1).all(1).any()
