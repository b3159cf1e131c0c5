"""The chapter on training in a real Chromium: its numbers against the recorded file, by mouse and keys."""

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect

from tests.browser.controls import missed
from tests.browser.seen import changes, greys, seen
from tests.browser.test_contrast import AXE, RUN
from tests.browser.test_keyboard import still
from vae import data
from vae.app.chapters.training import MANY, PLANE
from vae.train import history
from vae.train.gradients import pathwise, score_function

RECORDED = history.load(PLANE)
WAYS = ("pathwise", "score", "baseline")


def opened(visitor, see: str, **context) -> Page:
    viewport = {"viewport": {"width": 1400, "height": 1100}}
    return visitor(**(viewport | context)).opens(f"/how_it_works?chapter=training&model=mnist&see={see}")


def number(page: Page, testid: str) -> float:
    return float(page.get_by_test_id(testid).inner_text().replace("−", "-").replace(",", "").strip("× "))


def test_the_keyboard_scrubs_through_training_and_the_link_follows(visitor):
    page = opened(visitor, "path.16.0")
    before = seen(page)
    page.get_by_test_id("scrub").focus()
    page.keyboard.press("ArrowRight")
    changes(page, before)
    expect(page.get_by_test_id("decoded")).to_have_attribute("data-step", str(RECORDED.steps[17]))
    rate, lost = float(RECORDED.test.kl[17].sum()), float(RECORDED.test.distortion[17])
    assert number(page, "read-rate") == pytest.approx(rate, abs=0.051)
    assert number(page, "read-distortion") == pytest.approx(-lost, abs=0.051)
    assert number(page, "read-elbo") == pytest.approx(-lost - rate, abs=0.051)
    lit = int((history.load(MANY[0]).test.kl[17] > 0.05).sum())
    expect(page.get_by_test_id("lit")).to_contain_text(f"{lit} of 32 tell")
    page.get_by_test_id("warm").click()
    lit = int((history.load(MANY[1]).test.kl[17] > 0.05).sum())
    expect(page.get_by_test_id("lit")).to_contain_text(f"{lit} of 32 tell")
    page.wait_for_url("**see=path.17.1**")


def test_before_the_first_step_it_is_said_why_there_are_no_bars_and_what_the_highest_would_be(visitor):
    page = opened(visitor, "")
    expect(page.get_by_test_id("lit")).to_contain_text("Nothing is learned yet")
    highest = float(history.load(MANY[0]).test.kl.max())
    assert float(page.get_by_test_id("most").inner_text().split()[0]) == pytest.approx(highest, abs=0.051)
    page.get_by_test_id("scrub").press("End")
    expect(page.get_by_test_id("lit")).not_to_contain_text("Nothing is learned yet")


def test_the_answer_to_the_question_is_not_drawn_before_somebody_has_been_there_or_asks_for_it(visitor):
    page = opened(visitor, "")
    last = len(RECORDED.steps) - 1

    def drawn() -> list[str]:
        return page.get_by_test_id("way").get_attribute("points").split()

    assert len(drawn()) == 1
    page.get_by_test_id("scrub").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    some = drawn()
    assert len(some) == 4
    page.keyboard.press("ArrowLeft")
    assert drawn() == some  # where somebody has been
    page.get_by_test_id("whole").click()
    whole = drawn()
    assert len(whole) == last + 1
    assert whole[:4] == some
    page.get_by_test_id("whole").click()
    assert drawn() == some
    page.get_by_test_id("scrub").press("End")
    assert drawn() == whole


