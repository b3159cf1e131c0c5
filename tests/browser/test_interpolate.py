"""Interpolate in a real Chromium: journeys under the hand, other ends, the square, arithmetic, and files."""

import io
import re

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

import vae
from tests.browser.seen import DECODED, changes, greys, seen
from tests.registry import VECTORS
from vae import data, latent
from vae.models import pretrained

NAMES = VECTORS
DEEP = next(name for name in NAMES if pretrained.load_card(name)["latents"] > 2)
ENDS = "i7,i0,i3,i20"


def opened(visitor, query: str, name: str = DEEP, **context) -> Page:
    someone = visitor(**({"viewport": {"width": 1400, "height": 1000}} | context))
    return someone.opens(f"/interpolate?model={name}&{query}")


def encodings(name: str = DEEP) -> torch.Tensor:
    dataset = pretrained.load_card(name)["data"]["name"]
    x = data.fixed_binarisation(dataset)[[7, 0, 3, 20]].float()
    return vae.load_pretrained(name).encode(x).mean.detach()


def expected(z: torch.Tensor, name: str = DEEP) -> np.ndarray:
    return vae.load_pretrained(name).decode(z[None]).mean[0, 0].detach().mul(255).round().int().numpy()


def linked(page: Page, key: str) -> str | None:
    return page.evaluate("key => new URL(location).searchParams.get(key)", key)


def digit() -> bytes:
    """A phone's picture of a one: dark ink on light paper."""
    paper = Image.new("RGB", (1600, 1200), (235, 228, 215))
    ImageDraw.Draw(paper).line((820, 300, 780, 900), fill=(40, 40, 60), width=60)
    out = io.BytesIO()
    paper.save(out, "JPEG")
    return out.getvalue()


def test_home_and_end_show_the_two_reconstructions_themselves(visitor):
    page = opened(visitor, f"ends={ENDS}&at=0.5")
    a, b = encodings()[:2]
    before = seen(page)
    page.get_by_test_id("scrub").focus()
    page.keyboard.press("Home")
    before = changes(page, before)
    assert abs(greys(page) - expected(a)).max() <= 1
    page.keyboard.press("End")
    changes(page, before)
    assert abs(greys(page) - expected(b)).max() <= 1


def test_the_scrubber_needs_no_script_and_its_place_is_in_the_link(visitor):
    page = opened(visitor, f"ends={ENDS}&at=0&steps=60&path=straight")
    page.get_by_test_id("scrub").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("position")).to_have_text("step 4 of 60")
    z = latent.lerp(*encodings()[:2], 60)[3]
    assert abs(greys(page) - expected(z)).max() <= 1
    page.wait_for_function("new URL(location).searchParams.get('at') === '0.0508'")


def test_the_verdicts_are_the_librarys(visitor):
    page = opened(visitor, f"ends={ENDS}&steps=24")
    mu, sigma = pretrained.load_encodings(DEEP)
    model, (a, b) = vae.load_pretrained(DEEP), encodings()[:2]
    for name, path in (("straight", latent.lerp(a, b, 24)), ("spherical", latent.slerp(a, b, 24))):
        judged = latent.judge(model, path, mu, sigma)
        length = float(page.get_by_test_id(f"{name}-length").text_content())
        density = float(page.get_by_test_id(f"{name}-lowest_density").text_content().replace("−", "-"))
        assert length == pytest.approx(judged.length, abs=0.051)
        assert density == pytest.approx(judged.lowest_density, abs=0.051)


def test_another_path_is_chosen_and_remembered(visitor):
    page = opened(visitor, f"ends={ENDS}&at=0.5")
    before, number = seen(page), page.get_by_test_id("read-density").text_content()
    page.get_by_test_id("path-spherical").click()
    changes(page, before)
    expect(page.get_by_test_id("read-density")).not_to_have_text(number)
    page.wait_for_function("new URL(location).searchParams.get('path') === 'spherical'")
    expect(page.get_by_test_id("path-spherical")).to_have_attribute("aria-pressed", "true")


def test_it_plays_and_pauses(visitor):
    page = opened(visitor, f"ends={ENDS}&at=0")
    before = seen(page)
    page.get_by_role("button", name="Play").click()
    changes(page, changes(page, before))
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    still = seen(page)
    page.wait_for_timeout(300)
    assert seen(page) == still


