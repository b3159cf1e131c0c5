"""What every answer says to the browser: which content it may run, and who may show it in a frame.

Streamlit's page has a script of its own inline, which is known by its hash, and styles that are not; components bring
their modules as blobs, and Plotly writes the programs that draw the map as it goes, which is eval. Everything from
elsewhere is forbidden, and every script that somebody might smuggle into a page.
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vae.app.door import base

POLICY = {
    "default-src": "'self'",
    "script-src": "'self' blob: 'unsafe-eval'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob:",
    "worker-src": "'self' blob:",
    "frame-src": "'self' blob: data:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
}


def policy(friends: Iterable[str] = ()) -> str:
    """The content security policy; pages of `friends`, origins that the owner allows, may frame the app."""
    rules = POLICY | {"frame-ancestors": " ".join(["'self'", *friends])}
    rules["script-src"] = " ".join([rules["script-src"], *_inline()])
    return "; ".join(f"{name} {value}" for name, value in rules.items())


@cache
def _inline() -> list[str]:
    """The hashes of the scripts inside Streamlit's page, and of the one that is put into it."""
    page = (Path(st.__file__).parent / "static" / "index.html").read_bytes()
    scripts = re.findall(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", page, re.DOTALL)
    scripts.append(base.SCRIPT)
    return [f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'" for script in scripts]


class Headers:
    """Middleware that adds them to every answer over HTTP."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers, friends = MutableHeaders(scope=message), st.get_option("server.corsAllowedOrigins")
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "same-origin"
                headers["Content-Security-Policy"] = policy(friends)
                if not friends:  # it knows no friends, and browsers that know the policy do not look at it
                    headers["X-Frame-Options"] = "SAMEORIGIN"
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)
