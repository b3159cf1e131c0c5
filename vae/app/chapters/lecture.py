"""What every chapter has around its instrument: a question to answer first, two lines to remember, a link to copy.

What answers the question has the class `answer`, in the page and in every shadow: it waits for the reader (page.css).
"""

import html
from typing import NamedTuple

import streamlit as st

from vae.app.look import glossary
from vae.app.session import link


class Question(NamedTuple):
    """What the reader predicts: `options`, of which `right` is the index, and `because`, what is told in the end.

    `does` says how to find out, and `by` is a CSS selector of what is used then: once it was, the answer is told, and
    what shows it is there, also for those who did not guess.
    """

    asks: str
    options: tuple[str, ...]
    right: int
    does: str
    by: str
    because: str


def waits(key: str) -> bool:
    """Whether a chapter keeps its answer back: not where a hand has been before it was entered, here or by a link."""
    if st.session_state.get("lecture.chapter") != key:
        st.session_state.update({"lecture.chapter": key, "lecture.waits": not link.seen(key)})
    return st.session_state["lecture.waits"]


def ask(key: str, question: Question) -> None:
    """The question, which lecture.js answers in the browser: no script runs for it."""
    parts = {"asks": question.asks, "does": question.does, "by": question.by, "because": question.because}
    said = {name: html.escape(text, quote=True) for name, text in parts.items()}
    buttons = "".join(
        f'<button type="button" data-guess="{number}" aria-pressed="false">{html.escape(option)}</button>'
        for number, option in enumerate(question.options)
    )
    st.html(
        f'<section class="question" data-testid="question" data-question="{key}" data-right="{question.right}" '
        f'data-by="{said["by"]}" data-does="{said["does"]}" data-because="{said["because"]}" '
        f'{"data-waits " if waits(key) else ""}aria-label="A question to predict">'
        f"<p><b>Predict first.</b> {said['asks']}</p>"
        f'<div class="guesses" role="group" aria-label="Your guess">{buttons}'
        '<button type="button" class="unguessed" data-lecture="tell">Show it without a guess</button></div>'
        '<p class="answered" aria-live="polite" data-testid="answered"></p></section>'
    )


def close(summary: tuple[str, str]) -> None:
    """The chapter in two lines, and for lecturers the address of what is seen, and the page on paper."""
    lines = "".join(f"<p>{glossary.marked(html.escape(line, quote=False))}</p>" for line in summary)
    st.html(f'<aside class="summary answer veil" data-testid="summary" aria-label="In short">{lines}</aside>')
    st.html(
        '<div class="lecturers" data-testid="lecturers"><span>For lecturers: the address of this page opens what is '
        'set here.</span> <button type="button" data-lecture="copy">Copy the link</button> '
        '<button type="button" data-lecture="print">Print</button> '
        '<span aria-live="polite" data-testid="copied"></span></div>'
    )
