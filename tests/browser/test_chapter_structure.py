"""The chapter of the structure, as a visitor uses it."""

import re

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect

import vae
from tests.browser.seen import changes, greys, seen
from tests.registry import VECTORS
from vae import data
from vae.models import pretrained

NAMES = VECTORS
DEEP = next(name for name in NAMES if pretrained.load_card(name)["latents"] > 2)
FLAT = next(name for name in NAMES if pretrained.load_card(name)["latents"] == 2)
WAITS = re.compile(r"\bwaits\b")


def opened(visitor, name: str = DEEP, **context) -> Page:
    return visitor(**context).opens(f"/how_it_works?chapter=structure&model={name}&x=i7")


def sampled(page: Page) -> torch.Tensor:
    return torch.tensor([[float(value) for value in page.get_by_test_id("decoded").get_attribute("data-z").split(",")]])


def read(page: Page, name: str) -> float:
    return float(page.get_by_test_id(f"read-{name}").inner_text().replace("−", "-"))


def posterior(name: str):
    x = data.fixed_binarisation(pretrained.load_card(name)["data"]["name"])[7:8].float()
    return x, vae.load_pretrained(name).encode(x)


def strongest(name: str) -> int:
    return int(np.argmax(pretrained.load_card(name)["numbers"]["kl_per_dimension"]))


@pytest.mark.parametrize("name", [DEEP, FLAT])
def test_every_strip_shows_the_values_of_its_own_layer(visitor, name):
    page = opened(visitor, name)
    model, x, z = vae.load_pretrained(name), posterior(name)[0], sampled(page)
    for network, prefix, value in ((model.encoder, "encoder", x), (model.decoder, "decoder", z)):
        for number, layer in enumerate(network):
            with torch.inference_mode():
                value = layer(value)
            ordered = value.flatten().sort().values
            black, white = (float(ordered[int(share * (len(ordered) - 1) + 0.5)]) for share in (0.02, 0.98))
            expected = ((value.flatten() - black) / (white - black)).clamp(0, 1).mul(255)
            assert np.abs(greys(page, f"{prefix}-{number}").ravel() - expected.numpy()).max() <= 1.5
    with torch.inference_mode():
        assert np.abs(greys(page, "decoded").ravel() - model.decode(z).mean.flatten().mul(255).numpy()).max() <= 1.5
        assert np.array_equal(greys(page, "input").ravel(), x.flatten().mul(255).numpy())


def test_the_handle_of_eps_moves_z_and_the_picture_by_mouse_and_key_without_a_script_run(visitor):
    someone = visitor(viewport={"width": 390, "height": 844})
    asked = []
    someone.page.on(
        "websocket", lambda socket: "_stcore" in socket.url and socket.on("framesent", lambda _: asked.append(1))
    )
    page = someone.opens(f"/how_it_works?chapter=structure&model={DEEP}&x=i7")
    first, start = strongest(DEEP), sampled(page)
    model, (_, q) = vae.load_pretrained(DEEP), posterior(DEEP)
    handle = page.get_by_test_id("eps")
    handle.scroll_into_view_if_needed()
    asked.clear()
    before, box = seen(page), handle.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + box["height"] / 2, steps=5)
    before = changes(page, before)
    assert not asked  # once the hand rests, the link follows
    page.mouse.up()
    assert read(page, "eps") == 4
    page.keyboard.press("ArrowLeft")
    changes(page, before)
    assert read(page, "eps") == pytest.approx(3.99)
    z = sampled(page)
    expected = start.clone()
    expected[0, first] = float(q.mean[0, first] + 3.99 * q.stddev[0, first])
    torch.testing.assert_close(z, expected, rtol=1e-3, atol=1e-3)
    with torch.inference_mode():
        mean = model.decode(z).mean
    assert np.abs(greys(page, "decoded").ravel() - mean.flatten().mul(255).numpy()).max() <= 1.5
    assert read(page, "z") == pytest.approx(read(page, "mu") + read(page, "sigma") * read(page, "eps"), abs=0.004)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_another_latent_is_chosen_by_key_and_by_click_and_read_out(visitor):
    page = opened(visitor)
    kl = pretrained.load_card(DEEP)["numbers"]["kl_per_dimension"]
    order, (_, q) = np.argsort(kl)[::-1], posterior(DEEP)
    plot = page.get_by_test_id("plot")
    plot.press("ArrowRight")
    assert read(page, "sigma") == pytest.approx(float(q.stddev[0, order[1]]), abs=6e-4)
    expect(plot).to_have_attribute("aria-valuetext", f"latent {order[1]}")
    box = plot.bounding_box()
    plot.click(position={"x": box["width"] - 2, "y": box["height"] / 2})
    assert read(page, "mu") == pytest.approx(float(q.mean[0, order[-1]]), abs=6e-4)


def test_another_eps_is_another_draw_of_the_same_posterior(visitor):
    page = opened(visitor)
    _, q = posterior(DEEP)
    draws = []
    for _ in range(8):
        before = seen(page)
        page.get_by_role("button", name="Another ε").click()
        changes(page, before)
        draws.append(((sampled(page) - q.mean) / q.stddev).detach())
    squares = torch.cat(draws).square().sum()
    assert abs(squares - 8 * q.mean.numel()) < 5 * (16 * q.mean.numel()) ** 0.5  # chi-squared


def test_step_goes_one_step_on_and_play_to_the_end(visitor):
    page = opened(visitor)
    scrub, told = page.get_by_test_id("scrub"), page.get_by_test_id("step")
    mine = page.locator(".box", has=page.get_by_test_id("decoded"))
    page.get_by_role("button", name="Step").click()  # from the end it begins anew
    expect(mine).to_have_class(WAITS)
    expect(scrub).to_have_value("1")
    expect(told).to_have_text("1. The encoder reads x")
    scrub.focus()
    page.keyboard.press("ArrowRight")
    expect(told).to_contain_text("2. ε is drawn")
    page.get_by_role("button", name="Slow motion").click()
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").click()
    assert 1 < float(scrub.input_value()) < 2
    page.get_by_role("button", name="Slow motion").click()
    scrub.fill("4.7")
    page.get_by_role("button", name="Play").click()
    expect(scrub).to_have_value("5")
    expect(mine).not_to_have_class(WAITS)
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_where_motion_is_unwelcome_a_step_is_a_jump(visitor):
    page = opened(visitor, reduced_motion="reduce")
    for step in (1, 2, 3):
        page.get_by_role("button", name="Step").click()
        assert page.get_by_test_id("scrub").input_value() == str(step)
