"""The app's pages without a browser: Streamlit's AppTest runs them as the server does."""

import base64
import io
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from streamlit.testing.v1 import AppTest

import vae
from vae import checkpoint, data
from vae.app import look, session
from vae.engine import engine
from vae.exact import Grid
from vae.frame import Frame, frame

NAMES = vae.list_pretrained()
TWO_LATENTS = [name for name in NAMES if checkpoint.load_card(name)["latents"] == 2]
EXPLORE, RECONSTRUCT = "vae/app/explore.py", "vae/app/reconstruct.py"
# One model for each data set, and so for each kind of preparation.
ONE_EACH = list({checkpoint.load_card(name)["data"]["name"]: name for name in NAMES[::-1]}.values())
EVERY_MODEL = pytest.mark.parametrize("name", NAMES)
EVERY_DATASET = pytest.mark.parametrize("name", ONE_EACH)


def opened(name: str | None = None, page: str = EXPLORE, **query: str) -> AppTest:
    """The app with a model chosen, a page open and a query in the URL."""
    app = AppTest.from_file("../streamlit_app.py", default_timeout=60)
    for key, value in (({} if name is None else {"model": name}) | query).items():
        app.query_params[key] = value
    app.run()
    return turned(app, page) if page != EXPLORE else checked(app)


def checked(app: AppTest) -> AppTest:
    assert not app.exception, app.exception[0].value
    return app


def turned(app: AppTest, page: str) -> AppTest:
    return checked(app.switch_page(page).run())


def latents(name: str) -> int:
    return checkpoint.load_card(name)["latents"]


def position(app: AppTest, name: str) -> list[float]:
    """Where the sliders of a model stand."""
    return [app.session_state[f"{name}.z{dimension}"] for dimension in range(latents(name))]


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
    """The numbers of the ledger by the label under each."""
    (body,) = (element.proto.body for element in app.get("html") if 'data-testid="ledger"' in element.proto.body)
    cells = re.findall(r">([−-]?[\d.]+)</span><br><span[^>]*>(.*?)</span></span>", body)
    return {re.sub(r"<.*?>", "", label): float(number.replace("−", "-")) for number, label in cells}


@cache
def model(name: str) -> tuple[vae.models.VAE, Grid | None]:
    loaded = vae.load_pretrained(name)
    return loaded, Grid(loaded) if loaded.latents == 2 else None


def direct(app: AppTest, name: str, seed: int) -> Frame:
    """The library's record of the bits that the page shows as x."""
    x = torch.from_numpy(picture(app, "x") / np.float32(255))
    loaded, grid = model(name)
    return frame(loaded, x.reshape(1, *loaded.input_spec.shape), seed, grid)


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


# ---- every page ----


@EVERY_MODEL
@pytest.mark.parametrize("path", [EXPLORE, RECONSTRUCT])
def test_every_page_shows_a_decoded_picture_of_every_model(name, path):
    app = opened(name, path)
    assert app.session_state["model"] == name
    decoded = picture(app)
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
        trip = engine().round_trip(name, torch.tensor(position(app, name)))
        assert np.array_equal(picture(app), look.to_uint8(trip.mean))


def test_a_model_chosen_in_the_sidebar_starts_at_its_own_preset_not_at_the_other_models_z(monkeypatch, tmp_path):
    """With a twin under another name, so that the z in the URL would fit."""
    name = NAMES[0]
    engine()
    for known in NAMES:
        (tmp_path / known).symlink_to(checkpoint.PRETRAINED / known)
    (tmp_path / "twin").symlink_to(checkpoint.PRETRAINED / name)
    monkeypatch.setattr(checkpoint, "PRETRAINED", tmp_path)
    monkeypatch.setitem(engine().models, "twin", engine().models[name])
    app = opened(name, z=",".join(["0.5"] * latents(name)))
    assert position(app, name) == [0.5] * latents(name)
    checked(app.sidebar.selectbox(key="model").set_value("twin").run())
    assert position(app, "twin") == pytest.approx(next(iter(session.typical("twin").values())), abs=0.0051)
    assert app.query_params["z"] != ",".join(["0.5"] * latents(name))


# ---- Explore ----


@EVERY_MODEL
def test_the_picture_of_explore_is_the_decoded_z_of_the_sliders(name):
    app = opened(name)
    trip = engine().round_trip(name, torch.tensor(position(app, name)))
    assert np.array_equal(picture(app), look.to_uint8(trip.mean))


