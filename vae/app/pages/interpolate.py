"""Interpolate: journeys between pictures, three paths side by side, judged by numbers."""

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from vae import latent
from vae.app import look
from vae.app.components import journey as component
from vae.app.live import wire
from vae.app.look import ledger, takeaway
from vae.app.look.keys import KEYS
from vae.app.look.takeaway import SPEEDS, STEPS
from vae.app.session import inputs, link, picker, sources, verdict
from vae.app.session.ids import Id, parse
from vae.app.session.places import ends
from vae.latent.journey import PATHS, Way, journey, met, paths
from vae.pictures import films
from vae.serve import asked
from vae.serve.capabilities import Can
from vae.serve.engine import engine
from vae.serve.entry import Entry
from vae.serve.library import library

MODES = {"two": "A journey", "four": "Four pictures", "sum": "A − B + C"}
ENDS = {"two": ends.LETTERS, "four": "ABCD", "sum": "ABC"}  # of a journey as many as there are stops
SIDE = 9  # decoded pictures on a side of the square between four
MOST = 1.5  # how much of A - B is added to C at most
POOR = 0.02  # an end is reconstructed poorly where so few test pictures are reconstructed worse


# ---- what is chosen ----


def remembered(key: str, allowed: list, otherwise):
    """A widget's first value: what the link says, where that is allowed."""
    if f"journey.{key}" not in st.session_state:
        asked = {str(value): value for value in allowed}.get(link.asked(key), otherwise)
        st.session_state[f"journey.{key}"] = asked
    return st.session_state[f"journey.{key}"]


@st.dialog("A picture")
def choose(entry: Entry, letter: str) -> None:
    """Another picture for one end."""
    given = sources.choose(entry)
    if given is not None and st.button(f"Use as {letter}", type="primary"):
        ends.put(entry, letter, given)
        sources.put_away(sources.DIALOG)
        st.rerun()


# ---- what is computed ----


@st.cache_data(show_spinner=False, max_entries=64, hash_funcs=KEYS)
def end(entry: Entry, picture: str) -> dict:
    """A picture with its encoding, and a sentence where the model reconstructs it poorly."""
    given = inputs.find(entry, parse(picture))
    loaded = library().lease(entry)
    seen = engine().answer(asked.SKETCH, loaded, given.x)
    worse = float((loaded.reconstructions < seen.reconstruction[0]).float().mean())
    poor = f"is reconstructed worse than {100 * (1 - worse):.0f} % of the test pictures are" if worse < POOR else ""
    pixels = look.as_text(look.to_uint8(given.picture[0]))
    return {"id": picture, "x": given.x, "mu": seen.mu[0], "poor": poor, "pixels": pixels}


@st.cache_resource(show_spinner=False, max_entries=24, hash_funcs=KEYS)
def between(entry: Entry, pictures: tuple[str, ...], steps: int) -> dict[str, Way]:
    """The three paths through the pictures."""
    stops, loaded = [end(entry, picture) for picture in pictures], library().lease(entry)
    mu = torch.stack([stop["mu"] for stop in stops])
    return engine().compute(journey, loaded.model, mu, stops[0]["x"], stops[-1]["x"], loaded.company, steps)


@st.cache_resource(show_spinner=False, max_entries=24, hash_funcs=KEYS)
def added(entry: Entry, a: str, b: str, c: str, steps: int) -> dict[str, Way]:
    """C + t (A - B) for t from 0 to MOST."""
    mu_a, mu_b, mu_c = (end(entry, picture)["mu"] for picture in (a, b, c))
    z, loaded = latent.lerp(mu_c, mu_c + MOST * (mu_a - mu_b), steps), library().lease(entry)
    model, company = loaded.model, loaded.company
    steps_met = engine().compute(met, model, z, end(entry, c)["x"], end(entry, a)["x"], company)
    return {"sum": Way(z, steps_met, engine().compute(latent.judge, model, z, company.mu, company.sigma))}


@st.cache_resource(show_spinner=False, max_entries=24, hash_funcs=KEYS)
def square(entry: Entry, pictures: tuple[str, ...]) -> tuple[Tensor, np.ndarray]:
    """The grid between four pictures: z (side, side, d), and the decoded pictures as bytes, row by row."""
    corners = torch.stack([end(entry, picture)["mu"] for picture in pictures])
    z = latent.bilinear(corners, SIDE)
    return z, takeaway.decoded(entry, z.flatten(0, 1))


@st.cache_resource(show_spinner=False, max_entries=24, hash_funcs=KEYS)
def round_trip(entry: Entry, pictures: tuple[str, ...], steps: int) -> tuple[Tensor, np.ndarray]:
    """The round along the square's edges: z (steps, d), and the decoded pictures as bytes."""
    z = latent.around(torch.stack([end(entry, picture)["mu"] for picture in pictures]), steps)
    return z, takeaway.decoded(entry, z)


