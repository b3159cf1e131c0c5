"""What all chapters of How it works have in common."""

import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.pages.test_pages import EVERY_DATASET, HOW_IT_WORKS, explorer, notes, opened
from vae.app.chapters import CHAPTERS
from vae.app.look.glossary import PATTERN, SPELLED
from vae.models import pretrained
from vae.serve.engine import engine
from vae.serve.library import Library
from vae.train.recipes import RECIPES

NEEDS = {
    "autoencoder": "mnist-ae",
    "beta": "fashion-2d-beta-ae",
    "conditions": "mnist-conditional",
    "layers": "mnist-ladder",
}


# What a chapter may be seen at, as its component says it for a link.
SEEN = {
    "model": "7_" + "_".join(["0.50"] * 24),
    "structure": "_".join(["-0.25"] * 24),
    "bayes": "3",
    "training": "step.1.2.5",
    "autoencoder": "2_4_1",
    "beta": "2_10",
    "conditions": "3_7",
    "layers": "4_2",
    "features": "2_8",
}
LESSONS = sorted(Path("vae/app/components/lessons").rglob("*.js"))
LONGEST = 25  # words


def sentences(text: str) -> list[str]:
    """Sentences, without markup; what is not within a line of HTML ends one."""
    within = re.sub(r'<span class="kept">((?:(?!</?span).)*)</span>', r"\1", text)
    apart = re.sub(r"<(?!/?(?:b|sub|button)\b)[^>]*>", "\n\n", within)
    plain = re.sub(r"<[^>]*>|[*`]|\]\([^)]*\)", "", apart)
    return [part for part in re.split(r"(?<=[.?!])[)\s]+(?=[A-ZΑ-Ω∂“])|\n\n", plain) if part.strip()]


def words(sentence: str) -> int:
    return len([word for word in sentence.split() if re.search(r"\w", word)])


def too_long(text: str) -> list[str]:
    return [sentence for sentence in sentences(text) if words(sentence) >= LONGEST]


def bodies(app: AppTest) -> list[str]:
    return [element.proto.body for element in app.main.get("html")]


def test_sentences_are_told_apart():
    text = "The ELBO is −85.9 nats (see Burda et al. 2016). It is *a bound*. **Why?** Because <b>q</b> is not p."
    assert [words(sentence) for sentence in sentences(text)] == [10, 4, 1, 5]


@pytest.mark.parametrize("key", CHAPTERS)
def test_no_sign_of_markdown_is_left_on_screen(key):
    app = opened("mnist", HOW_IT_WORKS, chapter=key)
    assert [text for text in bodies(app) if re.search(r"[*`]|\]\(", re.sub(r"<[^>]*>", "", text))] == []


@pytest.mark.parametrize("key", CHAPTERS)
def test_a_link_does_not_take_this_tab_away_from_its_session(key):
    links = re.findall(r"<a [^>]*>", " ".join(bodies(opened("mnist", HOW_IT_WORKS, chapter=key))))
    assert [one for one in links if "_blank" not in one] == []


@EVERY_DATASET
@pytest.mark.parametrize("key", CHAPTERS)
def test_every_chapter_is_a_picture_or_a_sentence_for_a_model_of_any_data(key, name):
    app = opened(name, HOW_IT_WORKS, chapter=key)
    lacks = [note for note in notes(app) if note.endswith("for two latents and binary pixels only.")]
    assert len([*app.main.get("bidi_component"), *lacks, *app.info]) == 1
    told = " ".join(info.value for info in app.info)
    assert set(re.findall(r"vae\.train ([\w.-]+)", told)) <= set(RECIPES)  # a command that can be followed
    texts = [element.value for kind in (app.markdown, app.caption, app.info) for element in kind]
    assert [sentence for text in [*texts, *bodies(app)] for sentence in too_long(text)] == []


@pytest.mark.parametrize("key", CHAPTERS)
def test_a_chapter_begins_with_a_few_short_sentences_and_is_one_picture(key):
    app = opened("mnist", HOW_IT_WORKS, chapter=key)
    assert 3 <= len(sentences(first_words(app))) <= 4
    assert len(app.main.get("bidi_component")) == 1


