"""How much of a picture is left of it once it is prepared, and the part of it that a visitor chose."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.pictures.small_digits import drawn
from vae.evaluate.strangers import saved
from vae.models.spaces import Pictures
from vae.pictures import WHOLE, ImageError, Part, prepare
from vae.pictures.kept import colours, correlation, edges, ground

CASES = Path(__file__).parents[1] / "cases"
DIGIT = Pictures(preparation="digit")


def disc(radius: float, middle: tuple[int, int]) -> np.ndarray:
    y, x = np.mgrid[:100, :120]
    return (np.hypot(y - middle[0], x - middle[1]) < radius).astype(np.float32)


def test_the_correlation_is_numpys_without_its_sign():
    a, b = (np.random.default_rng(seed).random((90, 110)).astype(np.float32) for seed in (0, 1))
    mixed = 0.6 * a + 0.4 * b
    assert correlation(a, mixed) == pytest.approx(np.corrcoef(a.ravel(), mixed.ravel())[0, 1], abs=1e-5)
    assert correlation(1 - a, mixed) == pytest.approx(correlation(a, mixed), abs=1e-5)
    assert correlation(a, np.zeros_like(a)) == 0


def test_of_two_equal_discs_of_which_one_is_left_half_of_the_edges_are():
    both = disc(20, (50, 30)) + disc(20, (50, 90))
    assert edges(both, both) == pytest.approx(1, abs=0.01)
    assert edges(both, disc(20, (50, 30))) == pytest.approx(0.5, abs=0.01)
    assert edges(np.zeros_like(both), both) == 0


def test_grey_tells_all_colours_of_a_line_and_of_others_what_numpys_correlations_say():
    chance = np.random.default_rng(0)
    grey = chance.random((90, 110)).astype(np.float32)
    line = np.stack([200 * grey + 20, 90 - 80 * grey, 0 * grey + 7], 2)
    assert colours(np.rint(line).astype(np.uint8), grey) == pytest.approx(1, abs=1e-3)
    assert colours(np.rint(255 * grey).astype(np.uint8), grey) == 1
    mixed = chance.integers(0, 256, (90, 110, 3), np.uint8)
    mixed[..., 0] = np.rint(255 * grey)
    told = [np.corrcoef(mixed[..., i].ravel(), grey.ravel())[0, 1] ** 2 for i in range(3)]
    share = np.average(told, weights=mixed.reshape(-1, 3).var(0))
    assert colours(mixed, grey) == pytest.approx(share, abs=1e-3)
    assert 0.2 < share < 0.5


def test_a_ground_is_plain_in_light_that_falls_off_and_not_where_something_else_is_on_it():
    ink, slope = disc(20, (50, 60)), np.linspace(0, 0.3, 120, dtype=np.float32)
    assert ground(ink, ink) == pytest.approx(1, abs=1e-5)
    assert ground(0.7 * ink + slope, ink) == pytest.approx(1, abs=0.02)
    assert ground(ink + disc(20, (50, 15)), ink) < 0.6
    assert ground(ink, np.ones_like(ink)) == 1  # there is none


def test_a_clean_drawing_is_kept_whole_and_a_landscape_is_not():
    clean = prepare(saved(drawn(3, 9).resize((280, 280))), DIGIT).content
    assert clean.kept > 0.97
    assert clean.edges > 0.99
    landscape = prepare((CASES / "landscape.jpg").read_bytes(), DIGIT).content
    assert landscape.kept < 0.9
    assert landscape.edges < 0.9


# ---- parts ----


def test_a_part_is_what_a_slice_of_the_pixels_is():
    picture = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    part = Part(0.1, 0.25, 0.6, 0.75)
    cut = prepare(saved(Image.fromarray(picture)), Pictures(3, 40, 60, 256, "crop"), part=part)
    alone = prepare(saved(Image.fromarray(picture[50:150, 30:180])), Pictures(3, 40, 60, 256, "crop"))
    assert (cut.picture == alone.picture).all()
    (step,) = (step for step in cut.steps if step.name == "part")
    assert step.text == "Cut to your box: 150 x 100 pixels"


def test_one_digit_of_two_is_read_like_that_digit_alone():
    left, right = (np.asarray(drawn(digit, 9).resize((280, 280))) for digit in (3, 7))
    both = saved(Image.fromarray(np.hstack([left, right])))
    assert prepare(both, DIGIT).content.things == 2
    cut, alone = prepare(both, DIGIT, part=Part(0, 0, 0.5, 1)), prepare(saved(Image.fromarray(left)), DIGIT)
    assert cut.content == alone.content
    assert (cut.picture == alone.picture).all()


def test_the_whole_picture_is_no_step_and_a_tiny_part_has_pixels_still():
    file = saved(drawn(3, 9).resize((280, 280)))
    assert [step.name for step in prepare(file, DIGIT, part=WHOLE).steps] == [
        step.name for step in prepare(file, DIGIT).steps
    ]
    tiny = Part(0.999, 0.0, 1.0, 0.001)
    with pytest.raises(ImageError):  # a corner of the paper
        prepare(file, DIGIT, part=tiny)


@pytest.mark.parametrize("box", [(0.5, 0, 0.5, 1), (0.6, 0, 0.5, 1), (-0.1, 0, 1, 1), (0, 0, 1, 1.1), (0, 0.2, 1, 0.1)])
def test_what_is_no_box_is_no_part(box):
    with pytest.raises(ValueError, match="has an area"):
        Part(*box)
    with pytest.raises(ValueError, match="has an area"):
        Part(float("nan"), 0, 1, 1)
