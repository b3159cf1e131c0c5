"""The live components in a real Chromium: what moves while the hand moves, and what Python knows afterwards."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, WebSocketRoute, expect

import vae
from tests.browser.conftest import PATIENCE
from tests.browser.controls import by_number
from tests.browser.seen import changes, pixels, seen
from tests.registry import VECTORS
from vae import data
from vae.app.look import COLOURS
from vae.latent.places import places
from vae.models import pretrained

NAMES = VECTORS
FLAT = next(name for name in NAMES if pretrained.load_card(name)["latents"] == 2)
DEEP = next(name for name in NAMES if pretrained.load_card(name)["latents"] > 2)
STEP = 0.05  # of an arrow key


# Of each slider that is seen: its latent, the number beside it in percent, and how much of its cell the bar fills.
SHARES = """() => [...document.querySelectorAll("*")].map((e) => e.shadowRoot).filter(Boolean)
  .flatMap((root) => [...root.querySelectorAll(".share")]).filter((e) => e.checkVisibility())
  .map((e) => [
    Number(e.querySelector("span").dataset.testid.replace("share-", "")),
    parseFloat(e.textContent),
    e.querySelector("i").getBoundingClientRect().width / e.getBoundingClientRect().width,
  ])"""


def address(page: Page) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlsplit(page.url).query).items()}


def linked(page: Page) -> list[float]:
    """The z of the page's URL."""
    return [float(value) for value in address(page)["z"].split(",")]


def drawn(page: Page) -> list[float]:
    """The z of the picture on screen."""
    return [float(value) for value in page.get_by_test_id("decoded").get_attribute("data-z").split(",")]


def says(page: Page, z: list[float]) -> None:
    """Wait until the URL says z: Python knows."""
    page.wait_for_function("z => new URL(location).searchParams.get('z') === z", arg=",".join(f"{v:g}" for v in z))


def first_slider(page: Page) -> tuple[int, object]:
    """(latent, slider) of the topmost."""
    slider = by_number(page)
    return int(slider.get_attribute("data-testid").removeprefix("latent-")), slider


def streams(page: Page) -> list[int]:
    """The lengths of what the browser says to Streamlit from now on: each may run a script."""
    said = []

    def watch(socket) -> None:
        if socket.url.endswith("/_stcore/stream"):
            socket.on("framesent", lambda frame: said.append(len(frame)))

    page.on("websocket", watch)
    return said


def middle(box: dict, across: float, down: float = 0.5) -> tuple[float, float]:
    return box["x"] + across * box["width"], box["y"] + down * box["height"]


def test_while_a_slider_is_dragged_the_picture_follows_and_no_script_runs(visitor):
    someone = visitor()
    said = streams(someone.page)
    page, before = someone.opens(f"/?model={DEEP}"), someone.sees_a_picture()
    someone.is_live()
    latent, slider = first_slider(page)
    box = slider.bounding_box()
    page.mouse.move(*middle(box, 0.5))
    page.mouse.down()
    started, pictures = len(said), set()
    for step in range(20):
        page.mouse.move(*middle(box, 0.5 + 0.02 * step))
        before = changes(page, before)
        pictures.add(before)
    assert len(pictures) == 20
    assert len(said) == started
    page.mouse.up()
    there = float(slider.input_value())
    says(page, drawn(page))
    assert linked(page)[latent] == there
    someone.rests()
    assert len(said) == started + 1


def test_quick_arrow_keys_are_all_counted(visitor):
    someone = visitor()
    page = someone.opens(f"/?model={DEEP}&z={','.join(['0'] * pretrained.load_card(DEEP)['latents'])}")
    someone.is_live()
    latent, slider = first_slider(page)
    slider.focus()
    for _ in range(40):
        page.keyboard.press("ArrowRight")
    for _ in range(10):
        page.keyboard.press("Shift+ArrowLeft")
    expected = 40 * STEP - 10 * STEP / 10
    expect(slider).to_have_value(f"{expected:g}")
    page.wait_for_function("z => new URL(location).searchParams.get('z').split(',').includes(z)", arg=f"{expected:g}")
    assert linked(page)[latent] == expected


