"""What the curves of a training say, in sentences for people who have never seen one."""

import math

SLIGHT = 0.002  # of the bound: what is worse by less is chance
ENOUGH = 5  # moments that must lie behind the best one


def said(frames: list[dict]) -> list[str]:
    """Sentences about the moments so far, the most important first."""
    if len(frames) < 2:
        return []
    return [sentence for sentence in (_overfits(frames), _beside_linear(frames), _latents(frames[-1])) if sentence]


def _overfits(frames: list[dict]) -> str | None:
    """Where the held-out pictures have become worse for some time while those that it learns from have not."""
    best = min(range(len(frames)), key=lambda place: frames[place]["validation"]["loss"])
    then, now = frames[best], frames[-1]
    worse = now["validation"]["loss"] - then["validation"]["loss"]
    learns = now["train"]["loss"] < then["train"]["loss"]
    if len(frames) - 1 - best < ENOUGH or worse < SLIGHT * abs(then["validation"]["loss"]) or not learns:
        return None
    return (
        f"It over-fits from epoch {math.ceil(then['epoch'])} on: it learns its pictures by heart, and does worse on "
        "those that it has never seen. The network of that moment is the one that is kept."
    )


def _beside_linear(frames: list[dict]) -> str | None:
    """How what it loses compares with what principal components lose."""
    floor, lost = frames[-1]["floor"], min(frame["validation"]["distortion"] for frame in frames)
    if floor is None:
        return None
    both = f"{lost:,.0f} nats against {floor:,.0f}"
    if lost < floor:
        return f"It loses less of a new picture than a linear code of as many numbers: {both}."
    return f"A linear code of as many numbers still loses less of a new picture: the network {both}."


def _latents(frame: dict) -> str | None:
    count = len(frame["kl"])
    if frame["used"] == count:
        return f"All {count} numbers are used."
    return (
        f"{frame['used']} of {count} numbers {'is' if frame['used'] == 1 else 'are'} used; the others say nothing yet."
    )
