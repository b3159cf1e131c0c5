"""Sliders by name: what they ask of the picture, and what is said of it, is so."""

import re

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect

import vae
from tests.browser.controls import by_number
from tests.browser.seen import changes, pixels, seen
from tests.registry import VECTORS
from vae.app.components import served
from vae.app.look import named
from vae.latent.named import FACTORS, Classes, block_of
from vae.latent.named import seen as pooled
from vae.models import pretrained

DEEP = "mnist"
MODULE = f"/{served.PATH}/{served.VERSION}/instruments/explore/factors.js"
MEASURED = """async ([module, kind, name, pictures, shape]) => {
  const { MEASURES, grey } = await import(new URL(module, location.origin));
  return pictures.map((bytes) => MEASURES[kind][name](grey(bytes, shape ?? [1, 28, 28])));
}"""

READ = """async ([module, told, pictures, shape]) => {
  const { classReader, grey } = await import(new URL(module, location.origin));
  const read = classReader(told);
  return pictures.map((bytes) => read(grey(bytes, shape ?? [1, 28, 28])));
}"""


def number(text: str) -> float:
    return float(re.search(r"[−+]?\d+(\.\d+)?", text)[0].replace("−", "-"))


def now(page: Page, name: str) -> float:
    """What Python measures of the picture on the page."""
    factor = next(factor for factor in FACTORS["digit"] if factor.name == name)
    levels = np.ascontiguousarray(pixels(seen(page))[..., 0])
    return float(factor.measure(torch.from_numpy(levels)[None, None].float() / 255))


@pytest.fixture
def page(visitor) -> Page:
    someone = visitor()
    page = someone.opens(f"/?model={DEEP}")
    someone.is_live()
    return page


def test_the_browser_measures_pictures_as_python_does(page):
    for name in VECTORS:
        model, mu = vae.load_pretrained(name), pretrained.load_encodings(name)[0][:12]
        bytes_ = (255 * model.decode(mu).mean.detach()).round()
        kind = model.input_spec.preparation
        for factor in FACTORS[kind]:
            if not pretrained.load_card(name)["directions"][factor.name]["offered"]:
                continue
            found = page.evaluate(
                MEASURED, [MODULE, kind, factor.name, bytes_.flatten(1).int().tolist(), list(model.input_spec.shape)]
            )
            assert found == pytest.approx(factor.measure(bytes_ / 255).tolist(), rel=1e-4, abs=1e-3), factor.name


def test_the_browser_reads_a_class_as_python_does(page):
    model, mu = vae.load_pretrained(DEEP), pretrained.load_encodings(DEEP)[0][:12]
    classes = Classes.load(pretrained.folder_of(DEEP) / pretrained.CLASSES, model.latents, model.input_spec)
    bytes_ = (255 * model.decode(mu).mean.detach()).round()
    expected = classes.log_odds(bytes_ / 255)
    for at in range(len(classes.names)):
        told = named.reading(classes.weights[at], float(classes.offsets[at]), 1)
        found = page.evaluate(READ, [MODULE, told, bytes_.flatten(1).int().tolist()])
        assert found == pytest.approx(expected[:, at].tolist(), abs=0.1)


COLOURS = torch.randint(0, 256, (6, 3, 64, 48), generator=torch.Generator().manual_seed(4)).float()
COLOURS[0] = 0
COLOURS[1, 2:] //= 4


@pytest.mark.parametrize("factor", FACTORS["crop"], ids=lambda factor: factor.name)
def test_the_browser_measures_colours_as_python_does(page, factor):
    found = page.evaluate(MEASURED, [MODULE, "crop", factor.name, COLOURS.flatten(1).int().tolist(), [3, 64, 48]])
    assert found == pytest.approx(factor.measure(COLOURS / 255).tolist(), rel=1e-4, abs=1e-3)


