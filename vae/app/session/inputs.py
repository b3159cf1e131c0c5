"""The current input: the one picture that all pages are about, where it came from, and how a link says it.

It is known by its id: "i7" is the test set's picture 7, "upload" and "drawing" are the visitor's own, "b..." is a
picture that came with a link, as bits, and "s7" a picture of the model's own, drawn from its prior with seed 7.
"""

import base64
import zlib
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vae import data
from vae.app.session import kept, link, state
from vae.models import FARTHEST
from vae.models.spaces import InputSpec
from vae.pictures import ImageError, Prepared, prepare, prepare_array
from vae.serve.engine import engine

PAD = 140  # pixels on a side of the drawing pad
LONGEST = 4000  # letters of a picture in a link; what takes more is not said
KEPT = 8  # pictures of the visitor's own that are remembered beside the last upload and the last drawing


@dataclass(frozen=True, eq=False)
class Input:
    """A picture in [0, 1] as it was prepared, the x that the model reads of it, and how it was prepared, if it was."""

    id: str
    name: str
    picture: Float[Tensor, "1 c h w"]
    x: Float[Tensor, "1 c h w"]
    prepared: Prepared | None = None


def dataset_of(name: str) -> data.Dataset:
    """The data set that a model was trained on."""
    return data.DATASETS[kept.card(name)["data"]["name"]]


def current(name: str) -> Input:
    """The current input of a model; an example of the third class where there is none that it can read."""
    if "own" not in st.session_state:  # a first look: what the link says
        said = link.asked("x")
        own = [identity for identity in ("upload", "drawing") if address(find(name, identity)) == said]
        choose(name, own[0] if said and own else said)
        if said and not own and find(name, said) is None:
            link.lost("a picture that is not known here; an example is shown")
    chosen = st.session_state["own"] or st.session_state.get(f"input.{dataset_of(name).name}", "")
    return find(name, chosen) or find(name, f"i{kept.typical(name)[2]}")


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
        except ImageError:
            return None
    if identity[:1] in ("i", "s") and identity[1:].isdecimal() and len(identity) < 8:
        return (_example if identity[0] == "i" else _sample)(name, int(identity[1:]))
    if identity[:1] == "b" or (identity[:1] == "g" and spec.levels == 256):
        return _from_pixels(identity, spec, _word(name, identity))
    return None


def uploaded(name: str) -> Input | None:
    """The visitor's file, prepared for a model; None where there is none. Raises ImageError."""
    if not st.session_state.get("upload"):
        return None
    file_id, content = st.session_state["upload"]
    spec = engine().model(name).input_spec
    switches = state.switches(file_id, spec.preparation)
    key = (file_id, spec, tuple(sorted(switches.items())))
    kept = st.session_state.get("prepared")
    if kept is None or kept[0] != key:  # a photo takes half a second, and every page asks for it
        kept = st.session_state["prepared"] = (key, prepare(content, spec, switches))
    return prepared("your picture", kept[1], name, "upload")


def drawn(name: str) -> Input | None:
    """The visitor's drawing, prepared for a model; None where there is none. Raises ImageError."""
    if not st.session_state.get("drawing"):
        return None
    return from_canvas(st.session_state["drawing"], name, "drawing")


def from_canvas(canvas: bytes, name: str, identity: str | None = None) -> Input:
    """A drawing, PAD x PAD grey bytes, prepared for a model. Raises ImageError."""
    array = np.frombuffer(canvas, np.uint8).reshape(PAD, PAD)
    return prepared("your drawing", prepare_array(array, engine().model(name).input_spec), name, identity)


def as_canvas(text: object) -> bytes | None:
    """What the pad says, base64 of its grey bytes; None for anything else."""
    try:
        canvas = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except ValueError:
        return None
    return canvas if len(canvas) == PAD * PAD else None


def begin_drawing(found: Input) -> None:
    """A picture that is known by its bits is where a drawing begins that has not begun yet."""
    if found.id[0] == "b" and not st.session_state.get("drawing"):
        canvas = F.interpolate(found.x, (PAD, PAD))[0, 0]
        st.session_state["drawing"] = canvas.mul(255).byte().numpy().tobytes()


def keep_drawing(name: str, text: object) -> None:
    """A new drawing from the pad; anything else clears it."""
    st.session_state["drawing"] = as_canvas(text)
    arrived(name, "drawing")


