"""Galleries: which pictures are whose, the prepared file, and the archive on the web, which may mean harm."""

import hashlib
import io
import logging
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.data.mirror import serving
from vae import data
from vae.data import DATASETS, DataError, __main__, bank, download, gallery, splits
from vae.data.bank import Bank
from vae.data.catalogue import GALLERIES, PORTRAITS
from vae.data.gathered import archive
from vae.data.sets import Archive
from vae.models.spaces import Pictures

IDS = np.array([0, 0, 5, 6, 7, 8, 9, 9, 10, 11, 12, 13])  # some pictures share a number
TAGS = np.random.default_rng(3).random((12, 23)) < 0.3
SHOWN = np.arange(12) % 5 == 4
SIDE, BOX, KEPT = 32, (2, 0, 30, 28), 16
ORIGINAL = Path(__file__).parent / "bald-bearded-man-631461.jpg"


def photo(seed: int, side: int = SIDE) -> Image.Image:
    """A picture with coarse shapes in colour."""
    levels = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    return Image.fromarray(levels).resize((side, side), Image.Resampling.BICUBIC)


def file_of(picture: Image.Image, kind: str = "JPEG") -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, quality=95)
    return out.getvalue()


def prepared(**columns: np.ndarray) -> Bank:
    """The prepared file of the toy gallery, some columns changed."""
    files = [file_of(photo(row, KEPT), "WEBP") for row in range(len(IDS))]
    return bank.bank(files, {"ids": IDS, "tags": TAGS, gallery.SHOWN: SHOWN} | columns)


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return out.getvalue()


MEMBERS = {
    f"artflow-portraits-HEAD/{row % 10}/{row % 7}/Somebody-{row}-{number}.jpg": file_of(photo(row))
    for row, number in enumerate(IDS)
}
UNKNOWN = 6  # the row of a picture whose file nobody knows
KNOWN = [row for row in range(12) if row != UNKNOWN]


def index_of(members: dict[str, bytes]) -> None:
    """The toy gallery's index ships, with the checksums of these files."""
    checksums = np.array([archive.checksum(content) for content in members.values()], np.uint64)
    checksums[UNKNOWN] = 0
    known = {"ids": IDS.astype(np.int32), "tags": np.packbits(TAGS, axis=1), gallery.SHOWN: SHOWN}
    (splits.SHIPPED / "toy").mkdir(parents=True, exist_ok=True)
    np.savez(splits.SHIPPED / "toy" / "index.npz", **known, checksums=checksums)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache for a gallery of twelve pictures called "toy", whose archive is nowhere."""
    where = Archive("http://127.0.0.1:1/HEAD.zip", SIDE, BOX, KEPT)
    toy = replace(PORTRAITS, name="toy", spec=Pictures(3, 8, 8, 256, "crop"), pictures=12, held_out=3, archive=where)
    monkeypatch.setitem(DATASETS, "toy", toy)
    monkeypatch.setitem(GALLERIES, "toy", toy)
    monkeypatch.setitem(data.SETS, "toy", toy)
    monkeypatch.setattr(splits, "SHIPPED", tmp_path / "shipped")
    index_of(MEMBERS)
    monkeypatch.setattr(download, "PAUSE", 0.001)
    monkeypatch.setenv("VAE_LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "cache" / "data" / "toy"


@pytest.fixture
def serve(cache, monkeypatch):
    """Gives the toy gallery an archive; its server's script says what fails before."""
    started = []

    def start(content: bytes, *steps: str):
        server = serving({"/HEAD.zip": content}, {"another": zipped({"Somebody-else-99.jpg": file_of(photo(99))})})
        started.append(server)
        mirror = server.__enter__()
        mirror.script["/HEAD.zip"] = list(steps)
        there = replace(DATASETS["toy"].archive, url=f"{mirror.url}HEAD.zip")
        monkeypatch.setitem(DATASETS, "toy", replace(DATASETS["toy"], archive=there))
        return mirror

    yield start
    for server in started:
        server.__exit__(None, None, None)


# ---- which pictures are whose ----


@pytest.fixture(scope="module")
def all_of_them() -> Bank:
    """The whole gallery that the project's index names, without any picture's bytes."""
    return Bank(np.zeros(0, np.uint8), np.zeros(PORTRAITS.pictures + 1, np.int64), archive.index(PORTRAITS).columns)


