"""How much a drawn picture is like those of one group and not another's: the log-odds that a straight line gives it."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from vae.latent.directions import Halves, halves
from vae.latent.encodings import Company
from vae.latent.named.classes import seen
from vae.latent.named.moves import moves
from vae.models import VAE

LEAST = 20  # pictures of a group: of fewer, the half that judges would say nothing
EACH = 500  # of each half that are looked at
SURE = 0.7  # AUC below which what it says of one picture would be a guess
CHUNK = 250  # pictures that are drawn together
# Of half the squared weights beside the mean loss, as of the classes' readings: no single pixel may decide.
DECAY = 0.02


class Reading(NamedTuple):
    """Weights of what is `seen` of a picture and an offset, which give nats for the first group against the second, and
    how well that tells pictures of both that it was not fitted to: the area under the ROC curve, 0.5 is a guess."""

    weights: Float[Tensor, " p"]
    offset: float
    auc: float

    @property
    def is_sure(self) -> bool:
        """Whether it tells them apart well enough to say what a picture is more like."""
        return self.auc >= SURE


class Measured(NamedTuple):
    """What is known of a direction from group `b` to group `a`: what reads them, None where there are too few pictures
    to say, and what else moves, in its own standard deviations for one step."""

    a: str
    b: str
    reading: Reading | None
    moved: dict[str, float]


def auc(a: Float[Tensor, " n"], b: Float[Tensor, " m"]) -> float:
    """How probably one of the first is above one of the second, both drawn by chance; the same counts half."""
    above = (a[:, None] > b).double().mean() + (a[:, None] == b).double().mean() / 2
    return float(above)


def logistic(values: Float[Tensor, "n p"], is_a: Bool[Tensor, " n"]) -> tuple[Float64[Tensor, " p"], float]:
    """Weights and offset of the least mean log loss, both groups counted the same, plus DECAY |weights|^2 / 2."""
    from sklearn.linear_model import LogisticRegression  # a second to import, which no page is to wait for

    counts = torch.where(is_a, 0.5 / is_a.sum(), 0.5 / (~is_a).sum())
    fit = LogisticRegression(C=1 / DECAY, tol=1e-6, max_iter=1000)
    fit.fit(values.double().numpy(), is_a.numpy(), sample_weight=counts.double().numpy())
    return torch.from_numpy(fit.coef_[0]), float(fit.intercept_[0])


@torch.inference_mode()
def reading(model: VAE, mu: Float[Tensor, "n d"], apart: Halves) -> Reading | None:
    """What tells two groups apart by what is drawn of them, fitted on one half of each; None where one has fewer than
    LEAST pictures."""
    if min(len(apart.made_a) + len(apart.held_a), len(apart.made_b) + len(apart.held_b)) < LEAST:
        return None

    def drawn(rows: Int64[Tensor, " n"]) -> Float[Tensor, "m p"]:
        parts = mu[rows[:EACH]].split(CHUNK)
        return torch.cat([seen(model.decode(z.to(model.device)).mean.cpu()) for z in parts])

    a, b = drawn(apart.made_a), drawn(apart.made_b)
    weights, offset = logistic(torch.cat([a, b]), torch.arange(len(a) + len(b)) < len(a))
    told = [drawn(rows).double() @ weights + offset for rows in (apart.held_a, apart.held_b)]
    return Reading(weights.float(), offset, auc(*told))


def measured(
    model: VAE,
    company: Company,
    step: Float[Tensor, " d"],
    groups: dict[str, Int64[Tensor, " n"]],
) -> Measured:
    """Of a step from the second of two groups to the first; ValueError where they are too small to be compared."""
    (a, rows_a), (b, rows_b) = groups.items()
    found = reading(model, company.mu, halves(rows_a, rows_b))
    return Measured(a, b, found, moves(model, company, step))
