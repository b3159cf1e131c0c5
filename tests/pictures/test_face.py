"""Faces: the transform that brings two eyes where they belong, and what finds them."""

import re

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from tests.pictures.drawings import file, flag, levels, noise, step
from tests.pictures.faces import CANVAS, by_chance, placed, shipped
from vae.models.spaces import Pictures
from vae.pictures import Content, Eyes, prepare
from vae.pictures.face import detector, finder
from vae.pictures.face.align import between, seen
from vae.pictures.face.eyes import STANDARD, standard

FACE = Pictures(3, 64, 64, 256, "face")


def waves(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A smooth picture that is known everywhere, in [0, 1]; its finest waves are 30 pixels long."""
    return 0.5 + 0.2 * np.sin(2 * np.pi * (x / 90 + y / 41)) + 0.2 * np.cos(2 * np.pi * (x / 43 - y / 67))


def test_two_places_lie_exactly_where_two_others_are():
    chance = np.random.default_rng(0)
    for _ in range(50):
        places, others = chance.uniform(0, 1000, (2, 2)), chance.uniform(0, 64, (2, 2))
        similarity = between(places, others)
        np.testing.assert_allclose(similarity.at(others), places, atol=1e-9)
        # it keeps shapes: all distances by one factor
        triple = chance.uniform(0, 64, (3, 2))
        here = similarity.at(triple)
        lengths = [np.linalg.norm(three - np.roll(three, 1, 0), axis=1) for three in (here, triple)]
        np.testing.assert_allclose(lengths[0], abs(similarity.scale) * lengths[1], rtol=1e-9)


@pytest.mark.parametrize("scale", [0.4, 1.0, 2.7, 9.3])
@pytest.mark.parametrize("turn", [0, 25, -140])
def test_what_is_seen_is_the_mean_of_what_a_pixel_covers(scale, turn):
    y, x = np.mgrid[:600, :700] + 0.5
    picture = waves(x, y).astype(np.float32)
    way = scale * np.exp(1j * np.deg2rad(turn))
    similarity = between(
        *(np.stack([z.real, z.imag], 1) for z in (way * np.array([0, 1]) + 350 + 300j, np.array([8, 9]) + 8j))
    )
    got, outside = seen(picture, similarity, (16, 16))
    fine = (np.arange(16 * 20) + 0.5) / 20
    z = similarity.scale * (fine[None] + 1j * fine[:, None]) + similarity.shift
    expected = waves(z.real, z.imag).reshape(16, 20, 16, 20).mean((1, 3))
    assert outside == 0
    np.testing.assert_allclose(got, expected, atol=1.5 / 255)


def test_beyond_its_edge_a_picture_goes_on_in_the_edges_colour():
    picture = np.zeros((10, 20, 3), np.float32)
    picture[:, -1] = (0.2, 0.4, 0.8)
    got, outside = seen(picture, between(np.array([[0.0, 0], [40, 0]]), np.array([[0.0, 0], [40, 0]])), (10, 40))
    assert outside == 0.5
    np.testing.assert_allclose(got[:, 21:], np.broadcast_to(picture[0, -1], (10, 19, 3)), atol=1e-6)


@pytest.mark.parametrize(("scale", "turn"), [(0.9, 0), (0.5, 20), (0.4, -30), (0.35, 170)])
def test_a_portrait_that_was_moved_comes_back_as_it_was(scale, turn):
    portrait = shipped().picture(3)
    moved = placed(portrait, scale, turn, (0.5, 0.48), (10, 200, 30))
    read = levels(prepare(file(moved.picture), FACE, eyes=Eyes.at(moved.eyes, (CANVAS, CANVAS))))
    before = np.asarray(Image.fromarray(portrait).resize((64, 64), Image.Resampling.BOX)).astype(int)
    away = np.abs(read.astype(int) - before)[1:-1, 1:-1]  # its rim is mixed with the ground
    assert away.mean() < 2
    assert np.median(away) <= 1


def test_two_dots_at_the_eyes_that_were_found_give_what_finding_them_gives():
    moved = placed(shipped().picture(6), 0.6, 14, (0.45, 0.55), (90, 100, 140))
    found = prepare(file(moved.picture), FACE)
    by_hand = prepare(file(moved.picture), FACE, eyes=found.eyes)
    assert by_hand.eyes == found.eyes
    assert torch.equal(by_hand.picture, found.picture)
    assert found.said("eyes") == "Found the eyes"
    assert by_hand.said("eyes") == "The eyes are where you put the two dots"
    turned = step(found, "turn").text
    assert step(by_hand, "turn").text == turned
    assert re.fullmatch(r"Turned to the left by 1[345]°, so that the eyes are level", turned)


def test_eyes_are_found_where_portraits_have_them():
    bank, chance = shipped(), np.random.default_rng(7)
    away = []
    for row in chance.permutation(len(bank))[:25].tolist():
        moved = by_chance(bank.picture(row), chance)
        found = finder.find(moved.picture)
        eyes = found.eyes.pixels((CANVAS, CANVAS)) if found.eyes else np.full((2, 2), np.inf)
        distance = np.linalg.norm(moved.eyes[1] - moved.eyes[0])
        away += (np.linalg.norm(eyes - moved.eyes, axis=1) / distance).tolist()
    assert np.mean(np.array(away) < 0.05) > 0.9  # tests/benchmarks/faces.py has the rate over all
    assert np.mean(np.array(away) < 0.1) > 0.9


def test_the_detector_says_what_the_package_says_that_its_weights_are_from():
    """The output of @vladmandic/face-api 1.7.15 itself, TensorFlow.js on the CPU, for a portrait on plain ground."""
    canvas = Image.new("RGB", (160, 160), (90, 120, 60))
    canvas.paste(Image.fromarray(shipped().picture(5)).resize((80, 80)), (60, 40))
    pixels = torch.from_numpy(np.array(canvas)).permute(2, 0, 1)[None] / 255
    (box,) = detector.faces(pixels, (160,), 0.1)
    left, top, width, height = 0.3703885393417786, 0.38429267504080294, 0.44809740766494593, 0.4033235133801368
    expected = (left + width / 2, top + height / 2, width, height)
    np.testing.assert_allclose(np.array(box[:4]) / 160, expected, atol=1e-4)
    assert box.score == pytest.approx(0.32577068262213027, abs=1e-4)


def several() -> np.ndarray:
    """Two portraits beside each other, the larger on the right."""
    bank, canvas = shipped(), Image.new("RGB", (700, 420), (120, 130, 140))
    for row, side, corner in ((6, 220, (30, 60)), (3, 330, (330, 40))):
        canvas.paste(Image.fromarray(bank.picture(row)).resize((side, side)), corner)
    return np.asarray(canvas)


def test_of_several_faces_the_largest_is_taken_and_that_is_said():
    prepared = prepare(file(several()), FACE)
    assert prepared.said("eyes") == "Found 2 faces, and the eyes of the largest"
    assert prepared.content == Content(things=2)
    assert prepare(file(several()), FACE, eyes=prepared.eyes).content == Content(), "nobody looked for faces"
    expected = np.array(STANDARD) * 330 + (330, 40)
    np.testing.assert_allclose(prepared.eyes.pixels((420, 700)), expected, atol=0.08 * 330 * 0.265)


def text() -> Image.Image:
    page = Image.new("RGB", (800, 1000), (250, 250, 248))
    pen = ImageDraw.Draw(page)
    for row in range(40):
        pen.text((40, 30 + 24 * row), f"{row} of the many lines on this page that say nothing at all", (20, 20, 30))
    return page


STRANGE = {
    "a page of text": text(),
    "noise": noise(200, 300, 3),
    "a flag": flag(),
    "one pixel": np.full((1, 1, 3), 77, np.uint8),
    "one pixel, grey": np.full((1, 1), 77, np.uint8),
    "16 times as wide as high": noise(64, 1024, 3),
    "100 times as high as wide": noise(1000, 10, 3),
    "grey": noise(90, 120),
    "clear": np.zeros((60, 50, 4), np.uint8),
}


@pytest.mark.parametrize("picture", STRANGE.values(), ids=STRANGE)
def test_where_there_is_no_face_the_middle_is_read_and_the_dots_are_offered(picture):
    prepared = prepare(file(picture), FACE)
    assert prepared.picture.shape == (1, 3, 64, 64)
    assert prepared.said("eyes") == "No face was found: drag the two dots onto the eyes"
    assert prepared.content == Content(things=0)
    width, height = picture.size if isinstance(picture, Image.Image) else picture.shape[1::-1]
    np.testing.assert_allclose(
        prepared.eyes.pixels((height, width)), standard((height, width)), atol=0.06 * max(height, width) / 100
    )
    middle = prepare(file(picture), Pictures(3, 64, 64, 256, "crop"))
    if min(width, height) > 1 and isinstance(picture, np.ndarray) and picture.shape != (64, 1024, 3):
        return
    assert np.abs(levels(prepared).astype(int) - levels(middle)).mean() < 3


def test_a_photo_of_20_megapixels_a_grey_one_and_a_clear_one_are_read():
    portrait = Image.fromarray(shipped().picture(6))
    large = portrait.resize((4500, 4500))
    assert prepare(file(large, "JPEG", quality=80), FACE).said("eyes") == "Found the eyes"
    grey = portrait.convert("L").resize((300, 300))
    prepared = prepare(file(grey), FACE)
    assert prepared.said("eyes") == "Found the eyes"
    assert (prepared.picture[:, :1] == prepared.picture).all()
    clear = portrait.resize((300, 300)).convert("RGBA")
    clear.putalpha(Image.new("L", (300, 300), 255).point(lambda _: 255))
    assert prepare(file(clear), FACE).said("eyes") == "Found the eyes"


@pytest.mark.parametrize(
    "places",
    [
        (0.5, 0.5, 0.5, 0.5),
        (0.5, 0.5, 0.5004, 0.5),
        (-0.1, 0.5, 0.6, 0.5),
        (0.4, 0.5, 1.01, 0.5),
        (float("nan"), 0, 1, 1),
    ],
)
def test_eyes_lie_on_the_picture_and_apart(places):
    with pytest.raises(ValueError, match="eyes"):
        Eyes(*places)


def test_dots_far_apart_or_close_together_are_read_without_much_memory():
    picture = file(noise(1000, 1000, 3))
    for eyes in (Eyes(0, 0, 1, 1), Eyes(1, 0.5, 0, 0.5), Eyes(0.5, 0.5, 0.502, 0.5)):
        assert prepare(picture, FACE, eyes=eyes).picture.isfinite().all()
    assert step(prepare(picture, FACE, eyes=Eyes(1, 0.5, 0, 0.5)), "turn").text.endswith(
        "by 180°, so that the eyes are level"
    )
