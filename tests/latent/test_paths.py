"""Paths in the latent space: exact ends, constant steps, where there is no arc, and what following the data gains."""

import math

import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from vae import data
from vae.latent.aggregate import aggregate_log_density
from vae.latent.paths import around, embed, follow, judge, lerp, slerp
from vae.models import VAE
from vae.models.pretrained import load_encodings, load_pretrained
from vae.models.spaces import Pictures

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


def decoding(decoder: nn.Module, latents: int, levels: int = 2) -> VAE:
    """A model of one pixel whose decoder is the given one."""
    model = VAE(VAE.Config(Pictures(1, 1, 1, levels=levels, preparation="crop"), latents, width=1))
    model.decoder = nn.Sequential(decoder, nn.Unflatten(1, (-1, 1, 1)))
    return model


LOGIT_IS_Z = decoding(nn.Identity(), 1)


def test_the_point_of_a_pixel_is_twice_the_arcsine_of_the_root_of_its_probability():
    logits = torch.linspace(-12, 12, 101)[:, None]
    expected = 2 * torch.asin(torch.sigmoid(logits.double()).sqrt())
    torch.testing.assert_close(embed(LOGIT_IS_Z, logits).double(), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("probability", [0.02, 0.3, 0.5, 0.9])
def test_near_pixels_are_as_far_apart_as_by_fisher(probability):
    """The Fisher information of a Bernoulli's probability p is 1 / (p (1 - p))."""
    p = torch.tensor([probability - 5e-4, probability + 5e-4], dtype=torch.float64)
    apart = embed(LOGIT_IS_Z, torch.logit(p)[:, None]).diff(dim=0).abs().item()
    assert apart == pytest.approx(1e-3 / math.sqrt(probability * (1 - probability)), rel=1e-3)


def test_the_point_of_a_pixel_and_its_slope_are_finite_however_sure_the_pixel_is():
    logits = torch.tensor([[-1e4], [-200.0], [0.0], [200.0], [1e4]], requires_grad=True)
    point = embed(LOGIT_IS_Z, logits)
    torch.testing.assert_close(
        point.detach()[:, 0], torch.tensor([0, 0, math.pi / 2, math.pi, math.pi]), atol=1e-6, rtol=0
    )
    (slope,) = torch.autograd.grad(point.sum(), logits)
    torch.testing.assert_close(slope[:, 0], torch.tensor([0, 0, 0.5, 0, 0]))


def test_the_point_of_a_pixel_of_many_levels_is_its_mean():
    model = decoding(nn.Identity(), 2, levels=256)
    z = torch.tensor([[0.2, -1.0], [-0.4, 3.0], [0.9, 0.0]])
    torch.testing.assert_close(embed(model, z), torch.tensor([[0.7], [0.1], [1.0]]))


def test_a_path_is_judged_by_its_decoded_steps_its_density_and_its_radii():
    path = torch.logit(torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64))[:, None]  # arcsines of roots: 30, 45, 60°
    mu, sigma = torch.zeros(1, 1, dtype=torch.float64), torch.full((1, 1), 2.0, dtype=torch.float64)
    judged = judge(LOGIT_IS_Z, path[[0, 2, 1]], mu, sigma)
    assert judged.length == pytest.approx(math.pi / 2)
    assert judged.largest_step == pytest.approx(math.pi / 3)
    assert judged.lowest_density == pytest.approx(-math.log(2) - 0.5 * math.log(2 * math.pi) - math.log(3) ** 2 / 8)
    assert judged.shell == pytest.approx((0.0, math.log(3)))
    wide = judge(
        decoding(nn.Linear(4, 1), 4), torch.tensor([[3.0, 0, 4, 0], [1, 1, 1, 1]]), torch.zeros(2, 4), torch.ones(2, 4)
    )
    assert wide.shell == pytest.approx((1.0, 2.5))


def test_a_round_of_four_meets_them_in_order_and_goes_straight_between_at_one_pace():
    corners = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    a, b, c, d = corners
    for steps in (24, 60, 120):
        path, quarter = around(corners, steps), steps // 4
        assert path.shape == (steps, 3)
        assert torch.equal(path[::quarter], torch.stack([a, b, d, c]))
        for i, (start, end) in enumerate([(a, b), (b, d), (d, c), (c, a)]):
            edge = torch.cat([path, path[:1]])[i * quarter : (i + 1) * quarter + 1]
            torch.testing.assert_close(edge, lerp(start, end, quarter + 1))
    with pytest.raises(ValueError, match="at least 2 steps"):
        around(corners, 1)


