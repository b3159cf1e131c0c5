"""Banks: pictures of many sizes in one file, gathered from folders."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from vae import data
from vae.data import bank
from vae.data.__main__ import main
from vae.data.gathered.kinds import PARTS, SHARES, gather, part_of
from vae.data.idx import DataError
from vae.train.crops import Crops, squares
from vae.train.recipes import RECIPES


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def as_file(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


@pytest.fixture
def stored(tmp_path):
    sizes = [(20, 30), (40, 16), (8, 8), (64, 64)]
    pictures = [picture(*size, seed) for seed, size in enumerate(sizes)]
    about = {"kind": np.array(["a", "a", "a", "b"]), "part": np.array(["train"] * 4)}
    found = bank.bank(map(as_file, pictures), about | {"made": np.array("by chance"), "names": np.array(["a", "b"])})
    found.save(tmp_path / "bank.npz")
    return bank.load(tmp_path / "bank.npz"), pictures


def test_a_bank_gives_each_picture_and_what_is_said_of_it_back(stored):
    found, pictures = stored
    assert len(found) == 4
    for index, pixels in enumerate(pictures):
        assert np.array_equal(found.picture(index), pixels)
    assert set(found.about) == {"kind", "part"}
    some = found.some(np.array([3, 1]))
    assert np.array_equal(some.picture(0), pictures[3])
    assert some.about["kind"].tolist() == ["b", "a"]


def test_a_grey_picture_of_a_bank_has_three_equal_colours():
    grey = picture(9, 9)[..., 0]
    found = bank.bank([as_file(grey)], {}).picture(0)
    assert np.array_equal(found, np.repeat(grey[..., None], 3, 2))


@pytest.mark.parametrize(
    "arrays",
    [
        {"data": np.zeros(4, np.uint8)},
        {"data": np.zeros(4, np.uint8), "offsets": np.array([0, 3, 2, 4])},
        {"data": np.zeros(4, np.uint8), "offsets": np.array([0, 9])},
        {"data": np.zeros(4, np.uint8), "offsets": np.array([1, 4])},
        {"data": np.zeros(4, np.uint8), "offsets": np.zeros(0, np.int64)},
        {"data": np.zeros(4), "offsets": np.array([0, 4])},
        {"data": np.array([None]), "offsets": np.array([0, 1])},
    ],
)
def test_what_is_no_bank_is_refused_in_a_sentence(arrays, tmp_path):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(DataError, match=r"bad\.npz is no bank of pictures"):
        bank.load(tmp_path / "bad.npz")


@pytest.mark.parametrize("content", [b"", b"PK\3\4 and no more", b"plain text"])
def test_a_file_of_another_kind_is_no_bank(content, tmp_path):
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(DataError, match="no bank of pictures"):
        bank.load(tmp_path / "bad.npz")


@pytest.fixture
def folder(tmp_path, stored, monkeypatch):
    monkeypatch.setattr("vae.data.gathered.kinds.DRAWN", 3)
    found, _ = stored
    place = tmp_path / "mine"
    for kind in ("photos", "portraits", "icons"):
        (place / kind / "deep").mkdir(parents=True)
    (place / "photos" / "large.png").write_bytes(as_file(picture(40, 2100)))
    (place / "photos" / "deep" / "small.jpg").write_bytes(as_file(picture(40, 30), "JPEG"))
    (place / "photos" / "broken.jpg").write_bytes(b"\xff\xd8 and no more")
    (place / "photos" / "notes.txt").write_text("no picture")
    (place / "icons" / "one.png").write_bytes(as_file(picture(64, 64)))
    found.save(place / "portraits" / "all.npz")
    return place


def test_gathering_takes_what_can_be_read_makes_it_small_and_draws_sheets_of_icons(folder):
    found = gather(folder)
    kinds = found.about["kind"].tolist()
    assert [kinds.count(kind) for kind in ("photos", "portraits", "icons")] == [2, 4, 3]
    shapes = [found.picture(row).shape for row in range(len(found)) if kinds[row] == "photos"]
    assert sorted(shapes) == [(20, 1024, 3), (40, 30, 3)]
    assert set(found.about["part"].tolist()) <= set(PARTS)
    sheet = found.picture(kinds.index("icons"))
    assert sheet.shape == (384, 384, 3)
    assert np.array_equal(sheet, gather(folder).picture(kinds.index("icons")))


@pytest.mark.parametrize(("kind", "name"), [("fonts", "one.ttf"), ("icons", "one.png")])
def test_what_cannot_be_drawn_with_is_one_sentence_and_other_files_there_are_left_alone(kind, name, tmp_path):
    place = tmp_path / kind
    place.mkdir()
    (place / "licence.txt").write_text("no picture, and no typeface")
    with pytest.raises(DataError, match="There is no picture below"):
        gather(tmp_path)
    (place / name).write_bytes(b"neither is this")
    with pytest.raises(DataError, match=f"A file in .*{kind} cannot be drawn with"):
        gather(tmp_path)


def test_parts_are_decided_by_a_files_bytes_in_the_shares_that_are_said():
    parts = [part_of(str(number).encode()) for number in range(20_000)]
    for part, share in zip(PARTS, SHARES, strict=True):
        assert parts.count(part) / len(parts) == pytest.approx(share, abs=0.006)
    assert part_of(b"the same") == part_of(b"the same")


def test_the_command_gathers_into_the_cache_and_training_reads_it_from_there(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VAE_LAB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(DataError, match=r"python -m vae\.data fetch photos --from FOLDER"):
        data.load_bank("photos")
    assert main(["fetch", "photos", "--from", str(folder)]) == 0
    assert "3 icons, 2 photos, 4 portraits" in capsys.readouterr().out
    assert len(data.load_bank("photos")) == 9
    assert main(["list"]) == 0
    assert "artflow.ai" in capsys.readouterr().out


@pytest.mark.parametrize("given", [[], ["--from", "nowhere"]])
def test_without_a_folder_the_command_says_that_it_needs_one(given, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VAE_LAB_CACHE", str(tmp_path))
    assert main(["fetch", "photos", *given]) == 1
    assert "gathered from a folder of yours" in capsys.readouterr().err


def test_an_empty_folder_holds_no_picture(tmp_path):
    with pytest.raises(DataError, match="There is no picture below"):
        gather(tmp_path)


# ---- squares ----


def places_of(square: np.ndarray, pixels: np.ndarray) -> list[tuple[int, int]]:
    """Where in a picture a square comes from, mirrored or not."""
    side = square.shape[1]
    found = []
    for top in range(pixels.shape[0] - side + 1):
        for left in range(pixels.shape[1] - side + 1):
            here = pixels[top : top + side, left : left + side].transpose(2, 0, 1)
            if np.array_equal(here, square) or np.array_equal(here[:, :, ::-1], square):
                found.append((top, left))
    return found


def test_squares_are_parts_of_the_pictures_always_the_same_and_as_many_of_each_as_its_area(stored):
    found, pictures = stored
    crops = Crops(found, {"a": 1.0}, 16, 400)
    assert crops.shape == (400, 3, 16, 16)
    rows = torch.arange(400)
    squares = crops[rows]
    assert torch.equal(squares[7:9], crops[torch.tensor([7, 8])])
    origin = [next(index for index, one in enumerate(pictures) if places_of(square, one)) for square in squares.numpy()]
    assert set(origin) == {0, 1}  # the third is too small, the fourth of another kind
    assert origin.count(0) / 400 == pytest.approx(600 / (600 + 640), abs=0.08)
    tops = [places_of(square, pictures[1])[0][0] for square, one in zip(squares.numpy(), origin, strict=True) if one]
    assert min(tops) == 0
    assert max(tops) == 24


def test_kinds_come_as_often_as_their_weights_say_and_one_without_a_large_picture_is_named(stored):
    found, pictures = stored
    squares = Crops(found, {"a": 1.0, "b": 3.0}, 8, 400)[torch.arange(400)].numpy()
    of_b = sum(bool(places_of(square, pictures[3])) for square in squares)
    assert of_b / 400 == pytest.approx(0.75, abs=0.07)
    with pytest.raises(ValueError, match="no picture of kind 'a' with 64 pixels"):
        Crops(found, {"a": 1.0}, 64, 10)
    with pytest.raises(ValueError, match="no picture of kind 'c'"):
        Crops(found, {"c": 1.0}, 8, 10)


def test_a_recipe_is_trained_on_squares_of_one_part_and_validated_on_another(monkeypatch):
    pictures = [np.full((136, 136, 3), level, np.uint8) for level in (10, 200)]
    parts, mix = np.array(["train", "validation"]), data.BANKS["photos"].mix
    about = {
        "kind": np.repeat(np.array(list(mix)), 2),
        "part": np.tile(parts, len(mix)),
    }
    found = bank.bank([as_file(one) for _ in mix for one in pictures], about)
    monkeypatch.setattr(data, "load_bank", {"photos": found}.get)
    seen, held_out = squares(replace(RECIPES["photos"], held_out=64))
    assert (seen[torch.arange(20)] == 10).all()
    assert held_out.images.shape == (64, 3, 128, 128)
    assert (held_out.images == 200).all()
    assert len(squares(RECIPES["photos"])[1].images) == 0
