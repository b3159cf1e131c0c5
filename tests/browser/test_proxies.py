"""Behind a real nginx: a prefix that it strips, a base path that it keeps, TLS, and another Host than the browser's."""

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, WebSocket, expect

from tests.browser.conftest import PATIENCE, Visitor, free_port, needed, serving
from tests.browser.seen import changes, seen
from tests.registry import VECTORS
from vae.models import pretrained

NAMES = VECTORS
FLAT = next(name for name in NAMES if pretrained.load_card(name)["latents"] == 2)
DEEP = next(name for name in NAMES if pretrained.load_card(name)["latents"] > 2)
PREFIX = "/user/ada/proxy/8501"  # as JupyterHub and code-server have them
BASE = "/lab"
CONFIGURATION = """
daemon off;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  proxy_http_version 1.1;
  SERVERS
}
"""
UPGRADE = "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;"
SAME = f"{UPGRADE} proxy_set_header Host $http_host;"
# How each proxy listens, what it does, and below which path the app then is. What nginx is not told of is not found, as
# where another app lives at the same host.
WAYS = {
    "a prefix that is stripped": ("", f"location {PREFIX}/ {{ proxy_pass http://APP/; {SAME} }}", PREFIX),
    "a base path that is kept": ("", f"location {BASE}/ {{ proxy_pass http://MOUNTED; {SAME} }}", BASE),
    "TLS": (
        "ssl",
        f"ssl_certificate own.crt; ssl_certificate_key own.key; location / {{ proxy_pass http://APP; {SAME} }}",
        "",
    ),
    "another Host": ("", f"location / {{ proxy_pass http://APP; {UPGRADE} proxy_set_header Host lab.internal; }}", ""),
}


@pytest.fixture(scope="module")
def mounted(tmp_path_factory) -> Iterator[str]:
    """The app at a base path of its own."""
    log = tmp_path_factory.mktemp("mounted") / "stderr.txt"
    with serving(free_port(), log, baseUrlPath=BASE.strip("/")) as address:
        yield address


@pytest.fixture(scope="module")
def proxies(server, mounted, tmp_path_factory) -> Iterator[dict[str, str]]:
    """The addresses of the app behind nginx, by the way in which it passes requests on."""
    nginx, openssl = needed("nginx", "nginx-light"), needed("openssl", "openssl")
    folder = tmp_path_factory.mktemp("nginx")
    certificate = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    subprocess.run(
        [*certificate, "-keyout", folder / "own.key", "-out", folder / "own.crt"], check=True, capture_output=True
    )
    ports = {way: free_port() for way in WAYS}
    servers = [
        f"server {{ listen 127.0.0.1:{ports[way]} {listen}; {rules} }}" for way, (listen, rules, _) in WAYS.items()
    ]
    text = CONFIGURATION.replace("SERVERS", "\n".join(servers))
    text = text.replace("APP", server.removeprefix("http://")).replace("MOUNTED", mounted.split("/")[2])
    (folder / "nginx.conf").write_text(text)
    log = folder / "stderr.txt"
    with (
        log.open("w") as stderr,
        subprocess.Popen([nginx, "-p", folder, "-c", "nginx.conf"], stdout=stderr, stderr=stderr) as process,
    ):
        wait_until_listening(process, list(ports.values()), log)
        yield {
            way: f"{'https' if listen else 'http'}://127.0.0.1:{ports[way]}{prefix}"
            for way, (listen, _, prefix) in WAYS.items()
        }
        process.terminate()


def wait_until_listening(process: subprocess.Popen, ports: list[int], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while ports:
        assert process.poll() is None, f"nginx ended:\n{log.read_text()}"
        assert time.monotonic() < deadline, f"nginx does not listen:\n{log.read_text()}"
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", ports[0])) == 0:
                ports.pop(0)
            else:
                time.sleep(0.1)


@pytest.fixture
def behind(visitor, proxies):
    """A maker of visitors who come by a proxy."""

    def make(way: str) -> Visitor:
        someone = visitor(first=True, ignore_https_errors=True)
        someone.server = proxies[way]
        return someone

    return make


class Frames:
    """What the live sockets of a page bring it, and where they were opened."""

    def __init__(self, page: Page):
        self.urls, self.came = set(), 0
        page.on("websocket", self._opened)

    def _opened(self, socket: WebSocket) -> None:
        if socket.url.endswith("/live"):
            self.urls.add(socket.url)
            socket.on("framereceived", self._count)

    def _count(self, _) -> None:
        self.came += 1


def moves_a_slider(page: Page, frames: Frames) -> None:
    """The first slider is moved, and the picture that follows came by the live socket."""
    expect(page.get_by_role("status")).to_have_text("")
    before, came = seen(page), frames.came
    slider = page.get_by_role("slider").first
    slider.focus()
    page.keyboard.press("PageUp" if float(slider.input_value()) < 0 else "PageDown")
    changes(page, before)
    assert frames.came > came


@pytest.mark.parametrize("way", WAYS)
def test_a_slider_is_live_and_the_map_draws(behind, way):
    someone = behind(way)
    frames = Frames(someone.page)
    page = someone.opens(f"/?model={DEEP}")
    someone.is_live()
    moves_a_slider(page, frames)
    page.get_by_role("link", name="Latent map").click()
    page.locator("[data-testid=map][data-points='10000']").wait_for()
    page.get_by_role("link", name="Explore").click()
    expect(page.get_by_role("button", name="The middle")).to_be_visible()
    someone.is_live()
    moves_a_slider(page, frames)
    assert frames.urls == {someone.server.replace("http", "ws", 1) + "/live"}


@pytest.mark.parametrize("way", WAYS)
def test_a_link_to_the_map_draws_it(behind, way):
    someone = behind(way)
    frames = Frames(someone.page)
    page = someone.opens(f"/latent_map?model={FLAT}")
    page.locator("[data-testid=map][data-points='10000']").wait_for()
    expect(page.get_by_role("status")).to_have_text("")
    assert frames.urls == {someone.server.replace("http", "ws", 1) + "/live"}
    assert frames.came
