"""The chapter of the generative and the recognition model, as a visitor uses it."""

import pytest
import torch
from playwright.sync_api import Page, expect
from torch.distributions import Normal

import vae
from tests.browser.seen import DECODED, changes
from vae import checkpoint
from vae.frame import places

NAMES = vae.list_pretrained()
DEEP = next(name for name in NAMES if checkpoint.load_card(name)["latents"] > 2)
FLAT = next(name for name in NAMES if checkpoint.load_card(name)["latents"] == 2)


def sampled(page: Page) -> torch.Tensor:
    """z of the picture on the page."""
    return torch.tensor([float(value) for value in page.get_by_test_id("decoded").get_attribute("data-z").split(",")])


def read(page: Page, name: str) -> float:
    return float(page.get_by_test_id(f"read-{name}").inner_text().replace("−", "-"))


@pytest.mark.parametrize("name", [DEEP, FLAT])
def test_a_click_samples_z_and_every_number_is_about_it_without_a_script_run(visitor, name):
    someone = visitor(viewport={"width": 390, "height": 844}) if name == FLAT else visitor()
    asked = []
    someone.page.on(
        "websocket", lambda socket: "_stcore" in socket.url and socket.on("framesent", lambda _: asked.append(1))
    )
    someone.page.goto(f"{someone.server}/how_it_works?chapter=model&model={name}")
    before, page = someone.sees_a_picture(), someone.page
    assert asked  # the page's own script run is seen, so another would be too
    asked.clear()
    page.get_by_role("button", name="Sample z").click()
    changes(page, before)
    z = sampled(page)
    found = places(vae.load_pretrained(name), z[None])
    assert read(page, "prior") == pytest.approx(float(Normal(0, 1).log_prob(z).sum()), abs=0.06)
    assert read(page, "square") == pytest.approx(float(z.square().sum()), abs=0.006)
    assert read(page, "drift") == pytest.approx(float(found.drift), abs=0.01)
    assert read(page, "kl") == pytest.approx(float(found.round_trip_kl.sum()), abs=0.1)
    for index, value in enumerate(z.tolist()):  # the axis is 360 wide and shows -4 to 4
        moved = page.get_by_test_id(f"dot-{index}").evaluate("dot => new DOMMatrix(dot.style.transform).e")
        assert moved == pytest.approx(180 + 45 * value, abs=0.01)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not asked


def test_the_key_samples_too_and_what_it_draws_is_standard_normal(visitor):
    page = visitor().opens(f"/how_it_works?chapter=model&model={DEEP}")
    button = page.get_by_role("button", name="Sample z")
    button.focus()
    draws = []
    for count in range(2, 62):
        page.keyboard.press("Enter")
        page.wait_for_function(f"count => {DECODED}.dataset.drawn == count", arg=count)
        draws.append(sampled(page))
    expect(button).to_be_focused()
    values = torch.cat(draws).sort().values
    steps = torch.arange(len(values) + 1) / len(values)
    uniform = Normal(0, 1).cdf(values)
    distance = torch.maximum((uniform - steps[:-1]).abs(), (uniform - steps[1:]).abs()).max()
    assert distance * len(values) ** 0.5 < 2.5  # Kolmogorov and Smirnov: chance 1e-5
    assert abs(torch.corrcoef(torch.stack(draws)[:, :2].T)[0, 1]) < 0.6  # each latent has a draw of its own
