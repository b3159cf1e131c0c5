"""Chapter 1: the generative model p(z) p(x|z), and the recognition model q(z|x) that runs it backwards."""

import streamlit as st

TITLE, WORD = "A generative and a recognition model", "Two models"


def show(name: str) -> None:
    """Sample z, get x."""
    st.markdown("A picture is made in two steps: draw z from the prior, then x from p(x|z).")
