"""Chapter 7: beta, and the rate-distortion curve of a ladder of models."""

import streamlit as st
import torch
from torch import Tensor

from vae import data
from vae.app import look
from vae.app.chapters.lecture import Question
from vae.app.components import rate_distortion as component
from vae.app.look.keys import KEYS
from vae.app.session import inputs, kept, link, picker
from vae.evaluate.decomposition import Decomposition, decompose
from vae.inference.comparison import Passed, passed
from vae.serve.engine import engine
from vae.serve.entry import Entry
from vae.serve.library import library
from vae.train.recipes import BETAS

TITLE, WORD = "Beta and the rate-distortion curve", "Beta"
DATASET, LATENTS, EXAMPLE = "fashion-mnist", (2, 16), 0  # the picture where the current one is none of these clothes

QUESTION = Question(
    "Each nat of KL is made ten times as dear, β = 10. What becomes of the picture?",
    ("It gets sharper", "It gets blurred", "It stays as it is"),
    1,
    "Choose β = 10 on the curve.",
    "[data-testid=curve]",
    "At that price z tells little, so that many pictures have to share one answer, and their mean is blurred.",
)
SUMMARY = (
    "β sets the price of a nat: cheap nats give sharp pictures, dear ones a simple code.",
    "A latent that is worth less than it costs collapses to the prior and tells nothing.",
)
COLLAPSE = (
    "**Posterior collapse.** A latent collapses where q(z|x) is the prior for every picture: its KL is 0, and it tells "
    "nothing. The causes: its nats cost more than they save, as at β = 10. Or the decoder is so strong that it can do "
    "without z. Or early in training, when z still helps little, the KL drives it out."
)
CURES = (
    "**Cures.** *Warm-up*: β rises from 0, so that z is in use before it costs. *Free bits*: the first few nats of "
    "each latent cost nothing, so there is no gain in telling less. The dashed line at the KL bars is such a floor. "
    "*A weaker decoder*, which cannot do without z. "
    "Chapter 5 shows 32 latents with and without warm-up."
)
BIAS = (
    "**Total correlation comes out too high.** It needs q(z) itself: the q(z|x) of all pictures there are, together. "
    "From N pictures the mutual information cannot exceed log N. What is lacking there is counted as total "
    "correlation, or as distance of single latents from N(0, 1), because the sum stays the same. "
    "The chosen model, measured with more and more pictures of the test set:"
)


def rung(latents: int, beta: float) -> str:
    """The name of a model of the ladder; 0 stands for the autoencoder."""
    return f"fashion-{latents}d-beta-{beta:g}" if beta else f"fashion-{latents}d-beta-ae"


RUNGS = {rung(latents, beta): (latents, beta) for latents in LATENTS for beta in BETAS}
FREE = 0.5  # nats of each latent, the floor that is drawn; none of the models was trained with one
FEW, DRAWS = (100, 1000), 200  # pictures in the mixture, and draws of each estimate


def show(entry: Entry) -> dict[str, str] | None:
    """The curve, and one picture through the chosen model."""
    if picker.lacks(*RUNGS):
        return None
    look.say(
        "The KL is the rate: the nats that z says about x. What is left unsaid is the distortion, −E log p(x|z). "
        "Training minimises distortion + β · rate, and each point is one model, measured on the whole test set. "
        "Choose a point: the same picture goes through that model with the same ε."
    )
    identity, word, x = picture(entry)
    points, pictures = through(x)
    mount = {
        "points": points,
        "pictures": pictures,
        "given": look.as_text(look.as_levels(x[0])),
        "name": word,
        "shape": list(x.shape[1:]),
        "rev": f"{identity} {link.turn()}",
        "see": link.seen("beta"),
        "free": FREE,
    }
    component(key="rate-distortion", data=mount, on_see_change=lambda: link.see("beta", "rate-distortion"))
    look.say(COLLAPSE)
    look.say(CURES)
    look.say(BIAS)
    st.html(table(entry, by_size(entry)))
    return link.said("beta")


