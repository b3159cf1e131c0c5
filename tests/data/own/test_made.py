"""The data set that becomes of what was brought: how few pictures will do, what is held out, and what is left out."""

import numpy as np
import pytest
import torch

from tests.data.own.uploads import as_file, noise, photos, read
from vae.data import SHOWN, own
from vae.data.own import SHAPES, TooFew
from vae.data.own.made import MOST_HELD

COLOUR, DRAWING, FACE = SHAPES["colour-32"].spec("crop"), SHAPES["bits-28"].spec("drawing"), SHAPES["colour-64"]
BLACK = np.zeros((40, 40), np.uint8)


def blank(seed: int) -> np.ndarray:
    """Paper with nothing on it but the camera's noise."""
    return np.random.default_rng(seed).integers(228, 232, (60, 60), np.uint8)


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ([], "No picture"),
        (photos(1), "Only one picture"),
        (photos(1) * 2, "Only one picture"),
        (photos(19), "Only 19 pictures"),
        ([(f"{n}.png", as_file(BLACK)) for n in range(30)], "Only one picture"),
        ([("a/a.png", as_file(noise(9, 9))), ("b/b.png", as_file(noise(9, 9, seed=1)))], "Only 2 pictures"),
    ],
)
def test_too_few_pictures_are_refused_in_a_sentence_that_says_how_many_there_are(files, count):
    with pytest.raises(TooFew, match=f"^{count} can be used, and a network needs 20 to learn from"):
        own.made("x", read(files), COLOUR)


def test_twenty_pictures_will_do_and_are_parted_into_three():
    pictures, refused = own.made("x", read(photos(20)), COLOUR)
    assert refused == []
    assert [pictures.count(part) for part in ("validation", "train")] == [2, 16]
    assert pictures.tested == 2


def test_pictures_that_their_preparation_refuses_are_named_also_where_none_is_left():
    papers = [(f"{n}.png", as_file(blank(n))) for n in range(25)]
    with pytest.raises(TooFew, match=r"^No picture can be used") as error:
        own.made("x", read(papers), DRAWING)
    assert len(error.value.refused) == 25
    assert all(sentence.startswith(f"{n}.png: ") for n, sentence in enumerate(error.value.refused))
    pictures, refused = own.made("x", read([*papers[:3], *photos(25)]), COLOUR)
    assert (len(pictures.pictures.labels), refused) == (28, [])


def test_pictures_that_are_alike_but_for_noise_are_all_taken():
    found = read([(f"{n}.png", as_file(blank(n))) for n in range(30)])
    pictures, refused = own.made("x", found, COLOUR)
    assert (len(pictures.pictures.labels), refused) == (30, [])


def test_what_is_the_same_picture_only_as_it_is_read_is_taken_once_and_named():
    grey = [(f"{n}.png", as_file(noise(32, 32, seed=n))) for n in range(25)]
    tinted = [np.repeat(noise(32, 32, seed=n)[..., None], 3, 2) for n in range(2)]
    for picture in tinted:
        picture[..., 2] -= picture[..., 2] > 0  # by a ninth of a level of grey
    again = [(f"c{n}.png", as_file(picture)) for n, picture in enumerate(tinted)]
    pictures, refused = own.made("x", read(grey + again), SHAPES["bits-32"].spec("plain"))
    assert len(pictures.pictures.labels) == 25
    assert refused == [f"c{n}.png: as it is read it is {n}.png once more." for n in range(2)]


def test_a_class_of_one_picture_is_a_class():
    pictures, _ = own.made("x", read([*photos(20, folder="many"), ("one/a.png", as_file(noise(9, 9)))]), COLOUR)
    assert pictures.class_names == ("many", "one")
    assert pictures.pictures.labels.bincount().tolist() == [20, 1]


def test_the_same_pictures_are_the_same_set_whoever_brings_them_and_another_title_is_another():
    first, second = (own.made("x", read(photos(20)), COLOUR)[0] for _ in range(2))
    assert first.name == second.name
    assert own.opened(first) is own.opened(second) is first
    other = own.made("y", read(photos(20)), COLOUR)[0]
    assert other.name != first.name
    assert own.entitled(first, "y").name == other.name


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("<b>x</b> [a](http://x) **b**", "＜b＞x＜/b＞ ［a］(http：//x) ＊＊b＊＊"),
        ("a\u202eb\0\n", "a＼u202eb＼x00＼n"),
        ("x" * 5000, "x" * 40),
        ("", "My pictures"),
        ("  \u3000 ", "＼u3000"),
    ],
)
def test_a_title_is_letters_and_short(title, shown):
    assert own.made(title, read(photos(20)), COLOUR)[0].title == shown


def test_a_set_that_is_given_away_in_part_can_be_opened_however_large_it_was(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (30_000, 1, 1, 1), np.uint8)
    spec = own.SHAPES["bits-28"].spec("plain")
    small = torch.from_numpy(np.broadcast_to(images, (30_000, 1, 28, 28)).copy())
    large = own.own_set("x", (), spec, small, torch.zeros(30_000, dtype=torch.int64))
    assert large.tested == MOST_HELD
    own.save(large, tmp_path / own.FILE, shown_only=True)
    assert len(own.load(tmp_path / own.FILE).pictures.labels) == SHOWN


def test_a_preparation_that_a_shape_has_not_is_refused():
    with pytest.raises(ValueError, match="crop, face, not 'drawing'"):
        FACE.spec("drawing")
