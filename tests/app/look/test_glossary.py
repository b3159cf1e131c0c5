"""The glossary: what finds a word in a text, and that each entry is one sentence."""

import re

import pytest

from vae.app.chapters import CHAPTERS
from vae.app.look.glossary import PATTERN, SPELLED, TERMS, marked


def test_a_word_is_marked_where_it_stands_first_and_never_within_a_tag():
    found = marked('<b title="KL">KL</b> and KL, 3 nats, ELBOW')
    assert found.count("<button") == 2
    assert found.startswith('<b title="KL"><button')
    assert found.endswith(">nats</button>,</span> ELBOW")


def test_a_formula_with_colours_in_it_is_one_word_and_the_longest_counts():
    found = marked("E<sub>q</sub> log p(<b>x</b>|<b>z</b>)")
    assert re.findall('data-word="(.*?)"', found) == ["reconstruction"]
    assert found.endswith(">E<sub>q</sub> log p(<b>x</b>|<b>z</b>)</button>")
    assert re.findall('data-word="(.*?)"', marked("<b>x̂</b> &amp; x, 28 x 28")) == ["x̂", "x"]
    assert "<button" not in marked("28 x 28 and boxes")


def test_a_sign_beside_a_word_stays_with_it_also_behind_a_style():
    assert re.sub(r"<button[^>]*>", "<button>", marked("(KL). <i>Warm-up</i>: a nat")) == (
        '<span class="kept">(<button>KL</button>).</span> '
        '<span class="kept"><i><button>Warm-up</button></i>:</span> a <button>nat</button>'
    )


@pytest.mark.parametrize("name", TERMS)
def test_an_entry_is_one_sentence_and_its_chapter_is_there(name):
    term = TERMS[name]
    assert re.fullmatch(r"([^.]|\d\.\d){20,190}\.", term.sentence), term.sentence
    assert len(term.sentence.split()) < 35
    assert term.chapter in ("", *CHAPTERS)


def test_both_sides_read_the_same_spellings():
    assert all(re.fullmatch(PATTERN, spelling) for spelling in SPELLED)
