"""Folders and uploads: what is read of them, in which order, and a sentence about each file that is left out."""

import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pictures.archives import HOSTILE, archive, many, nameless, picture, zip64
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


def test_too_many_files_and_too_many_bytes_are_refused_before_they_are_unpacked():
    assert shelf.uploads([("many.zip", many(2 * shelf.MAX_FILES + 1))]) == (
        [],
        [f"many.zip: The archive has too many files; at most {shelf.MAX_FILES} can be read."],
    )
    large = archive(*((f"{index}.png", bytes(900_000)) for index in range(3)))
    assert shelf.uploads([("large.zip", large)], most_bytes=2_000_000) == (
        [],
        ["large.zip: unpacked it would have more than 2 MB."],
    )
    files, refused = shelf.uploads([(f"{seed}.png", picture(seed)) for seed in range(5)], 3)
    assert [file.name for file in files] == ["0.png", "1.png", "2.png"]
    assert refused == ["Only the first 3 of 5 pictures are taken."]


def test_whoever_asks_for_more_gets_as_much_of_one_archive():
    files, refused = shelf.uploads([("many.zip", many(5001))], 5000)
    assert (len(files), refused) == (5000, ["Only the first 5,000 of 5,001 pictures are taken."])
    assert files[-1].name == "4999.png"


def test_two_hundred_thousand_entries_cost_a_sentence_and_little_time():
    entry = many(1)
    at, end = entry.index(shelf.ENTRY), entry.rindex(b"PK\x05\x06")
    start = time.process_time()
    files, refused = shelf.uploads([("many.zip", entry[:end] + entry[at:end] * 200_000 + entry[end:])], 5000)
    assert files == []
    assert refused == ["many.zip: The archive has too many files; at most 5,000 can be read."]
    assert time.process_time() - start < 1


def test_what_one_archive_may_hold_several_may_hold_together():
    half, rest = many(600, "{}.txt"), many(500, "{}.png", b"0")
    files, refused = shelf.uploads([("a.zip", half), ("b.zip", rest), ("c.png", picture())], most=500, most_bytes=499)
    assert refused == [
        "b.zip: The archive has too many files; at most 500 can be read.",
        "Only the first 500 of 601 pictures are taken.",
    ]
    assert {file.name for file in files} <= {f"{index}.txt" for index in range(600)}
    files, refused = shelf.uploads([("b.zip", rest), ("d.zip", rest)], most_bytes=900)
    assert (len(files), refused) == (500, ["d.zip: unpacked it would have more than 0 MB."])


@pytest.mark.parametrize("size", [26_000_000, 2**40, 2**63])
def test_a_size_that_an_entry_lies_about_costs_that_entry_and_no_other(size):
    files, refused = shelf.uploads([("odd.zip", zip64(size))])
    assert [file.name for file in files] == ["x.png"]
    assert refused == [f"lies.png: it has {size / 1e6:.0f} MB; at most 25 MB can be read."]


@pytest.mark.parametrize("damage", [{"cut": 30}, {"zeros": 30}, {"only": 4}])
def test_an_archive_that_is_cut_off_is_called_damaged_and_not_something_else(damage):
    whole = archive(("a.png", picture()))
    if "cut" in damage:
        content = whole[: -damage["cut"]]
    elif "zeros" in damage:
        content = whole[: -damage["zeros"]] + bytes(damage["zeros"])
    else:
        content = whole[: damage["only"]]
    assert shelf.uploads([("a.zip", content)]) == ([], ["a.zip: The archive is damaged and cannot be read."])


def test_two_files_of_one_name_are_both_read():
    with pytest.warns(UserWarning, match="Duplicate name"):
        content = archive(("a.png", picture()), ("a.png", picture(4)))
    files, refused = shelf.uploads([("twice.zip", content)])
    assert [file.name for file in files] == ["a.png", "a.png"]
    assert files[0].read() == picture()
    assert files[1].read() == picture(4)
    assert refused == []


def test_names_of_no_utf_8_and_of_ten_thousand_letters_are_shown_in_letters():
    content = archive(("ä.png", picture()), ("n" * 10_000 + ".png", picture(4)))
    names = [file.name for file in shelf.uploads([("a.zip", content.replace("ä".encode(), b"\xff\xfe"))])[0]]
    assert names == []  # it says that its names are UTF-8: the archive is damaged
    plain = archive(("aa.png", picture()), ("n" * 10_000 + ".png", picture(4))).replace(b"aa.png", b"\xff\xfe.png")
    names = [file.name for file in shelf.uploads([("a.zip", plain)])[0]]
    assert names == ["\\xa0■.png", "n" * (shelf.MAX_NAME - 4) + ".png"]


def test_a_file_knows_its_folder_however_long_the_names_are():
    deep = [f"{'d' * 300}/{'n' * length}.png" for length in (1, 2, 199)]
    content = archive(*((name, picture(seed)) for seed, name in enumerate(deep)))
    files, _ = shelf.uploads([("a.zip", content), ("cats/a.png", b""), ("../a.png", b""), ("b.png", b"")])
    assert [file.folder for file in files] == ["d" * shelf.MAX_NAME] * 3 + ["cats", "", ""]


