"""Running text on a page, in which the words of the glossary explain themselves."""

import streamlit as st

from vae.app.look import html


def say(text: str) -> None:
    """A paragraph, with **bold**, `code` and [links](address)."""
    st.html(html.paragraph(text))


def aside(text: str) -> None:
    """What is said beside, smaller."""
    st.html(html.note(text))
