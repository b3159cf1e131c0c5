"""Chapter 3: the Kullback-Leibler divergence, which depends on the direction, and what minimising each one does."""

import math

import streamlit as st

from vae.app import look
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
        },
        on_place_change=moved,
    )
    link.write(said(entry))
    ledger.below(entry, {"x": given.x})


def show(entry: Entry) -> dict[str, str]:
    """Two densities to drag, and the model's own latents to put in their place."""
    st.markdown(
        "KL(p‖q) is the mean of ln(p/q) over draws from p: never below 0, and 0 only when p and q agree. "
        "KL(q‖p) takes the mean of ln(q/p) over draws from q, so it is another number. "
        "The ELBO of a VAE subtracts the second, with q = q(z|x) and the prior as p."
    )
    densities(entry)
    return said(entry)
