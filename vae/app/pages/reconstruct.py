"""Reconstruct: your picture through the model, with the ledger of what it costs."""

import streamlit as st
import torch
from jaxtyping import Float
from torch import Tensor

from vae.app import look
from vae.app.look import charts, ledger
from vae.app.session import inputs, kept, link, sources, state, verdict
from vae.pictures import ImageError, Step
from vae.serve.engine import engine

SOURCES = ["Examples", "Upload", "Draw"]


def source() -> str:
    """Where the picture comes from; at first where the current input came from."""
    if "source" not in st.session_state:
        chosen = inputs.current(st.session_state["model"]).id
        st.session_state["source"] = {"upload": SOURCES[1], "drawing": SOURCES[2]}.get(chosen, SOURCES[0])
    options = {"label_visibility": "collapsed", "required": True, "persist_state": "session"}
    return st.segmented_control("Picture", SOURCES, key="source", on_change=turn_to_source, **options)


def turn_to_source() -> None:
    """The callback of the choice: what was there before is the current input again; where nothing was, nothing changes.

    A browser whose server was started again may speak here of a file that the new session never had.
    """
    name, source = st.session_state["model"], st.session_state["source"]
    if source == SOURCES[2]:
        inputs.begin_drawing(inputs.current(name))
    example = st.session_state.get(f"input.{inputs.dataset_of(name).name}", "")
    identity = {SOURCES[1]: "upload", SOURCES[2]: "drawing"}.get(source, example)
    if source == SOURCES[0] or inputs.find(name, identity) is not None:
        inputs.choose(name, identity)


def example(name: str) -> inputs.Input:
    """The chosen example from the test set, or the picture that came with a link."""
    facts, dataset = kept.card(name), inputs.dataset_of(name)
    labels = kept.test_set(dataset.name)[1]

    def of_class(turn: int = 0) -> None:
        word = st.session_state[f"{dataset.name}.class"]
        if word is None and turn == 0:  # the pill that was pressed already
            return
        own = [index for index in facts["examples"] if word in (None, dataset.class_names[labels[index]])]
        st.session_state[f"{dataset.name}.turn"] = turn
        inputs.choose(name, f"i{own[turn % len(own)]}")

    found = inputs.current(name)  # it may have been chosen on another page, or be no example
    here = dataset.class_names[labels[int(found.id[1:])]] if found.id[0] == "i" else None
    st.session_state[f"{dataset.name}.class"] = here
    with st.container(horizontal=True, vertical_alignment="bottom"):
        options = {"label_visibility": "collapsed", "wrap": True, "persist_state": "session"}
        key = f"{dataset.name}.class"
        st.pills("An example", dataset.class_names, key=key, on_change=of_class, **options)
        turn = st.session_state.get(f"{dataset.name}.turn", 0)
        st.button("Another", icon=":material/refresh:", on_click=of_class, args=(turn + 1,))
    return found


def keep_upload(key: str) -> None:
    """The uploader's callback: its file would be gone after a page change, so the session keeps the bytes.

    A file that cannot be read takes no earlier one's place. An empty uploader takes nothing away, since it is empty
    too while another file is on its way.
    """
    name, file = st.session_state["model"], st.session_state[key]
    st.session_state["refused"] = None
    if file is None:
        return
    before = st.session_state.get("upload")
    st.session_state["upload"] = (file.file_id, file.getvalue())
    try:
        inputs.uploaded(name)
        inputs.arrived(name, "upload")
    except ImageError as error:
        st.session_state["upload"] = before
        st.session_state["refused"] = str(error)
        inputs.choose(name, "upload")


def put_away(name: str) -> None:
    """The button's callback: the visitor's picture is none of the app's any more."""
    st.session_state["upload"] = st.session_state["refused"] = None
    inputs.arrived(name, "upload")
    state.count_up("uploader")


def upload(name: str) -> inputs.Input:
    """The visitor's picture, prepared; what was there before, and at most one sentence, where there is none."""
    key = f"upload.{state.counted('uploader')}"
    st.file_uploader("Your picture", sources.TYPES, max_upload_size=25, key=key, on_change=keep_upload, args=(key,))
    refused, found = st.session_state.get("refused"), None
    try:
        found = inputs.uploaded(name)
    except ImageError as error:  # another model could read it
        refused = refused or str(error)
    given = inputs.current(name)
    if refused:
        st.error(refused, icon=":material/broken_image:")
        st.caption(f"Still shown: {given.name}.")
    if found is not None and st.session_state[key] is None:
        st.button("Put my picture away", icon=":material/close:", on_click=put_away, args=(name,))
    return given


def draw(name: str) -> inputs.Input | None:
    """The drawing pad with what the model makes of it; the drawing, once there is one that can be read."""
    sources.drawing_pad(name, "pad", st.session_state.get("drawing") or b"", keep_drawing)
    return inputs.find(name, "drawing")


