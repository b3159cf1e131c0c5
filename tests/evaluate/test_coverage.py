"""What samples leave out, among pictures placed by hand and against planted sets; distances against torch.cdist."""

import pytest
import torch
import torch.nn.functional as F

from tests.registry import BITS, CLASSED
from vae import data
from vae.evaluate.coverage import PICTURES, coverage, drawn_from_prior, missed, nearest_pictures, spaced
from vae.models import VAE, build, pretrained
from vae.models.spaces import Pictures


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def line(places: list[float]) -> torch.Tensor:
    """Pictures of one pixel."""
    return torch.tensor(places).view(-1, 1, 1, 1)


def random_pictures(n: int, seed: int) -> torch.Tensor:
    return torch.rand(n, 1, 28, 28, generator=seeded(seed))


def test_distances_and_indices_are_those_of_every_pair_compared_one_by_one():
    a, b = random_pictures(70, 0), random_pictures(1300, 1)
    expected = torch.cdist(a.flatten(1).double(), b.flatten(1).double()).min(1)
    distances, indices = nearest_pictures(a, b)
    assert torch.equal(indices, expected.indices)
    assert torch.allclose(distances.double(), expected.values, atol=1e-4)


@pytest.mark.parametrize("neighbours", [1, 5])
def test_a_pictures_spacing_is_to_another_picture_even_across_chunks_and_for_twins(neighbours):
    pictures = random_pictures(1100, 2)
    pictures[1050] = pictures[3]
    pairs = torch.cdist(pictures.flatten(1).double(), pictures.flatten(1).double()).fill_diagonal_(torch.inf)
    expected = pairs.sort(1).values[:, neighbours - 1]
    assert torch.allclose(spaced(pictures, neighbours).double(), expected, atol=2e-2)
    assert float(spaced(pictures)[3]) < 2e-2


def test_a_picture_is_missed_where_no_sample_is_as_near_as_its_second_neighbour():
    pictures = line([0.0, 1.0, 3.0, 10.0])  # their second neighbours are 3, 2, 3 and 9 away
    samples = line([-2.9, 3.5, 18.0])
    assert missed(samples, pictures, 2).tolist() == [False, True, False, False]
    assert missed(line([19.5]), pictures, 2).tolist() == [True, True, True, True]


def blurred(x: torch.Tensor, width: float) -> torch.Tensor:
    steps = torch.arange(-5, 6)
    kernel = torch.exp(-(steps**2) / (2 * width**2))
    kernel = kernel / kernel.sum()
    across = F.conv2d(x, kernel.view(1, 1, 1, -1), padding=(0, 5))
    return F.conv2d(across, kernel.view(1, 1, -1, 1), padding=(5, 0))


@pytest.mark.parametrize("name", CLASSED)
def test_pictures_win_over_blurred_empty_and_mean_ones_and_over_noise(name):
    """Sets that an earlier measure preferred to real pictures: no point of them is far from all pictures."""
    x, grey = data.fixed_binarisation(name), data.grey(data.load(name, "test").images)
    planted = {
        "blurred a little": blurred(grey, 0.7),
        "blurred": blurred(grey, 1.5),
        "the mean": grey.mean(0, keepdim=True).expand(PICTURES, -1, -1, -1),
        "empty": torch.zeros(PICTURES, 1, 28, 28),
        "noise": torch.full((PICTURES, 1, 28, 28), 0.5),
    }
    some = torch.randperm(len(x), generator=seeded(1))[:PICTURES]
    found = {
        kind: coverage(torch.bernoulli(set_[some % len(set_)], generator=seeded(2)), x, seeded(3))
        for kind, set_ in planted.items()
    }
    real = {one.missed_by_pictures for one in found.values()}
    assert len(real) == 1
    assert max(real) < 0.04
    order = [one.missed for one in found.values()]
    assert order[0] > 0.2  # real pictures, hardly blurred, are ten times as bad
    assert all(missed > 0.6 for missed in order[1:])
    assert order[-1] == 1


def test_a_sample_of_the_same_pictures_is_as_good_as_pictures():
    x = data.fixed_binarisation("mnist")
    some = torch.randperm(len(x), generator=seeded(9))[:PICTURES]
    found = coverage(x[some], x, seeded(3))
    assert found.missed < found.missed_by_pictures  # a fifth of them are the pictures themselves
    assert found.error == pytest.approx((found.missed * (1 - found.missed) / PICTURES) ** 0.5)


@pytest.mark.parametrize("name", BITS)  # which have such a twin
def test_a_vae_leaves_out_less_than_the_autoencoder_of_the_same_network(name):
    numbers = [pretrained.load_card(key)["numbers"]["coverage"] for key in (name, f"{name}-ae")]
    difference = numbers[1]["missed"] - numbers[0]["missed"]
    assert difference > 3 * (numbers[0]["error"] ** 2 + numbers[1]["error"] ** 2) ** 0.5
    assert all(one["missed"] > one["missed_by_pictures"] for one in numbers)


@pytest.mark.parametrize("spec", [Pictures(), Pictures(channels=3, height=6, width=5, levels=256)])
def test_samples_are_drawn_of_the_decoder_at_standard_normal_places(spec):
    model = build(VAE.Config(spec, 3, width=16), seeded()).eval()
    pictures = drawn_from_prior(model, 1200, seeded(5))
    assert pictures.shape == (1200, *spec.shape)
    assert torch.equal((pictures * (spec.levels - 1)).round() / (spec.levels - 1), pictures)
    with torch.inference_mode():
        means = torch.cat([model.decode(torch.randn(1200, 3, generator=seeded(s))).mean for s in range(9)])
    torch.testing.assert_close(pictures.mean(), means.mean(), atol=0.02, rtol=0)
    assert len(pictures.unique(dim=0)) == 1200
