"""Whatever a URL says, a page opens; and what cannot be had is said, in letters that Markdown makes nothing of."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.app.pages.test_pages import HOW_IT_WORKS, INTERPOLATE, NAMES, RECONSTRUCT, opened
from vae.app.chapters import CHAPTERS
from vae.app.session import link

ODD = ["", " ", "nan", "1e999", "-1", "٣", "i٣", "i-1", "i99999999", "s", "b", "b!", "b" + "A" * 131, "0" * 5000]
ODD += ["1,2", ",,,", "i7,i8,i9", "i7,b,s3,i2", "[x](http://x)", "<b>", "../..", "two", "normal", "%00", "\u202e"]
ODD += ["0.5", "\x00"]
QUERY = st.dictionaries(
    st.sampled_from(sorted(link.DECIDES)),
    st.sampled_from([*ODD, *NAMES, *CHAPTERS]) | st.text(max_size=20),
    min_size=1,
    max_size=6,
)
PAGES = ["vae/app/pages/explore.py", "vae/app/pages/latent_map.py", INTERPOLATE, RECONSTRUCT, HOW_IT_WORKS]
SLOW = settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("page", PAGES)
@given(query=QUERY)
@SLOW
def test_any_link_gives_a_page(page, query):
    opened(None, page, **query)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"model": "celeba"}, "The link asks for the model “celeba”"),
        ({"model": "[x](http://evil) **b**"}, "the model “xhttpevil b”"),
        ({"x": "i99999999"}, "a picture that is not known here"),
        ({"z": "1,2,3"}, "a place that this model does not have"),
        ({"yours": "<script>alert(1)</script>"}, "sliders that this model does not have"),
        ({"yours": "AAAA"}, "sliders that this model does not have"),
        ({"yours": "A" * 100_000}, "sliders that this model does not have"),
    ],
)
def test_what_a_link_asks_for_and_cannot_be_had_is_said(query, said):
    app = opened(None, **query)
    assert any(said in one.value for one in app.warning)


def test_a_link_that_can_be_honoured_says_nothing():
    assert not opened(NAMES[0], x="i7").warning


def test_a_chapter_that_there_is_not_is_said_to_be_none():
    app = opened(None, HOW_IT_WORKS, chapter="nothing")
    assert any("a chapter that there is not" in one.value for one in app.warning)