@pytest.mark.parametrize("key", CHAPTERS)
@pytest.mark.parametrize("model", ["mnist", "mnist-2d"])
def test_no_sentence_of_a_chapter_has_25_words(key, model):
    app = opened(model, HOW_IT_WORKS, chapter=key)
    question = CHAPTERS[key].QUESTION
    texts = [element.value for kind in (app.markdown, app.caption, app.info) for element in kind]
    texts += bodies(app)
    texts += [question.asks, question.does, question.because, *CHAPTERS[key].SUMMARY]
    assert [sentence for text in texts for sentence in too_long(text)] == []


@pytest.mark.parametrize("key", CHAPTERS)
def test_a_chapter_calls_a_network_as_the_menu_does(key):
    app = opened("mnist", HOW_IT_WORKS, chapter=key)
    offered = [option for choice in app.main.get("button_group") for option in choice.options]
    said = [*bodies(app), *offered, *(toggle.label for toggle in app.toggle)]
    assert [text for text in said if re.search(r"MNIST, \d+ numbers", text)] == []


def first_words(app: AppTest) -> str:
    """The paragraph that a chapter begins with."""
    return next(text for text in bodies(app) if text.startswith("<p style"))


@pytest.mark.parametrize("key", CHAPTERS)
def test_a_chapter_says_numbers_before_it_says_latents(key):
    question, begins = (
        CHAPTERS[key].QUESTION,
        re.sub("<[^>]*>", "", first_words(opened("mnist", HOW_IT_WORKS, chapter=key))),
    )
    assert "latent" not in " ".join([question.asks, *question.options, question.because])
    before = begins.partition("latent")[0]
    assert before == begins or "number" in before


def terms(text: str) -> set[str]:
    """What of the glossary stands in a text."""
    return {SPELLED[found[0]] for found in re.finditer(PATTERN, re.sub(r"<[^>]*>", "", text))}


def test_from_the_first_chapter_to_the_last_no_sentence_brings_two_new_terms_at_once():
    known, crowded = set(), []
    for key in CHAPTERS:
        app = opened("mnist", HOW_IT_WORKS, chapter=key)
        running = [text for text in bodies(app) if text.startswith("<p style")]
        for sentence in [one for text in running for one in sentences(text)]:
            if len(terms(sentence) - known) > 1:
                crowded.append((key, sorted(terms(sentence) - known), sentence))
            known |= terms(sentence)
        known |= {term for text in bodies(app) for term in terms(text)}  # what stands beside: labels, notes, summary
    assert crowded == []


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_no_sentence_of_a_component_has_25_words(path):
    literals = re.findall(r"\"((?:[^\"\\\\\n]|\\\\.)*)\"|`([^`]*)`", path.read_text())
    said = [re.sub(r"\$\{[^}]*\}", "1", text or template) for text, template in literals]
    assert [sentence for text in said for sentence in too_long(text)] == []


@pytest.mark.parametrize("key", CHAPTERS)
def test_a_chapter_asks_a_question_first_and_ends_with_two_lines_and_a_link(key):
    app = opened("mnist", HOW_IT_WORKS, chapter=key)
    question, summary = CHAPTERS[key].QUESTION, CHAPTERS[key].SUMMARY
    assert len(set(question.options)) == len(question.options) >= 3
    assert question.asks.endswith("?")
    assert 0 <= question.right < len(question.options)
    assert len(summary) == 2
    assert all(len(sentences(line)) <= 2 for line in summary)
    said = "".join(element.proto.body for element in app.main.get("html"))
    assert said.index(f'data-question="{key}"') < said.index('data-testid="summary"') < said.index("For lecturers")
    assert said.count("data-guess=") == len(question.options)


@pytest.mark.parametrize("key", SEEN)
def test_a_link_opens_what_was_seen_and_keeps_it(key):
    app = opened("mnist", HOW_IT_WORKS, chapter=key, see=SEEN[key])
    assert explorer(app)["see"] == SEEN[key]
    assert app.query_params["see"] in (SEEN[key], [SEEN[key]])


@pytest.mark.parametrize(
    ("key", "see"),
    [
        *((key, "999_999_999") for key in SEEN),
        *(("layers", see) for see in ("<b>", "a" * 300, "1_2_3\n", "nan_nan", ".")),
    ],
)
def test_a_link_to_what_cannot_be_seen_opens_the_chapter_as_it_begins(key, see):
    app = opened("mnist", HOW_IT_WORKS, chapter=key, see=see)
    assert not app.exception
    assert explorer(app)["see"] in ("", see)


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
