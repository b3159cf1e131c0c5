"""Two gates, Streamlit's own socket and the live one, that must let in the same pages: a page needs both."""

import asyncio
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from streamlit import config, net_util
from streamlit.web.server.starlette.starlette_websocket import create_websocket_handler

from vae.app.door import origins
from vae.app.live import messages, sockets

LAB = "lab.example"
FRIENDS = {"server.corsAllowedOrigins": ["https://lab.example "]}
OPEN = {"server.enableCORS": False}
HOSTS = {"server.allowedHosts": [LAB]}
# Origin, Host, X-Forwarded-Host, options of the server, and whether such a page may come.
TABLE = [
    ("http://lab.example", LAB, None, {}, True),
    ("https://lab.example", LAB, None, {}, True),  # TLS ends at a proxy
    ("https://lab.example:8501", "lab.example:8501", None, {}, True),
    ("https://lab.example:8502", "lab.example:8501", None, {}, False),
    ("https://evil.example", LAB, None, {}, False),
    ("https://lab.example.org", LAB, None, {}, False),
    ("https://lab.example@evil.example", LAB, None, {}, False),
    ("https://evil.example/lab.example", LAB, None, {}, False),
    ("http://lab.example\\@evil.example", LAB, None, {}, False),
    ("http://lab.example, https://evil.example", LAB, None, {}, False),
    ("null", LAB, None, {}, False),
    ("", LAB, None, {}, False),
    ("http://[", LAB, None, {}, False),
    (None, LAB, None, {}, True),  # no browser's page: browsers always say where one came from
    ("http://localhost:3000", LAB, None, {}, True),  # a browser on this machine, to which a proxy gave another Host
    # a proxy that gives another Host, and says which one there was
    ("https://lab.example", "inner:8501", None, {}, False),
    ("https://lab.example", "inner:8501", LAB, {}, False),
    ("https://lab.example", "inner:8501", "lab.example, inner:80", {}, False),
    ("https://evil.example", LAB, "evil.example", {}, False),
    # what the owner may say
    ("https://lab.example", "inner:8501", None, FRIENDS, True),
    ("http://lab.example:8080", "inner:8501", None, FRIENDS, True),
    ("https://evil.example", "inner:8501", None, FRIENDS, False),
    ("https://evil.example", LAB, None, OPEN, True),
    ("null", LAB, None, OPEN, True),
    ("https://lab.example", LAB, None, HOSTS, True),
    ("https://evil.example", "evil.example", None, HOSTS, False),
]


class Runtime(SimpleNamespace):
    """What Streamlit's gate asks for once it has let a socket in."""

    def connect_session(self, **_) -> str:
        return "a session"

    def disconnect_session(self, *_, **__) -> None:
        pass


GATES = Starlette(
    routes=[
        WebSocketRoute("/_stcore/stream", create_websocket_handler(Runtime())),
        WebSocketRoute("/live", sockets.live),
    ]
)


def lets_in(gate: str, **headers: str | None) -> bool:
    """Whether a socket with these headers, which goes at once, was let in."""
    said = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items() if value is not None]
    scope = {"type": "websocket", "path": gate, "query_string": b"", "headers": said, "subprotocols": []}
    coming = iter([{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1005}])
    answers: list[dict] = []

    async def receive() -> dict:
        return next(coming)

    async def send(answer: dict) -> None:
        answers.append(answer)

    try:
        asyncio.run(GATES(scope, receive, send))
    except ValueError:  # Streamlit's gate falls over what is no address at all, and nobody is let in
        assert not answers
    accepted = any(answer["type"] == "websocket.accept" for answer in answers)
    return accepted and not any(answer.get("code") == messages.Close.ORIGIN for answer in answers)


def asks_the_net(url: str, timeout: float) -> str:
    pytest.fail(f"a stranger makes the server ask {url} for up to {timeout} s")


@pytest.mark.parametrize(("origin", "host", "forwarded", "options", "may_come"), TABLE)
def test_both_gates_let_in_the_same_pages(monkeypatch, origin, host, forwarded, options, may_come):
    option = config.get_option
    monkeypatch.setattr(config, "get_option", lambda name: options.get(name, option(name)))
    monkeypatch.setattr(net_util, "_make_blocking_http_get", asks_the_net)
    monkeypatch.setattr(net_util, "get_external_ip", net_util.get_external_ip)
    origins.ask_nobody()
    headers = {"origin": origin, "host": host, "x_forwarded_host": forwarded}
    found = {gate: lets_in(gate, **headers) for gate in ("/_stcore/stream", "/live")}
    assert found == {"/_stcore/stream": may_come, "/live": may_come}