def test_training_has_none_of_the_pictures_that_are_held_out_or_shown(all_of_them):
    parts = {part: set(rows.tolist()) for part, rows in gallery.parts(PORTRAITS, all_of_them).items()}
    assert len(parts["held out"]) == PORTRAITS.held_out
    assert len(parts["test"]) == PORTRAITS.shown
    assert not parts["train"] & (parts["held out"] | parts["test"])
    assert parts["train"] | parts["held out"] | parts["test"] == set(range(PORTRAITS.pictures))


def test_the_same_pictures_are_held_out_where_some_are_missing(all_of_them):
    there = np.sort(np.random.default_rng(1).permutation(PORTRAITS.pictures)[:15_000])
    some = Bank(
        np.zeros(0, np.uint8),
        np.zeros(15_001, np.int64),
        {name: values[there] for name, values in all_of_them.about.items()} | {gallery.ROW: there},
    )
    whole, found = gallery.parts(PORTRAITS, all_of_them), gallery.parts(PORTRAITS, some)
    for part in ("train", "held out", "test"):
        assert there[found[part]].tolist() == np.intersect1d(whole[part], there).tolist()


def test_a_bank_that_does_not_say_what_is_missing_or_may_be_shown_has_no_parts(all_of_them):
    with pytest.raises(DataError, match="are 20,545 pictures, not 20,544"):
        gallery.parts(PORTRAITS, all_of_them.some(np.arange(1, PORTRAITS.pictures)))
    with pytest.raises(DataError, match="a column 'neutral_prompt'"):
        gallery.parts(PORTRAITS, replace(all_of_them, about={}))


def test_what_ships_is_what_the_index_says_may_be_shown(all_of_them):
    path = splits.SHIPPED / "portraits" / "portraits.npz"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == PORTRAITS.digest
    shipped, shown = bank.load(path), np.flatnonzero(all_of_them.about[gallery.SHOWN])
    assert shipped.about["ids"].tolist() == all_of_them.about["ids"][shown].tolist()
    assert np.array_equal(shipped.about["tags"], all_of_them.about["tags"][shown])


def test_the_test_set_ships_and_each_of_its_pixels_is_the_mean_of_four(monkeypatch, tmp_path):
    monkeypatch.setenv("VAE_LAB_CACHE", str(tmp_path))
    split = data.load("portraits", "test")
    assert split.images.shape == (PORTRAITS.shown, 3, 64, 64)
    assert split.images.dtype == torch.uint8
    shipped = bank.load(splits.SHIPPED / "portraits" / "portraits.npz")
    for row in (0, 700, 1337):
        means = shipped.picture(row).reshape(64, 2, 64, 2, 3).mean((1, 3)).transpose(2, 0, 1)
        assert np.abs(split.images[row].numpy() - means).max() <= 1  # rounded once in each direction


# ---- the prepared file ----


def test_a_prepared_file_is_copied_whole_and_trained_on(cache, tmp_path, capsys):
    given = tmp_path / "given.npz"
    prepared().save(given)
    with pytest.raises(DataError, match=r"run `python -m vae\.data fetch toy`"):
        data.load("toy", "train")
    assert __main__.main(["fetch", "toy", "--from", str(given)]) == 0
    assert [path.name for path in cache.iterdir()] == ["toy.npz"]
    assert (cache / "toy.npz").read_bytes() == given.read_bytes()
    train = gallery.parts(DATASETS["toy"], prepared())["train"]
    images = data.load("toy", "train").images
    assert images.shape == (len(train), 3, 8, 8)
    means = prepared().picture(int(train[0])).reshape(8, 2, 8, 2, 3).mean((1, 3)).transpose(2, 0, 1)
    assert np.abs(images[0].numpy() - means).max() <= 1  # rounded once in each direction
    capsys.readouterr()
    assert __main__.main(["list"]) == 0
    (said,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("toy "))
    assert said.endswith("CC BY 4.0: fetched")


def with_bytes(row: int, content: bytes) -> Bank:
    whole = prepared()
    return bank.bank([content if row == other else whole.content(other) for other in range(12)], whole.about)


