"""Interpolate: journeys between pictures, three paths side by side, judged by numbers."""

import subprocess
from collections.abc import Callable

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from vae import latent
from vae.app import look
from vae.app.components import journey as component
from vae.app.live import wire
from vae.app.look import ledger
from vae.app.session import inputs, kept, link, sources, verdict
from vae.latent.journey import PATHS, Way, journey, met
from vae.models import pretrained
from vae.pictures import films
from vae.serve.engine import engine

MODES = {"two": "Two pictures", "four": "Four pictures", "sum": "A − B + C"}
ENDS = {"two": "AB", "four": "ABCD", "sum": "ABC"}
OPEN = ("i", "b", "s")  # ids that mean one picture for everyone: what is computed of them is kept for all sessions
STARTS = (7, 0, 4)  # classes to begin with, beside the current input
STEPS, SPEEDS = (24, 60, 120), (10, 20, 30)  # frames of a way, of which a round of four has a quarter on each edge
SIDE = 9  # decoded pictures on a side of the square between four
MOST = 1.5  # how much of A - B is added to C at most
WIDTH = 256  # pixels of an exported picture, at least
POOR = 0.02  # an end is reconstructed poorly where so few test pictures are reconstructed worse


# ---- what is chosen ----


def restored(name: str) -> list[str]:
    """The ids of A, B, C and D: this session's, else the link's, else the current input and examples."""
    key = f"ends.{inputs.dataset_of(name).name}"
    if key not in st.session_state:
        starts = [inputs.address(inputs.current(name)), *(f"i{kept.typical(name)[start]}" for start in STARTS)]
        asked = link.asked("ends").split(",")
        asked = [one if one[:1] in OPEN and inputs.find(name, one) is not None else "" for one in asked[:4]]
        asked += [""] * (len(starts) - len(asked))
        st.session_state[key] = [one or start for one, start in zip(asked, starts, strict=True)]
    return st.session_state[key]


def remembered(key: str, allowed: list, otherwise):
    """A widget's first value: what the link says, where that is allowed."""
    if f"journey.{key}" not in st.session_state:
        asked = {str(value): value for value in allowed}.get(link.asked(key), otherwise)
        st.session_state[f"journey.{key}"] = asked
    return st.session_state[f"journey.{key}"]


@st.dialog("A picture")
def choose(name: str, letter: str) -> None:
    """Another picture for one end."""
    found = sources.choose(name)
    if found is not None and st.button(f"Use as {letter}", type="primary"):
        ends = restored(name)
        ends["ABCD".index(letter)] = inputs.address(found)
        if found.prepared:
            inputs.remember(name, found)
        st.rerun()


# ---- what is computed ----


@st.cache_data(show_spinner=False, max_entries=64)
def end(name: str, identity: str) -> dict:
    """A picture with its encoding, and a sentence where the model reconstructs it poorly."""
    found = inputs.find(name, identity)
    seen = engine().ask_sketch(name, found.x).result()
    everyone = pretrained.load_reconstructions(name)
    worse = float((everyone < seen.reconstruction[0]).float().mean())
    poor = f"is reconstructed worse than {100 * (1 - worse):.0f} % of the test pictures are" if worse < POOR else ""
    pixels = look.as_text(look.to_uint8(found.picture[0]))
    return {"id": identity, "x": found.x, "mu": seen.mu[0], "poor": poor, "pixels": pixels}


@st.cache_resource(show_spinner=False, max_entries=24)
def between(name: str, a: str, b: str, steps: int) -> dict[str, Way]:
    """The three paths from A to B."""
    ends = end(name, a), end(name, b)
    (mu_a, x_a), (mu_b, x_b) = ((one["mu"], one["x"]) for one in ends)
    return engine().compute(journey, engine().model(name), mu_a, mu_b, x_a, x_b, engine().company[name], steps)


