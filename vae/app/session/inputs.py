"""The current input: the one picture that all pages are about, where it came from, and how a link says it."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import streamlit as st
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vae import data
from vae.app.session import kept, link, state
from vae.app.session.ids import DRAWING, LONGEST, UPLOAD, Example, Given, Id, Own, Sample, parse
from vae.pictures import PREPARATIONS, Content, ImageError, Prepared, prepare, prepare_array
from vae.serve import asked
from vae.serve.engine import engine
from vae.serve.entry import Entry
from vae.serve.library import library

PAD = 140  # pixels on a side of the drawing pad
KEPT = 8  # pictures of the visitor's own that are remembered beside the last upload and the last drawing
PREPARED = 3  # preparations that are kept: for the model that is shown, for one beside it, and of another file
OPENS_WITH = 2  # the class of the example that is there at first; the last where there are fewer
OTHERS_OWN = "a picture that somebody brought, which is too large for a link; an example is shown"


@dataclass(frozen=True, eq=False)
class Input:
    """A picture in [0, 1] as it was prepared, the x that the model reads of it, how it was prepared, if it was, and
    what was seen then, however long ago."""

    id: Id
    name: str
    picture: Float[Tensor, "1 c h w"]
    x: Float[Tensor, "1 c h w"]
    prepared: Prepared | None = None
    content: Content | None = None


class Brought(NamedTuple):
    """What is remembered of a picture of the visitor's own: its name, and what was seen when it was prepared."""

    name: str
    content: Content | None = None


# ---- which one it is ----


def current(entry: Entry) -> Input:
    """The current input of a model; an example where there is none that it can read."""
    if "own" not in st.session_state:  # a first look: what the link says
        _take_from_link(entry)
    chosen = st.session_state["own"] or st.session_state.get(f"input.{entry.dataset.name}")
    return find(entry, chosen) or find(entry, first(entry))


def first(entry: Entry) -> Example:
    """The example that is there at first."""
    chosen = kept.typical(entry)
    return Example(chosen[min(OPENS_WITH, len(chosen) - 1)])


def _take_from_link(entry: Entry) -> None:
    said = link.asked("x")
    own = next((one for one in (UPLOAD, DRAWING) if said and address(find(entry, one)) == said), None)
    meant = own or parse(said)
    choose(entry, meant)
    if said and find(entry, meant) is None:
        link.lost(OTHERS_OWN if isinstance(meant, Own) else "a picture that is not known here; an example is shown")


def choose(entry: Entry, picture: Id | None) -> None:
    """Make another picture the current input: the visitor's own for every model, others for a model's data set."""
    own = isinstance(picture, Own)
    st.session_state["own"] = picture if own else None
    if not own:
        st.session_state[f"input.{entry.dataset.name}"] = picture


def chosen_example(entry: Entry) -> Id | None:
    """What was chosen for a model's data set, whatever of the visitor's own is shown."""
    return st.session_state.get(f"input.{entry.dataset.name}")


def arrived(entry: Entry, picture: Id) -> None:
    """A new picture of the visitor's own is the current input, and z begins at it on every page and for every model."""
    choose(entry, picture)
    for key in [key for key in st.session_state if str(key).startswith("z.")]:
        del st.session_state[key]
    link.forget("z")


# ---- what is meant by an id ----


def find(entry: Entry, picture: Id | None) -> Input | None:
    """The input with an id; None where there is none, or it cannot be prepared for this model."""
    return None if picture is None else FOUND[type(picture)](entry, picture)


def identity(given: Input) -> str:
    """What tells the input from all others, and `parse` knows it by in any session; of colours it may be very long."""
    return str(Given.of(given.x) if isinstance(given.id, Own) else given.id)


def address(given: Input | None) -> str:
    """What a link says of the input: its identity, or where that is too long only that it is the visitor's own; "" of
    none."""
    if given is None:
        return ""
    said = identity(given)
    if len(said) <= LONGEST:
        return said
    return str(given.id if isinstance(given.id, Own) else UPLOAD)


def linked(entry: Entry, shown: Entry) -> dict[str, str]:
    """What the link of a page about one model says of another one's picture: only one of the same data goes with it."""
    return {"x": address(current(shown))} if shown.dataset == entry.dataset else {}


def _example(entry: Entry, picture: Example) -> Input | None:
    pictures, _, levels = kept.test_set(entry.dataset.name)
    here = slice(picture.index, picture.index + 1)
    if picture.index >= len(pictures):
        return None
    x = levels[here].float() / (entry.pictures.levels - 1)
    return Input(picture, kept.called(entry.dataset.name, picture.index), data.grey(pictures[here]), x)


def _sample(entry: Entry, picture: Sample) -> Input:
    z = torch.randn(1, entry.latents, generator=torch.Generator().manual_seed(picture.seed))
    drawn = engine().answer(asked.PICTURES, library().lease(entry), z)
    return Input(picture, "a sample of the prior", drawn, data.as_read(drawn, entry.pictures))


def _given(entry: Entry, picture: Given) -> Input | None:
    x = picture.picture(entry.pictures)
    if x is None:
        return None
    known = _known(entry, picture)
    return Input(picture, known.name, x, x, content=known.content)


