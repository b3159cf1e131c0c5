"""Holes among pictures that are placed by hand, and distances against torch.cdist."""

import pytest
import torch

from vae import data
from vae.holes import decoded_from_prior, holes, nearest_pictures, spaced
from vae.models import ModelConfig, build


def line(places: list[float]) -> torch.Tensor:
    """Pictures of one pixel."""
    return torch.tensor(places).view(-1, 1, 1, 1)


def random_pictures(n: int, seed: int) -> torch.Tensor:
    return torch.rand(n, 1, 28, 28, generator=torch.Generator().manual_seed(seed))


def test_distances_and_indices_are_those_of_every_pair_compared_one_by_one():
    a, b = random_pictures(70, 0), random_pictures(1300, 1)
    expected = torch.cdist(a.flatten(1).double(), b.flatten(1).double()).min(1)
    distances, indices = nearest_pictures(a, b)
    assert torch.equal(indices, expected.indices)
    assert torch.allclose(distances.double(), expected.values, atol=1e-4)


def test_a_pictures_spacing_is_to_another_picture_even_across_chunks_and_for_twins():
    pictures = random_pictures(1100, 2)
    pictures[1050] = pictures[3]
    pairs = torch.cdist(pictures.flatten(1).double(), pictures.flatten(1).double()).fill_diagonal_(torch.inf)
    assert torch.allclose(spaced(pictures).double(), pairs.amin(1), atol=2e-2)
    assert float(spaced(pictures)[3]) < 2e-2


def test_the_fraction_counts_samples_beyond_the_95_percent_of_the_pictures_own_distances():
    pictures = line([0.1 * i for i in range(100)] + [11.0])  # spaced 0.1, the last one 1.1 from its neighbour
    found = holes(line([0.05, 5.01, 9.94, 10.2, 30.0]), pictures)
    assert found.threshold == pytest.approx(0.1, abs=1e-3)
    assert found.fraction == pytest.approx(2 / 5)
    assert found.error == pytest.approx((0.4 * 0.6 / 5) ** 0.5)
    assert found.distance == pytest.approx((0.05 + 0.01 + 0.04 + 0.3 + 19.0) / 5, abs=2e-3)
    assert found.missed == pytest.approx(96 / 101)  # only 0.0, 0.1, 5.0, 5.1 and 9.9 are within 0.1
    assert found.picture_distance == pytest.approx((100 * 0.1 + 1.1) / 101, abs=1e-3)


def test_pictures_themselves_have_no_holes_and_a_known_spacing_changes_nothing():
    pictures = random_pictures(200, 4)
    assert holes(pictures[:50], pictures).fraction == 0
    assert holes(pictures[:50] + 1, pictures).fraction == 1
    assert holes(pictures[:9] / 2, pictures, spaced(pictures)) == holes(pictures[:9] / 2, pictures)


def test_samples_of_the_prior_are_the_means_at_standard_normal_places_of_the_generator():
    config = ModelConfig(data.DATASETS["mnist"].spec, 3, width=16)
    model = build(config, torch.Generator().manual_seed(0)).eval()
    pictures = decoded_from_prior(model, 1200, torch.Generator().manual_seed(5))
    z = torch.randn(1200, 3, generator=torch.Generator().manual_seed(5))
    assert torch.allclose(pictures, model.decode(z).mean.detach(), atol=1e-6)
    assert len(pictures.unique(dim=0)) == 1200
