"""How it works: the theory in chapters, each with one picture to play with and the model's own numbers."""

import streamlit as st

from vae.app.chapters import CHAPTERS, lecture
from vae.app.live import wire
from vae.app.session import inputs, link, picker, verdict
from vae.serve.entry import Entry

NO_PICTURE = ("model", "training")  # chapters that are about none of the visitor's


def chosen() -> str:
    """The chapter that the visitor turned to; at first what the link says, else the first."""
    if "chapter" not in st.session_state:
        asked = link.asked("chapter")
        st.session_state["chapter"] = asked if asked in CHAPTERS else next(iter(CHAPTERS))
        if asked and asked not in CHAPTERS:
            link.lost("a chapter that there is not; this is the first")
    options = {"label_visibility": "collapsed", "required": True, "wrap": True, "persist_state": "session"}
    words = {key: f"{number} {chapter.WORD}" for number, (key, chapter) in enumerate(CHAPTERS.items(), 1)}
    return st.pills("Chapter", list(CHAPTERS), key="chapter", format_func=words.get, **options)


def turn(key: str) -> None:
    """The callback of the button that leads on."""
    st.session_state["chapter"] = key


@wire.fragment
def inside(entry: Entry, key: str) -> None:
    """The chapter itself, which runs again alone once a hand has rested, so that the link follows."""
    link.write({"model": entry.name, "chapter": key} | (CHAPTERS[key].show(entry) or {}))


def page(entry: Entry) -> None:
    """A chapter between its question and its summary, and the way to the next."""
    key = chosen()
    chapter = CHAPTERS[key]
    st.header(chapter.TITLE, anchor=False)
    if key not in NO_PICTURE:
        verdict.show(entry, inputs.current(entry))
    lecture.ask(key, chapter.QUESTION)
    inside(entry, key)
    lecture.close(chapter.SUMMARY)
    later = list(CHAPTERS)[list(CHAPTERS).index(key) + 1 :]
    if later:
        st.button(
            f"Next: {CHAPTERS[later[0]].TITLE}",
            icon=":material/arrow_forward:",
            on_click=turn,
            args=later[:1],
            key="next",
        )


page(picker.shown())
