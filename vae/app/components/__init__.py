"""The browser side: components that draw pictures and numbers themselves, so that moving a hand runs no script.

Streamlit sends a component's script, style and data again with each run of a page. So a component here is only the name
of its module, which comes from `served` with its styles, once; and of its data it gets what it does not hold yet.
"""

import json
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import streamlit as st

from vae.app.components import served

NEWS = 2000  # characters of what has changed, beyond which everything is sent anew


def _component(name: str, module: str, follows: bool = False) -> Callable:
    """A component whose module is one of the files that are served; `follows`: see `_news`."""
    mount = _mounting(name, module)

    def shown(key: str, data: dict[str, Any], **callbacks: Callable[[], None]):
        """The component on the page."""
        return mount(key=key, data=_news(key, data, follows), **callbacks)

    return shown


def _mounting(name: str, module: str, **options: bool) -> Callable:
    assert module in served.FILES, module
    # two lines: Streamlit would take one with a slash in it for a path
    js = f'export default\ncomponentOf("{served.VERSION}", "{module}")'
    return st.components.v2.component(name, js=js, **options)


def _news(key: str, data: dict[str, Any], follows: bool) -> dict[str, Any]:
    """The whole data with the name of this `edition`, or what has changed `since` one that the component holds.

    Which one it holds it says with whatever it says next. Most components look at what else they are given only where
    `rev` is another; one that `follows` looks at all of it each time.
    """
    digests = {name: _digest(value) for name, value in data.items()}
    sent, held = st.session_state.get(f"{key}.sent", {}), (st.session_state.get(key) or {}).get("held")
    edition = _digest(sent)
    if sent.keys() == digests.keys() and held == edition:
        matters = digests if follows or sent["rev"] != digests["rev"] else {"live"} & digests.keys()
        changed = {name: data[name] for name in matters if sent[name] != digests[name]}
        if len(json.dumps(changed)) <= NEWS:
            return changed | {"since": edition}
    st.session_state[f"{key}.sent"] = digests
    return data | {"edition": _digest(digests)}


def _digest(value: object) -> str:
    return blake2b(json.dumps(value).encode(), digest_size=8).hexdigest()


page = _mounting("page", "page.js", isolate_styles=False)
explorer = _component("explorer", "instruments/explore.js")
latent_map = _component("map", "instruments/map.js", follows=True)
journey = _component("journey", "instruments/journey.js", follows=True)
pad = _component("pad", "instruments/pad.js")
watching = _component("watching", "instruments/watching.js")
photos = _component("photos", "instruments/photos.js")
crop = _component("crop", "own/crop.js")
eyes = _component("eyes", "own/eyes.js")
generative = _component("generative", "lessons/generative.js")
structure = _component("structure", "lessons/structure/structure.js")
divergence = _component("divergence", "lessons/divergence/divergence.js")
training = _component("training", "lessons/training/training.js")
twins = _component("twins", "lessons/twins.js")
rate_distortion = _component("rate_distortion", "lessons/rate_distortion.js")
conditions = _component("conditions", "lessons/conditions.js")
layers = _component("layers", "lessons/layers.js")
accuracy = _component("accuracy", "lessons/accuracy.js")
posterior = _component("posterior", "lessons/posterior/posterior.js")
