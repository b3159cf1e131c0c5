"""Digits of 28 x 28 pixels: those of the data set are left as they are, those that people draw are prepared."""

import pytest
import torch
from PIL import Image

import vae
from tests.pictures.small_digits import everything, saved
from vae import data
from vae.inference.record import sketch
from vae.latent.encodings import Company, near
from vae.models import pretrained
from vae.pictures import prepare

DIGITS = everything()


def read_as(name: str, pictures: list[torch.Tensor]) -> torch.Tensor:
    """The class of most of the five nearest encodings of the test set."""
    test = data.load("mnist", "test")
    x = torch.cat(pictures).gt(0.5).float()
    mu = torch.cat([sketch(vae.load_pretrained(name), part).mu for part in x.split(35)])
    company = Company(*pretrained.load_encodings(name), test.images)
    return test.labels[near(company, mu).indices[:, :5]].mode(1).values


@pytest.mark.parametrize(("name", "least"), [("mnist", 0.9), ("mnist-2d", 0.78)])
def test_small_drawings_are_read_as_well_as_the_same_drawings_ten_times_as_large(name, least):
    spec = vae.load_pretrained(name).input_spec
    labels = torch.tensor([digit for digit, _ in DIGITS])
    small, large = (
        read_as(name, [prepare(saved(image, times), spec).picture for _, image in DIGITS]).eq(labels).double().mean()
        for times in (1, 10)
    )
    assert small >= least
    assert small >= large - 0.04


@pytest.mark.parametrize("inverted", [False, True])
def test_the_data_sets_own_digits_pass_unchanged_dark_on_light_too(inverted, digits):
    spec = vae.load_pretrained("mnist").input_spec
    for picture in digits:
        image = Image.fromarray((255 - picture if inverted else picture)[0].numpy())
        assert torch.equal(prepare(saved(image), spec).picture, data.grey(picture[None]))


def test_of_140_small_drawings_hardly_one_lies_as_the_data_sets_do_by_chance():
    spec = vae.load_pretrained("mnist").input_spec
    left = [all("Not needed" in s.text for s in prepare(saved(i), spec).steps[-4:]) for _, i in DIGITS]
    assert sum(left) <= 3
