"""The live path's addresses."""

from pathlib import Path

import plotly
import streamlit as st
from starlette.requests import Request as HttpRequest
from starlette.responses import FileResponse

SOCKET, PLOTLY = "live", "plotly.js"  # their paths, below the page's own server


def route(path: str) -> str:
    """Where the server has a path that the browser's side asks for; below the base path, where the app is at one.

    Browsers ask relative to the page that they are on: a proxy may have put another prefix before all of this.
    """
    base = (st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}/{path}" if base else f"/{path}"


async def plotly_file(request: HttpRequest) -> FileResponse:
    """The browser's half of the installed plotly; its version is in the query, so it may be kept for good."""
    file = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    return FileResponse(file, headers={"Cache-Control": "public, max-age=31536000, immutable"})
