"""A picture of the visitor's own, in one gesture on every page: dropped, pasted, or chosen."""

import base64
import io

import numpy as np
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

from tests.browser.test_keyboard import rested

GIVE = """
([kind, selector, name, type, content]) => {
  const roots = [document];
  for (let i = 0; i < roots.length; i++)
    for (const e of roots[i].querySelectorAll("*")) if (e.shadowRoot) roots.push(e.shadowRoot);
  const target = roots.map((root) => root.querySelector(selector)).find(Boolean);
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, { type }));
  const options = { bubbles: true, composed: true, cancelable: true };
  const event =
    kind === "paste"
      ? new ClipboardEvent("paste", { ...options, clipboardData: carried })
      : new DragEvent(kind, { ...options, dataTransfer: carried });
  return !target.dispatchEvent(event);
}
"""


def stroke(slant: int = 0) -> bytes:
    """A picture of a one, as somebody might draw it."""
    image = Image.new("L", (200, 200), 255)
    ImageDraw.Draw(image).line((105 + slant, 40, 95 - slant, 160), fill=0, width=16)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def give(page: Page, kind: str, selector: str, content: bytes, name: str = "one.png", mime: str = "image/png") -> bool:
    """Whether the page took the event for its own, so that the browser does nothing with the file."""
    return page.evaluate(GIVE, [kind, selector, name, mime, base64.b64encode(content).decode()])


@pytest.mark.parametrize("path", ["/?", "/latent_map?", "/reconstruct?", "/how_it_works?chapter=bayes"])
def test_a_picture_that_is_dropped_or_pasted_is_what_the_page_is_about(visitor, path):
    page = rested(visitor, path)
    give(page, "dragover", "[data-testid=stMain]", stroke())
    for kind, slant in (("drop", 0), ("paste", 40)):
        before = page.url
        give(page, kind, "[data-testid=stMain]", stroke(slant))
        page.wait_for_url(lambda url, before=before: "x=b" in url and url != before)


def test_a_picture_for_which_the_page_has_no_way_is_not_dropped_without_a_word(visitor):
    page = rested(visitor, "/?")
    page.evaluate("document.querySelector('.st-key-own_file').classList.remove('st-key-own_file')")
    give(page, "drop", "[data-testid=stMain]", stroke())
    expect(page.locator(".page-head [role=alert]")).to_have_text(
        "The picture could not be taken. Load the page anew, then bring it again."
    )


def test_explore_begins_at_a_picture_that_was_dropped(visitor):
    page = rested(visitor, "/?")
    give(page, "drop", "[data-testid=stMain]", stroke())
    expect(page.get_by_role("button", name="Your picture", exact=True)).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize("letter", ["A", "B"])
def test_a_picture_that_is_dropped_on_an_end_of_a_journey_is_that_end(visitor, letter):
    page = rested(visitor, "/interpolate?")
    give(page, "drop", f"[data-testid=end-{letter}]", stroke())
    expect(page.get_by_role("button", name=f"{letter}: your picture; choose another")).to_be_visible()
    give(page, "paste", "[data-testid=stMain]", stroke())  # the same again, for A where nobody aims
    expect(page.get_by_role("button", name="A: your picture; choose another")).to_be_visible()


def test_the_button_beside_the_heading_chooses_a_file_and_one_that_cannot_be_read_is_refused(visitor):
    page = rested(visitor, "/?")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Your picture …").click()
    chooser.value.set_files({"name": "no.png", "mimeType": "image/png", "buffer": b"no picture"})
    expect(page.get_by_test_id("stAlert")).to_contain_text("picture")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Your picture …").click()
    chooser.value.set_files({"name": "one.png", "mimeType": "image/png", "buffer": stroke()})
    page.wait_for_url("**x=b**")
    expect(page.get_by_test_id("stAlert")).to_have_count(0)


def test_a_file_that_is_dropped_anywhere_is_not_opened_in_the_place_of_the_page(visitor):
    page = rested(visitor, "/?")
    assert give(page, "drop", "[data-testid=stSidebar]", stroke())


def test_the_picture_and_a_film_of_a_sliders_way_can_be_taken_away(visitor):
    page = rested(visitor, "/?model=mnist")
    page.get_by_text("Save the picture or a film").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the picture (PNG)").click()
    shown = page.get_by_test_id("decoded").evaluate("e => [...e.getContext('2d').getImageData(0, 0, 28, 28).data]")
    with Image.open(download.value.path()) as saved:
        assert saved.size == (280, 280)
        pixels = np.asarray(saved, dtype=int)[5::10, 5::10]
    assert abs(pixels - np.array(shown).reshape(28, 28, 4)[..., 0]).max() <= 4  # it may be decoded in bfloat16
    with page.expect_download() as download:
        page.get_by_role("button", name="Download GIF").click()
    with Image.open(download.value.path()) as film:
        assert film.n_frames == 2 * 60 - 2


def test_after_a_file_that_was_refused_another_is_what_is_cut_and_the_sentence_goes(visitor):
    page = rested(visitor, "/reconstruct?model=mnist")
    noise = io.BytesIO()
    Image.effect_noise((300, 300), 80).save(noise, "PNG")
    give(page, "drop", "[data-testid=stMain]", noise.getvalue())
    refused = page.get_by_test_id("stMain").get_by_role("alert").filter(has_text="on this picture")
    expect(refused.first).to_be_visible()
    original = page.get_by_test_id("original")
    original.wait_for()
    before = original.get_attribute("src")
    give(page, "drop", "[data-testid=stMain]", stroke())
    expect(refused).to_have_count(0)
    expect(original).not_to_have_attribute("src", before)
    give(page, "drop", "[data-testid=stMain]", noise.getvalue())
    expect(refused.first).to_be_visible()
    page.get_by_role("link", name="Explore").click()
    page.get_by_test_id("decoded").wait_for()
    expect(refused).to_have_count(0)


def jpeg() -> bytes:
    out = io.BytesIO()
    Image.open(io.BytesIO(stroke())).save(out, "JPEG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("notes.txt", b"no picture, and not long", "This is not a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF picture."),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "This is an SVG drawing; export it as a PNG."),
        ("nothing", b"%PDF-1.7 and more", "This is a PDF document"),
        ("as.jfif", jpeg(), ""),
        ("as.JPG", jpeg(), ""),
        ("without an ending", jpeg(), ""),
    ],
)
@pytest.mark.parametrize("path", ["/?", "/interpolate?"])
def test_of_a_file_that_is_brought_its_content_decides_and_not_its_name(visitor, path, name, content, says):
    page = rested(visitor, path)
    before = page.url
    give(page, "drop", "[data-testid=stMain]", content, name, "")
    if says:
        expect(page.get_by_test_id("stAlertContainer").filter(has_text=says).first).to_be_visible()
    else:
        page.wait_for_url(lambda url: url != before and ("x=b" in url or "ends=b" in url))


@pytest.mark.parametrize(
    ("path", "content", "says"),
    [("/?", b"", "The file is empty."), ("/?", b"0" * 26_300_000, "26 MB"), ("/models?", b"1", "takes no picture")],
)
def test_a_file_that_no_uploader_takes_gets_its_sentence(visitor, path, content, says):
    page = rested(visitor, path)
    assert give(page, "drop", "[data-testid=stMain]", content)
    expect(page.locator(".page-head [role=alert]")).to_contain_text(says)
