"""The chapter on beta in a real Chromium: points are chosen by mouse and keyboard, and answered in the browser."""

import numpy as np
import torch
from playwright.sync_api import expect

import vae
from tests.browser.seen import changes, greys, seen
from vae import data
from vae.app.chapters.beta import FREE
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
    dimensions = pretrained.load_card("fashion-16d-beta-10")["numbers"]["kl_per_dimension"]
    below = sum(kl < FREE for kl in dimensions)
    expect(page.get_by_test_id("free")).to_contain_text(f"{FREE} nats")
    expect(page.get_by_test_id("free")).to_contain_text(f"Below it lie {below} of 16 latents")
    bars = [page.locator(".bars i").nth(i).bounding_box() for i in range(16)]
    floor = page.locator(".bars .floor").bounding_box()["y"] + 2  # its lower edge
    ordered = sorted(dimensions, reverse=True)
    assert all((box["y"] > floor) == (kl < FREE) for box, kl in zip(bars, ordered, strict=True))
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


def test_on_a_wide_screen_a_line_of_running_text_is_no_longer_than_one_can_read(visitor):
    page = visitor(viewport={"width": 1920, "height": 1100}).opens("/how_it_works?chapter=beta&model=mnist")
    texts = page.locator("[data-testid=stHtml] > p")
    expect(texts.filter(has_text="Posterior collapse.")).to_have_count(1)
    expect(texts.filter(has_text="Cures.").filter(has_not_text="Posterior collapse.")).to_have_count(1)
    question = page.get_by_test_id("question").bounding_box()["width"]
    assert max(one.bounding_box()["width"] for one in texts.all()) <= question
