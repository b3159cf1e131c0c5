"""Whether a picture is one that a model knows: judged by where it is encoded, and by what was seen while preparing it.

The ELBO cannot tell: a white disc is cheaper to describe than any digit. So a picture is held against the test set's
own: how much KL it takes, how far its nearest encoding lies, how badly it is redrawn. Each of them has a share of
the test pictures that are stranger; the smallest of the three shares is the picture's own, and it is in doubt where
that is below what only `FLAGGED` of the test pictures fall short of.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from vae.inference.record import Sketch
from vae.latent.encodings import Company
from vae.models import out_of_reach
from vae.pictures import Content

FLAGGED = 0.04  # of the pictures that a model knows; what is seen in the preparation may flag a few more
SAMPLE = 2000  # test pictures that are measured
FILLED, LINE, RIM = 8.0, 0.9, 0.06  # what is thicker is no line; what is thinner, on an uneven ground, no drawing
NOUNS = {"digit": "digit", "garment": "garment"}  # of a preparation: what its models know


@dataclass(frozen=True, eq=False)
class Measures:
    """Of pictures, row by row: KL(q(z|x) || p(z)), E_q[log p(x|z)], both nats, and the distance of mu to the nearest
    other encoding by `Company.metric`."""

    kl: Float[Tensor, " n"]
    reconstruction: Float[Tensor, " n"]
    distance: Float[Tensor, " n"]


@dataclass(frozen=True, eq=False)
class Usual:
    """`Measures` of random test pictures, each sorted, the share below which a picture is in doubt, and how little of a
    test picture is ink at least, from 0 to 1."""

    kl: Float[Tensor, " n"]
    reconstruction: Float[Tensor, " n"]
    distance: Float[Tensor, " n"]
    least: float
    ink: float

    def shares(self, found: Measures) -> Float[Tensor, "3 n"]:
        """The share of test pictures with at least as much KL, as bad a reconstruction, as far a neighbour."""
        return torch.stack(
            [
                1 - torch.searchsorted(self.kl, found.kl) / len(self.kl),
                torch.searchsorted(self.reconstruction, found.reconstruction, right=True) / len(self.reconstruction),
                1 - torch.searchsorted(self.distance, found.distance) / len(self.distance),
            ]
        )


def usual(company: Company, reconstruction: Float[Tensor, " n"], seed: int = 0) -> Usual:
    """What a model makes of the pictures it knows: `SAMPLE` random ones of the test set, each under all others."""
    rows = torch.randperm(len(company), generator=torch.Generator().manual_seed(seed))[:SAMPLE]
    found = of_the_set(company, reconstruction, rows)
    ink = float(company.pictures[rows].flatten(1).float().mean(1).min() / 255)
    kept = Usual(*(part.sort().values for part in (found.kl, found.reconstruction, found.distance)), least=0.0, ink=ink)
    return replace(kept, least=float(kept.shares(found).amin(0).quantile(FLAGGED)))


def of_the_set(company: Company, reconstruction: Float[Tensor, " n"], rows: Tensor) -> Measures:
    """The measures of pictures of the test set, as they would be if each were none of it."""
    mu, sigma = company.mu[rows], company.sigma[rows]
    distances = torch.cdist(company.measured[rows], company.measured).kthvalue(2).values  # the first is its own
    return Measures(_kl(mu, sigma), reconstruction[rows], distances)


def measured(company: Company, seen: Sketch) -> Measures:
    """The measures of pictures that are not of the test set."""
    distances = torch.cdist(seen.mu @ company.yardstick, company.measured).amin(1)
    return Measures(_kl(seen.mu, seen.sigma), seen.reconstruction, distances)


def _kl(mu: Float[Tensor, "b d"], sigma: Float[Tensor, "b d"]) -> Float[Tensor, " b"]:
    return (0.5 * (mu.square() + sigma.square() - 1) - sigma.log()).sum(1)


def noun(preparation: str) -> str:
    """What the models of a preparation know."""
    return NOUNS.get(preparation, "picture")


def doubt(
    preparation: str,
    content: Content | None,
    known: Usual,
    company: Company,
    x: Float[Tensor, "1 c h w"],
    seen: Sketch,
) -> str | None:
    """Why one picture is probably nothing that the model knows, as half a sentence; None where nothing says so.

    `content` is what the preparation of x saw, where there was one, and `seen` what the model makes of x.
    """
    if float(x.mean()) < known.ink / 2:
        return "there is next to nothing on it"
    if content is not None and (why := _seen(content, noun(preparation))):
        return why
    if out_of_reach(seen.mu, seen.sigma).any():
        return "it lies far outside what this model knows, and its place was cut off at the edge"
    shares = known.shares(measured(company, seen))[:, 0]
    if float(shares.min()) >= known.least:
        return None
    reasons = (
        "it takes more to describe than",
        "the model redraws it worse than",
        "the nearest test picture is farther away than for",
    )
    share = min(99.9, 100 * (1 - float(shares.min())))
    return f"{reasons[int(shares.argmin())]} {share:.1f} % of real {noun(preparation)}s"


def _seen(content: Content, thing: str) -> str | None:
    """What the preparation saw that no picture of the model's kind shows."""
    if content.things is not None and content.things > 1:
        return f"{content.things} separate things were found, and this model knows one {thing} at a time"
    if content.stroke is None or content.thickest is None or content.rim is None:
        return None
    if content.thickest > FILLED:
        return f"its shapes are filled, and a {thing} is drawn with lines"
    if content.stroke < LINE and content.rim > RIM:
        return "no line stands out clearly from a plain ground"
    return None
