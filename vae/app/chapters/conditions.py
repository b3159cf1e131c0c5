"""Chapter 7: a model that is told the class, p(x|z, y), so that z is left with the style."""

import base64

import streamlit as st
import torch
from torch import Tensor

from vae.app import inputs, look, session
from vae.app.components import conditions as component
from vae.conditions import Styles, accuracy, elbo_by_class, in_every_class, style
from vae.engine import engine

TITLE, WORD = "Conditions", "Conditions"
MODEL, READER = "mnist-conditional", "mnist"  # what the chapter is about, and whose current picture it reads
STYLES, SAMPLES, PIECE, SEED = 10, 64, 250, 0


@st.cache_resource(show_spinner=False, max_entries=32)
def explained(identity: str, label: int | None, _x: Tensor) -> tuple[int, Styles, list[float]]:
    """The class the picture is told as, its style and others in every class, and the ELBO of every class."""
    model = engine().chapter_model(MODEL)
    device = next(model.parameters()).device
    many, generator = _x.expand(SAMPLES, -1, -1, -1), torch.Generator(device).manual_seed(SEED)
    elbos = engine().compute(elbo_by_class, model, many, 1, generator).mean(0)
    y = int(elbos.argmax()) if label is None else label
    own = engine().compute(style, model, _x, y)
    others = torch.randn(STYLES, model.latents, generator=torch.Generator().manual_seed(SEED))
    return y, engine().compute(in_every_class, model, _x, torch.cat([own, others])), elbos.tolist()


@st.cache_resource(show_spinner=False)
def measured() -> float:
    """How often the ELBO finds the class of a test picture; in pieces, as others wait for the engine too."""
    _, labels, bits = session.test_set("mnist")
    model, parts = engine().chapter_model(MODEL), zip(bits.split(PIECE), labels.split(PIECE), strict=True)
    shares = [engine().compute(accuracy, model, x.float(), y) for x, y in parts]
    return sum(shares) / len(shares)


def show(name: str) -> None:
    """One z in all classes, and what each class makes of the picture."""
    found = inputs.current(READER)
    label = int(session.test_set("mnist")[1][int(found.id[1:])]) if found.id[0] == "i" else None
    y, styles, elbos = explained(inputs.link(found), label, found.x)
    st.markdown(
        "Told the class y, encoder and decoder leave z what the class does not say: its slant and stroke, say. "
        "Slide through the classes and the style stays; take another style and the class stays. "
        "The class that explains the picture in the fewest nats is the model's guess."
    )
    component(
        key="conditions",
        data={
            "rev": f"{inputs.link(found)} {y}",
            "shape": list(found.x.shape[1:]),
            "x": encoded(found.x[0]),
            "y": y,
            "label": label,
            "classes": styles.pictures.shape[1],
            "styles": len(styles.pictures),
            "pictures": encoded(styles.pictures),
            "likelihoods": styles.log_likelihood.tolist(),
            "elbos": elbos,
        },
    )
    z, x = look.symbol("z"), look.symbol("x")
    guess, probability = (float(value) for value in reversed(torch.tensor(elbos).softmax(0).max(0)))
    percent = "over 99.9 %" if probability > 0.9995 else f"{100 * probability:.1f} %"
    numbers = session.card(MODEL)["numbers"]
    st.html(
        f'<p style="padding-top:1rem;font-size:1.1rem">log p({x}|y) ≥ E<sub>q({z}|{x}, y)</sub>[log p({x}|{z}, y)] − '
        f"KL(q({z}|{x}, y) ‖ N(0, I)) = {look.nats(elbos[y])} nats for y = {y}</p>"
        f'<p style="opacity:.8">With all classes equally likely, a softmax of the ten ELBOs gives y = '
        f"{guess:.0f} a probability of {percent}. Test set, told the class: "
        f"ELBO {look.nats(-numbers['negative_elbo']['value'])}, IWAE {look.nats(-numbers['negative_iw']['value'])} "
        "nats.</p>"
    )
    share = measured()
    st.caption(
        f"On the whole test set the highest of ten ELBOs, each from one draw of z, is the right class for "
        f"{100 * share:.1f} % of the pictures, although no classifier was trained."
    )


def encoded(pictures: Tensor) -> str:
    """Pictures in [0, 1] as bytes for the browser."""
    return base64.b64encode(pictures.mul(255).round().byte().numpy().tobytes()).decode()