@EVERY_MODEL
def test_the_facts_of_explore_are_those_of_the_library(name):
    app = opened(name)
    trip = engine().round_trip(name, torch.tensor(position(app, name)))
    (facts,) = (element.proto.body for element in app.get("html") if 'data-testid="facts"' in element.proto.body)
    found = re.findall(r">([−-]?[\d.]+) (?:nats|σ|%)", facts)
    shown = [float(number.replace("−", "-")) for number in found]
    assert shown == pytest.approx([trip.log_prior, 100 * trip.further_out, trip.kl, trip.drift], abs=0.51)
    assert shown[::2] == pytest.approx([trip.log_prior, trip.kl], abs=0.051)


@EVERY_MODEL
def test_there_is_one_slider_for_each_latent_and_the_most_informative_come_first(name):
    sliders = opened(name).main.slider
    order = [int(slider.key.removeprefix(f"{name}.z")) for slider in sliders]
    kl = checkpoint.load_card(name)["numbers"]["kl_per_dimension"]
    assert sorted(order) == list(range(latents(name)))
    assert [kl[dimension] for dimension in order] == sorted(kl, reverse=True)


@EVERY_MODEL
def test_a_moved_slider_changes_the_picture_and_nothing_but_its_own_latent(name):
    app = opened(name)
    before, z = picture(app), position(app, name)
    slider = app.main.slider[0]
    there = slider.max if slider.value < 0 else slider.min
    checked(slider.set_value(there).run())
    assert np.abs(picture(app).astype(int) - before).max() > 50
    z[int(slider.key.removeprefix(f"{name}.z"))] = there
    assert position(app, name) == z
    assert app.query_params["z"] == ",".join(f"{value:g}" for value in z)


@EVERY_MODEL
def test_sampling_the_prior_moves_every_latent_every_time(name):
    app = opened(name)
    seen = [position(app, name)]
    for _ in range(2):
        checked(button(app, "Sample the prior").click().run())
        seen.append(position(app, name))
    for before, after in pairwise(seen):
        assert sum(a != b for a, b in zip(before, after, strict=True)) >= len(before) / 2


@EVERY_MODEL
def test_origin_sets_every_latent_to_zero(name):
    app = opened(name)
    checked(button(app, "Origin").click().run())
    assert position(app, name) == [0.0] * latents(name)
    assert np.array_equal(picture(app), look.to_uint8(engine().decode(name, torch.zeros(1, latents(name)))[0]))


@EVERY_MODEL
def test_each_preset_moves_the_sliders_to_a_typical_picture_of_its_class(name):
    app = opened(name)
    presets = session.typical(name)
    assert list(presets) == list(data.DATASETS[checkpoint.load_card(name)["data"]["name"]].class_names)
    for chosen in (list(presets)[-1], list(presets)[3], next(iter(presets))):
        checked(app.button_group(key=f"{name}.preset").set_value(chosen).run())
        assert position(app, name) == pytest.approx(presets[chosen], abs=0.0051)


@EVERY_MODEL
def test_a_moved_slider_lets_go_of_the_preset_so_that_one_click_brings_it_back(name):
    app = opened(name)
    (chosen, preset), *_ = session.typical(name).items()
    assert app.button_group(key=f"{name}.preset").value == chosen
    slider = app.main.slider[0]
    checked(slider.set_value(slider.max if slider.value < 0 else slider.min).run())
    assert app.button_group(key=f"{name}.preset").value is None
    checked(app.button_group(key=f"{name}.preset").set_value(chosen).run())
    assert position(app, name) == pytest.approx(preset, abs=0.0051)


def button(app: AppTest, label: str):
    (found,) = (one for one in app.button if one.label == label)
    return found


# ---- the URL ----


def link(name: str) -> list[float]:
    """A z as a permalink has it."""
    return [round(0.37 * (-1) ** dimension * (1 + dimension % 5), 2) for dimension in range(latents(name))]


@EVERY_MODEL
def test_a_permalink_opens_exactly_its_z(name):
    app = opened(name, z=",".join(str(value) for value in link(name)))
    assert app.session_state["model"] == name
    assert position(app, name) == link(name)
    assert np.array_equal(picture(app), look.to_uint8(engine().round_trip(name, torch.tensor(link(name))).mean))


@EVERY_MODEL
def test_the_url_of_a_visit_opens_the_same_picture_for_another_visitor(name):
    app = opened(name)
    checked(button(app, "Sample the prior").click().run())
    other = opened(name, z=app.query_params["z"])
    assert position(other, name) == position(app, name)
    assert np.array_equal(picture(other), picture(app))


