"""Chapter 3: the Kullback-Leibler divergence, which depends on the direction, and what minimising each one does."""

import streamlit as st

from vae.app.components import divergence

TITLE, WORD = "KL divergence", "KL"


def show(name: str) -> None:
    """Two densities to drag; nothing here depends on the model."""
    st.markdown(
        "KL(p‖q) is the mean of ln p − ln q over draws from p: never below 0, and 0 only when p and q agree. "
        "KL(q‖p) takes its mean over draws from q, so it is another number. "
        "Fitting q by KL(p‖q) spreads it over all of p; by KL(q‖p), as a VAE fits q(z|x), it may keep to one mode."
    )
    divergence(key="divergence", data={})
