"""One light thing on black: prepared digits and garments against MNIST and Fashion-MNIST."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from tests.pictures.drawings import LIGHTS, drawn, file, levels, line, painted, photographed
from vae import data
from vae.models.spaces import Pictures
from vae.pictures import ImageError, prepare, prepare_array
from vae.pictures.prepare import MNIST

DIGIT = Pictures()
GARMENT = Pictures(preparation="garment")


def test_ink_looks_the_same_whatever_it_is_and_lies_on():
    for digit in (2, 5):
        ink = drawn(digit)
        alpha = np.rint(ink * 255).astype(np.uint8)
        black_on_clear = np.dstack([np.zeros((200, 200, 3), np.uint8), alpha])
        white_on_clear = np.dstack([np.full((200, 200, 3), 255, np.uint8), alpha])
        indexed = Image.fromarray((ink > 0.5).astype(np.uint8), "L").convert("P")
        indexed.putpalette([9, 9, 9, 255, 255, 255])
        files = {
            "black on white": file(painted(ink, (255,) * 3, (0,) * 3)),
            "blue on yellow": file(painted(ink, (250, 240, 120), (20, 30, 150))),
            "magenta on green, as light": file(painted(ink, (0, 215, 0), (255, 60, 255))),
            "faint": file(painted(ink, (200,) * 3, (160,) * 3)),
            "black on clear": file(black_on_clear),
            "white on clear": file(white_on_clear, "WEBP", lossless=True),
            "white on clear, palette": file(indexed, transparency=0),
            "JPEG": file(painted(ink, (255,) * 3, (0,) * 3), "JPEG"),
            "four times the size": file(painted(np.kron(ink, np.ones((4, 4))), (255,) * 3, (0,) * 3)),
            "in a corner": file(painted(drawn(digit, 300, 90, (0.2, 0.8)), (255,) * 3, (0,) * 3)),
        }
        reference = prepare(file(painted(ink, (0,) * 3, (255,) * 3)), DIGIT).picture
        assert reference.max() > 0.95
        for name, uploaded in files.items():
            assert (prepare(uploaded, DIGIT).picture - reference).abs().mean() < 0.015, (digit, name)


def test_a_card_with_clear_corners_is_no_frame_of_ink():
    card = np.dstack([painted(drawn(5), (255,) * 3, (0,) * 3), np.full((200, 200), 255, np.uint8)])
    card[:20, :20, 3] = card[-20:, -20:, 3] = 0
    expected = prepare(file(painted(drawn(5), (255,) * 3, (0,) * 3)), DIGIT).picture
    assert (prepare(file(card), DIGIT).picture - expected).abs().mean() < 0.01


@pytest.mark.parametrize("digit", range(10))
def test_a_digit_fills_the_box_of_mnist_with_its_mass_at_the_centre(digit):
    picture = prepare(file(painted(drawn(digit, 240, 150, (0.4, 0.6)), (230, 220, 210), (40, 40, 90))), DIGIT).picture
    pixels = picture[0, 0].numpy()
    rows, columns = np.nonzero(pixels.max(1) > 0.1)[0], np.nonzero(pixels.max(0) > 0.1)[0]
    assert max(np.ptp(rows), np.ptp(columns)) + 1 in (19, 20)
    assert np.abs(np.array(ndimage.center_of_mass(pixels)) - 14).max() <= 0.52  # where MNIST has it
    assert (pixels == 0).mean() > 0.5
    assert pixels.max() > 0.95


@pytest.mark.parametrize("lighting", LIGHTS)
def test_a_phone_photo_gives_the_digit_without_the_paper(lighting):
    prepared = prepare(file(photographed(lighting), "JPEG"), DIGIT)
    expected = prepare(file(painted(drawn(3), (0,) * 3, (255,) * 3)), DIGIT).picture
    assert (prepared.picture - expected).abs().mean() < 0.03


def test_thin_pens_and_thick_brushes_become_strokes_of_usual_width():
    for pen in (2, 80):
        on, off = (prepare(file(line(pen)), DIGIT, {"stroke": s}).picture[0, 0].numpy() for s in (True, False))
        widths = [(row > 0.5).sum() for row in on[12:20]]
        assert min(widths) >= 1
        assert max(widths) <= 5
        assert (off.sum() < 0.5 * on.sum()) if pen == 2 else (off.sum() > 1.1 * on.sum())


def test_pictures_of_the_data_sets_come_back_bit_by_bit():
    for name, spec in (("mnist", DIGIT), ("fashion-mnist", GARMENT)):
        pictures = data.load(name, "test").images[::500].reshape(-1, 28, 28)
        pictures = (pictures * 255).round() if pictures.is_floating_point() else pictures
        for pixels in pictures.numpy().astype(np.uint8):
            for stored in (pixels, 255 - pixels):
                np.testing.assert_array_equal(levels(prepare(file(stored), spec))[..., 0], pixels)


def test_a_garment_is_light_on_black_and_fills_the_picture():
    picture = np.full((300, 200, 3), 250, np.uint8)
    picture[60:260, 50:150] = (90, 40, 30)
    for stored in (picture, 255 - picture):
        pixels = prepare(file(stored), GARMENT).picture[0, 0].numpy()
        expected = np.zeros((28, 28))
        expected[:, 7:21] = 1
        np.testing.assert_allclose(pixels, expected, atol=0.03)


def test_a_busy_picture_is_not_called_an_empty_one():
    busy = np.random.default_rng(0).integers(0, 256, (300, 300), dtype=np.uint8)
    with pytest.raises(ImageError, match="Nothing stands out"):
        prepare_array(busy, DIGIT)
    with pytest.raises(ImageError, match="There is nothing on this picture"):
        prepare_array(np.full((300, 300), 255, np.uint8), DIGIT)
    speck = np.full((900, 900), 255, np.uint8)
    speck[400:412, 400:404] = 0
    with pytest.raises(ImageError, match="too small"):
        prepare_array(speck, DIGIT)


@pytest.mark.parametrize(("down", "across", "shrunk"), [(0, 0, 0), (2, 0, 0), (0, -1, 0), (0, 0, 3)])
def test_ink_lies_as_mnists_does_where_it_has_its_size_and_its_mass_in_the_middle(down, across, shrunk):
    side = 20 - shrunk
    ink = np.zeros((28, 28), np.float32)
    top, left = 14 - side // 2 + down, 14 - side // 2 + across
    ink[top : top + side, left : left + side] = 1
    assert MNIST.fits(ink) == ((down, across, shrunk) == (0, 0, 0))
    assert not MNIST.fits(np.zeros((28, 28), np.float32))