BROKEN = ["", "abc", "nan", "inf", "-inf", "1e300", "-1e9", "1;2", "<script>", "__import__('os')", "9" * 9000]


@EVERY_MODEL
@pytest.mark.parametrize("broken", BROKEN)
def test_a_z_in_the_url_that_means_nothing_is_ignored(name, broken):
    one_bad = ",".join(["0"] * (latents(name) - 1) + [broken])
    assert position(opened(name, z=one_bad), name) == position(opened(name), name)


@EVERY_MODEL
@pytest.mark.parametrize("wrong", [-1, 1, 5000])
def test_a_z_in_the_url_of_another_length_is_ignored(name, wrong):
    assert position(opened(name, z=",".join(["0"] * (latents(name) + wrong))), name) == position(opened(name), name)


@EVERY_MODEL
def test_a_far_z_in_the_url_is_kept_within_the_sliders(name):
    app = opened(name, z=",".join(["500"] * latents(name)))
    assert position(app, name) == session.reach(name)


@pytest.mark.parametrize("broken", ["", "no-such-model", "../../etc/passwd", "a" * 9000, "\0", "<b>"])
def test_an_unknown_model_in_the_url_is_ignored(broken):
    app = opened(broken)
    assert app.session_state["model"] == opened().session_state["model"]
    assert app.query_params["model"] == app.session_state["model"]


# ---- what survives ----


@EVERY_MODEL
def test_sliders_stay_where_they_are_through_a_page_change(name):
    app = opened(name)
    slider = app.main.slider[0]
    checked(slider.set_value(round(slider.max / 2, 2)).run())
    before, shown = position(app, name), picture(app)
    turned(turned(app, RECONSTRUCT), EXPLORE)
    assert app.session_state["model"] == name
    assert position(app, name) == before
    assert np.array_equal(picture(app), shown)


@pytest.mark.skipif(len(NAMES) < 2, reason="one model ships")
def test_sliders_stay_where_they_are_while_another_model_is_looked_at():
    app = opened(NAMES[0])
    checked(button(app, "Sample the prior").click().run())
    before = position(app, NAMES[0])
    for name in (NAMES[1], NAMES[0]):
        checked(app.sidebar.selectbox(key="model").set_value(name).run())
    assert position(app, NAMES[0]) == before


@EVERY_DATASET
def test_the_example_survives_a_page_change(name):
    app = opened(name, RECONSTRUCT)
    dataset = data.DATASETS[checkpoint.load_card(name)["data"]["name"]]
    checked(app.button_group(key=f"{dataset.name}.class").set_value(dataset.class_names[7]).run())
    checked(button(app, "Another").click().run())
    shown = picture(app, "x")
    turned(turned(app, EXPLORE), RECONSTRUCT)
    assert np.array_equal(picture(app, "x"), shown)


# ---- Reconstruct ----


@EVERY_DATASET
def test_the_examples_are_the_pictures_of_the_card(name):
    app = opened(name, RECONSTRUCT)
    card = checkpoint.load_card(name)
    known = [bits.tobytes() for bits in data.fixed_binarisation(card["data"]["name"])[card["examples"]].numpy()]
    seen = set()
    for _ in range(3):
        bits = picture(app, "x") / np.float32(255)
        assert bits.tobytes() in known
        seen.add(bits.tobytes())
        checked(button(app, "Another").click().run())
    assert len(seen) > 1


@EVERY_DATASET
def test_each_class_has_an_example(name):
    app = opened(name, RECONSTRUCT)
    dataset = data.DATASETS[checkpoint.load_card(name)["data"]["name"]]
    seen = set()
    for chosen in dataset.class_names:
        checked(app.button_group(key=f"{dataset.name}.class").set_value(chosen).run())
        seen.add(picture(app, "x").tobytes())
    assert len(seen) == len(dataset.class_names)


@EVERY_MODEL
def test_the_ledger_shows_the_librarys_numbers_for_exactly_this_picture_and_seed(name):
    app = opened(name, RECONSTRUCT)
    for seed in range(2):
        record, shown = direct(app, name, seed), ledger(app)
        expected = [record.reconstruction, record.kl, record.elbo, record.iwae]
        expected += [] if record.log_evidence is None else [record.log_evidence]
        assert list(shown.values()) == pytest.approx(expected, abs=0.051)
        assert np.abs(picture(app).astype(int) - look.to_uint8(record.mean)).max() <= 1
        (caption,) = (one.value for one in app.caption if "Nats per picture" in one.value)
        assert f"{record.bits_per_dimension:.3f} bits per pixel" in caption
        assert f"± {record.reconstruction_error:.2f}" in caption
        checked(button(app, "Resample z").click().run())


