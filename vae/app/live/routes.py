"""The live path's addresses."""

import hashlib
import json
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import numpy as np
import plotly
import streamlit as st
from starlette.requests import Request as HttpRequest
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response

from vae import data
from vae.pictures import films
from vae.serve.jobs import asked
from vae.serve.jobs.queue import is_lost, jobs
from vae.train.history import HISTORIES
from vae.train.own.watch import watched

SOCKET, PLOTLY, TEST_PICTURES, TRAININGS, MINE = (
    "live",
    "plotly.js",
    "pictures",
    "histories",
    "mine",
)  # their paths, below the page's own server
MOMENTS = 20  # of a training that one answer tells
SIDE = 10  # pictures on a side of a sheet
KEPT = {"Cache-Control": "public, max-age=31536000, immutable"}


def route(path: str) -> str:
    """Where the server has a path that the browser's side asks for; below the base path, where the app is at one.

    Browsers ask relative to the page that they are on: a proxy may have put another prefix before all of this.
    """
    base = (st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}/{path}" if base else f"/{path}"


async def plotly_file(request: HttpRequest) -> FileResponse:
    """The browser's half of the installed plotly; its version is in the query, so it may be kept for good."""
    file = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    return FileResponse(file, headers=KEPT)


def pictures_of(dataset: data.Dataset | data.Gallery | data.Own) -> dict:
    """Where the pictures of a test set lie, for components that only show them: `side` x `side` of them to a sheet, at
    an address that names what is in the files. There are few sheets, so that a hand that moves asks for few.
    """
    return {"path": f"{TEST_PICTURES}/{_folder(dataset)}", "side": SIDE}


def _folder(dataset: data.Dataset | data.Gallery | data.Own) -> str:
    return f"{dataset.name}-{dataset.version('test')}"


def sheet_file(request: HttpRequest) -> Response:
    """One sheet as PNG. On a thread of the server's: it may read the whole set first."""
    name, _, version = request.path_params["folder"].rpartition("-")
    number = request.path_params["number"]
    try:
        dataset = data.dataset_of(name)
    except ValueError:
        dataset = None
    if dataset is None or dataset.version("test") != version or number * SIDE**2 >= dataset.count("test"):
        return PlainTextResponse("There is no such sheet.", 404, {"Cache-Control": "no-store"})
    return Response(sheet(dataset.name, number), media_type="image/png", headers=KEPT)


@lru_cache(256)
def sheet(dataset: str, number: int) -> bytes:
    """The file; places beyond the last picture are black."""
    pictures = data.test_set(dataset).images[number * SIDE**2 : (number + 1) * SIDE**2]
    frames = films.as_frames(data.grey(pictures))
    frames = np.concatenate([frames, np.zeros((SIDE**2 - len(frames), *frames.shape[1:]), np.uint8)])
    whole = films.sheet(frames, SIDE)
    return films.strip(whole[None], whole.shape[1])


@lru_cache
def history_path(name: str) -> str:
    """Where the recorded training of a recipe lies, at an address that names what is in the file."""
    return f"{TRAININGS}/{name}/{hashlib.sha256((HISTORIES / f'{name}.safetensors').read_bytes()).hexdigest()[:12]}"


def history_file(request: HttpRequest) -> Response:
    """A recorded training, as it lies on disk."""
    name, version = request.path_params["name"], request.path_params["version"]
    file = HISTORIES / f"{name}.safetensors"
    if file not in HISTORIES.glob("*.safetensors") or not history_path(name).endswith(f"/{version}"):
        return PlainTextResponse("There is no such training.", 404, {"Cache-Control": "no-store"})
    return FileResponse(file, media_type="application/octet-stream", headers=KEPT)


def training_file(request: HttpRequest) -> Response:
    """How a visitor's training stands, and what was seen of it from the moment of that number on; for whoever has its
    key."""
    key, since = request.path_params["key"], request.path_params["since"]
    fresh = {"Cache-Control": "no-store"}
    found = jobs().find(key)
    if found is None:
        return PlainTextResponse("There is no such training, or not any more.", 404, fresh)
    folder = jobs().folder(key)
    moments = watched(folder)
    told = {
        "stand": found.stand.value,
        "before": jobs().place(key),
        "why": found.why,
        "lost": is_lost(found),
        "said": asked.said(folder),
        "measures": (folder / asked.DRAFT).exists(),
        "steps": [int(path.stem) for path in moments],
        "frames": _seen(moments[since : since + MOMENTS]),
        "wish": asdict(asked.wish(folder)),
    }
    return JSONResponse(told, headers=fresh)


def _seen(moments: list[Path]) -> list[dict]:
    """What was seen at some moments, up to the first that a process that began again has taken back meanwhile."""
    found = []
    for path in moments:
        try:
            found.append(json.loads(path.read_text()))
        except FileNotFoundError:
            break
    return found
