"""Reconstruct: your picture through the model, with the ledger of what it costs."""

import streamlit as st
import torch
from jaxtyping import Float
from streamlit.delta_generator import DeltaGenerator
from torch import Tensor

from vae.app import look
from vae.app.look import charts, glossary, ledger, nearness, takeaway
from vae.app.session import inputs, link, others, picker, places, sources, state, verdict
from vae.app.session.ids import DRAWING, UPLOAD
from vae.pictures import PREPARATIONS, Step, films
from vae.pictures.prepare import SWITCHES
from vae.serve import asked
from vae.serve.engine import engine
from vae.serve.entry import Entry
from vae.serve.library import library

EXAMPLES, FILE, CAMERA, PEN = SOURCES = ["Examples", "Upload", "Camera", "Draw"]
OWN = {FILE: UPLOAD, CAMERA: UPLOAD, PEN: DRAWING}


def source(entry: Entry) -> str:
    """Where the picture comes from; at first where the current input came from."""
    if "source" not in st.session_state:
        chosen = inputs.current(entry).id
        st.session_state["source"] = next((word for word, own in OWN.items() if own == chosen), EXAMPLES)
    options = {"label_visibility": "collapsed", "required": True, "persist_state": "session"}
    return st.segmented_control("Picture", SOURCES, key="source", on_change=turn_to_source, **options)


def turn_to_source() -> None:
    """The callback of the choice: what was there before is the current input again; where nothing was, nothing changes.

    A browser whose server was started again may speak here of a file that the new session never had.
    """
    entry, source = picker.shown(), st.session_state["source"]
    if source == PEN:
        inputs.begin_drawing(inputs.current(entry))
    meant = OWN.get(source, inputs.chosen_example(entry))
    if source == EXAMPLES or inputs.find(entry, meant) is not None:
        inputs.choose(entry, meant)


def example(entry: Entry) -> inputs.Input:
    """The chosen example from the test set, or the picture that came with a link."""
    given = inputs.current(entry)  # it may have been chosen on another page, or be no example
    key = f"{entry.dataset.name}.examples"
    sources.example_picker(entry, key, given.id, lambda chosen: inputs.choose(picker.shown(), chosen))
    return given


def upload(entry: Entry, camera: bool) -> inputs.Input:
    """The visitor's picture, prepared; what was there before where there is none that can be read."""

    def arrived(is_readable: bool, name: str) -> None:
        (inputs.arrived if is_readable else inputs.choose)(picker.shown(), UPLOAD)

    is_fine = sources.uploader(entry, UPLOAD.kind, arrived, camera)
    given = inputs.current(entry)
    if not is_fine or st.session_state.get(f"{UPLOAD.kind}.whole"):
        st.caption(f"Still shown: {given.name}.")
    if inputs.find(entry, UPLOAD) is not None and sources.is_empty(UPLOAD.kind):
        st.button("Put my picture away", icon=":material/close:", on_click=put_away)
    return given


def put_away() -> None:
    """The button's callback: the visitor's picture is none of the app's any more."""
    sources.put_away(UPLOAD.kind)
    inputs.arrived(picker.shown(), UPLOAD)


def draw(entry: Entry) -> inputs.Input | None:
    """The drawing pad with what the model makes of it; the drawing, once there is one that can be read."""
    sources.drawing_pad(entry, "pad", st.session_state.get("drawing") or b"", keep_drawing)
    return inputs.find(entry, DRAWING)


def keep_drawing() -> None:
    """The pad's callback: the pen was lifted."""
    inputs.keep_drawing(picker.shown(), st.session_state["pad"].get("drawing"))


def show_steps(given: inputs.Input, preparation: str) -> None:
    """Every step of the preparation with the picture after it; the optional ones of a file can be switched."""
    steps = given.prepared.steps
    done = sum(step.applied for step in steps)
    with st.expander(f"Prepared in {done} steps", icon=":material/auto_fix_high:", key=f"steps.{given.id}"):
        for start in range(0, len(steps), 4):  # a row at a time, so that a phone stacks them in their order
            for step, column in zip(steps[start : start + 4], st.columns(4), strict=False):
                with column:
                    st.html(look.picture_html(step.image, step.text, caption=step.text))
                    if step.switchable and given.id == UPLOAD:
                        switch_of(step, preparation)


def switch_of(step: Step, preparation: str) -> None:
    """The toggle of a step that was done, or not, by itself."""
    file_id, _ = st.session_state[UPLOAD.kind]
    key = f"{file_id}.{preparation}.{step.name}"
    st.session_state[key] = step.applied  # one switch may change what is done automatically elsewhere
    st.toggle(SWITCHES[step.name], key=key, on_change=state.switch, args=(file_id, preparation, step.name, key))