def described(way: Way) -> dict:
    """A way as the component reads it: its pictures as one strip, its numbers, its verdict."""
    series = way.steps._asdict()
    frames = films.as_frames(series.pop("mean"))
    return {
        "strip": look.as_text(films.light_strip(frames)),
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


def stops() -> int:
    """How many pictures a journey leads through: as many as the link names, at first."""
    if "journey.count" not in st.session_state:
        said = link.asked("stops")
        allowed = [str(count) for count in range(2, len(ends.LETTERS) + 1)]
        st.session_state["journey.count"] = int(said) if said in allowed else 2
    return st.session_state["journey.count"]


@wire.fragment
def instrument(entry: Entry, mode: str, chosen: list[Id], steps: int) -> None:
    """The journey and the scrubber; only this part runs again when a hand lets go."""
    pictures, path = [str(picture) for picture in chosen], path_of(entry)
    # what is computed of a picture is everyone's, what it is called is not
    shown = [end(entry, str(picture)) | {"name": inputs.find(entry, picture).name} for picture in chosen]
    sheet = None
    if mode == "four":
        decoded = square(entry, tuple(pictures))[1]
        sheet = {"side": SIDE, "strip": look.as_text(films.light_strip(decoded))}
    result = component(
        key="journey",
        data={
            "live": wire.wire("journey", entry),
            "rev": f"{entry.name} {mode} {pictures} {steps} {link.turn()}",
            "latents": entry.latents,
            "shape": list(entry.pictures.shape),
            "lengths": "bits" if entry.lacks(Can.BITS) is None else "levels",  # what `latent.embed` measures
            "mode": mode,
            "ends": [
                {"letter": letter, "mu": one["mu"].tolist()} | {word: one[word] for word in ("name", "poor", "pixels")}
                for letter, one in zip(ENDS[mode], shown, strict=False)
            ],
            "ways": {word: described(way) for word, way in ways_of(entry, mode, pictures, steps).items()},
            "square": sheet,
            "most": MOST,
            "steps": steps,
            "speed": st.session_state["journey.speed"],
            "chosen": "sum" if mode == "sum" else path,
            "at": place(),
        },
        on_place_change=changed,
        on_change_change=lambda: None,
        on_question_change=lambda: wire.answer("journey"),
    )
    link.write(
        {
            "model": entry.name,
            "mode": mode,
            "path": path if mode != "sum" else "sum",
            "steps": str(steps),
            "ends": ",".join(
                inputs.address(inputs.find(entry, picture)) for picture in ends.restored(entry)[: max(4, len(chosen))]
            ),
            "at": ",".join(f"{part:g}" for part in place()),
        }
        | ({"stops": str(len(chosen))} if mode == "two" and len(chosen) > 2 else {})
    )
    if result.change in ("+", "−") and mode == "two":
        count = st.session_state["journey.count"] + (1 if result.change == "+" else -1)
        st.session_state["journey.count"] = min(len(ends.LETTERS), max(2, count))
        st.rerun()
    if result.change in list(ENDS[mode]):
        st.session_state["journey.change"] = result.change
        st.rerun()
    if st.session_state["journey.shown"] != path:  # the files to take away are of another path
        st.rerun()


def path_of(entry: Entry) -> str:
    """The path that is shown: the chosen one, where the model has it."""
    path = st.session_state["journey.path"]
    return path if path in paths(entry.pictures) else "spherical"


def ways_of(entry: Entry, mode: str, pictures: list[str], steps: int) -> dict[str, Way]:
    """The paths of a mode by name; none between four, which have a square."""
    if mode == "two":
        return between(entry, tuple(pictures), steps)
    return added(entry, *pictures, steps + 1) if mode == "sum" else {}


def page(entry: Entry) -> None:
    """The ends, the ways between them, and files to take away."""
    remembered("mode", list(MODES), "two")
    remembered("steps", list(STEPS), 60)
    remembered("speed", list(SPEEDS), 20)
    remembered("path", list(PATHS), "following")
    path = st.session_state["journey.shown"] = path_of(entry)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        options = {"label_visibility": "collapsed", "required": True, "persist_state": "session"}
        mode = st.segmented_control("Mode", list(MODES), format_func=MODES.get, key="journey.mode", **options)
    count = stops() if mode == "two" else len(ENDS[mode])
    chosen, steps = ends.restored(entry)[:count], st.session_state["journey.steps"]
    pictures = [str(picture) for picture in chosen]
    with st.container():  # a place of its own: what comes and goes here must not move the instrument
        letters = zip(ENDS[mode], chosen, strict=False)
        verdict.show_ends(entry, {letter: inputs.find(entry, picture) for letter, picture in letters})
    instrument(entry, mode, chosen, steps)
    ways = ways_of(entry, mode, pictures, steps)
    if ways:
        path = "sum" if mode == "sum" else path
        frames = films.as_frames(ways[path].steps.mean)
        latents = {word: way.z for word, way in ways.items()}
        takeaway.films_of("journey", f"{entry.name}-{path}", frames, latents)
    else:
        z, decoded = square(entry, tuple(pictures))
        around, frames = round_trip(entry, tuple(pictures), steps)
        latents = {"z": z, "around": around}
        takeaway.films_of("journey", f"{entry.name}-four", frames, latents, sheet=films.sheet(decoded, SIDE))
        st.caption("The film goes around the four: A, B, D, C, and on without a stop.")
    ledger.below(entry, {letter: end(entry, one)["x"] for letter, one in zip(ENDS[mode], pictures, strict=False)})
    if letter := st.session_state.pop("journey.change", None):
        choose(entry, letter)


page(picker.shown())
