"""Chapter 2: the layers of the loaded model, with what each of them makes of the current picture."""

import streamlit as st
import torch

from vae.app import look
from vae.app.components import structure as diagram
from vae.app.live import wire
from vae.app.look import ledger
from vae.app.session import inputs
from vae.inference.structure import Layer, structure
from vae.serve.engine import engine
from vae.serve.entry import Entry
from vae.serve.library import library

TITLE, WORD = "The structure of a VAE", "Structure"
SEED = 0  # of the eps that the chapter opens with


def floats(*tensors: torch.Tensor) -> str:
    """Values for the browser, which draws them, one tensor after the other."""
    return look.as_text(torch.cat([tensor.flatten() for tensor in tensors]))


def facts(layer: Layer) -> dict:
    """What the diagram writes beside a layer."""
    return {"kind": layer.kind, "shape": list(layer.output.shape), "parameters": layer.parameters}


def show(entry: Entry) -> dict[str, str]:
    """The current picture's way through the model, from x to its reconstruction."""
    st.markdown(
        "The encoder turns a picture x into a mean μ and a standard deviation σ for each latent, and the decoder turns "
        "one z of that distribution back into a picture. Between them is the reparameterisation z = μ + σε: chance "
        "comes in from the side as ε, so that gradients can pass through μ and σ. Every strip is the tensor itself, as "
        "the model computes it for this picture; change ε, and all that follows changes."
    )
    if entry.config.corrected:
        st.caption(
            "This model’s encoder has one more step, the correction: of a dozen places around its μ it takes the one "
            "where the decoder finds p(x, z) highest, goes a step of Fisher scoring towards the peak, and σ is the "
            "peak’s width."
        )
    given, eps = inputs.current(entry), torch.randn(1, entry.latents, generator=torch.Generator().manual_seed(SEED))
    parts = engine().compute(structure, library().lease(entry).model, given.x, eps)
    diagram(
        key="structure",
        data={
            "live": wire.wire("structure", entry),
            "rev": f"{entry.name} {inputs.address(given)}",
            "input": given.name,
            "shape": list(entry.pictures.shape),
            "order": entry.order,
            "encoder": [facts(layer) for layer in parts.encoder],
            "decoder": [facts(layer) for layer in parts.decoder],
            "encoded": floats(parts.x, *(layer.output for layer in parts.encoder)),
            "latents": floats(parts.mu, parts.sigma, parts.eps),
            "decoded": floats(*(layer.output for layer in parts.decoder), parts.mean),
        },
        on_question_change=lambda: wire.answer("structure"),
    )
    ledger.below(entry, {"x": given.x})
    return {"x": inputs.address(given)}
