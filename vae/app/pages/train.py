"""Train: pictures of one's own, what was understood of them, three controls, and the network while it learns."""

import html
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import streamlit as st

from vae import data
from vae.app import components, look
from vae.app.door import arrivals
from vae.app.live import routes
from vae.app.look import CLASS_COLOURS
from vae.app.session import brought, link, mine
from vae.data import DataError, Own, own
from vae.data.own import SHAPES, Brought, TooFew
from vae.pictures import FORMATS, films
from vae.pictures.files import on_disk
from vae.serve.jobs import asked, limits, packed
from vae.serve.jobs.asked import OVER, Wish
from vae.serve.jobs.queue import Refused, jobs
from vae.train.own.presets import SIZES, most_latents, preset, usual_latents, varied
from vae.train.own.watch import POINTS
from vae.train.recipes import Recipe

PICTURES = [*(name.lower() for name in FORMATS), "jpg", "jfif", "tif"]
OTHERS = ["zip", "gz", "idx3-ubyte", "idx1-ubyte"]  # what is sent of a folder beside them; of files all is looked at
FILES, FOLDER, BUILT_IN, SERVER = "Files or a ZIP", "A folder", "Pictures of this lab", "A folder on the server"
NETWORK = "A network that I kept"
SHOWN = 200  # sentences about files that were left out, before the rest is counted
FEW = 6  # sentences that are seen without scrolling
SHEET = (5, 8)  # rows and columns of the pictures as the network will see them
STEPS = 10**6  # that may be taken one by one
WARMED = 0.2  # of all epochs: how long beta rises, where it does


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


