"""The model that is shown: the picker, and what is said where one cannot be had."""

import streamlit as st

from vae.app import look
from vae.app.live import wire
from vae.app.session import kept, link
from vae.serve.entry import Entry
from vae.serve.library import library


def visible() -> list[Entry]:
    """The models to choose from, in the picker's order."""
    return library().visible(wire.live_token())


def shown() -> Entry:
    """The model that the pages are about, once it was chosen."""
    return library().find(st.session_state["model"], wire.live_token())


def choose_model() -> Entry | None:
    """The model picker of the sidebar; the choice is in the URL as ?model=NAME. None, and a sentence, where no model
    can be served."""
    chosen = _chosen()
    if chosen is None:
        st.info("There is no model that could be shown. This trains one, measures it and ships it:")
        st.code("python -m vae.train mnist\npython -m vae.evaluate mnist --run runs/mnist", language="bash")
        show_broken()
        return None
    words = {entry.name: entry.words for entry in visible()}
    with st.sidebar:
        options = {"format_func": words.get, "filter_mode": None, "persist_state": "session"}
        st.selectbox("The network has learned", list(words), key="model", **options)
        show_facts(chosen)
    return chosen


def _chosen() -> Entry | None:
    """The chosen model, loaded; the first that can be where it is not here or damaged, and a sentence about that."""
    names = [entry.name for entry in visible()]
    if names and st.session_state.get("model") not in names:
        asked = link.asked("model")
        st.session_state["model"] = asked if asked in names else names[0]
        if asked and asked not in names:
            link.lost(f"the model “{link.plain(asked)}”, which is not here; this is {shown().title}")
    while visible():
        try:
            library().lease(shown())
            return shown()
        except ValueError:  # it is damaged where only loading shows it
            name = st.session_state["model"]
            say_broken(name, library().why_not(name))
            st.session_state["model"] = next((entry.name for entry in visible()), "")
    return None


def lacks(*names: str) -> bool:
    """Whether one of these models cannot be had; the page then says why, and how to make it."""
    missing = {name: why for name in names if (why := _why_not(name))}
    if missing:
        first, why = next(iter(missing.items()))
        more = f" ({len(missing) - 1} more cannot be had either)" if len(missing) > 1 else ""
        st.info(
            f"This chapter needs the model {first}{more}: `python -m vae.train {first}` trains it, "
            f"`python -m vae.evaluate {first} --run runs/{first}` measures and ships it."
        )
        st.code(why, language=None, wrap_lines=True)
    return bool(missing)


def _why_not(name: str) -> str | None:
    """Why a model cannot be had, the pages' or the chapters'."""
    try:
        library().lease(library().find(name))
    except ValueError:
        return library().why_not(name)
    return None


def show_broken() -> None:
    """A sentence about each model that cannot be served."""
    for name, why in library().broken.items():
        say_broken(name, why)


def say_broken(name: str, why: str) -> None:
    """The sentence."""
    st.warning(f"The model {link.plain(name)} cannot be served.", icon=":material/broken_image:")
    st.code(why, language=None, wrap_lines=True)


def show_facts(entry: Entry) -> None:
    """Some of what the model draws; one step behind, its name, held-out numbers, limits and credits from its card."""
    if (drawn := kept.drawn(entry)) is not None:
        st.html(look.picture_html(drawn, f"Some {entry.dataset.things} that it drew by itself", "model-picture"))
    exact = entry.numbers.get("negative_log_evidence")
    bound = look.nats(-entry.numbers["negative_iw"]["value"])
    tightest = f"log p(x) {look.nats(-exact['value'])}" if exact else f"IWAE {bound}"
    elbo = look.nats(-entry.numbers["negative_elbo"]["value"])
    with st.expander("About this network"):
        st.html(look.note(f"{entry.title}. On the test set: ELBO {elbo}, {tightest} nats per picture."))
        for sentence in entry.card["limits"]:
            st.caption(sentence)
        source = entry.card["data"]
        st.caption(f"Data: {source['title']}, {source['credit']}, {source['licence']}.")