def test_hidden_files_of_a_folder_are_passed_over_and_one_that_was_chosen_is_not():
    given = [(name, picture()) for name in ("in/.DS_Store", "in/a.png", "in/Thumbs.db", ".b.png")]
    assert [file.name for file in shelf.uploads(given)[0]] == ["in/a.png", ".b.png"]


@given(st.sampled_from([b"", *shelf.ARCHIVES, b"PK"]), st.binary(max_size=200))
@settings(deadline=None, max_examples=60, derandomize=True, database=None)
def test_any_bytes_are_files_or_sentences(start, content):
    files, refused = shelf.uploads([("x", start + content)])
    assert len(files) + len(refused) == 1
    read(files)


@given(st.data())
@settings(deadline=None, max_examples=150, derandomize=True, database=None)
def test_any_damage_to_an_archive_costs_sentences_and_nothing_else(drawing):
    content = bytearray(archive(("a.png", picture()), ("d/b.png", picture(4))))
    for _ in range(drawing.draw(st.integers(1, 5))):
        at = drawing.draw(st.integers(0, len(content) - 5))
        content[at : at + 2] = drawing.draw(st.binary(min_size=2, max_size=2) | st.sampled_from([b"\xff\xff", b"\0\0"]))
    files, refused = shelf.uploads([("x.zip", bytes(content))])
    found, more = read(files)
    assert len(found) + len(refused + more) >= 1
    assert all("\n" not in sentence for sentence in refused + more)


def test_names_keep_what_cannot_be_shown_in_letters():
    assert shelf.readable("a\x00\n\t\u202eb.png") == r"a\x00\n\t\u202eb.png"
    assert shelf.readable("x" * 5000) == "x" * shelf.MAX_NAME
    assert shelf.readable("\udcff" * 5000) == (r"\udcff" * 5000)[-shelf.MAX_NAME :]


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


def test_a_folder_of_a_hundred_thousand_files_is_not_looked_through(tmp_path):
    for index in range(300):
        (tmp_path / f"{index:03}.png").touch()
    files, refused = shelf.on_disk(tmp_path, 20)
    assert [file.name for file in files] == [f"{index:03}.png" for index in range(20)]
    assert refused == ["Only the first 20 pictures in the folder are taken."]
    files, refused = shelf.on_disk(tmp_path, 10)
    assert len(files) == 10
    assert refused == [
        "The folder has more than 200 files; the others are not looked at.",
        "Only the first 10 pictures in the folder are taken.",
    ]
    assert len(shelf.on_disk(tmp_path)[0]) == 300


def test_a_folder_is_read_in_the_order_of_its_names_and_only_as_far_as_is_taken(tmp_path, monkeypatch):
    for name in ("b/2.png", "a/c/1.png", "a.png", "b/1.png", "a/z.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    names = [file.name for file in shelf.on_disk(tmp_path)[0]]
    assert names == [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*.png"))]
    seen, scan = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: seen.append(path) or scan(path))
    assert len(shelf.on_disk(tmp_path, 1)[0]) == 1
    assert tmp_path / "b" not in seen


def test_a_folder_without_rights_costs_a_sentence_and_the_others_are_read(tmp_path, monkeypatch):
    (tmp_path / "locked").mkdir()
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "a.png").touch()
    scan = os.scandir

    def refusing(path):  # whoever runs the tests may have all rights
        if os.fspath(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    files, refused = shelf.on_disk(tmp_path)
    assert [file.name for file in files] == ["open/a.png"]
    assert refused == ["locked: the folder cannot be read: Permission denied."]


def test_links_to_folders_are_not_followed_in_circles(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").touch()
    (tmp_path / "in" / "round").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "self").symlink_to(tmp_path / "in" / "self")
    (tmp_path / "in" / "up").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "in" / "pipe")
    files, refused = shelf.on_disk(tmp_path / "in")
    assert [file.name for file in files] == ["a.png"]
    assert refused == [
        "pipe: it is no regular file, or one that cannot be looked at.",
        "self: it is a link to nothing.",
        "up: it is a link that leads out of the folder.",
    ]


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", picture()])
def test_a_file_that_is_neither_folder_nor_archive_is_refused_in_a_sentence(tmp_path, content):
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"^x\.csv is neither a folder nor a ZIP archive$"):
        shelf.on_disk(tmp_path / "x.csv")


def test_an_archive_on_disk_that_is_too_large_is_called_that(tmp_path, monkeypatch):
    monkeypatch.setattr(shelf, "MAX_ARCHIVE", 2**20)
    (tmp_path / "large.zip").write_bytes(archive(("a.png", picture())) + bytes(2**20))
    assert shelf.on_disk(tmp_path / "large.zip") == (
        [],
        ["large.zip: The archive has more than 1 MB, the most that can be read."],
    )
