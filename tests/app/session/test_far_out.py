"""Pictures like none that a model was trained on: q stays where latents can be used, and every page is a page."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import vae
from tests.app.pages.test_pages import (
    EVERY_MODEL,
    HOW_IT_WORKS,
    INTERPOLATE,
    NAMES,
    RECONSTRUCT,
    model,
    opened,
    position,
)
from vae.app.chapters import CHAPTERS
from vae.app.session import inputs
from vae.app.session.ids import UPLOAD
from vae.inference.record import frame, sketch
from vae.latent.places import places
from vae.models import FARTHEST, VAE, WIDEST, build, pretrained
from vae.models.spaces import Pictures

MAP = "vae/app/pages/latent_map.py"
ROWS, COLUMNS = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
RADIUS = (ROWS - 13.5).hypot(COLUMNS - 13.5)
STRANGE = {
    "blank": torch.zeros(28, 28),
    "full": torch.ones(28, 28),
    "a bit": (ROWS + COLUMNS == 0).float(),
    "ring": ((RADIUS - 11).abs() < 0.8).float(),
    "border": (torch.maximum((ROWS - 13.5).abs(), (COLUMNS - 13.5).abs()) > 13).float(),
    "checkers": (ROWS + COLUMNS) % 2,
}
EVERY_STRANGE = pytest.mark.parametrize("x", [x.view(1, 1, 28, 28) for x in STRANGE.values()], ids=STRANGE)


def address(x: torch.Tensor) -> str:
    """What a link says of the bits."""
    return inputs.address(inputs.Input(UPLOAD, "", x, x))


def assert_within_reach(mu: torch.Tensor, sigma: torch.Tensor) -> None:
    assert mu.abs().max() <= FARTHEST
    assert sigma.min() > 0
    assert sigma.max() <= WIDEST


@EVERY_MODEL
@given(bits=st.binary(min_size=98, max_size=98), seed=st.integers(0, 2**31))
@settings(max_examples=8, deadline=None)
def test_any_bits_are_encoded_within_reach_and_every_number_about_them_is_finite(name, bits, seed):
    x = torch.from_numpy(np.unpackbits(np.frombuffer(bits, np.uint8)).astype(np.float32)).view(1, 1, 28, 28)
    loaded, grid = model(name)
    seen = sketch(loaded, x, seed)
    assert_within_reach(seen.mu, seen.sigma)
    for record in (seen, places(loaded, seen.mu, x, seed)):
        assert all(field.isfinite().all() for field in record)
    found = frame(loaded, x, seed, grid)
    assert math.isfinite(found.elbo)
    assert math.isfinite(found.iwae)


@EVERY_MODEL
@EVERY_STRANGE
def test_strange_pictures_are_encoded_within_reach(name, x):
    seen = sketch(model(name)[0], x)
    assert_within_reach(seen.mu, seen.sigma)
    assert all(field.isfinite().all() for field in seen)


@EVERY_MODEL
def test_no_test_picture_is_encoded_anywhere_near_the_edge_of_what_is_reached(name):
    mu, sigma = pretrained.load_encodings(name)
    assert mu.abs().max() < 0.6 * FARTHEST
    assert sigma.max() < 0.6 * WIDEST


@EVERY_STRANGE
@pytest.mark.parametrize("name", [n for n in pretrained.list_pretrained(chapters=True) if n.endswith("conditional")])
def test_a_conditional_model_keeps_within_reach_too(name, x):
    q = vae.load_pretrained(name).given(torch.tensor([3])).encode(x)
    assert_within_reach(q.mean, q.stddev)


@pytest.mark.parametrize("network", ["dense", "conv"])
def test_a_bounded_encoder_bends_where_an_unbounded_one_is_cut_and_both_agree_near_the_middle(network):
    bounded = build(VAE.Config(Pictures(), 3, network, width=16, channels=(4, 8), bounded=True))
    bounded.encoder[-1].bias.data = torch.tensor([1e4, -1e4, 0.1, 50.0, -50.0, -2.0])
    bounded.encoder[-1].weight.data.zero_()
    x = torch.zeros(1, 1, 28, 28)
    q = bounded.encode(x)
    assert_within_reach(q.mean, q.stddev)
    assert q.mean[0].tolist() == pytest.approx([FARTHEST, -FARTHEST, 0.1], abs=1e-5)
    assert q.stddev[0].tolist() == pytest.approx([WIDEST, math.exp(-9), math.exp(-2)], rel=0.05)
    assert bounded.train().encode(x).mean.tolist() == q.mean.tolist()  # in training too, with a gradient


def test_the_gradient_of_a_bounded_encoder_leads_back_from_far_out():
    bounded = build(VAE.Config(Pictures(), 1, width=16, bounded=True)).train()
    last = bounded.encoder[-1]
    last.bias.data = torch.tensor([30.0, 4.0])
    last.weight.data.zero_()
    x = torch.zeros(1, 1, 28, 28)
    torch.distributions.kl_divergence(bounded.encode(x), bounded.prior).sum().backward()
    assert (last.bias.grad > 0).all()


@EVERY_MODEL
@pytest.mark.parametrize("x", [STRANGE[x].view(1, 1, 28, 28) for x in ("blank", "full")], ids=["blank", "full"])
def test_explore_opens_at_what_the_model_makes_of_a_strange_picture(name, x):
    app = opened(name, x=address(x))
    assert position(app, name) == pytest.approx(sketch(model(name)[0], x).mu[0].tolist(), abs=1e-3)


@EVERY_MODEL
@pytest.mark.parametrize("page", [MAP, RECONSTRUCT, INTERPOLATE])
def test_every_page_opens_with_a_strange_picture(name, page):
    opened(name, page, x=address(STRANGE["blank"].view(1, 1, 28, 28)))


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_chapter_opens_with_a_strange_picture(chapter):
    opened("mnist", HOW_IT_WORKS, chapter=chapter, x=address(STRANGE["blank"].view(1, 1, 28, 28)))


@pytest.mark.parametrize("x", ["border", "checkers"])
def test_a_page_says_that_a_picture_lies_far_outside_where_it_does(x):
    for name in NAMES:
        bits = STRANGE[x].view(1, 1, 28, 28)
        seen = sketch(model(name)[0], bits)
        far = bool((seen.mu.abs() >= FARTHEST).any() or (seen.sigma >= WIDEST).any())
        app = opened(name, RECONSTRUCT, x=address(bits))
        assert any("far outside what this model knows" in one.value.lower() for one in app.warning) == far
