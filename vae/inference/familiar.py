"""Whether a picture is one that a model knows: one word, why, and what to do.

The ELBO cannot tell: a white disc is cheaper to describe than any digit. So a judge looks at all of
`vae.inference.looks.MEASURES`. Each is replaced by its normal score among pictures that the model knows, and a weighted
sum of the scores and of their squares says how strange a picture is; `vae.evaluate.judge` finds the weights. What
counts is the share of pictures that the model knows which are at least as strange.
"""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from vae.inference.looks import BY_CONTENT, MEASURES, measured
from vae.inference.record import sketch
from vae.latent.encodings import Company
from vae.models import VAE, out_of_reach
from vae.models.checkpoint import read
from vae.models.files import save_tensors
from vae.pictures import Content

# Of the pictures that a model knows: these are taken for strangers, and these are called unusual. At most a twentieth
# is to be taken for strangers, and the limit itself, found on some hundreds of pictures, may be a percent off.
FLAGGED, UNUSUAL = 0.035, 0.2
OTHERWISE = "Try another picture or another model, or train a model on such pictures."
FAR = 6.0  # how much a score goes on beyond the last picture that the model knows
SORTS = ("prepared", "bare")
BATCH = 32  # pictures that are measured together
NOUNS = {"digit": "digit", "garment": "garment", "face": "portrait"}  # of a preparation: what its models know
PARTS = {"portrait": "faces"}  # of these a preparation finds several

# Of each measure: what is said where it is far below that of most known pictures, and where it is far above; where
# nothing is, that side is never strange.
REASONS: dict[str, tuple[str, str]] = {
    "kl": ("its latents tell less about it than about", "it takes more to describe than"),
    "reconstruction": ("the model redraws it worse than", "the model redraws it more easily than"),
    "reconstruction_per_ink": (
        "for its ink, the model redraws it worse than",
        "for its ink, it is redrawn better than",
    ),
    "neighbours": ("", "the nearest test pictures are farther away than for"),
    "drift": ("", "encoded again, what comes back lands farther away than for"),
    "error": ("", "what comes back differs from it more than for"),
    "ink": ("there is less ink on it than on", "there is more ink on it than on"),
    "thickness": ("its thickest part is thinner than in", "its thickest part is thicker than in"),
    "mean_thickness": ("it is thinner than", "it is thicker than"),
    "extent": ("it is smaller than", "it is larger than"),
    "fill": ("it fills less of its box than", "it fills more of its box than"),
    "core": ("less of it lies inside than in", "more of it lies inside than in"),
    "outline": ("its outline is shorter than that of", "its outline is longer than that of"),
    "things": ("", "it is in more pieces than"),
    "kept": ("making it ready lost more of it than with", ""),
    "edges": ("making it ready lost more of its edges than with", ""),
    "colours": ("turning it to grey lost more of its colours than with", ""),
    "ground": ("its background is less plain than that of", ""),
}


class Level(Enum):
    """How well a model knows a picture, in a word."""

    TYPICAL = "typical"
    UNUSUAL = "unusual"
    STRANGE = "strange"


@dataclass(frozen=True)
class Verdict:
    """How well a model knows a picture: `share` of the pictures that it knows are at least as strange.

    `sentence` says it in words; `why` is half a sentence and `advice` one, both empty for a typical picture.
    """

    level: Level
    share: float
    sentence: str
    why: str = ""
    advice: str = ""


@dataclass(frozen=True, eq=False)
class Judge:
    """What tells pictures that a model knows from others: quantiles of each measure over known pictures, the weights
    of normal scores and of their squares, and the sums of other known pictures, ascending."""

    knots: Float[Tensor, "k f"]
    weights: Float[Tensor, "2 f"]
    known: Float[Tensor, " m"]

    def normal_scores(self, measures: Float[Tensor, "n f"]) -> Float[Tensor, "n f"]:
        """Where each measure lies among known pictures, as the quantile of a standard normal; beyond the last of them
        it goes on as their tail is long, by FAR at most. 0, as for the most usual, where nothing was measured."""
        knots, found = self.knots.T.contiguous(), measures.T.contiguous()
        before, upto = torch.searchsorted(knots, found), torch.searchsorted(knots, found, right=True)
        scores = torch.special.ndtri((before + upto + 1) / (2 * (len(self.knots) + 1)))
        rows = [round(share * (len(self.knots) - 1)) for share in (0, 0.01, 0.16, 0.84, 0.99, 1)]
        least, low, lower, upper, high, most = (self.knots[row][:, None] for row in rows)
        between = 1.33  # standard deviations of a normal between these quantiles
        above = between * (found - most) / (high - upper).clamp(min=1e-6)
        below = between * (least - found) / (lower - low).clamp(min=1e-6)
        scores = (scores + above.clamp(0, FAR) - below.clamp(0, FAR)).nan_to_num(0.0).T
        low_counts, high_counts = (torch.tensor([bool(says[side]) for says in REASONS.values()]) for side in (0, 1))
        return torch.where(scores < 0, scores * low_counts, scores * high_counts)

    def parts(self, measures: Float[Tensor, "n f"]) -> Float[Tensor, "n f"]:
        """What each measure adds to how strange a picture is."""
        scores = self.normal_scores(measures)
        return scores * self.weights[0] + scores.square() * self.weights[1]

    def shares(self, measures: Float[Tensor, "n f"]) -> Float[Tensor, " n"]:
        """The share of known pictures that are at least as strange."""
        return 1 - torch.searchsorted(self.known, self.parts(measures).sum(1)) / len(self.known)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """By their names."""
        return {"knots": self.knots, "weights": self.weights, "known": self.known}