ROWS = gallery.ROW
REFUSED = {
    "too few": (lambda: prepared().some(np.arange(11)), "holds 11 pictures, and portraits are 12"),
    "no say in what is shown": (
        lambda: bank.bank([prepared().content(0)] * 12, {"ids": IDS}),
        "lacks the column 'neutr",
    ),
    "no numbers": (lambda: bank.bank([prepared().content(0)] * 12, {gallery.SHOWN: SHOWN}), "lacks the column 'ids'"),
    "another order": (lambda: prepared(ids=IDS[::-1].copy()), "its ids are not those of the index"),
    "others shown": (lambda: prepared(neutral_prompt=~SHOWN), "its neutral_prompt are not those of the index"),
    "a picture twice": (lambda: prepared(row=np.zeros(12, np.int64)), "its column 'row' is not in order"),
    "rows of no number": (lambda: prepared(row=np.linspace(0, 11, 12)), "its column 'row' is not in order"),
    "a row too many": (lambda: prepared(row=np.arange(1, 13)), "are 12 only"),
    "a damaged picture": (lambda: with_bytes(5, b"RIFF and no more"), "picture 5 cannot be read"),
    "no picture": (lambda: with_bytes(11, b""), "picture 11 cannot be read: The file is empty"),
    "a large picture": (lambda: with_bytes(3, file_of(photo(3, 64), "PNG")), "of 64 x 64 pixels, not 16 x 16"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_another_or_a_damaged_file_is_refused_in_a_sentence_and_nothing_is_lost(case, cache, tmp_path, capsys):
    make, says = REFUSED[case]
    prepared().save(cache / "toy.npz")
    before = (cache / "toy.npz").read_bytes()
    make().save(tmp_path / "given.npz")
    assert __main__.main(["fetch", "toy", "--from", str(tmp_path / "given.npz")]) == 1
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
    assert (cache / "toy.npz").read_bytes() == before


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "is not there"),
        (b"", "no .npz file"),
        (b"\x89PNG", "no .npz file"),
        (b"PK\3\4 cut", "no bank of pictures"),
    ],
)
def test_a_missing_or_foreign_file_is_one_sentence(content, says, cache, tmp_path, capsys):
    given = tmp_path / "given.npz"
    if content is not None:
        given.write_bytes(content)
    assert __main__.main(["fetch", "toy", "--from", str(given)]) == 1
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
    assert not list(cache.iterdir())


def test_a_folder_in_place_of_the_file_is_called_one(cache, tmp_path):
    with pytest.raises(DataError, match="is a folder, not a file"):
        data.fetch("toy", tmp_path)


def test_a_bank_that_would_fill_the_memory_is_refused_unread(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(bank, "MAX_BYTES", 2**20)
    np.savez_compressed(tmp_path / "bomb.npz", data=np.zeros(2**21, np.uint8), offsets=np.array([0, 2**21]))
    with pytest.raises(DataError, match="would take more than"):
        data.fetch("toy", tmp_path / "bomb.npz")


def test_a_full_disk_is_one_sentence_and_leaves_what_was_there(cache, tmp_path, monkeypatch):
    prepared().save(cache / "toy.npz")
    before = (cache / "toy.npz").read_bytes()
    prepared().save(tmp_path / "given.npz")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download.shutil, "copyfile", full)
    with pytest.raises(DataError, match=r"toy\.npz cannot be written: No space left on device"):
        data.fetch("toy", tmp_path / "given.npz")
    assert (cache / "toy.npz").read_bytes() == before
    assert len(list(cache.iterdir())) == 1


# ---- the archive ----


