"""Chapter 5: an autoencoder and a VAE of the same network, on the same data, with the same z."""

import math

import streamlit as st
import torch
from torch import Tensor

from vae import data
from vae.app import inputs, look, session
from vae.app.components import twins as component
from vae.comparison import Scene, passed, scene
from vae.engine import engine
from vae.holes import nearest_pictures

TITLE, WORD = "Why not a plain autoencoder", "Autoencoder"
PICTURES, SAMPLES, STEPS = 2000, 8, 33
OTHER_END = 7  # the class that the way leads to; one further where it begins there


def show(name: str) -> None:
    """The two latent maps, samples of N(0, I) and one way, side by side."""
    twin = f"{name}-ae"
    if session.lacks(twin):
        return
    st.markdown(
        "Both models are the same network trained on the same pictures; only the VAE also pays for every nat by which "
        "q(z|x) leaves N(0, I). An autoencoder puts its encodings wherever they rebuild well, and nothing tells it "
        "where z may be drawn from. Here both decode the same draws z ~ N(0, I), and the same way between two pictures."
    )
    found, seed = inputs.current(name), session.counted("twins.draws")
    start, end = ends(name, found)
    models = {"Autoencoder": engine().chapter_model(twin), "VAE": engine().model(name)}
    cards = {"Autoencoder": session.card(twin), "VAE": session.card(name)}
    dataset = inputs.dataset_of(name)
    some, labels = subset(dataset.name)
    sides = [
        side(title, dataset, engine().compute(scene, model, some, draws(model.latents, seed), both(start, end), STEPS))
        | {"numbers": told(cards[title]["numbers"]), "epochs": round(cards[title]["training"]["epochs"])}
        for title, model in models.items()
    ]
    mount = {
        "sides": sides,
        "labels": look.as_text(labels),
        "classes": dataset.class_names,
        "colours": look.CLASS_COLOURS,
        "shape": list(start.x.shape[1:]),
        "ends": [start.name, end.name],
        "threshold": cards["VAE"]["numbers"]["holes"]["threshold"],
        "empty": empty(dataset.name),
        "misleads": misleads(*(card["numbers"]["holes"] for card in cards.values())),
        "rev": f"{name} {inputs.address(start)} {end.id} {seed}",
    }
    component(key="twins", data=mount, on_again_change=lambda: session.count_up("twins.draws"))
    st.html(losses(name, models["Autoencoder"], found.x))


def ends(name: str, found: inputs.Input) -> tuple[inputs.Input, inputs.Input]:
    """The current picture, and an example of another class."""
    typical = session.typical(name)
    label = None
    if found.id[0] == "i":
        label = int(session.test_set(inputs.dataset_of(name).name)[1][int(found.id[1:])])
    return found, inputs.find(name, f"i{typical[OTHER_END + (label == OTHER_END)]}")


def both(start: inputs.Input, end: inputs.Input) -> Tensor:
    """The x of both ends, as one batch."""
    return torch.cat([start.x, end.x])


def draws(latents: int, seed: int) -> Tensor:
    """z ~ N(0, I), the same for both models."""
    return torch.randn(SAMPLES, latents, generator=torch.Generator().manual_seed(seed))


@st.cache_resource(show_spinner=False)
def subset(dataset: str) -> tuple[Tensor, Tensor]:
    """x and labels of random test pictures."""
    _, labels, bits = session.test_set(dataset)
    rows = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))[:PICTURES]
    return bits[rows].float(), labels[rows].byte()


@st.cache_resource(show_spinner=False)
def grey(dataset: str) -> Tensor:
    """The test pictures in [0, 1]."""
    return data.grey(session.test_set(dataset)[0])


@st.cache_data(show_spinner=False)
def empty(dataset: str) -> float:
    """How far a picture without ink is from the nearest test picture."""
    return float(grey(dataset).flatten(1).norm(dim=1).min())


def side(title: str, dataset: data.Dataset, found: Scene) -> dict:
    """A model's half of the picture, for the browser."""
    pictures, labels, _ = session.test_set(dataset.name)
    distances, nearest = engine().compute(nearest_pictures, found.samples, grey(dataset.name))
    return {
        "title": title,
        "plane": "z₀ across, z₁ up"
        if found.explained > 0.9999
        else f"two principal components, {100 * found.explained:.0f} % of the variance",
        "encodings": look.as_text(found.encodings),
        "places": look.as_text(found.places),
        "way": look.as_text(found.way),
        "samples": look.as_text(look.as_levels(found.samples)),
        "strip": look.as_text(look.as_levels(found.strip)),
        "nearest": look.as_text(pictures[nearest]),
        "names": [dataset.class_names[label] for label in labels[nearest]],
        "distances": [round(distance, 2) for distance in distances.tolist()],
    }


def misleads(autoencoder: dict, vae: dict) -> bool:
    """Whether fewer of the autoencoder's samples are in holes, beyond chance, although it leaves out more pictures."""
    error = math.hypot(autoencoder["error"], vae["error"])
    return autoencoder["fraction"] + 2 * error < vae["fraction"] and autoencoder["missed"] > vae["missed"]


def told(numbers: dict) -> list[list[str]]:
    """Label, number and explanation of what the card says."""
    holes = numbers["holes"]
    return [
        ["samples in holes", f"{100 * holes['fraction']:.1f} %", f"± {100 * holes['error']:.1f}"],
        ["nearest picture", f"{holes['distance']:.2f}", f"{holes['picture_distance']:.2f} between pictures"],
        ["pictures missed", f"{100 * holes['missed']:.0f} %", f"by all {holes['samples']:,} samples"],
        ["linear probe", f"{100 * numbers['linear_probe']['latents']:.1f} %", "accuracy on μ"],
    ]


def losses(name: str, twin: torch.nn.Module, x: Tensor) -> str:
    """What each model's training minimised, for the current picture."""
    rebuilt = engine().compute(passed, twin, x, torch.zeros(1, twin.latents)).log_likelihood
    seen = engine().ask_sketch(name, x).result()
    kl = float(seen.kl_per_dimension.sum())
    x_, z, mu = look.symbol("x"), look.symbol("z"), look.symbol("mu", "μ")
    autoencoder = look.equation([("", look.nats(-rebuilt), f"−log p({x_}|{z} = {mu}), the autoencoder’s loss")])
    parts = [
        ("", look.nats(kl - float(seen.reconstruction)), "the VAE’s loss"),
        ("=", look.nats(-float(seen.reconstruction)), f"−E log p({x_}|{z}) ± {float(seen.reconstruction_error):.1f}"),
        ("+", look.nats(kl), f"KL(q({z}|{x_}) ‖ N(0, I))  nats"),
    ]
    style = "display:grid;gap:1rem 3rem;grid-template-columns:repeat(auto-fit,minmax(min(24rem,100%),1fr))"
    return f'<div style="{style}">{autoencoder}{look.equation(parts)}</div>'  # each below its model
