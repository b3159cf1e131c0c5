"""Where the pictures come from that a network is to learn from, or the network that is there already."""

from pathlib import Path

import streamlit as st

from vae import data
from vae.app import look
from vae.app.door import arrivals
from vae.app.session import brought, mine
from vae.app.train.turning import begun
from vae.data import Own, own
from vae.data.own import Brought
from vae.pictures import FORMATS
from vae.pictures.files import on_disk
from vae.serve.jobs import brought as carried
from vae.serve.jobs import limits
from vae.serve.jobs.queue import jobs

PICTURES = [*(name.lower() for name in FORMATS), "jpg", "jfif", "tif"]
OTHERS = ["zip", "gz", "idx3-ubyte", "idx1-ubyte"]  # what is sent of a folder beside them; of files all is looked at
FILES, FOLDER, BUILT_IN, SERVER = "Files or a ZIP", "A folder", "Pictures of this lab", "A folder on the server"
NETWORK = "A network that I kept"


def source() -> tuple[object, Brought | Own] | None:
    """Where pictures come from, and what was read of them, with what tells them from others; None before there are
    any."""
    kinds = [FILES, FOLDER, BUILT_IN, *([SERVER] if limits.folder() else []), NETWORK]
    kind = st.segmented_control("Pictures to learn from", kinds, default=FILES, key="train.kind", required=True)
    arrivals.expect(kind in (FILES, FOLDER))
    if kind == BUILT_IN:
        return built_in()
    if kind == SERVER:
        return on_server()
    if kind == NETWORK:
        network()
        return None
    box = st.container(key="train-drop")
    box.file_uploader(
        "Drop pictures or a ZIP here: folders in it become classes. A pair of IDX files will do, too."
        if kind == FILES
        else "Drop a folder here: the folders in it become classes.",
        type=PICTURES + OTHERS if kind == FOLDER else None,
        accept_multiple_files=True if kind == FILES else "directory",
        max_upload_size=jobs().limits.megabytes,
        key=f"train.{kind}",
    )
    found = brought.uploaded(f"train.{kind}")
    if found is None:
        st.html(
            look.note(
                "Some hundred pictures of one kind of thing are best: drawings, faces, flowers, letters. No other "
                "visitor sees them. They are deleted with the network, or when nobody has used it for "
                f"{limits.days(jobs().limits)}."
            )
        )
    return found


def built_in() -> tuple[object, Own] | None:
    """Pictures that ship with the lab."""
    names = {name: found.things.capitalize() for name, found in data.DATASETS.items()}
    name = st.pills("Which", list(names), format_func=names.get, key="train.built_in")
    if name is None:
        return None
    found, held = data.DATASETS[name], st.session_state.get("train.built")
    if held is None or held[0] != name:
        split, most = data.test_set(name), jobs().limits.pictures
        pictures = own.own_set(found.title, found.class_names, found.spec, split.images[:most], split.labels[:most])
        held = st.session_state["train.built"] = (name, pictures)
    return held


def on_server() -> tuple[object, Brought] | None:
    """A folder or ZIP below the one that the operator allows."""
    root = limits.folder()
    said = st.text_input("Its path", placeholder=f"below {root.name}", key="train.path")
    if not said:
        return None
    try:
        place = limits.inside(root, said)
        return brought.read({("disk", str(place)): lambda most: on_disk(place, most, brought.unpacked())})
    except ValueError as error:
        st.warning(str(error))
        return None


def network() -> None:
    """A network that was downloaded here once, was written by the command line, or comes from elsewhere."""
    words = "Drop its .safetensors file here. It is measured anew, for a minute or more, and is yours as it was."
    most = jobs().limits.megabytes
    files = st.file_uploader(words, accept_multiple_files=True, max_upload_size=most, key="train.network_file")
    st.html(
        look.note(
            "An autoencoder of photos from elsewhere can be opened, too: drop its config.json with it, as diffusers "
            "writes both."
        )
    )
    root = limits.folder()
    said = root and st.text_input("Or its path", placeholder=f"below {root.name}", key="train.network_path")
    try:
        if files:
            found = carried.uploaded([(file.name, file.getvalue()) for file in files])
            usual = carried.called([Path(file.name).stem for file in files if not file.name.endswith(".json")])
        elif said:
            place = limits.inside(root, said)
            found, usual = carried.on_disk(place, root), carried.called([place.stem, place.parent.name])
        else:
            return
    except ValueError as error:
        st.warning(str(error))
        return
    title = st.text_input("What it is called", usual, max_chars=40, key=f"train.network_title.{usual}")
    if st.button("Open it", type="primary", key="train.open"):
        begun(lambda: jobs().bring(title, found, mine.known()))
