"""Files that may run code, or that would cost too much to open: refused before anything reads them, with a sentence."""

import io
import json
import pickle
import tarfile
import time
import zipfile

import pytest
import torch
from safetensors.torch import save_file

import vae
from vae.models import VAE, checkpoint, guard
from vae.models.guard import ENDINGS, MOST_ENTRIES, MOST_HEADER, check
from vae.models.spaces import Pictures

WAYS = {"load": vae.load, "checkpoint": checkpoint.load, "head": checkpoint.head, "read": checkpoint.read}
EVERY_WAY = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


class Trap:
    """A pickle that leaves a mark where it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def pickled(trap: Trap, protocol: int) -> bytes:
    return pickle.dumps({"weight": [trap]}, protocol)


def saved(trap: Trap, as_zip: bool) -> bytes:
    file = io.BytesIO()
    torch.save({"weight": torch.zeros(2), "trap": trap}, file, _use_new_zipfile_serialization=as_zip)
    return file.getvalue()


def zipped(**contents: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return file.getvalue()


def tarred(content: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        entry = tarfile.TarInfo("weights.pkl")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


CODE = {
    **{f"pickle {protocol}": (lambda trap, p=protocol: pickled(trap, p), "is a pickle") for protocol in range(6)},
    "torch.save": (lambda trap: saved(trap, True), "is a pickle"),
    "torch.save of old": (lambda trap: saved(trap, False), "is a pickle"),
    "TorchScript": (
        lambda trap: zipped(**{"m/data.pkl": pickled(trap, 2), "m/code/__torch__.py": b"import os"}),
        "is a program",
    ),
    "pt2": (lambda trap: zipped(**{"m/models/model.json": b"{}", "m/x.pt": saved(trap, True)}), "is a program"),
    "zip": (lambda trap: zipped(readme=b"nothing"), "is an archive"),
    "empty zip": (lambda trap: zipped(), "is an archive"),
    "tar": (lambda trap: tarred(pickled(trap, 2)), "is an archive"),
    "gzip": (lambda trap: b"\x1f\x8b\x08\x00" + bytes(20), "is an archive"),
    "HDF5": (lambda trap: b"\x89HDF\r\n\x1a\n" + bytes(100), "is an HDF5"),
    "ONNX": (lambda trap: b"\x08\x09\x12\x07pytorch\x1a\x052.13.0" + bytes(100), "is an ONNX program"),
    "NumPy": (lambda trap: b"\x93NUMPY\x01\x00" + bytes(100), "is a NumPy file"),
}


@EVERY_WAY
@pytest.mark.parametrize(("make", "reason"), CODE.values(), ids=CODE)
def test_what_may_run_code_is_known_by_its_content_and_nothing_is_run(make, reason, way, tmp_path):
    path, mark = tmp_path / "model.safetensors", tmp_path / "mark"
    path.write_bytes(make(Trap(mark)))
    with pytest.raises(ValueError, match=f"not read: it {reason}.*may run code when it is opened. .*safetensors"):
        way(path)
    assert not mark.exists()


def test_the_trap_is_one():
    for protocol in range(6):
        trap = pickled(Trap("/nowhere/mark"), protocol)
        with pytest.raises(FileNotFoundError):
            pickle.loads(trap)


@pytest.mark.parametrize("ending", [*ENDINGS, ".PT", ".Ckpt"])
def test_what_may_run_code_is_known_by_its_ending_whatever_it_holds(ending, tmp_path):
    path = tmp_path / f"model{ending}"
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match="may run code when it is opened") as refusal:
        vae.load(path)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 300 + len(str(path))


@pytest.mark.parametrize("folder", ["", "vae"])
def test_a_folder_with_nothing_but_such_files_is_told_so(folder, tmp_path):
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / "config.json").write_text("{}")
    (tmp_path / folder / "diffusion_pytorch_model.bin").write_bytes(saved(Trap(tmp_path / "mark"), True))
    with pytest.raises(ValueError, match=r"diffusion_pytorch_model.bin is not read: it is a pickle"):
        vae.load(tmp_path)
    assert not (tmp_path / "mark").exists()


def test_a_header_as_long_as_a_pickles_first_bytes_say_is_a_header_all_the_same(tmp_path):
    path, length = tmp_path / "model.safetensors", int.from_bytes(b"\x80\x04", "little")
    header = json.dumps({"weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode().ljust(length)
    path.write_bytes(length.to_bytes(8, "little") + header + bytes(4))
    assert path.read_bytes()[:2] == b"\x80\x04"
    check(path)
    assert checkpoint.read(path)[1]["weight"] == torch.zeros(1)


def headed(length: int, header: bytes) -> bytes:
    return length.to_bytes(8, "little") + header


def entry(name: str) -> str:
    return f'"{name}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'


def entries(count: int) -> bytes:
    return ("{" + ",".join(entry(format(number, "x")) for number in range(count)) + "}").encode()


HOSTILE = {
    "nothing": (lambda: b"", "does not begin with a header"),
    "7 bytes": (lambda: bytes(7), "does not begin with a header"),
    "no header": (lambda: bytes(8), "does not begin with a header"),
    "2**63": (lambda: headed(2**63, b'{"a":1}'), "does not begin with a header"),
    "2**64 - 1": (lambda: headed(2**64 - 1, b"{}"), "does not begin with a header"),
    "beyond the file": (lambda: headed(1000, b"{}"), "does not begin with a header"),
    "longest": (lambda: headed(MOST_HEADER + 1, b"{" * (MOST_HEADER + 1)), "header has 4,194,305 bytes, of at most"),
    "1,000,000 entries": (lambda: headed(len(entries(10**6)), entries(10**6)), "header has [0-9,]+ bytes, of at most"),
    "20,001 entries": (
        lambda: headed(len(entries(MOST_ENTRIES + 1)), entries(MOST_ENTRIES + 1)),
        "header has 20,001 entries, of at most 20,000",
    ),
    "deep": (lambda: headed(10**6, b'{"a":' + b"[" * (10**6 - 5)), "header is not JSON"),
    "no JSON": (lambda: headed(8, b"{nothing"), "header is not JSON"),
    "no UTF-8": (lambda: headed(7, b'{"\xff\xfe":1'), "header is not JSON"),
    "a long number": (lambda: headed(10**5 + 6, b'{"a":' + b"9" * 10**5 + b"}"), "header is not JSON"),
    "no tensors": (lambda: headed(7, b'{"a":1}'), "'a' is not a tensor"),
    "tensors beyond the file": (
        lambda: headed(60, b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}'.ljust(60)),
        "not a readable safetensors file",
    ),
    "an overflowing shape": (
        lambda: headed(99, b'{"a":{"dtype":"F32","shape":[4611686018427387904,8],"data_offsets":[0,0]}}'.ljust(99)),
        "not a readable safetensors file",
    ),
}


def described(dtype: str, shape: list, size: int, name: str = "a") -> bytes:
    header = json.dumps({name: {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}}).encode()
    return headed(len(header), header) + bytes(size)


HOSTILE |= {
    "complex": (lambda: described("C64", [2], 16), "'a' is not a tensor of whole or floating-point numbers"),
    "packed": (lambda: described("F4", [2, 4], 4), "'a' is not a tensor of whole or floating-point numbers"),
    "no type": (lambda: described(["F32"], [1], 4), "'a' is not a tensor of whole or floating-point numbers"),
    "no shape": (lambda: described("F32", None, 4), "'a' is not a tensor of whole or floating-point numbers"),
    "a side that overflows": (lambda: described("F32", [2**63, 0], 0), "'a' is not a tensor"),
    "many sides": (lambda: described("F32", [1] * 500, 4), "numbers with at most 8 sides"),
    "a long name": (lambda: described("C64", [2], 16, "x" * 10**5), "'x{80}' is not a tensor"),
}


@EVERY_WAY
@pytest.mark.parametrize(("make", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_header_is_refused_with_one_sentence_and_soon(make, reason, way, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(make())
    begun = time.process_time()
    with pytest.raises(ValueError, match=reason) as refusal:
        way(path)
    assert time.process_time() - begun < 5
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 300 + len(str(path))


@pytest.mark.parametrize("dtype", guard.NUMBERS)
def test_every_kind_of_number_that_is_let_in_is_read_as_float32(dtype, tmp_path):
    bits = 8 if dtype == "BOOL" else int("".join(filter(str.isdigit, dtype.split("_")[0])))
    (tmp_path / "model.safetensors").write_bytes(described(dtype, [2, 3], 6 * bits // 8))
    _, tensors = checkpoint.read(tmp_path / "model.safetensors")
    assert torch.equal(tensors["a"], torch.zeros(2, 3))


def test_a_scale_of_a_single_number_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file({"weight": torch.ones(()), "weight|scale": torch.ones(())}, path)
    with pytest.raises(ValueError, match="for no matrix of 1 rows"):
        checkpoint.read(path)


def test_what_looks_like_a_pickle_of_long_names_costs_no_time(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"(" + b"c" * guard.START)
    begun = time.process_time()
    with pytest.raises(ValueError, match="does not begin with a header"):
        check(path)
    assert time.process_time() - begun < 2


@EVERY_WAY
def test_a_file_larger_than_a_caller_allows_is_refused_and_one_as_large_is_read(way, tmp_path):
    path = tmp_path / "model.safetensors"
    checkpoint.save(VAE(VAE.Config(Pictures(height=8, width=8), 2, width=8)), path)
    size = path.stat().st_size
    way(path, most=size)
    with pytest.raises(ValueError, match=r"has 0\.0 MB, and at most 0\.0 MB are read"):
        way(path, most=size - 1)


@EVERY_WAY
def test_a_file_that_is_missing_or_no_file_is_told_so(way, tmp_path):
    with pytest.raises(ValueError, match="there is no weights file"):
        way(tmp_path / "missing.safetensors")
    with pytest.raises(ValueError, match=r"there (is|are) no weights"):
        way(tmp_path)


def test_a_file_of_anothers_says_what_it_lacks(tmp_path):
    save_file({"weight": torch.zeros(2)}, tmp_path / "model.safetensors")
    for path in (tmp_path, tmp_path / "model.safetensors"):
        with pytest.raises(ValueError, match=r"carries no model configuration.*folder with its config\.json"):
            vae.load(path)
