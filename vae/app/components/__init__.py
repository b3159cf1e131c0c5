"""The browser side: components that draw pictures and numbers themselves, so that moving a hand runs no script."""

from pathlib import Path

import streamlit as st

from vae.app.look import COLOURS

FOLDER = Path(__file__).parent
NAMES = {"x": "x", "x̂": "xhat", "z": "z", "mu": "mu", "sigma": "sigma", "eps": "eps"}
COLOUR_CSS = ":host { " + " ".join(f"--{css}: {COLOURS[name]};" for name, css in NAMES.items()) + " }\n"


def _component(name: str, *files: str):
    """A component of one module: the scripts' text, in order, in one scope, and the styles after the shared ones."""
    texts = {file: (FOLDER / file).read_text() for file in ("dom.js", "live.js", "lab.css", *files)}
    js, css = ("\n".join(text for file, text in texts.items() if file.endswith(kind)) for kind in (".js", ".css"))
    return st.components.v2.component(name, css=COLOUR_CSS + css, js=js)


explorer = _component("explorer", "explore.js", "plane.js")
latent_map = _component("map", "map.js")
journey = _component("journey", "journey.js")
pad = _component("pad", "pad.js")
generative = _component("generative", "svg.js", "generative.js", "diagram.css", "generative.css")
structure = _component("structure", "svg.js", "structure.js", "diagram.css", "structure.css")
divergence = _component("divergence", "kl.js", "divergence.js", "divergence.css")
twins = _component("twins", "twins.js", "twins.css")
rate_distortion = _component("rate_distortion", "svg.js", "rate_distortion.js", "diagram.css", "rate_distortion.css")
conditions = _component("conditions", "svg.js", "conditions.js", "diagram.css", "conditions.css")
layers = _component("layers", "layers.js", "layers.css")
accuracy = _component("accuracy", "accuracy.js", "accuracy.css")
posterior = _component("posterior", "posterior.js")
