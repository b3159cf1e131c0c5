"""IDX files among what is brought: which labels belong to which pictures, and a sentence about each other file."""

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.own.uploads import as_file, idx, noise, photos, read
from vae.data import own

IMAGES, LABELS = idx(noise(6, 5, 5)), idx(np.arange(6) % 3)
TRAIN, OF_TRAIN = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def classes(files: list) -> dict[str, str]:
    return {file.name: file.folder for file in files}


@pytest.mark.parametrize("zipped", [False, True])
def test_a_pair_is_known_by_its_content_and_becomes_pictures_in_folders(zipped):
    images, labels = idx(noise(6, 5, 5), zipped), idx(np.arange(6) % 3, zipped)
    assert own.is_idx(images)
    assert own.is_idx(labels)
    found, refused = own.taken([("a", images), ("b", labels)])
    assert refused == []
    assert [file.folder for file in found] == ["0", "1", "2", "0", "1", "2"]
    assert found[4].name == "1/a 4"
    assert np.array_equal(np.asarray(read(found).bank.picture(4))[..., 0], noise(6, 5, 5)[4])


@pytest.mark.parametrize(
    "content", [b"", b"\0\0\x08", as_file(noise(5, 5)), gzip.compress(b"hello"), b"\x1f\x8b", b"\0\0\x01\0\x01\0"]
)
def test_other_files_are_not_taken_for_one_of_a_pair(content):
    assert not own.is_idx(content)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ([("l", LABELS)], "Labels came without pictures: an IDX pair has a file of images beside one of labels."),
        (
            [("i", IMAGES), ("l", idx(np.arange(5)))],
            "i: no labels came for its 6 pictures alone, so they have no classes.",
        ),
        ([("i", IMAGES), ("l", idx(np.arange(5)))], "l: no pictures came for these labels."),
        ([("i", IMAGES[:-1])], "i: The IDX file claims 150 values and has fewer."),
        ([("i", IMAGES + b"x")], "i: The IDX file claims 150 values and has more."),
        ([("i", struct.pack(">HBBIII", 0, 8, 3, 9999, 9999, 9999))], "i: The IDX file is refused as too large"),
        ([("i", struct.pack(">HBBIII", 0, 8, 3, 9, 0, 9))], "i: The IDX file has no values"),
        ([("i", idx(noise(2, 3, 4, 4)))], "i: An IDX file of labels or pictures starts with 00000801 or 00000803"),
        ([("i", b"\0\0\x0d\x03" + bytes(99))], "i: An IDX file of labels or pictures starts with"),
        ([("i", gzip.compress(IMAGES)[:-9])], "i: The gzipped file is damaged"),
        ([("i", gzip.compress(IMAGES[:16] + bytes(2**26)))], "i: The IDX file claims 150 values and has more."),
        ([("i", IMAGES), ("i", IMAGES)], "i: there is another file of this name."),
    ],
)
def test_what_is_wrong_with_a_pair_is_said_in_one_sentence(files, sentence):
    _, refused = own.taken(files)
    assert sum(one.startswith(sentence) for one in refused) == 1
    assert len(refused) <= 2


def test_pictures_whose_labels_do_not_fit_are_taken_without_classes():
    found, _ = own.taken([("i", IMAGES), ("l", idx(np.arange(5)))])
    assert classes(found) == {f"i {n}": "" for n in range(6)}


def test_three_pairs_at_once_keep_their_own_labels_even_where_they_are_as_many():
    pairs = []
    for n, name in enumerate(("train", "t10k", "more")):
        pairs += [(f"{name}-images.idx3-ubyte", idx(noise(6, 5, 5, seed=n)))]
        pairs += [(f"{name}-labels.idx1-ubyte.gz", idx(np.full(6, n), True))]
    found, refused = own.taken(pairs[::-1])
    assert refused == []
    assert {(file.name.split("/")[1].split("-")[0], file.folder) for file in found} == {
        ("train", "0"),
        ("t10k", "1"),
        ("more", "2"),
    }


def test_labels_that_might_belong_to_several_are_given_to_none():
    found, refused = own.taken([("a", IMAGES), ("b", idx(noise(6, 5, 5, seed=1))), ("c", LABELS)])
    assert set(classes(found).values()) == {""}
    assert len(refused) == 3


def test_no_more_pictures_are_taken_than_may_be_however_they_come():
    found, refused = own.taken([*photos(3), ("i", IMAGES), ("l", LABELS)], 5)
    assert len(found) == 5
    assert refused == ["Of 6 pictures in IDX files the first 5 are taken.", "Only the first 5 of 8 pictures are taken."]


def test_colour_pictures_beside_a_pair_are_read_too():
    found = read([("i", idx(noise(6, 28, 28))), ("l", LABELS), *photos(4, folder="photos")])
    assert (len(found), found.refused) == (10, [])
    assert found.class_names == ("0", "1", "2", "photos")


@given(
    st.sampled_from([b"", b"\0\0\x08\x01", b"\0\0\x08\x03", b"\0\0\x08\x03\0\0\0\x01\0\0\0"]), st.binary(max_size=40)
)
@settings(deadline=None, max_examples=100, derandomize=True, database=None)
def test_any_bytes_are_pictures_or_sentences(start, content):
    files, refused = own.taken([("x", start + content), ("y", gzip.compress(start + content))], 9)
    assert len(files) + len(refused) >= 1
    found = read(files)
    assert len(found.seen) + len(found.refused) + len(found.twins) == len(files)
