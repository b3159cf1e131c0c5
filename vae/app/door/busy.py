"""A page for which too many wait already says so, in a sentence."""

import streamlit as st

from vae.serve.turns import Busy


def say(error: Exception) -> bool:
    """What an error of a page's script was: whether it was this one, and the sentence is said."""
    if not isinstance(error, Busy):
        return False
    st.warning(str(error), icon=":material/hourglass_top:")
    return True
