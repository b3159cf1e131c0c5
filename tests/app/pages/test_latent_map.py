"""The Latent map page without a browser: what it tells its component, groups, files, and what may not be said to it."""

import base64
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from streamlit.testing.v1 import AppTest
from torch.distributions import Normal, kl_divergence

import vae
from tests.app.pages.test_pages import notes
from tests.registry import BITS, VECTORS
from tests.served import entry
from vae import data, latent
from vae.app.live import sessions
from vae.app.pages import latent_map
from vae.app.session import inputs, kept
from vae.app.session.ids import DRAWING, UPLOAD, Example, parse
from vae.latent import projection
from vae.models import pretrained
from vae.pictures import prepare, prepare_array

NAMES = VECTORS
CARDS = {name: pretrained.load_card(name) for name in NAMES}
FLAT = next(name for name in NAMES if CARDS[name]["latents"] == 2)
DEEP = next(name for name in NAMES if CARDS[name]["latents"] > 2)
EVERY_MODEL = pytest.mark.parametrize("name", NAMES)


def opened(name: str, **state: object) -> AppTest:
    """The page of a model, in a session that has some state."""
    app = AppTest.from_file("../../../streamlit_app.py", default_timeout=60)
    app.query_params["model"] = name
    for key, value in state.items():
        app.session_state[key] = value
    app.run()
    return checked(app.switch_page("vae/app/pages/latent_map.py").run())


def checked(app: AppTest) -> AppTest:
    assert not app.exception, app.exception[0].value
    return app


def told(app: AppTest) -> dict:
    """What Python tells the component."""
    (element,) = app.main.get("bidi_component")
    return json.loads(element.proto.json)


def array(text: str, kind: str = "<f4") -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind).copy()


def dataset(name: str) -> data.Dataset:
    return data.DATASETS[CARDS[name]["data"]["name"]]


def labels(name: str) -> torch.Tensor:
    return data.load(dataset(name).name, "test").labels


def of_class(name: str, label: int) -> torch.Tensor:
    return (labels(name) == label).nonzero()[:, 0]


def of_group(name: str, word: str) -> torch.Tensor:
    """The test pictures of a class, or with a tag."""
    names = dataset(name).class_names
    return of_class(name, names.index(word)) if names else data.groups(dataset(name).name)[word]


# ---- the map ----


@EVERY_MODEL
def test_every_test_picture_is_a_point_where_its_encoding_lies(name):
    found, mu = told(opened(name)), pretrained.load_encodings(name)[0]
    assert array(found["rows"], "<i4").tolist() == list(range(dataset(name).count("test")))
    assert np.array_equal(array(found["labels"], "u1"), labels(name))
    expected = mu.numpy() @ np.array(found["along"]).T
    np.testing.assert_allclose(array(found["xy"]).reshape(-1, 2), expected, atol=1e-4)
    assert found["classes"] == list(dataset(name).class_names or [dataset(name).things.capitalize()])
    if dataset(name).class_names:
        assert len(found["colours"]) == len(found["classes"])
    assert max(array(found["labels"], "u1")) < len(found["classes"])


