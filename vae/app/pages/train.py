"""Train: pictures of one's own, what was understood of them, three controls, and the network while it learns."""

import streamlit as st

from vae.app.session import link, mine
from vae.app.train.controls import controls
from vae.app.train.source import source
from vae.app.train.turning import leave, turn_to
from vae.app.train.understood import understood
from vae.app.train.watched import watch
from vae.data import Own
from vae.serve.jobs import limits
from vae.serve.jobs.queue import jobs


def page() -> None:
    """A training that is chosen is watched; else pictures are asked for."""
    key = st.session_state.get("training") or link.asked("training")
    if key and mine.know(key):
        st.session_state["training"] = key
        watch(key)
    else:
        if key:
            link.lost("a training that is not here, or not any more")
            leave()
        if limits.is_on():
            begin()
        else:
            st.info("Training is switched off on this server. On a computer of your own it is on.")
    chosen = st.session_state.get("training")
    link.write({"model": st.session_state["model"]} | ({"training": chosen} if chosen else {}))


def begin() -> None:
    """Pictures, what was understood of them, and the controls."""
    others()
    found = source()
    if found is None:
        return
    digest, read_files = found
    pictures = read_files if isinstance(read_files, Own) else understood(digest, read_files)
    if pictures is not None:
        with st.container(key="train.controls"):
            controls(pictures)


def others() -> None:
    """The trainings that this visitor has already."""
    for key in mine.known():
        found = jobs().find(key)
        with st.container(horizontal=True, vertical_alignment="center"):
            options = {"icon": ":material/model_training:", "on_click": turn_to, "args": (key,), "key": f"to.{key}"}
            st.button(f"{found.title}: {found.stand.value}", **options)


if __name__ == "__main__":
    page()
