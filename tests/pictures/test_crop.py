"""The largest centred crop, colours kept."""

import numpy as np
from PIL import Image

from tests.pictures.drawings import file, flag, levels, step
from vae.models.spaces import Pictures
from vae.pictures import prepare

COLOUR = Pictures(3, 24, 40, 256, "crop")


def test_a_crop_is_the_middle_of_the_picture():
    wide = np.zeros((40, 100, 3), np.uint8)
    wide[:, 30:70] = (10, 200, 90)
    prepared = prepare(file(wide), Pictures(3, 20, 20, 256, "crop"))
    np.testing.assert_array_equal(levels(prepared), np.full((20, 20, 3), (10, 200, 90)))
    whole = levels(prepare(file(wide), Pictures(3, 20, 20, 256, "crop"), {"crop": False}))
    assert not whole[:6].any()
    assert not whole[14:].any()
    np.testing.assert_array_equal(whole[10, 10], (10, 200, 90))


def test_a_forced_inversion_is_one_minus_the_picture():
    np.testing.assert_array_equal(levels(prepare(file(flag()), COLOUR, {"invert": True})), 255 - flag())


def test_a_large_photo_keeps_its_colours_and_its_place():
    picture = np.kron(flag(), np.ones((125, 100, 1), np.uint8))
    prepared = prepare(file(picture, "JPEG", quality=90), Pictures(3, 24, 40, 256, "crop"), {"crop": False})
    assert step(prepared, "read").text == "Read a JPEG of 4000 x 3000 pixels"
    assert max(max(s.image.shape) for s in prepared.steps) <= 512
    centre = levels(prepared)[1:-1, 6:-6]  # 32 x 24 in 40 x 24
    expected = np.asarray(Image.fromarray(picture).resize((32, 24), Image.Resampling.BOX))[1:-1, 2:-2]
    assert np.abs(centre.astype(int) - expected).mean() < 6