@EVERY_MODEL
def test_the_numbers_of_the_points_are_those_of_their_posteriors(name):
    values = {key: array(text) for key, text in told(opened(name))["values"].items()}
    mu, sigma = pretrained.load_encodings(name)
    kl = kl_divergence(Normal(mu, sigma), Normal(0.0, 1.0)).sum(1)
    np.testing.assert_allclose(values["kl"], kl, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(values["reconstruction"] - values["kl"], values["elbo"], rtol=1e-5, atol=1e-3)
    stated = CARDS[name]["numbers"]["negative_elbo"]["value"]
    assert -values["elbo"].mean() == pytest.approx(stated, abs=0.5)


@EVERY_MODEL
def test_the_percentiles_of_the_density_rise(name):
    typical = told(opened(name))["typical"]
    assert len(typical) == 101
    assert typical == sorted(typical)
    assert typical[0] < typical[-1]


@pytest.mark.parametrize("name", [name for name in NAMES if CARDS[name]["latents"] > 2])
def test_any_two_latents_can_be_the_axes(name):
    app = opened(name)
    principal = told(app)["rev"]
    checked(app.segmented_control(key="map.view").set_value("pair").run())
    checked(app.selectbox(key=f"{name}.across").set_value(5).run())
    checked(app.selectbox(key=f"{name}.up").set_value(0).run())
    found, mu = told(app), pretrained.load_encodings(name)[0]
    assert found["rev"] != principal
    assert found["titles"] == ["z<sub>5</sub>", "z<sub>0</sub>"]
    assert np.array_equal(array(found["xy"]).reshape(-1, 2), mu[:, [5, 0]])
    checked(app.selectbox(key=f"{name}.across").set_value(0).run())  # what was up
    assert told(app)["titles"][0] == "z<sub>0</sub>" != told(app)["titles"][1]


def test_tsne_shows_some_of_the_points_and_is_told_to_be_no_plane(monkeypatch, tmp_path):
    monkeypatch.setenv("VAE_LAB_CACHE", str(tmp_path))
    monkeypatch.setattr(projection, "TSNE_PICTURES", 100)
    app = opened(DEEP)
    checked(app.segmented_control(key="map.view").set_value("tsne").run())
    found = told(app)
    rows = array(found["rows"], "<i4")
    assert len(rows) == 100 == len(array(found["xy"])) // 2
    assert set(rows) <= set(range(10_000))
    assert np.array_equal(array(found["labels"], "u1"), labels(DEEP))  # of neighbours that are no points, too
    assert found["along"] is None
    assert found["rank"] == ""
    assert any("distances and empty places mean nothing" in note for note in notes(app))


def test_a_model_of_two_latents_has_its_one_plane():
    app = opened(FLAT)
    assert told(app)["along"] == [[1, 0], [0, 1]]
    assert {one.key for one in app.selectbox} == {"model", "map.a", "map.b"}


# ---- what is marked ----


def png() -> bytes:
    paper, buffer = Image.new("L", (99, 99), 255), io.BytesIO()
    ImageDraw.Draw(paper).line([(50, 15), (50, 85)], 0, 9)
    paper.save(buffer, "PNG")
    return buffer.getvalue()


def canvas() -> np.ndarray:
    paper = Image.new("L", (inputs.PAD, inputs.PAD))
    ImageDraw.Draw(paper).ellipse([40, 30, 100, 110], outline=255, width=10)
    return np.asarray(paper)


def posterior(name: str, picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    x = picture
    if name in BITS:
        x = data.binarise(picture, torch.Generator().manual_seed(data.BINARISATION_SEED))
    q = vae.load_pretrained(name).encode(x)
    return q.mean[0].detach(), q.stddev[0].detach()


@EVERY_MODEL
def test_upload_and_drawing_are_both_marked_with_their_posteriors(name):
    spec = vae.load_pretrained(name).input_spec
    uploaded = posterior(name, prepare(png(), spec).picture)
    drawn = posterior(name, prepare_array(canvas(), spec).picture)
    app = opened(name, upload=("file", png()), drawing=canvas().tobytes(), own=DRAWING)
    found = told(app)["marks"]
    assert [mark["label"] for mark in found] == ["x, your drawing", "your picture"]
    for mark, (mu, sigma) in zip(found, (drawn, uploaded), strict=True):
        assert mark["mu"] == pytest.approx(mu.tolist(), abs=1e-4)
        assert mark["sigma"] == pytest.approx(sigma.tolist(), abs=1e-4)
    app.session_state["own"] = UPLOAD
    assert [mark["label"] for mark in told(checked(app.run()))["marks"]] == ["x, your picture", "your drawing"]


def test_pictures_brought_to_other_pages_are_marked_once_each_and_the_input_says_which_it_is():
    spec = vae.load_pretrained(DEEP).input_spec
    drawn, uploaded = prepare_array(canvas(), spec).picture, prepare(png(), spec).picture
    links = [
        inputs.address(inputs.Input(UPLOAD, "", picture, data.as_read(picture, spec))) for picture in (drawn, uploaded)
    ]
    words = map(inputs.Brought, ("your drawing", "your picture 2"))
    brought = {f"brought.{dataset(DEEP).name}": dict(zip(links, words, strict=True))}
    own = {"upload": ("file", png()), "own": None}  # the same picture as one that was brought
    app = opened(DEEP, **brought, **own, **{f"input.{dataset(DEEP).name}": parse(links[0])})
    first, second = told(app)["marks"]
    assert (first["label"], second["label"]) == ("x, your drawing", "your picture")
    for mark, picture in ((first, drawn), (second, uploaded)):
        mu, sigma = posterior(DEEP, picture)
        assert mark["mu"] == pytest.approx(mu.tolist(), abs=1e-4)
        assert mark["sigma"] == pytest.approx(sigma.tolist(), abs=1e-4)


def test_without_a_picture_of_ones_own_only_the_example_is_marked():
    found = told(opened(FLAT, own=None, **{f"input.{dataset(FLAT).name}": Example(7)}))
    (mark,) = found["marks"]
    assert (mark["label"], found["given"]) == ("x", "i7")
    assert mark["mu"] == pytest.approx(pretrained.load_encodings(FLAT)[0][7].tolist(), abs=2e-3)


def test_an_upload_that_cannot_be_read_is_not_marked():
    found = told(opened(FLAT, upload=("file", b"no picture"), own=None))
    assert [mark["label"] for mark in found["marks"]] == ["x"]


# ---- groups ----


def said(app: AppTest) -> str:
    """The effect size as the page states it."""
    (found,) = (note for note in notes(app) if "Cohen's d" in note)
    return found.removeprefix("Cohen's d ").split(" along")[0]


@EVERY_MODEL
def test_the_effect_of_two_groups_is_the_librarys_and_its_direction_goes_to_the_slider(name):
    first, second = (list(data.groups(dataset(name).name))[place] for place in (3, 8))
    app = opened(name)
    assert told(app)["direction"] is None
    app.selectbox(key="map.a").set_value(first)
    checked(app.selectbox(key="map.b").set_value(second).run())
    mu = pretrained.load_encodings(name)[0]
    expected = latent.attribute(mu, of_group(name, first), of_group(name, second))
    assert said(app) == f"{expected.effect:.2f} ± {expected.error:.2f}"
    direction = told(app)["direction"]
    assert direction["name"] == f"{first} − {second}"
    assert direction["vector"] == pytest.approx(expected.direction.tolist(), abs=1e-5)
    strongest = expected.per_dimension.abs().argmax()
    (caption,) = (note for note in notes(app) if "single latents" in note)
    assert f"z{strongest} {latent_map.signed(expected.per_dimension[strongest].item())}" in caption


def test_without_a_group_b_a_class_is_compared_with_all_others():
    app = opened(FLAT)
    checked(app.selectbox(key="map.a").set_value(dataset(FLAT).class_names[1]).run())
    others = (labels(FLAT) != 1).nonzero()[:, 0]
    expected = latent.attribute(pretrained.load_encodings(FLAT)[0], of_class(FLAT, 1), others)
    assert said(app) == f"{expected.effect:.2f} ± {expected.error:.2f}"


def test_a_kept_selection_is_a_group():
    rows = list(range(100, 400))
    app = opened(DEEP, **{f"{dataset(DEEP).name}.kept": {"A": rows}})
    app.selectbox(key="map.a").set_value("selection A (300)")
    checked(app.selectbox(key="map.b").set_value(dataset(DEEP).class_names[0]).run())
    mu = pretrained.load_encodings(DEEP)[0]
    expected = latent.attribute(mu, torch.tensor(rows), of_class(DEEP, 0))
    assert said(app) == f"{expected.effect:.2f} ± {expected.error:.2f}"


def test_the_groups_that_are_marked_are_the_chosen_ones_and_all_others_are_not():
    rows, kept = [3, 5, 9, 4000, 4001], f"{dataset(DEEP).name}.kept"
    app = opened(DEEP, **{kept: {"A": rows}})
    assert told(app)["groups"] == {}
    checked(app.selectbox(key="map.a").set_value("selection A (5)").run())
    assert {group: array(text, "<i4").tolist() for group, text in told(app)["groups"].items()} == {"A": rows}
    checked(app.selectbox(key="map.b").set_value(dataset(DEEP).class_names[4]).run())
    assert array(told(app)["groups"]["B"], "<i4").tolist() == of_class(DEEP, 4).tolist()


@pytest.mark.parametrize(("a", "b"), [([5, 6, 7], range(100, 200)), (range(50), range(50)), ([1], [2])])
def test_groups_that_cannot_be_compared_get_one_sentence(a, b):
    app = opened(FLAT, **{f"{dataset(FLAT).name}.kept": {"A": list(a), "B": list(b)}})
    app.selectbox(key="map.a").set_value(f"selection A ({len(a)})")
    checked(app.selectbox(key="map.b").set_value(f"selection B ({len(b)})").run())
    (error,) = app.error
    assert error.value.startswith("Each group needs 4 pictures")
    assert error.value.endswith(".")
    assert told(app)["direction"] is None


@pytest.mark.skipif(len({dataset(name).name for name in NAMES}) < 2, reason="the models are of one data set")
def test_groups_of_one_data_set_do_not_follow_to_a_model_of_another():
    other = next(name for name in NAMES if dataset(name).name != dataset(FLAT).name)
    app = opened(FLAT, **{f"{dataset(FLAT).name}.kept": {"B": list(range(9))}})
    app.selectbox(key="map.a").set_value(dataset(FLAT).class_names[0])
    checked(app.selectbox(key="map.b").set_value("selection B (9)").run())
    checked(app.sidebar.selectbox(key="model").set_value(other).run())
    assert told(app)["direction"] is None
    checked(app.sidebar.selectbox(key="model").set_value(FLAT).run())


# ---- what is taken away ----


@EVERY_MODEL
def test_the_table_holds_every_encoding_exactly(name):
    head, *lines = latent_map.as_csv(entry(name)).decode().splitlines()
    table = np.array([line.split(",") for line in lines], dtype=np.float64)
    mu, sigma = pretrained.load_encodings(name)
    d = CARDS[name]["latents"]
    names = ["index", *label_of(name), "elbo", "kl", "reconstruction"]
    assert head.split(",") == names + [f"mu{i}" for i in range(d)] + [f"sigma{i}" for i in range(d)]
    columns = dict(zip(names, table.T, strict=False))
    assert np.array_equal(columns["index"], np.arange(dataset(name).count("test")))
    assert all(np.array_equal(columns[word], labels(name)) for word in label_of(name))
    assert np.array_equal(table[:, len(names) : len(names) + d].astype(np.float32), mu)
    assert np.array_equal(table[:, len(names) + d :].astype(np.float32), sigma)
    assert np.array_equal(columns["elbo"].astype(np.float32), kept.values(entry(name))["elbo"])


def label_of(name: str) -> list[str]:
    """The column that tells a picture's class, where it has one."""
    return ["label"] if dataset(name).class_names else []


@EVERY_MODEL
def test_the_arrays_hold_every_encoding_exactly(name):
    found = np.load(io.BytesIO(latent_map.as_npz(entry(name))), allow_pickle=False)
    mu, sigma = pretrained.load_encodings(name)
    assert set(found) == {"mu", "sigma", *label_of(name), "elbo", "kl", "reconstruction"}
    assert np.array_equal(found["mu"], mu)
    assert np.array_equal(found["sigma"], sigma)
    assert all(np.array_equal(found[word], labels(name)) for word in label_of(name))
    assert np.array_equal(found["kl"], kept.values(entry(name))["kl"])


# ---- what the component says ----

NOT_NUMBERS = [None, "7", "", [], {}, float("nan"), float("inf"), -float("inf")]
NOT_INDICES = [*NOT_NUMBERS, True, -1, 10_000, 1e300, 10**30, -0.5, 1.5]
WRONG = [None, True, 3, "text", [], [1, 2], {}, {"unknown": 1}]


@pytest.fixture
def said_by(monkeypatch):
    """Calls a callback as after the component said something; gives the session's state before and after."""

    def call(name: str, callback: str, value: object) -> tuple[dict, dict]:
        key = {"moved": "place", "grouped": "kept"}.get(callback, callback)
        state = {"model": name, "map": {key: value}, "ticket": sessions.Ticket()}
        before = dict(state)
        with monkeypatch.context() as patched:
            patched.setattr("vae.app.pages.latent_map.st.session_state", state)
            getattr(latent_map, callback)()
        return before, state

    return call


@EVERY_MODEL
def test_a_picked_picture_becomes_the_input_and_its_encoding_the_place(said_by, name):
    _, state = said_by(name, "picked", {"index": 7, "turn": 0.5})
    assert state[f"input.{dataset(name).name}"] == Example(7)
    assert state["own"] is None
    mu = pretrained.load_encodings(name)[0][7]
    assert state[f"z.{name}"] == pytest.approx(mu.tolist(), abs=0.00051)
    assert state["map.turn"] == 1


def test_a_kept_group_has_each_picture_once_and_is_chosen(said_by):
    rows = [9, 3, 3.0, 9999, 10_000, -1, "4", None, float("nan"), True]
    _, state = said_by(FLAT, "grouped", {"group": "B", "rows": rows})
    assert state[f"{dataset(FLAT).name}.kept"] == {"B": [3, 9, 9999]}
    assert state["map.b"] == "selection B (3)"


@EVERY_MODEL
@pytest.mark.parametrize("callback", ["moved", "picked", "grouped"])
def test_what_is_no_message_changes_nothing(said_by, name, callback):
    for value in WRONG:
        before, after = said_by(name, callback, value)
        assert after == before


@pytest.mark.parametrize("index", [*NOT_INDICES, [7], {"7": 7}], ids=repr)
def test_an_index_that_is_none_picks_nothing(said_by, index):
    before, after = said_by(FLAT, "picked", {"index": index})
    assert after == before


@pytest.mark.parametrize("rows", [*NOT_INDICES, NOT_INDICES, [[1]] * 9, [-1] * 10**6, "0123", {"0": 1}])
def test_rows_that_are_none_are_not_kept(said_by, rows):
    before, after = said_by(FLAT, "grouped", {"group": "A", "rows": rows})
    assert after == before


@pytest.mark.parametrize("group", [None, "C", "a", "", ["A"], {"A": 1}, 0, "map.a"], ids=repr)
def test_a_group_that_is_neither_a_nor_b_is_not_kept(said_by, group):
    before, after = said_by(FLAT, "grouped", {"group": group, "rows": [1, 2, 3]})
    assert after == before


def test_any_number_of_rows_can_be_said(said_by):
    _, state = said_by(FLAT, "grouped", {"group": "A", "rows": list(range(10_000)) * 30})
    assert state[f"{dataset(FLAT).name}.kept"]["A"] == list(range(10_000))


@pytest.mark.parametrize("bad", NOT_NUMBERS, ids=repr)
def test_a_place_that_is_none_does_not_move_the_pin(said_by, bad):
    for z in (bad, [bad, 0.0], [0.0, 0.0, bad], [0.0]):
        before, after = said_by(FLAT, "moved", {"z": z, "given": "i7"})
        assert after == before
    before, after = said_by(FLAT, "moved", {"z": [0.0, 0.0], "given": bad})
    assert after == before
