"""Chapter 8: a model that is told the class, p(x|z, y), so that z is left with the style."""

import streamlit as st
import torch
from torch import Tensor

from vae.app import look
from vae.app.chapters.lecture import Question
from vae.app.components import conditions as component
from vae.app.look.keys import KEYS
from vae.app.session import inputs, kept, link, picker
from vae.app.session.ids import Example
from vae.latent.classes import Styles, in_every_class, style, terms_by_class
from vae.serve.engine import engine
from vae.serve.entry import Entry
from vae.serve.library import library

TITLE, WORD = "Conditions", "Conditions"
MODEL, READER = "mnist-conditional", "mnist"  # what the chapter is about, and whose current picture it reads
STYLES, SAMPLES, SEED = 10, 64, 0
QUESTION = Question(
    "Keep the z of a slanted 2, and ask for a 7 instead. What is drawn?",
    ("A 2 again", "A 7 with the same slant", "Just any 7"),
    1,
    "Slide through the classes.",
    "[data-testid=class], .classes button",
    "Told the class, z need not say it again: it keeps the slant and the stroke, and the class comes from y.",
)
SUMMARY = (
    "Told the class, the model keeps only the style in z.",
    "Turned around, the class that makes a picture most probable is a guess at what it is.",
)


@st.cache_resource(show_spinner=False, max_entries=32, hash_funcs=KEYS)
def explained(entry: Entry, identity: str, label: int | None, _x: Tensor) -> tuple[int, Styles, Tensor, Tensor, Tensor]:
    """The class the picture is told as, its style and others in every class, and for every class of the picture
    E_q[log p(x|z, y)], its standard error and the KL, nats.
    """
    model = library().lease(entry).model
    generator = torch.Generator(model.device).manual_seed(SEED)
    log_likelihood, kl = engine().compute(terms_by_class, model, _x.expand(SAMPLES, -1, -1, -1), generator)
    y = int((log_likelihood.mean(0) - kl[0]).argmax()) if label is None else label
    own = engine().compute(style, model, _x, y)
    others = torch.randn(STYLES, model.latents, generator=torch.Generator().manual_seed(SEED))
    styles = engine().compute(in_every_class, model, _x, torch.cat([own, others]))
    return y, styles, log_likelihood.mean(0), log_likelihood.std(0) / SAMPLES**0.5, kl[0]


def show(entry: Entry) -> dict[str, str] | None:
    """One z in all classes, and what each class makes of the picture."""
    if picker.lacks(MODEL, READER):
        return None
    told, reader = library().find(MODEL), library().find(READER)
    given, label = inputs.current(reader), None
    if isinstance(given.id, Example):
        label = int(kept.test_set(reader.dataset.name)[1][given.id.index])
    y, styles, log_likelihood, error, kl = explained(told, inputs.identity(given), label, given.x)
    look.say(
        "A conditional VAE is told what to draw, here which digit. It draws from this class y and from z together. "
        "Slide through the classes, and see what z alone decides; then take another z, another style. "
        "The class that explains the picture in the fewest nats is the model's guess."
    )
    component(
        key="conditions",
        data={
            "rev": f"{inputs.identity(given)} {y} {link.turn()}",
            "see": link.seen("conditions"),
            "shape": list(given.x.shape[1:]),
            "x": look.as_text(look.as_levels(given.x[0])),
            "y": y,
            "label": label,
            "classes": styles.pictures.shape[1],
            "styles": len(styles.pictures),
            "pictures": look.as_text(look.as_levels(styles.pictures)),
            "likelihoods": styles.log_likelihood.tolist(),
            "reconstructions": log_likelihood.tolist(),
            "errors": error.tolist(),
            "kls": kl.tolist(),
        },
        on_see_change=lambda: link.see("conditions", "conditions"),
    )
    elbo = log_likelihood - kl
    look.say(
        "**Which bars decide?** The violet ones: for each class the encoder looks for the best z anew. "
        "The orange ones keep one z, which was found for one class, and so they favour that class. "
        f"{weighs(float(log_likelihood.max() - log_likelihood.min()), float(kl.max() - kl.min()))} "
        "By Bayes’ rule, at equal odds beforehand, "
        f"class {int(elbo.argmax())} has a share of {look.percent(float(elbo.softmax(0).max()))}, as far as the bounds "
        "can be trusted."
    )
    numbers = told.numbers
    said = (
        f"The model is {MODEL}, {told.latents} latents. Test set, told the class: ELBO "
        f"{look.nats(-numbers['negative_elbo']['value'])}, IWAE {look.nats(-numbers['negative_iw']['value'])} nats. "
        "The class of the highest ELBO, from one draw of z, is right for "
        f"{100 * numbers['class_by_elbo']:.1f}\u00a0% of the pictures, although no classifier was trained."
    )
    st.html(look.note(said))
    return link.said("conditions") | inputs.linked(entry, reader)


def weighs(rebuilt: float, told: float) -> str:
    """Which part of the violet bars differs more from class to class, in nats: mostly, and not always, the first."""
    parts = sorted([(rebuilt, "reconstruction"), (told, "KL")], reverse=True)
    (most, first), (least, second) = parts
    return (
        f"In the violet bars the {first} weighs more: it differs by {look.nats(most)} nats from class to class, "
        f"the {second} by {look.nats(least)}."
    )
