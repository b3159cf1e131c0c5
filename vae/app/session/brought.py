"""Pictures that a visitor brings to learn from: each file is read once, and what Streamlit keeps of it is let go of.

Streamlit holds the bytes of every file until the visit ends. Here a file is read as soon as it is there; the visit
keeps small copies of its pictures, by the file's id, so that more can be brought and one be taken away again.
"""

from collections.abc import Callable, Hashable

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from vae.app.door import arrivals
from vae.data import own
from vae.data.own import Brought
from vae.pictures.files import File, readable
from vae.serve.jobs.queue import jobs

KEY, WHOLE = "train.parts", "train.brought"
UNPACKED = 5  # bytes that an archive may have unpacked, for each that it may have itself
Taken = tuple[list[File], list[str]]
Take = Callable[[int], Taken]  # at most so many pictures, and a sentence about each that is refused


def uploaded(key: str) -> tuple[Hashable, Brought] | None:
    """What was read of the files that the uploader of a key holds, and what tells them from others; None where it holds
    none.

    What the uploader returns is a copy of all their bytes: it is better not kept.
    """
    files = [file for file in st.session_state.get(key) or [] if isinstance(file, UploadedFile)]
    if not files:
        return None
    held = st.session_state.setdefault(KEY, {})
    ids = {file.file_id for file in files}
    for gone in [one for one in held if one[-1] not in ids]:
        del held[gone]
    _take_in([file for file in files if (file.file_id,) not in held], held)
    pairs = [file for file in files if (file.file_id,) not in held and own.is_idx(file.getvalue())]
    alone = [file for file in files if file not in pairs]
    takes = {(file.file_id,): (lambda most, file=file: _taken([file], most)) for file in alone}
    if pairs:  # which labels belong to which pictures is seen of all of them
        takes[("pairs", *(file.file_id for file in pairs))] = lambda most: _taken(pairs, most)
    found = read(takes)
    for file in alone:
        _let_go(file)
    return found


def read(takes: dict[tuple, Take]) -> tuple[Hashable, Brought]:
    """What was read of each thing by its key, those that are new now, and what tells it from others; what was read of
    all others is let go of."""
    held = st.session_state.setdefault(KEY, {})
    for gone in held.keys() - takes.keys():
        del held[gone]
    new = {key: take for key, take in takes.items() if key not in held}
    if new:
        bar = st.progress(0.0, "Reading …")
        try:
            for number, (key, take) in enumerate(new.items()):
                held[key] = _read(take, lambda share, text, done=number: bar.progress((done + share) / len(new), text))
        finally:
            bar.empty()
    before = st.session_state.get(WHOLE)
    if before is None or before[0] != tuple(takes):
        before = st.session_state[WHOLE] = (tuple(takes), own.together(held[key] for key in takes))
    return before


def _take_in(files: list[UploadedFile], held: dict[tuple, Brought]) -> None:
    """What was read of files as they arrived."""
    room = jobs().limits.pictures - sum(map(len, held.values()))
    for file in files:
        found = arrivals.taken(file.file_id)
        if found is None:
            continue
        if len(found) > room:
            found = Brought(refused=[f"{readable(file.name)}: {_full()}"])
        room -= len(found)
        held[(file.file_id,)] = found


def _full() -> str:
    return f"there are {jobs().limits.pictures:,} pictures already, the most at once."


def unpacked() -> int:
    """Bytes that an archive may have unpacked here."""
    return UNPACKED * jobs().limits.megabytes * 10**6


def _read(take: Take, show: Callable[[float, str], object]) -> Brought:
    limits, held = jobs().limits, st.session_state[KEY].values()
    count, megapixels = sum(map(len, held)), sum(part.megapixels for part in held)
    files, refused = take(limits.pictures - count)
    found = Brought()
    for number, so_far in enumerate(own.brought(files, limits.megapixels, megapixels)):
        show(number / max(1, len(files)), f"Reading picture {count + number:,} …")
        found = so_far
    found.refused[:0] = refused
    return found


def _taken(files: list[UploadedFile], most: int) -> Taken:
    if most <= 0:
        return [], [f"{readable(file.name)}: {_full()}" for file in files]
    given = [(file.name, file.getvalue()) for file in files]
    return own.taken(given, most, unpacked())


def _let_go(file: UploadedFile) -> None:
    """Streamlit keeps that there is a file, which the uploader shows, and none of its bytes."""
    script = get_script_run_ctx(suppress_warning=True)
    if script is None or not file.getbuffer().nbytes:
        return
    manager = script.uploaded_file_mgr
    for record in manager.get_files(script.session_id, [file.file_id]):
        manager.add_file(script.session_id, record._replace(data=b""))
    file.seek(0)
    file.truncate()
