"""The page Photos in a browser: what is seen is what the library makes of the photo, by mouse, keys and finger."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Page, expect

import vae
from tests.browser.seen import changes, seen
from tests.browser.test_own import give
from tests.registry import MAPS
from vae.data import bank
from vae.latent import maps
from vae.latent.maps import Asked, Photo
from vae.models import pretrained
from vae.pictures import prepare
from vae.pictures.steps import smaller

NAME = MAPS[0]
MODEL = vae.load_pretrained(NAME)
EXAMPLES = bank.load(pretrained.folder_of(NAME) / pretrained.EXAMPLES)
NEAREST = 1  # level: another processor's last digit


def photo(content: bytes, side: int = 512) -> Photo:
    """As the page has it."""
    spec = MODEL.input_spec

    def levels(content: bytes) -> torch.Tensor:
        return prepare(content, spec).picture[0].mul(255).round().byte()

    found = levels(content)
    if max(found.shape) > side:
        file = io.BytesIO()
        smaller(Image.fromarray(found.permute(1, 2, 0).numpy()), side).save(file, "PNG")
        found = levels(file.getvalue())
    return maps.encoded(MODEL, found)


def levels(page: Page, testid: str = "decoded") -> np.ndarray:
    """A canvas's colours, (3, height, width)."""
    height, width, *values = page.get_by_test_id(testid).evaluate(
        "e => [e.height, e.width, ...e.getContext('2d').getImageData(0, 0, e.width, e.height).data]"
    )
    return np.array(values, dtype=int).reshape(height, width, 4)[..., :3].transpose(2, 0, 1)


def agree(page: Page, of: Photo, told: Asked, other: Photo | None = None) -> None:
    """What comes back is what the library says, and so are the numbers beside it."""
    expected = maps.shown(MODEL, told, of, other)
    see = f"{told.keep},{told.noise:g},{told.seed},"
    page.wait_for_function(
        "see => [document, ...[...document.querySelectorAll('*')].map(e => e.shadowRoot).filter(Boolean)]"
        ".some(root => root.querySelector('[data-testid=decoded]')?.dataset.see?.startsWith(see))",
        arg=see,
    )
    assert abs(levels(page) - expected.mean.numpy().astype(int)).max() <= NEAREST
    expect(page.get_by_test_id("read-psnr")).to_have_text(f"{expected.psnr:.1f}")


def test_what_is_seen_is_what_the_library_makes_of_it_at_every_number_that_is_kept(visitor):
    page = visitor().opens("/photos")
    of = photo(EXAMPLES.content(0))
    assert (levels(page, "original") == of.levels.numpy()).all()
    agree(page, of, Asked(16))
    keep = page.get_by_test_id("keep")
    keep.focus()
    for kept in (15, 14):
        page.keyboard.press("ArrowLeft")
        agree(page, of, Asked(kept))
    page.get_by_test_id("channel-4").click()
    agree(page, of, Asked(4))
    expect(keep).to_have_value("4")
    page.wait_for_url("**show=4_*")


def test_noise_is_qs_and_other_noise_is_another_draw(visitor):
    page = visitor().opens("/photos?show=16_1.0_3_0.5_compared")
    of = photo(EXAMPLES.content(0))
    agree(page, of, Asked(16, 1.0, 3))
    page.get_by_test_id("again").click()
    agree(page, of, Asked(16, 1.0, 4))
    page.wait_for_url("**show=16_1.0_4_*")
    page.reload()
    agree(page, of, Asked(16, 1.0, 4))


def test_the_divider_goes_with_the_mouse_and_the_keys(visitor):
    page = visitor().opens("/photos")
    divider, stage = page.get_by_test_id("divider"), page.get_by_test_id("original").bounding_box()
    y = stage["y"] + stage["height"] / 4
    page.mouse.move(stage["x"] + stage["width"] / 2, y)
    page.mouse.down()
    page.mouse.move(stage["x"] + stage["width"] / 4, y, steps=3)
    page.mouse.up()
    expect(divider).to_have_attribute("aria-valuenow", "25")
    page.keyboard.press("ArrowRight")
    expect(divider).to_have_attribute("aria-valuenow", "27")
    page.keyboard.press("End")
    expect(divider).to_have_attribute("aria-valuenow", "100")


def test_the_difference_is_that_of_the_two_and_bits_lie_where_the_map_tells(visitor):
    page = visitor().opens("/photos")
    page.get_by_test_id("look-difference").click()
    apart = 128 + 4 * (levels(page) - levels(page, "original"))
    assert (levels(page, "other-look") == apart.clip(0, 255)).all()
    page.get_by_test_id("look-bits").click()
    of = photo(EXAMPLES.content(0))
    bits = of.bits.sum(0).numpy()
    shares = (bits - bits.min()) / (bits.max() - bits.min())
    np.testing.assert_allclose(levels(page, "other-look")[0] / 255, shares, atol=0.03)
    page.wait_for_url("**_bits")


def test_what_is_seen_can_be_taken_away_pixel_by_pixel(visitor):
    page = visitor().opens("/photos")
    with page.expect_download() as coming:
        page.get_by_test_id("save").click()
    with Image.open(coming.value.path()) as image:
        saved = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    assert (saved == levels(page)).all()


@pytest.mark.parametrize(("zoom", "times"), [("pixels", 1), ("large", 4)])
def test_its_pixels_can_be_looked_at(visitor, zoom, times):
    page = visitor().opens("/photos")
    page.get_by_test_id(f"zoom-{zoom}").click()
    canvas = page.get_by_test_id("original")
    width = canvas.evaluate("e => e.width")
    assert canvas.bounding_box()["width"] == pytest.approx(times * width, abs=1)
    assert page.get_by_test_id("zoom-whole").get_attribute("aria-pressed") == "false"


def own(seed: int) -> bytes:
    """A photo of a visitor's own: soft colours."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 9, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(coarse).resize((180, 120), Image.Resampling.BICUBIC).save(out, "PNG")
    return out.getvalue()


def test_a_dropped_photo_is_shown_and_two_are_blended(visitor):
    page = visitor().opens("/photos")
    for seed in (0, 1):
        before = seen(page)
        give(page, "drop", "[data-testid=stMain]", own(seed), f"{seed}.png")
        changes(page, before)
    first, second = photo(own(0)), photo(own(1))
    agree(page, second, Asked(16))
    page.get_by_test_id("other").select_option(label="Your last one")
    expect(page.get_by_test_id("share")).to_have_value("0.5")
    agree(page, second, Asked(16, 0.0, 0, 0.5), first)
    half = (first.levels.double() + second.levels.double()) / 2
    assert abs(levels(page, "original") - half.numpy()).max() <= 0.51
    page.get_by_test_id("side-1024").click()
    page.wait_for_url("**photo=own1_own2_1024**")


def test_without_its_socket_the_page_answers_the_same(visitor):
    someone = visitor()
    someone.page.route_web_socket("**/live", lambda socket: socket.close(code=4403))
    page = someone.opens("/photos")
    page.get_by_test_id("channel-8").click()
    agree(page, photo(EXAMPLES.content(0)), Asked(8))


def test_on_a_phone_the_page_scrolls_over_the_photo_and_nothing_is_wider_than_the_screen(visitor):
    page = visitor(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True).opens("/photos")
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 390
    assert page.get_by_test_id("original").bounding_box()["width"] > 300
    assert json.loads(page.get_by_test_id("divider").get_attribute("aria-valuenow")) == 50