@dataclass(frozen=True, eq=False)
class Judges:
    """One for pictures that were prepared, and one for those of which nothing but the bits is known."""

    prepared: Judge
    bare: Judge

    def of(self, measures: Float[Tensor, "1 f"]) -> Judge:
        """The one for a picture."""
        contents = measures[:, -len(BY_CONTENT) :]
        return self.bare if contents.isnan().all() else self.prepared

    def shares(self, measures: Float[Tensor, "n f"]) -> Float[Tensor, " n"]:
        """The share of known pictures that are at least as strange, of each."""
        found = [self.of(row).shares(row) for row in measures.split(1)]
        return torch.cat(found) if found else torch.zeros(0)

    def save(self, path: Path) -> None:
        """Write them; OSError where that fails."""
        both = [(word, getattr(self, word).tensors) for word in SORTS]
        tensors = {f"{word}.{name}": tensor.clone() for word, one in both for name, tensor in one.items()}  # may be one
        save_tensors(tensors, path, {"measures": " ".join(MEASURES)})

    @classmethod
    def load(cls, path: Path) -> "Judges":
        """Read them; ValueError where they are damaged, or of other measures."""
        metadata, tensors = read(path)
        if metadata.get("measures") != " ".join(MEASURES):
            raise ValueError(f"{path} is no judge of these measures; `python -m vae.evaluate` makes one")
        try:
            parts = {word: [tensors[f"{word}.{name}"] for name in ("knots", "weights", "known")] for word in SORTS}
        except KeyError as error:
            raise ValueError(f"{path} lacks {error}") from None
        for knots, weights, known in parts.values():
            shapes = (knots.shape[1:], weights.shape, known.ndim)
            finite = all(tensor.isfinite().all() for tensor in (knots, weights, known))
            if shapes != ((len(MEASURES),), (2, len(MEASURES)), 1) or not finite or not len(known):
                raise ValueError(f"{path} is damaged")
        return cls(*(Judge(*three) for three in parts.values()))


# ---- verdicts ----


def noun(preparation: str) -> str:
    """What the models of a preparation know."""
    return NOUNS.get(preparation, "picture")


@torch.inference_mode()
def judged(
    model: VAE, company: Company, judges: Judges, x: Float[Tensor, "n c h w"], contents: list[Content | None]
) -> list[Verdict]:
    """How well a model knows each picture; `contents` is what its preparation saw, where it had one."""
    found = []
    for start, part in zip(range(0, len(x), BATCH), x.split(BATCH), strict=False):
        seen, beside = sketch(model, part), contents[start : start + BATCH]
        measures = measured(model, company, part, seen, beside)
        far = out_of_reach(seen.mu, seen.sigma).tolist()
        rows = zip(measures.split(1), far, beside, strict=True)
        thing = noun(model.input_spec.preparation)
        found += [_verdict(judges.of(row), row, is_far, content, thing) for row, is_far, content in rows]
    return found


def _verdict(
    judge: Judge, measures: Float[Tensor, "1 f"], is_far: bool, content: Content | None, thing: str
) -> Verdict:
    share = float(judge.shares(measures))
    things = 1 if content is None or content.things is None else content.things
    is_faceless = thing in PARTS and things == 0
    if share >= UNUSUAL and not is_far and not is_faceless:
        return Verdict(Level.TYPICAL, share, f"A typical {thing}.")
    strongest = MEASURES[int(judge.parts(measures)[0].argmax())]
    why = _said(judge, measures, strongest, thing)
    if share >= FLAGGED and not is_far and not is_faceless:
        return Verdict(Level.UNUSUAL, share, f"An unusual {thing}.", why)
    advice = f"Cut the picture to one {thing} on a plain ground." if strongest in BY_CONTENT else OTHERWISE
    if things > 1:
        why = f"{things} {PARTS.get(thing, 'separate things')} were found, and this model knows one {thing} at a time"
        advice = "Cut the picture to one of them."
    elif is_faceless:
        why, advice = "no face was found in it", "Help to find it, or try another picture."
    elif is_far:
        why, advice = "it lies far outside what this model knows, and its place was cut off at the edge", OTHERWISE
    return Verdict(Level.STRANGE, share, f"Probably no {thing}.", why, advice)


def _said(judge: Judge, measures: Float[Tensor, "1 f"], name: str, thing: str) -> str:
    """Half a sentence about one measure, with the share of known pictures that are beyond it."""
    column = MEASURES.index(name)
    value, knots = float(measures[0, column]), judge.knots[:, column]
    is_high = float(judge.normal_scores(measures)[0, column]) > 0
    beyond = float(((knots < value) if is_high else (knots > value)).float().mean())
    return f"{REASONS[name][is_high]} {min(99.9, 100 * beyond):.1f} % of real {thing}s"
