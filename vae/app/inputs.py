"""The current input: the one picture that all pages are about, where it came from, and how a link says it.

It is known by its id: "i7" is the test set's picture 7, "upload" and "drawing" are the visitor's own, "b..." is a
picture that came with a link, as bits, and "s7" a picture of the model's own, drawn from its prior with seed 7.
"""

import base64
from dataclasses import dataclass

import numpy as np
import streamlit as st
import torch
from jaxtyping import Float
from torch import Tensor

from vae import data, images
from vae.app import link, session
from vae.engine import engine
from vae.spec import InputSpec

PAD = 140  # pixels on a side of the drawing pad
KEPT = 8  # pictures of the visitor's own that are remembered beside the last upload and the last drawing
FARTHEST = 12.0  # of a latent: twice as far as quadrature goes; no picture of the test sets is encoded beyond


@dataclass(frozen=True, eq=False)
class Input:
    """A picture in [0, 1] as it was prepared, the x that the model reads of it, and how it was prepared, if it was."""

    id: str
    name: str
    picture: Float[Tensor, "1 c h w"]
    x: Float[Tensor, "1 c h w"]
    prepared: images.Prepared | None = None


def dataset_of(name: str) -> data.Dataset:
    """The data set that a model was trained on."""
    return data.DATASETS[session.card(name)["data"]["name"]]


def current(name: str) -> Input:
    """The current input of a model; an example of the third class where there is none that it can read."""
    if "own" not in st.session_state:  # a first look: what the link says
        said = link.asked("x")
        own = [identity for identity in ("upload", "drawing") if address(find(name, identity)) == said]
        choose(name, own[0] if said and own else said)
    chosen = st.session_state["own"] or st.session_state.get(f"input.{dataset_of(name).name}", "")
    return find(name, chosen) or find(name, f"i{session.typical(name)[2]}")


def choose(name: str, identity: str) -> None:
    """Make another picture the current input: the visitor's own for every model, others for a model's data set."""
    own = identity in ("upload", "drawing")
    st.session_state["own"] = identity if own else None
    if not own:
        st.session_state[f"input.{dataset_of(name).name}"] = identity


def arrived(name: str, identity: str) -> None:
    """A new picture of the visitor's own is the current input, and z begins at it on every page and for every model."""
    choose(name, identity)
    for key in [key for key in st.session_state if str(key).startswith("z.")]:
        del st.session_state[key]
    link.forget("z")


def find(name: str, identity: str) -> Input | None:
    """The input with an id; None where there is none, or it cannot be prepared for this model."""
    spec = engine().model(name).input_spec
    if identity in ("upload", "drawing"):
        try:
            return uploaded(name) if identity == "upload" else drawn(name)
        except images.ImageError:
            return None
    if identity[:1] in ("i", "s") and identity[1:].isdecimal() and len(identity) < 8:
        return (_example if identity[0] == "i" else _sample)(name, int(identity[1:]))
    if identity[:1] == "b" and spec.levels == 2:
        return _from_bits(identity, spec, brought(name).get(identity, "a picture from a link"))
    return None


def uploaded(name: str) -> Input | None:
    """The visitor's file, prepared for a model; None where there is none. Raises ImageError."""
    if not st.session_state.get("upload"):
        return None
    file_id, content = st.session_state["upload"]
    spec = engine().model(name).input_spec
    switches = session.switches(file_id, spec.preparation)
    key = (file_id, spec, tuple(sorted(switches.items())))
    kept = st.session_state.get("prepared")
    if kept is None or kept[0] != key:  # a photo takes half a second, and every page asks for it
        kept = st.session_state["prepared"] = (key, images.prepare(content, spec, switches))
    return prepared("your picture", kept[1], name, "upload")


def drawn(name: str) -> Input | None:
    """The visitor's drawing, prepared for a model; None where there is none. Raises ImageError."""
    if not st.session_state.get("drawing"):
        return None
    return from_canvas(st.session_state["drawing"], name, "drawing")


def from_canvas(canvas: bytes, name: str, identity: str | None = None) -> Input:
    """A drawing, PAD x PAD grey bytes, prepared for a model. Raises ImageError."""
    array = np.frombuffer(canvas, np.uint8).reshape(PAD, PAD)
    return prepared("your drawing", images.prepare_array(array, engine().model(name).input_spec), name, identity)


