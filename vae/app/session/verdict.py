"""Whether the model knows a picture: a sentence or two, wherever somebody's own picture is used."""

import streamlit as st
from torch import Tensor

from vae.app import look
from vae.app.look.keys import KEYS
from vae.app.session import inputs
from vae.app.session.ids import UPLOAD, Example, Sample
from vae.inference import familiar
from vae.inference.familiar import Level, Verdict
from vae.pictures import PREPARATIONS, Content
from vae.serve.engine import engine
from vae.serve.entry import Entry
from vae.serve.library import library


@st.cache_data(show_spinner=False, max_entries=256, hash_funcs=KEYS | {Content: repr})
def judged(entry: Entry, x: Tensor, content: Content | None) -> Verdict | None:
    """How well the model knows a picture; None where it has no judge."""
    loaded = library().lease(entry)
    if loaded.judges is None:
        return None
    return engine().compute(familiar.judged, loaded.model, loaded.company, loaded.judges, x, [content])[0]


def about(entry: Entry, given: inputs.Input) -> Verdict | None:
    """How well the model knows a picture of the visitor's own; None for others, which are its own."""
    return None if isinstance(given.id, Example | Sample) else judged(entry, given.x, given.content)


def warning(entry: Entry, verdict: Verdict, how: str) -> str:
    """The sentences about a picture that the model does not know; `how` its part is chosen, where that can be done."""
    return (
        f"This is probably no {familiar.noun(entry.pictures.preparation)} like those that the model learned from: "
        f"{verdict.why}. What comes back is the nearest thing that it knows. {verdict.advice}{how}"
    )


def show(
    entry: Entry, *given: inputs.Input, how: str = " On Reconstruct you can say which part of it is meant."
) -> None:
    """The sentences about those of these pictures that the model does not know."""
    strange = [
        warning(entry, verdict, how if one.id == UPLOAD else "")
        for one in given
        if (verdict := about(entry, one)) and verdict.level == Level.STRANGE
    ]
    for sentences in dict.fromkeys(strange):
        st.warning(sentences, icon=":material/help:")


def show_ends(entry: Entry, given: dict[str, inputs.Input]) -> None:
    """The same about the pictures of a journey, each sentence with the letters that it is about."""
    letters: dict[str, list[str]] = {}
    for letter, one in given.items():
        if (verdict := about(entry, one)) and verdict.level == Level.STRANGE:
            letters.setdefault(warning(entry, verdict, ""), []).append(letter)
    for sentences, of in letters.items():
        st.warning(f"{', '.join(of)}: {sentences}", icon=":material/help:")


def show_word(entry: Entry, given: inputs.Input) -> None:
    """The same, and a word about a picture that the model does know, or that is a test picture of its own."""
    by_eyes = PREPARATIONS[entry.pictures.preparation].by_eyes
    show(entry, given, how=f" {'Drag the two dots onto the eyes' if by_eyes else 'Drag a box'} on your picture.")
    is_example = isinstance(given.id, Example)
    verdict = judged(entry, given.x, None) if is_example else about(entry, given)
    if verdict is None or (verdict.level == Level.STRANGE and not is_example):
        return
    thing = familiar.noun(entry.pictures.preparation)
    share = f"{100 * verdict.share:.0f} of 100 real {thing}s are at least as strange to this model"
    word = f"A {thing} that this model would take for none." if verdict.level == Level.STRANGE else verdict.sentence
    st.html(look.note(f"{word} {share}{f': {verdict.why}' if verdict.why else ''}."))
