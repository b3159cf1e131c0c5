"""A data set of one's own in a file that may be anybody's: it comes back as it was, or costs one sentence."""

import json
import struct
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from tests.data.own.uploads import photos, read
from vae.data import DataError, own
from vae.data.own import SHAPES, kept

SPEC = SHAPES["colour-32"].spec("crop")


@pytest.fixture(scope="module")
def pictures() -> own.made:
    return own.made("Noise", read([*photos(12, folder="a"), *photos(24, 20, "b")]), SPEC)[0]


@pytest.fixture
def whole(pictures, tmp_path):
    """(its facts, its tensors), as they are written."""
    own.save(pictures, tmp_path / own.FILE)
    with kept.safe_open(tmp_path / own.FILE, framework="pt") as file:
        facts = json.loads(file.metadata()["set"])
        return facts, {name: file.get_tensor(name) for name in ("images", "labels")}


def refusal(path, facts: object, tensors: dict[str, torch.Tensor], as_it_is: bool = False) -> str:
    text = facts if as_it_is else json.dumps(facts)
    save_file(tensors, path, {"set": text})
    with pytest.raises(DataError) as error:
        own.load(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_set_comes_back_as_it_was_saved(pictures, tmp_path):
    own.save(pictures, tmp_path / own.FILE)
    back = own.load(tmp_path / own.FILE)
    assert (back.name, back.title, back.class_names, back.spec) == (pictures.name, "Noise", ("a", "b"), SPEC)
    assert torch.equal(back.pictures.images, pictures.pictures.images)
    assert torch.equal(back.pictures.labels, pictures.pictures.labels)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "other-123"), ("name", "own-"), ("name", "own-../../x"), ("name", "own-²³"),
        ("name", "own-" + "a" * 99), ("name", 7), ("name", None), ("title", ""), ("title", 3), ("title", "x" * 41),
        ("title", "a\u202eb"), ("title", "[a](b)"), ("class_names", ["a", "*b*"]),
        ("title", "a\nb"), ("class_names", "ab"), ("class_names", [1, 2]), ("class_names", ["a"]), ("class_names", []),
        ("class_names", ["a", "a"]), ("class_names", [str(n) for n in range(99)]), ("class_names", ["a", "\u202e"]),
        ("class_names", ["a", "b" * 999]), ("class_names", {"a": 1}), ("tested", 1), ("tested", -2), ("tested", 10**9),
        ("tested", 2.0), ("tested", True), ("tested", "2026-01-01"), ("tested", None), ("validated", 0),
        ("validated", "2"), ("spec", None), ("spec", []), ("spec", {"channels": 3}), ("spec", {"sides": 3}),
    ],
)  # fmt: skip
def test_a_fact_that_is_wrong_is_refused(whole, tmp_path, field, value):
    facts, tensors = whole
    refusal(tmp_path / "bad.safetensors", facts | {field: value}, tensors)


@pytest.mark.parametrize("field", ["name", "title", "class_names", "spec", "tested", "validated"])
def test_a_fact_that_is_missing_is_named(whole, tmp_path, field):
    facts, tensors = whole
    facts.pop(field)
    assert refusal(tmp_path / "bad.safetensors", facts, tensors).endswith(f"it does not say '{field}'")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("channels", 1), ("channels", 2), ("channels", "3"), ("height", 31), ("height", None), ("height", -32),
        ("width", 2**70), ("levels", 3), ("levels", 256.0), ("preparation", "photo"), ("preparation", "x"),
    ],
)  # fmt: skip
def test_a_size_or_preparation_that_is_wrong_is_refused(whole, tmp_path, field, value):
    facts, tensors = whole
    refusal(tmp_path / "bad.safetensors", facts | {"spec": facts["spec"] | {field: value}}, tensors)


WRONG = {
    "levels as numbers": lambda images, labels: {"images": images.float(), "labels": labels},
    "no channels": lambda images, labels: {"images": images[:, 0].contiguous(), "labels": labels},
    "another size": lambda images, labels: {"images": images[..., :16].contiguous(), "labels": labels},
    "no pictures": lambda images, labels: {"images": images[:0], "labels": labels[:0]},
    "labels missing": lambda images, labels: {"images": images},
    "pictures missing": lambda images, labels: {"labels": labels},
    "fewer labels": lambda images, labels: {"images": images, "labels": labels[:-1]},
    "labels in a square": lambda images, labels: {"images": images, "labels": labels[:, None]},
    "small labels": lambda images, labels: {"images": images, "labels": labels.to(torch.int32)},
    "a class too high": lambda images, labels: {"images": images, "labels": labels + 1},
    "a class below 0": lambda images, labels: {"images": images, "labels": labels - 1},
    "complex numbers": lambda images, labels: {"images": images, "labels": labels.to(torch.complex64)},
}


@pytest.mark.parametrize("kind", WRONG)
def test_tensors_of_the_wrong_kind_shape_or_range_are_refused(whole, tmp_path, kind):
    facts, tensors = whole
    refusal(tmp_path / "bad.safetensors", facts, WRONG[kind](**tensors))


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "[" * 10_000, '{"name": NaN}'])
def test_what_a_file_says_of_itself_must_be_facts(whole, tmp_path, text):
    refusal(tmp_path / "bad.safetensors", text, whole[1], as_it_is=True)


def test_a_file_cannot_put_its_pictures_under_the_name_of_others(pictures, whole, tmp_path):
    held = own.opened(pictures)
    facts, tensors = whole
    assert "Other pictures are open" in refusal(
        tmp_path / "bad.safetensors", facts, tensors | {"images": 255 - tensors["images"]}
    )
    assert "Other pictures are open" in refusal(tmp_path / "bad.safetensors", facts | {"title": "Mine"}, tensors)
    assert kept.find(pictures.name) is held


def test_whoever_loads_all_of_a_set_has_all_of_it_though_a_part_is_open(whole, tmp_path, monkeypatch):
    facts, tensors = whole
    facts["name"] = "own-part"
    save_file({name: tensor[:9] for name, tensor in tensors.items()}, tmp_path / "part", {"set": json.dumps(facts)})
    save_file(tensors, tmp_path / "all", {"set": json.dumps(facts)})
    part, every = own.load(tmp_path / "part"), own.load(tmp_path / "all")
    assert (len(part.pictures.labels), len(every.pictures.labels)) == (9, 36)
    assert kept.find("own-part") is part


def test_a_file_that_is_not_there_or_a_folder_is_refused_in_a_sentence(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(DataError, match="holds no pictures"):
            own.load(path)


@given(st.binary(max_size=200), st.booleans())
@settings(deadline=None, max_examples=100, derandomize=True, database=None)
def test_any_bytes_are_a_data_error(tmp_path_factory, content, with_length):
    path = tmp_path_factory.mktemp("any") / own.FILE
    path.write_bytes(struct.pack("<Q", len(content)) * with_length + content)
    with pytest.raises(DataError):
        own.load(path)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
@settings(deadline=None, max_examples=100, derandomize=True, database=None)
def test_a_file_that_was_damaged_is_a_set_or_a_data_error(tmp_path_factory, pictures, seed, flips):
    path, chance = tmp_path_factory.mktemp("any") / own.FILE, np.random.default_rng(seed)
    own.save(pictures, path)
    content = bytearray(path.read_bytes())
    for at in chance.integers(0, 1200, flips):
        content[at] = chance.integers(0, 256)
    path.write_bytes(content)
    with suppress(DataError):
        assert own.load(path).pictures.images.shape[1:] == SPEC.shape
