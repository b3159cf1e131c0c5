"""Sliders by name: what the browser side is told of each, how sure it is and what else it moves in words."""

import torch
from jaxtyping import Float
from torch import Tensor

from vae.app.look.html import as_text
from vae.latent.named import FACTORS, Kept, Measured, block_of
from vae.latent.named.reading import LEAST
from vae.serve.entry import Loaded

# Standard deviations of a factor, and of a class, that a slider asks for, which is as far as it was judged.
FAR, FAR_TO_CLASS = 1.5, 3.0
SEEN = 0.25  # standard deviations for each one asked: what moves less is not spoken of
MOST = 2  # of them beside a slider; a tooltip has all
DEVIATIONS = "standard deviations"  # of the encodings, along the direction
DIGITS = {"degrees": 0, "pixels": 1, "%": 0, "nats": 1, DEVIATIONS: 1}


def sliders(loaded: Loaded, kept: list[tuple[Kept, Measured | None]]) -> dict | None:
    """All of them in the order of the factors, and of the classes, and those that the visitor kept; None where there
    are none."""
    named, classes, card = loaded.named, loaded.classes, loaded.entry.card
    mine = [yours(at, *one, block_of(*loaded.entry.pictures.shape[1:])) for at, one in enumerate(kept)]
    if named is None or not named.names:
        return {"kind": "", "rows": [], "classes": [], "yours": mine} if mine else None
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
    return {"kind": kind, "rows": rows, "classes": towards, "yours": mine}


def yours(at: int, one: Kept, found: Measured | None, block: int) -> dict:
    """What is told of one that the visitor kept or a link brought; without a reading nothing says what was got."""
    told = {
        "name": f"yours-{at}",
        "words": one.name,
        "unit": DEVIATIONS,
        "digits": DIGITS[DEVIATIONS],
        "step": [round(value, 6) for value in one.step.tolist()],
        "most": FAR_TO_CLASS,
        "range": None,
    }
    if found is None:
        return told | {
            "short": "from a link: not measured",
            "sure": "The link says where this leads, and not between which groups: so nothing says what was got.",
        }
    strays = {word: abs(change) for word, change in found.moved.items()}
    others = besides({"moves": found.moved, "strays": strays}, {word: word for word in strays})
    also = f", also {', '.join(others[:MOST])}" if others else ""
    moved = f"For one standard deviation asked, others move by: {', '.join(others)}." if others else ""
    if found.reading is None:
        few = f"Groups of fewer than {LEAST} pictures are too small to measure what was got."
        return told | {"short": f"too few pictures to measure{also}", "sure": f"{few} {moved}"}
    score = f"AUC {found.reading.auc:.2f}"
    if not found.reading.is_sure:
        why = f"The pictures that are drawn do not tell the groups apart ({score}), so nothing says what was got."
        return told | {"short": f"{score}: not measured{also}", "sure": f"{why} {moved}"}
    how = (
        f"The percentage says whether the drawn picture is more like {found.a} or like {found.b}. A straight line on "
        f"pixels reads it, fitted on half of each group as it is drawn. On the other half its {score}: 1 is always "
        f"right, 0.5 a guess. {moved}"
    )
    return told | {
        "reading": reading(found.reading.weights, found.reading.offset, block),
        "short": f"more like {found.a} than {found.b}, {score}{also}",
        "sure": how,
    }


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
