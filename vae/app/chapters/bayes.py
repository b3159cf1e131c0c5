"""Chapter 4: from Bayes' rule to the ELBO, with the true posterior beside the encoder's."""

from dataclasses import replace

import streamlit as st
import torch

from vae.app import look
from vae.app.components import posterior
from vae.app.live import wire
from vae.app.look import ledger
from vae.app.session import inputs, kept, link
from vae.serve.engine import engine

TITLE, WORD = "From Bayes to the ELBO", "Bayes"


def planar(name: str) -> str:
    """The model itself where it has a plane, else one of the same data that has; itself where there is none."""
    dataset = inputs.dataset_of(name).name
    found = [other for other in engine().models if engine().has_plane(other)]
    same = [other for other in found if inputs.dataset_of(other).name == dataset]
    return name if name in found else next(iter(same), name)


def drawn() -> None:
    """The component's callback: a hand rests."""
    keep(st.session_state["model"], st.session_state["posterior"].get("x"))


def keep(name: str, identity: object) -> None:
    """A picture's bits from the component are the current input on every page; anything else changes nothing."""
    if isinstance(identity, str) and identity.startswith("b") and inputs.find(name, identity) is not None:
        inputs.arrived(name, identity)
        inputs.remember(name, replace(inputs.current(name), name="the chapter’s picture"))


def said(name: str) -> dict[str, str]:
    """What a link to this chapter says."""
    return {"model": name, "chapter": "bayes", "x": inputs.address(inputs.current(name))}


@st.fragment
def beside(name: str, shown: str) -> None:
    """The component; only this part runs again when a hand rests."""
    spec, names = engine().model(shown).input_spec, list(engine().models)
    given, dataset = inputs.current(name), inputs.dataset_of(name)
    examples = [inputs.find(shown, f"i{index}").x for index in kept.typical(shown)]
    here = "100 gradient steps on μ and σ for this picture alone"
    there = f"100 gradient steps on all {engine().model(name).latents} μ and σ for this picture alone"
    posterior(
        key="posterior",
        data={
            "live": wire.wire("posterior"),
            "rev": f"{name}.{link.turn()}",
            "model": names.index(shown),
            "shape": list(spec.shape),
            "levels": look.as_text(given.x.to(torch.uint8)),
            "presets": list(dataset.class_names),
            "levelsOf": look.as_text(torch.cat(examples).to(torch.uint8)),
            "refined": {
                "model": names.index(name),
                "latents": engine().model(name).latents,
                "says": here if name == shown else there,
            },
        },
        on_x_change=drawn,
        on_question_change=lambda: wire.answer("posterior"),
    )
    link.write(said(name))
    ledger.below(shown, {"x": given.x})


def show(name: str) -> dict[str, str] | None:
    """Both posteriors under the hand, and both sides of the identity."""
    shown = planar(name)
    if not engine().has_plane(shown):
        st.markdown("The true posterior can be drawn for two latents and binary pixels, and no such model is here.")
        return None
    st.markdown(
        "By Bayes’ rule every picture has a true posterior p(z|x), which is drawn here beside the model’s q(z|x). "
        "How far q is from it, KL(q || p(z|x)), is what the ELBO lacks of log p(x). "
        "Change a pixel, and both posteriors and both sides of the equation follow."
    )
    if shown != name:
        st.caption(f"Shown is {kept.title(shown)}; Refine q works on {kept.title(name)}.")
    beside(name, shown)
    return said(name)
