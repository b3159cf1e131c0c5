"""What pages share: cached data, the chosen model, and the state that survives a page change."""

import base64

import plotly
import streamlit as st
import torch
from PIL import Image
from torch import Tensor

from vae import checkpoint, data
from vae.aggregate import principal_directions
from vae.app import link, live, look
from vae.engine import engine

LEAST = 3.5  # of a slider's reach: one latent in two thousand lies further out under N(0, 1)


@st.cache_data(show_spinner=False)
def card(name: str) -> dict:
    """The generated card of a model."""
    return checkpoint.load_card(name)


@st.cache_resource(show_spinner=False)
def test_set(dataset: str) -> tuple[Tensor, Tensor, Tensor]:
    """(pictures, labels, bits) of a test set; pictures 0 to 255 and the fixed binarisation 0 or 1, as bytes."""
    split = data.load(dataset, "test")
    return split.images, split.labels, engine().compute(_bits, dataset)


def _bits(dataset: str) -> Tensor:
    return data.fixed_binarisation(dataset).byte()


@st.cache_resource(show_spinner=False)
def encodings(name: str) -> tuple[Tensor, Tensor]:
    """(mu, sigma) of every test picture under a model."""
    return checkpoint.load_encodings(name)


@st.cache_data(show_spinner=False)
def typical(name: str) -> list[int]:
    """For each class a test picture that looks and lies like many of its class.

    Of the better reconstructed half of the tenth with the closest company in latent space, the one nearest to the
    class's mean picture. The mean of the encodings would not do: it may lie where no picture does.
    """
    dataset = data.DATASETS[card(name)["data"]["name"]]
    mu, _ = encodings(name)
    pictures, labels, _ = test_set(dataset.name)
    reconstructed = checkpoint.load_reconstructions(name)
    return engine().compute(_typical, mu, reconstructed, pictures, labels, len(dataset.class_names))


