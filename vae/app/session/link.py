"""The URL is the save file: read once, and again after Back and Forward; written as one, so that Back goes one step."""

import re

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

# What in the session a key of the URL decides; a name that ends in a dot stands for all that begin with it. Pages that
# say z say the kept sliders of their model, too: where they say none, there were none yet.
DECIDES = {
    "model": ["model"],
    "x": ["own", "input."],
    "z": ["z.", "sampled.", "yours.{model}"],
    "yours": ["yours.{model}"],
    "seed": ["seed"],
    "chapter": ["chapter"],
    "photo": ["photos.chosen"],
    "show": ["photos.shown"],
    "see": ["see", "twins.draws"],
    "pair": ["twins.pair"],
    "p": ["densities"],
    "q": ["densities"],
    "ends": ["ends."],
    "stops": ["journey.count"],
    "mode": ["journey.mode"],
    "path": ["journey.path"],
    "steps": ["journey.steps"],
    "at": ["journey.at."],
}


def read() -> None:
    """Take what the URL says into the session: at its first run, and where the visitor went back or forward."""
    if "link" in st.session_state and not get_script_run_ctx().is_history_navigation:
        return
    st.session_state["link"] = said = st.query_params.to_dict()
    anew()
    st.session_state.pop("link.lost", None)
    model = said.get("model", "")
    decided = [name.format(model=model) for key in said for name in DECIDES.get(key, [])]
    families = tuple(name for name in decided if name.endswith("."))
    for name in [name for name in st.session_state if name in decided or name.startswith(families)]:
        del st.session_state[name]


def turn() -> int:
    """How often the URL was read, or a picture came: a component that is told another number takes what Python says."""
    return st.session_state.get("link.turn", 0)


def anew() -> None:
    """What Python says is to be taken, as after another link: a picture came from beside the components."""
    st.session_state["link.turn"] = turn() + 1


def asked(key: str, model: str | None = None) -> str:
    """What the link says of a key, "" for nothing; where it is about a model, only of that one."""
    said = st.session_state["link"]
    return said.get(key, "") if model is None or said.get("model", model) == model else ""


def lost(what: str) -> None:
    """The link asks for something that cannot be had; the page says so, until the URL is read again."""
    st.session_state.setdefault("link.lost", {})[what] = None


def say_lost() -> None:
    """What of the link could not be had, in one sentence each."""
    for what in st.session_state.get("link.lost", {}):
        st.warning(f"The link asks for {what}.", icon=":material/link_off:")


def plain(text: str) -> str:
    """What anybody may have written into a URL, as a few letters that mean nothing to Markdown."""
    return re.sub(r"[^\w. -]", "", text)[:40].strip() or "?"


def forget(key: str) -> None:
    """What the link says of a key is out of date."""
    st.session_state["link"].pop(key, None)


def write(values: dict[str, str]) -> None:
    """Make this the URL."""
    if st.query_params.to_dict() != values:
        st.query_params.from_dict(values)


# What is seen of a chapter beside model, picture and densities, as its component puts it: numbers and words with dots.
SEE = re.compile(r"[\w.-]{0,200}")


def seen(chapter: str) -> str:
    """What a chapter shows at first, and after Back, as the link says it; "" for nothing."""
    if "see" not in st.session_state:
        st.session_state["see"] = {asked("chapter"): asked("see")}
    found = st.session_state["see"].get(chapter, "")
    return found if SEE.fullmatch(found) else ""


def see(chapter: str, component: str) -> None:
    """The callback of a chapter's component: a hand rests, and this is what is seen."""
    found = st.session_state[component].get("see")
    if isinstance(found, str) and SEE.fullmatch(found):
        st.session_state["see"] = st.session_state.get("see", {}) | {chapter: found}


def numbers(chapter: str, least: float, most: float) -> list[float]:
    """What is seen as numbers between two, where it is that; else none."""
    try:
        found = [float(part) for part in seen(chapter).split("_")]
    except ValueError:
        return []
    return found if all(least <= number <= most for number in found) else []


def said(chapter: str) -> dict[str, str]:
    """The same for a link."""
    return {"see": found} if (found := seen(chapter)) else {}
