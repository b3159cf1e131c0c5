import pytest
import torch

from vae import data
from vae.data import warp as warping
from vae.data.warp import warp


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def spots(count: int, row: int, column: int) -> torch.Tensor:
    x = torch.zeros(count, 1, 28, 28)
    x[:, :, row : row + 2, column : column + 2] = 1.0
    return x


def centres(x: torch.Tensor) -> torch.Tensor:
    """The centres of mass (row, column), in pixels."""
    rows = torch.arange(28.0)
    mass = x.sum((1, 2, 3))
    return torch.stack([(x.sum((1, 3)) @ rows) / mass, (x.sum((1, 2)) @ rows) / mass], 1)


def test_without_any_spread_a_picture_stays_as_it_is(monkeypatch):
    for name in ("TURN", "SCALE", "SHEAR", "SHIFT", "BEND"):
        monkeypatch.setattr(warping, name, 0.0)
    x = torch.rand(8, 1, 28, 28, generator=generator())
    torch.testing.assert_close(warp(x, generator()), x, atol=1e-5, rtol=0)


def test_the_same_generator_gives_the_same_pictures_and_each_row_its_own():
    x = data.grey(data.load("mnist", "test").images[:1]).expand(2, -1, -1, -1)
    first, second = warp(x, generator(3))
    assert torch.equal(warp(x, generator(3)), torch.stack([first, second]))
    assert not torch.equal(first, second)


def test_pictures_stay_pictures():
    x = warp(data.grey(data.load("fashion-mnist", "test").images[:64]), generator())
    assert x.min() >= 0
    assert x.max() <= 1
    assert torch.isfinite(x).all()


@pytest.mark.parametrize(
    ("name", "spread", "expected"),
    # A spot 10 rows above the middle: turning moves it sideways by 10 x TURN pixels, SHIFT by 14 x SHIFT both ways.
    [("TURN", 0.07, (0.0, 0.7)), ("SHIFT", 0.02, (0.28, 0.28)), ("SHEAR", 0.05, (0.0, 0.5)), ("SCALE", 0.03, (0.3, 0))],
)
def test_each_deformation_moves_a_spot_as_far_as_its_definition_says(monkeypatch, name, spread, expected):
    for other in ("TURN", "SCALE", "SHEAR", "SHIFT", "BEND"):
        monkeypatch.setattr(warping, other, spread if other == name else 0.0)
    moved = centres(warp(spots(4000, 3, 13), generator())) - torch.tensor([3.5, 13.5])
    found = moved.std(0)
    for axis, distance in enumerate(expected):
        assert abs(float(found[axis]) - distance) < 0.06 + 0.05 * distance, f"axis {axis}: {found}"


def test_beyond_the_edges_a_coloured_picture_is_as_in_a_mirror_and_a_grey_one_black():
    colour = torch.tensor([0.9, 0.5, 0.2]).view(1, 3, 1, 1).expand(16, 3, 32, 32)
    torch.testing.assert_close(warp(colour, generator()), colour.clone())
    assert warp(torch.ones(16, 1, 28, 28), generator()).amin() < 0.1