def address(found: Input | None) -> str:
    """What `find` knows the input by in another session: the id of an example, else its bits."""
    if found is None:
        return ""
    said = found.id if found.id[0] in "ibsg" else _as_pixels(found.x)
    return said if len(said) <= LONGEST else ""


def _as_pixels(x: Tensor) -> str:
    """A picture as a link says it: "b" and its bits where it has no others, else "g" and its levels of 256, packed."""
    levels = x.mul(255).round().byte().numpy()
    if ((levels == 0) | (levels == 255)).all():
        return "b" + base64.urlsafe_b64encode(np.packbits(levels > 0)).decode().rstrip("=")
    return "g" + base64.urlsafe_b64encode(zlib.compress(levels.tobytes(), 9)).decode().rstrip("=")


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
    said = link.asked("z", name)
    try:
        z = as_place(name, [float(value) for value in said.split(",")])
    except ValueError:
        z = None
    if said and z is None:
        link.lost("a place that this model does not have; its own is shown")
    return z


def keep_place(name: str, value: object) -> None:
    """What Explore's component says when a hand lets go: z, the input it is about, and whether z is not about it."""
    if not isinstance(value, dict):
        return
    z, given = as_place(name, value.get("z")), str(value.get("given"))
    if z is not None and find(name, given) is not None:
        st.session_state[f"z.{name}"] = z
        if value.get("sampled") is True:
            st.session_state[f"sampled.{name}"] = z
        choose(name, given)


def is_sampled(name: str) -> bool:
    """Whether Explore's z was drawn from the prior and not encoded, so that there is no picture to compare it with."""
    z = st.session_state[f"z.{name}"]
    if f"sampled.{name}" not in st.session_state and link.asked("from", name) == "prior":
        st.session_state[f"sampled.{name}"] = from_url(name)
    return st.session_state.get(f"sampled.{name}") == z


def own_address(name: str) -> str:
    """What the link says of the current input where it is the visitor's own; "" where it is not."""
    found = current(name)
    return address(found) if found.id in ("upload", "drawing") else ""


def is_kept_by_link(name: str, lost: object) -> bool:
    """Whether the current input is what the address kept of an own picture that this tab says it had; it is the
    visitor's own still.
    """
    found = current(name)
    if found.id[0] not in "bg" or found.id != lost:
        return False
    remember(name, replace(found, name="your picture"))
    return True


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


def prepared(word: str, found: Prepared, name: str, identity: str | None = None) -> Input:
    """A prepared picture as an input of a model; without an id of its own it is known by its bits."""
    x = data.as_read(found.picture, engine().model(name).input_spec)
    return Input(identity or _as_pixels(x), word, found.picture, x, found)


def _example(name: str, index: int) -> Input | None:
    dataset = dataset_of(name)
    pictures, labels, bits = kept.test_set(dataset.name)
    if index >= len(pictures):
        return None
    word = f"test picture {index}: {dataset.class_names[labels[index]]}"
    return Input(f"i{index}", word, data.grey(pictures[index : index + 1]), bits[index : index + 1].float())


def _word(name: str, identity: str) -> str:
    """What a picture that is known by its bits is called: the visitor's own is no picture from a link."""
    if identity in brought(name):
        return brought(name)[identity]
    own = (find(name, one) for one in ("upload", "drawing"))
    return next((one.name for one in own if one and address(one) == identity), "a picture from a link")


def _sample(name: str, seed: int) -> Input:
    model = engine().model(name)
    z = torch.randn(1, model.latents, generator=torch.Generator().manual_seed(seed))
    picture = engine().pictures(name, z)
    return Input(f"s{seed}", "a sample of the prior", picture, data.as_read(picture, model.input_spec))


def _from_pixels(identity: str, spec: InputSpec, word: str) -> Input | None:
    """The picture that `_as_pixels` said; None where it is none of the model's."""
    try:
        said = base64.b64decode(identity[1:] + "=" * (-len(identity[1:]) % 4), altchars=b"-_", validate=True)
        if identity[0] == "b":
            if len(said) != -(-spec.pixels // 8):
                return None
            x = np.unpackbits(np.frombuffer(said, np.uint8), count=spec.pixels).astype(np.float32)
        else:
            levels = zlib.decompressobj().decompress(said, spec.pixels + 1)  # no more, whatever it unpacks to
            x = np.frombuffer(levels, np.uint8) / np.float32(255)
    except (ValueError, zlib.error):
        return None
    if len(x) != spec.pixels:
        return None
    x = torch.from_numpy(x).view(1, *spec.shape)
    return Input(identity, word, x, x)
