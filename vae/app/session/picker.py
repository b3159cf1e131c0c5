"""The model that is shown: the picker, and what is said where one cannot be had."""

import contextlib

import streamlit as st

from vae.app import look
from vae.app.session import link
from vae.app.session.kept import card, names, title
from vae.models import pretrained
from vae.serve.engine import engine


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
    if name in engine().models:
        return None
    if name in engine().broken:
        return engine().broken[name]
    try:
        engine().chapter_model(name)
        pretrained.load_card(name)
    except ValueError as error:
        return pretrained.shown(error)
    return None


def chapter_cards() -> dict[str, dict]:
    """The cards of the chapters' models, of those whose card can be read."""
    found = {}
    for name in pretrained.list_pretrained(chapters=True):
        with contextlib.suppress(ValueError):  # the chapter that needs the model says what is wrong with it
            found[name] = pretrained.load_card(name)
    return found


def choose_model() -> str | None:
    """The model picker of the sidebar; the choice is in the URL as ?model=NAME. None, and a sentence, where no model
    can be served."""
    if not names():
        st.info("There is no model that could be shown. This trains one, measures it and ships it:")
        st.code("python -m vae.train mnist\npython -m vae.evaluate mnist --run runs/mnist", language="bash")
        show_broken()
        return None
    if st.session_state.get("model") not in names():
        asked = link.asked("model")
        st.session_state["model"] = asked if asked in names() else names()[0]
        if asked and asked not in names():
            link.lost(f"the model “{link.plain(asked)}”, which is not here; this is {title(names()[0])}")
    with st.sidebar:
        name = st.selectbox("Model", names(), key="model", format_func=title, filter_mode=None, persist_state="session")
        show_facts(name)
    return name


def show_broken() -> None:
    """A sentence about each model that cannot be served."""
    for name, why in engine().broken.items():
        st.warning(f"The model {link.plain(name)} cannot be served.", icon=":material/broken_image:")
        st.code(why, language=None, wrap_lines=True)


def show_facts(name: str) -> None:
    """The model's held-out numbers, limits and credits, from its card."""
    facts = card(name)
    numbers = facts["numbers"]
    exact = numbers.get("negative_log_evidence")
    tightest = (
        f"log p(x) {look.nats(-exact['value'])}" if exact else f"IWAE {look.nats(-numbers['negative_iw']['value'])}"
    )
    elbo = look.nats(-numbers["negative_elbo"]["value"])
    st.html(look.note(f"On the test set: ELBO {elbo}, {tightest} nats per picture"))
    with st.expander("About"):
        for sentence in facts["limits"]:
            st.caption(sentence)
        st.caption(f"Data: {facts['data']['title']}, {facts['data']['credit']}, {facts['data']['licence']}.")
