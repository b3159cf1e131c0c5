"""The app's pages without a browser: Streamlit's AppTest runs them as the server does."""

import base64
import gc
import io
import json
import math
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from streamlit.runtime import caching
from streamlit.testing.v1 import AppTest

import vae
from tests.grids import grid
from tests.registry import BITS, VECTORS
from tests.served import entry
from vae import data
from vae.app import look
from vae.app.live import messages, sessions
from vae.app.look import nearness
from vae.app.session import inputs, kept
from vae.app.session import places as places_of
from vae.app.session.ids import DRAWING, UPLOAD, Example, parse
from vae.inference.evidence import Grid
from vae.inference.record import Frame, frame
from vae.latent.places import Places, places
from vae.models import FARTHEST, VAE, pretrained
from vae.models.spaces import Pictures
from vae.pictures.prepare import SWITCHES
from vae.serve.engine import engine
from vae.serve.library import Library

NAMES = VECTORS
COLOURS = [name for name in NAMES if name not in BITS]
TWO_LATENTS = [name for name in NAMES if pretrained.load_card(name)["latents"] == 2]
EXPLORE, RECONSTRUCT = "vae/app/pages/explore.py", "vae/app/pages/reconstruct.py"
HOW_IT_WORKS, INTERPOLATE = "vae/app/pages/how_it_works.py", "vae/app/pages/interpolate.py"
# One model for each data set, and so for each kind of preparation.
ONE_EACH = list({pretrained.load_card(name)["data"]["name"]: name for name in NAMES[::-1]}.values())
RECONSTRUCTION, KL, EVIDENCE = "reconstruction Eq log p(x|z)", "what z tells KL(q || p)", "evidence, exact log p(x)"
PLACE_NUMBERS = [field for field in Places._fields if field != "mean"]
EVERY_MODEL = pytest.mark.parametrize("name", NAMES)
EVERY_DATASET = pytest.mark.parametrize("name", ONE_EACH)


def opened(name: str | None = None, page: str = EXPLORE, **query: str) -> AppTest:
    """The app with a model chosen, a page open and a query in the URL."""
    app = AppTest.from_file("../../../streamlit_app.py", default_timeout=60)
    for key, value in (({} if name is None else {"model": name}) | query).items():
        app.query_params[key] = value
    app.run()
    return turned(app, page) if page != EXPLORE else checked(app)


def checked(app: AppTest) -> AppTest:
    assert not app.exception, app.exception[0].value
    return app


def turned(app: AppTest, page: str) -> AppTest:
    return checked(app.switch_page(page).run())


def test_a_token_lives_as_long_as_its_session_however_often_the_connection_is_cut():
    app = opened()
    token = explorer(app)["live"]["token"]
    session = sessions.by_token[token]
    caching.clear_session_resource_cache(session.script)  # what Streamlit does then
    assert sessions.by_token[token] is session
    app.run()
    assert explorer(app)["live"]["token"] == token
    del app
    gc.collect()
    assert token not in sessions.by_token


def latents(name: str) -> int:
    return pretrained.load_card(name)["latents"]


def explorer(app: AppTest) -> dict:
    """What Python tells Explore's component."""
    (element,) = app.main.get("bidi_component")
    return json.loads(element.proto.json)


@cache
def start(name: str) -> dict:
    """What Explore's component is told, and where its latents stand, where the URL says no more than the model."""
    app = opened(name)
    return explorer(app) | {"position": position(app, name)}


def position(app: AppTest, name: str) -> list[float]:
    """Where the latents of a model stand."""
    return app.session_state[f"z.{name}"]


def moved(app: AppTest, name: str, z: list[float], given: str | None = None) -> AppTest:
    """As after a hand let go; that the component says so is tested in a browser."""
    app.session_state[f"z.{name}"] = z
    if given is not None:
        app.session_state[f"input.{pretrained.load_card(name)['data']['name']}"] = parse(given)
    return checked(app.run())


def answered(app: AppTest, name: str) -> tuple[np.ndarray, np.ndarray]:
    """(numbers, picture) that the component starts with."""
    content = base64.b64decode(explorer(app)["answer"])[messages.HEADER.size :]
    numbers = 4 * (6 + latents(name))
    spec = model(name)[0].input_spec
    picture = np.frombuffer(content[numbers:], np.uint8).reshape(spec.shape).transpose(1, 2, 0)
    return np.frombuffer(content[:numbers], "<f4"), picture if spec.channels > 1 else picture[..., 0]


def place(name: str, z: list[float], identity: str) -> Places:
    """The library's own account of a z and an example."""
    return places(model(name)[0], torch.tensor([z]), test_input(name, int(identity[1:])))


def pictures(app: AppTest) -> Iterator[tuple[str, np.ndarray]]:
    """(testid, pixels) of every picture on the page."""
    for element in app.get("html"):
        found = re.findall(
            r'data-testid="([\w-]+)" alt="[^"]+" src="data:image/png;base64,([^"]+)"', element.proto.body
        )
        for testid, encoded in found:
            with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
                yield testid, np.asarray(image)


def picture(app: AppTest, testid: str = "decoded") -> np.ndarray:
    """The one picture of that name."""
    (pixels,) = (pixels for name, pixels in pictures(app) if name == testid)
    return pixels


def ledger(app: AppTest) -> dict[str, float]:
    """The numbers of the ledger by the label under each; it is opened where it is not."""
    if not any('data-testid="ledger"' in element.proto.body for element in app.get("html")):
        app.session_state["ledger"] = True
        checked(app.run())
    (body,) = (element.proto.body for element in app.get("html") if 'data-testid="ledger"' in element.proto.body)
    cells = re.findall(r">([−-]?[\d.]+)</span><br><span[^>]*>(.*?)</span></span>", body)
    return {re.sub(r"<.*?>", "", label): float(number.replace("−", "-")) for number, label in cells}