@pytest.mark.parametrize("how", ["Backspace", "right click"])
def test_a_slider_is_reset_to_the_posterior_mean_of_the_input(visitor, how):
    someone = visitor()
    page = someone.opens(f"/?model={DEEP}")
    someone.is_live()
    latent, slider = first_slider(page)
    start = float(slider.input_value())
    slider.focus()
    page.keyboard.press("PageUp" if start < 0 else "PageDown")
    expect(slider).not_to_have_value(f"{start:g}")
    assert abs(float(slider.input_value()) - start) == pytest.approx(10 * STEP, abs=1e-9)
    if how == "Backspace":
        page.keyboard.press("Backspace")
    else:
        slider.click(button="right")
    mu = pretrained.load_encodings(DEEP)[0][int(address(page)["x"][1:]), latent]
    page.wait_for_timeout(100)  # sliders move with the picture
    assert float(slider.input_value()) == pytest.approx(float(mu), abs=6e-4)


@pytest.mark.parametrize("name", NAMES)
def test_the_numbers_on_screen_are_the_librarys_for_exactly_this_place(visitor, name):
    someone = visitor()
    # a place beside the picture's own: where the prior is sampled nothing is said about a picture
    places_said = ",".join(f"{0.1 * (latent % 7) - 0.3:g}" for latent in range(pretrained.load_card(name)["latents"]))
    page = someone.opens(f"/?model={name}&z={places_said}")
    someone.sees_a_picture()
    someone.is_live()
    z = drawn(page)
    says(page, z)
    model = vae.load_pretrained(name)
    x = data.test_inputs(pretrained.load_card(name)["data"]["name"])[int(address(page)["x"][1:])][None]
    expected = places(model, torch.tensor([z]), x)
    numbers = {
        "prior": expected.log_prior,
        "again": expected.round_trip_kl.sum(),
        "likelihood": expected.log_likelihood,
        "posterior": expected.log_posterior,
        "distance": expected.distance,
    }
    for key, value in numbers.items():
        shown = float(page.get_by_test_id(f"read-{key}").text_content().replace("−", "-"))
        assert shown == pytest.approx(float(value), rel=1e-4, abs=0.051)


def test_explore_is_driven_by_the_keyboard_alone(visitor):
    someone = visitor()
    page, before = someone.opens(f"/?model={FLAT}"), someone.sees_a_picture()
    someone.is_live()

    def tab_to(wanted: str) -> None:
        """Press Tab until the focused element, in whatever shadow root, is the wanted one by its name."""
        seen_names = []
        for _ in range(60):
            page.keyboard.press("Tab")
            seen_names.append(
                page.evaluate(
                    "() => { let e = document.activeElement; while (e?.shadowRoot) e = e.shadowRoot.activeElement;"
                    " return e?.getAttribute('aria-label') ?? e?.innerText ?? ''; }"
                )
            )
            if seen_names[-1].startswith(wanted):
                return
        pytest.fail(f"Tab does not reach {wanted!r} but {seen_names}")

    fourth = data.DATASETS[pretrained.load_card(FLAT)["data"]["name"]].class_names[4]
    for name, key in ((fourth, "Enter"), ("A random picture", "Space"), ("The middle", "Enter")):
        tab_to(name)
        page.keyboard.press(key)
        before = changes(page, before)
    tab_to("Latent plane")
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "Shift+ArrowDown"):
        page.keyboard.press(key)
    before = changes(page, before)
    says(page, [2 * STEP, 0.9 * STEP])
    tab_to("Texture")
    page.keyboard.press("PageUp")
    changes(page, before)


def test_on_the_plane_hovering_previews_leaving_restores_and_a_click_pins(visitor):
    someone = visitor()
    page, before = someone.opens(f"/?model={FLAT}"), someone.sees_a_picture()
    someone.is_live()
    start, plane = linked(page), page.get_by_test_id("plane")
    box = plane.bounding_box()
    page.mouse.move(*middle(box, 0.2, 0.3))
    changes(page, before)
    preview = drawn(page)
    assert preview != start
    page.mouse.move(box["x"] - 40, box["y"] + 50)
    expect(page.get_by_test_id("decoded")).to_have_attribute("data-z", ",".join(f"{value:g}" for value in start))
    assert linked(page) == start
    page.mouse.click(*middle(box, 0.2, 0.3))
    says(page, preview)
    page.mouse.move(*middle(box, 0.2, 0.3))
    page.mouse.down()
    page.mouse.move(*middle(box, 0.6, 0.7), steps=5)
    page.mouse.up()
    page.mouse.move(box["x"] - 40, box["y"] + 50)
    by_number(page)
    far = max(float(slider.get_attribute("max")) for slider in page.get_by_role("slider").all())
    says(page, [round(0.2 * far, 3), round(-0.4 * far, 3)])


