"""Where pictures come from: the example picker, the uploader and the drawing pad, and all of them in one dialog."""

import re
import secrets
from collections.abc import Callable
from dataclasses import astuple

import streamlit as st

from vae.app import look
from vae.app.components import crop, eyes, pad
from vae.app.live import wire
from vae.app.session import inputs, kept, link, picker, state
from vae.app.session.ids import UPLOAD, Example, Id, Sample
from vae.app.session.places import ends
from vae.pictures import ImageError, upright
from vae.pictures.face.eyes import STANDARD
from vae.serve.entry import Entry

# HEIC cannot be read, and is let in for the sentence that says what to do
TYPES = ["png", "jpg", "jpeg", "jfif", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic", "heif"]
SEEDS = 10**6
DIALOG = "source.upload"  # the place of a file that is brought for an end
DROPPED = "dropped"  # and of one that was dropped, pasted or chosen on any page


# ---- one of each ----


def example_picker(entry: Entry, key: str, chosen: Id | None, choose: Callable[[Example], None]) -> None:
    """A pill for each group of the test set, and a button for another picture of it; `choose` is told of it.

    The pressed pill is the first group of what was chosen already, if that is an example.
    """
    groups = kept.groups(entry.dataset.name)
    pressed, turn = f"{key}.class", f"{key}.turn"

    def of_class(number: int = 0) -> None:
        word = st.session_state[pressed]
        if word is None and number == 0:  # the pill that was pressed already
            return
        own = [index for index in entry.card["examples"] if word is None or index in groups[word]]
        st.session_state[turn] = number
        choose(Example(own[number % len(own)]))

    of = [word for word, rows in groups.items() if isinstance(chosen, Example) and chosen.index in rows]
    st.session_state[pressed] = of[0] if of else None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        options = {"label_visibility": "collapsed", "wrap": True, "persist_state": "session"}
        st.pills("An example", list(groups), key=pressed, on_change=of_class, **options)
        another = st.session_state.get(turn, 0) + 1
        st.button("Another", icon=":material/refresh:", on_click=of_class, args=(another,), key=f"{key}.another")


def uploader(
    entry: Entry,
    place: str,
    arrived: Callable[[bool, str], None] = lambda is_readable, name: None,
    camera: bool = False,
) -> bool:
    """Takes a file, or what the camera sees, to a place of the session, and tells `arrived` whether it can be read, and
    its name; False where it has said why one cannot.

    The file would be gone after a change of page, so the session keeps its bytes. A file that cannot be read takes no
    earlier one's place. An empty uploader takes nothing away, since it is empty too while another file is on its way.
    """
    key, refused = f"{place}.{state.counted(f'{place}.emptied')}", f"{place}.refused"
    key += ".camera" if camera else ""

    def keep() -> None:
        file = st.session_state[key]
        st.session_state[refused] = None
        if file is not None:
            arrived(_take(place, (file.file_id, file.getvalue())), file.name)

    if camera:
        st.camera_input("Your picture", key=key, on_change=keep, width=360)
    else:
        st.file_uploader("Your picture", TYPES, max_upload_size=25, key=key, on_change=keep)
    why = st.session_state.get(refused)
    try:
        inputs.uploaded(entry, place)
    except ImageError as error:  # another model could read it
        why = why or str(error)
    if why:
        st.error(why, icon=":material/broken_image:")
    return not why


def _take(place: str, file: tuple[str, bytes]) -> bool:
    """Whether a file can be prepared for the model that is shown, and is in this place now. Where not, what was there
    stays, and the session keeps why, and the file: a part of it may do."""
    before = st.session_state.get(place)
    st.session_state[place] = file
    try:
        inputs.uploaded(picker.shown(), place)
    except ImageError as error:
        st.session_state[place], st.session_state[f"{place}.refused"] = before, str(error)
        st.session_state[f"{place}.whole"] = file if _as_it_came(place, file) else None
        return False
    for one in (place, DROPPED):
        st.session_state[f"{one}.refused"] = st.session_state[f"{one}.whole"] = None
    return True


def cropper(place: str, arrived: Callable[[], None]) -> None:
    """The file that was brought to a place last, as it came, with a box that one drags around the part to be read;
    `arrived` is told of another part. Nothing where there is no picture in it."""
    file = st.session_state.get(f"{place}.whole") or st.session_state.get(place)
    shown = _as_it_came(place, file)
    if shown is None:
        return
    file_id, rev = file[0], f"{file[0]}.{state.counted(f'{place}.cuts')}"
    key = f"{place}.crop"

    def cut() -> None:
        said = st.session_state[key].get("box")
        part, before = state.as_part(said.get("box") if isinstance(said, dict) else None), state.part(file_id)
        if part is None or said.get("of") != rev:
            return
        state.take_part(file_id, part)
        if _take(place, file):
            arrived()
        else:
            state.take_part(file_id, before)
            state.count_up(f"{place}.cuts")  # the box goes back to where it was

    crop(key=key, data=shown | {"rev": rev, "box": list(astuple(state.part(file_id)))}, on_box_change=cut)


def eye_dots(entry: Entry, place: str, arrived: Callable[[], None]) -> None:
    """The file that is in a place, as it came, with two dots to drag onto the eyes, at first where they were found;
    `arrived` is told of other eyes. Nothing where there is no picture in it."""
    file = st.session_state.get(place)
    shown = _as_it_came(place, file)
    if shown is None:
        return
    file_id, key = file[0], f"{place}.eyes"
    rev = f"{file_id}.{state.counted(f'{place}.looks')}"

    def put() -> None:
        said = st.session_state[key].get("eyes")
        if not isinstance(said, dict) or said.get("of") != rev:
            return
        chosen = state.as_eyes(said.get("eyes"))
        if chosen is None:  # they are to be found again, and the dots go there
            state.count_up(f"{place}.looks")
        state.take_eyes(file_id, chosen)
        arrived()

    prepared = inputs.prepared_file(entry, *file)
    data = shown | {
        "rev": rev,
        "eyes": list(astuple(prepared.eyes)),
        "usual": STANDARD,
        "by_hand": state.eyes(file_id) is not None,
        "said": f"{prepared.said('eyes')}.",
    }
    eyes(key=key, data=data, on_eyes_change=put)


def _as_it_came(place: str, file: tuple[str, bytes] | None) -> dict | None:
    """A file's picture as the component shows it, made once; None where there is none."""
    key = f"{place}.shown"
    before = st.session_state.get(key)
    if file is None or (before is not None and before[0] == file[0]):
        return file and before[1]
    try:
        pixels = upright(file[1])
        shown = {"picture": look.photo_url(pixels), "width": pixels.shape[1], "height": pixels.shape[0]}
    except ImageError:
        shown = None
    st.session_state[key] = (file[0], shown)
    return shown


def put_away(place: str) -> None:
    """What was brought to a place is none of the app's any more, and its uploader is empty."""
    st.session_state[place] = st.session_state[f"{place}.refused"] = st.session_state[f"{place}.whole"] = None
    state.count_up(f"{place}.emptied")


def is_empty(place: str) -> bool:
    """Whether a place's uploader shows no file, as after a change of page."""
    return st.session_state.get(f"{place}.{state.counted(f'{place}.emptied')}") is None


def drawing_pad(entry: Entry, key: str, canvas: bytes, on_drawing_change: Callable[[], None]) -> None:
    """The drawing pad with what the model makes of a drawing; `canvas` is what is on it at first."""
    pad(
        key=key,
        data={
            "live": wire.wire(key, entry),
            "rev": entry.name,
            "shape": list(entry.pictures.shape),
            "grey": entry.pictures.levels,
            "order": entry.order,
            "canvas": look.as_text(canvas),
        },
        on_drawing_change=on_drawing_change,
        on_question_change=lambda: wire.answer(key),
    )


# ---- on every page ----


def everywhere(entry: Entry, page: str) -> None:
    """The uploader, which nobody sees, of what is dropped, pasted or chosen anywhere on a page (page/own.js); why a
    file cannot be read it says where it stands, until another page is opened."""
    if st.session_state.get(f"{DROPPED}.page") != page:
        st.session_state[f"{DROPPED}.page"], st.session_state[f"{DROPPED}.refused"] = page, None
    with st.container(key="own_file"):
        is_fine = uploader(entry, DROPPED, dropped)
    if not is_fine and page != "Reconstruct" and st.session_state.get(f"{UPLOAD.kind}.whole"):
        look.aside("Reconstruct shows it, with a box to drag around a part of it, and Photos takes it as it is.")


def dropped(is_readable: bool, name: str) -> None:
    """The callback: the picture goes to the end of a journey that its name was given, or is the current input."""
    entry, meant = picker.shown(), re.match(rf"@([{ends.LETTERS}]) ", name)
    if is_readable and meant:
        ends.put(entry, meant[1], inputs.uploaded(entry, DROPPED))
    elif is_readable:
        st.session_state[UPLOAD.kind] = st.session_state[DROPPED]
        st.session_state[f"{UPLOAD.kind}.refused"] = st.session_state[f"{UPLOAD.kind}.whole"] = None
        st.session_state["source"] = "Upload"  # what Reconstruct shows
        inputs.arrived(entry, UPLOAD)
        link.anew()
    else:  # a part of it may do, which one chooses on Reconstruct
        st.session_state[f"{UPLOAD.kind}.whole"] = st.session_state[f"{DROPPED}.whole"]
        st.session_state["source"] = "Upload"
    st.session_state[DROPPED] = None  # the uploader itself stays as it is: the next file may be on its way to it


# ---- all of them, for one end of a journey ----


def an_example(entry: Entry) -> inputs.Input | None:
    """A picture of a chosen class of the test set."""
    key = f"source.{entry.dataset.name}"
    st.session_state.setdefault(key, Example(entry.card["examples"][0]))
    example_picker(entry, f"{key}.pills", st.session_state[key], lambda one: st.session_state.update({key: one}))
    return inputs.find(entry, st.session_state[key])


def the_current(entry: Entry) -> inputs.Input | None:
    """What the other pages are about."""
    return inputs.current(entry)


def a_photo(entry: Entry) -> inputs.Input | None:
    """What the visitor's camera sees, prepared, once there is something that can be."""
    return an_upload(entry, camera=True)


def an_upload(entry: Entry, camera: bool = False) -> inputs.Input | None:
    """A file of the visitor's, prepared, once there is one that can be."""
    uploader(entry, DIALOG, camera=camera)
    try:
        return inputs.uploaded(entry, DIALOG)
    except ImageError:  # the uploader has said so
        return None


def a_drawing(entry: Entry) -> inputs.Input | None:
    """What the visitor draws here, once there is something."""
    key = "source.pad"

    def keep() -> None:
        st.session_state["source.drawing"] = inputs.as_canvas(st.session_state[key].get("drawing"))

    canvas = st.session_state.get("source.drawing")
    drawing_pad(entry, key, canvas or b"", keep)
    try:
        return canvas and inputs.from_canvas(entry, canvas)
    except ImageError as error:
        st.caption(str(error))
        return None


def a_sample(entry: Entry) -> inputs.Input | None:
    """A picture that the model makes up."""
    first = st.session_state.setdefault("source.seed", secrets.randbelow(SEEDS))
    st.button("Another", icon=":material/refresh:", on_click=state.count_up, args=("source.sample",))
    return inputs.find(entry, Sample((first + state.counted("source.sample")) % SEEDS))


# A new source is one function and its row here.
SOURCES = {
    "Examples": an_example,
    "Upload": an_upload,
    "Camera": a_photo,
    "Draw": a_drawing,
    "Made up": a_sample,
    "Current": the_current,
}


def choose(entry: Entry) -> inputs.Input | None:
    """The picture that the visitor chooses, from any source; None until there is one."""
    options = {"label_visibility": "collapsed", "required": True}
    source = st.segmented_control("From", list(SOURCES), default="Examples", **options)
    given = SOURCES[source](entry)
    if given is not None and source != "Draw":
        st.html(look.picture_html(look.to_uint8(given.picture[0]), given.name, "chosen", given.name, width="9rem"))
    return given
