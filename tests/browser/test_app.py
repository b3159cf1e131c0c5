"""The app as its visitors have it: `streamlit run` and a real Chromium."""

import io
import re
from functools import cache
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

import vae
from tests.browser.seen import changes, pixels
from tests.registry import BITS, MAPS, VECTORS
from vae.models import pretrained
from vae.pictures import prepare

NAMES = VECTORS
DIGITS = next(name for name in NAMES if pretrained.load_card(name)["data"]["name"] == "mnist")
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
PAGES = ["/", "/reconstruct"]
EVERY_PAGE = pytest.mark.parametrize("path", PAGES)


def query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


@cache
def phone_photo() -> bytes:
    """A JPEG of 4000 x 3000 pixels held upright: a dark seven on light grey, unevenly lit, grainy paper."""
    image = Image.new("L", (3000, 4000), 205)
    ImageDraw.Draw(image).line([(900, 1000), (2100, 1000), (1400, 3000)], 50, 170, "curve")
    levels = np.asarray(image) * np.linspace(1, 0.85, 3000)
    grain = np.random.default_rng(0).normal(0, 5, (500, 375)).repeat(8, 0).repeat(8, 1)
    image = Image.fromarray(np.clip(levels + grain, 0, 255).astype(np.uint8)).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its left side
    buffer = io.BytesIO()
    image.transpose(Image.Transpose.ROTATE_90).save(buffer, "JPEG", quality=85, exif=exif)
    return buffer.getvalue()


def upload(page: Page, name: str, kind: str, content: bytes) -> None:
    page.get_by_role("radio", name="Upload").click()
    uploader = page.get_by_test_id("stFileUploader").locator("visible=true")
    uploader.locator("input[type=file]").set_input_files({"name": name, "mimeType": kind, "buffer": content})


@pytest.mark.parametrize("name", NAMES)
def test_every_model_opens_with_a_picture(visitor, name):
    page = visitor().opens(f"/?model={name}")
    expect(page.get_by_test_id("decoded")).to_be_visible()
    assert page.get_by_test_id("decoded").bounding_box()["width"] > 300
    assert query(page)["model"] == [name]
    assert page.title() == "Explore · VAE Lab"


def test_model_and_sliders_stay_through_a_visit_to_another_page(visitor):
    someone = visitor()
    page, before = someone.opens(f"/?model={BITS[-1]}"), someone.sees_a_picture()
    page.get_by_role("button", name="A random picture").click()
    sampled = changes(page, before)
    page.get_by_role("link", name="Reconstruct").click()
    expect(page.get_by_text("Compare with another network")).to_be_visible()
    someone.sees_a_picture()
    assert query(page)["model"] == [BITS[-1]]
    page.get_by_role("link", name="Explore").click()
    expect(page.get_by_role("button", name="The middle")).to_be_visible()
    assert someone.sees_a_picture() == sampled
    assert query(page)["model"] == [BITS[-1]]


def test_a_photo_from_a_phone_is_reconstructed(visitor):
    someone = visitor()
    page = someone.opens(f"/reconstruct?model={DIGITS}")
    before = someone.sees_a_picture()
    photo = phone_photo()
    upload(page, "photo.jpg", "image/jpeg", photo)
    decoded = pixels(changes(page, before))
    someone.rests()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_text(re.compile(r"Prepared in \d+ steps"))).to_be_visible()
    prepared = prepare(photo, vae.load_pretrained(DIGITS).input_spec)
    shown = pixels(page.get_by_test_id("prepared").get_attribute("src"))
    assert np.array_equal(shown, (prepared.picture[0, 0] * 255).round().byte().numpy())
    assert np.ptp(decoded) > 100
    page.get_by_text(re.compile(r"Prepared in \d+ steps")).click()
    expect(page.get_by_alt_text("Turned upright (EXIF orientation 6)")).to_be_visible()


def test_a_switch_leaves_the_steps_open_and_changes_them(visitor):
    someone = visitor()
    page, before = someone.opens("/reconstruct"), someone.sees_a_picture()
    upload(page, "photo.jpg", "image/jpeg", phone_photo())
    decoded = changes(page, before)
    someone.rests()
    page.get_by_text(re.compile(r"Prepared in \d+ steps")).click()
    page.get_by_text("Swap black and white", exact=True).click()
    changes(page, decoded)
    someone.rests()
    expect(page.get_by_text("Swap black and white", exact=True)).to_be_visible()
    expect(page.get_by_role("switch", name="Swap black and white")).not_to_be_checked()


def test_a_broken_file_gets_one_sentence_and_the_page_lives(visitor):
    someone = visitor()
    page, before = someone.opens("/reconstruct"), someone.sees_a_picture()
    upload(page, "photo.png", "image/png", b"these are only words\n" * 20)
    expect(page.get_by_role("alert")).to_have_count(1)
    expect(page.get_by_role("alert")).to_contain_text("This is not a PNG")
    assert someone.sees_a_picture() == before
    page.get_by_role("radio", name="Examples").click()
    page.get_by_role("button", name="Another").click()
    changes(page, before)


