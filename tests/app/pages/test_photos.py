"""The page Photos without a browser: which photo, what is seen of it, and what the link says."""

import base64
import io
import json
import math
import re

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

import vae
from tests.app.pages.test_pages import checked, opened, turned
from tests.models.folders import KL, TINY, written
from tests.registry import MAPS, VECTORS
from vae.app.live import sessions
from vae.app.pages.photos import See
from vae.data import bank
from vae.evaluate.card import write_tried_card
from vae.latent import maps
from vae.models import checkpoint, pretrained
from vae.serve.entry import Entry
from vae.serve.library import library

NAME = MAPS[0]
PAGE = "vae/app/pages/photos.py"
EXAMPLES = bank.load(pretrained.folder_of(NAME) / pretrained.EXAMPLES)


def told(app: AppTest) -> dict:
    (element,) = app.main.get("bidi_component")
    return json.loads(element.proto.json)


def photo(app: AppTest, number: int) -> maps.Photo:
    return sessions.by_token[app.session_state["ticket"].token].photos[number]


def png(width: int, height: int, mode: str = "RGB", seed: int = 0) -> bytes:
    shape = (height, width, len(mode)) if len(mode) > 1 else (height, width)
    values = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    out = io.BytesIO()
    Image.fromarray(values, mode).save(out, "PNG")
    return out.getvalue()


def given(app: AppTest, content: bytes, name: str = "a") -> AppTest:
    """As after a file came."""
    app.session_state["upload"] = (name, content)
    return checked(app.run())


def test_it_opens_with_an_example_and_the_map_that_the_model_makes_of_it():
    app = opened(NAME, PAGE)
    seen = told(app)
    assert len(seen["photos"]) == len(EXAMPLES)
    assert seen["chosen"] == {"photo": "1", "other": "", "side": 512}
    assert max(seen["shape"]) <= 512
    held = photo(app, seen["number"])
    expected = maps.encoded(vae.load_pretrained(NAME), held.levels)
    torch.testing.assert_close(held.mu, expected.mu)
    means = np.frombuffer(base64.b64decode(seen["means"]), np.uint8).reshape(seen["map"])
    np.testing.assert_allclose(means, 255 * (held.mu / 8 + 0.5).clamp(0, 1), atol=0.51)
    bits = np.frombuffer(base64.b64decode(seen["told"]), np.uint8).reshape(seen["map"]) / 255 * seen["most"]
    np.testing.assert_allclose(bits, held.bits, atol=seen["most"] / 500)
    assert sum(seen["costs"]) == pytest.approx(held.rate(16), rel=1e-4)


def test_a_page_that_needs_a_map_takes_the_model_that_has_one_and_the_others_theirs_again():
    app = opened(VECTORS[1], "vae/app/pages/explore.py")
    turned(app, PAGE)
    assert app.session_state["model"] == NAME
    turned(app, "vae/app/pages/explore.py")
    assert app.session_state["model"] == VECTORS[1]
    assert not app.info


def test_a_link_to_a_model_with_which_a_page_can_do_nothing_says_so():
    app = opened(NAME)
    assert app.session_state["model"] == NAME
    assert "no single place" in app.info[0].value
    next(button for button in app.button if "digits" in button.label).click().run()
    assert app.session_state["model"] == library().visible()[0].name
    assert not checked(app).info


def test_what_is_chosen_by_hand_is_kept_and_its_lack_is_said():
    app = opened(VECTORS[0])
    app.sidebar.selectbox[0].set_value(NAME).run()
    assert "no single place" in app.info[0].value
    assert not app.exception


def test_the_link_says_what_is_seen_and_opens_it_again():
    app = opened(NAME, PAGE, photo="3_2_1024", show="5_0.5_7_0.25_bits")
    seen = told(app)
    assert seen["chosen"] == {"photo": "3", "other": "2", "side": 1024}
    assert seen["see"] == [5, 0.5, 7, 0.25, "bits"]
    assert photo(app, seen["other"]).levels.shape == photo(app, seen["number"]).levels.shape
    assert app.query_params["photo"] == "3_2_1024"
    assert app.query_params["show"] == "5_0.5_7_0.25_bits"


@pytest.mark.parametrize(
    "show", ["", "x", "0_0_0_0_bits", "17_0_0_0_bits", "5_nan_0_0_bits", "5_0_-1_0_bits", "5_0_0_2_bits", "5_0_0_0_all"]
)
def test_a_link_that_says_nothing_that_can_be_seen_shows_what_is_usual(show):
    app = opened(NAME, PAGE, show=show, photo="_")
    assert told(app)["see"] == [16, 0.0, 0, 0.5, "compared"]


@pytest.mark.parametrize(("said", "why"), [("own1__512", "too large for a link"), ("99__512", "not known here")])
def test_a_link_to_a_photo_that_is_not_here_says_so(said, why):
    app = opened(NAME, PAGE, photo=said)
    assert told(app)["chosen"]["photo"] == "1"
    assert any(why in warning.value for warning in app.warning)


def test_a_photo_that_comes_is_seen_and_the_one_before_can_still_be_chosen():
    app = opened(NAME, PAGE)
    given(app, png(70, 50))
    seen = told(app)
    assert seen["chosen"]["photo"] == "own-a"
    assert seen["shape"] == [3, 48, 64]
    assert app.query_params["photo"] == "own1__512"
    assert "70 x 50" in seen["about"]
    app.session_state["photos.chosen"] = app.session_state["photos.chosen"]._replace(other="2")
    assert told(app.run())["chosen"]["other"] == "2"
    given(app, png(40, 40, seed=1), "b")
    assert told(app)["chosen"]["other"] == ""
    names = [one["name"] for one in told(app)["photos"]]
    assert names[:2] == ["Your photo", "Your last one"]
    assert len(names) == len(EXAMPLES) + 2
    given(app, png(24, 24, seed=2), "c")
    assert len(told(app)["photos"]) == len(EXAMPLES) + 2


