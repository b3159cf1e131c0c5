"""Streamlit's page, told where its server is, and what the lab's own side needs from the beginning.

A page lies one step below its server: at /lab/latent_map where that is at /lab/. Streamlit's script does not know that,
and asks below the page's own address first: every link to a page began with two answers of 404. What a host that embeds
it may tell it, it takes from `window.__streamlit`. It is told the place that the page's own scripts are relative to, so
where there is a page at all, this is its server, whatever prefix a proxy has put before it. Beside that it gets the
loader of the components' modules, and what of them is there before Streamlit (`served.HEAD`).
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vae.app.components import served

SCRIPT = b"window.__streamlit = { BACKEND_BASE_URL: new URL('.', document.baseURI).href };\n" + served.LOADER
HEAD = b"<head>"
PUT_IN = b"<script>" + SCRIPT + b"</script>" + served.HEAD


class Base:
    """Middleware that puts the script into each page."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http"
            or scope["method"] != "GET"
            or "text/html" not in Headers(scope=scope).get("accept", "")
        ):
            await self.app(scope, receive, send)
            return
        # not compressed, and never "as you have it": the browser may have it from before there was a script, or another
        unwanted = (b"accept-encoding", b"if-none-match", b"if-modified-since")
        plain = scope | {"headers": [pair for pair in scope["headers"] if pair[0] not in unwanted]}
        held: list[Message] = []

        async def send_with_script(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_page(message):
                held.append(message)
            elif held and message["type"] == "http.response.body":
                held.append(message)
                if not message.get("more_body"):
                    for each in _with_script(*held):
                        await send(each)
            else:
                await send(message)

        await self.app(plain, receive, send_with_script)


def _is_page(start: Message) -> bool:
    kind = Headers(raw=start["headers"]).get("content-type", "")
    return start["status"] == 200 and kind.startswith("text/html")


def _with_script(start: Message, *parts: Message) -> tuple[Message, Message]:
    """The same answer in one part, with the script first in its head, and what is to be there behind it."""
    body = b"".join(part.get("body", b"") for part in parts)
    body = body.replace(HEAD, HEAD + PUT_IN, 1)
    headers = MutableHeaders(raw=list(start["headers"]))
    headers["content-length"] = str(len(body))
    for validator in ("etag", "last-modified"):  # they are of the page without the script
        del headers[validator]
    return start | {"headers": headers.raw}, {"type": "http.response.body", "body": body}