def test_touch_moves_the_plane(visitor):
    someone = visitor(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page, before = someone.opens(f"/?model={FLAT}"), someone.sees_a_picture()
    someone.is_live()
    plane = page.get_by_test_id("plane")
    plane.scroll_into_view_if_needed()
    box = plane.bounding_box()
    finger = someone.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})

    touch("touchStart", middle(box, 0.3, 0.4))
    before, start = changes(page, before), linked(page)
    for step in range(5):
        touch("touchMove", middle(box, 0.3 + 0.06 * step, 0.4))
    before = changes(page, before)
    assert linked(page) == start
    touch("touchEnd")
    page.wait_for_function("before => new URL(location).searchParams.get('z') !== before", arg=address(page)["z"])
    says(page, drawn(page))


def test_the_plane_of_many_latents_can_be_turned_and_moves_only_its_own_two(visitor):
    someone = visitor()
    page, before = someone.opens(f"/?model={DEEP}"), someone.sees_a_picture()
    someone.is_live()
    page.get_by_role("button", name="Plane").click()
    start = drawn(page)
    across, up = (int(page.get_by_label(f"{way} latent").input_value()) for way in ("horizontal", "vertical"))
    box = page.get_by_test_id("plane").bounding_box()
    page.mouse.click(*middle(box, 0.9, 0.2))
    before = changes(page, before)
    z = drawn(page)
    assert {index for index, (a, b) in enumerate(zip(start, z, strict=True)) if a != b} == {across, up}
    page.get_by_role("button", name="Principal components").click()
    page.mouse.click(*middle(page.get_by_test_id("plane").bounding_box(), 0.7, 0.7))
    changes(page, before)
    moved = torch.tensor(drawn(page)) - torch.tensor(z)
    assert (moved != 0).sum() > 2