@st.cache_resource(show_spinner=False, max_entries=24)
def added(name: str, a: str, b: str, c: str, steps: int) -> dict[str, Way]:
    """C + t (A - B) for t from 0 to MOST."""
    mu_a, mu_b, mu_c = (end(name, identity)["mu"] for identity in (a, b, c))
    z = latent.lerp(mu_c, mu_c + MOST * (mu_a - mu_b), steps)
    model, company, x = engine().model(name), engine().company[name], end(name, c)["x"]
    found = engine().compute(met, model, z, x, end(name, a)["x"], company)
    return {"sum": Way(z, found, engine().compute(latent.judge, model, z, company.mu, company.sigma))}


@st.cache_resource(show_spinner=False, max_entries=24)
def square(name: str, identities: tuple[str, ...]) -> tuple[Tensor, np.ndarray]:
    """The grid between four pictures: z (side, side, d), and the decoded pictures as bytes, row by row."""
    corners = torch.stack([end(name, identity)["mu"] for identity in identities])
    z = latent.bilinear(corners, SIDE)
    return z, films.as_frames(engine().pictures(name, z.flatten(0, 1)))


@st.cache_resource(show_spinner=False, max_entries=24)
def round_trip(name: str, identities: tuple[str, ...], steps: int) -> tuple[Tensor, np.ndarray]:
    """The round along the square's edges: z (steps, d), and the decoded pictures as bytes."""
    z = latent.around(torch.stack([end(name, identity)["mu"] for identity in identities]), steps)
    return z, films.as_frames(engine().pictures(name, z))


def described(way: Way) -> dict:
    """A way as the component reads it: its pictures as one strip, its numbers, its verdict."""
    series = way.steps._asdict()
    frames = films.as_frames(series.pop("mean"))
    return {
        "strip": look.as_text(films.strip(frames, frames.shape[2])),
        "z": look.as_text(way.z),
        "series": {name: look.as_text(values) for name, values in series.items()},
        "judged": way.judged._asdict(),
    }


# ---- the page ----


def changed() -> None:
    """The component's callback: a hand let go of the scrubber, or chose another path."""
    value = st.session_state["journey"].get("place")
    if not isinstance(value, dict):
        return
    if value.get("path") in PATHS:
        st.session_state["journey.path"] = value["path"]
    at = value.get("at")
    if isinstance(at, list) and len(at) <= 2 and all(isinstance(part, int | float) and 0 <= part <= 1 for part in at):
        st.session_state[f"journey.at.{st.session_state['journey.mode']}"] = [round(part, 4) for part in at]


def place() -> list[float]:
    """Where on this mode's journey: a share of the way, or of the square's width and height; from the link at first."""
    mode = st.session_state["journey.mode"]
    key = f"journey.at.{mode}"
    if key not in st.session_state:
        here = link.asked("mode") in ("", mode)
        try:
            asked = [float(part) for part in link.asked("at").split(",")] if here else []
        except ValueError:
            asked = []
        st.session_state[key] = [min(1.0, max(0.0, part)) for part in asked if part == part][:2]
    return st.session_state[key]


def grid(frames: np.ndarray) -> bytes:
    """The square's pictures, row by row, as one PNG."""
    sheet = films.sheet(frames, SIDE)
    return films.strip(sheet[None], 2 * sheet.shape[1])


@st.cache_data(show_spinner=False, max_entries=24)
def film(kind: str, frames: np.ndarray, speed: int, back: bool) -> bytes:
    """The frames as a film. OSError or TimeoutExpired where ffmpeg fails."""
    return films.formats()[kind].write(films.there_and_back(frames) if back else frames, WIDTH, speed)


