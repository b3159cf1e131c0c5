"""The chapters on conditions and layers without a browser: what Python tells the components is the library's."""

import base64
import re

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

import vae
from tests.app.pages.test_pages import HOW_IT_WORKS, explorer, turned
from vae import data
from vae.app.session.ids import Example
from vae.latent.classes import in_every_class
from vae.latent.layers import by_layer
from vae.models import pretrained
from vae.objective import terms

PICTURE = 7


def opened(key: str, model: str = "mnist") -> AppTest:
    """The page at a chapter, with a picture of the test set chosen."""
    app = AppTest.from_file("../../../streamlit_app.py", default_timeout=60)
    app.query_params["model"] = model
    app.run()
    app.session_state["chapter"] = key
    app.session_state["own"] = None
    app.session_state["input.mnist"] = Example(PICTURE)
    return turned(app, HOW_IT_WORKS)


def x() -> torch.Tensor:
    return data.fixed_binarisation("mnist")[PICTURE : PICTURE + 1].float()


@pytest.mark.parametrize("model", ["mnist", "fashion"])
def test_conditions_shows_the_current_digit_in_ten_classes_whatever_model_is_chosen(model):
    found = explorer(opened("conditions", model))
    label = int(data.load("mnist", "test").labels[PICTURE])
    assert (found["y"], found["label"], found["classes"], found["styles"]) == (label, label, 10, 11)
    conditional = vae.load_pretrained("mnist-conditional")
    z = conditional.encode(x(), torch.tensor([label])).mean
    expected = in_every_class(conditional, x(), z)
    pixels = np.frombuffer(base64.b64decode(found["pictures"]), np.uint8).reshape(11, 10, 1, 28, 28)
    assert np.abs(pixels[0] / 255 - expected.pictures[0].numpy()).max() < 0.01
    assert found["likelihoods"][0] == pytest.approx(expected.log_likelihood[0].tolist(), abs=0.01)
    many = x().expand(4000, -1, -1, -1)
    for y in (label, 3):
        told_so = conditional.given(torch.full((4000,), y))
        parts = terms(told_so, many, torch.Generator().manual_seed(9))
        assert found["kls"][y] == pytest.approx(float(parts.kl[0]), abs=0.01)
        assert abs(found["reconstructions"][y] - float(parts.log_likelihood.mean())) < 5 * found["errors"][y]
    assert np.argmax(np.subtract(found["reconstructions"], found["kls"])) == label


def test_layers_shows_every_layers_samples_and_kl():
    app = opened("layers")
    found = explorer(app)
    ladder = vae.load_pretrained("mnist-ladder")
    assert found["layers"] == list(ladder.config.layers)
    size = found["rounds"] * len(found["layers"]) * found["count"] * 784
    assert len(base64.b64decode(found["pictures"])) == size
    ledger = by_layer(ladder, x(), 2000, torch.Generator().manual_seed(5))
    assert found["kl"] == pytest.approx(ledger.kl.tolist(), abs=1.0)
    assert found["silent"] == [
        value < 0.05 for value in pretrained.load_card("mnist-ladder")["numbers"]["kl_per_layer"]
    ]
    said = " ".join(re.sub("<[^>]*>", "", one.proto.body) for one in app.get("html"))
    for model in ("mnist-ladder", "mnist"):
        assert f"−ELBO {pretrained.load_card(model)['numbers']['negative_elbo']['value']:.2f}" in said