def test_the_archive_becomes_the_bank_of_the_pictures_that_the_index_knows(cache, serve, caplog):
    caplog.set_level(logging.INFO)
    names = list(MEMBERS)
    more = {"portraits-HEAD/README.md": b"# 45", "x/Nobody-77.jpg": file_of(photo(99)), "x/Again-12.jpg": b"x"}
    more["x/Copy-99.jpg"] = MEMBERS[names[0]]
    mirror = serve(zipped({name: MEMBERS[name] for name in names[::-1] if name != names[4]} | more))
    assert data.fetch("toy") == cache
    found, rows = data.load_bank("toy"), [row for row in KNOWN if row != 4]
    assert found.about[ROWS].tolist() == rows
    assert found.about["ids"].tolist() == IDS[rows].tolist()
    assert np.array_equal(found.about["tags"], TAGS[rows])
    assert found.about[gallery.SHOWN].tolist() == SHOWN[rows].tolist()
    left, top, right, bottom = BOX
    cut = [np.asarray(photo(row))[top:bottom, left:right] for row in range(12)]
    small = np.stack([Image.fromarray(picture).resize((KEPT, KEPT)) for picture in cut]).astype(float)
    for place, row in enumerate(rows):
        distances = np.abs(found.picture(place) - small).mean((1, 2, 3))
        assert distances.argmin() == row
        assert distances[row] < 10  # WebP halves the places of colours
    assert "Left out: 3 that are none of them" in caplog.text
    assert "Left out: 1 that are there once more" in caplog.text
    assert "10 of 12 portraits are here" in caplog.text
    assert [path.name for path in cache.iterdir()] == ["toy.npz"]
    data.fetch("toy")
    assert len(mirror.asked) == 1, "what is here needs no network"


def test_the_index_knows_the_files_of_all_portraits_but_three():
    checksums = archive.index(PORTRAITS).checksums
    assert (checksums == 0).sum() == 3
    assert len(np.unique(checksums)) == PORTRAITS.pictures - 2


def test_a_damaged_index_is_one_sentence(cache, serve):
    serve(zipped(MEMBERS))
    (splits.SHIPPED / "toy" / "index.npz").write_bytes(b"PK\3\4 and no more")
    with pytest.raises(DataError, match=r"The index .* is damaged"):
        data.fetch("toy")


def test_a_picture_of_the_archive_becomes_the_prepared_files(tmp_path):
    """The original of one that ships: cut, made small and written anew it is what ships."""
    number = int(ORIGINAL.stem.split("-")[-1])
    (tmp_path / "one.zip").write_bytes(zipped({"portraits-HEAD/images/61/any.jpg": ORIGINAL.read_bytes()}))
    found, _ = archive.unpacked(PORTRAITS, tmp_path / "one.zip")
    shipped = bank.load(splits.SHIPPED / "portraits" / "portraits.npz")
    (row,) = np.flatnonzero(shipped.about["ids"] == number)
    assert len(found) == 1
    assert np.array_equal(found.about["tags"][0], shipped.about["tags"][row])
    assert np.abs(found.picture(0).astype(int) - shipped.picture(int(row))).max() <= 2


def test_what_is_damaged_too_large_or_of_another_size_is_left_out_and_counted(cache, serve, caplog):
    """Even where its checksum is the index's."""
    caplog.set_level(logging.INFO)
    members = list(MEMBERS.values())
    members[2] = b"\xff\xd8 and no more"
    members[3] = members[3][:200]
    members[4] = bytes(archive.SMALL + 1)  # a bomb: a thousandth of it when packed
    members[5] = file_of(photo(5, 64))
    members[8] = b""
    members = dict(zip(MEMBERS, members, strict=True))
    index_of(members)
    content = bytearray(zipped(members))
    for marker, flags in ((b"PK\1\2", 8), (b"PK\3\4", 6)):  # the last one is said to be encrypted
        content[content.rindex(marker) + flags] |= 1
    serve(bytes(content))
    data.fetch("toy")
    assert data.load_bank("toy").about[ROWS].tolist() == [0, 1, 7, 9, 10]
    assert "Left out: 6 that cannot be read" in caplog.text
    assert "Left out: 1 that are none of them" in caplog.text


def test_a_file_with_a_byte_changed_is_left_out(cache, tmp_path):
    packed = bytearray(zipped(MEMBERS))
    packed[packed.index(b"Somebody-5-8.jpg") + 40] ^= 0xFF  # in the archive: ZIP's own checksum tells
    (tmp_path / "some.zip").write_bytes(packed)
    found, left_out = archive.unpacked(DATASETS["toy"], tmp_path / "some.zip")
    assert found.about[ROWS].tolist() == [row for row in KNOWN if row != 5]
    assert left_out == {archive.DAMAGED: 1, archive.OTHERS: 1}
    changed = {
        name: content[:-1] + b"?" if row == 5 else content for row, (name, content) in enumerate(MEMBERS.items())
    }
    (tmp_path / "some.zip").write_bytes(zipped(changed))  # before it was packed: the index' tells
    found, left_out = archive.unpacked(DATASETS["toy"], tmp_path / "some.zip")
    assert found.about[ROWS].tolist() == [row for row in KNOWN if row != 5]
    assert left_out == {archive.OTHERS: 2}


