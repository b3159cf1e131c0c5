"""The latent map in a real Chromium: points, the picture under the pointer, pins, lassos and directions."""

import pytest
import torch
from playwright.sync_api import Page, expect

import vae
from tests.browser.seen import changes, seen
from vae import checkpoint, data

NAMES = vae.list_pretrained()
FLAT = next(name for name in NAMES if checkpoint.load_card(name)["latents"] == 2)
DEEP = next(name for name in NAMES if checkpoint.load_card(name)["latents"] > 2)


def opened(visitor, name: str, query: str = "", **context) -> Page:
    """The map with all of its points, live."""
    someone = visitor(**({"viewport": {"width": 1400, "height": 1000}} | context))
    page = someone.opens(f"/latent_map?model={name}{query}")
    page.locator("[data-testid=map][data-points='10000']").wait_for()
    return page


def spot(page: Page, across: float, down: float) -> tuple[float, float]:
    box = page.get_by_test_id("map").bounding_box()
    return box["x"] + across * box["width"], box["y"] + down * box["height"]


def place(page: Page) -> list[float]:
    return [float(value) for value in page.get_by_test_id("decoded").get_attribute("data-z").split(",")]


def linked(page: Page) -> str:
    return page.evaluate("new URL(location).searchParams.get('z')")


@pytest.mark.parametrize("name", [FLAT, DEEP])
def test_the_picture_follows_the_pointer_and_returns_when_it_leaves(visitor, name):
    page = opened(visitor, name)
    pinned = seen(page)
    page.mouse.move(*spot(page, 0.3, 0.3))
    away = changes(page, pinned)
    page.mouse.move(*spot(page, 0.55, 0.6))
    changes(page, away)
    page.mouse.move(5, 5)
    expect(page.get_by_test_id("decoded")).to_have_attribute("data-z", linked(page))
    assert seen(page) == pinned


def test_what_is_read_is_true_of_the_place(visitor):
    page = opened(visitor, FLAT, "&z=0.5,-0.25")
    mu, sigma = checkpoint.load_encodings(FLAT)
    z = torch.tensor([0.5, -0.25])
    parts = torch.distributions.Normal(mu, sigma).log_prob(z).sum(1)
    expected = float(parts.logsumexp(0) - torch.tensor(len(mu)).log())
    expect(page.get_by_test_id("read-density")).to_have_text(f"{expected:.1f}".replace("-", "−"))
    nearest = int((mu - z).norm(dim=1).argmin())
    expect(page.get_by_test_id("near-0")).to_have_attribute("data-index", str(nearest))


def test_a_click_pins_a_place_that_the_link_and_explore_know(visitor):
    page = opened(visitor, FLAT)
    before = linked(page)
    page.mouse.click(*spot(page, 0.12, 0.85))  # where no picture lies
    page.wait_for_function("z => new URL(location).searchParams.get('z') !== z", arg=before)
    pinned = linked(page)
    page.get_by_role("link", name="Explore").click()
    page.get_by_test_id("readouts").wait_for()
    expect(page.get_by_test_id("decoded")).to_have_attribute("data-z", pinned)


def test_a_nearest_picture_that_is_clicked_becomes_the_input(visitor):
    page = opened(visitor, FLAT, "&z=0.5,-0.25")
    index = page.get_by_test_id("near-0").get_attribute("data-index")
    page.get_by_test_id("near-0").click()
    page.wait_for_function("x => new URL(location).searchParams.get('x') === x", arg=f"i{index}")
    mu = checkpoint.load_encodings(FLAT)[0][int(index)]
    expect(page.get_by_test_id("decoded")).to_have_attribute("data-z", linked(page))
    assert place(page) == pytest.approx(mu.tolist(), abs=1e-3)


