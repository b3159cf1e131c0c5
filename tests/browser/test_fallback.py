"""Without the socket of the live route, in a real Chromium: Python's script answers, the page says so, and recovers."""

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, WebSocketRoute, expect

import vae
from tests.browser.controls import by_number
from tests.browser.seen import changes, seen
from tests.registry import VECTORS
from vae import data
from vae.latent.encodings import Company, near
from vae.models import pretrained

NAMES = VECTORS
FLAT = next(name for name in NAMES if pretrained.load_card(name)["latents"] == 2)
DEEP = next(name for name in NAMES if pretrained.load_card(name)["latents"] > 2)


class Socket:
    """The way to the live route, which can be cut and mended."""

    def __init__(self, page: Page):
        self.whole, self.routes = True, []
        page.route_web_socket("**/live", self._route)

    def _route(self, route: WebSocketRoute) -> None:
        if self.whole:
            self.routes.append(route)
            route.connect_to_server()
        else:
            route.close(code=4408)

    def cut(self) -> None:
        self.whole = False
        self.routes[-1].close(code=4408)

    def mend(self) -> None:
        self.whole = True


def away(visitor, path: str, **context) -> tuple[Page, Socket, str]:
    """A page whose socket was cut after it had worked, and what it shows."""
    someone = visitor(**({"viewport": {"width": 1400, "height": 1000}} | context))
    socket = Socket(someone.page)
    page = someone.opens(path)
    expect(page.get_by_role("status")).to_have_text("")
    someone.rests()
    before = seen(page)
    socket.cut()
    expect(page.get_by_role("status")).to_contain_text("reconnecting")
    return page, socket, before


def back(page: Page, socket: Socket) -> None:
    socket.mend()
    expect(page.get_by_role("status")).to_have_text("")


def drawn(page: Page) -> list[float]:
    return [float(value) for value in page.get_by_test_id("decoded").get_attribute("data-z").split(",")]


def says(page: Page, z: list[float]) -> None:
    """Wait until the URL says z: Python knows."""
    page.wait_for_function("z => new URL(location).searchParams.get('z') === z", arg=",".join(f"{v:g}" for v in z))


def shown(page: Page) -> np.ndarray:
    """The picture's grey values."""
    values = page.get_by_test_id("decoded").evaluate(
        "e => Array.from(e.getContext('2d').getImageData(0, 0, e.width, e.height).data)"
    )
    return np.array(values, dtype=int).reshape(28, 28, 4)[..., 0]


def decoded(name: str, z: torch.Tensor) -> np.ndarray:
    return vae.load_pretrained(name).decode(z[None]).mean[0, 0].detach().mul(255).round().int().numpy()


def agreed(page: Page) -> list[float]:
    """z on the page, once the picture beside it is of this z: while scripts answer a pointer, both may still change."""
    for _ in range(100):
        z = drawn(page)
        if abs(shown(page) - decoded(FLAT, torch.tensor(z))).max() <= 1:
            return z
        page.wait_for_timeout(100)
    raise AssertionError(f"the picture is not that of {z}")


def test_explore_goes_on_and_recovers(visitor):
    page, socket, before = away(visitor, f"/?model={DEEP}")
    slider = by_number(page)
    latent = int(slider.get_attribute("data-testid").removeprefix("latent-"))
    slider.focus()
    page.keyboard.press("PageUp")
    before = changes(page, before)
    assert drawn(page)[latent] == float(slider.input_value())
    for button in ("The middle", "A random picture", "The middle"):  # moves and lets go at once
        page.get_by_role("button", name=button).click()
        before = changes(page, before)
    back(page, socket)
    slider.press("PageDown")
    changes(page, before)
    says(page, drawn(page))


def test_on_the_map_a_click_shows_its_place_and_its_neighbours(visitor):
    page, socket, before = away(visitor, f"/latent_map?model={FLAT}&z=0.5,-0.25")
    page.locator("[data-testid=map][data-points='10000']").wait_for()
    box = page.get_by_test_id("map").bounding_box()
    page.mouse.click(box["x"] + 0.2 * box["width"], box["y"] + 0.3 * box["height"])
    before = changes(page, before)
    z = torch.tensor(agreed(page))
    company = Company(
        *pretrained.load_encodings(FLAT), data.load(pretrained.load_card(FLAT)["data"]["name"], "test").images
    )
    nearest = int(near(company, z[None]).indices[0, 0])
    expect(page.get_by_test_id("near-0")).to_have_attribute("data-index", str(nearest))
    page.mouse.move(5, 5)
    says(page, drawn(page))
    back(page, socket)
    page.get_by_test_id("map").focus()
    page.keyboard.press("ArrowRight")
    changes(page, before)


def test_between_four_pictures_the_square_goes_on(visitor):
    page, socket, before = away(visitor, f"/interpolate?model={DEEP}&mode=four&ends=i7,i0,i3,i20&at=0.5,0.5")
    page.get_by_test_id("square").focus()
    page.keyboard.press("ArrowRight")
    before = changes(page, before)
    page.wait_for_function("() => new URL(location).searchParams.get('at') !== '0.5,0.5'")
    at = [float(part) for part in page.evaluate("new URL(location).searchParams.get('at')").split(",")]
    x = data.fixed_binarisation(pretrained.load_card(DEEP)["data"]["name"])[[7, 0, 3, 20]].float()
    corners = vae.load_pretrained(DEEP).encode(x).mean.detach()
    a, b, c, d = corners
    across, down = ((9 * share - 0.5) / 8 for share in at)  # the centres of the 9 x 9 pictures' outermost are the four
    z = torch.lerp(torch.lerp(a, b, across), torch.lerp(c, d, across), down)
    assert abs(shown(page) - decoded(DEEP, z)).max() <= 1
    back(page, socket)
    page.keyboard.press("ArrowRight")
    changes(page, before)


@pytest.mark.parametrize("name", [DEEP, FLAT])
def test_a_drawing_is_read_and_reconstructed(visitor, name):
    someone = visitor()
    socket = Socket(someone.page)
    page = someone.opens(f"/reconstruct?model={name}")
    page.get_by_role("radio", name="Draw").click()
    expect(page.get_by_role("status")).to_have_text("")
    someone.rests()
    blank = seen(page)
    socket.cut()
    expect(page.get_by_role("status")).to_contain_text("reconnecting")
    pad = page.get_by_test_id("pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.25 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.25 * box["height"], steps=5)
    page.mouse.move(box["x"] + 0.45 * box["width"], box["y"] + 0.8 * box["height"], steps=5)
    page.mouse.up()
    changes(page, blank)
    expect(page.get_by_text("Compare with another network")).to_be_visible()
    expect(page.get_by_test_id("sketch")).to_contain_text("ELBO")
    back(page, socket)
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_text("Compare with another network")).to_have_count(0)


def test_a_chapter_samples_on(visitor):
    page, socket, before = away(visitor, f"/how_it_works?chapter=model&model={DEEP}")
    sample = page.get_by_role("button", name="Sample z, then x")
    sample.click()
    before = changes(page, before)
    sample.click()
    before = changes(page, before)
    back(page, socket)
    sample.click()
    changes(page, before)
