"""The chapter From Bayes to the ELBO without a browser: what it tells its component, and what that may say."""

import base64

import numpy as np
import pytest
import torch

from tests.app.pages.test_pages import HOW_IT_WORKS, explorer, notes, opened
from tests.registry import BITS, VECTORS
from tests.served import entry
from vae import data
from vae.app.chapters import bayes
from vae.app.live import sessions
from vae.app.session import inputs
from vae.models import pretrained

NAMES = BITS
EVERY_MODEL = pytest.mark.parametrize("name", NAMES)


def data_of(name: str) -> str:
    return pretrained.load_card(name)["data"]["name"]


@EVERY_MODEL
def test_the_plane_is_that_of_the_same_data_with_two_latents_and_all_numbers_are_of_one_model(name):
    app = opened(name, HOW_IT_WORKS, chapter="bayes", x="i7")
    found = explorer(app)
    session = sessions.by_token[found["live"]["token"]]
    shown, refined = (session.entry(model["number"]).name for model in found["live"]["models"])
    assert pretrained.load_card(shown)["latents"] == 2
    assert data_of(shown) == data_of(name)
    assert refined == shown
    assert found["refined"] == found["refined"] | {"here": True, "latents": 2}
    assert any("Shown is" in note for note in notes(app)) == (shown != name)
    x = data.fixed_binarisation(data_of(name))[7]
    assert base64.b64decode(found["levels"]) == x.numpy().astype(np.uint8).tobytes()
    assert app.query_params["x"] == "i7"
    if shown == name:
        return
    app.toggle[0].set_value(True).run()
    found = explorer(app)
    shown, refined = (session.entry(model["number"]).name for model in found["live"]["models"])
    assert refined == name
    assert found["refined"] == found["refined"] | {"here": False, "latents": pretrained.load_card(name)["latents"]}


@pytest.mark.parametrize("name", [name for name in VECTORS if name not in BITS])
def test_of_colours_it_says_that_no_true_posterior_can_be_drawn(name):
    app = opened(name, HOW_IT_WORKS, chapter="bayes", x="i7")
    assert not app.main.get("bidi_component")
    assert "The true posterior can be drawn for two latents and binary pixels only." in notes(app)
    app.button(key="bayes.other").click().run()
    assert explorer(app)["refined"]["latents"] == 2


def test_the_examples_are_test_pictures_of_the_classes_in_order():
    name = NAMES[0]
    found = explorer(opened(name, HOW_IT_WORKS, chapter="bayes"))
    bits = data.fixed_binarisation(data_of(name)).byte().flatten(1)
    labels = data.load(data_of(name), "test").labels
    examples = torch.from_numpy(np.frombuffer(base64.b64decode(found["levelsOf"]), np.uint8).reshape(-1, 784).copy())
    assert found["presets"] == list(data.DATASETS[data_of(name)].class_names)
    for number, example in enumerate(examples):
        assert number in labels[(bits == example).all(1)]


def test_a_picture_from_the_component_is_the_current_one_and_anything_else_changes_nothing(monkeypatch):
    one = entry(NAMES[0])
    monkeypatch.setattr("vae.app.session.inputs.st.session_state", {"link": {}})
    x = torch.zeros(1, 1, 28, 28)
    x[..., 5:20, 14] = 1
    bits = "b" + base64.urlsafe_b64encode(np.packbits(x.numpy().astype(bool))).decode().rstrip("=")
    bayes.keep(one, bits)
    assert torch.equal(inputs.current(one).x, x)
    for value in (None, 7, "", "i3", "b", "b!", bits[:-2], ["b"]):
        bayes.keep(one, value)
        assert torch.equal(inputs.current(one).x, x)
