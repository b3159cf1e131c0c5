"""What all chapters of How it works have in common."""

import re

import pytest

from tests.app.pages.test_pages import HOW_IT_WORKS, opened
from vae.app.chapters import CHAPTERS
from vae.models import pretrained
from vae.serve.engine import engine
from vae.serve.library import Library

NEEDS = {
    "autoencoder": "mnist-ae",
    "beta": "fashion-2d-beta-ae",
    "conditions": "mnist-conditional",
    "layers": "mnist-ladder",
}


@pytest.mark.parametrize("key", CHAPTERS)
def test_a_chapter_is_three_sentences_and_one_picture(key):
    app = opened("mnist", HOW_IT_WORKS, chapter=key)
    text = app.markdown[0].value
    assert len(re.findall(r"[.?!](?:\s|$)", text)) == 3, text
    assert len(app.main.get("bidi_component")) == 1


@pytest.mark.parametrize("key", CHAPTERS)
def test_a_chapter_whose_model_is_not_there_says_so_in_one_sentence_and_the_others_do_without(key, monkeypatch):
    everything = pretrained.folders
    monkeypatch.setattr(pretrained, "folders", lambda chapters=False: [] if chapters else everything())
    without = Library(engine())
    monkeypatch.setattr("vae.serve.library._library", lambda: without)
    app = opened("mnist", HOW_IT_WORKS, chapter=key)
    if key in NEEDS:
        assert not app.main.get("bidi_component")
        (said,) = app.info
        assert f"`python -m vae.train {NEEDS[key]}`" in said.value
        assert said.value.count(". ") + said.value.endswith(".") == 1
    else:
        assert not app.info
        assert len(app.main.get("bidi_component")) == 1