def pairs_of(count: int) -> list[tuple[int, int]]:
    """Test pictures of MNIST, each pair of two classes."""
    labels = data.load("mnist", "test").labels
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(7))
    neighbours = order[: len(order) // 2 * 2].view(-1, 2)
    return [(i, j) for i, j in neighbours[labels[neighbours].diff(dim=1)[:, 0] != 0][:count].tolist()]


@pytest.fixture(scope="module", params=["mnist", "mnist-2d"])
def followed(request) -> tuple:
    """A shipped model, its encodings, and eight pairs of places with the path that follows the data between them."""
    model, (mu, sigma) = load_pretrained(request.param, "cpu"), load_encodings(request.param)
    ends = [(mu[i], mu[j]) for i, j in pairs_of(8)]
    return model, mu, sigma, [(a, b, follow(model, a, b, mu, sigma, 60)) for a, b in ends]


def test_a_followed_path_ends_bit_for_bit_where_it_should(followed):
    for a, b, path in followed[-1]:
        assert path.shape == (60, len(a))
        assert torch.equal(path[0], a)
        assert torch.equal(path[-1], b)
        assert path.isfinite().all()


def test_a_followed_path_takes_equal_decoded_steps(followed):
    model, *_, paths = followed
    for *_, path in paths:
        steps = embed(model, path).diff(dim=0).norm(dim=1)
        assert steps.std() < 0.1 * steps.mean()
        assert steps.max() < 1.5 * steps.mean()


def test_a_followed_path_is_better_than_the_straight_one_by_what_it_minimises(followed):
    model, mu, sigma, paths = followed
    for a, b, path in paths:
        straight = lerp(a, b, 60)
        near = torch.cdist(mu, lerp(a, b, 17)).amin(1).argsort()[:1000]

        def objective(path, straight=straight, near=near):
            energy, unit = (embed(model, z).diff(dim=0).square().sum() for z in (path, straight))
            density = aggregate_log_density(path, mu[near], sigma[near].clamp(min=0.1))
            return (energy / unit - density.mean() / path.shape[1]).item()

        assert objective(path) < objective(straight)


def judged_beside_straight(followed) -> list:
    model, mu, sigma, paths = followed
    return [(judge(model, path, mu, sigma), judge(model, lerp(a, b, 60), mu, sigma)) for a, b, path in paths]


def test_followed_paths_are_shorter_than_straight_ones_when_decoded_and_have_no_such_jumps(followed):
    judged = judged_beside_straight(followed)
    assert sum(path.length for path, _ in judged) < 0.95 * sum(straight.length for _, straight in judged)
    assert all(path.length < 1.1 * straight.length for path, straight in judged)
    assert all(path.largest_step < straight.largest_step for path, straight in judged)


def test_the_emptiest_place_of_a_followed_path_is_less_empty_of_24_latents_and_about_as_empty_of_two(followed):
    """Measured over 60 other pairs: 9.9 +- 1.1 nats are gained with 24 latents, 0.3 +- 0.5 with two."""
    judged = judged_beside_straight(followed)
    gains = torch.tensor([path.lowest_density - straight.lowest_density for path, straight in judged])
    assert gains.mean() > (3 if followed[0].latents > 2 else -2)


@pytest.fixture(scope="module")
def small() -> tuple:
    """A model of two latents that has not been trained, encodings, and two places."""
    generator = torch.Generator().manual_seed(0)
    model = VAE(VAE.Config(Pictures(1, 4, 4), 2, width=16), generator)
    mu, sigma = torch.randn(50, 2, generator=generator), torch.rand(50, 2, generator=generator) + 0.01
    return model, torch.tensor([-1.0, 0.5]), torch.tensor([1.5, 0.2]), mu, sigma


def test_a_followed_path_is_the_same_each_time_and_in_every_mode_and_leaves_no_gradients(small):
    model, *rest = small
    path = follow(model, *rest, steps=9)
    assert torch.equal(follow(model, *rest, steps=9), path)
    with torch.no_grad():
        assert torch.equal(follow(model, *rest, steps=9), path)
    with torch.inference_mode():
        assert torch.equal(follow(model, *(tensor.clone() for tensor in rest), steps=9), path)
    assert not path.requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())


def test_where_decoding_is_flat_and_one_gaussian_is_all_data_a_path_from_side_to_side_bends_to_its_middle():
    """The pixel is always the same, so density is all there is to win: it rises towards the one mean."""
    model = decoding(nn.Linear(2, 1), 2)
    nn.init.zeros_(model.decoder[0].weight)
    a, b = torch.tensor([-1.0, 1.0]), torch.tensor([1.0, 1.0])
    path = follow(model, a, b, torch.zeros(1, 2), torch.ones(1, 2), steps=17)
    assert path[8, 1] < 0.5
    assert path[[0, -1]].equal(torch.stack([a, b]))


def test_a_followed_path_hurries_through_where_nothing_changes():
    a, b, at = torch.tensor([-1.0]), torch.tensor([1.0]), torch.zeros(1, 1)
    path = follow(decoding(nn.ReLU(), 1), a, b, at, at + 1, steps=60)
    expected = torch.linspace(math.pi / 2, 2 * math.atan(math.exp(0.5)), 60)
    torch.testing.assert_close(embed(LOGIT_IS_Z, path.relu())[:, 0], expected, atol=1e-3, rtol=0)
    assert (path[1:] > 0).all()


def test_a_followed_path_between_coincident_places_stays_there(small):
    model, a, _, mu, sigma = small
    assert torch.equal(follow(model, a, a.clone(), mu, sigma, 5), a.expand(5, -1))


@pytest.mark.parametrize("steps", [2, 3])
def test_a_followed_path_may_be_of_few_steps(small, steps):
    path = follow(*small, steps=steps)
    assert path.shape == (steps, 2)
    assert torch.equal(path[[0, -1]], torch.stack(small[1:3]))


def test_a_followed_path_of_fewer_than_two_steps_is_refused(small):
    with pytest.raises(ValueError, match="at least 2 steps, not 1"):
        follow(*small, steps=1)


@PATHS
@pytest.mark.parametrize("steps", [1, 0, -3])
def test_fewer_than_two_steps_are_refused(path, steps):
    with pytest.raises(ValueError, match=f"at least 2 steps, not {steps}"):
        path(torch.zeros(2), torch.ones(2), steps)