def test_the_browser_reads_a_tag_of_a_colour_picture_as_python_does(page):
    block, generator = block_of(64, 48), torch.Generator().manual_seed(5)
    assert block == 4
    weights, offset = torch.randn(3 * 16 * 12, generator=generator), 0.7
    told = named.reading(weights, offset, block)
    found = page.evaluate(READ, [MODULE, told, COLOURS.flatten(1).int().tolist(), [3, 64, 48]])
    exact = torch.round(weights / told["scale"]) * told["scale"]
    assert found == pytest.approx((pooled(COLOURS / 255) @ exact + offset).tolist(), abs=1e-3)


def test_a_slider_leads_towards_a_class_and_says_how_probable_it_is(page):
    page.get_by_text("Towards another kind of picture").click()
    slider = page.locator("[data-testid^=named-class-][type=range]").first
    name = slider.get_attribute("data-testid")
    before, value = seen(page), page.get_by_test_id(f"{name}-value")
    first = number(value.text_content())
    slider.focus()
    for _ in range(6):
        page.keyboard.press("PageUp")
    changes(page, before)
    page.wait_for_timeout(500)
    assert number(value.text_content()) >= first
    expect(page.get_by_test_id(f"{name}-got")).to_have_text(re.compile(r"^asked \+.* nats, got "))


def test_a_slider_says_what_was_asked_and_what_was_got_of_the_picture_beside_it(page):
    slider, got = page.get_by_test_id("named-slant"), page.get_by_test_id("named-slant-got")
    before, first = seen(page), now(page, "slant")
    assert number(page.get_by_test_id("named-slant-value").text_content()) == pytest.approx(first, abs=0.51)
    expect(got).to_have_text("")
    slider.focus()
    page.keyboard.press("PageUp")
    page.keyboard.press("PageUp")
    changes(page, before)
    page.wait_for_timeout(500)
    asked, was_got = got.text_content().split(", ")
    stated = pretrained.load_card(DEEP)["directions"]["slant"]
    assert number(asked) == pytest.approx(1.5 * stated["deviation"] / 3, abs=0.51)
    assert first + float(slider.get_attribute("max")) <= stated["range"][1] + 0.01
    assert number(was_got) == pytest.approx(now(page, "slant") - first, abs=0.51)
    assert now(page, "slant") > first + 3
    page.keyboard.press("Backspace")
    expect(got).to_have_text("")
    page.wait_for_timeout(300)
    assert now(page, "slant") == pytest.approx(first, abs=0.1)


def test_other_sliders_add_to_the_first_and_a_new_start_asks_anew(page):
    for name in ("stroke", "width"):
        before = seen(page)
        page.get_by_test_id(f"named-{name}").focus()
        page.keyboard.press("PageUp")
        changes(page, before)
    for name in ("stroke", "width"):
        expect(page.get_by_test_id(f"named-{name}-got")).to_have_text(re.compile("^asked"))
    page.get_by_role("button", name="A random picture").click()
    for name in ("stroke", "width"):
        expect(page.get_by_test_id(f"named-{name}-got")).to_have_text("")
        expect(page.get_by_test_id(f"named-{name}")).to_have_value("0")


def test_every_direction_of_a_model_is_offered_by_name_with_its_figure_and_numbers_are_one_click_behind(visitor):
    for name in VECTORS:
        page = visitor().opens(f"/?model={name}")
        offered = {key: one for key, one in pretrained.load_card(name)["directions"].items() if one["offered"]}
        found = page.locator("[data-testid^=named-][type=range]")
        classes = [one for one in pretrained.load_card(name)["class_directions"].values() if one["offered"]]
        keys = [*offered, *(f"class-{at}" for at in range(len(classes)))]
        assert [one.get_attribute("data-testid") for one in found.all()] == [f"named-{key}" for key in keys]
        notes = page.locator(".named .note").all_text_contents()
        for note, one in zip(notes, [*offered.values(), *classes], strict=True):
            assert f"R² {one['r2']:.2f}" in note
        assert page.locator("[data-testid^=latent-]").count() == 0
        expect(by_number(page)).to_be_visible()
        assert found.count() == 0
