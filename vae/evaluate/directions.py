"""Named directions of a model: fitted on one half of the encodings, judged on the other by what the decoder draws.

A factor is measured of the decoded mean of each encoding and not of the picture that was encoded: that is what a slider
changes and what stands beside it, and what the model cannot draw is no fault of a direction. What a slider asks is then
asked of pictures of the other half, what becomes of them is decoded and measured again, and what they got stands in the
card. Which factors are kept is settled on the first half alone; the second is looked at once.
"""

import json
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from vae.latent.named import FACTORS, Factor, Named, explained, independent, slopes
from vae.models import VAE, pretrained
from vae.models.files import whole

SEED, CHUNK = 2026, 1000
SIZES = (-1.5, -1.0, -0.5, 0.5, 1.0, 1.5)  # standard deviations of a factor that are asked for
USUAL = (0.05, 0.95)  # quantiles of a factor that nothing is asked beyond
CALIBRATED, ROUNDS = 1500, 4  # pictures that a step's length is found by, and how often it is corrected
UNTOLD = "z tells too little of how it varies"
EXPLAINED, WITHIN = 0.3, 0.1  # of what is offered: R^2 at least, and how far the median of got/asked may be from 1


class Half(NamedTuple):
    """Pictures of one half by their z, the factors of what the decoder makes of them, and what is usual of these by the
    first half: standard deviations, and both ends; `sizes` are those that are asked."""

    model: VAE
    factors: tuple[Factor, ...]
    mu: Float[Tensor, "n d"]
    values: Float[Tensor, "n k"]
    deviations: Float[Tensor, " k"]
    ends: Float[Tensor, "2 k"]
    sizes: tuple[float, ...] = SIZES

    def some(self, count: int) -> "Half":
        """The first of them; their order is random."""
        return self._replace(mu=self.mu[:count], values=self.values[:count])


class Answers(NamedTuple):
    """What was got of each unit asked, and how each factor moved, in its own standard deviations for each standard
    deviation asked; one row for each picture and each size that it can be asked."""

    got: Float[Tensor, " m"]
    moves: Float[Tensor, "m k"]


