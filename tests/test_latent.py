"""Paths in the latent space: exact ends, constant steps, and what happens where there is no arc."""

import math

import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from vae.latent import lerp, slerp

PATHS = pytest.mark.parametrize("path", [lerp, slerp])
coordinate = st.floats(-10, 10, width=32)
pairs = st.integers(1, 6).flatmap(
    lambda d: st.tuples(st.lists(coordinate, min_size=d, max_size=d), st.lists(coordinate, min_size=d, max_size=d))
)
EXAMPLES = settings(max_examples=50, deadline=None)


def angle(a: Tensor, b: Tensor) -> Tensor:
    """Between vectors, radians, by Kahan's formula, which is accurate at every angle."""
    a, b = a / a.norm(dim=-1, keepdim=True), b / b.norm(dim=-1, keepdim=True)
    return 2 * torch.atan2((a - b).norm(dim=-1), (a + b).norm(dim=-1))


@PATHS
@EXAMPLES
@given(pair=pairs, steps=st.integers(2, 20))
def test_a_path_has_its_steps_and_its_ends_are_the_end_points_bit_for_bit(path, pair, steps):
    a, b = map(torch.tensor, pair)
    z = path(a, b, steps)
    assert z.shape == (steps, len(a))
    assert torch.equal(z[0], a)
    assert torch.equal(z[-1], b)
    assert z.isfinite().all()


@EXAMPLES
@given(pair=pairs, steps=st.integers(2, 20))
def test_a_straight_path_takes_equal_steps(pair, steps):
    a, b = map(torch.tensor, pair)
    expected = (b - a) / (steps - 1)
    torch.testing.assert_close(lerp(a, b, steps).diff(dim=0), expected.expand(steps - 1, -1), rtol=1e-4, atol=1e-4)


@EXAMPLES
@given(pair=pairs, steps=st.integers(3, 12))
@example(pair=([3.0, 0.0], [4.0, 0.1]), steps=5)
@example(pair=([3.0, 0.0], [-4.0, 0.1]), steps=5)
def test_a_spherical_path_turns_by_equal_angles_while_its_norm_changes_linearly(pair, steps):
    a, b = (torch.tensor(values, dtype=torch.float64) for values in pair)
    assume(min(a.norm(), b.norm()) > 1e-2)
    assume(0.01 < angle(a, b) < math.pi - 0.01)
    z = slerp(a, b, steps)
    torch.testing.assert_close(angle(z[1:], z[:-1]), (angle(a, b) / (steps - 1)).expand(steps - 1), rtol=1e-6, atol=0)
    norms = torch.linspace(0, 1, steps, dtype=torch.float64) * (b.norm() - a.norm()) + a.norm()
    torch.testing.assert_close(z.norm(dim=1), norms)


def test_the_middle_of_a_quarter_circle_is_its_diagonal():
    z = slerp(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 4.0]), 3)
    torch.testing.assert_close(z[1], torch.tensor([3.0, 3.0]) / math.sqrt(2))


@pytest.mark.parametrize("off", [1e-2, 3e-3, 1.5e-3, 1e-3, 1e-4])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_float32_path_between_almost_parallel_or_opposite_vectors_has_no_jump(sign, off):
    a = torch.tensor([3.0, 0.0])
    b = sign * 3.0 * torch.tensor([math.cos(off), math.sin(off)])
    z = slerp(a, b, 101)
    length = math.pi * 3 if sign < 0 else 3 * off
    assert z.diff(dim=0).norm(dim=1).max() < 1.1 * length / 100


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([1.0, 2.0], [1.0, 2.0]),
        ([1.0, 2.0], [2.0, 4.0]),
        ([1.0, 2.0], [-1.0, -2.0]),
        ([0.0, 0.0], [1.0, 2.0]),
        ([1.0, 2.0], [0.0, 0.0]),
        ([0.0, 0.0], [0.0, 0.0]),
        ([1e-30, 0.0], [0.0, 1e-30]),
        ([3.0], [-2.0]),
    ],
)
def test_where_there_is_no_unique_arc_the_path_is_straight(a, b):
    a, b = torch.tensor(a), torch.tensor(b)
    assert torch.equal(slerp(a, b, 7), lerp(a, b, 7))


@PATHS
@pytest.mark.parametrize("steps", [1, 0, -3])
def test_fewer_than_two_steps_are_refused(path, steps):
    with pytest.raises(ValueError, match=f"at least 2 steps, not {steps}"):
        path(torch.zeros(2), torch.ones(2), steps)