def keep_drawing() -> None:
    """The pad's callback: the pen was lifted."""
    inputs.keep_drawing(st.session_state["model"], st.session_state["pad"].get("drawing"))


def show_original(given: inputs.Input) -> None:
    """The visitor's file as it came, upright."""
    upright = [step for step in (given.prepared.steps if given.prepared else ()) if step.name == "orientation"]
    for step in upright:
        st.html(look.picture_html(step.image, "Your picture, as it came", "original", "your picture"))


def show_steps(given: inputs.Input, preparation: str) -> None:
    """Every step of the preparation with the picture after it; the optional ones of a file can be switched."""
    steps = given.prepared.steps
    done = sum(step.applied for step in steps)
    with st.expander(f"Prepared in {done} steps", icon=":material/auto_fix_high:", key=f"steps.{given.id}"):
        for start in range(0, len(steps), 4):  # a row at a time, so that a phone stacks them in their order
            for step, column in zip(steps[start : start + 4], st.columns(4), strict=False):
                with column:
                    st.html(look.picture_html(step.image, step.text, caption=step.text))
                    if step.switchable and given.id == "upload":
                        switch_of(step, preparation)


def switch_of(step: Step, preparation: str) -> None:
    """The toggle of a step that was done, or not, by itself."""
    file_id, _ = st.session_state["upload"]
    key = f"{file_id}.{preparation}.{step.name}"
    st.session_state[key] = step.applied  # one switch may change what is done automatically elsewhere
    st.toggle(step.name, key=key, on_change=state.switch, args=(file_id, preparation, step.name, key))


def show_pictures(x: Float[Tensor, "c h w"], mean: Float[Tensor, "c h w"]) -> None:
    """The bits the model reads, what it makes of them, and where the two differ."""
    figures = (
        (
            5,
            "none",
            look.to_uint8(x),
            "The bits the model reads",
            "x",
            f"{look.symbol('x')}, the bits the model reads",
        ),
        (
            5,
            "none",
            look.to_uint8(mean),
            "The reconstruction",
            "decoded",
            f"{look.symbol('x̂')}, its reconstruction",
        ),
        (
            3,
            "9rem",
            look.difference(x, mean),
            "Where the two differ",
            "difference",
            f"ink {look.symbol('x', 'missed')} and {look.symbol('x̂', 'added')}",
        ),
    )
    cells = "".join(
        f'<div style="flex:{share} 1 {share * 28}px;max-width:{most}">'
        f"{look.picture_html(pixels, alt, testid, caption)}</div>"
        for share, most, pixels, alt, testid, caption in figures
    )
    st.html(f'<div style="display:flex;flex-wrap:wrap;gap:1.2rem;align-items:flex-end">{cells}</div>')


def chosen_seed() -> int:
    """Of eps and every estimate: how often z was sampled again, the link's count at first."""
    said = link.asked("seed")
    return st.session_state.setdefault("seed", int(said) if said.isdecimal() and len(said) < 6 else 0)


def move_latents(name: str, mu: Float[Tensor, " d"]) -> None:
    """The button's callback: Explore goes on from this picture's encoding."""
    st.session_state[f"z.{name}"] = inputs.as_place(name, mu.tolist())


def page(name: str) -> None:
    """Choose a picture, look at it, read the ledger."""
    chosen = source()
    if chosen == "Draw":
        given, result = draw(name), st.container()
        if given is None:
            st.caption("Draw one thing, as large as you like.")
            return
    else:
        choice, result = st.columns([2, 5], gap="large")
        with choice:
            given = upload(name) if chosen == "Upload" else example(name)
            show_original(given)
            pixels = look.to_uint8(given.picture[0])
            caption = f"{given.name}, prepared"
            st.html(look.picture_html(pixels, "The prepared picture", "prepared", caption, width="9rem"))
    seed = chosen_seed()
    first = engine().ask_glimpse(name, given.x, torch.tensor([seed])).result()
    with result:
        verdict.show(name, given)
        if chosen != "Draw":
            show_pictures(given.x[0], first.mean[0])
        numbers = st.empty()
        numbers.html(look.computing("the numbers"))
        with st.container(horizontal=True):
            if chosen != "Draw":
                st.button("Resample z", icon=":material/casino:", on_click=state.count_up, args=("seed",))
            if st.button("Move its latents", icon=":material/tune:", on_click=move_latents, args=(name, first.mu[0])):
                st.switch_page("vae/app/pages/explore.py")
        if chosen != "Draw":
            st.plotly_chart(charts.kl_bars(first.kl_per_dimension[0]), key="kl", config={"displayModeBar": False})
    if given.prepared:
        show_steps(given, engine().model(name).input_spec.preparation)
    link.write({"model": name, "x": inputs.address(given)} | ({"seed": str(seed)} if seed else {}))
    record = engine().frame(name, given.x, seed)  # up to seconds, for which no picture waits
    with numbers.container():
        ledger.show(record)


page(st.session_state["model"])
