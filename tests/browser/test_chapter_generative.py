"""The chapter of the generative and the recognition model, as a visitor uses it."""

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect
from torch.distributions import Bernoulli, Normal

import vae
from tests.browser.seen import DECODED, changes, greys, seen
from tests.registry import VECTORS
from vae.models import pretrained

NAMES = VECTORS
DEEP = next(name for name in NAMES if pretrained.load_card(name)["latents"] > 2)
FLAT = next(name for name in NAMES if pretrained.load_card(name)["latents"] == 2)
FRESH, AGAIN = "Sample z, then x", "Sample x again"


def sampled(page: Page) -> torch.Tensor:
    """z of the picture on the page."""
    return torch.tensor([float(value) for value in page.get_by_test_id("decoded").get_attribute("data-z").split(",")])


def drawn(page: Page) -> torch.Tensor:
    """The bits on the page."""
    return torch.tensor(greys(page, "sampled")[None, None] / 255, dtype=torch.float32)


def read(page: Page, name: str) -> float:
    return float(page.get_by_test_id(f"read-{name}").inner_text().replace("−", "-"))


@pytest.mark.parametrize("name", [DEEP, FLAT])
def test_a_click_samples_z_and_x_and_every_number_is_about_them_without_a_script_run(visitor, name):
    someone = visitor(viewport={"width": 390, "height": 844}) if name == FLAT else visitor()
    asked = []
    someone.page.on(
        "websocket", lambda socket: "_stcore" in socket.url and socket.on("framesent", lambda _: asked.append(1))
    )
    page = someone.opens(f"/how_it_works?chapter=model&model={name}")
    before = seen(page)
    assert asked  # the page's own script run is seen, so another would be too
    asked.clear()
    page.get_by_role("button", name=FRESH).click()
    changes(page, before)
    assert not asked  # now: once the hand rests, a script writes the link
    z, x, model = sampled(page)[None], drawn(page), vae.load_pretrained(name)
    with torch.inference_mode():
        likelihood, q = Bernoulli(logits=model.decoder(z)), model.encode(x)
    prior, fit = float(Normal(0, 1).log_prob(z).sum()), float(likelihood.log_prob(x).sum())
    assert read(page, "prior") == pytest.approx(prior, abs=0.06)
    assert read(page, "likelihood") == pytest.approx(fit, abs=0.06)
    assert read(page, "joint") == pytest.approx(prior + fit, abs=0.06)
    assert read(page, "posterior") == pytest.approx(float(q.log_prob(z)), abs=0.06)
    within = int(((z - q.mean).abs() < q.stddev).sum())
    expect(page.get_by_test_id("read-within")).to_have_text(f"{within} of {z.numel()}")
    row = page.get_by_test_id("latents").locator("g").first
    at = row.locator(".dot").evaluate("dot => new DOMMatrix(dot.style.transform).e")
    kl = pretrained.load_card(name)["numbers"]["kl_per_dimension"]
    assert at == pytest.approx(180 + 45 * float(z[0, int(np.argmax(kl))]), abs=0.01)  # the axis is 360 wide, -4 to 4
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_x_is_sampled_again_from_the_same_z(visitor):
    page = visitor().opens(f"/how_it_works?chapter=model&model={DEEP}")
    z, mean, first = sampled(page), seen(page), drawn(page)
    page.get_by_role("button", name=AGAIN).focus()
    page.keyboard.press("Enter")
    page.wait_for_function(f"{DECODED}.dataset.drawn == 2")
    assert torch.equal(sampled(page), z)
    assert seen(page) == mean
    assert not torch.equal(drawn(page), first)


def test_the_key_samples_too_and_what_it_draws_is_standard_normal(visitor):
    page = visitor().opens(f"/how_it_works?chapter=model&model={DEEP}")
    button = page.get_by_role("button", name=FRESH)
    button.focus()
    draws = []
    for count in range(2, 27):
        page.keyboard.press("Enter")
        page.wait_for_function(f"count => {DECODED}.dataset.drawn == count", arg=count)
        draws.append(sampled(page))
    expect(button).to_be_focused()
    values = torch.cat(draws).sort().values
    steps = torch.arange(len(values) + 1) / len(values)
    uniform = Normal(0, 1).cdf(values)
    distance = torch.maximum((uniform - steps[:-1]).abs(), (uniform - steps[1:]).abs()).max()
    assert distance * len(values) ** 0.5 < 2.5  # Kolmogorov and Smirnov: chance 1e-5
    assert abs(torch.corrcoef(torch.stack(draws)[:, :2].T)[0, 1]) < 0.8  # each latent has a draw of its own
