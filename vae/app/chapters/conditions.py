"""Chapter 7: a model that is told the class, p(x|z, y), so that z is left with the style."""

import streamlit as st
import torch
from torch import Tensor

from vae.app import look
from vae.app.components import conditions as component
from vae.app.look.keys import KEYS
from vae.app.session import inputs, kept, picker
from vae.app.session.ids import Example
from vae.latent.classes import Styles, in_every_class, style, terms_by_class
from vae.serve.engine import engine
from vae.serve.entry import Entry
from vae.serve.library import library

TITLE, WORD = "Conditions", "Conditions"
MODEL, READER = "mnist-conditional", "mnist"  # what the chapter is about, and whose current picture it reads
STYLES, SAMPLES, SEED = 10, 64, 0


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


def show(entry: Entry) -> None:
    """One z in all classes, and what each class makes of the picture."""
    if picker.lacks(MODEL, READER):
        return
    told, reader = library().find(MODEL), library().find(READER)
    given, label = inputs.current(reader), None
    if isinstance(given.id, Example):
        label = int(kept.test_set(reader.dataset.name)[1][given.id.index])
    y, styles, log_likelihood, error, kl = explained(told, inputs.address(given), label, given.x)
    st.markdown(
        "A conditional VAE is told the class y, so that z keeps what the class leaves open: slant and stroke, say. "
        "Slide through the classes and the style stays; take another style and the class stays. "
        "The class that explains the picture in the fewest nats is the model's guess."
    )
    component(
        key="conditions",
        data={
            "rev": f"{inputs.address(given)} {y}",
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
    )
    numbers = told.numbers
    said = (
        f"The model is {MODEL}, {told.latents} latents. Test set, told the class: ELBO "
        f"{look.nats(-numbers['negative_elbo']['value'])}, IWAE {look.nats(-numbers['negative_iw']['value'])} nats. "
        "The class of the highest ELBO, from one draw of z, is right for "
        f"{100 * numbers['class_by_elbo']:.1f}\u00a0% of the pictures, although no classifier was trained."
    )
    st.html(look.note(said))
