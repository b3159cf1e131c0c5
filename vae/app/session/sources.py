"""Where pictures come from: what the pages that take them share."""

import secrets
from collections.abc import Callable

import streamlit as st

from vae.app import look
from vae.app.components import pad
from vae.app.live import wire
from vae.app.session import inputs, kept, state
from vae.pictures import ImageError, prepare
from vae.serve.engine import engine

# HEIC cannot be read, and is let in for the sentence that says what to do
TYPES = ["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic", "heif"]
SEEDS = 10**6


def drawing_pad(name: str, key: str, canvas: bytes, on_drawing_change: Callable[[], None]) -> None:
    """The drawing pad with what the model makes of a drawing; `canvas` is what is on it at first."""
    spec, kl = engine().model(name).input_spec, kept.card(name)["numbers"]["kl_per_dimension"]
    pad(
        key=key,
        data={
            "live": wire.wire(key),
            "rev": name,
            "model": list(engine().models).index(name),
            "latents": len(kl),
            "shape": list(spec.shape),
            "pixels": spec.pixels,
            "grey": spec.levels,
            "order": sorted(range(len(kl)), key=lambda dimension: -kl[dimension]),
            "canvas": look.as_text(canvas),
        },
        on_drawing_change=on_drawing_change,
        on_question_change=lambda: wire.answer(key),
    )


def an_example(name: str) -> inputs.Input | None:
    """A picture of a chosen class of the test set; each time another."""
    facts, dataset = kept.card(name), inputs.dataset_of(name)
    labels = kept.test_set(dataset.name)[1]
    options = {"label_visibility": "collapsed", "wrap": True}
    word = st.pills("An example", dataset.class_names, default=dataset.class_names[0], required=True, **options)
    own = [index for index in facts["examples"] if labels[index] == dataset.class_names.index(word)]
    return inputs.find(name, f"i{own[state.counted('example') % len(own)]}")


def the_current(name: str) -> inputs.Input | None:
    """What the other pages are about."""
    return inputs.current(name)


def an_upload(name: str) -> inputs.Input | None:
    """The visitor's file, prepared; None, and a sentence where it cannot be."""
    file = st.file_uploader("Your picture", TYPES, max_upload_size=25)
    if file is None:
        return None
    try:
        return inputs.prepared("your picture", prepare(file.getvalue(), engine().model(name).input_spec), name)
    except ImageError as error:
        st.error(str(error), icon=":material/broken_image:")
        return None


def a_drawing(name: str) -> inputs.Input | None:
    """What the visitor draws here, once there is something."""
    key = "source.pad"

    def keep() -> None:
        st.session_state["source.drawing"] = inputs.as_canvas(st.session_state[key].get("drawing"))

    canvas = st.session_state.get("source.drawing")
    drawing_pad(name, key, canvas or b"", keep)
    try:
        return canvas and inputs.from_canvas(canvas, name)
    except ImageError as error:
        st.caption(str(error))
        return None


def a_sample(name: str) -> inputs.Input | None:
    """A picture that the model makes up."""
    first = st.session_state.setdefault("source.seed", secrets.randbelow(SEEDS))
    return inputs.find(name, f"s{(first + state.counted('example')) % SEEDS}")


# A new source is one function and its row here.
SOURCES = {
    "Examples": an_example,
    "Upload": an_upload,
    "Draw": a_drawing,
    "Prior": a_sample,
    "Current": the_current,
}


def choose(name: str) -> inputs.Input | None:
    """The picture that the visitor chooses, from any source; None until there is one."""
    options = {"label_visibility": "collapsed", "required": True}
    source = st.segmented_control("From", list(SOURCES), default="Examples", **options)
    found = SOURCES[source](name)
    if source in ("Examples", "Prior"):
        st.button("Another", icon=":material/refresh:", on_click=state.count_up, args=("example",))
    if found is not None and source != "Draw":
        st.html(look.picture_html(look.to_uint8(found.picture[0]), found.name, "chosen", found.name, width="9rem"))
    return found
