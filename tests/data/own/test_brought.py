"""What is understood of the pictures that somebody brings: each kind of file, twins, classes by folder, and limits."""

import numpy as np
import pytest
from PIL import Image

from tests.data.own.uploads import as_file, noise, photos, read
from vae.data import own
from vae.data.own import suggested
from vae.data.own.made import prepared

GREY = Image.fromarray(noise(30, 30))
COLOURS = Image.fromarray(noise(30, 30, 3))
FILM = [GREY, Image.fromarray(noise(30, 30, seed=1))]
MODES = {
    "1": as_file(GREY.convert("1")),
    "L": as_file(GREY),
    "LA": as_file(GREY.convert("LA")),
    "P": as_file(COLOURS.quantize(16)),
    "RGB": as_file(COLOURS),
    "RGBA": as_file(COLOURS.convert("RGBA")),
    "I;16": as_file(Image.fromarray(noise(30, 30).astype(np.uint16) * 200)),
    "CMYK": as_file(COLOURS.convert("CMYK"), "JPEG"),
    "float": as_file(Image.fromarray(noise(30, 30).astype(np.float32) / 7), "TIFF"),
    "film": as_file(FILM[0], "GIF", save_all=True, append_images=FILM[1:]),
}


@pytest.mark.parametrize("mode", MODES)
def test_a_picture_of_each_mode_is_read(mode):
    found = read([("a", MODES[mode])])
    assert (len(found), found.refused) == (1, [])
    assert found.seen[0].size == (30, 30)
    assert found.seen[0].coloured == (mode in ("P", "RGB", "RGBA", "CMYK"))


@pytest.mark.parametrize("spec", [shape.spec(way) for shape in own.SHAPES.values() for way in shape.preparations][::2])
def test_pictures_of_all_modes_and_sizes_together_become_what_a_model_reads_or_a_sentence(spec):
    sizes = [("dot", as_file(noise(1, 1))), ("wide", as_file(noise(2, 200))), ("large", as_file(noise(1500, 900)))]
    found = read([*MODES.items(), *sizes])
    assert found.twins == [f"{one} once more." for one in ("LA is L", "RGBA is RGB", "float is L", "film is L")]
    assert len(found) == len(MODES) + len(sizes) - len(found.twins)
    assert found.refused == []
    for _, picture in prepared(found, spec):
        if isinstance(picture, str):
            assert picture.endswith(".")
        else:
            assert tuple(picture.shape) == spec.shape
    assert len(list(prepared(found, spec))) == len(found)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"hello", "not a PNG"),
        (as_file(noise(1, 20_000)), "too narrow"),
        (as_file(noise(20_000, 1)), "too narrow"),
        (as_file(Image.new("1", (10_000, 10_000))), "more than 36 million"),
        (as_file(noise(30, 30))[:700], "ends before"),
        (b"Rar!\x1a\x07\x01\0", "a RAR archive"),
        (b"%PDF-1.7", "a PDF"),
    ],
)
def test_a_file_that_is_no_good_costs_one_sentence_with_the_true_reason(content, why):
    found = read([("bad.png", content), ("good.png", as_file(noise(9, 9)))])
    assert [one.name for one in found.seen] == ["good.png"]
    (sentence,) = found.refused
    assert sentence.startswith("bad.png: ")
    assert why in sentence


def test_a_picture_is_as_large_as_its_file_says_and_as_wide_as_it_is_seen():
    turned = Image.Exif()
    turned[0x0112] = 6
    large = as_file(noise(1200, 1600), "JPEG"), as_file(noise(1200, 1600), "JPEG", exif=turned)
    assert [one.size for one in read([("a", large[0]), ("b", large[1])]).seen] == [(1600, 1200), (1200, 1600)]


def test_an_ending_that_lies_does_not_matter():
    found = read([("a.txt", as_file(noise(9, 9))), ("b.jpg", as_file(noise(9, 8), "GIF")), ("c.zip", MODES["RGB"])])
    assert [one.name for one in found.seen] == ["a.txt", "b.jpg", "c.zip"]


