"""Folders and uploads: what is read of them, in which order, and a sentence about each file that is left out."""

import pytest

from tests.pictures.archives import HOSTILE, archive, nameless, picture
from vae.models.spaces import Pictures
from vae.pictures import ImageError, prepare
from vae.pictures import files as shelf


def read(files: list[shelf.File]) -> tuple[list[str], list[str]]:
    """The names of the pictures that can be prepared, and a sentence about each other file."""
    found, refused = [], []
    for file in files:
        try:
            prepare(file.read(), Pictures())
            found.append(file.name)
        except ImageError as error:
            refused.append(f"{file.name}: {error}")
    return found, refused


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_bad_file_costs_one_sentence_and_the_others_are_read(kind):
    content, word = HOSTILE[kind]
    files, refused = shelf.uploads([("good.png", picture()), (f"{kind}.zip", content), ("too.png", picture(4))])
    found, more = read(files)
    assert found == ["good.png", "too.png"]
    (sentence,) = refused + more
    assert word in sentence
    assert "\n" not in sentence


def test_too_many_files_and_too_many_bytes_are_refused_before_they_are_unpacked(monkeypatch):
    many = archive(*((f"{index}.png", b"") for index in range(2 * shelf.MAX_FILES + 1)))
    assert shelf.uploads([("many.zip", many)]) == (
        [],
        [f"many.zip: the archive has too many files; at most {shelf.MAX_FILES} can be read."],
    )
    large = archive(*((f"{index}.png", bytes(900_000)) for index in range(3)))
    monkeypatch.setattr(shelf, "MAX_TOTAL", 2_000_000)
    assert shelf.uploads([("large.zip", large)]) == ([], ["large.zip: unpacked it would have more than 2 MB."])
    monkeypatch.setattr(shelf, "MAX_FILES", 3)
    files, refused = shelf.uploads([(f"{seed}.png", picture(seed)) for seed in range(5)])
    assert [file.name for file in files] == ["0.png", "1.png", "2.png"]
    assert refused == ["Only the first 3 of 5 pictures are taken."]


def test_names_keep_what_cannot_be_shown_in_letters():
    assert shelf.readable("a\x00\n\t\u202eb.png") == r"a\x00\n\t\u202eb.png"
    assert len(shelf.readable("x" * 5000)) == shelf.MAX_NAME


def test_a_folder_is_read_below_but_not_beyond_and_what_is_left_out_is_named(tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "out.png"
    for deep in ("deep", ".ipynb_checkpoints"):
        (inside / deep).mkdir(parents=True)
        (inside / deep / "b.png").write_bytes(picture())
    outside.write_bytes(picture())
    (inside / "a.png").write_bytes(picture())
    (inside / "link.png").symlink_to(outside)
    (inside / "lost.png").symlink_to(tmp_path / "nowhere.png")
    (inside / "same.png").symlink_to(inside / "a.png")
    found, refused = shelf.on_disk(inside)
    assert [file.name for file in found] == ["a.png", "deep/b.png", "same.png"]
    assert refused == ["link.png: it is a link that leads out of the folder.", "lost.png: it is a link to nothing."]


def test_an_entry_without_a_name_costs_one_sentence():
    assert shelf.uploads([("odd.zip", nameless())]) == ([], ["odd.zip: it has no name."])
