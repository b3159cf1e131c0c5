"""Strangers at the running server, who speak Streamlit's protocol and need no browser."""

import random
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import streamlit as st
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

from tests.registry import BITS, VECTORS

LONG = 60
NAMES = VECTORS
MOST = 10**6 * st.get_option("server.maxMessageSize")


@contextmanager
def session(server: str) -> Iterator[ClientConnection]:
    address = server.replace("http", "ws") + "/_stcore/stream"
    options = {
        "subprotocols": ["streamlit"],
        "compression": None,
        "max_size": None,
        "max_queue": None,
        "ping_interval": None,
    }
    with connect(address, origin=server, proxy=None, open_timeout=LONG, **options) as client:
        yield client


def asks(client: ClientConnection, page: str, query: str) -> None:
    message = BackMsg()
    message.rerun_script.page_name, message.rerun_script.query_string = page, query
    client.send(message.SerializeToString())


def run(client: ClientConnection, page: str, query: str) -> list[bytes]:
    """All messages of a page's script."""
    asks(client, page, query)
    found = []
    while True:
        found.append(client.recv(LONG))
        message = ForwardMsg.FromString(found[-1])
        if message.WhichOneof("type") == "script_finished":
            return found


def visit(server: str) -> float:
    """Seconds until Reconstruct is there for a newcomer, with a picture that nobody asked for before."""
    start = time.monotonic()
    with session(server) as client:
        run(client, "reconstruct", f"model={BITS[-1]}&x=i{random.randrange(10_000)}")
    return time.monotonic() - start


def test_visits_that_are_broken_off_leave_nothing_that_the_next_visitor_waits_for(server):
    visit(server)
    calm = max(visit(server) for _ in range(2))
    with ExitStack() as stack:
        for _ in range(40):
            client = stack.enter_context(session(server))
            asks(client, "reconstruct", f"model={BITS[-1]}&x=i{random.randrange(10_000)}")
        time.sleep(4)  # scripts have begun, and all but a few wait for their records
    assert visit(server) < 2 * calm + 2


@pytest.mark.parametrize("page", ["", "latent_map", "interpolate", "reconstruct", "models"])
def test_the_largest_message_of_a_page_is_a_quarter_of_what_the_server_takes_at_most_of_colours_half(server, page):
    for name in NAMES:
        with session(server) as client:
            messages = run(client, page, f"model={name}&steps=120")
        assert max(map(len, messages)) < MOST / (4 if name in BITS else 2)
        content = b"".join(messages)
        assert b"MessageSizeError" not in content


def test_pages_and_files_say_what_may_run_and_who_may_frame_them(server):
    for path in ("/", "/reconstruct", "/plotly.js", "/_stcore/health"):
        with urllib.request.urlopen(server + path, timeout=LONG) as answer:
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
