"""Whether the model knows a picture: one sentence, wherever somebody's own picture is used."""

import streamlit as st
from torch import Tensor

from vae.app.look.keys import KEYS
from vae.app.session import inputs, kept
from vae.app.session.ids import Example, Sample
from vae.inference import familiar
from vae.inference.familiar import Usual
from vae.pictures import Content
from vae.serve import asked
from vae.serve.engine import engine
from vae.serve.entry import Entry
from vae.serve.library import library


@kept.of_model
def usual(entry: Entry) -> Usual:
    """What the model makes of the test set's pictures."""
    loaded = library().lease(entry)
    return engine().compute(familiar.usual, loaded.company, loaded.reconstructions)


@st.cache_data(show_spinner=False, max_entries=256, hash_funcs=KEYS | {Content: repr})
def reason(entry: Entry, x: Tensor, content: Content | None) -> str | None:
    """Why a picture is probably nothing that the model knows; None where nothing says so."""
    loaded = library().lease(entry)
    seen = engine().answer(asked.SKETCH, loaded, x)
    preparation = entry.pictures.preparation
    return engine().compute(familiar.doubt, preparation, content, usual(entry), loaded.company, x, seen)


def about(entry: Entry, given: inputs.Input) -> str | None:
    """The sentence about a picture of the visitor's own; None where the model knows it. Others it knows."""
    if isinstance(given.id, Example | Sample):
        return None
    why = reason(entry, given.x, given.prepared.content if given.prepared else None)
    noun = familiar.noun(entry.pictures.preparation)
    return why and (
        f"This is probably no {noun} like those that the model learned from: {why}. "
        "What comes back is the nearest thing that it knows."
    )


def show(entry: Entry, *given: inputs.Input) -> None:
    """The sentences about these pictures, where there are any."""
    for sentence in dict.fromkeys(about(entry, one) for one in given):
        if sentence:
            st.warning(sentence, icon=":material/help:")