def test_a_step_is_seen_stage_by_stage_with_the_numbers_of_before_and_after(visitor):
    page = opened(visitor, "step.1.0.5")
    step = list(RECORDED.slow.values())[1]
    before = seen(page)
    page.get_by_test_id("stage-1").focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("stage-3")).to_be_focused()
    changes(page, before)
    assert number(page, "read-one-lost") == pytest.approx(-float(step.log_likelihood[0, 5]), abs=0.011)
    assert number(page, "read-all-kl") == pytest.approx(float(step.kl[0].mean()), abs=0.011)
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("decoded")).to_have_attribute("data-stage", "4")
    loss = (step.kl[1] - step.log_likelihood[1]).mean()
    assert number(page, "read-all-loss") == pytest.approx(float(loss), abs=0.011)
    page.get_by_test_id("minibatch").focus()
    page.keyboard.press("ArrowLeft")
    assert number(page, "read-one-kl") == pytest.approx(float(step.kl[1, 4]), abs=0.011)
    page.wait_for_url("**see=step.1.3.4**")


def test_the_gradients_and_the_bound_are_those_of_the_recorded_draws(visitor):
    page = opened(visitor, "gradient.2.100")
    step = list(RECORDED.slow.values())[2]
    sigma = step.sigma[0, 0]
    found = (
        pathwise(step.draws),
        score_function(step.draws, sigma),
        score_function(step.draws, sigma, baseline=True),
    )
    assert number(page, "exact") == pytest.approx(float(step.exact[0, 0]), abs=0.011)
    for way, estimate in zip(WAYS, found, strict=True):
        assert number(page, f"{way}-variance") == pytest.approx(float(estimate[:, 0].var()), rel=0.006)
        assert number(page, f"{way}-mean") == pytest.approx(float(estimate[:100, 0].mean()), rel=0.006)
    page.get_by_test_id("tab-gradient").focus()
    page.keyboard.press("End")
    page.get_by_test_id("slow-2").click()
    page.get_by_test_id("k").focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    z = step.mu[0, 0] + sigma * step.draws.eps
    prior, q = torch.distributions.Normal(0, 1), torch.distributions.Normal(step.mu[0, 0], sigma)
    weight = (step.draws.log_likelihood + prior.log_prob(z).sum(1) - q.log_prob(z).sum(1)).double()
    bound = (weight.view(50, 20).logsumexp(1) - np.log(20)).mean()
    expect(page.get_by_test_id("k-is")).to_have_text("k = 20")
    assert number(page, "bound") == pytest.approx(float(bound), abs=0.011)
    assert number(page, "evidence") == pytest.approx(float(step.evidence), abs=0.011)
    page.wait_for_url("**see=bound.2.4**")


def test_a_tile_shows_the_mean_of_the_pictures_around_it(visitor):
    page = opened(visitor, "likelihood.84.90", viewport={"width": 390, "height": 844})
    side, reach = history.SIDE, history.REACH
    middle = torch.tensor([(2 * (84 % side) + 1) / side - 1, 1 - (2 * (84 // side) + 1) / side]) * reach
    near = (RECORDED.plane.mu[-1] - middle).norm(dim=1).argsort()[:12]
    mean = data.load("mnist", "test").images[RECORDED.rows[near], 0].float().mean(0)
    expect(page.get_by_test_id("decoded")).to_have_attribute("data-tile", "84")
    assert np.abs(greys(page, "mean") - mean.numpy()).max() <= 1
    inked = number_in(page.get_by_test_id("share").inner_text(), "ink in ")
    m = 0.9
    loss = -(inked * np.log(m) + (1 - inked) * np.log(1 - m))
    assert number(page, "read-bernoulli") == pytest.approx(loss, abs=0.02)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("part", ["step", "gradient", "likelihood", "bound"])
def test_every_part_can_be_read_and_comes_under_the_keyboard(visitor, part):
    page = opened(visitor, part, color_scheme="dark" if part in ("step", "bound") else "light")
    still(page)
    page.evaluate(AXE)
    assert page.evaluate(RUN) == []
    count, names = missed(page)
    assert names == []
    assert count > 10


def number_in(text: str, after: str) -> float:
    return float(text.split(after)[1].split()[0]) / 100