def _typical(mu: Tensor, reconstructed: Tensor, pictures: Tensor, labels: Tensor, classes: int) -> list[int]:
    found = []
    for label in range(classes):
        (rows,) = (labels == label).nonzero(as_tuple=True)
        crowded = torch.cdist(mu[rows], mu[rows]).kthvalue(50).values.argsort()[: len(rows) // 10]
        crowded = crowded[reconstructed[rows[crowded]].argsort(descending=True)[: len(crowded) // 2]]
        own = pictures[rows].flatten(1).float()
        found.append(int(rows[crowded[(own[crowded] - own.mean(0)).square().sum(1).argmin()]]))
    return found


@st.cache_data(show_spinner=False)
def components(name: str) -> dict:
    """The first two principal directions of the aggregate posterior's means, (2, d), and how far they reach."""
    return engine().compute(_components, encodings(name)[0])


def _components(mu: Tensor) -> dict:
    directions = principal_directions(mu)
    far = torch.quantile((mu @ directions.T).abs(), 0.998)
    return {"directions": directions.tolist(), "reach": max(2.5, float(torch.ceil(far * 2) / 2))}


@st.cache_data(show_spinner=False)
def reach(name: str) -> list[float]:
    """For each latent how far a slider goes at least: where nearly all of the aggregate posterior and the prior lie."""
    return engine().compute(_reach, *encodings(name))


def _reach(mu: Tensor, sigma: Tensor) -> list[float]:
    far = torch.quantile(mu.abs() + sigma, 0.99, dim=0).clamp(min=LEAST)
    return (torch.ceil(far * 2) / 2).tolist()


@st.cache_resource(show_spinner=False)
def icon() -> Image.Image:
    """The browser tab's picture: the first decoded one of the first model's sheet."""
    name = checkpoint.list_pretrained()[0]
    with Image.open(checkpoint.PRETRAINED / name / checkpoint.THUMBNAILS) as sheet:
        return sheet.crop((0, 0, 28, 28))


def plotly_path() -> str:
    """Where the live components load Plotly from: the file of the installed package, on this server."""
    return f"{live.plotly_path()}?v={plotly.__version__}"


@st.cache_resource(scope="session", show_spinner=False, on_release=live.end_session)
def live_token() -> str:
    """What this session's sockets say who they are by; worth nothing once the session is over."""
    return live.open_session()


def wire(key: str) -> dict:
    """What the live component with a key needs to ask: its socket, and what the script was asked where that is away."""
    return {"path": live.path(), "token": live_token(), "heard": st.session_state.get(f"{key}.heard")}


def answer(key: str) -> None:
    """The callback of a live component without its socket: its question is answered as the socket would have."""
    question = st.session_state[key].get("question")
    if not isinstance(question, dict):
        st.session_state.pop(f"{key}.heard", None)
        return
    try:
        message, given = (base64.b64decode(str(question.get(part)), validate=True) for part in ("message", "input"))
        found = live.answer_here(live_token(), message, given)
    except (ValueError, live.Refused):
        found = b""
    st.session_state[f"{key}.heard"] = {"n": str(question.get("n")), "message": look.as_text(found)}


def lacks(*names: str) -> bool:
    """Whether one of these models is not in pretrained/; the page then says so, and how to make it."""
    there = {*checkpoint.list_pretrained(), *checkpoint.list_pretrained(chapters=True)}
    missing = [name for name in names if name not in there]
    if missing:
        first, more = missing[0], f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        st.info(
            f"This chapter needs a model that is not in pretrained/, {first}{more}: `python -m vae.train {first}` "
            f"trains it, `python -m vae.evaluate {first} --run runs/{first}` measures and ships it."
        )
    return bool(missing)


def title(name: str) -> str:
    """A model's name for people: MNIST, 24 latents."""
    facts = card(name)
    return f"{facts['data']['title']}, {facts['latents']} latents"


def names() -> list[str]:
    """The models to choose from, in the picker's order."""
    return sorted(engine().models, key=lambda name: (card(name)["data"]["name"] != "mnist", -card(name)["latents"]))


def choose_model() -> str:
    """The model picker of the sidebar; the choice is in the URL as ?model=NAME."""
    if "model" not in st.session_state:
        asked = link.asked("model")
        st.session_state["model"] = asked if asked in names() else names()[0]
    with st.sidebar:
        name = st.selectbox("Model", names(), key="model", format_func=title, filter_mode=None, persist_state="session")
        show_facts(name)
    return name


def show_facts(name: str) -> None:
    """The model's held-out numbers, limits and credits, from its card."""
    facts = card(name)
    numbers = facts["numbers"]
    exact = numbers.get("negative_log_evidence")
    tightest = (
        f"log p(x) {look.nats(-exact['value'])}" if exact else f"IWAE {look.nats(-numbers['negative_iw']['value'])}"
    )
    st.caption(f"Test set: ELBO {look.nats(-numbers['negative_elbo']['value'])}, {tightest} nats per picture")
    with st.expander("About"):
        for sentence in facts["limits"]:
            st.caption(sentence)
        st.caption(f"Data: {facts['data']['title']}, {facts['data']['credit']}, {facts['data']['licence']}.")


def counted(key: str) -> int:
    """How often `count_up` was called for a key."""
    return st.session_state.get(key, 0)


def count_up(key: str) -> None:
    """One more: the callback of buttons such as Resample."""
    st.session_state[key] = counted(key) + 1


def switches(file_id: str, preparation: str) -> dict[str, bool]:
    """The steps of a preparation that the visitor switched by hand for an uploaded file."""
    return st.session_state.get("switches", {}).get((file_id, preparation), {})


def switch(file_id: str, preparation: str, step: str, key: str) -> None:
    """The callback of a step's toggle."""
    kept = {place: steps for place, steps in st.session_state.get("switches", {}).items() if place[0] == file_id}
    chosen = switches(file_id, preparation) | {step: st.session_state[key]}
    st.session_state["switches"] = kept | {(file_id, preparation): chosen}
