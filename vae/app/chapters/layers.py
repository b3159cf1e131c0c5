"""Chapter 9: several layers of latents, p(z1) p(z2|z1) ... p(x|z), and what each of them decides."""

import streamlit as st
import torch
from torch import Tensor

from vae.app import look
from vae.app.chapters.lecture import Question
from vae.app.components import layers as component
from vae.app.look import drawings
from vae.app.look.keys import KEYS
from vae.app.session import inputs, link, picker
from vae.latent.layers import Layered, by_layer, variations
from vae.serve.engine import engine
from vae.serve.entry import Entry
from vae.serve.library import library

TITLE, WORD = "A deep Bayesian network", "Layers"
# What the chapter is about, and the flat model beside it, by the data that the chosen model knows: else the first.
MODELS = {"mnist": ("mnist-ladder", "mnist"), "portraits": ("portraits-deep", "portraits")}
COUNT, ROUNDS, SAMPLES, SEED = 8, 6, 128, 0
MOST = 1_000_000  # values of all pictures that go to the browser together: of large ones there are fewer rounds
SILENT = 0.05  # nats: less is shown as 0.0
QUESTION = Question(
    "Keep the numbers of the top layer, and draw all others again. What stays?",
    ("Nothing", "What it is, and roughly how", "Every detail"),
    1,
    "Choose z₂ in the chain: z₁ is kept then.",
    ".chain button",
    "The top layer decides what all others depend on: mostly which digit it is, or whose face. Details come further "
    "down.",
)
SUMMARY = (
    "In a deep model each layer sets the stage for the next: the upper ones decide the whole, the lower ones details.",
    "Encoding goes the same way as drawing: from the top down, each layer knowing those above it.",
)


@st.cache_resource(show_spinner=False, max_entries=32, hash_funcs=KEYS)
def drawn(entry: Entry, identity: str, _x: Tensor) -> tuple[Tensor, Tensor, Layered]:
    """The reconstruction, (rounds, layers, count) resampled pictures, and the picture's ledger."""
    model = library().lease(entry).model
    rounds = min(ROUNDS, MOST // (len(entry.config.space.sizes) * COUNT * entry.pictures.pixels))
    generator = torch.Generator(model.device).manual_seed(SEED)
    first, pictures = engine().compute(variations, model, _x, rounds * COUNT, generator)
    ledger = engine().compute(by_layer, model, _x, SAMPLES, generator)
    return first, pictures.unflatten(1, (rounds, COUNT)).transpose(0, 1), ledger


def show(entry: Entry) -> dict[str, str] | None:
    """The chain, its samples, and what each layer costs."""
    names = MODELS.get(entry.dataset.name, MODELS["mnist"])
    if picker.lacks(*names):
        return None
    ladder, flat = (library().find(name) for name in names)
    if flat.dataset != entry.dataset:
        look.aside(f"No network with layers has learned {entry.dataset.things}: this is one for {flat.dataset.things}.")
    given = inputs.current(flat)
    first, pictures, ledger = drawn(ladder, inputs.identity(given), given.x)
    look.say(
        "A hierarchical VAE has several layers of numbers (latents). Each layer's prior is set by those above it. "
        "Keep the layers above and draw the others again: what the samples share is what the kept layers decide. "
        "The KL of a layer is what the picture had to tell it beyond that prior."
    )
    kl = ledger.kl.tolist()
    component(
        key="layers",
        data={
            "rev": f"{inputs.identity(given)} {link.turn()}",
            "see": link.seen("layers"),
            "shape": list(given.x.shape[1:]),
            "x": look.as_text(look.as_levels(given.x[0])),
            "reconstruction": look.as_text(look.as_levels(first)),
            "layers": list(ladder.config.space.sizes),
            "kl": kl,
            "silent": [value < SILENT for value in kl],
            "count": COUNT,
            "rounds": len(pictures),
            "pictures": look.as_text(look.as_levels(pictures)),
        },
        on_see_change=lambda: link.see("layers", "layers"),
    )
    z, x = look.symbol("z"), look.symbol("x")
    told = [f"KL of {look.symbol('z', f'z<sub>{layer}</sub>')}" for layer in range(1, len(kl) + 1)]
    parts = [
        ("", look.nats(ledger.elbo), look.label("lower bound, nats", f"ELBO of {x} ± {ledger.elbo_error:.1f}")),
        ("=", look.nats(ledger.log_likelihood), look.label("reconstruction", f"E log p({x}|{z})")),
        *(("−", look.nats(value), look.label("told by", symbol)) for value, symbol in zip(kl, told, strict=True)),
    ]
    st.html(f'<div style="padding-top:1rem">{look.equation(parts)}</div>')
    st.subheader("How the layers are found: from the top down", anchor=False)
    look.say(
        "The picture goes up once, and leaves at each height what it says there. Then z₁ is drawn from q(z₁|x). "
        "Next comes z₂ from q(z₂|z₁, x), and so on: each layer knows x, and all layers above it. "
        "The decoder draws in the same order, so that q and the prior meet at every layer. "
        "(Sønderby et al., Ladder Variational Autoencoders, 2016.)"
    )
    st.html(drawings.top_down())
    said = (
        f"The model is {ladder.name}, {ladder.latents} latents. Test set: {bounds(ladder.numbers)} nats with layers. "
        f"The flat model of {flat.latents} latents has {bounds(flat.numbers)}. "
        "Both bound −log p(x) from above, so lower is better."
    )
    st.html(look.note(said))
    return link.said("layers") | inputs.linked(entry, flat)


def bounds(numbers: dict) -> str:
    """The test set's two bounds of a card."""
    return (
        f"−ELBO {numbers['negative_elbo']['value']:.2f} and −IWAE {numbers['negative_iw']['value']:.2f} "
        f"± {numbers['negative_iw']['error']:.2f}"
    )
