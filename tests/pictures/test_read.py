"""Files of every kind against the pictures that they were made of."""

import numpy as np
import pytest
from PIL import Image

from tests.pictures.drawings import file, flag, levels, noisy, ramp, step
from vae.models.spaces import Pictures
from vae.pictures import ImageError, prepare
from vae.pictures.read import shrink

COLOUR = Pictures(3, 24, 40, 256, "crop")
GREY = Pictures(1, 24, 40, 256, "crop")


def test_lossless_files_come_back_pixel_by_pixel():
    picture = flag()
    options = [("PNG", {}), ("BMP", {}), ("WEBP", {"lossless": True}), ("GIF", {})]
    options += [("TIFF", {"compression": c}) for c in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits")]
    for kind, option in options:
        np.testing.assert_array_equal(levels(prepare(file(picture, kind, **option), COLOUR)), picture, kind)


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("JPEG", "RGB", {"quality": 95, "subsampling": 0}),
        ("JPEG", "CMYK", {"quality": 95, "subsampling": 0}),
        ("JPEG", "RGB", {"quality": 95, "subsampling": 0, "progressive": True}),
        ("WEBP", "RGB", {"quality": 95}),
        ("TIFF", "CMYK", {}),
        ("TIFF", "YCbCr", {}),
        ("TIFF", "LAB", {}),
        ("PNG", "P", {}),
        ("PNG", "RGBA", {}),
    ],
)
def test_every_colour_mode_shows_the_same_picture(kind, mode, options):
    if mode == "LAB":
        from PIL import ImageCms

        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        image = ImageCms.profileToProfile(Image.fromarray(flag()), srgb, lab, outputMode="LAB")
    else:
        image = Image.fromarray(flag())
        image = image.quantize(16) if mode == "P" else image.convert(mode)
    error = levels(prepare(file(image, kind, **options), COLOUR)).astype(int) - flag()
    assert np.abs(error).mean() < 6


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("PNG", (ramp() * 65535).round().astype(np.uint16), ramp()),
        ("TIFF", (ramp() * 65535).round().astype(np.uint16), ramp()),
        ("TIFF", (ramp() * 65535).round().astype(">u2"), ramp()),
        ("PNG", (ramp() * 4095).round().astype(np.uint16), ramp()),  # 12 bits in 16 must not become black
        ("TIFF", (ramp() * 65535).round().astype(np.int32), ramp()),
        ("TIFF", (ramp() * 7 - 3).astype(np.float32), ramp()),
        ("PNG", (ramp() * 255).round().astype(np.uint8), ramp()),
        ("PNG", (ramp() * 100).round().astype(np.uint16), ramp() * 100 / 255),  # 8 bits in 16 keep their scale
    ],
)
def test_every_bit_depth_spans_black_to_white(kind, values, expected):
    result = prepare(file(values, kind), GREY).picture[0, 0].numpy()
    np.testing.assert_allclose(result, expected, atol=1.01 / 255)


def test_one_bit_and_grey_alpha_pictures_are_read():
    bits = ramp() > 0.5
    for kind in ("PNG", "TIFF", "BMP", "GIF"):
        np.testing.assert_array_equal(prepare(file(Image.fromarray(bits), kind), GREY).picture[0, 0].numpy(), bits)
    opaque = Image.fromarray(np.rint(ramp() * 255).astype(np.uint8)).convert("LA")
    np.testing.assert_allclose(prepare(file(opaque), GREY).picture[0, 0].numpy(), ramp(), atol=0.51 / 255 + 1e-6)


def test_floats_that_are_not_numbers_do_not_spoil_the_rest():
    values = ramp().astype(np.float32)
    values[0, 0], values[0, 1], values[0, 2] = np.nan, np.inf, -np.inf
    values.view(np.uint32)[0, 3] = 0x7F800001  # a signalling NaN
    result = prepare(file(values, "TIFF"), GREY).picture[0, 0].numpy()
    np.testing.assert_allclose(result[1:], (ramp()[1:] - ramp()[0, 4]) / (1 - ramp()[0, 4]), atol=1.01 / 255)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_all_eight_exif_orientations_give_the_same_upright_picture(kind):
    upright = flag()
    flipped = upright.transpose(1, 0, 2)
    stored = [upright, upright[:, ::-1], upright[::-1, ::-1], upright[::-1]]
    stored += [flipped, np.rot90(upright, 1), flipped[::-1, ::-1], np.rot90(upright, -1)]
    lossy = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    for orientation, pixels in enumerate(stored, 1):
        exif = Image.Exif()
        exif[0x0112] = orientation
        prepared = prepare(file(np.ascontiguousarray(pixels), kind, exif=exif, **lossy), COLOUR)
        assert np.abs(levels(prepared).astype(int) - upright).mean() < (4 if kind == "JPEG" else 1e-9), orientation
        assert step(prepared, "orientation").applied == (orientation != 1)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_picture_is_taken_and_it_says_so(kind):
    frames = [Image.fromarray(flag()), Image.fromarray(255 - flag())]
    options = {"lossless": True} if kind == "WEBP" else {}
    prepared = prepare(file(frames[0], kind, save_all=True, append_images=frames[1:], **options), COLOUR)
    np.testing.assert_array_equal(levels(prepared), flag())
    assert "first picture of several" in step(prepared, "read").text
    assert "first" not in step(prepare(file(flag(), kind), COLOUR), "read").text


def test_an_avif_is_read():
    found = prepare(file(flag(), "AVIF", quality=100), COLOUR)
    assert found.steps[0].text == "Read an AVIF of 40 x 24 pixels"
    assert np.abs(levels(found).astype(int) - flag()).mean() < 6


@pytest.mark.parametrize(("mode", "size"), [("RGB", (3000, 2500)), ("RGBA", (2049, 4100)), ("L", (1500, 1100))])
def test_a_large_picture_shrinks_as_if_it_were_shrunk_in_one_piece(mode, size):
    channels = len(mode)
    pixels = np.random.default_rng(0).integers(0, 256, (*size[::-1], channels), np.uint8).squeeze()
    factor = max(size) // 1024
    whole = Image.fromarray(pixels).reduce(factor)
    scale = max(whole.size) / 1024
    if scale > 1:
        whole = whole.resize(tuple(round(n / scale) for n in whole.size), Image.Resampling.BOX)
    np.testing.assert_array_equal(np.asarray(shrink(Image.fromarray(pixels))), np.asarray(whole))


def test_a_film_behind_a_photo_does_not_count_as_its_scans():
    photo = file(np.kron(flag(), np.ones((125, 100, 1), np.uint8)), "JPEG")
    film = np.random.default_rng(0).integers(0, 256, 4_000_000, np.uint8).tobytes()
    assert film.count(b"\xff\xda") > 50
    assert (prepare(photo + film, COLOUR).picture == prepare(photo, COLOUR).picture).all()


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        (noisy("JPEG"), 2),
        (noisy("JPEG"), 1),
        (noisy("JPEG", progressive=True), 2),
        (noisy("PNG"), 12),
        (noisy("GIF"), 2),
        (noisy("BMP"), 3),  # a row of 51 pixels ends with 3 bytes that are none
    ],
)
def test_a_file_whose_last_bytes_are_missing_is_read_where_every_pixel_is_there(content, missing):
    assert np.array_equal(levels(prepare(content[:-missing], COLOUR)), levels(prepare(content, COLOUR)))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize("share", [0.9, 0.97])
def test_a_file_that_was_cut_off_is_called_that(kind, share):
    content = noisy(kind)
    with pytest.raises(ImageError, match="ends before the picture does"):
        prepare(content[: int(share * len(content))], COLOUR)
