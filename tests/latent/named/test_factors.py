"""What is measured of pictures, against shapes whose slant, stroke and sizes are known."""

import math

import pytest
import torch

from vae.latent.named import FACTORS, factors

FINE = 8  # as fine as shapes are drawn, so that their edges are as soft as a decoded picture's
EVERY = [(kind, factor) for kind, row in FACTORS.items() for factor in row]


def grid() -> tuple[torch.Tensor, torch.Tensor]:
    """(right, up) from the middle of 28 x 28 pixels, in pixels, at each of their parts."""
    steps = (torch.arange(28 * FINE) + 0.5) / FINE - 14
    return steps[None, :], -steps[:, None]


def drawn(inside: torch.Tensor, level: float = 1.0) -> torch.Tensor:
    """A picture (1, 1, 28, 28) of what is inside."""
    return level * torch.nn.functional.avg_pool2d(inside.float()[None, None], FINE)


def bar(width: float, height: float, degrees: float = 0.0) -> torch.Tensor:
    """A bar whose rows are moved to the right, so that it leans."""
    right, up = grid()
    leaning = right - up * math.tan(math.radians(degrees))
    return drawn((leaning.abs() < width / 2) & (up.abs() < height / 2))


def ellipse(across: float, up_and_down: float) -> torch.Tensor:
    right, up = grid()
    return drawn((2 * right / across) ** 2 + (2 * up / up_and_down) ** 2 < 1)


@pytest.mark.parametrize("degrees", [-30, -12, 0, 7, 25])
def test_a_leaning_bar_has_its_slant_width_and_height(degrees):
    picture = bar(5, 18, degrees)
    assert float(factors.slant(picture)) == pytest.approx(degrees, abs=0.5)
    assert float(factors.width(picture)) == pytest.approx(5, abs=0.25)
    assert float(factors.height(picture)) == pytest.approx(18, abs=0.1)


def test_an_upright_bar_is_as_broad_as_it_is_wide_and_a_leaning_one_is_broader():
    assert float(factors.breadth(bar(6, 16))) == pytest.approx(6, abs=0.1)
    leaning = bar(6, 16, 30)
    expected = math.hypot(6, 16 * math.tan(math.radians(30)))
    assert float(factors.breadth(leaning)) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize(("across", "tall"), [(10, 20), (16, 12)])
def test_an_ellipse_is_as_wide_as_a_bar_of_its_spread(across, tall):
    picture = ellipse(across, tall)  # of variance (a / 4)^2 along an axis, where a bar has a^2 / 12
    assert float(factors.width(picture)) == pytest.approx(across * math.sqrt(12) / 4, abs=0.1)
    assert float(factors.height(picture)) == pytest.approx(tall * math.sqrt(12) / 4, abs=0.1)
    assert float(factors.slant(picture)) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("stroke", [2, 3, 4])
def test_the_stroke_of_a_bar_is_twice_its_ink_over_its_edge(stroke):
    length = 20
    expected = 2 * stroke * length / (2 * (stroke + length))
    assert float(factors.stroke(bar(stroke, length))) == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize("stroke", [2, 3])
def test_a_ring_has_the_stroke_it_was_drawn_with_and_encloses_its_disc(stroke):
    right, up = grid()
    radius = (right**2 + up**2).sqrt()
    ring = drawn((radius - 9).abs() < stroke / 2)
    inner = math.pi * (9 - stroke / 2) ** 2
    assert float(factors.stroke(ring)) == pytest.approx(stroke, rel=0.12)
    assert float(factors.loops(ring)) == pytest.approx(inner, rel=0.03)
    opened = drawn(((radius - 9).abs() < stroke / 2) & ((right < 0) | (up.abs() > 2)))
    assert float(factors.loops(opened)) < 1


def test_a_loop_that_a_faint_stroke_closes_counts_as_much_as_that_is_dark():
    right, up = grid()
    radius = (right**2 + up**2).sqrt()
    ring, gap = (radius - 9).abs() < 1.5, (right > 0) & (up.abs() < 2)
    whole = float(factors.loops(drawn(ring)))
    faint = drawn(ring & ~gap) + drawn(ring & gap, 0.3)
    assert float(factors.loops(faint)) == pytest.approx(0.3 * whole, rel=0.1)


@pytest.mark.parametrize("level", [0.2, 0.5, 0.9])
def test_a_plain_garment_is_as_bright_as_its_grey_wherever_it_is(level):
    right, up = grid()
    for high in (10, 20):
        picture = drawn((right.abs() < 6) & (up.abs() < high / 2), level)
        assert float(factors.brightness(picture)) == pytest.approx(100 * level, rel=0.02)
        assert float(factors.ink(picture)) == pytest.approx(100 * level * 12 * high / 784, rel=0.01)


def test_stripes_have_more_texture_than_a_plain_garment_of_the_same_grey():
    rows = torch.arange(28)[None, None, :, None] % 2
    box = bar(14, 20)
    assert float(factors.texture(box * (0.3 + 0.4 * rows))) > 1.5 * float(factors.texture(box * 0.5))


def test_a_checkerboard_differs_from_its_neighbours_as_much_as_was_computed_by_hand():
    checks = (torch.arange(28)[:, None] + torch.arange(28)) % 2
    inner = torch.zeros(1, 1, 28, 28)
    inner[0, 0] = checks
    around = torch.nn.functional.pad(inner, (1, 1, 1, 1)).unfold(2, 3, 1).unfold(3, 3, 1).mean((4, 5))
    expected = 100 * (inner - around).abs().sum() / inner.sum()
    assert float(factors.texture(inner)) == pytest.approx(float(expected), rel=1e-5)


def plain(*colours: tuple[float, float, float]) -> torch.Tensor:
    """A picture (1, 3, 4, 2n) of n stripes from left to right."""
    return torch.tensor(colours).T[None, :, None].repeat_interleave(2, 3).repeat(1, 1, 4, 1)


def test_colours_are_measured_as_their_definitions_say():
    red, blue, white, black = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (1.0,) * 3, (0.0,) * 3
    assert float(factors.light(plain(red))) == pytest.approx(21.26)
    assert float(factors.light(plain(white, black))) == pytest.approx(50)
    assert float(factors.contrast(plain(white, black))) == pytest.approx(50)
    assert float(factors.contrast(plain(blue))) == pytest.approx(0, abs=1e-5)
    assert float(factors.warmth(plain(red, white))) == pytest.approx(50)
    assert float(factors.warmth(plain(blue))) == pytest.approx(-100)
    assert float(factors.saturation(plain(red, white))) == pytest.approx(50)
    assert float(factors.sideways(plain(black, white))) == pytest.approx(100)
    assert float(factors.sideways(plain(white, black))) == pytest.approx(-100)
    assert float(factors.sideways(plain(red, blue, red))) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(("kind", "factor"), EVERY, ids=lambda one: getattr(one, "name", one))
def test_a_row_does_not_depend_on_its_company_and_a_blank_picture_has_numbers(kind, factor):
    pictures = torch.cat([bar(3, 18, 12), ellipse(14, 20), torch.zeros(1, 1, 28, 28), torch.ones(1, 1, 28, 28)])
    if FACTORS[kind] is factors.COLOUR:
        pictures = torch.cat([pictures, pictures.flip(2), pictures * 0.3], 1)
    together = factor.measure(pictures)
    apart = torch.cat([factor.measure(one) for one in pictures.split(1)])
    torch.testing.assert_close(together, apart, atol=0.5 if factor.name == "loops" else 1e-3, rtol=1e-4)
    assert together.isfinite().all()
