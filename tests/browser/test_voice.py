"""For those who do not see: every instrument has its name and its role, and what a hand changes is said in words."""

import re
from itertools import pairwise

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect
from torch.distributions import Normal, kl_divergence

from tests.browser.seen import greys
from tests.browser.test_chapter_divergence import opened as opened_lesson
from tests.browser.test_latent_map import nearby
from tests.browser.test_latent_map import opened as opened_map
from tests.browser.test_live import DEEP, FLAT, drawn, open_pad
from vae import data
from vae.models import pretrained

MINUS = "−"
# The moments at which the live region got another text, and the texts.
LISTEN = """() => {
  window.heard = [];
  new MutationObserver(() => {
    const said = document.getElementById("said")?.textContent;
    if (said && said !== window.heard.at(-1)?.[1]) window.heard.push([performance.now(), said]);
  }).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""


def tree(page: Page) -> list[tuple[str, str, str]]:
    """Role, name and spoken value of everything that Chromium tells a screen reader of."""
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    return [
        (node["role"]["value"], node.get("name", {}).get("value", ""), str(node.get("value", {}).get("value", "")))
        for node in nodes
        if not node["ignored"]
    ]


def told(page: Page) -> object:
    return page.locator("#said")


def names(page: Page, role: str) -> list[str]:
    return [name for one, name, _ in tree(page) if one == role]


def test_explores_plane_says_where_z_is_and_how_usual_that_is(visitor):
    someone = visitor()
    page = someone.opens(f"/?model={FLAT}&z=0.3,-0.7")
    someone.is_live()
    assert any(name.startswith("Latent plane, z0 across and z1 up") for name in names(page, "application"))
    plane = page.get_by_test_id("plane")
    plane.focus()
    expect(told(page)).to_have_text("z0 0.30, z1 −0.70")
    page.keyboard.press("ArrowRight")
    verdict = page.get_by_test_id("verdict")
    expect(told(page)).to_have_text(f"z0 0.35, z1 −0.70: {verdict.text_content()}")
    box = plane.bounding_box()
    plane.click(position={"x": 0.02 * box["width"], "y": 0.02 * box["height"]})
    far = "Further out than it ever draws by itself"
    expect(verdict).to_have_text(far)  # so z is read once the click was answered
    z = drawn(page)
    expect(told(page)).to_have_text(f"z0 {z[0]:.2f}, z1 {z[1]:.2f}: {far}".replace("-", MINUS))


def test_a_random_picture_is_judged_by_its_own_numbers_and_not_by_the_ones_before(visitor):
    someone = visitor()
    page = someone.opens(f"/?model={FLAT}&z=5,5")
    someone.is_live()
    expect(page.get_by_test_id("verdict")).to_have_text("Further out than it ever draws by itself")
    page.get_by_role("button", name="The middle").click()
    expect(told(page)).to_have_text("z0 0.00, z1 0.00: More ordinary than its random pictures")


def test_the_plane_of_components_says_which_they_are(visitor):
    someone = visitor()
    page = someone.opens(f"/?model={DEEP}")
    someone.is_live()
    page.get_by_role("button", name="Plane").click()
    page.get_by_role("button", name="Principal components").click()
    page.get_by_test_id("plane").focus()
    expect(told(page)).to_have_text(re.compile(r"^component 1 −?\d\.\d\d, component 2 −?\d\.\d\d$"))


def test_keys_that_come_fast_are_said_once_a_second_and_the_last_of_them(visitor):
    someone = visitor()
    page = someone.opens(f"/?model={FLAT}&z=0,0")
    someone.is_live()
    page.evaluate(LISTEN)
    page.get_by_test_id("plane").focus()
    for _ in range(40):
        page.keyboard.press("ArrowUp")
        page.wait_for_timeout(50)
    expect(told(page)).to_contain_text("z1 2.00: ")
    moments = [moment for moment, _ in page.evaluate("window.heard")]
    assert len(moments) >= 3
    assert min(later - moment for moment, later in pairwise(moments)) > 980


def test_the_handles_of_the_lesson_on_kl_are_sliders_and_what_they_change_is_said(visitor):
    page = opened_lesson(visitor, "&p=0,1&q=1,1")
    sliders = {name: value for role, name, value in tree(page) if role == "slider"}
    ends = {"mean of p": "0", "standard deviation of p": "1", "mean of q": "1", "standard deviation of q": "1"}
    assert sliders == ends
    page.get_by_test_id("q0-mean").focus()
    page.keyboard.press("PageUp")
    p, q = Normal(torch.tensor(0.0), 1.0), Normal(torch.tensor(1.5), 1.0)
    expected = [f"{float(kl_divergence(*pair)):.3f}" for pair in ((p, q), (q, p))]
    expect(told(page)).to_have_text(f"KL from p to q {expected[0]} nats, from q to p {expected[1]} nats")
    page.get_by_test_id("least-pq").click()
    expect(told(page)).to_have_text("KL from p to q 0.000 nats, from q to p 0.000 nats")


def test_the_pad_says_where_the_pen_is_and_what_comes_back_of_the_drawing(visitor):
    someone = visitor()
    page = open_pad(someone, DEEP)
    assert any(name.startswith("Drawing pad: ") for name in names(page, "application"))
    pad = page.get_by_test_id("pad")
    pad.focus()
    page.keyboard.press("ArrowLeft")
    expect(told(page)).to_have_text("Pen up, 48 % from the left, 25 % from the top")
    page.keyboard.press("Space")
    expect(told(page)).to_have_text("Pen down, 48 % from the left, 25 % from the top")
    for _ in range(25):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(told(page)).to_have_text(re.compile(r"^Pen up\. \d+ % of the ink as in the drawing$"))
    bits, mean = (greys(page, testid) / 255 for testid in ("x", "decoded"))
    share = np.minimum(bits, mean).sum() / np.maximum(bits, mean).sum()
    assert int(re.search(r"\d+", told(page).text_content())[0]) == pytest.approx(100 * share, abs=0.6)
    page.get_by_role("button", name="Clear").click()
    expect(told(page)).to_have_text(re.compile("nothing|empty|blank"))


@pytest.mark.parametrize("name", [FLAT, DEEP])
def test_the_map_says_where_z_is_and_of_which_classes_the_nearest_pictures_are(visitor, name):
    page = opened_map(visitor, name)
    assert any(one.startswith("Latent map: ") for one in names(page, "application"))
    page.get_by_test_id("map").focus()
    before = page.get_by_test_id("decoded").get_attribute("data-z")
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("before => new URL(location).searchParams.get('z') !== before", arg=before)
    dataset = data.DATASETS[pretrained.load_card(name)["data"]["name"]]
    labels = data.load(dataset.name, "test").labels
    indices = nearby(name, torch.tensor(drawn(page)))[2][0].tolist()
    classes = [dataset.class_names[labels[index]] for index in indices]
    expect(told(page)).to_have_text(re.compile(rf": (Many|Few|Hardly).* here; nearest: {', '.join(classes[:3])}$"))
    if name == FLAT:
        where = ", ".join(f"z{axis} {value:.2f}" for axis, value in enumerate(drawn(page)))
        expect(told(page)).to_contain_text(where.replace("-", MINUS))
    buttons = [one for one in names(page, "button") if "test picture" in one]
    assert [one.split(":")[0] for one in buttons] == classes
