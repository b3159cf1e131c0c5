"""Reconstruct: your picture through the model, with the ledger of what it costs."""

import streamlit as st

from vae import images
from vae.app import charts, inputs, ledger, link, look, session, sources
from vae.engine import engine
from vae.frame import Frame

SOURCES = ["Examples", "Upload", "Draw"]


def source() -> str:
    """Where the picture comes from; at first where the current input came from."""
    if "source" not in st.session_state:
        chosen = inputs.current(st.session_state["model"]).id
        st.session_state["source"] = {"upload": SOURCES[1], "drawing": SOURCES[2]}.get(chosen, SOURCES[0])
    options = {"label_visibility": "collapsed", "required": True, "persist_state": "session"}
    return st.segmented_control("Picture", SOURCES, key="source", on_change=turn_to_source, **options)


def turn_to_source() -> None:
    """The callback of the choice: what was there before is the current input again."""
    name = st.session_state["model"]
    example = st.session_state.get(f"input.{inputs.dataset_of(name).name}", "")
    inputs.choose(name, {SOURCES[1]: "upload", SOURCES[2]: "drawing"}.get(st.session_state["source"], example))


def example(name: str) -> inputs.Input:
    """The chosen example from the test set, or the picture that came with a link."""
    facts, dataset = session.card(name), inputs.dataset_of(name)
    labels = session.test_set(dataset.name)[1]

    def of_class(turn: int = 0) -> None:
        chosen = dataset.class_names.index(st.session_state[f"{dataset.name}.class"])
        own = [index for index in facts["examples"] if labels[index] == chosen]
        st.session_state[f"{dataset.name}.turn"] = turn
        inputs.choose(name, f"i{own[turn % len(own)]}")

    key = f"{dataset.name}.class"
    found = inputs.current(name)
    if found.id[0] == "i":  # it may have been chosen on another page
        st.session_state[key] = dataset.class_names[labels[int(found.id[1:])]]
    elif key not in st.session_state:
        st.session_state[key] = dataset.class_names[2]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        options = {"label_visibility": "collapsed", "required": True, "wrap": True, "persist_state": "session"}
        st.pills("An example", dataset.class_names, key=key, on_change=of_class, **options)
        turn = st.session_state.get(f"{dataset.name}.turn", 0)
        st.button("Another", icon=":material/refresh:", on_click=of_class, args=(turn + 1,))
    return found


def keep_upload(key: str) -> None:
    """The uploader's callback: its file would be gone after a page change, so the session keeps the bytes.

    What cannot be read takes no earlier upload away, which is then known by its bits.
    """
    name, file = st.session_state["model"], st.session_state[key]
    before = inputs.current(name)
    st.session_state["upload"] = None if file is None else (file.file_id, file.getvalue())
    if file is None or inputs.find(name, "upload") is not None:
        inputs.arrived(name, "upload")
    elif before.id == "upload":
        inputs.remember(name, before)
        inputs.choose(name, inputs.address(before))
    else:
        inputs.choose(name, "upload")


def upload(name: str) -> inputs.Input:
    """The visitor's picture, prepared; what was there before, and at most one sentence, where there is none."""
    key = f"upload.{session.counted('uploader')}"
    st.file_uploader("Your picture", sources.TYPES, max_upload_size=25, key=key, on_change=keep_upload, args=(key,))
    try:
        inputs.uploaded(name)
    except images.ImageError as error:
        st.error(str(error), icon=":material/broken_image:")
        st.caption(f"Still shown: {inputs.current(name).name}.")
    return inputs.current(name)


def draw(name: str) -> inputs.Input | None:
    """The drawing pad with what the model makes of it; the drawing, once there is one that can be read."""
    sources.drawing_pad(name, "pad", st.session_state.get("drawing") or b"", keep_drawing)
    return inputs.find(name, "drawing")


def keep_drawing() -> None:
    """The pad's callback: the pen was lifted."""
    inputs.keep_drawing(st.session_state["model"], st.session_state["pad"].get("drawing"))


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


def switch_of(step: images.Step, preparation: str) -> None:
    """The toggle of a step that was done, or not, by itself."""
    file_id, _ = st.session_state["upload"]
    key = f"{file_id}.{preparation}.{step.name}"
    st.session_state[key] = step.applied  # one switch may change what is done automatically elsewhere
    st.toggle(step.name, key=key, on_change=session.switch, args=(file_id, preparation, step.name, key))


def show_pictures(record: Frame) -> None:
    """The bits the model reads, what it makes of them, and where the two differ."""
    figures = (
        (
            5,
            "none",
            look.to_uint8(record.x),
            "The bits the model reads",
            "x",
            f"{look.symbol('x')}, the bits the model reads",
        ),
        (
            5,
            "none",
            look.to_uint8(record.mean),
            "The reconstruction",
            "decoded",
            f"{look.symbol('x̂')}, its reconstruction",
        ),
        (
            3,
            "9rem",
            look.difference(record.x, record.mean),
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


def move_latents(name: str, record: Frame) -> None:
    """The button's callback: Explore goes on from this picture's encoding."""
    st.session_state[f"z.{name}"] = inputs.as_place(name, record.mu.tolist())


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
            pixels = look.to_uint8(given.picture[0])
            caption = f"{given.name}, prepared"
            st.html(look.picture_html(pixels, "The prepared picture", "prepared", caption, width="9rem"))
    seed = chosen_seed()
    record = engine().frame(name, given.x, seed)
    with result:
        if chosen != "Draw":
            show_pictures(record)
        ledger.show(record)
        with st.container(horizontal=True):
            if chosen != "Draw":
                st.button("Resample z", icon=":material/casino:", on_click=session.count_up, args=("seed",))
            if st.button("Move its latents", icon=":material/tune:", on_click=move_latents, args=(name, record)):
                st.switch_page("vae/app/explore.py")
        if chosen != "Draw":
            st.plotly_chart(charts.kl_bars(record.kl_per_dimension), key="kl", config={"displayModeBar": False})
    if given.prepared:
        show_steps(given, engine().model(name).input_spec.preparation)
    link.write({"model": name, "x": inputs.address(given)} | ({"seed": str(seed)} if seed else {}))


page(st.session_state["model"])
