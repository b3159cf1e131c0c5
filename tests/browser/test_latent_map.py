"""The latent map in a real Chromium: points, the picture under the pointer, pins, lassos and directions."""

import io
import re

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from playwright.sync_api import Locator, Page, expect

import vae
from tests.browser.seen import changes, seen
from tests.browser.test_touch import SCROLLED, swipe
from tests.registry import VECTORS
from vae import data, latent
from vae.evaluate.bounds import ELBO_SAMPLES
from vae.latent.encodings import Company, Near, near
from vae.models import pretrained
from vae.pictures import prepare

NAMES = VECTORS
FLAT = next(name for name in NAMES if pretrained.load_card(name)["latents"] == 2)
DEEP = next(name for name in NAMES if pretrained.load_card(name)["latents"] > 2)
# Plotly's own account of the map
CHART = "[...document.querySelectorAll('*')].map(e => e.shadowRoot?.querySelector('.chart')).find(Boolean)"
LAYOUT = f"{CHART}._fullLayout"

STANDARD = torch.distributions.Normal(0.0, 1.0)
DRAWN = "e => [e.width, ...e.getContext('2d').getImageData(0, 0, e.width, e.height).data]"


def nearby(name: str, z: torch.Tensor) -> Near:
    """What is near a place, by the library."""
    pictures = data.load(pretrained.load_card(name)["data"]["name"], "test").images
    return near(Company(*pretrained.load_encodings(name), pictures), z[None])


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


def linked(page: Page, parameter: str = "z") -> str:
    return page.evaluate("name => new URL(location).searchParams.get(name)", parameter)


def drag(page: Page, corners: list[tuple[float, float]]) -> None:
    """The mouse goes down at the first corner of the map and up at the last."""
    page.mouse.move(*spot(page, *corners[0]))
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*spot(page, *corner), steps=4)
    page.mouse.up()


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


def said(page: Page, testid: str) -> float:
    return float(page.get_by_test_id(testid).text_content().replace("−", "-"))