def _known(entry: Entry, picture: Given) -> Brought:
    """What is known of a picture beside its bits: what it is called, and what was seen when it was prepared.

    The visitor's own is no picture from a link.
    """
    if str(picture) in brought(entry):
        return brought(entry)[str(picture)]
    own = (find(entry, one) for one in (UPLOAD, DRAWING))
    known = (Brought(one.name, one.content) for one in own if one and identity(one) == str(picture))
    return next(known, Brought("a picture from a link"))


def _own(entry: Entry, picture: Own) -> Input | None:
    try:
        return uploaded(entry) if picture == UPLOAD else drawn(entry)
    except ImageError:
        return None


FOUND: dict[type, Callable[[Entry, Id], Input | None]] = {
    Example: _example,
    Sample: _sample,
    Given: _given,
    Own: _own,
}


# ---- the visitor's own ----


def uploaded(entry: Entry, place: str = "upload") -> Input | None:
    """The file that the visitor brought to a place, prepared for a model; None where there is none. Raises ImageError.

    The file of place "upload" is on every page.
    """
    if not st.session_state.get(place):
        return None
    prepared = prepared_file(entry, *st.session_state[place])
    return _prepared("your picture", prepared, entry, UPLOAD if place == "upload" else None)


def prepared_file(entry: Entry, file_id: str, content: bytes) -> Prepared:
    """A file of the visitor's, prepared for a model as they want it to be. Raises ImageError."""
    switches = state.switches(file_id, entry.pictures.preparation)
    by_eyes = PREPARATIONS[entry.pictures.preparation].by_eyes
    meant = {"eyes": state.eyes(file_id)} if by_eyes else {"part": state.part(file_id)}
    key = (file_id, entry.pictures, tuple(sorted(switches.items())), *meant.values())
    known = st.session_state.setdefault("prepared", {})
    if key not in known:  # a photo takes half a second, and every page asks for it, for two models where they compare
        while len(known) >= PREPARED:
            del known[next(iter(known))]
        known[key] = prepare(content, entry.pictures, switches, **meant)
    return known[key]


def drawn(entry: Entry) -> Input | None:
    """The visitor's drawing, prepared for a model; None where there is none. Raises ImageError."""
    if not st.session_state.get("drawing"):
        return None
    return from_canvas(entry, st.session_state["drawing"], DRAWING)


def from_canvas(entry: Entry, canvas: bytes, picture: Id | None = None) -> Input:
    """A drawing, PAD x PAD grey bytes, prepared for a model. Raises ImageError."""
    array = np.frombuffer(canvas, np.uint8).reshape(PAD, PAD)
    return _prepared("your drawing", prepare_array(array, entry.pictures), entry, picture)


def _prepared(word: str, prepared: Prepared, entry: Entry, picture: Id | None) -> Input:
    """A prepared picture as an input of a model; without an id of its own it is known by its bits."""
    x = data.as_read(prepared.picture, entry.pictures)
    return Input(picture or Given.of(x), word, prepared.picture, x, prepared, prepared.content)


def as_canvas(text: object) -> bytes | None:
    """What the pad says, base64 of its grey bytes; None for anything else."""
    try:
        canvas = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except ValueError:
        return None
    return canvas if len(canvas) == PAD * PAD else None


def begin_drawing(given: Input) -> None:
    """A picture that is known by its bits is where a drawing begins that has not begun yet."""
    if isinstance(given.id, Given) and not st.session_state.get("drawing"):
        canvas = F.interpolate(given.x, (PAD, PAD))[0].mean(0)  # the pad has no colours
        st.session_state["drawing"] = canvas.mul(255).round().byte().numpy().tobytes()


def keep_drawing(entry: Entry, text: object) -> None:
    """A new drawing from the pad; anything else clears it."""
    st.session_state["drawing"] = as_canvas(text)
    arrived(entry, DRAWING)


# ---- what is remembered of it ----


def own_address(entry: Entry) -> str:
    """What the link says of the current input where it is the visitor's own; "" where it is not."""
    given = current(entry)
    return address(given) if isinstance(given.id, Own) else ""


def is_kept_by_link(entry: Entry, lost: object) -> bool:
    """Whether the current input is what the address kept of an own picture that this tab says it had; it is the
    visitor's own still.
    """
    given = current(entry)
    if not isinstance(given.id, Given) or str(given.id) != lost:
        return False
    remember(entry, replace(given, name="your picture"))
    return True


def remember(entry: Entry, given: Input) -> None:
    """Keep in mind that a picture is the visitor's own, for as long as the session lasts: the map shows it."""
    known, here = brought(entry), identity(given)
    taken = {one.name for one in known.values()}
    words = [given.name, *(f"{given.name} {number}" for number in range(2, KEPT + 2))]
    own = known.get(here) or Brought(next(word for word in words if word not in taken), given.content)
    others = [(other, one) for other, one in known.items() if other != here]
    st.session_state[f"brought.{entry.dataset.name}"] = dict([*others, (here, own)][-KEPT:])


def brought(entry: Entry) -> dict[str, Brought]:
    """The remembered pictures of the visitor's own by their identities."""
    return st.session_state.get(f"brought.{entry.dataset.name}", {})