def as_canvas(text: object) -> bytes | None:
    """What the pad says, base64 of its grey bytes; None for anything else."""
    try:
        canvas = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except ValueError:
        return None
    return canvas if len(canvas) == PAD * PAD else None


def keep_drawing(name: str, text: object) -> None:
    """A new drawing from the pad; anything else clears it."""
    st.session_state["drawing"] = as_canvas(text)
    arrived(name, "drawing")


def address(found: Input | None) -> str:
    """What `find` knows the input by in another session: the id of an example, else its bits."""
    if found is None:
        return ""
    if found.id[0] in "ibs":
        return found.id
    return _as_bits(found.x)


def _as_bits(x: Tensor) -> str:
    return "b" + base64.urlsafe_b64encode(np.packbits(x.numpy().astype(bool))).decode().rstrip("=")


def as_place(name: str, values: object) -> list[float] | None:
    """d numbers within FARTHEST, to 1/1000; None where that is not what they are."""
    if not isinstance(values, list) or len(values) != engine().model(name).latents:
        return None
    if not all(isinstance(value, int | float) and abs(value) <= 1e3 for value in values):  # NaN fails this too
        return None
    return [round(min(FARTHEST, max(-FARTHEST, value)), 3) + 0.0 for value in values]


def as_text(z: list[float]) -> str:
    """z as the URL says it."""
    return ",".join(f"{value:g}" for value in z)


def from_url(name: str) -> list[float] | None:
    """The z of a shared link, or None where there is none that fits the model."""
    try:
        return as_place(name, [float(value) for value in link.asked("z", name).split(",")])
    except ValueError:
        return None


def keep_place(name: str, value: object) -> None:
    """What Explore's component says when a hand lets go: z, and the input it is about."""
    if not isinstance(value, dict):
        return
    z, given = as_place(name, value.get("z")), str(value.get("given"))
    if z is not None and find(name, given) is not None:
        st.session_state[f"z.{name}"] = z
        choose(name, given)


def remember(name: str, found: Input) -> None:
    """Keep in mind that a picture is the visitor's own, for as long as the session lasts: the map shows it."""
    key = f"brought.{dataset_of(name).name}"
    known, identity = brought(name), address(found)
    words = [found.name, *(f"{found.name} {number}" for number in range(2, KEPT + 2))]
    word = known.get(identity) or next(word for word in words if word not in known.values())
    others = [(other, called) for other, called in known.items() if other != identity]
    st.session_state[key] = dict([*others, (identity, word)][-KEPT:])


def brought(name: str) -> dict[str, str]:
    """The remembered pictures of the visitor's own: what `find` knows them by, and what they are called."""
    return st.session_state.get(f"brought.{dataset_of(name).name}", {})


def prepared(word: str, found: images.Prepared, name: str, identity: str | None = None) -> Input:
    """A prepared picture as an input of a model; without an id of its own it is known by its bits."""
    x = data.as_read(found.picture, engine().model(name).input_spec)
    return Input(identity or _as_bits(x), word, found.picture, x, found)


def _example(name: str, index: int) -> Input | None:
    dataset = dataset_of(name)
    pictures, labels, bits = session.test_set(dataset.name)
    if index >= len(pictures):
        return None
    word = f"test picture {index}: {dataset.class_names[labels[index]]}"
    return Input(f"i{index}", word, data.grey(pictures[index : index + 1]), bits[index : index + 1].float())


def _sample(name: str, seed: int) -> Input:
    model = engine().model(name)
    z = torch.randn(1, model.latents, generator=torch.Generator().manual_seed(seed))
    picture = engine().pictures(name, z)
    return Input(f"s{seed}", "a sample of the prior", picture, data.as_read(picture, model.input_spec))


def _from_bits(identity: str, spec: InputSpec, word: str) -> Input | None:
    try:
        packed = base64.b64decode(identity[1:] + "=" * (-len(identity[1:]) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    if len(packed) != -(-spec.pixels // 8):
        return None
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=spec.pixels)
    x = torch.from_numpy(bits.astype(np.float32)).view(1, *spec.shape)
    return Input(identity, word, x, x)
