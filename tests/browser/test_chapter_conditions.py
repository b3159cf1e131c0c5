"""The chapters on conditions, layers and features in a real Chromium, by mouse and keyboard."""

import csv
import io
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.seen import seen
from tests.pictures.archives import picture
from vae.app.chapters.layers import MODELS
from vae.evaluate import probe
from vae.models import pretrained


def chapter(visitor, key: str, model: str = "mnist", **context) -> Page:
    someone = visitor(**({"viewport": {"width": 1400, "height": 1000}} | context))
    return someone.opens(f"/how_it_works?chapter={key}&model={model}&x=i7")


def test_class_and_style_change_by_keyboard_and_mouse_without_a_script(visitor):
    page = chapter(visitor, "conditions")
    large, slider = page.get_by_test_id("decoded"), page.get_by_test_id("class")
    scripts = page.evaluate("performance.getEntriesByType('resource').length")
    before, first = seen(page), int(large.get_attribute("data-y"))
    slider.focus()
    page.keyboard.press("Home")
    expect(large).to_have_attribute("data-y", "0")
    page.keyboard.press("ArrowRight")
    expect(large).to_have_attribute("data-y", "1")
    one = seen(page)
    assert one != before
    page.get_by_test_id("another").click()
    expect(large).to_have_attribute("data-style", "1")
    assert large.get_attribute("data-y") == "1"
    assert seen(page) != one
    page.get_by_test_id("own").click()
    assert seen(page) == one
    page.get_by_role("button", name=f"Class {first}:").click()
    assert seen(page) == before
    box = slider.bounding_box()
    page.mouse.move(box["x"] + 10, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 5, box["y"] + box["height"] / 2, steps=5)
    expect(large).to_have_attribute("data-y", "9")
    page.mouse.up()
    assert page.evaluate("performance.getEntriesByType('resource').length") == scripts


@pytest.mark.parametrize("model", [*MODELS])
def test_a_layer_is_chosen_by_click_and_arrow_keys_and_drawn_again(visitor, model):
    page = chapter(visitor, "layers", model, viewport={"width": 390, "height": 844})
    large = page.get_by_test_id("decoded")
    page.get_by_test_id("layer-1").click()
    expect(large).to_have_attribute("data-layer", "1")
    expect(page.get_by_role("status")).to_contain_text("samples of the prior")
    top = seen(page)
    page.keyboard.press("ArrowDown")
    expect(large).to_have_attribute("data-layer", "2")
    expect(page.get_by_test_id("layer-2")).to_be_focused()
    assert seen(page) != top
    second = seen(page)
    page.get_by_test_id("another").click()
    expect(large).to_have_attribute("data-round", "1")
    assert seen(page) != second
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def line(dimension: int, kind: str, *models: str) -> str:
    """What is said of a dimension: the models' cards, and the baseline."""
    shares = {name: pretrained.load_card(name)["numbers"][kind]["latents"] for name in models}
    shares["Principal components"] = probe.load("mnist")["pca"][str(dimension)][kind]
    told = ", ".join(f"{name} {100 * share:.1f} %" for name, share in shares.items())
    return f"{dimension} {'dimension' if dimension == 1 else 'dimensions'}: {told}"


def test_curves_are_read_by_pointer_and_keyboard_and_an_upload_becomes_a_table(visitor, tmp_path):
    someone = visitor()
    page = someone.page
    page.goto(f"{someone.server}/how_it_works?chapter=features&model=mnist")
    chart, words = page.get_by_test_id("accuracy"), page.get_by_test_id("point")
    expect(words).to_have_text(line(24, "nearest_neighbours", "mnist", "mnist-ae"))
    chart.hover(position={"x": 50, "y": 200})
    expect(words).to_have_text(line(1, "nearest_neighbours"))
    page.get_by_test_id("kind-2").click()
    chart.focus()
    page.keyboard.press("ArrowRight")
    expect(words).to_have_text(line(2, "linear_probe", "mnist-2d", "mnist-2d-ae"))
    assert chart.get_attribute("aria-valuetext") == words.text_content()
    files = [
        {"name": "a.png", "mimeType": "image/png", "buffer": picture()},
        {"name": "bad.png", "mimeType": "image/png", "buffer": b"no"},
    ]
    page.locator("input[type=file][multiple]").set_input_files(files)
    expect(page.get_by_text("bad.png: This is not a PNG")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    assert [row["file"] for row in rows] == ["a.png"]
    assert float(rows[0]["kl_nats"]) > 1