@EVERY_MODEL
def test_the_ledger_adds_up_on_screen(name):
    app = opened(name, RECONSTRUCT)
    for _ in range(4):
        shown = ledger(app)
        reconstruction, kl, elbo, iwae = list(shown.values())[:4]
        assert list(shown)[:4] == ["Eq log p(x|z)", "KL(q || p)", "ELBO", "IWAE, k = 1000"]
        assert reconstruction - kl == pytest.approx(elbo, abs=0.1501)
        assert iwae >= elbo - 1
        assert kl >= 0
        checked(button(app, "Another").click().run())


@EVERY_MODEL
def test_resampling_changes_the_picture_and_neither_x_nor_kl_nor_the_evidence(name):
    app = opened(name, RECONSTRUCT)
    decoded, x, before = picture(app), picture(app, "x"), ledger(app)
    checked(button(app, "Resample z").click().run())
    after = ledger(app)
    assert not np.array_equal(picture(app), decoded)
    assert np.array_equal(picture(app, "x"), x)
    assert after["KL(q || p)"] == before["KL(q || p)"]
    assert ("log p(x), exact" in after) == (name in TWO_LATENTS)
    assert after.get("log p(x), exact") == before.get("log p(x), exact")


@EVERY_MODEL
@pytest.mark.parametrize("make", [transparent_png, rotated_jpeg, deep_tiff])
def test_an_uploaded_picture_is_prepared_and_reconstructed(name, make):
    app = opened(name, RECONSTRUCT)
    example = picture(app, "x")
    checked(app.file_uploader(key="upload.0").set_value(make()).run())
    assert not app.error
    assert not np.array_equal(picture(app, "x"), example)
    assert np.ptp(picture(app)) > 50
    assert set(np.unique(picture(app, "x"))) == {0, 255}
    expected = vae.images.prepare(make()[1], model(name)[0].input_spec)
    assert np.array_equal(picture(app, "prepared"), look.to_uint8(expected.picture[0]))
    steps = [pixels for testid, pixels in pictures(app) if testid == "picture"]
    assert len(steps) == len(expected.steps)
    (box,) = (one for one in app.expander if one.label.startswith("Prepared in"))
    assert box.label == f"Prepared in {sum(step.applied for step in expected.steps)} steps"
    record = direct(app, name, 0)
    assert list(ledger(app).values())[:3] == pytest.approx([record.reconstruction, record.kl, record.elbo], abs=0.051)


