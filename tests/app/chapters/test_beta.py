"""The chapter on beta: the measured curve, and one picture through every model of the ladder."""

import base64

import numpy as np
import pytest
import torch

from tests.app.pages.test_pages import HOW_IT_WORKS, explorer, notes, opened
from tests.served import entry
from vae import data
from vae.app.chapters.beta import FEW, RUNGS, by_size
from vae.models import pretrained
from vae.train.recipes import RECIPES

NAMES = list(RUNGS)


def test_every_rung_is_a_recipe():
    assert set(NAMES) <= set(RECIPES)


def test_the_points_are_their_cards_and_the_pictures_are_one_x_and_one_eps_through_each_model():
    sent = explorer(opened("fashion", HOW_IT_WORKS, chapter="beta", x="i42"))
    x = data.fixed_binarisation("fashion-mnist")[42:43].float()
    pictures = np.frombuffer(base64.b64decode(sent["pictures"]), np.uint8).reshape(len(NAMES), 1, 28, 28)
    for name, point, picture in zip(NAMES, sent["points"], pictures, strict=True):
        numbers, model = pretrained.load_card(name)["numbers"], pretrained.load_pretrained(name)
        q = model.encode(x)
        eps = torch.randn(1, model.latents, generator=torch.Generator().manual_seed(0))
        p = model.decode(q.mean + q.stddev * eps)
        assert np.abs(picture.astype(int) - p.mean[0].mul(255).round().int().numpy()).max() <= 1
        assert point["log_likelihood"] == pytest.approx(float(p.log_prob(x)), abs=0.05)
        assert point["distortion"] == numbers["reconstruction"]["value"]
        assert point.get("rate") == numbers.get("kl", {}).get("value")


def test_the_measured_parts_sum_to_the_rate_and_keep_their_bounds():
    for point in explorer(opened("mnist", HOW_IT_WORKS, chapter="beta"))["points"]:
        if point["beta"]:
            parts = point["parts"]
            assert abs(parts["total"] - point["rate"]) < 5 * parts["total_error"]
            assert -1e-6 <= parts["mutual_information"] <= parts["bound"] + 1e-6
            assert parts["total_correlation"] > -4 * parts["total_correlation_error"]
            assert parts["dimension_wise_kl"] > -4 * parts["dimension_wise_kl_error"]
            assert sum(point["dimensions"]) == pytest.approx(point["rate"], abs=0.01)


def test_a_model_of_digits_is_shown_a_fixed_garment():
    assert explorer(opened("mnist", HOW_IT_WORKS, chapter="beta"))["name"] == "test picture 0: Ankle boot"


@pytest.mark.parametrize("name", ["mnist", "fashion-2d"])
def test_the_fewer_pictures_the_higher_the_total_correlation_and_the_sum_stays(name):
    page = opened(name, HOW_IT_WORKS, chapter="beta")
    (table,) = (part.proto.body for part in page.get("html") if 'data-testid="bias"' in part.proto.body)
    found = [one for one in by_size(entry(name))]
    for size, one in zip((*FEW, 10_000), found, strict=True):
        assert f"{one.total_correlation:.2f} ± {one.total_correlation_error:.2f}" in table
        assert one.bound == pytest.approx(np.log(size), abs=1e-4)
        assert one.mutual_information <= one.bound + 1e-6
        assert abs(one.total - one.kl) < 5 * one.total_error
    few, many = found[0], found[-1]
    assert few.total_correlation > many.total_correlation + 3 * few.total_correlation_error
    assert few.mutual_information < many.mutual_information


def test_collapse_is_told_with_causes_and_cures_and_its_latents_tell_nothing_by_the_models_own_encoder():
    app = opened("mnist", HOW_IT_WORKS, chapter="beta")
    said = " ".join(notes(app))
    for promised in ("Posterior collapse", "cost more than they save", "decoder is so strong", "Early in training"):
        assert promised.lower() in said.lower()
    for cure in ("Warm-up", "Free bits", "A weaker decoder"):
        assert cure in said
    x = data.fixed_binarisation("fashion-mnist")[::10].float()
    sent = explorer(app)
    for point, name in zip(sent["points"], NAMES, strict=True):
        if not point["beta"]:
            continue
        q = pretrained.load_pretrained(name).encode(x)
        kl = (0.5 * (q.mean**2 + q.variance - 1) - q.stddev.log()).mean(0).sort(descending=True).values
        assert point["dimensions"] == pytest.approx(kl.tolist(), abs=0.1)  # of a tenth of the pictures
        assert (kl[point["active"] :] < 0.01).all()
        assert (kl[: point["active"]] > 0.01).all()
    (dear,) = (point for point in sent["points"] if (point["latents"], point["beta"]) == (16, 10))
    assert dear["active"] < 16
    assert 0 < sum(kl < sent["free"] for kl in dear["dimensions"]) < 16  # so that the floor shows something
