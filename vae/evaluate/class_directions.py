"""Directions towards each class or tag, judged as those with names are: by what the decoder draws.

What is drawn is read by a logistic regression of each class against all others, on the pixels of decoded pictures of
one half, so that a class has a measure as slant has one: log-odds, in nats. A direction adds one of them and leaves
alone the factors that the model's named directions hold.
"""

import json
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int64
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch import Tensor

from vae import data
from vae.evaluate.directions import (
    CALIBRATED,
    CHUNK,
    EXPLAINED,
    UNTOLD,
    answers,
    calibrated,
    halves,
    halves_of,
    objection,
    report,
    usual,
)
from vae.latent.named import FACTORS, Classes, Factor, Named, explained, independent, seen, slopes
from vae.models import VAE, pretrained
from vae.models.files import whole

SIZES = (-3.0, -2.0, -1.0, 1.0, 2.0, 3.0)  # standard deviations: from one class to another it is some two of them
FEWEST = 20  # pictures of a class, and of none, that can be read
PENALTY = 0.01  # C of the regressions: what reads blurred pictures should not hang on single pixels


def reading(
    pictures: Float[Tensor, "n p"], is_class: Int64[Tensor, " n"]
) -> tuple[Float[Tensor, " p"], Float[Tensor, ""]]:
    """Weights and offset of the log-odds of a class."""
    fit = LogisticRegression(C=PENALTY, max_iter=300).fit(pictures.numpy(), is_class.numpy())
    weights, offset = torch.from_numpy(fit.coef_[0]), torch.tensor(fit.intercept_[0])
    return weights.half().float(), offset.float()  # as they are kept


def log_odds(
    pictures: Float[Tensor, "n c h w"], weights: Float[Tensor, " p"], offset: Float[Tensor, ""]
) -> Float[Tensor, " n"]:
    """Those of pictures."""
    return seen(pictures) @ weights + offset


def directions(
    model: VAE, held: tuple[Factor, ...], mu: Float[Tensor, "n d"], groups: dict[str, Bool[Tensor, " n"]]
) -> tuple[Classes, dict[str, dict]]:
    """The directions to those groups of pictures where one holds, and what a card says of each; `held` are left
    alone."""
    with torch.inference_mode():
        pictures = torch.cat([seen(model.decode(z.to(model.device)).mean.cpu()) for z in mu.split(CHUNK)])
    rows, others = halves_of(len(mu))
    card, found = {}, []
    for name, is_in in groups.items():
        read = reading(pictures[rows], is_in[rows].long())
        factor = Factor("class", name, "nats", "log-odds", partial(log_odds, weights=read[0], offset=read[1]))
        first, second = halves(model, (*held, factor), mu)
        first, second = (half._replace(sizes=SIZES) for half in (first, second))
        column, fit = len(held), slopes(first.mu, first.values)
        r2 = float(explained(fit, second.mu, second.values)[column])
        told = second.mu.double() @ fit[0][column]
        auc = roc_auc_score(is_in[others].numpy(), told.numpy())
        facts = usual(first, column, r2) | {"auc": round(float(auc), 3)}
        steps = independent(fit[0], first.mu) if column < mu.shape[1] else None
        against = "z cannot tell it apart from those by name" if steps is None else None
        if steps is not None:
            step = calibrated(first.some(CALIBRATED), steps[column].float(), column)
            asked = answers(second, step, column)
            facts |= report(second, asked, column)
            against = objection(second, asked, column) or (None if r2 >= EXPLAINED else UNTOLD)
            if against is None:
                found.append((name, step, *read))
        card[name] = facts | {"offered": against is None} | ({"why": against} if against else {})
    if not found:
        return Classes((), torch.zeros(0, mu.shape[1]), torch.zeros(0, pictures.shape[1]), torch.zeros(0)), card
    offered, *tensors = zip(*found, strict=True)
    return Classes(offered, *(torch.stack(rows) for rows in tensors)), card


def write(folder: Path) -> dict[str, dict]:
    """Find those of a shipped model, whose named directions are there, and write them and their figures."""
    model, card = pretrained.load(folder / pretrained.WEIGHTS, "cpu"), pretrained.read_card(folder)
    named = Named.load(folder / pretrained.DIRECTIONS, model.latents)
    held = tuple(factor for factor in FACTORS[model.input_spec.preparation] if factor.name in named.names)
    mu = pretrained.read_encodings(folder)["mu"]
    groups = {
        name: torch.isin(torch.arange(len(mu)), rows)
        for name, rows in data.groups(card["data"]["name"]).items()
        if FEWEST <= len(rows) <= len(mu) - FEWEST
    }
    classes, figures = directions(model, held, mu, groups)
    classes.save(folder / pretrained.CLASSES)
    with whole(folder / pretrained.CARD) as draft:
        draft.write_text(json.dumps(card | {"class_directions": figures}, indent=1) + "\n")
    return figures
