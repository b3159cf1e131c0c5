"""A training while it goes on, and what has come of it."""

import html
from dataclasses import asdict

import streamlit as st

from vae.app import components, look
from vae.app.live import routes
from vae.app.look import CLASS_COLOURS, figures
from vae.app.session import kept, mine, picker
from vae.app.train.source import NETWORK
from vae.app.train.turning import leave
from vae.data import DataError, Own, own
from vae.serve.jobs import asked, limits, packed
from vae.serve.jobs.asked import OVER, Stand, Wish
from vae.serve.jobs.queue import jobs
from vae.train.own.watch import POINTS

STEPS = 10**6  # that may be taken one by one


def watch(key: str) -> None:
    """A training while it goes on, and what has come of it."""
    found, entry, is_brought = jobs().find(key), mine.entry(key), (jobs().folder(key) / asked.BROUGHT).is_dir()
    pictures = None if is_brought else kept_pictures(key)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.html(f"<b>{html.escape(found.title)}</b>")
        if entry is not None:
            picker.way_into(entry, type="primary", key="train.explore")
            options = {"icon": ":material/download:", "on_click": "ignore", "key": "train.download"}
            name = f"{''.join(letter for letter in found.title if letter.isalnum() or letter in ' -_')}.safetensors"
            st.download_button("Download", lambda: packed.packed(entry.folder), name, **options)
        st.button("Train another", icon=":material/add:", on_click=leave, key="train.another")
        with st.popover("Delete", icon=":material/delete:"):
            st.write("The pictures, the training and its network are deleted from this server.")
            st.button("Delete all of it", on_click=delete, args=(key,), key="train.delete")
    if pictures is None and not is_brought:
        st.warning("The pictures of this training are damaged, so that it cannot be shown. Delete it, and begin anew.")
        return
    told = {
        "rev": key,
        "path": f"{routes.MINE}/{key}",
        "side": pictures.spec.height if pictures else 28,
        "labels": pictures.part("test").labels[:POINTS].tolist() if pictures else [],
        "classes": list(pictures.class_names) if pictures else [],
        "colours": CLASS_COLOURS,
        "linear": f"the best linear code of {found.recipe['model']['latents']} numbers" if pictures else "",
        "brought": is_brought,
    }
    if is_brought and entry is not None and (sheet := kept.sheet(entry)) is not None:
        st.html(look.picture_html(sheet, "What it draws", "train-brought", figures.in_short(entry)))
    components.watching(key="watching", data=told, on_wish_change=lambda: wished(key), on_stand_change=lambda: None)
    jobs().used(key)
    st.html(look.note(beside(found.stand, is_brought)))


def beside(stand: Stand, is_brought: bool) -> str:
    """How one comes back to a training, and for how long."""
    back = f"The address of this page leads back to it, until nobody has used it for {limits.days(jobs().limits)}."
    if stand == Stand.DONE:
        return f"{back} To keep it for longer, download it: Train opens the file again, as “{NETWORK}”."
    rests = is_brought or stand in (*OVER, Stand.STOPPED)
    return back if rests else f"You may close this page: the training goes on. {back}"


def kept_pictures(key: str) -> Own | None:
    """Those that it learns from; None where their file is damaged."""
    try:
        return own.load(jobs().folder(key) / own.FILE)
    except DataError:
        return None


def delete(key: str) -> None:
    """The callback: nothing of it stays."""
    if st.session_state.get("model") == key:
        st.session_state.pop("model")
    mine.forget(key)
    leave()


def wished(key: str) -> None:
    """The callback of the component: what its process is to do."""
    what = st.session_state["watching"].get("wish")
    if not isinstance(what, dict):
        return
    kinds, found = ({name: type(value) for name, value in one.items()} for one in (asdict(Wish()), what))
    if kinds == found and what["steps"] < STEPS and jobs().find(key) is not None:  # somebody may have deleted it
        jobs().wish(key, Wish(**what))