# ---- pictures, and what is to be learnt of them ----


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
                "Some hundred pictures of one kind of thing are best: drawings, faces, flowers, letters. You alone see "
                "them, and they are deleted with the network, or after some days that nobody used it."
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
    """A file that was downloaded here once, or written by the command line."""
    words = "Drop the .safetensors file here. It is measured anew, in a minute or so, and is yours as it was."
    file = st.file_uploader(words, type=["safetensors"], max_upload_size=packed.MOST // 10**6, key="train.network_file")
    if file is None or not st.button("Open it", type="primary", key="train.open"):
        return
    begun(lambda: jobs().bring(Path(file.name).stem, file.getvalue(), mine.known()))


def understood(digest: object, found: Brought) -> Own | None:
    """What was understood, and what the pictures are to become; None, and a sentence, where nothing can be learnt."""
    if not found.seen:
        st.warning("There is no picture in this that can be read.")
        left_out(found, [], True)
        return None
    st.html(look.note(found.words))
    left, right, name = st.columns(3)
    title = name.text_input("What they show", "My pictures", max_chars=40, key="train.title")
    suggest(*own.suggested(found))
    options = {"format_func": lambda one: SHAPES[one].words, "key": "train.shape"}
    chosen = left.selectbox("They become", list(SHAPES), **options)
    ways = SHAPES[chosen].preparations
    way = right.selectbox("What is taken of each", list(ways), format_func=ways.get, key=f"train.way.{chosen}")
    wanted = (digest, title, chosen, way)
    held = st.session_state.get("train.made")
    if held is None or held[0] != wanted:
        try:
            held = (wanted, *own.made(title, found, SHAPES[chosen].spec(way)))
        except TooFew as error:
            held = (wanted, str(error), error.refused)
        st.session_state["train.made"] = held
    _, pictures, refused = held
    if isinstance(pictures, str):  # why there are none
        st.warning(pictures)
    left_out(found, refused, isinstance(pictures, str))
    return None if isinstance(pictures, str) else pictures


def suggest(shape: str, preparation: str) -> None:
    """What suits the pictures is chosen, until the visitor chooses otherwise, or other pictures come that it does not
    suit."""
    keys = {"train.shape": shape, f"train.way.{shape}": preparation}
    is_new = st.session_state.get("train.suggested") != (shape, preparation)
    st.session_state["train.suggested"] = shape, preparation
    for key, value in keys.items():
        if is_new or key not in st.session_state:
            st.session_state[key] = value


def left_out(found: Brought, more: list[str], is_open: bool = False) -> None:
    """A sentence about each file that was left out, one step behind unless nothing can be done before they are read."""
    sentences = [*found.refused, *found.twins, *more]
    if sentences:
        with (
            st.expander(f"{len(sentences):,} left out", is_open, key="train.left_out"),
            st.container(height=200 if len(sentences) > FEW else "content", border=False),
        ):
            st.text("\n".join(sentences[:SHOWN]))
            if len(sentences) > SHOWN:
                st.text(f"and {len(sentences) - SHOWN:,} more")


def controls(pictures: Own) -> None:
    """The pictures as the network will see them, three controls, and the button."""
    seen, beside = st.columns([3, 2], gap="large")
    rows, columns = SHEET
    some = pictures.pictures.images[: rows * columns]
    frames = films.as_frames(data.grey(some))
    frames = np.concatenate([frames, np.zeros((rows * columns - len(frames), *frames.shape[1:]), np.uint8)])
    held = pictures.tested + pictures.validated
    caption = f"as the network will see them; {held} of {len(pictures.pictures.labels):,} are held out, to test it with"
    seen.html(look.picture_html(films.sheet(frames, columns), "The pictures", "train-sheet", caption))
    with beside:
        sizes = {name: size.words for name, size in SIZES.items()}
        size = st.segmented_control(
            "How thoroughly", list(sizes), default="quick", format_func=sizes.get, key="train.size", required=True
        )
        most, usual = most_latents(pictures), usual_latents(pictures)
        latents = st.slider("Into how many numbers each picture goes", 1, most, usual, key=f"train.latents.{most}")
        beta = st.select_slider(
            "What a number costs (beta)", [0.1, 0.3, 0.5, 1.0, 2.0, 4.0, 10.0], 1.0, key="train.beta"
        )
        recipe = more(preset("mine", pictures, size, latents, beta))
        if st.button("Train", type="primary", icon=":material/model_training:", key="train.go"):
            start(pictures, recipe)


def more(recipe: Recipe) -> Recipe:
    """What else can be chosen, one step behind."""
    with st.expander("More"):
        is_bits = recipe.model.spec.is_binary
        network = recipe.model.network
        if is_bits:
            words = {"dense": "dense layers", "conv": "convolutions"}
            network = st.selectbox("Network", list(words), format_func=words.get, key="train.network")
        rates = [1e-4, 3e-4, 1e-3, 2e-3, 3e-3]
        rate = st.select_slider(
            "Learning rate",
            rates,
            recipe.learning_rate,
            format_func="{:g}".format,
            key=f"train.rate.{recipe.learning_rate}",
        )
        warm = st.toggle("Let beta rise slowly at the beginning", key="train.warm")
        word = "Bend and turn the pictures a little" if is_bits else "Mirror half of the pictures, bend them a little"
        vary = st.toggle(word, recipe.warp > 0 or recipe.mirrored, key=f"train.vary.{is_bits}")
        seed = st.number_input("Seed", 0, 9999, 0, key="train.seed")
        likelihood = "Bernoulli, of bits" if is_bits else "discretised logistic, of 256 levels"
        st.html(look.note(f"Likelihood: {likelihood}, by what the pictures become."))
    return replace(
        varied(recipe, vary),
        model=replace(recipe.model, network=network),
        learning_rate=rate,
        kl_warmup=WARMED * recipe.epochs if warm else 0.0,
        seed=int(seed),
    )


def start(pictures: Own, recipe: Recipe) -> None:
    """Begin it, or say why that cannot be done now."""
    begun(lambda: jobs().start(pictures, recipe, mine.known()))


def begun(ask: Callable[[], str]) -> None:
    """Turn to what was asked for, or say why that cannot be had now."""
    try:
        key = ask()
    except Refused as error:
        st.warning(str(error))
        return
    mine.know(key)
    turn_to(key)
    st.rerun()


def turn_to(key: str) -> None:
    """That training is watched from now on."""
    st.session_state["training"] = key


def leave() -> None:
    """None is."""
    st.session_state.pop("training", None)
    link.forget("training")


# ---- a training ----


def watch(key: str) -> None:
    """A training while it goes on, and what has come of it."""
    found, entry, is_brought = jobs().find(key), mine.entry(key), (jobs().folder(key) / asked.BROUGHT).is_file()
    pictures = None if is_brought else kept_pictures(key)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.html(f"<b>{html.escape(found.title)}</b>")
        if entry is not None:
            options = {"type": "primary", "icon": ":material/tune:", "key": "train.explore"}
            if st.button("Explore it", on_click=use, args=(key,), **options):
                st.switch_page("vae/app/pages/explore.py")
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
        "colours": CLASS_COLOURS,
        "linear": f"the best linear code of {found.recipe['model']['latents']} numbers" if pictures else "",
        "brought": is_brought,
    }
    components.watching(key="watching", data=told, on_wish_change=lambda: wished(key), on_stand_change=lambda: None)
    if found.stand not in OVER:
        st.html(
            look.note("You may close this page: the training goes on, and the address of this page leads back to it.")
        )


def kept_pictures(key: str) -> Own | None:
    """Those that it learns from; None where their file is damaged."""
    try:
        return own.load(jobs().folder(key) / own.FILE)
    except DataError:
        return None


def use(key: str) -> None:
    """The callback: that network is shown from now on."""
    st.session_state["model"] = key


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
    if kinds == found and what["steps"] < STEPS:
        jobs().wish(key, Wish(**what))


if __name__ == "__main__":
    page()