def encoded_again(name: str, z: torch.Tensor) -> float:
    """How far a picture drawn at z is encoded from z, in that posterior's sigma: root mean square over the latents."""
    model = vae.load_pretrained(name, "cpu")
    noise = torch.rand(model.input_spec.shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        q = model.encode((noise < model.decode(z[None]).mean).float())
        return float(((q.mean - z) / q.stddev).square().mean().sqrt())


@pytest.mark.parametrize(("name", "query"), [(FLAT, "&z=0.5,-0.25"), (FLAT, "&z=-3.5,4"), (DEEP, "")])
def test_what_is_read_is_true_of_the_place(visitor, name, query):
    page = opened(visitor, name, query)
    mu, sigma = pretrained.load_encodings(name)
    z = torch.tensor(place(page))
    others = (mu - z).abs().amax(1) > 3e-3  # a picture at whose own place z is does not count
    parts = torch.distributions.Normal(mu[others], sigma[others]).log_prob(z).sum(1)
    expected = float(parts.logsumexp(0) - torch.tensor(len(parts)).log())
    expect(page.get_by_test_id("read-density")).to_have_text(f"{expected:.1f}".replace("-", "−"))
    pictures = data.load(pretrained.load_card(name)["data"]["name"], "test").images
    _, (distances,), (nearest,) = nearby(name, z)
    expect(page.get_by_test_id("near-0")).to_have_attribute("data-index", str(int(nearest[0])))
    for i in (0, 7):
        button = page.get_by_test_id(f"near-{i}")
        assert button.locator("span").text_content() == f"{distances[i]:.2f}"
        values = button.locator("canvas").evaluate(DRAWN)[1:]
        assert torch.equal(torch.tensor(values[::4]), pictures[nearest[i]].flatten().long())
    assert said(page, "read-drift") == pytest.approx(encoded_again(name, z), abs=0.06)


def plane(name: str) -> torch.Tensor:
    """The directions of a model's first view, but for their signs: its two latents, or numpy's principal ones."""
    mu = pretrained.load_encodings(name)[0]
    if mu.shape[1] == 2:
        return torch.eye(2)
    return torch.from_numpy(np.linalg.svd((mu - mu.mean(0)).numpy(), full_matrices=False)[2][:2])


def signs(page: Page, name: str) -> torch.Tensor:
    """Those of the directions, as a point of the page shows them."""
    row, *drawn = page.evaluate(f"(({{ customdata, x, y }}) => [customdata[0], x[0], y[0]])({CHART}.data.at(-1))")
    return (plane(name) @ pretrained.load_encodings(name)[0][row] * torch.tensor(drawn)).sign()


def points(page: Page, name: str) -> torch.Tensor:
    """Where the test pictures' points are drawn on the page, in its pixels."""
    box = page.get_by_test_id("map").bounding_box()
    axes = "({ xaxis, yaxis }) => [xaxis, yaxis].map(axis => [axis._offset, ...axis.range, axis._length])"
    (left, a, b, width), (top, low, high, height) = page.evaluate(f"({axes})({LAYOUT})")
    across, up = (pretrained.load_encodings(name)[0] @ plane(name).T * signs(page, name)).T
    x = box["x"] + left + (across - a) / (b - a) * width
    return torch.stack([x, box["y"] + top + (high - up) / (high - low) * height], 1)


def on_the_map(page: Page, spot: list[float]) -> bool:
    """Whether the mouse would meet the map there."""
    met = "([x, y]) => document.elementFromPoint(x, y).shadowRoot?.elementFromPoint(x, y)"
    return page.evaluate(f"at => (({met})(at))?.closest('[data-testid=map]') !== null", spot)


def grey(page: Page, testid: str) -> torch.Tensor:
    """A canvas's grey values."""
    width, *values = page.get_by_test_id(testid).evaluate(DRAWN)
    return torch.tensor(values).view(-1, width, 4)[..., 0]


@pytest.mark.parametrize("name", [FLAT, DEEP])
def test_the_picture_of_the_nearest_point_appears_where_one_is_within_reach_and_only_there(visitor, name):
    page = opened(visitor, name)
    at, pictures = points(page, name), data.load(pretrained.load_card(name)["data"]["name"], "test").images
    thumbnail = page.get_by_test_id("hovered")
    generator, met = torch.Generator().manual_seed(3), {True: 0, False: 0}
    for shift in [(1, 2)] * 8 + [(40, 40)] * 8 + [(-90, 110)] * 8:
        mouse = at[int(torch.randint(len(at), (1,), generator=generator))].round() + torch.tensor(shift)
        distances = (at - mouse).norm(dim=1)
        if abs(distances.min() - 5) < 0.1 or not on_the_map(page, mouse.tolist()):
            continue
        met[bool(distances.min() < 5)] += 1
        page.mouse.move(*mouse.tolist())
        if distances.min() > 5:
            page.wait_for_timeout(100)
            expect(thumbnail).to_be_hidden()
            continue
        nearest = (distances < distances.min() + 0.02).nonzero()[:, 0].tolist()  # but for rounding
        expect(thumbnail).to_have_attribute("data-index", re.compile(f"^({'|'.join(map(str, nearest))})$"))
        expect(thumbnail).to_be_visible()
        shown = int(thumbnail.get_attribute("data-index"))
        assert torch.equal(grey(page, "hovered"), pictures[shown, 0].long())
    assert min(met.values()) > 1


def test_a_click_pins_a_place_that_the_link_and_explore_know(visitor):
    page = opened(visitor, FLAT)
    before = linked(page)
    page.mouse.click(*spot(page, 0.12, 0.85))  # where no picture lies
    page.wait_for_function("z => new URL(location).searchParams.get('z') !== z", arg=before)
    pinned = linked(page)
    page.get_by_role("link", name="Explore").click()
    page.get_by_test_id("readouts").wait_for(state="attached")
    expect(page.get_by_test_id("decoded")).to_have_attribute("data-z", pinned)


def test_where_a_sheet_of_pictures_cannot_be_had_none_is_shown_and_the_next_hand_tries_again(visitor):
    someone = visitor()
    page = someone.page
    page.route("**/pictures/**", lambda route: route.fulfill(status=200, content_type="image/png", body="no picture"))
    page.goto(f"{someone.server}/latent_map?model={FLAT}&z=0,0")
    near = page.get_by_test_id("near-0")
    expect(near).to_have_attribute("data-index", re.compile(r"\d+"))
    painted = "e => e.querySelector('canvas').getContext('2d').getImageData(0, 0, 28, 28).data.some(Boolean)"
    page.wait_for_timeout(500)
    assert not near.evaluate(painted)
    page.unroute("**/pictures/**")
    page.get_by_test_id("map").press("ArrowRight")
    page.wait_for_function(f"""() => {{
      const roots = [...document.querySelectorAll("*")].map((e) => e.shadowRoot).filter(Boolean);
      const near = roots.map((root) => root.querySelector("[data-testid=near-0]")).find(Boolean);
      return ({painted})(near);
    }}""")


def test_a_nearest_picture_that_is_clicked_becomes_the_input(visitor):
    page = opened(visitor, FLAT, "&z=0.5,-0.25")
    index = page.get_by_test_id("near-0").get_attribute("data-index")
    page.get_by_test_id("near-0").click()
    page.wait_for_function("x => new URL(location).searchParams.get('x') === x", arg=f"i{index}")
    mu = pretrained.load_encodings(FLAT)[0][int(index)]
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


def test_enter_makes_the_nearest_picture_the_input(visitor):
    page = opened(visitor, FLAT, "&z=0.5,-0.25")
    index = page.get_by_test_id("near-0").get_attribute("data-index")
    page.get_by_test_id("map").press("Enter")
    page.wait_for_function("x => new URL(location).searchParams.get('x') === x", arg=f"i{index}")


def test_a_tap_on_a_phone_pins_a_place(visitor):
    page = opened(visitor, FLAT, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    before, shown = linked(page), seen(page)
    page.get_by_test_id("map").evaluate("e => e.scrollIntoView({ block: 'end' })")
    page.touchscreen.tap(*spot(page, 0.6, 0.6))
    page.wait_for_function("z => new URL(location).searchParams.get('z') !== z", arg=before)
    changes(page, shown)
    box = page.get_by_test_id("decoded").bounding_box()  # what is drawn there is seen beside the map
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= 844


def ranges(page: Page) -> list[float]:
    """From where to where the axes go, once they have come to rest."""
    return page.evaluate(f"(({{ xaxis, yaxis }}) => [...xaxis.range, ...yaxis.range])({LAYOUT})")


def zoomed(page: Page) -> list[float]:
    """The ranges after a turn of the wheel on the middle of the map, at rest."""
    whole = ranges(page)
    page.mouse.move(*spot(page, 0.5, 0.5))
    page.mouse.wheel(0, -400)
    page.wait_for_function(f"left => {LAYOUT}.xaxis.range[0] > left", arg=whole[0])
    page.wait_for_timeout(500)  # Plotly waits whether the wheel turns on, then draws
    return ranges(page)


def test_plus_and_minus_zoom_around_the_pin(visitor):
    page = opened(visitor, FLAT, "&z=0.5,-0.25")
    before = ranges(page)
    page.get_by_test_id("map").press("+")
    page.wait_for_timeout(300)
    closer = [pin + (end - pin) / 1.25 for pin, end in zip((0.5, 0.5, -0.25, -0.25), before, strict=True)]
    assert ranges(page) == pytest.approx(closer, abs=1e-4)
    page.get_by_test_id("map").press("-")
    page.wait_for_timeout(300)
    assert ranges(page) == pytest.approx(before, abs=1e-4)


def test_two_fingers_zoom_the_map_where_they_are_and_pin_nothing(visitor):
    page = opened(visitor, FLAT, "&z=0.5,-0.25", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    touch, before = page.context.new_cdp_session(page), ranges(page)
    x, y = spot(page, 0.5, 0.5)

    def fingers(kind: str, *apart: float) -> None:
        points = [{"x": x + side * by / 2, "y": y, "id": i} for by in apart for i, side in enumerate((-1, 1))]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    one = [{"x": x - 20, "y": y, "id": 0}]
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": one})
    fingers("touchStart", 40)
    for apart in (50, 60, 70, 80):
        fingers("touchMove", apart)
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": one})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_timeout(800)
    after = ranges(page)
    for low, high, close, far in ((*before[:2], *after[:2]), (*before[2:], *after[2:])):
        assert far - close == pytest.approx((high - low) / 2, rel=0.02)
        assert low < close < far < high
    expect(page.get_by_test_id("decoded")).to_have_attribute("data-z", "0.5,-0.25")
    assert linked(page) == "0.5,-0.25"


def test_zoom_survives_moving_the_pin_and_choosing_another_picture(visitor):
    page = opened(visitor, FLAT, "&z=0.5,-0.25")
    before = zoomed(page)
    page.get_by_test_id("map").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("new URL(location).searchParams.get('z') === '0.55,-0.25'")
    assert ranges(page) == pytest.approx(before)
    page.get_by_test_id("near-1").click()
    page.wait_for_function("new URL(location).searchParams.get('z') !== '0.55,-0.25'")
    page.wait_for_timeout(500)
    assert ranges(page) == pytest.approx(before)


def test_zoom_and_pan_survive_other_layers_and_colours_until_the_whole_map_is_asked_for(visitor):
    page = opened(visitor, FLAT)
    whole = ranges(page)
    zoomed(page)
    drag(page, [(0.5, 0.5), (0.7, 0.4)])
    page.wait_for_timeout(500)
    before = ranges(page)
    page.get_by_role("button", name="Decoded").click()
    expect(page.get_by_test_id("map")).to_have_attribute("data-tiles", "400")
    for switch in (
        lambda: page.get_by_role("button", name="Density").click(),
        lambda: page.get_by_label("Colour by").select_option("kl"),
        lambda: page.get_by_label("Colour by").select_option("class"),
        lambda: page.get_by_role("button", name="Decoded").click(),
    ):
        switch()
        page.wait_for_timeout(200)
        assert ranges(page) == pytest.approx(before)
    page.get_by_role("button", name="Whole map").click()
    page.wait_for_timeout(200)
    assert ranges(page) == pytest.approx(whole)


def test_zoom_colours_and_layers_are_as_they_were_after_another_page_and_another_projection(visitor):
    page = opened(visitor, DEEP)
    whole = ranges(page)
    before = zoomed(page)
    page.get_by_label("Colour by").select_option("elbo")
    page.get_by_role("button", name="Density").click()
    page.get_by_role("radio", name="Two latents").click()
    page.wait_for_function(f"{LAYOUT}.xaxis.title.text.startsWith('z')")
    other = zoomed(page)
    page.get_by_role("radio", name="Principal components").click()
    page.wait_for_function(f"{LAYOUT}.xaxis.title.text.startsWith('first')")
    assert ranges(page) == pytest.approx(before)
    page.get_by_role("link", name="Reconstruct").click()
    page.get_by_text("Compare with another network").wait_for()
    expect(page.get_by_test_id("map")).to_have_count(0)
    page.get_by_role("link", name="Latent map").click()
    page.locator("[data-testid=map][data-points='10000']").wait_for()
    assert ranges(page) == pytest.approx(before)
    expect(page.get_by_label("Colour by")).to_have_value("elbo")
    expect(page.get_by_role("button", name="Density")).to_have_attribute("aria-pressed", "false")
    page.get_by_role("radio", name="Two latents").click()
    page.wait_for_function(f"{LAYOUT}.xaxis.title.text.startsWith('z')")
    assert ranges(page) == pytest.approx(other)
    page.get_by_role("radio", name="Principal components").click()
    page.wait_for_function(f"{LAYOUT}.xaxis.title.text.startsWith('first')")
    page.get_by_role("button", name="Whole map").click()
    page.wait_for_timeout(200)
    assert ranges(page) == pytest.approx(whole)


def test_the_whole_map_stays_in_a_window_of_another_size(visitor):
    page = opened(visitor, FLAT)

    def square() -> list[float]:
        """The middle of the map, and the side of the square around it that is seen."""
        left, right, low, high = ranges(page)
        return [(left + right) / 2, (low + high) / 2, min(right - left, high - low)]

    before = square()
    for width in (390, 1400):
        page.set_viewport_size({"width": width, "height": 1000})
        page.wait_for_function(f"width => {LAYOUT}.width < 400 === width < 400", arg=width)
        page.wait_for_timeout(300)
        assert square() == pytest.approx(before, abs=1e-6)


def test_equal_distances_are_equally_long_on_both_axes(visitor):
    page = opened(visitor, FLAT)
    scales = f"(({{ xaxis, yaxis }}) => [xaxis.d2p(1) - xaxis.d2p(0), yaxis.d2p(0) - yaxis.d2p(1)])({LAYOUT})"
    across, up = page.evaluate(scales)
    assert across == pytest.approx(up, rel=1e-3)


def test_the_decoded_manifold_is_drawn_on_demand(visitor):
    page = opened(visitor, FLAT)
    page.get_by_role("button", name="Decoded").click()
    expect(page.get_by_test_id("map")).to_have_attribute("data-tiles", "400")


def marks(page: Page) -> list[dict]:
    """The labels of the pictures marked on the map, and the boxes of their ellipses in its coordinates."""
    return page.evaluate(f"""(({{ xaxis, yaxis }}) => {CHART}.getRootNode().querySelectorAll('[data-testid=mark]')
        .values().map(mark => {{
            const {{ x, y, width, height }} = mark.querySelector('polygon').getBBox();
            return {{
                label: mark.textContent,
                across: [xaxis.p2d(x), xaxis.p2d(x + width)],
                up: [yaxis.p2d(y + height), yaxis.p2d(y)],
            }};
        }}).toArray())({LAYOUT})""")


def test_the_input_is_marked_with_its_posterior_at_true_scale_and_stays_so_when_zoomed(visitor):
    page = opened(visitor, FLAT, "&x=i7")
    mu, sigma = (tensor[7] for tensor in pretrained.load_encodings(FLAT))
    for _ in range(2):
        (mark,) = marks(page)
        assert mark["label"] == "x"
        found = torch.tensor([mark["across"], mark["up"]])
        torch.testing.assert_close(found.mean(1), mu, atol=2e-3, rtol=0)
        torch.testing.assert_close(found.diff(dim=1)[:, 0] / 2, sigma, atol=2e-3, rtol=0.02)
        zoomed(page)


def test_names_of_pictures_that_lie_close_do_not_cover_each_other(visitor):
    page = visitor(viewport={"width": 1400, "height": 1000}).opens(f"/reconstruct?model={FLAT}")
    page.get_by_role("radio", name="Upload").click()
    upload(page, one(9))
    expect(page.get_by_text("your picture, prepared")).to_be_visible()
    page.get_by_role("link", name="Interpolate").click()
    page.get_by_test_id("end-B").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Upload", exact=True).click()
    upload(page, one(12))
    dialog.get_by_role("button", name="Use as B").click()
    expect(page.get_by_role("button", name="B: your picture")).to_be_visible()
    page.get_by_role("link", name="Latent map").click()
    page.locator("[data-testid=map][data-points='10000']").wait_for()
    names = [page.get_by_text(name, exact=True) for name in ("x, your picture", "your picture")]
    for name in names:
        expect(name).to_be_visible()
    first, second = (name.bounding_box() for name in names)
    assert abs(first["x"] - second["x"]) < 100  # they would
    assert abs(first["y"] - second["y"]) >= 15


def test_where_nothing_can_be_decoded_only_the_picture_of_the_point_appears(visitor):
    page = opened(visitor, DEEP)
    page.get_by_role("radio", name="t-SNE").click()
    page.locator("[data-testid=map][data-points='2000']").wait_for(timeout=120_000)
    first = "({ xaxis, yaxis }, { x, y }) => [xaxis._offset + xaxis.d2p(x[0]), yaxis._offset + yaxis.d2p(y[0])]"
    across, down = page.evaluate(f"({first})({LAYOUT}, {CHART}.data.at(-1))")
    box = page.get_by_test_id("map").bounding_box()
    page.mouse.move(box["x"] + across, box["y"] + down)
    expect(page.get_by_test_id("hovered")).to_be_visible()
    expect(page.get_by_test_id("floated")).to_be_hidden()


@pytest.mark.parametrize("row", [7, 123])
def test_under_principal_components_the_ellipse_is_the_projected_covariance(visitor, row):
    page = opened(visitor, DEEP, f"&x=i{row}")
    polygon = f"{CHART}.getRootNode().querySelector('[data-testid=mark] polygon').points"
    places = f"({{ xaxis, yaxis }}) => Array.from({polygon}, ({{ x, y }}) => [xaxis.p2d(x), yaxis.p2d(y)])"
    outline = torch.tensor(page.evaluate(f"({places})({LAYOUT})"))
    mu, sigma = (tensor[row] for tensor in pretrained.load_encodings(DEEP))
    directions = plane(DEEP) * signs(page, DEEP)[:, None]
    torch.testing.assert_close(outline.mean(0), directions @ mu, atol=3e-3, rtol=0)
    # evenly spaced on a circle before it was mapped there, so that twice their covariance is the posterior's
    found = 2 * torch.cov(outline.T, correction=0)
    torch.testing.assert_close(found, directions @ sigma.square().diag() @ directions.T, atol=2e-4, rtol=0.02)


def one(pen: int = 9) -> bytes:
    """A one in dark ink on light paper."""
    paper, file = Image.new("L", (99, 99), 255), io.BytesIO()
    ImageDraw.Draw(paper).line([(50, 15), (50, 85)], 0, pen)
    paper.save(file, "PNG")
    return file.getvalue()


def upload(page: Page, content: bytes) -> None:
    uploader = page.get_by_test_id("stFileUploader").locator("visible=true")
    uploader.locator("input[type=file]").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": content})


@pytest.mark.parametrize("name", [FLAT, DEEP])
def test_the_neighbours_of_an_upload_are_those_of_its_encoding(visitor, name):
    page = visitor(viewport={"width": 1400, "height": 1000}).opens(f"/reconstruct?model={name}")
    page.get_by_role("radio", name="Upload").click()
    upload(page, one())
    expect(page.get_by_text("your picture, prepared")).to_be_visible()
    page.get_by_role("link", name="Latent map").click()
    expect(page.get_by_text("x, your picture", exact=True)).to_be_visible()
    expect(page.get_by_test_id("near-0")).to_have_attribute("data-index", re.compile(r"\d+"))
    spec = vae.load_pretrained(name).input_spec
    bits = data.binarise(prepare(one(), spec).picture, torch.Generator().manual_seed(data.BINARISATION_SEED))
    z = vae.load_pretrained(name).encode(bits).mean[0].detach()
    assert place(page) == pytest.approx(z.tolist(), abs=2e-3)
    _, (distances,), (nearest,) = nearby(name, z)
    titles = [page.get_by_test_id(f"near-{i}").get_attribute("title") for i in range(8)]
    dataset = data.DATASETS[pretrained.load_card(name)["data"]["name"]]
    word = dataset.class_names[data.load(dataset.name, "test").labels[nearest[0]]]
    assert titles[0].startswith(f"{word}: test picture {nearest[0]}, {distances[0]:.2f} away")
    found = [float(title.split(", ")[1].split()[0]) for title in titles]
    assert found == pytest.approx(distances.tolist(), abs=0.0101)


def test_what_was_uploaded_and_drawn_on_interpolate_is_marked_on_the_map(visitor):
    page = visitor(viewport={"width": 1400, "height": 1000}).opens(f"/interpolate?model={DEEP}")
    dialog = page.get_by_role("dialog")
    page.get_by_test_id("end-A").click()
    dialog.get_by_text("Upload", exact=True).click()
    upload(page, one())
    dialog.get_by_role("button", name="Use as A").click()
    expect(page.get_by_role("button", name="A: your picture; choose another")).to_be_visible()
    page.get_by_test_id("end-B").click()
    dialog.get_by_text("Draw", exact=True).click()
    box = dialog.get_by_test_id("pad").bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.8 * box["height"], steps=6)
    page.mouse.up()
    dialog.get_by_role("button", name="Use as B").click()
    expect(page.get_by_role("button", name="B: your drawing; choose another")).to_be_visible()
    page.get_by_role("link", name="Latent map").click()
    page.locator("[data-testid=map][data-points='10000']").wait_for()
    expect(page.get_by_text("your drawing", exact=True)).to_be_visible()
    assert sorted(mark["label"] for mark in marks(page)) == ["x", "your drawing", "your picture"]


@pytest.mark.parametrize("name", [FLAT, DEEP])
def test_an_own_picture_stays_marked_when_another_becomes_the_input(visitor, name):
    page = visitor(viewport={"width": 1400, "height": 1000}).opens(f"/reconstruct?model={name}")
    page.get_by_role("radio", name="Upload").click()
    upload(page, one())
    expect(page.get_by_text("your picture, prepared")).to_be_visible()
    page.get_by_role("link", name="Latent map").click()
    mine = page.get_by_text("x, your picture", exact=True)
    expect(mine).to_be_visible()
    page.get_by_test_id("near-0").click()
    expect(page.get_by_text("your picture", exact=True)).to_be_visible()
    assert sorted(mark["label"] for mark in marks(page)) == ["x", "your picture"]


@pytest.mark.parametrize("name", [FLAT, DEEP])
def test_two_classes_make_a_direction_and_its_slider_moves_the_picture(visitor, name):
    page = opened(visitor, name)
    classes = data.DATASETS[pretrained.load_card(name)["data"]["name"]].class_names
    page.get_by_text("Numbers of all pictures").hover()  # it scrolls; a list that is open would close
    page.get_by_label("Group A").click()
    page.get_by_role("option", name=classes[1], exact=True).click()
    slider = page.get_by_test_id("direction")
    expect(slider).to_be_visible()
    expect(page.get_by_text("Cohen's d")).to_be_visible()
    expect(page.get_by_test_id("direction-value")).to_have_text("0.00 ×")
    before, z = seen(page), place(page)
    slider.focus()
    page.keyboard.press("End")
    changes(page, before)
    expect(page.get_by_test_id("direction-value")).to_have_text("+2.00 ×")
    labels = data.load(pretrained.load_card(name)["data"]["name"], "test").labels
    a, b = ((labels == 1).nonzero()[:, 0], (labels != 1).nonzero()[:, 0])
    direction = latent.attribute(pretrained.load_encodings(name)[0], a, b).direction
    assert place(page) == pytest.approx([at + 2 * by for at, by in zip(z, direction.tolist(), strict=True)], abs=2e-3)


def lassoed(page: Page, left: float = 0.4) -> Locator:
    """The button that keeps as group A what was lassoed: a square of the map from `left` on."""
    page.get_by_role("button", name="Lasso").click()
    right = left + 0.2
    drag(page, [(left, 0.3), (right, 0.3), (right, 0.5), (left, 0.5), (left, 0.32)])
    return page.get_by_role("button", name=re.compile(r"^\d+ as A$"))


def test_a_lasso_becomes_a_group_and_the_next_one_takes_its_place(visitor):
    page = opened(visitor, FLAT)
    for left in (0.4, 0.3):
        keep = lassoed(page, left)
        count = int(keep.text_content().split()[0])
        assert 50 < count < 9000
        keep.click()
        expect(page.get_by_label("Group A")).to_have_value(f"selection A ({count})")
        expect(page.get_by_text("Cohen's d")).to_be_visible()
        expect(page.get_by_test_id("direction")).to_be_visible()


def ringed(page: Page) -> dict[str, list[list[float]]]:
    """Where the points are that are marked as A and as B."""
    of = "({ name, x, y }) => [name, Array.from(x, (across, i) => [across, y[i]])]"
    return dict(page.evaluate(f"{CHART}.data.filter(({{ uid }}) => uid?.startsWith('group')).map({of})"))


def test_a_box_becomes_a_group_whose_points_stay_marked_on_every_view(visitor):
    page = opened(visitor, DEEP)
    at, box = points(page, DEEP), page.get_by_test_id("map").bounding_box()
    page.get_by_role("button", name="Box").click()
    drag(page, [(0.35, 0.3), (0.5, 0.6)])
    page.get_by_role("button", name=re.compile(r"^\d+ as B$")).click()
    expect(page.get_by_label("Group B")).to_have_value(re.compile("selection B"))
    share = (at - torch.tensor([box["x"], box["y"]])) / torch.tensor([box["width"], box["height"]])
    inside = ((share > torch.tensor([0.35, 0.3])) & (share < torch.tensor([0.5, 0.6]))).all(1)
    page.wait_for_function(f"{CHART}.data.some(trace => trace.uid === 'groupB')")
    (marked,) = ringed(page).values()
    assert len(marked) == pytest.approx(int(inside.sum()), abs=12)  # but for those under the box's edge
    page.get_by_label("Colour by").select_option("kl")
    assert ringed(page) == {"B": marked}
    page.get_by_role("radio", name="Two latents").click()
    page.wait_for_function(f"x => {CHART}.data.at(-1).x.length === {len(marked)} && {CHART}.data.at(-1).x[0] !== x",
                           arg=marked[0][0])  # fmt: skip
    first = int(inside.nonzero()[0])
    kl = pretrained.load_card(DEEP)["numbers"]["kl_per_dimension"]
    axes = sorted(range(len(kl)), key=lambda dimension: -kl[dimension])[:2]
    expected = pretrained.load_encodings(DEEP)[0][first, axes].tolist()
    assert min(sum((a - b) ** 2 for a, b in zip(one, expected, strict=True)) for one in ringed(page)["B"]) < 1e-8
    expect(page.get_by_test_id("letter")).to_have_text("B")


def test_what_has_the_keyboards_focus_keeps_it(visitor):
    page = opened(visitor, FLAT)
    for button in (page.get_by_role("button", name="Density"), page.get_by_role("button", name="Box")):
        button.focus()
        for _ in range(2):
            page.keyboard.press("Space")
            expect(button).to_be_focused()
    colour = page.get_by_label("Colour by")
    colour.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-testid=map]")).to_be_visible()
    expect(colour).to_be_focused()


def test_by_keyboard_the_points_around_the_pin_become_the_groups(visitor):
    page = opened(visitor, FLAT, "&z=0,2.5")
    page.get_by_test_id("map").focus()
    page.keyboard.press("a")
    expect(page.get_by_label("Group A")).to_have_value("selection A (200)")
    page.get_by_test_id("map").focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("b")
    expect(page.get_by_label("Group B")).to_have_value("selection B (200)")
    expect(page.get_by_text("Cohen's d")).to_be_visible()
    page.wait_for_function(f"{CHART}.data.filter(({{ uid }}) => uid?.startsWith('group')).length === 2")
    mu = pretrained.load_encodings(FLAT)[0]
    for group, z in (("A", [0.0, 2.5]), ("B", [0.0, 2.35])):
        nearest = (mu - torch.tensor(z)).norm(dim=1).argsort()[:200].sort().values
        torch.testing.assert_close(torch.tensor(ringed(page)[group]), mu[nearest], atol=1e-4, rtol=0)


@pytest.mark.parametrize("pause", [0, 10, 30, 60])  # ms: before the page knows of the group
def test_what_is_done_right_after_keeping_a_group_does_not_undo_it(visitor, pause):
    page = opened(visitor, FLAT, "&z=0,2.5")
    page.get_by_test_id("map").focus()
    page.keyboard.press("a")
    expect(page.get_by_label("Group A")).to_have_value("selection A (200)")
    page.get_by_test_id("map").focus()
    page.keyboard.press("b")
    page.wait_for_timeout(pause)
    page.keyboard.press("Enter")
    nearest = int(nearby(FLAT, torch.tensor([0.0, 2.5])).indices[0, 0])
    page.wait_for_function("x => new URL(location).searchParams.get('x') === x", arg=f"i{nearest}")
    expect(page.get_by_label("Group B")).to_have_value("selection B (200)")
    page.wait_for_function(f"{CHART}.data.filter(({{ uid }}) => uid?.startsWith('group')).length === 2")


def test_a_lasso_of_one_view_is_not_kept_on_another(visitor):
    page = opened(visitor, DEEP)
    expect(lassoed(page)).to_be_visible()
    page.get_by_role("radio", name="Two latents").click()
    expect(page.get_by_role("button", name=re.compile(r"^\d+ as A$"))).to_have_count(0)


def shown(page: Page, name: str = FLAT) -> torch.Tensor:
    """The classes of the points that are drawn, in the order of drawing."""
    rows = page.evaluate(f"{CHART}.data.find(trace => trace.customdata).customdata")
    return dataset(name).labels[rows]


def dataset(name: str):
    return data.load(pretrained.load_card(name)["data"]["name"], "test")


def test_a_class_clicked_in_the_legend_is_hidden_on_every_layer_and_the_pin_stays(visitor):
    page = opened(visitor, FLAT)
    before = linked(page)
    legend = page.get_by_role("group", name="What the colours mean")
    legend.get_by_role("button").first.click()
    expect(legend.get_by_role("button").first).to_have_attribute("aria-pressed", "false")
    assert shown(page).unique().tolist() == list(range(1, 10))
    page.get_by_role("button", name="Density").click()
    assert shown(page).unique().tolist() == list(range(1, 10))
    page.get_by_label("Colour by").select_option("kl")
    assert len(shown(page)) == 10_000
    expect(legend).to_contain_text("nats")
    page.get_by_label("Colour by").select_option("class")
    assert shown(page).unique().tolist() == list(range(1, 10))
    legend.get_by_role("button").first.click()
    assert len(shown(page)) == 10_000
    page.wait_for_timeout(500)
    assert linked(page) == before


def test_no_class_is_drawn_over_the_others_and_no_legend_over_any(visitor):
    page = opened(visitor, FLAT)
    order = shown(page)
    for tenth in order.split(1000):  # each class is some 100 of a thousand: five standard deviations are 47
        counts = tenth.bincount(minlength=10)
        assert counts.min() > 50
        assert counts.max() < 160
    legend = page.get_by_role("group", name="What the colours mean").bounding_box()
    assert legend["y"] + legend["height"] <= page.get_by_test_id("map").bounding_box()["y"]
    size = f"{CHART}.data.find(trace => trace.customdata).marker.size"
    before = page.evaluate(size)
    page.get_by_test_id("map").focus()
    for _ in range(6):
        page.keyboard.press("+")
    page.wait_for_function(f"before => {size} > 1.3 * before", arg=before)
    page.get_by_role("button", name="Whole map").click()
    page.wait_for_function(f"before => Math.abs({size} - before) < 0.1", arg=before)


def test_a_vertical_swipe_scrolls_the_page_and_leaves_the_map_where_it_is(visitor):
    page = opened(visitor, FLAT, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.get_by_test_id("map").evaluate("e => e.scrollIntoView({ block: 'center' })")
    page.wait_for_timeout(500)
    before, z, top = ranges(page), linked(page), page.evaluate(SCROLLED)
    swipe(page, spot(page, 0.5, 0.8), (3, -240))
    assert page.evaluate(SCROLLED) > top + 100
    assert ranges(page) == before
    page.wait_for_timeout(500)
    assert linked(page) == z


@pytest.mark.parametrize("name", [FLAT, DEEP])
def test_points_are_coloured_by_their_elbo_kl_and_reconstruction(visitor, name):
    """KL in closed form by torch, log p(x|z) by many draws of z, for some pictures of which both are computed anew."""
    page = opened(visitor, name)
    rows = torch.randperm(10_000, generator=torch.Generator().manual_seed(1))[:6].tolist()
    x = data.fixed_binarisation(pretrained.load_card(name)["data"]["name"])[rows].float()
    model = vae.load_pretrained(name, "cpu")
    with torch.inference_mode():
        q = model.encode(x)
        kl = torch.distributions.kl_divergence(torch.distributions.Normal(q.mean, q.stddev), STANDARD).sum(1)
        draws = [model.decode(q.mean + q.stddev * noise).log_prob(x) for noise in torch.randn(
            400, *q.mean.shape, generator=torch.Generator().manual_seed(0))]  # fmt: skip
    reconstruction, spread = torch.stack(draws).mean(0), torch.stack(draws).std(0)
    coloured = {}
    for value in ("kl", "reconstruction", "elbo"):
        page.get_by_label("Colour by").select_option(value)
        page.wait_for_function(f"value => {CHART}.data.at(-1).uid === value", arg=value)
        of = "({ marker, customdata }) => Object.fromEntries(customdata.map((row, i) => [row, marker.color[i]]))"
        coloured[value] = torch.tensor([page.evaluate(f"({of})({CHART}.data.at(-1))")[str(row)] for row in rows])
    torch.testing.assert_close(coloured["kl"], kl, atol=0.02, rtol=1e-3)  # encodings are kept in half precision
    torch.testing.assert_close(coloured["elbo"], coloured["reconstruction"] - coloured["kl"], atol=1e-3, rtol=0)
    error = spread * (1 / len(draws) + 1 / ELBO_SAMPLES) ** 0.5
    assert (abs(coloured["reconstruction"] - reconstruction) < 4 * error + 0.1).all()


def test_encodings_can_be_taken_away(visitor):
    page = opened(visitor, FLAT)
    page.get_by_text("Numbers of all pictures").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0].startswith("index,label,elbo,kl,reconstruction,mu0,mu1,sigma0,sigma1")
    assert len(lines) == 10_001


def test_the_priors_rings_lie_at_one_two_and_three_standard_deviations_wherever_one_zooms(visitor):
    page = opened(visitor, FLAT)
    for _ in range(2):
        found = page.evaluate(f"""(({{ xaxis, yaxis }}) => {CHART}.getRootNode().querySelectorAll('[data-testid=ring]')
            .values().map(ring => {{
                const {{ x, y, width, height }} = ring.querySelector('circle').getBBox();
                return [xaxis.p2d(x), xaxis.p2d(x + width), yaxis.p2d(y + height), yaxis.p2d(y), ring.textContent];
            }}).toArray())({LAYOUT})""")
        for radius, (*sides, label) in enumerate(found, start=1):
            assert sides == pytest.approx([-radius, radius, -radius, radius], abs=0.01)
            assert label.startswith(f"{radius}σ")
        assert len(found) == 3
        zoomed(page)


def test_a_map_that_cannot_be_drawn_says_so_and_its_picture_is_shown(visitor):
    someone = visitor()
    gone = [True]
    someone.page.route("**/plotly.js?*", lambda route: route.fulfill(status=404) if gone[0] else route.continue_())
    page = someone.opens(f"/latent_map?model={FLAT}&z=0.5,-0.25")
    expect(page.get_by_role("alert").filter(has_text="The map cannot be drawn")).to_be_visible()
    expect(page.get_by_test_id("map")).to_be_hidden()
    expect(page.get_by_test_id("decoded")).to_have_attribute("data-z", "0.5,-0.25")
    expect(page.get_by_test_id("near-0")).to_have_attribute("data-index", re.compile(r"\d+"))
    assert someone.problems
    assert all("plotly.js" in problem for problem in someone.problems)
    someone.problems.clear()
    gone[0] = False
    page.reload()
    page.locator("[data-testid=map][data-points='10000']").wait_for()
    expect(page.get_by_role("alert")).to_have_text("")


@pytest.mark.parametrize(("name", "said"), [(DEEP, "colour by class"), ("portraits", "one colour")])
def test_what_has_no_classes_is_not_said_to_be_coloured_by_them(visitor, name, said):
    page = visitor().opens(f"/latent_map?model={name}")
    expect(page.get_by_label("Colour by").locator("option").first).to_have_text(said)
