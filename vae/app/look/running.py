"""Running text on a page, in which the words of the glossary explain themselves."""

import streamlit as st

from vae.app.look import html


def say(text: str, answers: bool = False) -> None:
    """A paragraph, with **bold**, `code` and [links](address); one that `answers` a chapter's question waits for it."""
    st.html(html.paragraph(text, answers))


def aside(text: str, answers: bool = False) -> None:
    """What is said beside, smaller."""
    st.html(html.note(text, answers))
