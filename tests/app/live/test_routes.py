"""The pictures that are only shown: sheets at addresses that a browser may keep."""

import hashlib
import io

import numpy as np
import pytest
from PIL import Image
from starlette.requests import Request

from vae import data
from vae.app.live import routes
from vae.data import splits
from vae.data.catalogue import GALLERIES, IDX
from vae.evaluate.strangers import levels
from vae.train.history import HISTORIES


def asked(folder: str, number: int):
    return routes.sheet_file(Request({"type": "http", "path_params": {"folder": folder, "number": number}}))


@pytest.mark.parametrize("dataset", data.DATASETS.values(), ids=data.DATASETS)
@pytest.mark.parametrize("number", [0, 4, -1])
def test_a_sheet_holds_its_pictures_row_by_row_and_may_be_kept(dataset, number):
    told = routes.pictures_of(dataset)
    number %= -(-dataset.count("test") // 100)
    path, folder = told["path"].split("/")
    assert path == routes.TEST_PICTURES
    answer = asked(folder, number)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    with Image.open(io.BytesIO(answer.body)) as file:
        sheet = np.asarray(file)
    pictures = levels(data.load(dataset.name, "test").images[100 * number :][:100])
    _, height, width = dataset.spec.shape
    for place in (0, 1, 37, 99):
        row, column = divmod(place, told["side"])
        shown = sheet[height * row : height * (row + 1), width * column : width * (column + 1)]
        assert np.array_equal(shown, pictures[place] if place < len(pictures) else np.zeros_like(pictures[0]))


@pytest.mark.parametrize(
    ("folder", "number"), [("mnist", 0), ("", 0), ("../mnist", 0), ("mnist-00000000", 0), ("right", 100)]
)
def test_what_there_is_not_is_not_found_and_not_kept(folder, number):
    right = routes.pictures_of(data.DATASETS["mnist"])["path"].split("/")[1]
    answer = asked(right if folder == "right" else folder, number)
    assert answer.status_code == 404
    assert answer.headers["cache-control"] == "no-store"


def test_the_address_names_what_is_in_the_files():
    folders = {routes.pictures_of(dataset)["path"] for dataset in data.DATASETS.values()}
    assert len(folders) == len(data.DATASETS)
    for dataset in data.DATASETS.values():
        assert routes.pictures_of(dataset)["path"].endswith(dataset.version("test"))
        assert dataset.count("test") == len(data.load(dataset.name, "test").labels)
    for dataset in IDX.values():
        (images,) = (file for file in dataset.files if (file.split, file.kind) == ("test", "images"))
        assert images.sha256[:8] == dataset.version("test")
        assert dataset.count("train") == 60_000
    for name in GALLERIES:
        file = splits.SHIPPED / name / f"{name}.npz"
        assert hashlib.sha256(file.read_bytes()).hexdigest() == GALLERIES[name].digest


def test_a_recorded_training_lies_at_an_address_that_names_what_is_in_it_and_nothing_else_does():
    def asked(name: str, version: str):
        return routes.history_file(Request({"type": "http", "path_params": {"name": name, "version": version}}))

    name = "mnist-2d-small"
    _, _, version = routes.history_path(name).split("/")
    found = asked(name, version)
    assert found.status_code == 200
    assert found.headers["cache-control"] == routes.KEPT["Cache-Control"]
    assert found.path == HISTORIES / f"{name}.safetensors"
    for wrong in ((name, "0" * 12), ("../mnist/model", version), ("none", version), (name, "")):
        assert asked(*wrong).status_code == 404
