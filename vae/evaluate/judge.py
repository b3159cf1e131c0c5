"""The judge of a model: a logistic regression of pictures that it knows against pictures of nothing that it knows."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from vae import data
from vae.evaluate.strangers import MORE, SHADE, Chance, beside, levels, strangers, ways
from vae.inference.familiar import Judge, Judges
from vae.inference.looks import BY_CONTENT, MEASURES, measured
from vae.inference.record import sketch
from vae.latent.encodings import Company
from vae.models import VAE, pretrained
from vae.models.spaces import Pictures
from vae.pictures import Content, ImageError, prepare

SEED, FITTED = 1998, 2000  # test pictures that a judge is fitted on, half of a small set; all others are held out
SELDOM = 10  # known pictures for each that a data set has too little of
EACH, EACH_OF_OWN = 150, 60  # pictures of each kind of stranger
FEWEST = 20  # held-out pictures of one's own that a judge can be made from
KNOTS = 257  # quantiles of each measure that are kept
DECAY = 0.001  # of half the squared weights, beside the mean loss
BATCH = 50  # pictures that are measured together


def split(dataset: str) -> tuple[Tensor, Tensor]:
    """Indices of the test pictures: those to fit with, and those held out. Of one's own set those that a model has not
    seen, and all others."""
    count, found = data.dataset_of(dataset).count("test"), data.dataset_of(dataset)
    if isinstance(found, data.Own):
        held = held_of(found)
        return torch.arange(held), torch.arange(held, count)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(SEED))
    fitted = min(FITTED, count // 2)
    return order[:fitted], order[fitted:]


def can_be_made(dataset: str) -> bool:
    """Whether enough was held out to say how strange the pictures are that a model knows."""
    found = data.dataset_of(dataset)
    return not isinstance(found, data.Own) or held_of(found) >= FEWEST


def held_of(own: data.Own) -> int:
    """How many of one's own pictures a judge is made from: those that nothing was trained on or chosen by, and where
    these are few those that the training was stopped by as well."""
    return own.tested if own.tested >= FEWEST else own.tested + own.validated


def company_of(folder: Path, rows: Tensor) -> Company:
    """Some encodings of the model in a folder."""
    encodings = pretrained.read_encodings(folder)
    pictures = data.test_set(_dataset(folder)).images
    return Company(encodings["mu"][rows], encodings["sigma"][rows], pictures[rows])


def _dataset(folder: Path) -> str:
    return pretrained.read_card(folder)["data"]["name"]


class Seen(NamedTuple):
    """Pictures as models read them, and what their preparation saw."""

    x: Float[Tensor, "n c h w"]
    contents: list[Content]


Group = Callable[[], Seen]


def seen(spec: Pictures, files: list[bytes]) -> Seen:
    """Those pictures that can be prepared: of the others a visitor is told why they cannot."""
    found, contents = [torch.zeros(0, *spec.shape)], []
    for file in files:
        try:
            prepared = prepare(file, spec)
        except ImageError:
            continue
        found.append(data.as_read(prepared.picture, spec))
        contents.append(prepared.content)
    return Seen(torch.cat(found), contents)


def measures_of(model: VAE, company: Company, pictures: Seen) -> Float[Tensor, "n f"]:
    """`MEASURES` of pictures."""
    x, contents = pictures
    starts = range(0, len(x), BATCH)
    parts = [
        measured(model, company, part, sketch(model, part), contents[start : start + BATCH])
        for start, part in zip(starts, x.split(BATCH), strict=len(x) > 0)
    ]
    return torch.cat(parts) if parts else torch.zeros(0, len(MEASURES))


def make(folder: Path) -> Judges:
    """The judges of the model in a folder, from the test sets and from chance; the same on every machine, but for
    rounding and where the optimiser stops, which moves a weight by some thousandths."""
    return make_of(folder, *pictures(_dataset(folder)))


def make_of(folder: Path, known: list[Seen], strange: list[Seen]) -> Judges:
    """The same of groups of `pictures`."""
    model = pretrained.load(folder / pretrained.WEIGHTS)
    company = company_of(folder, split(_dataset(folder))[1])
    measures = ([measures_of(model, company, group) for group in groups] for groups in (known, strange))
    return judges_of(*measures)


def pictures(dataset: str) -> tuple[list[Seen], list[Seen]]:
    """Groups of pictures that the models of a data set know, and of others."""
    known, strange = ([group() for group in groups] for groups in groups_of(dataset))
    return known, strange


def groups_of(dataset: str) -> tuple[list[Group], list[Group]]:
    """What makes each of them, each by a seed of its own."""
    spec, images = data.dataset_of(dataset).spec, levels(data.test_set(dataset).images)
    is_own = isinstance(data.dataset_of(dataset), data.Own)
    shade, drawn = SHADE.get(spec.preparation, 0.0), MORE.get(spec.preparation)

    def brought(way: Callable, rows: Tensor, chance: Chance) -> Seen:
        more = drawn(len(rows) // SELDOM, chance) if drawn else []
        return seen(spec, [way(picture, chance, shade) for picture in [*images[rows], *more]])

    def made(make: Callable[[Chance], bytes], chance: Chance) -> Seen:
        return seen(spec, [make(chance) for _ in range(EACH_OF_OWN if is_own else EACH)])

    rows, brings = {each: split(each)[0] for each in beside(dataset)}, ways(spec).values()
    # of a small set each picture is brought in every way, in the same order, so that `fit` keeps its halves apart
    shares = [rows[dataset]] * len(brings) if is_own else rows[dataset].chunk(len(brings))
    known = [partial(brought, way, some) for way, some in zip(brings, shares, strict=True)]
    makers = [*known, *(partial(made, make) for make in strangers(dataset, rows).values())]
    groups = [partial(make, np.random.default_rng([SEED, number])) for number, make in enumerate(makers)]
    return groups[: len(known)], groups[len(known) :]


def judges_of(known: list[Float[Tensor, "_ f"]], strange: list[Float[Tensor, "_ f"]]) -> Judges:
    """The judges of groups of pictures. That of prepared ones learns from their bits alone, too: what is lost in a
    preparation tells so much of the strangers made here that it would forget to look at anything else. Where a
    preparation sees nothing, both are one."""
    prepared = [group for group in known if not group[:, -len(BY_CONTENT) :].isnan().all()]
    bits_of_known, bits_of_strange = ([_of_bits(group) for group in groups] for groups in (known, strange))
    bare = fit(bits_of_known, bits_of_strange)
    if not prepared:
        return Judges(bare, bare)
    return Judges(fit(prepared, strange, [_of_bits(group) for group in prepared], bits_of_strange), bare)


def _of_bits(measures: Float[Tensor, "n f"]) -> Float[Tensor, "n f"]:
    """The same without what was seen in the preparation."""
    bare = measures.clone()
    bare[:, -len(BY_CONTENT) :] = torch.nan
    return bare


def fit(
    known: list[Float[Tensor, "_ f"]],
    strange: list[Float[Tensor, "_ f"]],
    more_known: Sequence[Float[Tensor, "_ f"]] = (),
    more_strange: Sequence[Float[Tensor, "_ f"]] = (),
) -> Judge:
    """The judge of these measures, in groups that count alike: weighed by one half of the known pictures; the other
    half of `known` says how strange known pictures are."""
    first, second = (torch.cat([group[start::2] for group in known]) for start in (0, 1))
    knots = first.nanquantile(torch.linspace(0, 1, KNOTS), dim=0).nan_to_num(0.0).contiguous()
    unweighed = Judge(knots, torch.zeros(2, knots.shape[1]), torch.zeros(1))
    sides = [[group[::2] for group in (*known, *more_known)], [*strange, *more_strange]]
    columns, is_strange, weights = [], [], []
    for number, groups in enumerate(sides):
        for group in groups:
            scores = unweighed.normal_scores(group)
            columns.append(torch.cat([scores, scores.square()], 1))
            is_strange.append(torch.full((len(group),), number))
            weights.append(torch.full((len(group),), 1 / len(groups) / len(group)))
    regression = LogisticRegression(C=1 / (2 * DECAY), max_iter=1000)  # the weights sum to 2
    regression.fit(*(torch.cat(parts).double().numpy() for parts in (columns, is_strange, weights)))
    judge = Judge(knots, torch.from_numpy(regression.coef_[0]).float().view(2, -1), torch.zeros(1))
    return Judge(knots, judge.weights, judge.parts(second).sum(1).sort().values)