def test_arrow_keys_move_the_pin(visitor):
    page = opened(visitor, FLAT, "&z=0.5,-0.25")
    page.get_by_test_id("map").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "Shift+ArrowLeft"):
        page.keyboard.press(key)
    page.wait_for_function("new URL(location).searchParams.get('z') === '0.595,-0.2'")
    expect(page.get_by_test_id("decoded")).to_have_attribute("data-z", linked(page))
    assert place(page) == pytest.approx([0.595, -0.2])


def test_zoom_survives_moving_the_pin_and_choosing_another_picture(visitor):
    page = opened(visitor, FLAT, "&z=0.5,-0.25")
    page.mouse.move(*spot(page, 0.5, 0.5))
    page.mouse.wheel(0, -400)
    window = """(() => {
        const roots = [...document.querySelectorAll('*')].map(e => e.shadowRoot).filter(Boolean);
        const chart = roots.map(root => root.querySelector('.chart')).find(Boolean);
        return JSON.stringify([chart._fullLayout.xaxis.range, chart._fullLayout.yaxis.range]);
    })()"""
    whole = page.evaluate(window)
    page.wait_for_function(f"whole => {window} !== whole", arg=whole)
    page.wait_for_timeout(500)
    zoomed = page.evaluate(window)
    page.get_by_test_id("map").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("new URL(location).searchParams.get('z') === '0.55,-0.25'")
    page.get_by_test_id("near-1").click()
    page.wait_for_function("new URL(location).searchParams.get('z') !== '0.55,-0.25'")
    page.wait_for_timeout(500)
    assert page.evaluate(window) == zoomed


def test_equal_distances_are_equally_long_on_both_axes(visitor):
    page = opened(visitor, FLAT)
    scales = """(() => {
        const roots = [...document.querySelectorAll('*')].map(e => e.shadowRoot).filter(Boolean);
        const { xaxis, yaxis } = roots.map(root => root.querySelector('.chart')).find(Boolean)._fullLayout;
        return [xaxis.d2p(1) - xaxis.d2p(0), yaxis.d2p(0) - yaxis.d2p(1)];
    })()"""
    across, up = page.evaluate(scales)
    assert across == pytest.approx(up, rel=1e-3)


def test_the_decoded_manifold_is_drawn_on_demand(visitor):
    page = opened(visitor, FLAT)
    page.get_by_role("button", name="Decoded").click()
    expect(page.get_by_test_id("map")).to_have_attribute("data-tiles", "400")


@pytest.mark.parametrize("name", [FLAT, DEEP])
def test_two_classes_make_a_direction_and_its_slider_moves_the_picture(visitor, name):
    page = opened(visitor, name)
    classes = data.DATASETS[checkpoint.load_card(name)["data"]["name"]].class_names
    page.get_by_label("Group A").click()
    page.get_by_role("option", name=classes[1], exact=True).click()
    slider = page.get_by_test_id("direction")
    expect(slider).to_be_visible()
    expect(page.get_by_text("Cohen's d")).to_be_visible()
    before = seen(page)
    slider.focus()
    page.keyboard.press("End")
    changes(page, before)


def test_a_lasso_becomes_a_group(visitor):
    page = opened(visitor, FLAT)
    page.get_by_role("button", name="Lasso").click()
    corners = [(0.4, 0.3), (0.6, 0.3), (0.6, 0.5), (0.4, 0.5), (0.4, 0.32)]
    page.mouse.move(*spot(page, *corners[0]))
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*spot(page, *corner), steps=4)
    page.mouse.up()
    keep = page.get_by_role("button", name=" as A")
    count = keep.text_content().split()[0]
    assert 50 < int(count) < 9000
    keep.click()
    expect(page.get_by_text("Cohen's d")).to_be_visible()
    expect(page.get_by_test_id("direction")).to_be_visible()


def test_encodings_can_be_taken_away(visitor):
    page = opened(visitor, FLAT)
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0].startswith("index,label,elbo,kl,reconstruction,mu0,mu1,sigma0,sigma1")
    assert len(lines) == 10_001
