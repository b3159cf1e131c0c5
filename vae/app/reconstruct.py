"""Reconstruct: your picture through the model, with the ledger of what it costs."""

import streamlit as st
import torch
from torch import Tensor

from vae import data, images
from vae.app import charts, look, session
from vae.engine import engine
from vae.frame import IW_SAMPLES, SAMPLES, Frame
from vae.spec import InputSpec

TYPES = ["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff"]


def example(name: str) -> tuple[Tensor, Tensor]:
    """(grey, bits) of the chosen example from the test set."""
    facts = session.card(name)
    dataset = data.DATASETS[facts["data"]["name"]]
    pictures, labels, bits = session.test_set(dataset.name)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.pills(
            "or an example",
            dataset.class_names,
            default=dataset.class_names[2],
            required=True,
            key=f"{dataset.name}.class",
            wrap=True,
            persist_state="session",
        )
        st.button("Another", icon=":material/refresh:", on_click=session.count_up, args=("turn",))
    own = [index for index in facts["examples"] if dataset.class_names[labels[index]] == chosen]
    index = own[session.counted("turn") % len(own)]
    return data.grey(pictures[index : index + 1]), bits[index : index + 1].float()


def keep_upload(key: str) -> None:
    """The uploader's callback: its file would be gone after a page change, so the session keeps the bytes."""
    file = st.session_state[key]
    st.session_state["picture"] = None if file is None else (file.file_id, file.getvalue())


def upload(spec: InputSpec) -> images.Prepared | None:
    """The visitor's picture, prepared; None, and at most one sentence on the page, where there is none."""
    key = f"upload.{session.counted('uploader')}"
    st.file_uploader("Your picture", TYPES, max_upload_size=25, key=key, on_change=keep_upload, args=(key,))
    if not st.session_state.get("picture"):
        return None
    file_id, content = st.session_state["picture"]
    st.button("Back to the examples", icon=":material/undo:", on_click=forget_upload)
    try:
        return images.prepare(content, spec, session.switches(file_id, spec.preparation))
    except images.ImageError as error:
        st.error(str(error), icon=":material/broken_image:")
        return None


def forget_upload() -> None:
    """Back to the examples, with a new, empty uploader."""
    st.session_state["picture"] = None
    session.count_up("uploader")


def show_steps(prepared: images.Prepared, preparation: str) -> None:
    """Every step of the preparation with the picture after it; the optional ones can be switched."""
    file_id, _ = st.session_state["picture"]
    done = sum(step.applied for step in prepared.steps)
    with st.expander(f"Prepared in {done} steps", icon=":material/auto_fix_high:"):
        columns = st.columns(4)
        for number, step in enumerate(prepared.steps):
            with columns[number % 4]:
                st.html(look.picture_html(step.image, step.text, caption=step.text))
                if step.switchable:
                    key = f"{file_id}.{preparation}.{step.name}"
                    st.session_state[key] = step.applied  # one switch may change what is done automatically elsewhere
                    chosen = (file_id, preparation, step.name, key)
                    st.toggle(step.name, key=key, on_change=session.switch, args=chosen)


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


def show_ledger(record: Frame) -> None:
    """Reconstruction - KL = ELBO <= IWAE <= log p(x), in nats."""
    x, z = look.symbol("x"), look.symbol("z")
    parts = [
        ("", look.nats(record.reconstruction), f"E<sub>q</sub> log p({x}|{z})"),
        ("−", look.nats(record.kl), "KL(q || p)"),
        ("=", look.nats(record.elbo), "ELBO"),
        (look.at_most(record.elbo, record.iwae), look.nats(record.iwae), f"IWAE, k = {IW_SAMPLES}"),
    ]
    if record.log_evidence is not None:
        exact = record.log_evidence
        parts.append((look.at_most(record.iwae, exact), look.nats(exact), f"log p({x}), exact"))
    st.html(look.equation(parts))
    gap = "" if record.gap is None else f" The encoder is {record.gap:.1f} nats from the true posterior."
    st.caption(
        f"Nats per picture; the ELBO is {record.bits_per_dimension:.3f} bits per pixel. The expectation is over "
        f"{SAMPLES} draws of z (± {record.reconstruction_error:.2f}).{gap}"
    )


def page(name: str) -> None:
    """Choose a picture, look at it, read the ledger."""
    st.caption("A picture, the bits that are drawn from its grey values, and what the model makes of them.")
    choice, result = st.columns([2, 5], gap="large")
    with choice:
        spec = engine().model(name).input_spec
        prepared = upload(spec)
        if prepared is None:
            grey, bits = example(name)
        else:
            noise = torch.Generator().manual_seed(data.BINARISATION_SEED)
            grey, bits = prepared.picture, data.binarise(prepared.picture, noise)
        pixels = look.to_uint8(grey[0])
        st.html(look.picture_html(pixels, "The prepared picture", "prepared", "the picture, prepared", width="9rem"))
    record = engine().frame(name, bits, session.counted("seed"))
    with result:
        show_pictures(record)
        show_ledger(record)
        st.button("Resample z", icon=":material/casino:", on_click=session.count_up, args=("seed",))
        st.plotly_chart(charts.kl_bars(record.kl_per_dimension), key="kl", config={"displayModeBar": False})
    if prepared is not None:
        show_steps(prepared, spec.preparation)


page(st.session_state["model"])
