"""Chapter 1: the generative model p(z) p(x|z), and the recognition model q(z|x) that runs it backwards."""

import streamlit as st
import torch

from vae.app import look
from vae.app.chapters.lecture import Question
from vae.app.components import generative
from vae.app.live import layouts, wire
from vae.app.session import kept, link
from vae.latent.ancestral import Calibration, calibration
from vae.serve import asked
from vae.serve.engine import engine
from vae.serve.entry import Entry
from vae.serve.library import library

TITLE, WORD = "A generative and a recognition model", "Two models"
SEED = 4  # of the sample that the chapter opens with
FARTHEST = 2.0**32  # what a number of a link may be: a seed, or a z
SAMPLES = 500
QUESTION = Question(
    "The encoder sees a picture only, and marks with bars where its numbers may be. How often are they inside?",
    ("Always", "68 times in 100, as with any bell curve", "Less often"),
    2,
    "Press “Sample z, then x” a few times and watch the last number.",
    ".two-models button",
    "The encoder’s q is too sure of itself: it is not the true posterior, only the nearest bell curve it has learned.",
)
SUMMARY = (
    "The decoder makes pictures from a few numbers; the encoder looks for the numbers behind a picture.",
    "What the encoder says is a distribution, and it is a little narrower than the truth.",
)


@kept.of_model
def measured(entry: Entry) -> Calibration:
    """How often the z that made a picture is where the encoder looks for it."""
    generator = torch.Generator().manual_seed(SEED)
    return engine().compute(calibration, library().lease(entry).model, SAMPLES, generator)


def place(entry: Entry) -> tuple[int, list[float]]:
    """The seed of x and z: those of a link, else the chapter's."""
    said = link.numbers("model", -FARTHEST, FARTHEST)
    if len(said) == 1 + entry.latents and said[0] >= 0 and max(map(abs, said[1:])) <= 12:
        return int(said[0]) % 2**32, said[1:]
    return SEED, torch.randn(entry.latents, generator=torch.Generator().manual_seed(SEED)).tolist()


def show(entry: Entry) -> dict[str, str]:
    """Sample z, get x, and see where the encoder, given x alone, looks for z."""
    look.say(
        "A variational autoencoder (VAE) is two networks that learned together. One, the decoder, draws a picture from "
        "a few numbers. The other, the encoder, is shown the picture alone, and says where its numbers may be. "
        "Draw numbers by chance, and compare them with the encoder’s answer."
    )
    look.say(
        "**The same in symbols.** The numbers are z. Chance draws them from the prior, a bell curve for each. "
        "All these curves together are written N(0, I). The picture is x. "
        "What the decoder makes of z is p(x|z), the generative model. "
        "What the encoder says of x is q(z|x), the recognition model."
    )
    seed, chosen = place(entry)
    z = torch.tensor([chosen])
    drawn = engine().answer(asked.ANCESTRY, library().lease(entry), z, torch.tensor([seed]))
    generative(
        key="generative",
        data={
            "live": wire.wire("generative", entry),
            "rev": f"{entry.name} {link.turn()}",
            "see": link.seen("model"),
            "latents": entry.latents,
            "shape": list(entry.pictures.shape),
            "order": entry.order,
            "z": z[0].tolist(),
            "answer": wire.answered(layouts.ANCESTRY, layouts.first(drawn)),
        },
        on_question_change=lambda: wire.answer("generative"),
        on_see_change=lambda: link.see("model", "generative"),
    )
    found = measured(entry)
    with st.expander("How often, and why", icon=":material/help:"):
        explain(found)
    return link.said("model")


def explain(found: Calibration) -> None:
    """Why q is not the posterior."""
    look.say(
        f"Measured over {found.samples} samples, {100 * found.within:.1f} ± {100 * found.error:.1f} % of the numbers "
        "lie within their bars. If q(z|x) were the true posterior p(z|x), z would be a draw of q itself, "
        "and 68.3 % would. So q is not the posterior. It is one bell curve without slant, found by one network for all "
        "pictures. And training makes it too narrow rather than too wide: chapters 3 and 4 show why."
    )
    st.html(look.note(f"A typical z is {found.typical:.2f} σ away from μ (median); under the true posterior, 0.67 σ."))
