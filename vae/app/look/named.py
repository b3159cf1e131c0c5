"""Sliders by name: what the browser side is told of each, how sure it is and what else it moves in words."""

import torch
from jaxtyping import Float
from torch import Tensor

from vae.app.look.html import as_text
from vae.latent.named import FACTORS, block_of
from vae.serve.entry import Loaded

# Standard deviations of a factor, and of a class, that a slider asks for, which is as far as it was judged.
FAR, FAR_TO_CLASS = 1.5, 3.0
SEEN = 0.25  # standard deviations for each one asked: what moves less is not spoken of
MOST = 2  # of them beside a slider; a tooltip has all
DIGITS = {"degrees": 0, "pixels": 1, "%": 0, "nats": 1}


def sliders(loaded: Loaded) -> dict | None:
    """All of them in the order of the factors, and of the classes; None where the model has none."""
    named, classes, card = loaded.named, loaded.classes, loaded.entry.card
    if named is None or not named.names:
        return None
    kind, shape = loaded.entry.pictures.preparation, loaded.entry.pictures.shape[1:]
    words = {factor.name: factor.words for factor in FACTORS[kind]}
    rows = [
        row(name, words[name], step, card["directions"][name], words, FAR)
        for name, step in zip(named.names, named.steps.tolist(), strict=True)
    ]
    towards = [
        row(f"class-{at}", name, classes.steps[at].tolist(), card["class_directions"][name], words, FAR_TO_CLASS)
        | {"reading": reading(classes.weights[at], float(classes.offsets[at]), block_of(*shape))}
        for at, name in enumerate(classes.names if classes else ())
    ]
    return {"kind": kind, "rows": rows, "classes": towards}


def row(name: str, words: str, step: list[float], found: dict, others: dict[str, str], far: float) -> dict:
    """What is told of one slider, by what the card says of it."""
    return {
        "name": name,
        "words": words,
        "unit": found["unit"],
        "digits": DIGITS[found["unit"]],
        "step": [round(value, 6) for value in step],
        "most": far * found["deviation"],
        "range": found["range"],
        "short": short(found, others),
        "sure": sure(found, others),
    }


def reading(weights: Float[Tensor, " p"], offset: float, block: int) -> dict:
    """Weights of what is seen of a picture as bytes, -127 to 127 of a scale, as near as a slider's words need them."""
    scale = max(float(weights.abs().max()), 1e-9) / 127
    return {
        "weights": as_text(weights.div(scale).round().to(torch.int8).numpy().tobytes()),
        "scale": scale,
        "offset": offset,
        "block": block,
    }


def besides(found: dict, words: dict[str, str]) -> list[str]:
    """What else moves for one standard deviation asked, in its own, the most first: ink +0.8; height ±0.3 where as many
    pictures have more of it as less."""
    told = []
    for name, stray in sorted(found["strays"].items(), key=lambda one: -one[1]):
        move = found["moves"][name]
        if abs(move) >= SEEN:
            told.append(f"{words[name].lower()} {move:+.1f}".replace("-", "−"))
        elif stray >= SEEN:
            told.append(f"{words[name].lower()} ±{stray:.1f}")
    return told


def short(found: dict, words: dict[str, str]) -> str:
    """A few words beside the slider."""
    moved = besides(found, words)[:MOST]
    return f"R² {found['r2']:.2f}" + (f", also {', '.join(moved)}" if moved else "")


def sure(found: dict, words: dict[str, str]) -> str:
    """The same in a sentence for those who ask."""
    low, high = (f"{100 * end:.0f}" for end in found["got"]["quartiles"])
    least, most = (f"{end:.0f}".replace("-", "−") for end in found["range"])
    moved = ", ".join(besides(found, words))
    also = f"For one standard deviation asked, others move by: {moved}." if moved else "Little else moves."
    return (
        f"Measured on pictures that it was not made from: z tells {100 * found['r2']:.0f} % of how this varies "
        f"(R² {found['r2']:.2f}), and half of the pictures got {low} to {high} % of what was asked, as long as "
        f"that led to between {least} and {most} {found['unit']}. {also}"
    )
