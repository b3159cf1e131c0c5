"""The model that is shown: the picker, and what is said where one cannot be had."""

import streamlit as st

from vae.app import look
from vae.app.live import wire
from vae.app.look import figures
from vae.app.session import kept, link, mine
from vae.serve.capabilities import Can
from vae.serve.entry import Entry
from vae.serve.library import library

PLACES = {False: ("explore", "Explore it"), True: ("photos", "Give it a photo")}  # by whether z is a map


def visible() -> list[Entry]:
    """The models to choose from, in the picker's order."""
    return library().visible(wire.live_token())


def shown() -> Entry:
    """The model that the pages are about, once it was chosen."""
    return library().find(st.session_state["model"], wire.live_token())


def choose_model(page: str, needs: tuple[Can, ...]) -> Entry | None:
    """The model picker of the sidebar, on a page that needs something of a model; the choice is in the URL as
    ?model=NAME. None, and a sentence, where no model can be served."""
    chosen = _chosen(page, needs)
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


def _chosen(page: str, needs: tuple[Can, ...]) -> Entry | None:
    """The chosen model, loaded; the first that can be where it is not here or damaged, and a sentence about that."""
    mine.bring()
    names = [entry.name for entry in visible()]
    if names and st.session_state.get("model") not in names:
        asked = link.asked("model")
        st.session_state["model"] = asked if asked in names else names[0]
    if names and (before := st.session_state.get("model.page")) != page:
        if before is not None:  # what the link of another page asked for is told already
            st.session_state.pop("link.lost", None)
        st.session_state["model.page"] = page
        asked = link.asked("model") if before is None else ""
        _suit(needs, asked)
        if asked and asked not in names:
            learns, gone = "a network that has not learned yet", f"the model “{link.plain(asked)}”, which is not here"
            what = learns if mine.know(asked) else gone
            link.lost(f"{what}; this is {shown().words}")
    while visible():
        try:
            library().lease(shown())
            return shown()
        except ValueError:  # it is damaged where only loading shows it
            name = st.session_state["model"]
            say_broken(name, library().why_not(name))
            st.session_state["model"] = next((entry.name for entry in visible()), "")
    return None


def _suit(needs: tuple[Can, ...], asked: str) -> None:
    """Photos and all other pages have models of their own: one that was just opened, and is about the others, has the
    one that was chosen there before, or the first that there is. What the link `asked` for is left as it is."""
    chosen, before = shown(), st.session_state.get("model.before")
    is_about_photos, is_for_photos = Can.MAP in needs, chosen.lacks(Can.MAP) is None
    if not needs or is_about_photos == is_for_photos or asked == chosen.name:
        return
    fitting = [entry.name for entry in visible() if entry.lacks(*needs) is None]
    if fitting:
        st.session_state["model.before"] = chosen.name
        st.session_state["model"] = before if before in fitting else fitting[0]


def able(needs: tuple[Can, ...]) -> Entry | None:
    """The first model with which all of this can be done."""
    return next((entry for entry in visible() if entry.lacks(*needs) is None), None)


def turn_to(name: str) -> None:
    """The callback of a button: another model."""
    st.session_state["model"] = name


def way_into(entry: Entry, **options: object) -> None:
    """A button that leads to the page on which a model is played with."""
    where, words = PLACES[entry.lacks(Can.MAP) is None]
    if st.button(words, icon=":material/tune:", on_click=turn_to, args=(entry.name,), **options):
        st.switch_page(f"vae/app/pages/{where}.py")


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
        how = "as it gave them back" if entry.lacks(Can.MAP) is None else "that it drew by itself"
        st.html(look.picture_html(drawn, f"Some {entry.dataset.things} {how}", "model-picture"))
    with st.expander("About this network"):
        st.html(look.note(f"{entry.title}. {figures.in_short(entry)}"))
        for sentence in entry.card["limits"]:
            st.caption(sentence)
        source = entry.card["data"]
        st.caption(f"Data: {source['title']}, {source['credit']}, {source['licence']}.")