@torch.inference_mode()
def measured(model: VAE, factors: tuple[Factor, ...], z: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
    """The factors of the decoded mean of each z."""
    parts = []
    for places in z.split(CHUNK):
        means = model.decode(places.to(model.device)).mean.cpu()
        parts.append(torch.stack([factor.measure(means) for factor in factors], 1))
    return torch.cat(parts)


def halves_of(count: int) -> tuple[Int64[Tensor, " a"], Int64[Tensor, " b"]]:
    """Indices of the encodings that directions are fitted on, and of those that they are judged on."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(SEED)).tensor_split(2)


def halves(model: VAE, factors: tuple[Factor, ...], mu: Float[Tensor, "n d"]) -> tuple[Half, Half]:
    """What directions are fitted on, and what they are judged on."""
    values = measured(model, factors, mu)
    first, second = halves_of(len(mu))
    ends = values[first].quantile(torch.tensor(USUAL), dim=0)
    deviations = values[first].std(0).clamp(min=1e-6)
    return tuple(Half(model, factors, mu[rows], values[rows], deviations, ends) for rows in (first, second))


def answers(half: Half, step: Float[Tensor, " d"], column: int) -> Answers:
    """Ask all pictures for more and less of a factor, as far as they stay within what is usual; none may."""
    low, high = half.ends[:, column]
    got, moves = [torch.zeros(0)], [torch.zeros(0, len(half.factors))]
    for size in half.sizes:
        asked = size * half.deviations[column]
        there = half.values[:, column] + asked
        rows = ((there >= low) & (there <= high)).nonzero()[:, 0]
        if len(rows) == 0:
            continue
        change = measured(half.model, half.factors, half.mu[rows] + asked * step) - half.values[rows]
        got.append(change[:, column] / asked)
        moves.append(change / half.deviations / size)
    return Answers(torch.cat(got), torch.cat(moves))


def calibrated(half: Half, step: Float[Tensor, " d"], column: int) -> Float[Tensor, " d"]:
    """The step as long as makes the median of got/asked 1; one that leads nowhere stays as it is."""
    for _ in range(ROUNDS):
        median = float(answers(half, step, column).got.median())
        if not WITHIN < median < 1 / WITHIN:
            return step
        step = step / median
    return step


def objection(half: Half, found: Answers, column: int) -> str | None:
    """Why a direction does not hold, or None where it does."""
    name = half.factors[column].words.lower()
    if len(found.got) == 0:
        return f"what is usual of {name} leaves no room to ask for more or less"
    lower, median = (float(found.got.quantile(share)) for share in (0.25, 0.5))
    if abs(median - 1) > WITHIN:
        return f"of what is asked of {name}, {100 * median:.0f} % is got"
    if lower <= 0:
        return f"where {name} is asked for, a quarter of the pictures change the other way"
    sizes = found.moves.abs().median(0).values
    sizes[column] = 0
    most = int(sizes.argmax())
    if sizes[most] >= 1:
        return f"{half.factors[most].words.lower()} changes more than {name} where that is asked for"
    return None


Steps = dict[int, Float[Tensor, " d"]]  # by the factor's column


def together(half: Half, along: Float64[Tensor, "k d"], columns: tuple[int, ...]) -> tuple[Steps, str | None]:
    """Calibrated steps of some factors that leave one another alone, and why they do not hold; None where they do."""
    steps = independent(along[list(columns)], half.mu) if len(columns) <= half.mu.shape[1] else None
    if steps is None:
        return {}, "z cannot tell them apart"
    some, found = half.some(CALIBRATED), {}
    for column, step in zip(columns, steps.float(), strict=True):
        found[column] = calibrated(some, step, column)
        against = objection(some, answers(some, found[column], column), column)
        if against:
            return found, against
    return found, None


def choose(half: Half) -> tuple[Steps, dict[int, str]]:
    """The steps of as many factors as hold together, and why each of the others is not among them.

    Of sets of as many factors it is the one whose factors are named first.
    """
    along, at = slopes(half.mu, half.values)
    r2 = explained((along, at), half.mu, half.values)
    told = [column for column in range(len(half.factors)) if r2[column] >= EXPLAINED]
    sets = (columns for size in range(len(told), 0, -1) for columns in combinations(told, size))
    tried = ((columns, *together(half, along, columns)) for columns in sets)
    kept, steps = next(((columns, steps) for columns, steps, against in tried if against is None), ((), {}))
    why = {column: UNTOLD for column in range(len(half.factors)) if column not in told}
    for column in told:
        if column not in kept:
            against = together(half, along, (*kept, column))[1]
            why[column] = f"beside those offered it does not hold: {against}" if kept else against
    return steps, why


def usual(half: Half, column: int, r2: float) -> dict:
    """What a card says of a factor, whether its direction holds or not."""
    return {
        "unit": half.factors[column].unit,
        "r2": round(r2, 3),
        "deviation": round(float(half.deviations[column]), 3),
        "range": [round(float(end), 2) for end in half.ends[:, column]],
    }


def report(half: Half, found: Answers, column: int) -> dict:
    """What a card says of a direction: got for each unit asked, and what else moves; nothing where none was asked."""
    if len(found.got) == 0:
        return {}
    lower, median, upper = found.got.quantile(torch.tensor([0.25, 0.5, 0.75])).tolist()
    others = [(at, factor) for at, factor in enumerate(half.factors) if at != column]
    return {
        "got": {"median": round(median, 3), "quartiles": [round(lower, 3), round(upper, 3)], "asked": len(found.got)},
        "moves": {factor.name: round(float(found.moves[:, at].median()), 3) for at, factor in others},
        "strays": {factor.name: round(float(found.moves[:, at].abs().median()), 3) for at, factor in others},
    }


def directions(model: VAE, mu: Float[Tensor, "n d"]) -> tuple[Named, dict[str, dict]]:
    """The directions of a model that hold, and what its card says of every factor that was tried."""
    factors = FACTORS[model.input_spec.preparation]
    first, second = halves(model, factors, mu)
    steps, why = choose(first)
    r2 = explained(slopes(first.mu, first.values), second.mu, second.values)
    card, offered = {}, {}
    for column, factor in enumerate(factors):
        facts = usual(first, column, float(r2[column]))
        against = why.get(column)
        if column in steps:
            found = answers(second, steps[column], column)
            facts |= report(second, found, column)
            unexplained = None if r2[column] >= EXPLAINED else UNTOLD
            against = objection(second, found, column) or unexplained
        if against is None:
            offered[factor.name] = steps[column]
        card[factor.name] = facts | {"offered": against is None} | ({"why": against} if against else {})
    rows = torch.stack(list(offered.values())) if offered else torch.zeros(0, model.latents)
    return Named(tuple(offered), rows), card


def write(folder: Path) -> dict[str, dict]:
    """Find those of a shipped model and write them to its folder, and their figures into its card."""
    model = pretrained.load(folder / pretrained.WEIGHTS, "cpu")
    if model.input_spec.preparation not in FACTORS:
        raise ValueError(f"nothing is measured by name of pictures of the kind {model.input_spec.preparation!r}")
    named, figures = directions(model, pretrained.read_encodings(folder)["mu"])
    card = pretrained.read_card(folder) | {"directions": figures}
    named.save(folder / pretrained.DIRECTIONS)
    with whole(folder / pretrained.CARD) as draft:
        draft.write_text(json.dumps(card, indent=1) + "\n")
    return figures