def test_the_same_picture_in_files_of_two_kinds_is_taken_once_and_in_two_sizes_is_two():
    same = noise(90, 90, 3)
    small = np.asarray(Image.fromarray(same).resize((60, 60)))
    found = read([("a.png", as_file(same)), ("b.bmp", as_file(same, "BMP")), ("c.png", as_file(small))])
    assert [one.name for one in found.seen] == ["a.png", "c.png"]
    assert found.twins == ["b.bmp is a.png once more."]


def test_a_picture_as_small_as_a_model_reads_it_is_kept_as_it_came():
    ((_, levels),) = prepared(read([("a", as_file(noise(28, 28)))]), own.SHAPES["bits-28"].spec("plain"))
    assert np.array_equal(levels[0].numpy(), noise(28, 28))
    ((_, levels),) = prepared(read([("a", as_file(noise(32, 32, 3)))]), own.SHAPES["colour-32"].spec("crop"))
    assert np.array_equal(levels.numpy(), noise(32, 32, 3).transpose(2, 0, 1))


def test_folders_are_classes_where_there_are_a_few_and_a_sentence_says_when_there_are_too_many():
    two = read([("cats/a.png", as_file(noise(9, 9))), ("dogs/b.png", as_file(noise(9, 9, seed=1)))])
    assert (two.class_names, two.labels.tolist(), two.unclassed) == (("cats", "dogs"), [0, 1], "")
    many = read([(f"{index}/a.png", as_file(noise(9, 9, seed=index))) for index in range(300)])
    assert (len(many), many.class_names, set(many.labels)) == (300, (), {0})
    assert many.unclassed == "Its 300 folders are no classes: of those there may be 40."
    assert read(photos(3)).unclassed == ""


def test_hostile_names_of_folders_are_kept_as_letters():
    hostile = ["<script>x</script>", "**b** [a](http://x)", "a\u202etxt", "\0", "x" * 500, "..", " "]
    found = read([(f"{name}/{n}.png", as_file(noise(9, 9, seed=n))) for n, name in enumerate(hostile)])
    assert [one.folder for one in found.seen] == [
        "script＞",  # the last folder of its path, in letters that are no HTML
        "x)",
        "a＼u202etxt",
        "＼x00",
        "x" * 200,
        "in no folder",
        " ",
    ]


def test_no_more_megapixels_are_decoded_than_are_allowed_and_those_before_count():
    files, _ = own.taken([(f"{n}.png", as_file(noise(1000, 1000, seed=n))) for n in range(4)])
    *_, found = own.brought(files, 1.5)
    assert [one.name for one in found.seen] == ["0.png", "1.png"]
    assert found.megapixels == pytest.approx(2)
    assert found.refused[0] == "2.png: the pictures before it had 2 megapixels, the most at once."
    *_, later = own.brought(files, 1.5, before=found.megapixels)
    assert (len(later), len(later.refused)) == (0, 4)


def test_what_came_one_after_the_other_is_what_had_come_at_once():
    files = [*photos(3, folder="a"), *photos(4, folder="b"), ("bad", b"hello")]
    at_once, whole = read(files), own.together([read(files[:2]), read(files[2:5]), read(files[5:])])
    assert whole.seen == at_once.seen
    assert whole.twins == at_once.twins == [f"b/{n}.png is a/{n}.png once more." for n in range(3)]
    assert (whole.refused, whole.megapixels) == (at_once.refused, pytest.approx(at_once.megapixels))
    assert np.array_equal(whole.bank.data, at_once.bank.data)


@pytest.mark.parametrize("pictures", [photos(30), [("a", as_file(np.zeros((9, 9), np.uint8)))]])
def test_something_is_suggested_for_all_that_can_be_read(pictures):
    shape, preparation = suggested(read(pictures))
    assert preparation in own.SHAPES[shape].preparations
