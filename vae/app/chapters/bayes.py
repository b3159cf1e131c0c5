"""Chapter 4: from Bayes' rule to the ELBO, with the true posterior beside the encoder's."""

from dataclasses import replace

import streamlit as st
import torch

from vae.app import look
from vae.app.chapters import likelihood
from vae.app.chapters.lecture import Question
from vae.app.components import posterior
from vae.app.live import wire
from vae.app.look import ledger
from vae.app.session import inputs, kept, link, picker
from vae.app.session.ids import Example, Given, parse
from vae.serve.capabilities import Can
from vae.serve.entry import Entry

TITLE, WORD = "From Bayes to the ELBO", "Bayes"
QUESTION = Question(
    "Rub out half of the digit. What happens to its true posterior p(z|x)?",
    ("It becomes narrower", "It becomes wider, or splits in two", "It stays as it is"),
    1,
    "Begin on the ink of x, the picture beside the plane: the pen rubs out then.",
    "[data-testid=x]",
    "Less ink says less: more places of z could have made this picture. One bell curve, q, cannot follow that.",
)
SUMMARY = (
    "The ELBO is log p(x) minus the gap between the model’s q and the true posterior.",
    "Raising the ELBO does two things at once: it makes x more probable, and q closer to the truth.",
)


def planar(entry: Entry) -> Entry:
    """The model itself where it has a plane, else one of the same data that has; itself where there is none."""
    if entry.lacks(Can.EXACT) is None:
        return entry
    others = [other for other in picker.visible() if other.dataset == entry.dataset and not other.lacks(Can.EXACT)]
    return next(iter(others), entry)


def drawn() -> None:
    """The component's callback: a hand rests."""
    keep(picker.shown(), st.session_state["posterior"].get("x"))


def keep(entry: Entry, said: object) -> None:
    """A picture's bits from the component are the current input on every page; anything else changes nothing."""
    picture = parse(said)
    if isinstance(picture, Given) and inputs.find(entry, picture) is not None:
        inputs.arrived(entry, picture)
        inputs.remember(entry, replace(inputs.current(entry), name="the chapter’s picture"))


def said(entry: Entry) -> dict[str, str]:
    """What a link to this chapter says."""
    x = {"x": inputs.address(inputs.current(entry))}
    return {"model": entry.name, "chapter": "bayes"} | x | link.said("bayes")


@wire.fragment
def beside(entry: Entry, shown: Entry) -> None:
    """The component; only this part runs again when a hand rests."""
    given = inputs.current(entry)
    examples = [inputs.find(shown, Example(index)).x for index in kept.typical(shown)]
    deep = shown != entry and st.toggle(f"Refine q of {entry.words} instead, whose plane cannot be drawn", key="deep")
    refined = entry if deep else shown
    here = "100 gradient steps on μ and σ for this picture alone"
    there = f"100 gradient steps on all {entry.latents} μ and σ for this picture alone"
    posterior(
        key="posterior",
        data={
            "live": wire.wire("posterior", shown, refined),
            "rev": f"{entry.name}.{refined.name}.{link.turn()}",
            "see": link.seen("bayes"),
            "shape": list(shown.pictures.shape),
            "levels": look.as_text(given.x.to(torch.uint8)),
            "presets": list(entry.dataset.class_names),
            "levelsOf": look.as_text(torch.cat(examples).to(torch.uint8)),
            "refined": {"here": not deep, "latents": refined.latents, "says": there if deep else here},
        },
        on_x_change=drawn,
        on_question_change=lambda: wire.answer("posterior"),
        on_see_change=lambda: link.see("bayes", "posterior"),
    )
    link.write(said(entry))
    ledger.below(shown, {"x": given.x})


def show(entry: Entry) -> dict[str, str] | None:
    """Both posteriors under the hand, and both sides of the identity."""
    shown = planar(entry)
    if lack := shown.lacks(Can.EXACT):
        look.say(lack)
        fitting = picker.able((Can.EXACT,))
        if fitting is not None:
            options = {"icon": ":material/swap_horiz:", "on_click": picker.turn_to, "args": (fitting.name,)}
            st.button(f"Take a network that it can be drawn for: {fitting.words}", key="bayes.other", **options)
        return None
    look.say(
        "By Bayes’ rule every picture has a true posterior p(z|x), drawn here beside the model’s q(z|x). "
        "How far q is from it, KL(q || p(z|x)), is what the ELBO lacks of log p(x). "
        "Change a pixel, and both posteriors and both sides of the equation follow."
    )
    if shown != entry:
        look.aside(f"Shown is another network, {shown.words}: all that is said here is about it.")
    beside(entry, shown)
    likelihood.aside(entry)
    return said(entry)
