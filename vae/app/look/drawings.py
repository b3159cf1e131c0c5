"""Drawings that stand still: the gradient on its way back, and the order in which layers are found."""

import html

from vae.app.look import COLOURS, nats
from vae.inference.structure import Gradients

ROWS = ("z₁", "z₂", "z₃")


def backwards(latent: int, found: Gradients) -> str:
    """The gradient of the loss on its way back through one latent, with its numbers in nats for each unit."""
    figures = str(latent).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))
    at = {name: nats(float(value[latent])) for name, value in found._asdict().items() if name != "loss"}
    eps = f"{float(found.eps[latent]):.2f}".replace("-", "−")
    cells = [
        *(_node("mu", f"μ{figures}"), _told(f"{at['mu']} in all, with {at['kl_to_mu']} of the KL")),
        *(_way("↖", f"× 1: {at['z_to_mu']}"), "", "", ""),
        *("", "", "", _node("z", f"z{figures}"), _way("←", f"{at['z']} through the decoder"), _node("loss", "loss")),
        *(_node("sigma", f"σ{figures}"), _told(f"{at['sigma']} in all, with {at['kl_to_sigma']} of the KL")),
        *(_way("↙", f"× ε: {at['z_to_sigma']}"), "", "", ""),
        *("", "", "", _way("✕", "ends"), "", ""),
        *("", "", "", _node("eps", f"ε{figures}"), _told(f"= {eps}"), ""),
    ]
    label = (
        f"The slope of the loss is {at['z']} at z; with the KL’s own part it is {at['mu']} at μ and {at['sigma']} at "
        "σ, and it ends at ε"
    )
    return _drawing("backwards", label, cells)


def top_down() -> str:
    """How the layers of a ladder are found: the picture goes up once, and then z is drawn from the top down."""
    cells: list[str] = []
    for name in ROWS:
        cells += [_node("x", "what x says"), _way("→", ""), _node("z", name), _way("↑", ""), "", _way("↓", "")]
    cells += [_node("x", "x"), "", _node("x", "x")]
    label = "The picture goes up once; then z is drawn from the top, each layer from x and from the layers above it"
    return _drawing("top-down", label, cells)


def _node(name: str, text: str) -> str:
    colour = COLOURS[name].css if name in COLOURS else "currentColor"
    return f'<b class="node" style="color:{colour}">{html.escape(text)}</b>'


def _way(arrow: str, text: str) -> str:
    return f'<span class="way"><i>{arrow}</i>{html.escape(text)}</span>'


def _told(text: str) -> str:
    return f'<span class="way">{html.escape(text)}</span>'


def _drawing(kind: str, label: str, cells: list[str]) -> str:
    inside = "".join(f"<span>{cell}</span>" for cell in cells)
    return f'<div class="drawing {kind}" role="img" data-testid="{kind}" aria-label="{label}">{inside}</div>'