def show_pictures(entry: Entry, x: Float[Tensor, "c h w"], mean: Float[Tensor, "c h w"]) -> None:
    """What the model reads, what it makes of that, and where the two differ."""
    gap, told = nearness.difference(entry, x, mean)
    read = f"{nearness.read(entry)} the model reads"
    figures = (
        (look.to_uint8(x), read.capitalize(), "x", f"{look.symbol('x')}, {read}"),
        (look.to_uint8(mean), "The reconstruction", "decoded", f"{look.symbol('x̂')}, its reconstruction"),
        (gap, "Where the two differ", "difference", told),
    )
    cells = "".join(
        look.picture_html(pixels, alt, testid, glossary.marked(said)) for pixels, alt, testid, said in figures
    )
    columns = "display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:1.2rem"
    st.html(f'<div style="{columns}">{cells}</div>')
    st.html(look.facts([(words, *fact) for words, fact in nearness.facts(entry, x, mean).items()]))


def chosen_seed() -> int:
    """Of eps and every estimate: how often z was sampled again, the link's count at first."""
    said = link.asked("seed")
    return st.session_state.setdefault("seed", int(said) if said.isdecimal() and len(said) < 6 else 0)


def prepared(given: inputs.Input) -> None:
    """The picture before it is made of bits."""
    caption = f"{given.name}, prepared"
    pixels = look.to_uint8(given.picture[0])
    st.html(look.picture_html(pixels, "The prepared picture", "prepared", caption, width="9rem"))


def choose(entry: Entry, chosen: str) -> tuple[inputs.Input | None, DeltaGenerator]:
    """The picture from a source, and where to show what becomes of it; the visitor's own file is first and large."""
    if chosen == PEN:
        return draw(entry), st.container()
    if chosen in (FILE, CAMERA):
        given = upload(entry, chosen == CAMERA)
        choice, result = st.columns([2, 3], gap="large")
        with choice:
            part(entry)
            prepared(given)
        return given, result
    choice, result = st.columns([2, 5], gap="large")
    with choice:
        given = example(entry)
        prepared(given)
    return given, result


def part(entry: Entry) -> None:
    """What of the visitor's picture is meant: two dots on its eyes, or a box."""

    def arrived() -> None:
        inputs.arrived(picker.shown(), UPLOAD)

    if PREPARATIONS[entry.pictures.preparation].by_eyes:
        sources.eye_dots(entry, UPLOAD.kind, arrived)
    else:
        sources.cropper(UPLOAD.kind, arrived)


def take_away(entry: Entry, x: Float[Tensor, "c h w"], mean: Float[Tensor, "c h w"]) -> None:
    """The button for what is seen: the picture as it is read, and beside it what comes back."""
    both = films.strip(films.as_frames(torch.stack([x, mean])), takeaway.WIDTH, gap=8)
    options = {"on_click": "ignore", "icon": ":material/download:"}
    st.download_button("Download both (PNG)", both, f"{entry.name}-reconstruction.png", "image/png", **options)


def page(entry: Entry) -> None:
    """Choose a picture, look at it, and one step behind read its numbers."""
    chosen = source(entry)
    given, result = choose(entry, chosen)
    if given is None:
        st.caption("Draw one thing, as large as you like.")
        return
    seed = chosen_seed()
    first = engine().answer(asked.GLIMPSE, library().lease(entry), given.x, torch.tensor([seed]))
    x, mean = given.x[0], first.mean[0]
    with result:
        known = st.container()
        if chosen != PEN:
            show_pictures(entry, x, mean)
        with known:  # for which no picture waits
            verdict.show_word(entry, given)
        with st.container(horizontal=True):
            if chosen != PEN:
                again = {"icon": ":material/casino:", "on_click": state.count_up, "args": ("seed",)}
                st.button("Draw it again", key="resample", help="From another z of its posterior", **again)
            options = {"icon": ":material/tune:", "on_click": places.move, "args": (entry, first.mu[0].tolist())}
            if st.button("Move its numbers", **options):
                st.switch_page("vae/app/pages/explore.py")
            take_away(entry, x, mean)
    link.write({"model": entry.name, "x": inputs.address(given)} | ({"seed": str(seed)} if seed else {}))
    others.compare(entry, given, seed)
    if given.prepared:
        show_steps(given, entry.pictures.preparation)
    if box := ledger.below(entry, {"x": given.x}, seed):
        box.plotly_chart(charts.kl_bars(first.kl_per_dimension[0]), key="kl", config={"displayModeBar": False})


page(picker.shown())
