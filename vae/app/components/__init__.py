"""The browser side: components that draw pictures and numbers themselves, so that moving a hand runs no script."""

from pathlib import Path

import streamlit as st

from vae.app.look import COLOURS

FOLDER = Path(__file__).parent
NAMES = {"x": "x", "x̂": "xhat", "z": "z", "mu": "mu", "sigma": "sigma"}
COLOUR_CSS = ":host { " + " ".join(f"--{css}: {COLOURS[name]};" for name, css in NAMES.items()) + " }\n"


def _component(name: str, *scripts: str):
    """A component of one module: the files' text, in order, in one scope."""
    js = "\n".join((FOLDER / script).read_text() for script in ("dom.js", "live.js", *scripts))
    return st.components.v2.component(name, css=COLOUR_CSS + (FOLDER / "lab.css").read_text(), js=js)


explorer = _component("explorer", "explore.js", "plane.js")
latent_map = _component("map", "map.js")
journey = _component("journey", "journey.js")
pad = _component("pad", "pad.js")
posterior = _component("posterior", "posterior.js")
