"""A network of photos from elsewhere in a browser: dropped, tried, and shown by Photos, each as far as it can be."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor, free_port, serving
from tests.models.folders import KL, TINY, written
from vae.models.elsewhere import CONFIG, WEIGHTS

LONG = 240_000  # ms: two slow cores measure it beside all other tests
OWN = "import os\nos.environ |= {{'VAE_LAB_CACHE': {0!r}, 'VAE_LAB_TRAIN_FROM': {0!r}, 'VAE_LAB_TRAIN_NICE': '1'}}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("tried")


@pytest.fixture(scope="module")
def lab(folder) -> Iterator[str]:
    with serving(free_port(), folder / "stderr.txt", OWN.format(str(folder))) as address:
        yield address


@pytest.fixture
def visitor(chromium, lab) -> Iterator[Visitor]:
    one = Visitor(chromium, lab)
    yield one
    one.context.close()
    assert not one.problems, "\n".join(one.problems)


def asks(one: Visitor) -> Page:
    """Somebody at the place for networks."""
    one.page.goto(f"{one.server}/train")
    one.page.get_by_text("A network that I kept").click()
    one.page.get_by_text("Drop its .safetensors file here").wait_for()
    return one.page


def opens(page: Page, title: str) -> None:
    """Open what was brought, under a title, and give it a photo."""
    page.get_by_label("What it is called").fill(title)
    page.get_by_label("What it is called").press("Enter")
    page.get_by_role("button", name="Open it").click()
    expect(page.get_by_test_id("stand")).to_have_text("It is here, and measured.", timeout=LONG)
    page.get_by_test_id("train-brought").wait_for()
    page.get_by_role("button", name="Give it a photo").click()
    expect(page.get_by_test_id("decoded")).to_have_attribute("data-see", re.compile("^4,"), timeout=LONG)
    expect(page.get_by_role("combobox").first).to_have_value(f"“{title}”, photos of any size")


def test_one_with_a_prior_tells_its_bits_and_is_blended_as_the_labs_own(visitor, folder):
    place = written(folder / "kl", KL)
    page = asks(visitor)
    box = page.locator("[data-testid=stFileUploader] input[type=file]")
    box.set_input_files([str(place / CONFIG), str(place / WEIGHTS[0])])
    opens(page, "Like a large one")
    expect(page.get_by_test_id("read-kilobytes")).to_have_text(re.compile("kB"))
    expect(page.get_by_test_id("decoded")).to_have_attribute("width", "256")
    page.get_by_test_id("look-bits").click()
    expect(page.get_by_text("Bright: many bits")).to_be_visible()
    page.get_by_test_id("look-compared").click()
    page.get_by_test_id("other").select_option(label="Example 2")
    page.get_by_test_id("share").wait_for()
    page.get_by_test_id("side-512").click()
    expect(page.get_by_test_id("decoded")).to_have_attribute("width", "512", timeout=LONG)
    expect(page.get_by_test_id("read-psnr")).to_have_text(re.compile(r"\d"), timeout=LONG)


def test_one_without_a_prior_says_nothing_of_bits_and_comes_from_a_path_on_the_server(visitor, folder):
    written(folder / "small" / "vae", TINY)
    page = asks(visitor)
    page.get_by_label("Or its path").fill("small")
    page.get_by_label("Or its path").press("Enter")
    expect(page.get_by_label("What it is called")).to_have_value("small")
    opens(page, "Like a small one")
    expect(page.get_by_test_id("read-numbers")).to_have_text("3,072")
    for absent in ("read-kilobytes", "readouts", "noise", "look-bits"):
        expect(page.get_by_test_id(absent)).to_have_count(0)
    page.get_by_test_id("channel-2").click()
    expect(page.get_by_test_id("read-numbers")).to_have_text("1,536")
    expect(page.get_by_test_id("decoded")).to_have_attribute("data-see", re.compile("^2,"))


def test_what_may_run_code_is_refused_where_it_is_dropped(visitor):
    page = asks(visitor)
    box = page.locator("[data-testid=stFileUploader] input[type=file]")
    box.set_input_files([{"name": "model.ckpt", "mimeType": "", "buffer": b"\x80\x04K\x01."}])
    expect(page.get_by_text("may run code when it is opened")).to_be_visible()
    expect(page.get_by_role("button", name="Open it")).to_have_count(0)
