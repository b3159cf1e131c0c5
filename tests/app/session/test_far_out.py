"""Pictures like none that a model was trained on: q stays where latents can be used, and every page is a page."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import vae
from tests.app.pages.test_pages import (
    COLOURS,
    EVERY_MODEL,
    HOW_IT_WORKS,
    INTERPOLATE,
    NAMES,
    RECONSTRUCT,
    model,
    opened,
    position,
)
from tests.registry import BITS
from vae.app.chapters import CHAPTERS
from vae.app.session import inputs
from vae.app.session.ids import UPLOAD
from vae.inference.record import frame, sketch
from vae.latent.places import places
from vae.models import FARTHEST, VAE, WIDEST, build, pretrained
from vae.models.spaces import Pictures

MAP = "vae/app/pages/latent_map.py"
# By the distances from the top, the left and the middle, in pixels of 28 on a side.
STRANGE = {
    "blank": lambda top, left, side: torch.zeros_like(top),
    "full": lambda top, left, side: torch.ones_like(top),
    "a bit": lambda top, left, side: (top + left == 0).float(),
    "ring": lambda top, left, side: (
        ((top - side / 2 + 0.5).hypot(left - side / 2 + 0.5) - 11 * side / 28).abs() < 0.8 * side / 28
    ).float(),
    "border": lambda top, left, side: (
        torch.maximum((top - side / 2 + 0.5).abs(), (left - side / 2 + 0.5).abs()) > side / 2 - 1
    ).float(),
    "checkers": lambda top, left, side: (top + left) % 2,
}
EVERY_STRANGE = pytest.mark.parametrize("strange", STRANGE)


def drawn(strange: str, name: str = "mnist") -> torch.Tensor:
    """A strange picture as a model reads pictures, in black and white."""
    channels, side, _ = pretrained.load_pretrained(name).input_spec.shape
    top, left = torch.meshgrid(torch.arange(float(side)), torch.arange(float(side)), indexing="ij")
    return STRANGE[strange](top, left, side).expand(1, channels, side, side).clone()


def address(x: torch.Tensor) -> str:
    """What a link says of the bits."""
    return inputs.address(inputs.Input(UPLOAD, "", x, x))


def assert_within_reach(mu: torch.Tensor, sigma: torch.Tensor) -> None:
    assert mu.abs().max() <= FARTHEST
    assert sigma.min() > 0
    assert sigma.max() <= WIDEST


@pytest.mark.parametrize("name", BITS)
@given(bits=st.binary(min_size=98, max_size=98), seed=st.integers(0, 2**31))
@settings(max_examples=8, deadline=None)
def test_any_bits_are_encoded_within_reach_and_every_number_about_them_is_finite(name, bits, seed):
    x = torch.from_numpy(np.unpackbits(np.frombuffer(bits, np.uint8)).astype(np.float32)).view(1, 1, 28, 28)
    assert_finite(name, x, seed)


@pytest.mark.parametrize("name", COLOURS)
@given(levels=st.binary(min_size=1, max_size=999), seed=st.integers(0, 2**31))
@settings(max_examples=3, deadline=None)
def test_any_colours_are_encoded_within_reach_and_every_number_about_them_is_finite(name, levels, seed):
    spec = model(name)[0].input_spec
    tiled = np.resize(np.frombuffer(levels, np.uint8), spec.shape)
    assert_finite(name, torch.from_numpy(tiled / np.float32(255))[None], seed)


def assert_finite(name: str, x: torch.Tensor, seed: int) -> None:
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
def test_strange_pictures_are_encoded_within_reach(name, strange):
    seen = sketch(model(name)[0], drawn(strange, name))
    assert_within_reach(seen.mu, seen.sigma)
    assert all(field.isfinite().all() for field in seen)


@EVERY_MODEL
def test_no_test_picture_is_encoded_anywhere_near_the_edge_of_what_is_reached(name):
    mu, sigma = pretrained.load_encodings(name)
    assert mu.abs().max() < (0.6 if name in BITS else 0.75) * FARTHEST  # principal components have longer tails
    assert sigma.max() < 0.6 * WIDEST


@EVERY_STRANGE
@pytest.mark.parametrize("name", [n for n in pretrained.list_pretrained(chapters=True) if n.endswith("conditional")])
def test_a_conditional_model_keeps_within_reach_too(name, strange):
    q = vae.load_pretrained(name).given(torch.tensor([3])).encode(drawn(strange))
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
@pytest.mark.parametrize("strange", ["blank", "full"])
def test_explore_opens_at_what_the_model_makes_of_a_strange_picture(name, strange):
    x = drawn(strange, name)
    app = opened(name, x=address(x))
    assert position(app, name) == pytest.approx(sketch(model(name)[0], x).mu[0].tolist(), abs=1e-3)


@EVERY_MODEL
@pytest.mark.parametrize("page", [MAP, RECONSTRUCT, INTERPOLATE])
def test_every_page_opens_with_a_strange_picture(name, page):
    opened(name, page, x=address(drawn("blank", name)))


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_chapter_opens_with_a_strange_picture(chapter):
    opened("mnist", HOW_IT_WORKS, chapter=chapter, x=address(drawn("blank")))


@pytest.mark.parametrize("strange", ["border", "checkers"])
def test_a_page_says_that_a_picture_lies_far_outside_where_it_does(strange):
    for name in NAMES:
        x = drawn(strange, name)
        seen = sketch(model(name)[0], x)
        far = bool((seen.mu.abs() >= FARTHEST).any() or (seen.sigma >= WIDEST).any())
        app = opened(name, RECONSTRUCT, x=address(x))
        assert any("far outside what this model knows" in one.value.lower() for one in app.warning) == far
