"""Models: what each one draws of its prior, how well it does by its card, and how it is served."""

import json

import numpy as np
import streamlit as st
import torch

from vae.app import look
from vae.app.session import kept, link, picker
from vae.pictures import films
from vae.serve.batcher import ROWS
from vae.serve.engine import engine

DRAWS = (3, 8)  # rows and columns of a sheet
SEED = 0


@st.cache_data(show_spinner=False)
def sheet(name: str) -> np.ndarray:
    """Decoded draws of z from N(0, I), the same each time: (h, w) or (h, w, 3) bytes."""
    rows, columns = DRAWS
    z = torch.randn(rows * columns, engine().model(name).latents, generator=torch.Generator().manual_seed(SEED))
    return films.sheet(films.as_frames(engine().pictures(name, z)), columns)


def numbers(name: str) -> list[tuple[str, str, str]]:
    """What the card says of the test set, and what was measured when the server started."""
    found, served = kept.card(name)["numbers"], engine().precisions[name]
    bound, exact = found["negative_iw"], found.get("negative_log_evidence")
    tightest = exact or bound
    word = "by quadrature" if exact else f"bound of {bound['samples']} draws"
    latents, probe = kept.card(name)["latents"], found["linear_probe"]
    return [
        (look.label("lower bound", "ELBO"), look.nats(-found["negative_elbo"]["value"]), look.label("nats a picture")),
        (
            look.label("evidence", "log p(x)") if exact else look.label("closer bound", "IWAE"),
            f"{look.nats(-tightest['value'])} ± {tightest['error']:.2f}",
            word,
        ),
        (
            look.label("what z tells", "KL(q || p)"),
            look.nats(found["kl"]["value"]),
            f"{found['active_units']} of {latents} latents used",
        ),
        ("classes found", f"{100 * probe['latents']:.0f} %", f"by a linear probe; PCA {100 * probe['pca']:.0f} %"),
        ("served in", served.name, f"{served.one:.1f} ms a picture, {served.batch:.1f} ms for {ROWS}"),
    ]


def made(name: str) -> str:
    """What a model was made of, one line."""
    facts = kept.card(name)
    training, source = facts["training"], facts["data"]
    legs = training.get("legs") or [training]  # a training that was resumed may have moved
    device = " and ".join(dict.fromkeys(leg["device"].split(",")[0] for leg in legs))
    return (
        f"{facts['parameters'] / 1e6:.1f} million parameters, trained {training['epochs']:.0f} epochs in "
        f"{training['seconds'] / 3600:.1f} h on {device}. "
        f"{source['title']}: {source['credit']}, {source['licence']}."
    )


def use(name: str) -> None:
    """The callback of a model's button."""
    st.session_state["model"] = name


def show(name: str) -> None:
    """One model: its draws, its numbers, the way into it."""
    st.subheader(kept.title(name), anchor=False)
    picture, beside = st.columns([3, 2], gap="large")
    rows, columns = DRAWS
    z, alt = look.symbol("z"), f"{rows * columns} pictures drawn by {kept.title(name)}"
    with picture:
        st.html(look.picture_html(sheet(name), alt, f"draws-{name}", f"decoded from {z} ~ N(0, I), unchosen"))
    with beside:
        st.html(look.facts(numbers(name)))
        with st.container(horizontal=True):
            if st.button("Explore it", icon=":material/tune:", key=f"use.{name}", on_click=use, args=(name,)):
                st.switch_page("vae/app/pages/explore.py")
            card = json.dumps(kept.card(name), indent=1)
            options = {"icon": ":material/download:", "key": f"card.{name}", "on_click": "ignore"}
            st.download_button("Card", card, f"{name}.json", "application/json", **options)
    st.caption(made(name))


def others() -> list[dict]:
    """The chapters' models, a row each; nats per test picture."""
    rows = []
    for name, facts in picker.chapter_cards().items():
        found, model = facts["numbers"], facts["training"]["recipe"]["model"]
        rows.append(
            {
                "model": name,
                "family": model["family"],
                "latents": facts["latents"],
                "−ELBO": found.get("negative_elbo", {}).get("value"),
                "KL": found.get("kl", {}).get("value"),
                "reconstruction": found.get("reconstruction", {}).get("value"),
            }
        )
    return rows


def page(name: str) -> None:
    """Every model in the picker, and below them those that only the chapters use."""
    for each in kept.names():
        show(each)
    picker.show_broken()
    with st.expander("Models of the chapters", icon=":material/school:"):
        st.dataframe(others(), hide_index=True)
    link.write({"model": name})


if __name__ == "__main__":  # what Streamlit calls a page that it runs
    page(st.session_state["model"])
