"""Chapter 5: how a model is trained: a recorded training, one step of it, and what its gradients and its loss are."""

import streamlit as st

from vae import data
from vae.app import look
from vae.app.chapters.lecture import Question
from vae.app.components import training as component
from vae.app.live import routes
from vae.app.session import kept, link
from vae.serve.entry import Entry
from vae.train import history
from vae.train.history import History

TITLE, WORD = "How it is trained", "Training"
PLANE, MANY = "mnist-2d-small", ("mnist-32d-small", "mnist-32d-small-warm")
TELLS = 0.05  # nats: a latent that tells less is not in use
QUESTION = Question(
    "Training lowers the loss, and KL is a part of it. What does the KL do on the way?",
    ("It falls all the way", "It rises: z tells more and more", "It stays the same"),
    1,
    "Drag the slider from the first step to the last.",
    "[data-testid=scrub]",
    "Telling costs nats, but each nat that z tells saves more in the picture. So the model pays for more of them.",
)
SUMMARY = (
    "Thousands of small steps, each from a few pictures, turn noise into a map.",
    "Noise that enters as z = μ + σε gives a steady slope to follow; the loss asks for means, and means are blurred.",
)


@st.cache_resource(show_spinner=False)
def recorded(name: str) -> History:
    """A recorded training, read once."""
    return history.load(name)


def show(entry: Entry) -> dict[str, str] | None:
    """The recorded training; of the chosen model it says nothing."""
    try:
        plane, *many = (recorded(name) for name in (PLANE, *MANY))
    except ValueError as error:
        st.info(f"{error}. `python -m vae.train NAME --history FILE` records a training.")
        return None
    look.say(
        "Nobody tells a VAE where a picture belongs: it begins with noise and improves, one small step after another. "
        "Here a model with two numbers (latents) learns digits, recorded at thirty of its steps. "
        "Drag the slider from the first step to the last, and the map unfolds."
    )
    test, recipe = data.DATASETS[plane.recipe.dataset], plane.recipe
    _, labels, _ = kept.test_set(test.name)
    component(
        key="training",
        data={
            "rev": str(link.turn()),
            "see": link.seen("training"),
            "file": routes.history_path(PLANE),
            "steps": plane.steps,
            "slow": list(plane.slow),
            "batch": recipe.batch,
            "pictures": test.count("train") - recipe.held_out,
            "test": {
                "distortion": plane.test.distortion.tolist(),
                "rate": plane.test.kl.sum(1).tolist(),
                "kl": plane.test.kl.tolist(),
            },
            "many": [
                {"kl": one.test.kl.tolist(), "lost": one.test.distortion.tolist(), "most": float(one.test.kl.max())}
                for one in many
            ],
            "rows": plane.rows.tolist(),
            "labels": look.as_text(labels[plane.rows].byte()),
            "sheets": routes.pictures_of(test),
            "classes": test.class_names,
            "colours": look.CLASS_COLOURS,
            "side": history.SIDE,
            "reach": history.REACH,
            "shape": list(test.spec.shape),
        },
        on_see_change=lambda: link.see("training", "training"),
    )
    st.html(look.note(f"{ends(plane)} {collapse(*many)}"))
    return link.said("training")


def loss(one: History) -> str:
    """-ELBO of the last step."""
    return look.nats(float(one.test.distortion[-1] + one.test.kl[-1].sum()))


def ends(plane: History) -> str:
    """What the model of two latents is, and how it is made again."""
    recipe = plane.recipe
    return (
        f"Recorded with Adam, {recipe.epochs} epochs in batches of {recipe.batch}, one loss throughout. "
        f"Shown are {history.PICTURES:,} random test pictures, whose −ELBO comes down to {loss(plane)} nats. "
        f"To make it again: python -m vae.train {recipe.name} --history FILE."
    )


def collapse(cold: History, warm: History) -> str:
    """What became of many latents, with the KL from the first step and with a KL that was let in slowly."""
    used = [int((one.test.kl[-1] > TELLS).sum()) for one in (cold, warm)]
    return (
        f"Of {cold.recipe.model.latents} latents {used[0]} are in use at the end, at a −ELBO of {loss(cold)} nats. "
        f"With the KL let in over {warm.recipe.kl_warmup:.0f} epochs it is {used[1]}, at {loss(warm)}. "
        "So more latents in use are not by themselves a better model."
    )