class Cutter:
    """A TCP proxy of the server that can cut the live socket between a request and its answer, or keep the answer."""

    def __init__(self, server: str):
        self.host, self.port = urlsplit(server).hostname, urlsplit(server).port
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        self.how, self.cuts, self.made = "cut", 0, 0  # cuts to come, and made
        self.hellos = 0  # answered
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with suppress(OSError):  # it is closed
            while True:
                near, _ = self.listening.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, socket.create_connection((self.host, self.port)) as far, suppress(OSError):
            first = near.recv(2**16)
            is_live = first.startswith(b"GET /live ")
            far.sendall(first)
            threading.Thread(target=self._pump, args=(near, far), daemon=True).start()
            while came := far.recv(2**16):
                # answers begin with a binary frame's 0x82; longer ones than a HELLO's have a picture
                if is_live and self.cuts and came[0] == 0x82 and len(came) > 100:
                    self.cuts -= 1
                    self.made += 1
                    if self.how == "silent":
                        while far.recv(2**16):
                            pass
                    near.shutdown(socket.SHUT_RDWR)  # wakes the other thread, too
                    return
                near.sendall(came)
                self.hellos += is_live and came[0] == 0x82 and len(came) == 10

    @staticmethod
    def _pump(near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while came := near.recv(2**16):
                far.sendall(came)
            far.shutdown(socket.SHUT_WR)


@pytest.fixture
def cutter(server) -> Iterator[Cutter]:
    cutter = Cutter(server)
    yield cutter
    cutter.listening.close()


# What is on screen at each animation frame: the place of the picture, and log p(z) beside it.
WATCH = """() => {
  window.watched = new Map();
  const roots = [...document.querySelectorAll('*')].map((e) => e.shadowRoot).filter(Boolean);
  const find = (id) => roots.map((root) => root.querySelector(`[data-testid=${id}]`)).find(Boolean);
  const [picture, prior] = [find('decoded'), find('read-prior')];
  const look = () => {
    window.watched.set(`${picture.dataset.z} ${prior.textContent}`, picture.toDataURL());
    requestAnimationFrame(look);
  };
  look();
}"""


@pytest.mark.parametrize(("how", "turns"), [("cut", 3), ("silent", 1)])
def test_an_answer_that_is_lost_is_asked_for_again_and_no_number_belongs_to_another_picture(
    visitor, cutter, how, turns
):
    cutter.how = how
    someone = visitor(first=True)
    someone.server = cutter.address
    page, before = someone.opens(f"/?model={FLAT}"), someone.sees_a_picture()
    someone.is_live()
    latent, slider = first_slider(page)
    page.evaluate(WATCH)
    slider.focus()
    for turn in range(turns):
        cutter.cuts = 1
        page.keyboard.press("PageUp" if turn % 2 else "PageDown")
        before = changes(page, before)
        assert cutter.made == turn + 1
        z = drawn(page)
        says(page, z)
        while cutter.hellos < turn + 2:  # until then Python answers
            page.wait_for_timeout(20)
        z[latent] = round(z[latent] + 4 * STEP, 3)
        for _ in range(4):
            page.keyboard.press("ArrowUp")
        says(page, z)
        assert drawn(page) == z
        before = seen(page)
    page.wait_for_timeout(500)
    model = vae.load_pretrained(FLAT)
    watched = page.evaluate("[...window.watched]")
    pictures = {}
    for said, picture in watched:
        place, prior = said.split(" ")
        z = torch.tensor([[float(value) for value in place.split(",")]])
        assert float(prior.replace("−", "-")) == pytest.approx(float(model.prior.log_prob(z)), abs=0.051)
        assert pictures.setdefault(place, picture) == picture
    assert len(pictures) > turns
    x = data.fixed_binarisation(pretrained.load_card(FLAT)["data"]["name"])[int(address(page)["x"][1:])][None]
    expected = places(model, torch.tensor([drawn(page)]), x)
    for key, value in {"likelihood": expected.log_likelihood, "distance": expected.distance}.items():
        shown = float(page.get_by_test_id(f"read-{key}").text_content().replace("−", "-"))
        assert shown == pytest.approx(float(value), rel=1e-4, abs=0.051)
    # a dead line is reported by the browser itself, and by nobody else
    assert all("WebSocket connection" in problem for problem in someone.problems)
    someone.problems.clear()


OVER = {
    4400: "different versions: reload it",
    4401: "This page's session is over: reload it",
    4403: "its owner can add it to server.corsAllowedOrigins",
    4404: "This model is no longer on the server: reload the page",
}


@pytest.mark.parametrize("code", OVER)
@pytest.mark.parametrize("when", ["at once", "later"])
def test_where_no_connection_helps_none_is_tried_the_visitor_is_told_and_python_answers(visitor, code, when):
    someone = visitor()
    tried: list[WebSocketRoute] = []
    refusing = [when == "at once"]

    def route(live: WebSocketRoute) -> None:
        tried.append(live)
        if refusing[0]:
            live.close(code=code)
        else:
            live.connect_to_server()

    someone.page.route_web_socket("**/live", route)
    page, before = someone.opens(f"/?model={DEEP}"), someone.sees_a_picture()
    if when == "later":
        someone.is_live()
        refusing[0] = True
        tried[-1].close(code=code)
    expect(page.get_by_role("status")).to_contain_text(OVER[code])
    attempts = len(tried)
    latent, slider = first_slider(page)
    slider.focus()
    page.keyboard.press("PageUp" if float(slider.input_value()) < 0 else "PageDown")
    before = changes(page, before)
    assert drawn(page)[latent] == float(slider.input_value())
    page.get_by_role("button", name="The middle").click()
    changes(page, before)
    says(page, [0.0] * len(drawn(page)))
    page.wait_for_timeout(1000)  # three times the first pause between attempts
    assert len(tried) == attempts
    expect(page.get_by_role("status")).to_contain_text(OVER[code])
    refusing[0] = False
    page.reload()
    someone.sees_a_picture()
    someone.is_live()


def test_a_session_that_the_server_forgets_is_over_and_a_new_one_goes_on(visitor, restarting):
    someone = visitor(first=True)
    someone.server = restarting.address
    page, before = someone.opens(f"/?model={FLAT}"), someone.sees_a_picture()
    someone.is_live()
    _, slider = first_slider(page)
    slider.focus()
    page.keyboard.press("PageUp")
    before = changes(page, before)
    z = drawn(page)
    says(page, z)
    restarting.stop()
    expect(page.get_by_role("status")).to_contain_text("reconnecting")
    restarting.start()
    expect(page.get_by_role("status")).to_have_text("", timeout=4000 * PATIENCE)
    someone.rests()
    assert drawn(page) == z
    page.keyboard.press("PageDown")
    changes(page, before)
    says(page, drawn(page))
    assert all("WebSocket" in problem or "ERR_CONNECTION" in problem for problem in someone.problems)
    someone.problems.clear()


def draw(page: Page, release: bool = True) -> None:
    """A seven on the pad, by mouse."""
    pad = page.get_by_test_id("pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    page.mouse.move(*middle(box, 0.3, 0.25))
    page.mouse.down()
    for across, down in ((0.7, 0.25), (0.6, 0.5), (0.45, 0.8)):
        page.mouse.move(*middle(box, across, down), steps=8)
    if release:
        page.mouse.up()


def open_pad(someone, name: str) -> Page:
    page = someone.opens(f"/reconstruct?model={name}")
    page.get_by_role("radio", name="Draw").click()
    expect(page.get_by_test_id("pad")).to_be_visible()
    return page


def test_a_drawing_is_reconstructed_while_the_pen_is_down_and_then_in_the_ledger(visitor):
    someone = visitor()
    page = open_pad(someone, DEEP)
    blank = seen(page)
    draw(page, release=False)
    changes(page, blank)
    expect(page.get_by_test_id("sketch")).to_contain_text("ELBO")
    expect(page.get_by_text("Compare with another network")).to_have_count(0)
    page.mouse.up()
    expect(page.get_by_text("Compare with another network")).to_be_visible()
    blue, orange = (np.array([int(COLOURS[name].dark[i : i + 2], 16) for i in (1, 3, 5)]) for name in ("x", "x̂"))
    x, mean, gap = (
        pixels(seen(page, testid))[..., :3].astype(float) / 255 for testid in ("x", "decoded", "difference")
    )
    difference = (x - mean).mean(2, keepdims=True)
    expected = np.where(difference > 0, difference * blue, -difference * orange)
    assert np.abs(gap * 255 - expected).max() < 2
    live = float(page.get_by_test_id("sketch").text_content().split()[1].replace("−", "-"))
    page.get_by_text("Numbers of x").click()
    ledger = page.get_by_test_id("ledger").inner_text().split()
    elbo = float(ledger[ledger.index("=") + 1].replace("−", "-"))
    assert live == pytest.approx(elbo, abs=4)  # 32 draws against 256


def test_the_pad_is_drawn_on_with_the_keyboard(visitor):
    someone = visitor()
    page = open_pad(someone, DEEP)
    blank = seen(page)
    page.get_by_test_id("pad").focus()
    page.keyboard.press("Space")
    for _ in range(25):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    changes(page, blank)
    expect(page.get_by_text("Compare with another network")).to_be_visible()


def test_the_keyboards_pen_is_seen_while_it_is_up_and_leaves_no_mark(visitor):
    page = open_pad(visitor(), DEEP)
    pad, pen = page.get_by_test_id("pad"), page.get_by_test_id("pen")
    expect(pen).to_be_hidden()
    empty = seen(page, "pad")
    page.get_by_role("radio", name="Draw").focus()
    for _ in range(20):
        page.keyboard.press("Tab")
        if pen.is_visible():
            break
    start = pen.bounding_box()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    box, moved = pad.bounding_box(), pen.bounding_box()
    assert moved["x"] - start["x"] == pytest.approx(15 / 140 * box["width"], abs=1)
    assert seen(page, "pad") == empty
    pad.click(position={"x": 40, "y": 40})
    expect(pen).to_be_hidden()


def white(page: Page, across: float, down: float) -> bool:
    """Whether there is ink on the pad there."""
    return page.get_by_test_id("pad").evaluate(
        "(pad, at) => pad.getContext('2d').getImageData(...at.map(v => Math.round(v * pad.width)), 1, 1).data[0] > 200",
        [across, down],
    )


@pytest.mark.parametrize("by", ["a click", "the keyboard", "a finger"])
def test_a_tap_draws_a_dot(visitor, by):
    someone = visitor(has_touch=True)
    page = open_pad(someone, DEEP)
    pad = page.get_by_test_id("pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    at = (0.5, 0.25)  # where the keyboard's pen begins
    if by == "the keyboard":
        pad.focus()
        page.keyboard.press("Space")
        page.keyboard.press("Space")
    elif by == "a finger":
        page.touchscreen.tap(*middle(box, *at))
    else:
        page.mouse.click(*middle(box, *at))
    assert white(page, *at)
    assert not white(page, at[0] + 0.1, at[1])
    expect(page.get_by_text("Compare with another network")).to_be_visible()


def test_a_finger_draws_and_the_page_stays_where_it_is(visitor):
    someone = visitor(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page = open_pad(someone, DEEP)
    blank = seen(page)
    pad = page.get_by_test_id("pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    finger = someone.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})

    touch("touchStart", middle(box, 0.5, 0.2))
    for step in range(1, 11):
        touch("touchMove", middle(box, 0.5, 0.2 + 0.06 * step))
    changes(page, blank)
    expect(page.get_by_test_id("sketch")).to_contain_text("ELBO")
    assert pad.bounding_box() == box
    assert all(white(page, 0.5, down) for down in (0.25, 0.5, 0.75))
    assert not white(page, 0.3, 0.5)
    expect(page.get_by_text("Compare with another network")).to_have_count(0)
    touch("touchEnd")
    expect(page.get_by_text("Compare with another network")).to_be_visible()


def test_a_drawing_goes_to_explore_and_back_and_into_another_browser(visitor):
    someone = visitor()
    page = open_pad(someone, DEEP)
    draw(page)
    expect(page.get_by_text("Compare with another network")).to_be_visible()
    someone.rests()
    ink = seen(page, "pad")
    page.get_by_role("button", name="Move its numbers").click()
    expect(page.get_by_role("button", name="Your drawing")).to_have_attribute("aria-pressed", "true")
    before = someone.sees_a_picture()
    _, slider = first_slider(page)
    slider.focus()
    page.keyboard.press("PageUp")
    before = changes(page, before)
    says(page, drawn(page))
    someone.rests()
    other = visitor()
    second = other.opens(page.url.removeprefix(someone.server))
    assert other.sees_a_picture() == before
    assert seen(second, "given") == seen(page, "given")
    for key in ("likelihood", "posterior", "distance"):
        assert second.get_by_test_id(f"read-{key}").text_content() == page.get_by_test_id(f"read-{key}").text_content()
    page.get_by_role("link", name="Reconstruct").click()
    expect(page.get_by_test_id("pad")).to_be_visible()
    assert seen(page, "pad") == ink
    page.get_by_role("link", name="Explore").click()
    expect(page.get_by_role("button", name="The middle")).to_be_visible()
    assert someone.sees_a_picture() == before


def test_undo_and_clear_take_the_drawing_away(visitor):
    someone = visitor()
    page = open_pad(someone, DEEP)
    empty = seen(page, "pad")
    draw(page)
    expect(page.get_by_text("Compare with another network")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    assert seen(page, "pad") == empty
    expect(page.get_by_text("Compare with another network")).to_have_count(0)
    draw(page)
    expect(page.get_by_text("Compare with another network")).to_be_visible()
    page.get_by_role("button", name="Clear").click()
    assert seen(page, "pad") == empty
    expect(page.get_by_text("Compare with another network")).to_have_count(0)


def test_dimensions_that_say_nothing_are_folded_away(visitor):
    card = pretrained.load_card(DEEP)
    page = visitor().opens(f"/?model={DEEP}")
    by_number(page)
    sliders = page.get_by_role("slider")
    assert 6 <= sliders.count() < card["latents"]
    page.get_by_text(re.compile(r"^\d+ more$")).click()
    assert sliders.count() == card["numbers"]["active_units"]


def test_bars_that_are_unfolded_are_those_of_the_picture(visitor):
    page = visitor().opens(f"/?model={DEEP}")
    by_number(page)
    lengths = "e => [...e.querySelectorAll('.share i')].map(i => i.getBoundingClientRect().width)"
    details = page.locator("details", has=page.locator(".share")).first
    details.locator("summary").click()
    page.wait_for_function("e => e.open", arg=details.element_handle())
    page.wait_for_timeout(300)
    found = details.evaluate(lengths)
    whole = details.locator(".share").first.bounding_box()["width"]
    assert len(found) > 5
    assert sum(length > 0.9 * whole for length in found) <= 1
    page.get_by_test_id("latent-0").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(300)
    assert details.evaluate(lengths) == pytest.approx(found, abs=0.06 * whole)


def test_a_bar_and_the_number_on_it_say_the_same_which_is_the_pictures_own_share(visitor):
    someone = visitor()
    page = someone.opens(f"/?model={DEEP}")
    by_number(page)
    someone.is_live()
    picture = torch.from_numpy(pixels(seen(page))[..., 0] / 255).float()
    model = vae.load_pretrained(DEEP)
    noise = torch.rand(model.input_spec.shape, generator=torch.Generator().manual_seed(0))
    q = model.encode((noise < picture).float()[None])  # a thousandth of the bits may differ by the picture's levels
    kl = torch.distributions.kl_divergence(q.base_dist, torch.distributions.Normal(0.0, 1.0))[0]
    expected = 100 * kl / kl.sum()
    shown = page.evaluate(SHARES)
    assert len(shown) >= 6
    for latent, number, _ in shown:
        assert number == pytest.approx(float(expected[latent]), abs=1.5)
    largest = max(float(share) for share in expected)
    for _, number, length in shown:
        assert length == pytest.approx(number / largest, abs=0.1)
    before = [number for _, number, _ in shown]
    page.get_by_role("button", name="A random picture").click()
    page.wait_for_function(f"before => ({SHARES})().some(([, number], i) => number !== before[i])", arg=before)


@pytest.mark.parametrize("name", [FLAT, DEEP])
def test_another_view_of_the_same_place_keeps_its_numbers_until_an_answer_comes(visitor, name):
    """Each number is looked for in the frame of the click itself: on a dead line no answer follows it for long."""
    someone = visitor()
    page = someone.opens(f"/?model={name}")
    someone.is_live()
    for view in ("By number", "By name"):
        click = """(button) => {
          const root = button.getRootNode();
          button.click();
          return [...root.querySelectorAll("[data-testid^=read-]")].map((e) => e.textContent);
        }"""
        numbers = page.get_by_role("button", name=view, exact=True).evaluate(click)
        assert numbers
        assert all(numbers)


@pytest.mark.parametrize("button", ["A random picture", "The middle"])
def test_a_place_that_comes_from_no_picture_is_compared_with_none(visitor, button):
    someone = visitor()
    page, before = someone.opens(f"/?model={DEEP}"), someone.sees_a_picture()
    numbers = [page.get_by_test_id(f"read-{name}") for name in ("likelihood", "posterior", "distance")]
    for number in numbers:
        expect(number).not_to_have_text("–")
    page.get_by_role("button", name=button).click()
    changes(page, before)
    for number in numbers:
        expect(number).to_have_text("–")
    expect(page.get_by_text("no picture: this z was not encoded from one")).to_have_count(1)
    page.wait_for_function("() => new URL(location).searchParams.get('from') === 'prior'")
    someone.rests()
    other = visitor()
    other.opens(page.url.removeprefix(someone.server))
    expect(other.page.get_by_test_id("read-likelihood")).to_have_text("–")
    page.get_by_role("group", name="Start from").get_by_role("button").nth(3).click()
    for number in numbers:
        expect(number).not_to_have_text("–")
    page.wait_for_function("() => !new URL(location).searchParams.has('from')")


def test_the_eraser_takes_ink_away_and_the_pens_width_is_ones_own(visitor):
    page = visitor().opens("/reconstruct?model=mnist")
    page.get_by_text("Draw", exact=True).click()
    pad = page.get_by_test_id("pad")
    pad.wait_for()
    box = pad.bounding_box()
    ink = """(pad) => pad.getContext("2d").getImageData(0, 0, pad.width, pad.height).data
        .reduce((sum, value, i) => sum + (i % 4 ? 0 : value / 255), 0)"""

    def stroke(across: float) -> float:
        page.mouse.move(box["x"] + across, box["y"] + 20)
        page.mouse.down()
        page.mouse.move(box["x"] + across, box["y"] + box["height"] - 20, steps=4)
        page.mouse.up()
        return pad.evaluate(ink)

    thin = stroke(box["width"] / 3)
    page.get_by_label("Width of the pen").fill("28")
    both = stroke(2 * box["width"] / 3)
    assert both - thin > 1.8 * thin
    page.get_by_role("button", name="Eraser").click()
    assert stroke(box["width"] / 3) == pytest.approx(both - thin, rel=0.1)
    page.get_by_role("button", name="Undo").click()
    assert pad.evaluate(ink) == pytest.approx(both)