@pytest.mark.parametrize(
    ("content", "shape"),
    [
        (png(1, 1), [3, 8, 8]),
        (png(1200, 75), [3, 64, 1024]),  # 16:1
        (png(33, 21, "L"), [3, 16, 32]),
        (png(33, 21, "RGBA"), [3, 16, 32]),
        (png(1500, 1000), [3, 680, 1024]),
    ],
    ids=["one pixel", "panorama", "grey", "transparent", "large"],
)
def test_every_picture_is_a_photo(content, shape):
    app = opened(NAME, PAGE, photo="__1024")
    given(app, content)
    assert told(app)["shape"] == shape


def test_a_photo_that_is_looked_at_stays_while_others_come_and_go():
    app = opened(NAME, PAGE)
    for number in (2, 3, 4, 1):
        app.session_state["photos.chosen"] = app.session_state["photos.chosen"]._replace(photo=str(number))
        checked(app.run())
    app.session_state["photos.chosen"] = app.session_state["photos.chosen"]._replace(other="2")
    checked(app.run())
    seen = told(app)
    assert seen["chosen"] == {"photo": "1", "other": "2", "side": 512}
    assert {seen["number"], seen["other"]} <= set(sessions.by_token[app.session_state["ticket"].token].photos)


def test_a_photo_that_another_model_refused_is_taken_here_and_gone_once_it_is_put_away():
    app = opened(NAME, PAGE)
    app.session_state["upload.whole"] = ("refused", png(40, 24))
    checked(app.run())
    assert told(app)["shape"] == [3, 24, 40]
    app.session_state["upload.whole"] = None
    checked(app.run())
    assert told(app)["chosen"]["photo"] == "1"
    assert len(told(app)["photos"]) == len(EXAMPLES)


def test_where_another_model_is_chosen_a_button_leads_to_one_of_photos():
    app = opened(NAME, PAGE)
    app.sidebar.selectbox[0].set_value(VECTORS[0]).run()
    assert "reads photos" in app.info[0].value
    next(button for button in app.button if "photos" in button.label).click().run()
    assert told(checked(app))["chosen"]["photo"] == "1"


def test_what_a_link_asked_for_is_said_on_its_own_page_only():
    app = opened("nothing")
    assert app.warning
    turned(app, PAGE)
    assert not app.warning


def test_a_photo_is_encoded_once_however_often_the_page_runs():
    app = opened(NAME, PAGE)
    session = sessions.by_token[app.session_state["ticket"].token]
    assert (session.brought, list(session.photos)) == (1, [told(app)["number"]])
    checked(app.run())
    assert (session.brought, list(session.photos)) == (1, [told(app)["number"]])


# ---- a network from elsewhere ----


@pytest.fixture(params=[KL, TINY], ids=["with a prior", "without one"])
def tried(request, tmp_path) -> AppTest:
    """The page with a network that its visitor brought."""
    folder = tmp_path / "from-elsewhere"
    checkpoint.save(vae.load(written(tmp_path / "vae", request.param), "cpu"), folder / checkpoint.WEIGHTS)
    write_tried_card(folder, "Mine")
    app = opened(NAME, PAGE)
    app.session_state["photos.shown"] = NAME, See(16, 0.5, 3, 0.5, "bits")
    entry = library().add(app.session_state["ticket"].token, folder)
    checked(app.run())
    return checked(app.selectbox(key="model").set_value(entry.name).run())


def test_a_network_from_elsewhere_is_asked_for_smaller_photos_and_for_all_its_numbers(tried):
    seen = told(tried)
    assert seen["chosen"]["side"] == 256
    assert seen["sides"] == [256, 512]
    assert max(seen["shape"]) == 256
    assert (seen["see"][0], seen["latents"]) == (4, 4)
    assert len(seen["photos"]) == len(EXAMPLES)


def test_where_its_z_is_a_point_nothing_is_said_of_bits(tried):
    seen, held = told(tried), photo(tried, told(tried)["number"])
    kl = library().find("from-elsewhere", tried.session_state["ticket"].token).config.prior
    assert ("bits" in seen["looks"]) == kl == (seen["told"] is not None)
    assert seen["see"][-1] == ("bits" if kl else "compared")
    assert len(seen["costs"]) == (4 if kl else 0)
    assert any(one.label.startswith("How does it do beside JPEG") for one in tried.expander) == kl
    asked = maps.Asked(4)
    found = maps.shown(library().lease(picked(tried)).model, asked, held)
    assert math.isinf(found.rate) != kl
    assert ("· a variational autoencoder for photos" in text(tried)) == kl
    assert ("· an autoencoder for photos" in text(tried)) != kl


def text(app: AppTest) -> str:
    return re.sub("<[^>]+>", "", " ".join(one.proto.body for one in app.get("html")))


def picked(app: AppTest) -> Entry:
    return library().find(app.session_state["model"], app.session_state["ticket"].token)


def test_every_other_page_says_why_it_cannot_show_it(tried):
    for page in ("explore", "latent_map", "interpolate", "reconstruct"):
        turned(tried, f"vae/app/pages/{page}.py")
        assert tried.session_state["model"] != "from-elsewhere"  # it takes one that it can show
    turned(tried, "vae/app/pages/models.py")
    assert "It comes from elsewhere" in text(tried)
    assert tried.header[0].value == "“Mine”, photos of any size"  # the visitor's own comes first
    turned(tried, PAGE)
    assert told(tried)["latents"] == 4