def test_an_uploaded_photo_a_drawing_and_a_sample_become_ends(visitor):
    page = opened(visitor, f"ends={ENDS}&mode=sum")
    page.get_by_test_id("end-A").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Upload", exact=True).click()
    dialog.locator("input[type=file]").set_input_files({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": digit()})
    dialog.get_by_role("button", name="Use as A").click()
    page.wait_for_function("new URL(location).searchParams.get('ends').startsWith('b')")
    page.get_by_test_id("end-B").click()
    dialog.get_by_text("Draw", exact=True).click()
    box = dialog.get_by_test_id("pad").bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.45 * box["width"], box["y"] + 0.8 * box["height"], steps=6)
    page.mouse.up()
    dialog.get_by_role("button", name="Use as B").click()
    page.wait_for_function("new URL(location).searchParams.get('ends').split(',')[1].startsWith('b')")
    page.get_by_test_id("end-C").click()
    dialog.get_by_text("Made up", exact=True).click()
    dialog.get_by_role("button", name="Use as C").click()
    page.wait_for_function("new URL(location).searchParams.get('ends').split(',')[2].startsWith('s')")
    assert linked(page, "ends").split(",")[3] == "i20"


def test_after_a_dialog_the_keyboard_is_where_it_was(visitor):
    page = opened(visitor, f"ends={ENDS}")
    dialog, end = page.get_by_role("dialog"), page.get_by_test_id("end-B")
    end.press("Enter")
    dialog.get_by_role("button", name="Use as B").wait_for()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(end).to_be_focused()
    end.press("Enter")
    dialog.get_by_role("button", name="Use as B").press("Enter")
    page.wait_for_function("ends => new URL(location).searchParams.get('ends') !== ends", arg=ENDS)
    expect(dialog).to_have_count(0)
    expect(end).to_be_focused()


def test_a_broken_file_is_one_sentence_and_changes_nothing(visitor):
    page = opened(visitor, f"ends={ENDS}")
    page.get_by_test_id("end-A").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Upload", exact=True).click()
    file = {"name": "a.png", "mimeType": "image/png", "buffer": b"<html>no picture</html>"}
    dialog.locator("input[type=file]").set_input_files(file)
    expect(dialog.get_by_role("alert")).to_be_visible()
    expect(dialog.get_by_role("button", name="Use as A")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert linked(page, "ends") == ENDS


def test_the_square_between_four_goes_by_pointer_and_arrow_keys(visitor):
    page = opened(visitor, f"ends={ENDS}&mode=four&at=0.5,0.5")
    middle = encodings().mean(0)
    page.wait_for_function("new URL(location).searchParams.get('mode') === 'four'")
    assert abs(greys(page) - expected(middle)).max() <= 2
    page.get_by_test_id("square").focus()
    before = seen(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    changes(page, before)
    page.wait_for_function("new URL(location).searchParams.get('at') === '0.52,0.48'")
    box = page.get_by_test_id("square").bounding_box()
    page.mouse.click(box["x"] + 3, box["y"] + box["height"] - 3)
    expect(page.get_by_test_id("decoded")).to_have_attribute("data-at", re.compile(r"0\.00\d,0\.99\d"))
    assert abs(greys(page) - expected(encodings()[2])).max() <= 2


def test_between_four_it_plays_around_the_corners_and_pauses(visitor):
    page = opened(visitor, f"ends={ENDS}&mode=four&at=0.06,0.06&steps=24")
    page.wait_for_function("new URL(location).searchParams.get('mode') === 'four'")
    page.evaluate(
        f"""() => {{ window.been = []; new MutationObserver(() => window.been.push({DECODED}.dataset.at))
        .observe({DECODED}, {{ attributes: true, attributeFilter: ['data-at'] }}) }}"""
    )
    page.get_by_role("button", name="Play").click()
    page.wait_for_timeout(2600)  # 24 frames at 20 a second, twice
    page.get_by_role("button", name="Pause").click()
    been = np.array(page.evaluate("window.been.map(at => at.split(',').map(Number))"))
    low, high = 0.5 / 9, 1 - 0.5 / 9
    assert (np.minimum(abs(been - low), abs(been - high)).min(1) < 2e-3).all()  # on the edges
    turned = np.unwrap(np.arctan2(*(been - 0.5).T[::-1]))  # from A at the upper left by the right to B, D, C
    assert (np.diff(turned) >= 0).all()
    assert turned[-1] - turned[0] > 2 * np.pi
    still, at = seen(page), page.get_by_test_id("decoded").get_attribute("data-at")
    page.wait_for_function("at => new URL(location).searchParams.get('at').startsWith(at)", arg=at.split(",")[0][:4])
    assert seen(page) == still


def test_between_four_the_film_is_a_round_that_meets_the_four_pictures(visitor):
    page = opened(visitor, f"ends={ENDS}&mode=four&steps=24")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download GIF").click()
    with Image.open(download.value.path()) as film:
        assert film.n_frames == 24
        times = film.width // 28
        for frame, z in zip((0, 6, 12, 18), encodings()[[0, 1, 3, 2]], strict=True):
            film.seek(frame)
            shown = np.asarray(film.convert("L"), dtype=int)[times // 2 :: times, times // 2 :: times]
            assert abs(shown - expected(z)).max() <= 4  # pictures without numbers may be decoded in bfloat16


def test_a_strip_can_be_taken_away_and_holds_every_frame(visitor):
    page = opened(visitor, f"ends={ENDS}&path=straight&steps=24")
    page.get_by_label("Export").click()
    page.get_by_role("option", name="PNG").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download PNG").click()
    with Image.open(download.value.path()) as strip:
        assert strip.size == (24 * 56, 56)
        frames = np.split(np.asarray(strip, dtype=int)[::2, ::2], 24, axis=1)
    for frame, z in zip(frames, latent.lerp(*encodings()[:2], 24), strict=True):
        assert abs(frame - expected(z)).max() <= 1


def test_between_four_the_grid_can_be_taken_away(visitor):
    page = opened(visitor, f"ends={ENDS}&mode=four")
    page.get_by_label("Export").click()
    page.get_by_role("option", name="PNG").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download PNG").click()
    with Image.open(download.value.path()) as sheet:
        assert sheet.size == (9 * 56, 9 * 56)
        middle = np.asarray(sheet, dtype=int)[4 * 56 : 5 * 56 : 2, 4 * 56 : 5 * 56 : 2]
    assert abs(middle - expected(encodings().mean(0))).max() <= 4


def test_what_is_exported_and_how_survives_other_choices_and_a_page_change(visitor):
    page = opened(visitor, f"ends={ENDS}")
    for label, option in (("Export", "WebP"), ("Frames", "24"), ("Frames a second", "30")):
        page.get_by_label(label, exact=True).click()
        page.get_by_role("option", name=option, exact=True).click()
        expect(page.get_by_label(label, exact=True)).to_have_value(option)
    page.get_by_text("And back", exact=True).click()

    def as_chosen() -> None:
        for label, option in (("Export", "WebP"), ("Frames", "24"), ("Frames a second", "30")):
            expect(page.get_by_label(label, exact=True)).to_have_value(option)
        page.wait_for_selector(
            "[data-testid=stApp][data-test-script-state=notRunning]"
        )  # the last page's button is gone
        expect(page.get_by_role("button", name="Download WebP")).to_be_visible()

    page.get_by_text("Four pictures", exact=True).click()
    expect(page.get_by_test_id("square")).to_be_visible()
    as_chosen()
    page.get_by_text("A − B + C", exact=True).click()
    expect(page.get_by_test_id("end-C")).to_be_visible()
    as_chosen()
    page.get_by_text("A journey", exact=True).click()
    page.get_by_role("link", name="Reconstruct").click()
    page.get_by_text("Compare with another network").wait_for()
    page.get_by_role("link", name="Interpolate").click()
    page.get_by_test_id("path-straight").wait_for()
    as_chosen()
    expect(page.get_by_label("And back")).not_to_be_checked()


def test_a_minus_b_plus_c_starts_at_one_whole_difference(visitor):
    page = opened(visitor, f"ends={ENDS}&mode=sum&steps=60")
    expect(page.get_by_test_id("position")).to_have_text("t = 1.00")
    a, b, c, _ = encodings()
    assert abs(greys(page) - expected(c + a - b)).max() <= 1


@pytest.mark.parametrize(("kind", "suffix"), [("GIF", "gif"), ("WebP", "webp")])
def test_a_film_can_be_taken_away(visitor, kind, suffix):
    page = opened(visitor, f"ends={ENDS}&steps=24")
    if kind != "GIF":
        page.get_by_label("Export").click()
        page.get_by_role("option", name=kind).click()
    with page.expect_download() as download:
        page.get_by_role("button", name=f"Download {kind}").click()
    assert download.value.suggested_filename.endswith(f".{suffix}")
    with Image.open(download.value.path()) as film:
        assert film.width >= 256
        assert film.n_frames == 46


def test_latents_can_be_taken_away_and_their_ends_are_the_encodings(visitor):
    page = opened(visitor, f"ends={ENDS}&steps=24")
    page.get_by_label("Export").click()
    page.get_by_role("option", name="Latents").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download Latents").click()
    a, b = encodings()[:2]
    with np.load(download.value.path()) as kept:
        assert set(kept) == {"straight", "spherical", "following"}
        for path in kept.values():
            assert path.shape == (24, len(a))
            assert np.allclose(path[0], a, atol=1e-5)
            assert np.allclose(path[-1], b, atol=1e-5)


def test_a_link_reproduces_the_picture(visitor):
    page = opened(visitor, f"ends={ENDS}&mode=two&path=spherical&steps=24&at=0.3")
    picture = seen(page)
    page.wait_for_function("new URL(location).searchParams.get('path') === 'spherical'")
    again = opened(visitor, page.url.partition("?")[2].partition("&")[2])
    assert seen(again) == picture


def test_on_a_phone_nothing_is_wider_than_the_screen(visitor):
    for mode in ("two", "four", "sum"):
        page = opened(visitor, f"ends={ENDS}&mode={mode}", viewport={"width": 390, "height": 844})
        assert page.evaluate("document.scrollingElement.scrollWidth") <= 390
        assert page.get_by_test_id("decoded").bounding_box()["width"] > 300
