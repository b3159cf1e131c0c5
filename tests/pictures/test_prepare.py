"""What holds of every preparation: its shapes, its switches, arrays as files, and threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageFile

from tests.pictures.drawings import drawn, file, flag, levels, painted, step
from vae.models import spaces
from vae.models.spaces import Pictures
from vae.pictures import PREPARATIONS, ImageError, prepare, prepare_array
from vae.pictures.ground import ramp
from vae.pictures.ink import Centre, Contrast, Cut, Fit, Ink, Invert

DIGIT = Pictures()
GARMENT = Pictures(preparation="garment")
COLOUR = Pictures(3, 24, 40, 256, "crop")
PHOTO = Pictures(3, None, None, 256, "photo")
SIZED = pytest.mark.parametrize("preparation", [one for one in PREPARATIONS if one != PHOTO.preparation])


def test_every_preparation_that_a_model_may_name_is_there_and_no_other():
    assert tuple(PREPARATIONS) == spaces.PREPARATIONS


def test_a_new_preparation_is_a_row_of_steps(monkeypatch):
    glyph = Ink((Invert(), Contrast(ramp), Cut(24 / 28), Fit(), Centre()))
    assert glyph.switches == ("invert", "contrast", "crop")
    monkeypatch.setitem(PREPARATIONS, DIGIT.preparation, glyph)
    prepared = prepare(file(painted(drawn(4), (255,) * 3, (0,) * 3)), DIGIT)
    rows, columns = (np.nonzero(prepared.picture[0, 0].numpy().max(axis))[0] for axis in (1, 0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 24
    assert [one.name for one in prepared.steps][-5:] == ["invert", "contrast", "crop", "size", "centre"]
    with pytest.raises(ValueError, match="not 'stroke'"):
        prepare(file(flag()), DIGIT, {"stroke": False})


@SIZED
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 3, 5), (1, 28, 28), (3, 64, 48), (1, 16, 90)])
def test_every_shape_of_input_is_served(preparation, shape):
    prepared = prepare(file(painted(drawn(4), (240,) * 3, (20, 20, 60))), Pictures(*shape, 256, preparation))
    assert prepared.picture.shape == (1, *shape)
    assert prepared.picture.max() > 0
    last = prepared.steps[-1].image
    np.testing.assert_array_equal(
        levels(prepared), np.broadcast_to(last if last.ndim == 3 else last[..., None], shape[1:] + shape[:1])
    )


@SIZED
def test_each_switch_is_a_step_that_can_be_turned_off_and_on(preparation):
    spec = Pictures(1, 28, 28, 256, preparation)
    uploaded = file(painted(drawn(7, 200, 90, (0.3, 0.4))[:150], (220,) * 3, (60,) * 3))
    steps = {s.name: s for s in prepare(uploaded, spec).steps}
    assert {name for name, s in steps.items() if s.switchable} == set(PREPARATIONS[preparation].switches)
    for name in PREPARATIONS[preparation].switches:
        off = step(prepare(uploaded, spec, {name: False}), name)
        assert (off.applied, off.text) == (False, "Switched off")
        on = prepare(uploaded, spec, {name: True})
        assert step(on, name).text != "Switched off"
        if steps[name].applied:
            assert (prepare(uploaded, spec, {name: False}).picture - on.picture).abs().max() > 0.05, name
    with pytest.raises(ValueError, match=r"invert.*not 'sharpen'"):
        prepare(uploaded, spec, {"sharpen": True})


@pytest.mark.parametrize(
    ("size", "expected"),
    [((64, 48), (64, 48)), ((61, 50), (56, 48)), ((1, 1), (8, 8)), ((3, 200), (8, 200)), ((40, 2050), (16, 1024))],
)
@pytest.mark.parametrize("channels", [0, 3, 4])
def test_a_photo_stays_whole_but_for_what_does_not_fill_a_square_of_8_pixels(size, expected, channels):
    chance = np.random.default_rng(1)
    pixels = chance.integers(0, 256, (*size, channels) if channels else size, np.uint8)
    if channels == 4:
        pixels[..., 3] = 255
    prepared = prepare(file(pixels), PHOTO)
    assert prepared.picture.shape == (1, 3, *expected)
    assert prepared.steps[-1].text.endswith(f"{expected[1]} x {expected[0]} pixels") or prepared.steps[-1].applied
    if max(size) < 1024 and min(size) >= 8:
        top, left = ((whole - part) // 2 for whole, part in zip(size, expected, strict=True))
        middle = pixels[top : top + expected[0], left : left + expected[1], ...]
        colours = np.repeat(middle[..., None], 3, 2) if channels == 0 else middle[..., :3]
        assert np.array_equal(levels(prepared), colours)


def test_a_photo_has_no_switch():
    with pytest.raises(ValueError, match="switches of 'photo' are none, and not 'invert'"):
        prepare(file(flag()), PHOTO, {"invert": True})


def test_a_drawing_pads_array_gives_what_its_file_gives():
    pixels = painted(drawn(8), (255,) * 3, (0,) * 3)
    assert (prepare_array(pixels, DIGIT).picture == prepare(file(pixels), DIGIT).picture).all()
    with pytest.raises(ValueError, match="uint8"):
        prepare_array(pixels / 255, DIGIT)


@pytest.mark.parametrize(
    "picture", [np.full((50, 50), 255, np.uint8), np.zeros((28, 28, 4), np.uint8), np.zeros((1, 1), np.uint8)]
)
def test_an_empty_picture_has_no_digit_but_can_be_cropped(picture):
    for spec in (DIGIT, GARMENT):
        with pytest.raises(ImageError, match="nothing on this picture"):
            prepare(file(picture), spec)
    assert prepare(file(picture), COLOUR).picture.shape == (1, 3, 24, 40)


def test_threads_do_not_disturb_each_other_and_pillow_keeps_its_settings():
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    uploads = [file(painted(drawn(d), (250,) * 3, (9,) * 3)) for d in range(4)] * 4
    alone = [prepare(u, DIGIT).picture for u in uploads]
    with ThreadPoolExecutor(4) as pool:
        together = [p.picture for p in pool.map(lambda u: prepare(u, DIGIT), uploads)]
    assert all((a == b).all() for a, b in zip(alone, together, strict=True))
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
