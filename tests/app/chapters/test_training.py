"""The chapter on training: the histories that ship, and what the page tells its component of them."""

import base64
from dataclasses import fields

import numpy as np
import pytest
import torch

from tests.app.pages.test_pages import HOW_IT_WORKS, explorer, opened
from vae import data
from vae.app.chapters import training
from vae.app.live import routes
from vae.train import history
from vae.train.gradients import pathwise, score_function
from vae.train.recipes import RECIPES

NAMES = (training.PLANE, *training.MANY)


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_history_is_of_its_recipe_from_the_first_step_to_the_last_and_has_no_gap(name):
    found = history.load(name)
    assert found.recipe == RECIPES[name]
    steps = found.recipe.epochs * (60_000 // found.recipe.batch)
    assert found.steps == history.marks(steps)
    assert (found.plane is None) == (found.recipe.model.latents != 2)
    assert list(found.slow) == ([] if found.plane is None else history.slow_marks(steps))
    for numbers in (found.test, found.train):
        assert all(getattr(numbers, field.name).isfinite().all() for field in fields(numbers))
        assert (numbers.kl > -1e-5).all()
        assert (numbers.error < 0.05 * numbers.distortion).all()
    assert (history.HISTORIES / f"{name}.safetensors").stat().st_size < 2e6


def test_the_recorded_kl_is_that_of_the_recorded_encodings():
    found = history.load(training.PLANE)
    mu, sigma = found.plane.mu, found.plane.sigma
    kl = (0.5 * (mu**2 + sigma**2 - 1) - sigma.log()).mean(1)
    torch.testing.assert_close(found.test.kl, kl, rtol=0.01, atol=0.01)


def test_what_the_chapter_says_of_training_is_so():
    plane, cold, warm = (history.load(name) for name in NAMES)
    rate, loss = plane.test.kl.sum(1), plane.test.distortion + plane.test.kl.sum(1)
    assert rate[-1] > rate[0] + 5  # the question's answer
    assert loss[-1] < loss[0] - 300
    assert (cold.test.kl[10] > 0.05).sum() == 32  # all latents light up
    assert (cold.test.kl[-1] > 0.05).sum() < 30  # and some die
    assert cold.steps == warm.steps == plane.steps
    assert (warm.test.kl[-1] > 0.05).sum() > (cold.test.kl[-1] > 0.05).sum()  # fewer die with a warm-up
    for split in ("test", "train"):  # which is not the better model
        losses = [float((part := getattr(one, split)).distortion[-1] + part.kl[-1].sum()) for one in (cold, warm)]
        assert losses[0] < losses[1]


@pytest.mark.parametrize("number", range(3))
def test_both_ways_to_the_gradient_agree_with_quadrature_and_one_of_them_varies_far_more(number):
    step = list(history.load(training.PLANE).slow.values())[number]
    assert torch.allclose(step.exact[0], step.exact[1], rtol=1e-2, atol=0.05)
    variance = {}
    sigma = step.sigma[0, 0]
    for way, estimate in {
        "pathwise": pathwise(step.draws),
        "score": score_function(step.draws, sigma),
        "baseline": score_function(step.draws, sigma, baseline=True),
    }.items():
        error = estimate.std(0) / len(estimate) ** 0.5
        assert ((estimate.mean(0) - step.exact[0]).abs() < 4.5 * error).all(), way
        variance[way] = float(estimate.var(0)[0])
    assert variance["score"] > 1000 * variance["pathwise"]
    assert variance["score"] > variance["baseline"] > variance["pathwise"]


def test_the_page_tells_the_numbers_of_the_file_and_where_it_lies():
    found, plane = explorer(opened("fashion", HOW_IT_WORKS, chapter="training")), history.load(training.PLANE)
    assert found["steps"] == plane.steps
    assert found["slow"] == list(plane.slow)
    assert found["test"]["rate"] == pytest.approx(plane.test.kl.sum(1).tolist())
    assert found["test"]["distortion"] == pytest.approx(plane.test.distortion.tolist())
    assert found["pictures"] == 60_000
    labels = data.load("mnist", "test").labels[plane.rows]
    assert np.frombuffer(base64.b64decode(found["labels"]), np.uint8).tolist() == labels.tolist()
    assert found["file"] == routes.history_path(training.PLANE)
    for told, name in zip(found["many"], training.MANY, strict=True):
        assert told["kl"] == history.load(name).test.kl.tolist()


def test_without_the_file_the_chapter_says_how_it_is_made(monkeypatch, tmp_path):
    monkeypatch.setattr(history, "HISTORIES", tmp_path)
    training.recorded.clear()
    app = opened("mnist", HOW_IT_WORKS, chapter="training")
    training.recorded.clear()
    assert not app.main.get("bidi_component")
    assert "--history FILE" in app.info[0].value