def test_the_url_opens_the_same_picture_for_somebody_else(visitor):
    someone = visitor()
    page, before = someone.opens(f"/?model={BITS[-1]}"), someone.sees_a_picture()
    address = page.url
    page.get_by_role("button", name="A random picture").click()
    shown = changes(page, before)
    page.wait_for_function("before => location.href !== before", arg=address)
    someone.rests()
    assert query(page)["model"] == [BITS[-1]]
    assert len(query(page)["z"][0].split(",")) == pretrained.load_card(BITS[-1])["latents"]
    other = visitor()
    other.opens(page.url.removeprefix(someone.server))
    assert other.sees_a_picture() == shown


def test_two_visitors_do_not_influence_each_other(visitor):
    one, two = visitor(), visitor()
    first, second = one.opens(), two.opens()
    start = one.sees_a_picture()
    assert two.sees_a_picture() == start
    first.get_by_role("button", name="A random picture").click()
    sampled = changes(first, start)
    second.get_by_role("button", name="The middle").click()
    origin = changes(second, start)
    one.rests()
    two.rests()
    assert one.sees_a_picture() == sampled
    assert two.sees_a_picture() == origin
    assert sampled != origin
    second.get_by_role("link", name="Reconstruct").click()
    expect(second.get_by_text("Compare with another network")).to_be_visible()
    assert one.sees_a_picture() == sampled


@EVERY_PAGE
def test_a_visit_asks_only_its_own_server_and_nothing_fails(visitor, path):
    someone = visitor(first=True)
    page = someone.opens(path)
    if path == "/reconstruct":
        page.get_by_role("button", name="Draw it again").click()
        page.get_by_text("Numbers of x").click()
        page.wait_for_selector(".js-plotly-plot")
        someone.rests()
    page.wait_for_load_state("networkidle")
    assert len(someone.requests) > 5
    assert someone.problems == []


@EVERY_PAGE
def test_on_a_phone_nothing_scrolls_sideways_and_the_picture_is_there(visitor, path):
    page = visitor(**PHONE).opens(path)
    expect(page.get_by_test_id("stSidebar")).to_have_attribute("data-collapsed", "true")
    decoded = page.get_by_test_id("decoded")
    decoded.scroll_into_view_if_needed()
    expect(decoded).to_be_visible()
    box = decoded.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    assert box["width"] >= 140
    too_wide = page.evaluate(
        "[...document.querySelectorAll('html, body, [data-testid=stMain]')].filter(e => e.scrollWidth > e.clientWidth)"
        ".map(e => `${e.tagName} ${e.scrollWidth}`)"
    )
    assert too_wide == []


def test_on_a_phone_the_menu_closes_after_a_choice(visitor):
    someone = visitor(**PHONE)
    page = someone.opens(f"/?model={NAMES[0]}")
    menu, models = page.get_by_test_id("stSidebar"), len([*VECTORS, *MAPS])

    def opens_the_menu() -> None:
        page.get_by_test_id("stExpandSidebarButton").tap()
        expect(menu).to_have_attribute("data-collapsed", "false")
        page.wait_for_function("document.querySelector('[data-testid=stSidebar]').getBoundingClientRect().x === 0")

    for link in ("Reconstruct", "Reconstruct", "Explore"):  # the page that one is on, too
        opens_the_menu()
        page.get_by_role("link", name=link).tap()
        expect(menu).to_have_attribute("data-collapsed", "true")
        someone.rests()
    opens_the_menu()
    page.get_by_text("About").tap()
    expect(menu).to_have_attribute("data-collapsed", "false")
    menu.get_by_role("button", name="Open").tap()
    expect(page.get_by_role("option")).to_have_count(models)
    page.get_by_role("option").nth(len(VECTORS) - 1).tap()
    expect(menu).to_have_attribute("data-collapsed", "true")


def test_light_and_dark_are_two_themes(visitor):
    levels = {}
    for scheme in ("light", "dark"):
        page = visitor(color_scheme=scheme).opens()
        colours = page.evaluate(
            "(e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).color])"
            "(document.querySelector('[data-testid=stApp]'))"
        )
        levels[scheme] = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in colours]
    background, text = range(2)
    assert levels["light"][background] > levels["light"][text] + 300
    assert levels["dark"][text] > levels["dark"][background] + 300


@EVERY_PAGE
def test_every_picture_has_words_for_those_who_do_not_see_it(visitor, path):
    someone = visitor()
    page = someone.opens(path)
    if path == "/reconstruct":
        before = someone.sees_a_picture()
        upload(page, "photo.jpg", "image/jpeg", phone_photo())
        changes(page, before)
        someone.rests()
        page.get_by_text(re.compile(r"Prepared in \d+ steps")).click()
        expect(page.get_by_alt_text("Centred by mass")).to_be_visible()
    alts = page.locator("img").evaluate_all("all => all.map(e => e.getAttribute('alt'))")
    alts += page.locator("canvas[role]").evaluate_all("all => all.map(e => e.getAttribute('aria-label'))")
    assert len(alts) >= (2 if path == "/" else 8)
    assert all(alts), alts
