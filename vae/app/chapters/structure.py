"""Chapter 2: the layers of the loaded model, with what each of them makes of the current picture."""

import streamlit as st
import torch

from vae.app import look
from vae.app.chapters.lecture import Question
from vae.app.components import structure as diagram
from vae.app.live import wire
from vae.app.look import drawings, ledger
from vae.app.session import inputs, link
from vae.inference.structure import Layer, gradients, structure
from vae.serve.engine import engine
from vae.serve.entry import Entry
from vae.serve.library import library

TITLE, WORD = "The structure of a VAE", "Structure"
SEED, FARTHEST = 0, 12.0  # of the eps that the chapter opens with, and the largest that a link may say
QUESTION = Question(
    "Draw another ε. Which part of the diagram stays as it is?",
    ("The encoder, μ and σ", "The decoder", "Everything changes"),
    0,
    "Press “Another ε”.",
    ".handle button, [data-testid=eps]",
    "Chance comes in beside the encoder, after μ and σ. Only z changes, and all that is decoded from it.",
)
SUMMARY = (
    "The encoder gives a mean and a width for each latent; noise picks one z; the decoder draws it.",
    "Because z = μ + σε is plain arithmetic, what the picture asks of z reaches the encoder.",
)


def floats(*tensors: torch.Tensor) -> str:
    """Values for the browser, which draws them, one tensor after the other."""
    return look.as_text(torch.cat([tensor.flatten() for tensor in tensors]))


def facts(layer: Layer) -> dict:
    """What the diagram writes beside a layer."""
    return {"kind": layer.kind, "shape": list(layer.output.shape), "parameters": layer.parameters}


def show(entry: Entry) -> dict[str, str]:
    """The current picture's way through the model, from x to its reconstruction."""
    look.say(
        "The encoder turns a picture into a mean μ and a width σ for each of a few numbers, the latents. "
        "The decoder turns one z, a value of each, back into a picture. "
        "Between them z = μ + σε is drawn: chance comes in from the side, as ε. "
        "Every strip is the tensor itself, as the model computes it for this picture."
    )
    if entry.config.corrected:
        look.aside(
            "This model’s encoder has one more step, the correction. Of a dozen places around its μ it takes the one "
            "where the decoder finds p(x, z) highest. From there it goes a step of Fisher scoring towards the peak. "
            "σ is then the peak’s width."
        )
    if entry.config.linear:
        look.aside(
            "Beside each of the two networks runs a shortcut that is not drawn: principal components of the training "
            "pictures. The last step adds what they say to what the network says."
        )
    given, eps, model = inputs.current(entry), noise(entry), library().lease(entry).model
    parts = engine().compute(structure, model, given.x, eps)
    diagram(
        key="structure",
        data={
            "live": wire.wire("structure", entry),
            "rev": f"{entry.name} {inputs.identity(given)} {link.turn()}",
            "see": link.seen("structure"),
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
        on_see_change=lambda: link.see("structure", "structure"),
    )
    found = engine().compute(gradients, model, given.x, eps)
    st.subheader("And backwards: how the encoder learns what z should be", anchor=False)
    look.say(
        "Training lowers one number, the loss. It asks how steeply the loss changes with every other number, and goes "
        "downhill: that slope is the gradient. "
        "It starts at the loss, goes back through the decoder to z, and at z = μ + σε it divides. "
        "To μ it passes as it is, times 1, and to σ times ε. It ends at ε, which nobody can learn."
    )
    st.html(drawings.backwards(entry.order[0], found))
    look.say(
        "**Why draw at all?** The ELBO is a mean over q(z|x), and one draw is an honest estimate of it. "
        "If z were always μ, the picture would never feel σ, and neighbouring z need not decode alike. "
        "If z were drawn without this formula, no slope would lead back to μ and σ. Chapter 5 measures the other way."
    )
    ledger.below(entry, {"x": given.x})
    return {"x": inputs.address(given)} | link.said("structure")


def noise(entry: Entry) -> torch.Tensor:
    """eps: that of a link, else the chapter's."""
    said = link.numbers("structure", -FARTHEST, FARTHEST)
    if len(said) == entry.latents:
        return torch.tensor([said])
    eps = torch.randn(1, entry.latents, generator=torch.Generator().manual_seed(SEED))
    return eps.mul(100).round().div(100)  # as a link says it
