"""Whether the model knows a picture: one sentence, wherever somebody's own picture is used."""

import streamlit as st
from torch import Tensor

from vae.app.session import inputs
from vae.inference import familiar
from vae.inference.familiar import Usual
from vae.models import pretrained
from vae.pictures import Content
from vae.serve.engine import engine


@st.cache_resource(show_spinner=False)
def usual(name: str) -> Usual:
    """What the model makes of the test set's pictures."""
    return engine().compute(familiar.usual, engine().company[name], pretrained.load_reconstructions(name))


@st.cache_data(
    show_spinner=False,
    max_entries=256,
    hash_funcs={Tensor: lambda x: x.numpy().tobytes(), Content: repr},
)
def reason(name: str, x: Tensor, content: Content | None) -> str | None:
    """Why a picture is probably nothing that the model knows; None where nothing says so."""
    seen = engine().ask_sketch(name, x).result()
    preparation = engine().model(name).input_spec.preparation
    return engine().compute(familiar.doubt, preparation, content, usual(name), engine().company[name], x, seen)


def about(name: str, given: inputs.Input) -> str | None:
    """The sentence about a picture of the visitor's own; None where the model knows it. Others it knows."""
    if given.id[0] in "is":
        return None
    why = reason(name, given.x, given.prepared.content if given.prepared else None)
    noun = familiar.noun(engine().model(name).input_spec.preparation)
    return why and (
        f"This is probably no {noun} like those that the model learned from: {why}. "
        "What comes back is the nearest thing that it knows."
    )


def show(name: str, *given: inputs.Input) -> None:
    """The sentences about these pictures, where there are any."""
    for sentence in dict.fromkeys(about(name, one) for one in given):
        if sentence:
            st.warning(sentence, icon=":material/help:")