@st.cache_resource(show_spinner=False, max_entries=32, hash_funcs=KEYS)
def through(x: Tensor) -> tuple[list[dict], str]:
    """The points, and the picture as each of their models gives it back: once for all who look at the same one."""
    eps = {latents: noise(latents) for latents in LATENTS}
    models = {key: library().lease(library().find(key)).model for key in RUNGS}
    found = engine().compute(all_passed, [(models[key], x, eps[latents]) for key, (latents, _) in RUNGS.items()])
    points = [point(key, *RUNGS[key], result) for key, result in zip(RUNGS, found, strict=True)]
    return points, look.as_text(look.as_levels(torch.stack([result.mean for result in found])))


@kept.of_model
def by_size(entry: Entry) -> list[Decomposition]:
    """The parts of the chosen model's average KL, from ever larger parts of the test set; the card's from all."""
    mu, sigma = kept.encodings(entry)
    order = torch.randperm(len(mu), generator=torch.Generator().manual_seed(0))
    parts = [order[:size] for size in FEW]
    found = [engine().compute(split, mu[rows].float(), sigma[rows].float()) for rows in parts]
    said = entry.numbers.get("decomposition")
    return [*found, Decomposition(**said) if said else engine().compute(split, mu.float(), sigma.float())]


def split(mu: Tensor, sigma: Tensor) -> Decomposition:
    """The decomposition by DRAWS draws, always the same."""
    return decompose(mu, sigma, torch.Generator().manual_seed(0), DRAWS)


def table(entry: Entry, found: list[Decomposition]) -> str:
    """A row for each number of pictures."""
    head = "".join(
        f'<th scope="col">{word}</th>'
        for word in ("pictures N", "log N", "mutual information", "total correlation", "single latents", "sum")
    )
    rows = "".join(
        f'<tr><th scope="row">{size:,}</th><td>{one.bound:.2f}</td><td>{one.mutual_information:.2f}</td>'
        f"<td>{one.total_correlation:.2f} ± {one.total_correlation_error:.2f}</td><td>{one.dimension_wise_kl:.2f}</td>"
        f"<td>{one.total:.2f}</td></tr>"
        for size, one in zip((*FEW, entry.examples), found, strict=True)
    )
    return (
        '<table class="alike" data-testid="bias"><caption>Parts of the average KL, nats</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def picture(entry: Entry) -> tuple[str, str, Tensor]:
    """Id, name and x: the current picture where the current model reads clothes, else one from the test set."""
    if entry.dataset.name == DATASET:
        given = inputs.current(entry)
        return inputs.identity(given), given.name, given.x
    _, labels, bits = kept.test_set(DATASET)
    word = f"test picture {EXAMPLE}: {data.DATASETS[DATASET].class_names[labels[EXAMPLE]]}"
    return f"i{EXAMPLE}", word, bits[EXAMPLE : EXAMPLE + 1].float()


def noise(latents: int) -> Tensor:
    """eps, the same for every model of as many latents."""
    return torch.randn(1, latents, generator=torch.Generator().manual_seed(0))


def all_passed(jobs: list[tuple]) -> list[Passed]:
    """One picture through each model, in one go."""
    return [passed(*job) for job in jobs]


def point(key: str, latents: int, beta: float, result: Passed) -> dict:
    """A model of the ladder: what its card says, and what it makes of this picture; nats."""
    numbers = library().find(key).numbers
    place = {
        "latents": latents,
        "beta": beta,
        "label": f"β = {beta:g}" if beta else "autoencoder",
        "distortion": numbers["reconstruction"]["value"],
        "log_likelihood": result.log_likelihood,
    }
    if not beta:
        return place
    return place | {
        "rate": numbers["kl"]["value"],
        "active": numbers["active_units"],
        "dimensions": sorted(numbers["kl_per_dimension"], reverse=True),
        "parts": numbers["decomposition"],
        "kl": float(result.kl_per_dimension.sum()),
    }
