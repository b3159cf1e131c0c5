"""Folders, archives and IDX pairs of any size: the same pictures whichever way they come, and nothing kept of them but
what a model reads."""

import gzip
import shutil

import numpy as np
import pytest
import torch

from tests.train.ones_own import folder, members
from vae.data import DataError, own
from vae.data.own import Brought
from vae.pictures.files import uploads

SPEC = own.SHAPES["bits-28"].spec("plain")


def idx(values: torch.Tensor) -> bytes:
    head = b"\0\0\x08" + bytes([values.ndim]) + b"".join(size.to_bytes(4, "big") for size in values.shape)
    return head + values.numpy().tobytes()


def pair(path, digits, zipped: bool = False):
    """60 digits and their places modulo 2, as MNIST is handed around."""
    path.mkdir()
    for kind, values in (("images-idx3", digits[:60, 0]), ("labels-idx1", (torch.arange(60) % 2).byte())):
        content = idx(values)
        name = f"train-{kind}-ubyte{'.gz' if zipped else ''}"
        (path / name).write_bytes(gzip.compress(content) if zipped else content)
    return path


def at_once(path):
    found = Brought()
    files, refused = own.found_in(path)
    return own.made("mine", found, SPEC, own.read_on(found, files)), found, refused


def test_what_is_prepared_picture_by_picture_is_what_is_prepared_of_copies_and_no_copy_is_kept(digits, tmp_path):
    (one, refused), found, _ = at_once(folder(tmp_path / "pictures", digits))
    files, _ = uploads(members(digits))
    *_, kept = own.brought(sorted(files, key=lambda file: file.name), 1e9)
    other, more = own.made("mine", kept, SPEC)
    assert one.name == other.name
    assert torch.equal(one.pictures.images, other.pictures.images)
    assert torch.equal(one.pictures.labels, other.pictures.labels)
    assert refused == more == []
    assert found.size == 0 < kept.size
    assert found.seen == kept.seen


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("asked", ["", "train-images-idx3-ubyte", "train-labels-idx1-ubyte"])
def test_an_idx_pair_is_found_in_its_folder_and_by_either_file(digits, tmp_path, zipped, asked):
    path = pair(tmp_path / "pair", digits, zipped)
    (made, _), found, refused = at_once(path / f"{asked}{'.gz' if asked and zipped else ''}")
    assert (made.class_names, len(found), refused) == (("0", "1"), 60, [])
    order = torch.randperm(60, generator=torch.Generator().manual_seed(1998))
    assert torch.equal(made.pictures.images, digits[:60][order])
    assert torch.equal(made.pictures.labels, order % 2)


def test_pictures_beside_an_idx_pair_are_taken_too(digits, tmp_path):
    path = pair(tmp_path / "pair", digits)
    folder(path / "more", digits[100:], 3)
    assert len(own.found_in(path)[0]) == 63


def test_a_link_in_a_folder_of_ones_own_is_followed_and_one_to_nothing_costs_a_sentence(digits, tmp_path):
    path, elsewhere = folder(tmp_path / "pictures", digits, 24), folder(tmp_path / "elsewhere", digits[30:], 1)
    (path / "a" / "link.png").symlink_to(elsewhere / "a" / "000.png")
    (path / "a" / "lost.png").symlink_to(tmp_path / "nowhere")
    (_, _), found, _ = at_once(path)
    assert len(found) == 25
    assert found.refused == ["a/lost.png: It cannot be read: No such file or directory."]


def test_a_thousand_members_of_an_archive_are_read_one_by_one(digits, tmp_path):
    path = tmp_path / "pictures"
    path.mkdir()
    levels = torch.arange(1200).view(-1, 1, 1, 1).expand(-1, 1, 28, 28)
    shades = torch.where(torch.arange(28 * 28).view(1, 1, 28, 28) < levels % 784, 255, levels // 784).byte()
    for name, content in members(shades, 1200):
        (path / name.replace("/", "-")).write_bytes(content)
    shutil.make_archive(str(path), "zip", path)
    files, refused = own.found_in(tmp_path / "pictures.zip")
    assert (len(files), refused) == (1200, [])
    assert files[7].read() == (path / files[7].name).read_bytes()


def test_the_suggestion_is_of_some_pictures_and_always_the_same(digits, tmp_path, monkeypatch):
    files, _ = own.found_in(folder(tmp_path / "pictures", digits))
    assert own.sampled(files) == own.sampled(files) == ("bits-28", "plain")
    with pytest.raises(DataError, match=r"^there is no picture that can be read$"):
        own.sampled([])


def test_no_more_than_a_thousand_are_held_out_for_either_use():
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (25_000, 1, 4, 4), np.uint8))
    spec = own.SHAPES["bits-28"].spec("plain")
    made = own.own_set("many", (), spec, images, torch.zeros(25_000, dtype=torch.int64))
    assert (made.tested, made.validated, made.count("train")) == (1000, 1000, 23_000)
