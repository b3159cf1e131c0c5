"""The Models page without a browser: its draws are the prior's, its numbers the cards' and the engine's."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

import vae
from tests.app.pages.test_pages import checked, notes, opened, pictures
from tests.registry import BITS, VECTORS
from tests.served import entry, loaded
from vae.app import look
from vae.app.look import figures
from vae.app.pages import models
from vae.models import pretrained
from vae.pictures import films
from vae.serve.library import library

NAMES = VECTORS
EVERY_MODEL = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def app() -> AppTest:
    return opened(NAMES[0], "vae/app/pages/models.py")


@EVERY_MODEL
def test_the_draws_are_what_the_library_decodes_of_the_prior(app, name):
    model, (rows, columns) = vae.load_pretrained(name), models.DRAWS
    z = torch.randn(rows * columns, model.latents, generator=torch.Generator().manual_seed(models.SEED))
    frames = films.as_frames(model.decode(z).mean.detach())
    height, width = model.input_spec.height, model.input_spec.width
    shown = dict(pictures(app))[f"draws-{name}"].astype(int)
    within = 1 if loaded(name).precision.name == "float32" else 16
    for place, frame in enumerate(frames):
        row, column = divmod(place, columns)
        part = shown[height * row : height * (row + 1), width * column : width * (column + 1)]
        assert np.abs(part - frame).max() <= within


@EVERY_MODEL
def test_the_numbers_are_the_cards_and_the_precision_is_the_engines(app, name):
    body = [one.proto.body for one in app.get("html") if 'data-testid="facts"' in one.proto.body]
    shown, found = body[[one.name for one in library().visible()].index(name)], pretrained.load_card(name)["numbers"]
    exact = found.get("negative_log_evidence", found["negative_iw"])
    for number in (found["negative_elbo"]["value"], exact["value"]):
        assert look.nats(-number) in shown
    assert f"{look.nats(found['kl']['value'])}<" in shown
    assert f"{found['active_units']} of {pretrained.load_card(name)['latents']} <button" in shown
    assert ("by quadrature" in shown) == ("negative_log_evidence" in found)
    served = loaded(name).precision
    assert f">{served.name}<" in shown
    assert f"{served.one:.1f} ms a picture" in shown


def test_the_words_tell_a_model_of_many_numbers_from_one_of_two(app):
    said = {name: figures.in_words(entry(name)) for name in NAMES}
    for name, words in said.items():
        numbers = pretrained.load_card(name)["numbers"]
        if name in BITS:
            assert f" {100 * numbers['weighed_neighbours']['latents']:.0f} % of pictures" in words
        else:  # no class that could be recognised
            assert f" {numbers['fidelity']['sampled']['psnr']:.1f} dB come back" in words
        assert any(words in note for note in notes(app))
    for deep, flat in (("mnist", "mnist-2d"), ("fashion", "fashion-2d")):
        shares = [int(said[name].split(" %")[0].split()[-1]) for name in (deep, flat)]
        assert shares[0] >= shares[1] + 3


def test_the_page_says_numbers_and_the_fields_word_for_them_once(app):
    text = " ".join([*notes(app), *(one.value for one in app.header), *app.dataframe[0].value.columns])
    assert re.findall("latents?", text) == ["latents"]
    assert "numbers (latents)" in text


@EVERY_MODEL
def test_a_models_button_explores_it(name):
    app = opened(next(other for other in NAMES if other != name), "vae/app/pages/models.py")
    checked(app.button(key=f"use.{name}").click().run())
    assert app.session_state["model"] == name
    assert f"z.{name}" in app.session_state  # Explore has opened


def test_the_models_of_the_chapters_are_all_there_with_their_cards_numbers(app):
    (table,) = app.dataframe
    chapters = pretrained.list_pretrained(chapters=True)
    assert list(table.value["model"]) == chapters
    for name, elbo, latents in zip(chapters, table.value["−ELBO"], table.value["numbers"], strict=True):
        card = pretrained.load_card(name)
        expected = card["numbers"].get("negative_elbo", {}).get("value")
        assert (np.isnan(elbo) and expected is None) or elbo == expected
        assert latents == card["latents"]


def test_a_training_that_moved_names_every_device_it_was_on():
    card = pretrained.load_card("mnist")
    training = card["training"] | {
        "legs": [{"device": "cpu, 2 threads"}, {"device": "H100"}, {"device": "cpu, 8 threads"}]
    }
    moved = replace(entry("mnist"), card=card | {"training": training})
    assert " h on cpu and H100. " in models.made(moved)
    assert " h on cpu. " in models.made(entry("mnist"))
