"""Wherever somebody's own picture is used, the page says whether the model knows it, and why not."""

import pytest

from tests.app.pages.test_pages import (
    EXPLORE,
    HOW_IT_WORKS,
    INTERPOLATE,
    RECONSTRUCT,
    checked,
    opened,
    picture,
    saved,
    turned,
    uploaded,
)
from tests.no_digits import four_digits
from vae.app.session import state
from vae.pictures import Eyes, Part

MAP = "vae/app/pages/latent_map.py"
SEVERAL = "4 separate things were found, and this model knows one digit at a time"


def warned(app) -> list[str]:
    return [one.value for one in app.warning]


def test_four_digits_are_called_that_on_every_page_and_one_of_them_in_a_box_is_not():
    app = opened("mnist", RECONSTRUCT)
    uploaded(app, ("four.png", saved(four_digits(), "PNG"), "image/png"))
    (said,) = warned(app)
    assert SEVERAL in said
    assert said.endswith("Cut the picture to one of them. Drag a box on your picture.")
    for page in (EXPLORE, MAP, INTERPOLATE, HOW_IT_WORKS):
        turned(app, page)
        assert any(SEVERAL in one for one in warned(app)) == (page != HOW_IT_WORKS)  # whose first is about no picture
    app.session_state["chapter"] = "bayes"
    assert any(SEVERAL in one for one in warned(checked(app.run())))
    turned(app, RECONSTRUCT)
    before, (file_id, _) = picture(app, "x"), app.session_state["upload"]
    app.session_state["part"] = {file_id: Part(0.55, 0.08, 0.98, 0.5)}
    checked(app.run())
    assert not warned(app)
    assert (picture(app, "x") != before).any()
    text = " ".join(one.proto.body for one in app.main.get("html"))
    assert "A typical digit." in text or "An unusual digit." in text


def test_a_link_is_judged_by_its_bits_and_an_example_too_without_a_warning():
    app = opened("mnist", RECONSTRUCT)
    assert not warned(app)
    assert any("A typical digit." in one.proto.body for one in app.main.get("html"))
    uploaded(app, ("four.png", saved(four_digits(), "PNG"), "image/png"))
    (said,) = warned(opened("mnist", RECONSTRUCT, x=app.query_params["x"]))
    assert "separate things" not in said
    assert "probably no digit" in said
    assert "box" not in said


@pytest.mark.parametrize("box", [None, 3, [0, 0, 1], [0, 0, 1, "1"], [0.5, 0, 0.4, 1], [0, 0, 2, 1], [0, 0, 1, None]])
def test_what_a_browser_should_not_say_is_no_part(box):
    assert state.as_part(box) is None


def test_four_numbers_are_a_part():
    assert state.as_part([0, 0.25, 1, 0.5]) == Part(0.0, 0.25, 1.0, 0.5)


@pytest.mark.parametrize(
    "eyes", [None, 3, [0, 0, 1], [0, 0, 1, "1"], [0.5, 0.5, 0.5, 0.5], [0, 0, 2, 1], [0, 0, 1, None]]
)
def test_what_a_browser_should_not_say_is_no_eyes(eyes):
    assert state.as_eyes(eyes) is None


def test_four_numbers_are_two_eyes():
    assert state.as_eyes([0.3, 0.4, 0.6, 1]) == Eyes(0.3, 0.4, 0.6, 1.0)
