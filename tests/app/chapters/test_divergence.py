"""The chapter on KL divergence without a browser: what a link may say, and what the page tells its component."""

import math

import pytest
import torch

import vae
from tests.app.pages.test_pages import HOW_IT_WORKS, explorer, opened
from tests.served import entry
from tests.served import record as record_of
from vae import data
from vae.app.chapters.divergence import MODES, START, WIDER, as_density
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


@torch.inference_mode()
def test_the_posterior_with_two_modes_is_that_of_its_picture_by_quadrature():
    model, x = vae.load_pretrained(MODES.model, "cpu"), data.fixed_binarisation("mnist")[[MODES.picture]]
    step = 0.01
    z = torch.cartesian_prod(torch.arange(-1.2, -0.1, step), torch.arange(-1.3, 0.3, step))
    joint = torch.cat([model.decode(part).log_prob(x) + model.prior.log_prob(part) for part in z.split(2000)])
    evidence = float(vae.exact.log_evidence(model, x))
    assert float(joint.logsumexp(0)) + 2 * math.log(step) == pytest.approx(evidence, abs=0.02)  # nothing lies elsewhere
    share = joint.softmax(0)
    first = z[share.argmax()]
    second = z[(share * ((z - first).norm(dim=1) > 0.5)).argmax()]
    along = (second - first) / (second - first).norm()
    at = (z - (first + second) / 2) @ along
    found, masses = [], []
    for side in (at < 0, at >= 0):
        weight = share * side
        masses.append(float(weight.sum()))
        mean = float((weight * at).sum() / weight.sum())
        found += [mean, float((weight * (at - mean).square()).sum() / weight.sum()) ** 0.5]
    assert masses == pytest.approx(MODES.masses, abs=0.01)
    assert found == pytest.approx(MODES.p, abs=0.01)
    q = model.encode(x)
    here = [float((q.mean[0] - (first + second) / 2) @ along), float((along * q.stddev[0]).norm())]
    assert here == pytest.approx(MODES.q, abs=0.01)
    assert abs(here[0] - found[2]) > 10 * here[1]  # q knows nothing of the other mode


def test_the_posterior_with_two_modes_fits_the_handles():
    modes = told()["modes"]
    assert as_density("p", modes["p"]) == [pytest.approx(WIDER * value, abs=0.006) for value in MODES.p]
    assert as_density("q", modes["q"]) == [pytest.approx(WIDER * value, abs=0.006) for value in MODES.q]