def test_the_same_drawing_is_the_same_picture_in_every_format():
    seen = []
    for make in (plain_png, transparent_png, rotated_jpeg, deep_tiff):
        app = opened(NAMES[0], RECONSTRUCT)
        checked(app.file_uploader(key="upload.0").set_value(make()).run())
        seen.append(picture(app, "prepared").astype(int))
    for other in seen[1:]:  # centring goes by whole pixels, so noise may tip it by one
        shifted = [np.roll(other, (down, right), (0, 1)) for down in (-1, 0, 1) for right in (-1, 0, 1)]
        assert min(np.abs(one - seen[0]).mean() for one in shifted) < 3


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (("notes.png", b"this is a text, not a picture\n" * 9, "image/png"), "not a PNG"),
        (("half.png", plain_png()[1][: len(plain_png()[1]) // 2], "image/png"), "damaged"),
        (("blank.png", saved(Image.new("L", (99, 99), 255), "PNG"), "image/png"), "nothing on this picture"),
        (("empty.png", b"", "image/png"), "empty"),
    ],
    ids=["text", "half", "blank", "empty"],
)
def test_a_file_that_is_no_picture_gets_one_sentence_and_the_example_stays(file, reason):
    app = opened(NAMES[0], RECONSTRUCT)
    before = dict(pictures(app))
    checked(app.file_uploader(key="upload.0").set_value(file).run())
    assert len(app.error) == 1
    sentence = app.error[0].value
    assert reason in sentence
    assert sentence.endswith(".")
    assert "Traceback" not in sentence
    after = dict(pictures(app))
    assert list(after) == list(before)
    assert all(np.array_equal(after[testid], before[testid]) for testid in before)
    checked(app.file_uploader(key="upload.0").set_value(plain_png()).run())
    assert not app.error
    assert not np.array_equal(picture(app, "x"), before["x"])


@EVERY_DATASET
def test_a_switched_step_changes_the_preparation_and_back(name):
    app = opened(name, RECONSTRUCT)
    checked(app.file_uploader(key="upload.0").set_value(plain_png()).run())
    before = picture(app, "prepared")
    (toggle,) = (one for one in app.toggle if one.label == "invert")
    assert toggle.value
    checked(toggle.set_value(False).run())
    spec = model(name)[0].input_spec
    expected = vae.images.prepare(plain_png()[1], spec, {"invert": False})
    assert np.array_equal(picture(app, "prepared"), look.to_uint8(expected.picture[0]))
    assert not np.array_equal(picture(app, "prepared"), before)
    (toggle,) = (one for one in app.toggle if one.label == "invert")
    assert not toggle.value
    checked(toggle.set_value(True).run())
    assert np.array_equal(picture(app, "prepared"), before)


@EVERY_DATASET
def test_every_switch_of_the_preparation_can_be_thrown(name):
    app = opened(name, RECONSTRUCT)
    checked(app.file_uploader(key="upload.0").set_value(plain_png()).run())
    labels = [toggle.label for toggle in app.toggle]
    assert "invert" in labels
    assert set(labels) <= set(vae.images.SWITCHES[model(name)[0].input_spec.preparation])
    for label in labels:
        (toggle,) = (one for one in app.toggle if one.label == label)
        checked(toggle.set_value(not toggle.value).run())
        assert len(app.error) <= 1


def test_switches_of_one_file_do_not_touch_the_next():
    app = opened(NAMES[0], RECONSTRUCT)
    checked(app.file_uploader(key="upload.0").set_value(plain_png()).run())
    before = picture(app, "prepared")
    (toggle,) = (one for one in app.toggle if one.label == "invert")
    checked(toggle.set_value(False).run())
    checked(app.file_uploader(key="upload.0").set_value(plain_png()).run())
    assert np.array_equal(picture(app, "prepared"), before)


def test_taking_the_file_away_brings_the_example_back():
    app = opened(NAMES[0], RECONSTRUCT)
    before = picture(app, "x")
    checked(app.file_uploader(key="upload.0").set_value(plain_png()).run())
    assert not np.array_equal(picture(app, "x"), before)
    checked(app.file_uploader(key="upload.0").clear().run())
    assert np.array_equal(picture(app, "x"), before)


def test_an_upload_stays_when_another_model_is_chosen():
    app = opened(NAMES[0], RECONSTRUCT)
    checked(app.file_uploader(key="upload.0").set_value(plain_png()).run())
    for name in NAMES[::-1]:
        checked(app.sidebar.selectbox(key="model").set_value(name).run())
        expected = vae.images.prepare(plain_png()[1], model(name)[0].input_spec)
        assert np.array_equal(picture(app, "prepared"), look.to_uint8(expected.picture[0]))


@pytest.mark.skipif(len(ONE_EACH) < 2, reason="the models that ship are of one data set")
def test_a_switch_that_another_models_preparation_lacks_does_not_follow_there():
    app = opened(ONE_EACH[0], RECONSTRUCT)
    checked(app.file_uploader(key="upload.0").set_value(plain_png()).run())
    for toggle in app.toggle:
        toggle.set_value(not toggle.value)
    checked(app.run())
    for name in (*ONE_EACH[1:], ONE_EACH[0]):
        checked(app.sidebar.selectbox(key="model").set_value(name).run())
    assert app.session_state["switches"]


def test_an_upload_survives_a_page_change_and_can_be_put_away():
    app = opened(NAMES[0], RECONSTRUCT)
    example = picture(app, "prepared")
    checked(app.file_uploader(key="upload.0").set_value(plain_png()).run())
    mine = picture(app, "prepared")
    turned(turned(app, EXPLORE), RECONSTRUCT)
    assert np.array_equal(picture(app, "prepared"), mine)
    (back,) = (button for button in app.button if button.label == "Back to the examples")
    checked(back.click().run())
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
    coloured = ["#" + bytes(pixel).hex() for pixel in look.difference(x, mean)[0].tolist()]
    assert coloured == ["#000000", look.COLOURS["x"], look.COLOURS["x̂"]]


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
