"""Models: what each one draws of its prior, how well it does by its card, and how it is served."""

import json

import numpy as np
import streamlit as st
import torch

from vae.app import look
from vae.app.look import figures, glossary, takeaway
from vae.app.session import kept, link, picker
from vae.pictures import films
from vae.serve.capabilities import Can
from vae.serve.entry import Entry
from vae.serve.library import library

DRAWS = (3, 8)  # rows and columns of a sheet
SEED = 0


@kept.of_model
def sheet(entry: Entry) -> np.ndarray:
    """Decoded draws of z from N(0, I), the same each time: (h, w) or (h, w, 3) bytes."""
    rows, columns = DRAWS
    z = torch.randn(rows * columns, entry.latents, generator=torch.Generator().manual_seed(SEED))
    return films.sheet(takeaway.decoded(entry, z), columns)


def made(entry: Entry) -> str:
    """What a model was made of, one line."""
    facts = entry.card
    training, source = facts["training"], facts["data"]
    legs = training.get("legs") or [training]  # a training that was resumed may have moved
    device = " and ".join(dict.fromkeys(leg["device"].split(",")[0] for leg in legs))
    how = f"trained {training['epochs']:.0f} epochs in {training['seconds'] / 3600:.1f} h on {device}"
    return (
        f"{facts['parameters'] / 1e6:.1f} million parameters, {how if training['epochs'] else 'trained elsewhere'}. "
        f"{source['title']}: {source['credit']}, {source['licence']}."
    )


def show(entry: Entry) -> None:
    """One model: its draws, what they are worth in words, the way into it, and one step behind its numbers."""
    st.header(entry.words, anchor=False)
    picture, beside = st.columns([3, 2], gap="large")
    rows, columns = DRAWS
    z, alt = look.symbol("z"), f"{rows * columns} pictures drawn by {entry.title}"
    with picture:
        if entry.lacks(Can.MAP) is None:
            seen = "example photos" if entry.is_tried else "photos that it had never seen, unchosen"
            caption = f"what it gave back of {seen}"
            st.html(look.picture_html(kept.sheet(entry), "Photos that came back", f"draws-{entry.name}", caption))
        elif lack := entry.lacks(Can.MOVE, Can.DRAW, Can.READ):
            look.aside(lack)
        else:
            caption = glossary.marked(f"drawn from {z} ~ N(0, I), unchosen")
            st.html(look.picture_html(sheet(entry), alt, f"draws-{entry.name}", caption))
    with beside:
        look.say(figures.in_words(entry))
        with st.container(horizontal=True):
            picker.way_into(entry, key=f"use.{entry.name}")
            card = json.dumps(entry.card, indent=1)
            options = {"icon": ":material/download:", "key": f"card.{entry.name}", "on_click": "ignore"}
            st.download_button("Card", card, f"{entry.name}.json", "application/json", **options)
    with st.expander("Numbers", key=f"numbers.{entry.name}"):
        st.html(look.facts(figures.of_model(library().lease(entry))))
        st.html(look.note(f"{entry.title}. {made(entry)}"))


def others() -> list[dict]:
    """The chapters' models, a row each; nats per test picture."""
    return [
        {
            "model": entry.name,
            "family": entry.config.family,
            "numbers": entry.latents,
            "−ELBO": entry.numbers.get("negative_elbo", {}).get("value"),
            "KL": entry.numbers.get("kl", {}).get("value"),
            "reconstruction": entry.numbers.get("reconstruction", {}).get("value"),
        }
        for entry in library().chapters()
    ]


def page(entry: Entry) -> None:
    """Every model in the picker, the visitor's own first, and below them those that only the chapters use."""
    for each in sorted(picker.visible(), key=lambda one: one.mine is None and not one.is_tried):
        try:
            library().lease(each)
        except ValueError:  # it is damaged, and said so below
            continue
        show(each)
    picker.show_broken()
    with st.expander("Models of the chapters", icon=":material/school:"):
        st.dataframe(others(), hide_index=True)
    link.write({"model": entry.name})


if __name__ == "__main__":  # what Streamlit calls a page that it runs
    page(picker.shown())