def notes(app: AppTest) -> list[str]:
    """The text of every piece of HTML."""
    return [re.sub("<[^>]*>", "", element.proto.body) for element in app.get("html")]


@cache
def model(name: str) -> tuple[vae.models.VAE, Grid | None]:
    loaded = vae.load_pretrained(name)
    return loaded, grid(name, loaded)


def test_input(name: str, index: int) -> torch.Tensor:
    """What a model reads of a test picture."""
    return data.test_inputs(pretrained.load_card(name)["data"]["name"])[index : index + 1]


test_input.__test__ = False


def direct(app: AppTest, name: str, seed: int) -> Frame:
    """The library's record of the x that the page shows."""
    loaded, grid = model(name)
    height, width = loaded.input_spec.height, loaded.input_spec.width
    x = torch.from_numpy(picture(app, "x") / np.float32(255)).reshape(height, width, -1)
    return frame(loaded, x.permute(2, 0, 1)[None], seed, grid)


def stroke(side: int = 120) -> Image.Image:
    """A dark seven on white paper."""
    image = Image.new("L", (side, side), 255)
    points = [(0.3, 0.25), (0.7, 0.25), (0.45, 0.8)]
    ImageDraw.Draw(image).line([(x * side, y * side) for x, y in points], 20, side // 12, "curve")
    return image


def saved(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def transparent_png() -> tuple[str, bytes, str]:
    ink = stroke().convert("RGBA")
    ink.putalpha(stroke().point(lambda level: 255 - level))
    return "seven.png", saved(ink, "PNG"), "image/png"


def rotated_jpeg() -> tuple[str, bytes, str]:
    """Stored lying on its side, with the tag that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return "seven.jpg", saved(stroke().transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif), "image/jpeg"


def deep_tiff() -> tuple[str, bytes, str]:
    return "seven.tif", saved(Image.fromarray(np.asarray(stroke()).astype(np.uint16) * 257), "TIFF"), "image/tiff"


def plain_png() -> tuple[str, bytes, str]:
    return "seven.png", saved(stroke(), "PNG"), "image/png"


def colours(seed: int = 0) -> tuple[str, bytes, str]:
    """Colours by chance, which nothing packs: no link has room for them."""
    return "colours.png", saved(Image.fromarray(noise(seed)), "PNG"), "image/png"


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (64, 64, 3)).astype(np.uint8)


# ---- every page ----


@EVERY_MODEL
@pytest.mark.parametrize("path", [EXPLORE, RECONSTRUCT])
def test_every_page_shows_a_decoded_picture_of_every_model(name, path):
    app = opened(name, path)
    assert app.session_state["model"] == name
    decoded = answered(app, name)[1] if path == EXPLORE else picture(app)
    assert decoded.shape[:2] == (model(name)[0].input_spec.height, model(name)[0].input_spec.width)
    assert np.ptp(decoded) > 100


def test_without_a_model_in_the_url_the_first_choice_is_shown_and_named_there():
    app = opened()
    assert app.session_state["model"] in NAMES
    assert app.query_params["model"] == app.session_state["model"]


def test_every_shipped_model_can_be_chosen_in_the_sidebar():
    app = opened(NAMES[0])
    for name in NAMES[::-1]:
        checked(app.sidebar.selectbox(key="model").set_value(name).run())
        assert app.query_params["model"] == name
        assert explorer(app)["rev"].startswith(f"{name}.")
        told = explorer(app)
        assert told["model"] == name
        (about,) = told["live"]["models"]
        assert sessions.by_token[told["live"]["token"]].entry(about["number"]) == entry(name)


def test_a_model_chosen_in_the_sidebar_starts_at_its_own_preset_not_at_the_other_models_z(monkeypatch, tmp_path):
    """With a twin under another name, so that the z in the URL would fit."""
    name = NAMES[0]
    for known in NAMES:
        (tmp_path / known).symlink_to(pretrained.PRETRAINED / known)
    (tmp_path / "twin").symlink_to(pretrained.PRETRAINED / name)
    monkeypatch.setattr(pretrained, "PRETRAINED", tmp_path)
    opened_library = Library(engine())
    monkeypatch.setattr("vae.serve.library._library", lambda: opened_library)
    app = opened(name, z=",".join(["0.5"] * latents(name)))
    assert position(app, name) == [0.5] * latents(name)
    checked(app.sidebar.selectbox(key="model").set_value("twin").run())
    mu = pretrained.load_encodings("twin")[0][kept.typical(entry("twin"))[2]]
    assert position(app, "twin") == pytest.approx(mu.tolist(), abs=0.00051)
    assert app.query_params["z"] != ",".join(["0.5"] * latents(name))


def test_what_pages_compute_of_a_models_encodings_runs_in_an_engines_thread(monkeypatch):
    name, threads = NAMES[0], {}

    def watched(where, what: str) -> None:
        call = getattr(where, what)

        def noting(*arguments, **options):
            threads.setdefault(what, set()).add(threading.current_thread().name)
            return call(*arguments, **options)

        monkeypatch.setattr(where, what, noting)

    for where, what in ((torch, "cdist"), (torch, "quantile"), (torch.linalg, "eigh"), (data, "test_inputs")):
        watched(where, what)
    kept.test_set.clear()
    kept.test_set(entry(name).dataset.name)
    fresh = Library(engine())
    monkeypatch.setattr("vae.serve.library._library", lambda: fresh)
    for function in (kept.typical, kept.components, kept.reach, kept.crowding, kept.values):
        function(entry(name))
    assert set(threads) == {"cdist", "quantile", "eigh", "test_inputs"}
    assert set.union(*threads.values()) <= {"vae-records_0", "vae-records_1"}


# ---- Explore ----


@EVERY_MODEL
def test_the_first_picture_and_its_numbers_are_the_librarys_for_exactly_this_z_and_x(name):
    app = opened(name)
    for z in (position(app, name), [0.0] * latents(name), link(name)):
        moved(app, name, z)
        assert explorer(app)["z"] == z
        numbers, shown = answered(app, name)
        expected = place(name, z, explorer(app)["given"])
        assert np.abs(shown.astype(int) - look.to_uint8(expected.mean[0])).max() <= 1
        parts = [getattr(expected, field) for field in PLACE_NUMBERS]
        assert numbers == pytest.approx(torch.cat([part.flatten() for part in parts]).numpy(), rel=1e-4, abs=1e-4)


@EVERY_MODEL
def test_the_latents_are_told_with_the_most_informative_first(name):
    told = explorer(opened(name))
    kl = pretrained.load_card(name)["numbers"]["kl_per_dimension"]
    assert sorted(told["order"]) == list(range(latents(name)))
    assert [kl[dimension] for dimension in told["order"]] == sorted(kl, reverse=True)
    assert told["kl"] == kl


@EVERY_MODEL
def test_each_preset_is_a_test_picture_of_its_group_with_its_posterior(name):
    told = explorer(opened(name))
    dataset = data.DATASETS[pretrained.load_card(name)["data"]["name"]]
    groups, inputs = data.groups(dataset.name), data.test_inputs(dataset.name)
    assert [preset["label"] for preset in told["presets"]] == list(groups)
    levels = np.frombuffer(base64.b64decode(told["levels"]), np.uint8).reshape(len(told["presets"]), -1)
    for preset, x in zip(told["presets"], levels, strict=True):
        index = int(preset["id"].removeprefix("i"))
        assert index in groups[preset["label"]]
        assert np.array_equal(inputs[index].mul(dataset.spec.levels - 1).round().flatten().numpy(), x)
        q = model(name)[0].encode(inputs[index : index + 1])
        assert preset["mu"] == pytest.approx(q.mean[0].tolist(), abs=2e-3)
        assert preset["sigma"] == pytest.approx(q.stddev[0].tolist(), abs=2e-3)


@EVERY_MODEL
def test_the_principal_directions_are_those_of_numpys_singular_vectors(name):
    told = explorer(opened(name))["components"]
    mu = pretrained.load_encodings(name)[0].double().numpy()
    expected = np.linalg.svd(mu - mu.mean(0), full_matrices=False)[2][:2]
    assert np.abs(np.array(told["directions"]) @ expected.T) == pytest.approx(np.eye(2), abs=1e-2)


WRONG_PLACES = [None, 3, "z", {}, {"z": None}, {"z": []}, {"z": ["a"]}, {"z": [float("nan")]}, {"z": [1e300]}]


@pytest.mark.parametrize("value", WRONG_PLACES, ids=str)
def test_what_a_component_should_not_say_moves_nothing(value, monkeypatch):
    state = {}
    monkeypatch.setattr("vae.app.session.inputs.st.session_state", state)
    for name in NAMES:
        if isinstance(value, dict) and value.get("z"):
            value = value | {"z": [value["z"][0]] * latents(name), "given": "i0"}
        places_of.keep(entry(name), value)
        places_of.keep(entry(name), {"z": [0.0] * latents(name), "given": "no such input"})
    assert state == {}


@EVERY_MODEL
def test_a_place_that_the_component_says_is_kept_to_a_thousandth_and_within_bounds(name, monkeypatch):
    state = {}
    monkeypatch.setattr("vae.app.session.inputs.st.session_state", state)
    places_of.keep(entry(name), {"z": [0.12345] * (latents(name) - 1) + [99], "given": "i7"})
    assert state[f"z.{name}"] == [0.123] * (latents(name) - 1) + [FARTHEST]
    assert state[f"input.{pretrained.load_card(name)['data']['name']}"] == Example(7)


def button(app: AppTest, label: str):
    (found,) = (one for one in app.button if one.label == label)
    return found


# ---- the URL ----


def link(name: str) -> list[float]:
    """A z as a permalink has it."""
    return [round(0.37 * (-1) ** dimension * (1 + dimension % 5), 2) for dimension in range(latents(name))]


@EVERY_MODEL
def test_a_permalink_opens_exactly_its_z_and_its_x(name):
    app = opened(name, z=",".join(str(value) for value in link(name)), x="i123")
    assert app.session_state["model"] == name
    assert position(app, name) == link(name)
    assert explorer(app)["given"] == "i123"
    assert (
        np.abs(answered(app, name)[1].astype(int) - look.to_uint8(place(name, link(name), "i123").mean[0])).max() <= 1
    )


@EVERY_MODEL
def test_the_url_of_a_visit_opens_the_same_place_and_input_for_another_visitor(name):
    app = moved(opened(name), name, link(name), "i42")
    other = opened(name, z=app.query_params["z"], x=app.query_params["x"])
    assert position(other, name) == position(app, name)
    assert all(np.array_equal(a, b) for a, b in zip(answered(other, name), answered(app, name), strict=True))


@EVERY_DATASET
def test_a_link_says_which_sample_of_z_is_shown(name):
    app = opened(name, RECONSTRUCT)
    first = picture(app)
    assert "seed" not in app.query_params
    for _ in range(2):
        checked(button(app, "Draw it again").click().run())
    other = opened(name, RECONSTRUCT, x=app.query_params["x"], seed=app.query_params["seed"])
    assert np.array_equal(picture(other), picture(app))
    assert ledger(other) == ledger(app)
    assert not np.array_equal(picture(other), first)
    for broken in ("-1", "many", "9" * 40):
        assert np.array_equal(picture(opened(name, RECONSTRUCT, seed=broken)), first)


@EVERY_DATASET
def test_a_link_says_an_uploaded_picture_by_its_bits(name):
    app = opened(name, RECONSTRUCT)
    uploaded(app, plain_png())
    other = opened(name, RECONSTRUCT, x=app.query_params["x"])
    assert np.array_equal(picture(other, "x"), picture(app, "x"))
    assert ledger(other) == ledger(app)


@EVERY_DATASET
@pytest.mark.parametrize(
    "broken", ["", "i", "i-1", "i99999", "i9999999", "b", "bAAAA", "b%%%", "b" + "A" * 9000, "upload"]
)
def test_an_x_in_the_url_that_means_nothing_is_ignored(name, broken):
    app = opened(name, x=broken)
    assert explorer(app)["given"] == start(name)["given"]


BROKEN = ["", "abc", "nan", "inf", "-inf", "1e300", "-1e9", "1;2", "<script>", "__import__('os')", "9" * 9000]


@EVERY_MODEL
@pytest.mark.parametrize("broken", BROKEN)
def test_a_z_in_the_url_that_means_nothing_is_ignored(name, broken):
    one_bad = ",".join(["0"] * (latents(name) - 1) + [broken])
    assert position(opened(name, z=one_bad), name) == start(name)["position"]


@EVERY_MODEL
@pytest.mark.parametrize("wrong", [-1, 1, 5000])
def test_a_z_in_the_url_of_another_length_is_ignored(name, wrong):
    assert position(opened(name, z=",".join(["0"] * (latents(name) + wrong))), name) == start(name)["position"]


@EVERY_MODEL
def test_a_far_z_in_the_url_is_kept_within_bounds_and_the_sliders_reach_it(name):
    app = opened(name, z=",".join(["500"] * latents(name)))
    assert position(app, name) == explorer(app)["reach"] == [FARTHEST] * latents(name)


@EVERY_MODEL
def test_the_picture_that_is_encoded_farthest_out_is_where_it_is_encoded_and_the_sliders_reach_it(name):
    mu, _ = pretrained.load_encodings(name)
    assert mu.abs().max() < FARTHEST
    for index in {int(mu.abs().amax(1).argmax()), int(mu.norm(dim=1).argmax())}:
        app = opened(name, x=f"i{index}")
        assert position(app, name) == pytest.approx(mu[index].tolist(), abs=6e-3)  # encodings ship in half precision
        assert all(abs(at) <= far for at, far in zip(position(app, name), explorer(app)["reach"], strict=True))


@EVERY_MODEL
def test_samples_of_the_prior_and_most_pictures_are_within_the_sliders(name):
    far = torch.tensor(explorer(opened(name))["reach"])
    assert (far >= kept.LEAST).all()
    z = torch.randn(4000, latents(name), generator=torch.Generator().manual_seed(1))
    assert (z.abs() <= far).all(1).float().mean() > 0.98


@pytest.mark.parametrize("broken", ["", "no-such-model", "../../etc/passwd", "a" * 9000, "\0", "<b>"])
def test_an_unknown_model_in_the_url_is_ignored(broken):
    app = opened(broken)
    assert app.session_state["model"] == opened().session_state["model"]
    assert app.query_params["model"] == app.session_state["model"]


# ---- what survives ----


@EVERY_MODEL
def test_place_and_input_stay_through_a_page_change(name):
    app = moved(opened(name), name, link(name), "i42")
    before = explorer(app)
    turned(turned(app, RECONSTRUCT), EXPLORE)
    assert app.session_state["model"] == name
    assert explorer(app) | {"live": before["live"]} == before


@pytest.mark.skipif(len(NAMES) < 2, reason="one model ships")
def test_a_place_stays_while_another_model_is_looked_at():
    app = moved(opened(NAMES[0]), NAMES[0], link(NAMES[0]))
    for name in (NAMES[1], NAMES[0]):
        checked(app.sidebar.selectbox(key="model").set_value(name).run())
    assert position(app, NAMES[0]) == link(NAMES[0])


@EVERY_DATASET
def test_explore_goes_on_from_the_picture_of_reconstruct(name):
    app = opened(name, RECONSTRUCT)
    uploaded(app, plain_png())
    record = direct(app, name, 0)
    checked(button(app, "Move its numbers").click().run())
    assert explorer(app)["given"] == "upload"
    assert position(app, name) == places_of.as_place(entry(name), record.mu.tolist())
    own = explorer(app)["presets"][-1]
    assert own["id"] == "upload"
    assert own["mu"] == pytest.approx(record.mu.tolist(), abs=1e-4)


@EVERY_DATASET
def test_the_example_survives_a_page_change(name):
    app = opened(name, RECONSTRUCT)
    dataset = pretrained.load_card(name)["data"]["name"]
    checked(app.button_group(key=f"{dataset}.examples.class").set_value(list(data.groups(dataset))[7]).run())
    checked(button(app, "Another").click().run())
    shown = picture(app, "x")
    turned(turned(app, EXPLORE), RECONSTRUCT)
    assert np.array_equal(picture(app, "x"), shown)


# ---- Reconstruct ----


def uploaded(app: AppTest, file: tuple[str, bytes, str]) -> None:
    checked(app.segmented_control(key="source").set_value("Upload").run())
    checked(app.file_uploader(key="upload.0").set_value(file).run())


@EVERY_DATASET
def test_the_examples_are_the_pictures_of_the_card(name):
    app = opened(name, RECONSTRUCT)
    card = pretrained.load_card(name)
    known = [look.to_uint8(x).tobytes() for x in data.test_inputs(card["data"]["name"])[card["examples"]]]
    seen = set()
    for _ in range(3):
        checked(button(app, "Another").click().run())
        x = picture(app, "x").tobytes()
        assert x in known
        seen.add(x)
    assert len(seen) > 1


@EVERY_DATASET
def test_each_group_has_an_example(name):
    app = opened(name, RECONSTRUCT)
    dataset, card = pretrained.load_card(name)["data"]["name"], pretrained.load_card(name)
    inputs = data.test_inputs(dataset)
    for chosen, rows in data.groups(dataset).items():
        checked(app.button_group(key=f"{dataset}.examples.class").set_value(chosen).run())
        first = next(index for index in card["examples"] if index in rows)
        assert np.array_equal(picture(app, "x"), look.to_uint8(inputs[first]))


@EVERY_MODEL
def test_the_ledger_shows_the_librarys_numbers_for_exactly_this_picture_and_seed(name):
    app = opened(name, RECONSTRUCT)
    for seed in range(2):
        record, shown = direct(app, name, seed), ledger(app)
        expected = [record.reconstruction.value, record.kl, record.elbo, record.iwae]
        expected += [] if record.log_evidence is None else [record.log_evidence.value]
        assert list(shown.values()) == pytest.approx(expected, abs=0.051)
        assert np.abs(picture(app).astype(int) - look.to_uint8(record.mean)).max() <= 1
        (caption,) = (text for text in notes(app) if "In nats per picture" in text)
        value = "pixel" if name in BITS else "colour of a pixel"
        assert f"{record.bits_per_dimension:.3f} bits per {value}" in caption
        assert f"± {record.reconstruction.error:.2f}" in caption
        checked(button(app, "Draw it again").click().run())


def ledger_of(name: str, index: int) -> list[float]:
    """The library's ledger of a test picture."""
    loaded, grid = model(name)
    record = frame(loaded, test_input(name, index), 0, grid)
    exact = [] if record.log_evidence is None else [record.log_evidence.value]
    return [record.reconstruction.value, record.kl, record.elbo, record.iwae, *exact]


@pytest.mark.parametrize("page", [EXPLORE, "vae/app/pages/latent_map.py", INTERPOLATE])
@EVERY_MODEL
def test_other_pages_have_the_ledger_of_their_input_once_it_is_opened(name, page):
    app = opened(name, EXPLORE, x="i7")
    app = app if page == EXPLORE else turned(app, page)
    assert not any("In nats per picture" in text for text in notes(app))
    app.session_state["ledger"] = True
    checked(app.run())
    assert list(ledger(app).values()) == pytest.approx(ledger_of(name, 7), abs=0.051)
    (checks,) = (box.label for box in app.expander if "checks" in box.label)
    assert checks.endswith("checks hold")
    (lamps,) = (html.proto.body for html in app.get("html") if 'data-testid="check"' in html.proto.body)
    assert lamps.count('data-testid="check"') == lamps.count("would catch") == int(checks.split()[0])


@pytest.mark.parametrize("chapter", ["structure", "kl", "bayes"])
@pytest.mark.parametrize("name", TWO_LATENTS)
def test_chapters_about_the_input_have_its_ledger_once_it_is_opened(name, chapter):
    app = opened(name, HOW_IT_WORKS, chapter=chapter, x="i7")
    assert not any("In nats per picture" in text for text in notes(app))
    app.session_state["ledger"] = True
    checked(app.run())
    assert list(ledger(app).values()) == pytest.approx(ledger_of(name, 7), abs=0.051)


@EVERY_MODEL
def test_each_end_of_a_journey_has_its_ledger(name):
    app = turned(opened(name, EXPLORE), INTERPOLATE)
    app.session_state["ledger"] = True
    checked(app.run())
    of = next(control for control in app.segmented_control if control.label == "Of")
    assert of.options == ["A", "B"]
    checked(of.set_value("B").run())
    second = int(app.session_state[f"ends.{pretrained.load_card(name)['data']['name']}"][1].index)
    assert list(ledger(app).values()) == pytest.approx(ledger_of(name, second), abs=0.051)


@EVERY_MODEL
def test_the_ledger_adds_up_on_screen(name):
    app = opened(name, RECONSTRUCT)
    for _ in range(4):
        shown = ledger(app)
        reconstruction, kl, elbo, iwae = list(shown.values())[:4]
        draws = 200 if model(name)[0].input_spec.pixels > 4096 else 1000
        assert list(shown)[:4] == [RECONSTRUCTION, KL, "lower bound ELBO", f"closer bound IWAE, k = {draws}"]
        assert reconstruction - kl == pytest.approx(elbo, abs=0.1501)
        assert iwae >= elbo - 1
        assert kl >= 0
        checked(button(app, "Another").click().run())


@EVERY_MODEL
def test_resampling_changes_the_picture_and_neither_x_nor_kl_nor_the_evidence(name):
    app = opened(name, RECONSTRUCT)
    decoded, x, before = picture(app), picture(app, "x"), ledger(app)
    checked(button(app, "Draw it again").click().run())
    after = ledger(app)
    assert not np.array_equal(picture(app), decoded)
    assert np.array_equal(picture(app, "x"), x)
    assert after[KL] == before[KL]
    assert (EVIDENCE in after) == (name in TWO_LATENTS)
    assert after.get(EVIDENCE) == before.get(EVIDENCE)


@EVERY_MODEL
@pytest.mark.parametrize("make", [transparent_png, rotated_jpeg, deep_tiff])
def test_an_uploaded_picture_is_prepared_and_reconstructed(name, make):
    app = opened(name, RECONSTRUCT)
    example = picture(app, "x")
    uploaded(app, make())
    assert not app.error
    assert not np.array_equal(picture(app, "x"), example)
    assert np.ptp(picture(app)) > 50
    expected = vae.pictures.prepare(make()[1], model(name)[0].input_spec)
    if name in BITS:
        assert set(np.unique(picture(app, "x"))) == {0, 255}
    else:
        assert np.array_equal(picture(app, "x"), look.to_uint8(expected.picture[0]))
    assert np.array_equal(picture(app, "prepared"), look.to_uint8(expected.picture[0]))
    steps = [pixels for testid, pixels in pictures(app) if testid == "picture"]
    assert len(steps) == len(expected.steps)
    (box,) = (one for one in app.expander if one.label.startswith("Prepared in"))
    assert box.label == f"Prepared in {sum(step.applied for step in expected.steps)} steps"
    record = direct(app, name, 0)
    assert list(ledger(app).values())[:3] == pytest.approx(
        [record.reconstruction.value, record.kl, record.elbo], abs=0.051
    )


@EVERY_DATASET
def test_a_drawing_shows_the_steps_of_its_preparation(name):
    app = opened(name, RECONSTRUCT)
    canvas = np.zeros((inputs.PAD, inputs.PAD), np.uint8)
    canvas[30:110, 60:76] = 255
    app.session_state["drawing"], app.session_state["own"] = canvas.tobytes(), DRAWING
    app.session_state["source"] = "Draw"
    checked(app.run())
    expected = vae.pictures.prepare_array(canvas, model(name)[0].input_spec)
    steps = [pixels for testid, pixels in pictures(app) if testid == "picture"]
    assert len(steps) == len(expected.steps)
    assert all(np.array_equal(shown, step.image) for shown, step in zip(steps, expected.steps, strict=True))
    assert not app.toggle  # what the pad shows while one draws is prepared without switches


def test_the_same_drawing_is_the_same_picture_in_every_format():
    seen = []
    for make in (plain_png, transparent_png, rotated_jpeg, deep_tiff):
        app = opened(NAMES[0], RECONSTRUCT)
        uploaded(app, make())
        seen.append(picture(app, "prepared").astype(int))
    for other in seen[1:]:  # centring goes by whole pixels, so noise may tip it by one
        shifted = [np.roll(other, (down, right), (0, 1)) for down in (-1, 0, 1) for right in (-1, 0, 1)]
        assert min(np.abs(one - seen[0]).mean() for one in shifted) < 3


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (("notes.png", b"this is a text, not a picture\n" * 9, "image/png"), "not a PNG"),
        (("half.png", plain_png()[1][: len(plain_png()[1]) // 2], "image/png"), "ends before the picture"),
        (("blank.png", saved(Image.new("L", (99, 99), 255), "PNG"), "image/png"), "nothing on this picture"),
        (("empty.png", b"", "image/png"), "empty"),
    ],
    ids=["text", "half", "blank", "empty"],
)
def test_a_file_that_is_no_picture_gets_one_sentence_and_the_example_stays(file, reason):
    app = opened(NAMES[0], RECONSTRUCT)
    before = dict(pictures(app))
    uploaded(app, file)
    assert len(app.error) == 1
    sentence = app.error[0].value
    assert reason in sentence
    assert any(note.value.startswith("Still shown: test picture") for note in app.caption)
    assert sentence.endswith(".")
    assert "Traceback" not in sentence
    after = dict(pictures(app))
    assert list(after) == list(before)
    assert all(np.array_equal(after[testid], before[testid]) for testid in before)
    uploaded(app, plain_png())
    assert not app.error
    assert not np.array_equal(picture(app, "x"), before["x"])


@EVERY_DATASET
def test_a_broken_file_takes_neither_an_upload_nor_z_away(name):
    app = opened(name, RECONSTRUCT)
    uploaded(app, plain_png())
    x, z = picture(app, "x"), [0.25] * latents(name)
    app.session_state[f"z.{name}"] = z
    uploaded(app, ("broken.png", plain_png()[1][:200], "image/png"))
    assert [error.value for error in app.error] == ["The file ends before the picture does; copy or send it once more."]
    assert any(note.value == "Still shown: your picture." for note in app.caption)
    assert np.array_equal(picture(app, "x"), x)
    assert position(app, name) == z
    checked(app.file_uploader(key="upload.0").set_value([]).run())
    assert not app.error


@EVERY_DATASET
def test_a_switched_step_changes_the_preparation_and_back(name):
    app = opened(name, RECONSTRUCT)
    uploaded(app, plain_png())
    before = picture(app, "prepared")
    (toggle,) = (one for one in app.toggle if one.label == SWITCHES["invert"])
    done = toggle.value
    assert done == (name in BITS)  # ink is to be light; colours are left as they are
    checked(toggle.set_value(not done).run())
    spec = model(name)[0].input_spec
    expected = vae.pictures.prepare(plain_png()[1], spec, {"invert": not done})
    assert np.array_equal(picture(app, "prepared"), look.to_uint8(expected.picture[0]))
    assert not np.array_equal(picture(app, "prepared"), before)
    (toggle,) = (one for one in app.toggle if one.label == SWITCHES["invert"])
    assert toggle.value != done
    checked(toggle.set_value(done).run())
    assert np.array_equal(picture(app, "prepared"), before)


@EVERY_DATASET
def test_every_switch_of_the_preparation_can_be_thrown(name):
    app = opened(name, RECONSTRUCT)
    uploaded(app, plain_png())
    labels = [toggle.label for toggle in app.toggle]
    assert SWITCHES["invert"] in labels
    switches = vae.pictures.PREPARATIONS[model(name)[0].input_spec.preparation].switches
    assert set(labels) <= {SWITCHES[switch] for switch in switches}
    for label in labels:
        (toggle,) = (one for one in app.toggle if one.label == label)
        checked(toggle.set_value(not toggle.value).run())
        assert len(app.error) <= 1


def test_switches_of_one_file_do_not_touch_the_next():
    app = opened(NAMES[0], RECONSTRUCT)
    uploaded(app, plain_png())
    before = picture(app, "prepared")
    (toggle,) = (one for one in app.toggle if one.label == SWITCHES["invert"])
    checked(toggle.set_value(False).run())
    uploaded(app, plain_png())
    assert np.array_equal(picture(app, "prepared"), before)


def test_a_picture_stays_while_another_file_is_on_its_way_and_goes_when_it_is_put_away():
    app = opened(NAMES[0], RECONSTRUCT)
    before = picture(app, "x")
    uploaded(app, plain_png())
    mine = picture(app, "x")
    assert not np.array_equal(mine, before)
    checked(app.file_uploader(key="upload.0").clear().run())  # so it is until the other file is there
    assert np.array_equal(picture(app, "x"), mine)
    checked(button(app, "Put my picture away").click().run())
    assert np.array_equal(picture(app, "x"), before)


@EVERY_DATASET
def test_a_broken_file_leaves_the_upload_before_it_to_every_model(name):
    app = opened(name, RECONSTRUCT)
    uploaded(app, plain_png())
    steps = [box.label for box in app.expander if "Prepared" in box.label]
    uploaded(app, ("broken.png", plain_png()[1][:200], "image/png"))
    assert [box.label for box in app.expander if "Prepared" in box.label] == steps
    for other in NAMES:
        checked(app.sidebar.selectbox(key="model").set_value(other).run())
        expected = vae.pictures.prepare(plain_png()[1], model(other)[0].input_spec)
        assert np.array_equal(picture(app, "prepared"), look.to_uint8(expected.picture[0]))


@EVERY_DATASET
def test_an_own_picture_is_called_so_on_interpolate_and_by_nobody_else(name):
    app = opened(name, RECONSTRUCT)
    uploaded(app, plain_png())
    ends = json.loads(turned(app, INTERPOLATE).main.get("bidi_component")[0].proto.json)["ends"]
    assert ends[0]["name"] == "your picture"
    other = opened(name, EXPLORE, x=app.query_params["ends"].split(",")[0])
    assert [one["name"] for one in explorer(other)["presets"] if one.get("own")] == ["a picture from a link"]


@EVERY_DATASET
def test_a_link_to_a_drawing_presses_no_example_and_its_picture_is_on_the_pad(name):
    app = opened(name, RECONSTRUCT)
    uploaded(app, plain_png())
    x = picture(app, "x")
    other = opened(name, RECONSTRUCT, x=app.query_params["x"])
    dataset = pretrained.load_card(name)["data"]["name"]
    assert np.array_equal(picture(other, "x"), x)
    assert other.button_group(key=f"{dataset}.examples.class").value in (None, [])
    checked(other.segmented_control(key="source").set_value("Draw").run())
    assert np.array_equal(on_pad(other, len(x)), x if x.ndim == 2 else x[..., 0])


def on_pad(app: AppTest, side: int) -> np.ndarray:
    """The middles of side x side parts of what is on the drawing pad."""
    canvas = json.loads(app.main.get("bidi_component")[0].proto.json)["canvas"]
    drawn = np.frombuffer(base64.b64decode(canvas), np.uint8).reshape(inputs.PAD, inputs.PAD)
    middles = ((np.arange(side) + 0.5) * inputs.PAD / side).astype(int)
    return drawn[np.ix_(middles, middles)]


@pytest.mark.parametrize("name", COLOURS)
def test_of_colours_from_a_link_the_pad_has_the_greys(name):
    spec = model(name)[0].input_spec
    x = torch.zeros(1, *spec.shape)
    x[:, 0, :, :32], x[:, 2, 32:] = 1.0, 0.6
    app = opened(name, RECONSTRUCT, x=inputs.address(inputs.Input(UPLOAD, "", x, x)))
    assert np.array_equal(picture(app, "x"), look.to_uint8(x[0]))
    checked(app.segmented_control(key="source").set_value("Draw").run())
    assert np.array_equal(on_pad(app, spec.height), look.to_uint8(x[0].mean(0, keepdim=True)))


# ---- pictures that are too large for a link ----


def own_input(name: str, seed: int) -> inputs.Input:
    spec = model(name)[0].input_spec
    x = vae.pictures.prepare(colours(seed)[1], spec).picture
    return inputs.Input(UPLOAD, "your picture", x, x)


@pytest.mark.parametrize("name", COLOURS)
def test_own_colours_are_an_end_of_a_journey_and_a_link_to_it_says_that_it_lacks_them(name):
    app = opened(name, RECONSTRUCT)
    uploaded(app, colours())
    mine = picture(app, "prepared")
    turned(app, INTERPOLATE)
    first, second = explorer(app)["ends"]
    assert first["name"] == "your picture"
    assert second["name"].startswith("test picture")
    assert np.array_equal(np.frombuffer(base64.b64decode(first["pixels"]), np.uint8), mine.ravel())
    said = app.query_params["ends"]
    assert len(said) < 100
    other = opened(name, INTERPOLATE, ends=said)
    assert all(one["name"].startswith("test picture") for one in explorer(other)["ends"])
    assert [one.value for one in other.warning if "too large for a link" in one.value]


@pytest.mark.parametrize("name", COLOURS)
def test_a_link_to_own_colours_says_that_they_are_too_large_and_in_their_session_it_shows_them(name):
    app = opened(name, RECONSTRUCT)
    uploaded(app, colours())
    mine, said = picture(app, "x"), app.query_params["x"]
    other = opened(name, x=said)
    (warning,) = (one.value for one in other.warning)
    assert warning.startswith("The link asks for a picture that somebody brought, which is too large for a link")
    assert explorer(other)["given"] == explorer(opened(name))["given"]
    del app.session_state["own"]  # as after Back, when the address decides again
    app.session_state["link"] = {"model": name, "x": said}
    assert np.array_equal(picture(checked(app.run()), "x"), mine)
    assert not any("link" in one.value for one in app.warning)


@pytest.mark.parametrize("name", COLOURS)
def test_own_colours_are_told_apart_where_no_link_has_room_for_them(name, monkeypatch):
    state = {"link": {}}
    monkeypatch.setattr("vae.app.session.inputs.st.session_state", state)
    first, second = own_input(name, 1), own_input(name, 2)
    assert inputs.address(first) == inputs.address(second) == "upload"
    for given in (first, second, first):
        inputs.remember(entry(name), given)
    remembered = inputs.brought(entry(name))
    assert [one.name for one in remembered.values()] == ["your picture 2", "your picture"]
    for identity, given in zip(remembered, (second, first), strict=True):
        found = inputs.find(entry(name), parse(identity))
        assert torch.equal(found.x, given.x)
        assert found.name == remembered[identity].name


@pytest.mark.parametrize("name", COLOURS)
def test_a_chapter_shows_the_own_colours_that_are_chosen_now(name):
    app = opened(name, RECONSTRUCT)
    seen = []
    for seed in range(2):
        app.session_state["upload"], app.session_state["own"] = (f"file {seed}", colours(seed)[1]), UPLOAD
        app.query_params["chapter"] = app.session_state["chapter"] = "structure"
        seen.append(explorer(turned(app, HOW_IT_WORKS)))
    assert seen[0]["encoded"] != seen[1]["encoded"]
    assert seen[0]["rev"] != seen[1]["rev"]


@EVERY_DATASET
@pytest.mark.parametrize("source", ["Upload", "Draw"])
def test_what_is_shown_stays_where_one_turns_to_a_source_that_has_no_picture_yet(name, source):
    """A browser that comes back after its server was started again says so too, of the session before."""
    app = opened(name, RECONSTRUCT, x="i5")
    checked(app.segmented_control(key="source").set_value(source).run())
    turned(app, EXPLORE)
    assert explorer(app)["given"] == "i5"


def test_an_upload_stays_when_another_model_is_chosen():
    app = opened(NAMES[0], RECONSTRUCT)
    uploaded(app, plain_png())
    for name in NAMES[::-1]:
        checked(app.sidebar.selectbox(key="model").set_value(name).run())
        expected = vae.pictures.prepare(plain_png()[1], model(name)[0].input_spec)
        assert np.array_equal(picture(app, "prepared"), look.to_uint8(expected.picture[0]))


@pytest.mark.skipif(len(ONE_EACH) < 2, reason="the models that ship are of one data set")
def test_a_switch_that_another_models_preparation_lacks_does_not_follow_there():
    app = opened(ONE_EACH[0], RECONSTRUCT)
    uploaded(app, plain_png())
    for toggle in app.toggle:
        toggle.set_value(not toggle.value)
    checked(app.run())
    for name in (*ONE_EACH[1:], ONE_EACH[0]):
        checked(app.sidebar.selectbox(key="model").set_value(name).run())
    assert app.session_state["switches"]


def test_an_upload_survives_a_page_change_and_can_be_put_away():
    app = opened(NAMES[0], RECONSTRUCT)
    example = picture(app, "prepared")
    uploaded(app, plain_png())
    mine = picture(app, "prepared")
    turned(turned(app, EXPLORE), RECONSTRUCT)
    assert np.array_equal(picture(app, "prepared"), mine)
    checked(app.segmented_control(key="source").set_value("Examples").run())
    assert np.array_equal(picture(app, "prepared"), example)


# ---- how things look ----


def test_a_bound_is_said_to_be_at_most_what_it_bounds_only_where_the_digits_show_it():
    assert look.at_most(-100.0, -99.0) == "≤"
    assert look.at_most(-99.0, -99.04) == look.at_most(-99.0, -98.98) == "≈"


def test_a_negative_number_has_a_minus_and_not_a_hyphen():
    assert look.nats(-12.34) == "−12.3"


def test_the_difference_is_black_where_two_pictures_agree_and_coloured_where_they_do_not():
    x, mean = torch.zeros(1, 1, 3), torch.zeros(1, 1, 3)
    x[..., 1], mean[..., 2] = 1, 1
    gap, said = nearness.difference(entry("mnist"), x, mean)
    coloured = ["#" + bytes(pixel).hex() for pixel in gap[0].tolist()]
    assert coloured == ["#000000", look.COLOURS["x"].dark, look.COLOURS["x̂"].dark]
    assert "ink" in said


def test_the_difference_of_colours_is_grey_where_two_pictures_agree_and_four_times_as_strong_where_they_do_not():
    colours = VAE.Config(Pictures(3, 1, 3, 256, "crop"), 2)
    of, x = replace(entry("mnist"), config=colours), torch.full((3, 1, 3), 0.5)
    mean = x.clone()
    mean[0, 0, 1] += 0.06
    mean[2, 0, 2] -= 0.2
    assert nearness.difference(of, x, mean)[0][0].tolist() == [[128, 128, 128], [189, 128, 128], [128, 128, 0]]
    facts = nearness.facts(of, x, mean)
    assert facts["it is off by"][0] == "2.9 %"
    assert facts["how near"][0] == f"{-10 * math.log10((0.06**2 + 0.2**2) / 9):.1f} dB"


def test_the_words_for_a_picture_cannot_become_markup():
    shown = look.picture_html(np.zeros((2, 2), np.uint8), '"><script>alert(1)</script>')
    assert "<script" not in shown
    assert shown.count('"') % 2 == 0


@pytest.mark.parametrize("channels", [1, 3])
def test_a_shown_picture_is_the_tensor_to_the_nearest_level(channels):
    tensor = torch.rand(channels, 5, 4, generator=torch.Generator().manual_seed(0)) * 1.2 - 0.1
    shown = look.to_uint8(tensor)
    assert shown.shape == ((5, 4) if channels == 1 else (5, 4, 3))
    expected = tensor.clamp(0, 1).permute(1, 2, 0).reshape(shown.shape).numpy() * 255
    assert np.abs(shown - expected).max() <= 0.5 + 1e-4
