"""The chapter on features without a browser: its curves, and the export of uploads."""

import io
import zipfile

import pytest

from tests.app.chapters.test_conditions import opened
from tests.app.pages.test_pages import explorer
from tests.pictures.archives import picture
from vae.app.chapters.features import KINDS
from vae.evaluate import probe
from vae.models import pretrained


@pytest.mark.parametrize("model", ["mnist", "fashion-2d"])
def test_the_curves_are_those_of_the_cards_and_the_baselines(model):
    dataset = pretrained.load_card(model)["data"]["name"]
    found = explorer(opened("features", model))
    curves = {curve["name"]: curve for curve in found["curves"]}
    cards = [pretrained.load_card(name) for name in pretrained.list_pretrained()]
    for card in (card for card in cards if card["data"]["name"] == dataset):
        at = curves["VAE"]["dimensions"].index(card["latents"])
        assert curves["VAE"]["models"][at] == card["name"]
        found_by = [shares[at] for shares in curves["VAE"]["shares"]]
        assert found_by == [card["numbers"][kind]["latents"] for kind in KINDS]
    for curve in curves.values():
        assert curve["dimensions"] == sorted(curve["dimensions"])
    baselines = probe.load(dataset)
    assert curves["Principal components"]["dimensions"] == list(probe.COMPONENTS)
    nearest, probed = (baselines["pixels"][kind] for kind in ("nearest_neighbours", "linear_probe"))
    assert found["pixels"] == [nearest, nearest, probed]  # pixels need no weights


def test_an_upload_is_exported_and_what_is_bad_is_named():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("b.png", picture(3))
        file.writestr("../c.png", picture())
    app = opened("features", "mnist-2d")
    uploads = [("a.png", picture(), "image/png"), ("all.zip", packed.getvalue(), "application/zip")]
    (uploader,) = (one for one in app.file_uploader if "ZIP" in one.label)
    uploader.set_value([*uploads, ("[no](http://x).png", b"no", "image/png")]).run()
    assert not app.exception
    assert [element.proto.label for element in app.get("download_button")] == ["Download CSV", "Download NPZ"]
    _, table, _ = app.session_state["features.table"]
    assert table.names == ["a.png", "b.png"]
    (refused,) = [text.value for text in app.text]
    assert "../c.png: its path leads out of the archive." in refused
    assert "[no](http://x).png: This is not a PNG" in refused
