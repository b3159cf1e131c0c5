"""Chapter 3: the Kullback-Leibler divergence, which depends on the direction, and what minimising each one does."""

import math
from typing import NamedTuple

import streamlit as st

from vae.app import look
from vae.app.chapters.lecture import Question
from vae.app.components import divergence
from vae.app.live import wire
from vae.app.look import ledger
from vae.app.session import inputs, link
from vae.serve import asked
from vae.serve.engine import engine
from vae.serve.entry import Entry
from vae.serve.library import library

TITLE, WORD = "KL divergence", "KL"
CHIPS = 8  # latents to choose from
# (mean, sigma) of the Gaussian, or of the two of a mixture
START = {"p": [-1.8, 0.7, 1.7, 0.5], "q": [0.6, 1.0]}
WIDEST = {"p": 2.0, "q": 4.5}  # sigma, as far as the handles go
QUESTION = Question(
    "p has two humps, and q is one bell curve. You minimise KL(q‖p). Where does q go?",
    ("Onto one hump", "In the middle, between both", "Wide, over both"),
    0,
    "Press “Minimise KL(q‖p)”.",
    "[data-testid=least-qp]",
    "Where p is nearly 0, ln(q/p) is huge. So q keeps away from there, stays on one hump, and is too narrow for both.",
)
SUMMARY = (
    "KL measures how far two distributions are apart, in nats, and it depends on the direction.",
    "A VAE minimises KL(q‖p): its q seeks one mode of the posterior, and underestimates the spread.",
)


class Modes(NamedTuple):
    """A true posterior with two modes, along the line through them, in units of z: masses, means, sigmas; and q's."""

    model: str
    picture: int
    masses: tuple[float, float]
    p: tuple[float, float, float, float]
    q: tuple[float, float]


# Found among the first 1,500 test pictures; tests/app/chapters/test_divergence.py computes it again by quadrature.
MODES = Modes("mnist-2d", 488, (0.590, 0.410), (-0.347, 0.058, 0.408, 0.033), (-0.285, 0.020))
WIDER = 4  # times as wide on the chapter's line as it is


def as_density(name: str, values: object) -> list[float] | None:
    """Means and widths within the handles' reach, of one or two Gaussians; None where that is not what they are."""
    if not isinstance(values, list) or len(values) not in (2, 4):
        return None
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
        return None
    fits = all(abs(value) <= 4 for value in values[::2]) and all(0.05 <= s <= WIDEST[name] for s in values[1::2])
    return [float(value) for value in values] if fits else None


def from_url(name: str) -> list[float] | None:
    """A density of a shared link."""
    try:
        return as_density(name, [float(value) for value in link.asked(name).split(",")])
    except ValueError:
        return None


def moved() -> None:
    """The component's callback: a hand has let go."""
    place = st.session_state["divergence"].get("place")
    if not isinstance(place, dict):
        return
    dropped = {name: as_density(name, place.get(name)) for name in START}
    if all(dropped.values()):
        st.session_state["densities"] = dropped


def said(entry: Entry) -> dict[str, str]:
    """What a link to this chapter says."""
    shown = st.session_state["densities"].items()
    numbers = {density: ",".join(f"{value:.4g}" for value in values) for density, values in shown}
    return {"model": entry.name, "chapter": "kl"} | numbers


def carried() -> dict[str, tuple[float, ...]]:
    """The densities of MODES."""
    return {"p": MODES.p, "q": MODES.q}


@wire.fragment
def densities(entry: Entry) -> None:
    """The picture; only this part runs again when a hand lets go, so that the link follows."""
    if "densities" not in st.session_state:
        st.session_state["densities"] = {density: from_url(density) or start for density, start in START.items()}
    given = inputs.current(entry)
    seen = engine().answer(asked.SKETCH, library().lease(entry), given.x)
    kl = seen.kl_per_dimension[0].tolist()
    order = sorted(range(len(kl)), key=lambda latent: -kl[latent])[:CHIPS]
    divergence(
        key="divergence",
        data=st.session_state["densities"]
        | {
            "rev": f"{entry.name} {given.id} {link.turn()}",
            "about": given.name,
            "pixels": look.as_text(look.as_levels(given.x[0])),
            "shape": list(given.x.shape[1:]),
            "latents": [[latent, float(seen.mu[0, latent]), float(seen.sigma[0, latent])] for latent in order],
            "count": len(kl),
            "total": sum(kl),
            "modes": {part: [round(WIDER * value, 2) for value in values] for part, values in carried().items()},
            "times": WIDER,
            "picture": MODES.picture,
        },
        on_place_change=moved,
    )
    link.write(said(entry))
    ledger.below(entry, {"x": given.x})


def show(entry: Entry) -> dict[str, str]:
    """Two densities to drag, and the model's own latents to put in their place."""
    look.say(
        "KL(p‖q) is the mean of ln(p/q) over draws from p: never below 0, and 0 only when p and q agree. "
        "KL(q‖p) takes the mean of ln(q/p) over draws from q, so it is another number. "
        "The ELBO of a VAE subtracts the second, with q = q(z|x) and the prior as p."
    )
    densities(entry)
    low, high = sorted(MODES.masses)
    look.say(
        "**What this means for a posterior.** Raising the ELBO also lowers KL(q‖p(z|x)), with the true posterior as p. "
        f"For the model of two latents, test picture {MODES.picture} has a posterior with two modes. "
        f"On one lie {look.percent(high)} of it, on the other {look.percent(low)}. "
        "The model’s q keeps to one of them, and knows nothing of the other. "
        f"[Chapter 4 shows both on the plane](how_it_works?model={MODES.model}&chapter=bayes&x=i{MODES.picture}).",
        answers=True,
    )
    return said(entry)