def take_away(
    name: str, mode: str, path: str, frames: np.ndarray, still: Callable[[], bytes], latents: dict[str, Tensor]
) -> None:
    """The frames as a film, the `still` picture of them all, or the latents; made at once, so that a click has it."""
    kinds_of_film, four = films.formats(), mode == "four"
    options = {"width": 110, "persist_state": "session"}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kinds = [*kinds_of_film, "PNG", "Latents (NPZ)"]
        kind = st.selectbox("Export", kinds, key="journey.format", width=150, persist_state="session")
        if kind != "PNG" or not four:
            st.selectbox("Frames", STEPS, key="journey.steps", **options)
        if kind in kinds_of_film:
            speed = st.selectbox("Frames a second", SPEEDS, key="journey.speed", **options)
            back = not four and st.toggle("And back", True, key="journey.back", persist_state="session")
            try:
                content = film(kind, frames, speed, back)
            except (OSError, subprocess.TimeoutExpired):
                st.error(f"{kind} cannot be made here; GIF and WebP can.")
                return
            file, mime = f"{name}-{path}.{kinds_of_film[kind].suffix}", kinds_of_film[kind].mime
        elif kind == "PNG":
            content, file, mime = still(), f"{name}-{path}.png", "image/png"
        else:
            arrays = {word: z.numpy() for word, z in latents.items()}
            content, file, mime = films.npz(**arrays), f"{name}-{mode}.npz", "application/octet-stream"
        st.download_button(f"Download {kind}", content, file, mime, on_click="ignore", icon=":material/download:")
    if four and kind in kinds_of_film:
        st.caption("The film goes around the four: A, B, D, C, and on without a stop.")


def page(name: str) -> None:
    """The ends, the ways between them, and files to take away."""
    remembered("mode", list(MODES), "two")
    remembered("steps", list(STEPS), 60)
    remembered("speed", list(SPEEDS), 20)
    path = remembered("path", list(PATHS), "following")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        options = {"label_visibility": "collapsed", "required": True, "persist_state": "session"}
        mode = st.segmented_control("Mode", list(MODES), format_func=MODES.get, key="journey.mode", **options)
    identities, steps = restored(name)[: len(ENDS[mode])], st.session_state["journey.steps"]
    found = [inputs.find(name, identity) for identity in identities]
    # what is computed of a picture is everyone's, what it is called is not
    ends = [end(name, one) | {"name": own.name} for one, own in zip(identities, found, strict=True)]
    verdict.show(name, *found)
    ways, sheet = {}, None
    if mode == "two":
        ways = between(name, *identities, steps)
    elif mode == "sum":
        ways, path = added(name, *identities, steps + 1), "sum"
    else:
        sheet = square(name, tuple(identities))
    spec = engine().model(name).input_spec
    result = component(
        key="journey",
        data={
            "live": wire.wire("journey"),
            "rev": f"{name} {mode} {identities} {steps} {link.turn()}",
            "model": list(engine().models).index(name),
            "latents": engine().model(name).latents,
            "shape": list(spec.shape),
            "lengths": "bits" if spec.levels == 2 else "levels",  # what `latent.embed` measures
            "mode": mode,
            "ends": [
                {"letter": letter, "mu": one["mu"].tolist()} | {word: one[word] for word in ("name", "poor", "pixels")}
                for letter, one in zip(ENDS[mode], ends, strict=True)
            ],
            "ways": {word: described(way) for word, way in ways.items()},
            "square": sheet and {"side": SIDE, "strip": look.as_text(films.strip(sheet[1], sheet[1].shape[2]))},
            "most": MOST,
            "steps": steps,
            "speed": st.session_state["journey.speed"],
            "chosen": path,
            "at": place(),
        },
        on_place_change=changed,
        on_change_change=lambda: None,
        on_question_change=lambda: wire.answer("journey"),
    )
    if sheet:
        z, frames = round_trip(name, tuple(identities), steps)
        take_away(name, mode, "four", frames, lambda: grid(sheet[1]), {"z": sheet[0], "around": z})
    else:
        frames = films.as_frames(ways[path].steps.mean)
        latents = {word: way.z for word, way in ways.items()}
        take_away(name, mode, path, frames, lambda: films.strip(frames, 2 * frames.shape[2]), latents)
    link.write(
        {
            "model": name,
            "mode": mode,
            "path": path,
            "steps": str(steps),
            "ends": ",".join(restored(name)),
            "at": ",".join(f"{part:g}" for part in place()),
        }
    )
    ledger.below(name, {letter: one["x"] for letter, one in zip(ENDS[mode], ends, strict=True)})
    if result.change in list(ENDS[mode]):
        choose(name, result.change)


page(st.session_state["model"])
