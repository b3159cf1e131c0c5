"""What is seen, to take away: a film, a picture of all its frames, or the latents behind them."""

import subprocess

import numpy as np
import streamlit as st
from jaxtyping import Float, UInt8
from torch import Tensor

from vae.pictures import films
from vae.pictures.films import Frames
from vae.serve import asked
from vae.serve.engine import engine
from vae.serve.entry import Entry
from vae.serve.library import library

STEPS, SPEEDS = (24, 60, 120), (10, 20, 30)  # frames of a way, of which a round of four has a quarter on each edge
WIDTH = 256  # pixels of an exported picture, at least


def decoded(entry: Entry, z: Float[Tensor, "n d"]) -> Frames:
    """The pictures of places, as bytes."""
    return films.as_frames(engine().answer(asked.PICTURES, library().lease(entry), z))


@st.cache_data(show_spinner=False, max_entries=24)
def film(kind: str, frames: np.ndarray, speed: int, back: bool) -> bytes:
    """The frames as a film. OSError or TimeoutExpired where ffmpeg fails."""
    return films.formats()[kind].write(films.there_and_back(frames) if back else frames, WIDTH, speed)


def picture(pixels: UInt8[np.ndarray, "h w *c"], width: int = WIDTH) -> bytes:
    """One picture as a PNG, at least so wide."""
    return films.strip(pixels[None], width)


def films_of(
    key: str,
    name: str,
    frames: Frames,
    latents: dict[str, Tensor],
    sheet: UInt8[np.ndarray, "high wide *c"] | None = None,
) -> None:
    """The frames as a film, a strip of them, or the latents; made at once, so that a click has it.

    A widget's choice is kept under `key`; the number of frames, `key`.steps, is for the caller to heed. Frames that
    go around, and do not need to go back, have a `sheet` in the strip's place.
    """
    kinds_of_film = films.formats()
    options = {"width": 110, "persist_state": "session"}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kinds = [*kinds_of_film, "PNG", "Latents (NPZ)"]
        kind = st.selectbox("Export", kinds, key=f"{key}.format", width=150, persist_state="session")
        if kind != "PNG" or sheet is None:
            st.selectbox("Frames", STEPS, key=f"{key}.steps", **options)
        if kind in kinds_of_film:
            speed = st.selectbox("Frames a second", SPEEDS, key=f"{key}.speed", **options)
            back = sheet is None and st.toggle("And back", True, key=f"{key}.back", persist_state="session")
            try:
                content = film(kind, frames, speed, back)
            except (OSError, subprocess.TimeoutExpired):
                st.error(f"{kind} cannot be made here; GIF and WebP can.")
                return
            file, mime = f"{name}.{kinds_of_film[kind].suffix}", kinds_of_film[kind].mime
        elif kind == "PNG":
            content = films.strip(frames, 2 * frames.shape[2]) if sheet is None else picture(sheet, 2 * sheet.shape[1])
            file, mime = f"{name}.png", "image/png"
        else:
            arrays = {word: z.numpy() for word, z in latents.items()}
            content, file, mime = films.npz(**arrays), f"{name}.npz", "application/octet-stream"
        st.download_button(f"Download {kind}", content, file, mime, on_click="ignore", icon=":material/download:")
