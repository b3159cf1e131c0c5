"""The chapter on beta in a real Chromium: points are chosen by mouse and keyboard, and answered in the browser."""

import numpy as np
import torch
from playwright.sync_api import expect

import vae
from tests.browser.seen import changes, greys, seen
from vae import data
from vae.models import pretrained


def expected(name: str) -> np.ndarray:
    model, x = vae.load_pretrained(name), data.fixed_binarisation("fashion-mnist")[7:8].float()
    q = model.encode(x)
    eps = torch.randn(1, model.latents, generator=torch.Generator().manual_seed(0))
    return model.decode(q.mean + q.stddev * eps).mean[0, 0].mul(255).round().int().numpy()


def test_a_click_and_the_arrows_choose_models_in_the_browser_alone(visitor):
    someone = visitor(viewport={"width": 1400, "height": 1000})
    page = someone.opens("/how_it_works?chapter=beta&model=fashion&x=i7")
    requests, before = len(someone.requests), seen(page)
    assert np.abs(greys(page) - expected("fashion-16d-beta-1")).max() <= 1
    page.get_by_test_id("rung-16-10").locator("circle").click()
    before = changes(page, before)
    assert np.abs(greys(page) - expected("fashion-16d-beta-10")).max() <= 1
    active = pretrained.load_card("fashion-16d-beta-10")["numbers"]["active_units"]
    told = f"{active} of 16 latents in use, {16 - active} collapsed" if active < 16 else "all 16 latents in use"
    expect(page.get_by_test_id("collapsed")).to_contain_text(told)
    page.keyboard.press("ArrowRight")  # the next higher rate
    expect(page.get_by_test_id("chosen")).to_have_text("16 latents, β = 3")
    changes(page, before)
    page.keyboard.press("ArrowDown")
    expect(page.get_by_test_id("chosen")).to_have_text("2 latents, β = 3")
    assert np.abs(greys(page) - expected("fashion-2d-beta-3")).max() <= 1
    assert len(someone.requests) == requests


def test_the_autoencoder_has_no_kl_and_a_phone_shows_the_whole_curve(visitor):
    page = visitor(viewport={"width": 390, "height": 844}, has_touch=True).opens(
        "/how_it_works?chapter=beta&model=mnist"
    )
    page.get_by_test_id("rung-2-0").locator("circle").tap()
    expect(page.get_by_test_id("chosen")).to_have_text("2 latents, autoencoder")
    expect(page.get_by_test_id("mutual_information")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