def test_a_bomb_takes_no_memory(cache, tmp_path):
    bomb = {name: bytes(2**26) if row == 2 else content for row, (name, content) in enumerate(MEMBERS.items())}
    (tmp_path / "bomb.zip").write_bytes(zipped(bomb))
    tracemalloc.start()
    try:
        found, left_out = archive.unpacked(DATASETS["toy"], tmp_path / "bomb.zip")
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()
    assert len(found) == len(KNOWN) - 1
    assert left_out[archive.DAMAGED] == 1


def test_an_archive_that_is_too_large_unpacked_is_refused(cache, serve, monkeypatch):
    content = zipped(MEMBERS | {"x/large.jpg": bytes(900_000)})
    monkeypatch.setattr(archive, "MAX_ARCHIVE", 500_000)
    assert len(content) < 500_000
    serve(content)
    with pytest.raises(DataError, match="unpacked it would have more than"):
        data.fetch("toy")


def test_an_archive_of_too_many_files_is_refused(cache, serve, monkeypatch):
    monkeypatch.setattr(archive, "MAX_MEMBERS", 11)
    serve(zipped(MEMBERS))
    with pytest.raises(DataError, match="has more than 11 files"):
        data.fetch("toy")
    assert not list(cache.iterdir())


def test_a_cut_download_goes_on_where_it_stopped_and_an_error_is_tried_again(cache, serve):
    content = zipped(MEMBERS)
    mirror = serve(content, "cut", "500")
    data.fetch("toy")
    assert [wanted for _, wanted in mirror.asked] == [None, *[f"bytes={len(content) // 2}-"] * 2]
    assert data.load_bank("toy").about[ROWS].tolist() == KNOWN


def test_a_server_that_knows_no_ranges_is_asked_for_all_of_it_again(cache, serve):
    serve(zipped(MEMBERS), "cut", "ignore range")
    data.fetch("toy")
    assert data.load_bank("toy").about[ROWS].tolist() == KNOWN


@pytest.mark.parametrize(
    ("content", "steps", "says"),
    [
        (b"", (), "is no archive that can be read"),
        (b"no archive", (), "is no archive that can be read"),
        (zipped(MEMBERS)[:-30], (), "is no archive that can be read"),
        (zipped({"README.md": b"nothing else"}), (), "has none of the portraits"),
        (zipped(MEMBERS), ("another",), "has none of the portraits"),
        (zipped(MEMBERS), ("404",), "HTTP 404"),
    ],
)
def test_what_is_no_archive_of_portraits_is_one_sentence_with_the_way_out(content, steps, says, cache, serve, capsys):
    serve(content, *steps)
    assert __main__.main(["fetch", "toy"]) == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    for part in ("Portraits cannot be had: ", says, "`python -m vae.data fetch toy --from FILE`"):
        assert part in said
    assert not list(cache.iterdir())


def test_an_endless_download_is_stopped(cache, serve, monkeypatch):
    monkeypatch.setattr(archive, "MAX_ARCHIVE", 1000)
    serve(zipped(MEMBERS))
    with pytest.raises(DataError, match="more than 1000 bytes"):
        data.fetch("toy")
    assert not list(cache.iterdir())


def test_unpacking_that_was_stopped_does_not_download_again(cache, serve, monkeypatch):
    mirror = serve(zipped(MEMBERS))

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(archive, "_small", stop)
        assert __main__.main(["fetch", "toy"]) == 130
    assert __main__.main(["fetch", "toy"]) == 0
    assert len(mirror.asked) == 1
    assert data.load_bank("toy").about[ROWS].tolist() == KNOWN


def test_a_damaged_bank_in_the_cache_is_made_anew(cache, serve):
    serve(zipped(MEMBERS))
    data.fetch("toy")
    whole = (cache / "toy.npz").read_bytes()
    (cache / "toy.npz").write_bytes(whole[:-100])
    with pytest.raises(DataError, match="no bank of pictures"):
        data.load("toy", "train")
    data.fetch("toy")
    assert (cache / "toy.npz").read_bytes()[:100] == whole[:100]
    assert data.load_bank("toy").about[ROWS].tolist() == KNOWN
