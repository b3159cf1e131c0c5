"""The chapter on KL divergence without a browser: what a link may say, and what the page tells its component."""

import math

import pytest
import torch

from tests.app.pages.test_pages import HOW_IT_WORKS, explorer, opened
from tests.served import entry
from tests.served import record as record_of
from vae.app.chapters.divergence import START, as_density
from vae.app.session import inputs
from vae.app.session.ids import Example


def told(name: str = "mnist", **query: str) -> dict:
    """What Python tells the component of the chapter."""
    return explorer(opened(name, HOW_IT_WORKS, chapter="kl", **query))


@pytest.mark.parametrize(
    "values",
    [None, "0,1", [], [0.0], [0.0, 1.0, 2.0], [0.0, 0.0], [0.0, -1.0], [9.0, 1.0], [math.nan, 1.0], ["0", "1"]],
)
def test_what_is_no_density_is_refused(values):
    assert as_density("p", values) is None


def test_a_link_shows_its_densities_and_a_broken_one_the_first():
    shown = told(p="0.5,0.25", q="-1,2,3,0.5")
    assert (shown["p"], shown["q"]) == ([0.5, 0.25], [-1, 2, 3, 0.5])
    shown = told(p="1,nan", q="<script>")
    assert {"p": shown["p"], "q": shown["q"]} == START


@pytest.mark.parametrize("name", ["mnist", "fashion-2d"])
def test_the_latents_are_the_strongest_and_their_sum_is_the_records_kl(name):
    shown = told(name, x="i7")
    record = record_of(name, inputs.find(entry(name), Example(7)).x)
    prior = torch.distributions.Normal(0.0, 1.0)
    kl = [
        float(torch.distributions.kl_divergence(torch.distributions.Normal(mu, sigma), prior))
        for _, mu, sigma in shown["latents"]
    ]
    assert kl == sorted(kl, reverse=True)
    every = record.kl_per_dimension.flatten().sort(descending=True).values
    assert kl == pytest.approx(every[: len(kl)].tolist(), rel=1e-3)
    assert shown["total"] == pytest.approx(float(every.sum()), rel=1e-4)
