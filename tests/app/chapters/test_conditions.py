"""The chapters on conditions and layers without a browser: what Python tells the components is the library's."""

import base64
import re

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

import vae
from tests.app.pages.test_pages import HOW_IT_WORKS, explorer, notes, turned
from vae import data
from vae.app.chapters import layers
from vae.app.session.ids import Example
from vae.distributions import rsample
from vae.latent.classes import in_every_class
from vae.latent.layers import by_layer
from vae.models import pretrained
from vae.objective import terms

PICTURE = 7


def opened(key: str, model: str = "mnist", picture: int = PICTURE) -> AppTest:
    """The page at a chapter, with a picture of the test set chosen."""
    app = AppTest.from_file("../../../streamlit_app.py", default_timeout=60)
    app.query_params["model"] = model
    app.run()
    app.session_state["chapter"] = key
    app.session_state["own"] = None
    app.session_state["input.mnist"] = Example(picture)
    return turned(app, HOW_IT_WORKS)


def said_by(app: AppTest) -> str:
    return " ".join(notes(app)).replace("−", "-")


def x(picture: int = PICTURE) -> torch.Tensor:
    return data.fixed_binarisation("mnist")[picture : picture + 1].float()


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


# Mostly the reconstruction weighs more: of 260 random test pictures not in 4.
@pytest.mark.parametrize(("picture", "first"), [(PICTURE, "reconstruction"), (9121, "KL")])
def test_which_bars_decide_is_told_with_the_numbers_of_the_model(picture, first):
    found = re.search(
        r"Which bars decide\? The violet ones.*In the violet bars the (\w+) weighs more: it differs by ([\d.]+) nats "
        r"from class to class, the (\w+) by ([\d.]+)\..*class (\d) has a share of ([<>\d. ]+)\s*%",
        said_by(opened("conditions", picture=picture)),
    )
    conditional, many = vae.load_pretrained("mnist-conditional"), x(picture).expand(1000, -1, -1, -1)
    generator = torch.Generator().manual_seed(4)
    found_by = [terms(conditional.given(torch.full((1000,), y)), many, generator) for y in range(10)]
    kl = torch.stack([part.kl[0] for part in found_by])
    rebuilt = torch.stack([part.log_likelihood.mean() for part in found_by])
    spread = {"reconstruction": float(rebuilt.max() - rebuilt.min()), "KL": float(kl.max() - kl.min())}
    assert found[1] == first == max(spread, key=spread.get)
    for name, told in ((found[1], found[2]), (found[3], found[4])):
        assert float(told) == pytest.approx(spread[name], abs=0.06 if name == "KL" else 1.0)
    assert int(found[5]) == int((rebuilt - kl).argmax())


def test_the_orange_bars_favour_the_class_whose_z_they_keep():
    conditional = vae.load_pretrained("mnist-conditional")
    for y in range(10):
        kept = in_every_class(conditional, x(), conditional.encode(x(), torch.tensor([y])).mean).log_likelihood[0]
        anew = terms(conditional.given(torch.full((200,), y)), x().expand(200, -1, -1, -1), torch.Generator())
        own = in_every_class(conditional, x(), conditional.encode(x(), torch.tensor([PICTURE])).mean).log_likelihood[0]
        assert kept[y] >= own[y] - 0.01
        assert float(anew.log_likelihood.mean()) <= float(kept[y]) + 1  # the mean of q is about its best place


@pytest.mark.parametrize(
    ("chosen", "known", "draws"),
    [("mnist", "mnist", 2000), ("fashion", "mnist", 2000), ("portraits", "portraits", 200)],
)
def test_layers_shows_every_layers_samples_and_kl_of_the_model_that_knows_such_pictures(chosen, known, draws):
    deep, flat = layers.MODELS[known]
    app = opened("layers", chosen)
    found = explorer(app)
    ladder, spec = vae.load_pretrained(deep), vae.load_pretrained(deep).input_spec
    assert found["layers"] == list(ladder.config.space.sizes)
    size = found["rounds"] * len(found["layers"]) * found["count"] * spec.pixels
    assert len(base64.b64decode(found["pictures"])) == size
    shown = torch.from_numpy(np.frombuffer(base64.b64decode(found["x"]), np.uint8).astype(np.float32) / 255)
    ledger = by_layer(ladder, shown.view(1, *spec.shape), draws, torch.Generator().manual_seed(5))
    assert found["kl"] == pytest.approx(ledger.kl.tolist(), abs=1.0)
    assert found["silent"] == [value < 0.05 for value in pretrained.load_card(deep)["numbers"]["kl_per_layer"]]
    said = " ".join(re.sub("<[^>]*>", "", one.proto.body) for one in app.get("html"))
    assert ("No network with layers has learned clothes and shoes: " in said) == (chosen == "fashion")
    for model in (deep, flat):
        assert f"−ELBO {pretrained.load_card(model)['numbers']['negative_elbo']['value']:.2f}" in said


def test_the_layers_are_found_from_the_top_down_and_the_model_does_so():
    said = said_by(app := opened("layers"))
    assert "from the top down" in said
    assert said.index("z₁ is drawn from q(z₁|x)") < said.index("z₂ from q(z₂|z₁, x)")
    (drawing,) = (one.proto.body for one in app.get("html") if 'data-testid="top-down"' in one.proto.body)
    assert re.findall(r">(z₁|z₂|z₃|x)</b>", drawing)[:4] == ["z₁", "z₂", "z₃", "x"]
    ladder = vae.load_pretrained("mnist-ladder")
    q = ladder.encode(x())
    z = rsample(q, torch.Generator().manual_seed(0))
    before = [one.mean for one, _ in q.conditionals(z)]
    first = 0
    for layer, size in enumerate(ladder.config.layers):
        other = z.clone()
        other[:, first : first + size] += 1
        first += size
        changed = [not torch.equal(a, one.mean) for a, (one, _) in zip(before, q.conditionals(other), strict=True)]
        assert not any(changed[: layer + 1])  # neither those above, nor itself
        assert all(changed[layer + 1 :])  # each one below


def test_the_ledger_of_the_layers_adds_up_and_is_the_models():
    said = said_by(opened("layers"))
    numbers = re.search(r"(-[\d.]+)\s*lower bound, nats.*?=\s*(-[\d.]+)\s*reconstruction", said)
    told = [float(value) for value in re.findall(r"-\s*([\d.]+)\s*told by", said)]
    elbo, rebuilt = float(numbers[1]), float(numbers[2])
    assert elbo == pytest.approx(rebuilt - sum(told), abs=0.05 * (len(told) + 2))
    exact = by_layer(vae.load_pretrained("mnist-ladder"), x(), 2000, torch.Generator().manual_seed(6))
    assert elbo == pytest.approx(exact.elbo, abs=2)
    assert told == pytest.approx(exact.kl.tolist(), abs=1.0)
