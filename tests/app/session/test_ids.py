"""Ids of pictures: what links call them is read back as the same."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from vae.app.session.ids import DRAWING, UPLOAD, Example, Given, Own, Sample, parse
from vae.models.spaces import Pictures

NUMBERS = some.integers(0, 999_999)


@given(NUMBERS.map(Example) | NUMBERS.map(Sample) | some.sampled_from([UPLOAD, DRAWING]))
def test_an_id_is_read_back(picture):
    assert parse(str(picture)) == picture


@given(some.binary(min_size=98, max_size=98))
def test_bits_are_read_back_as_the_same_picture(content):
    x = torch.from_numpy(np.unpackbits(np.frombuffer(content, np.uint8)).astype(np.float32)).view(1, 1, 28, 28)
    picture = Given.of(x)
    assert parse(str(picture)) == picture
    assert torch.equal(picture.picture(Pictures()), x)


@given(some.binary(min_size=60, max_size=60))
def test_levels_are_read_back_as_the_same_picture(content):
    spec = Pictures(3, 4, 5, 256, "crop")
    x = torch.from_numpy(np.frombuffer(content, np.uint8) / np.float32(255)).view(1, *spec.shape)
    assert torch.equal(Given.of(x).picture(spec), x)


@given(some.text(max_size=30))
def test_any_other_text_is_no_picture_or_one_that_says_the_same(text):
    picture = parse(text)
    if picture is None:
        return
    assert parse(str(picture)) == picture
    if isinstance(picture, Given):
        picture.picture(Pictures())  # or None, and no error


@pytest.mark.parametrize("value", [None, 7, ["i7"], b"i7", "", "i", "i-1", "i1e3", "i12345678", "x7", "uploads"])
def test_what_is_no_id_is_none(value):
    assert parse(value) is None


def test_greys_are_no_picture_of_a_model_of_bits():
    grey = Given.of(torch.full((1, 1, 28, 28), 0.5))
    assert grey.pixels[0] == "g"
    assert grey.picture(Pictures()) is None
    assert grey.picture(Pictures(levels=256)) is not None


def test_the_visitors_own_is_nothing_that_others_could_name():
    assert {str(UPLOAD), str(DRAWING)} == {"upload", "drawing"}
    assert isinstance(parse("upload"), Own)
