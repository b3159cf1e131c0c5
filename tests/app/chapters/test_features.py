"""The chapter on features without a browser: its curves, and the export of uploads."""

import io
import re
import zipfile

import pytest
import torch

from tests.app.chapters.test_conditions import opened
from tests.app.pages.test_pages import explorer, notes
from tests.pictures.archives import picture
from tests.registry import VECTORS
from vae import data
from vae.app.chapters.features import KINDS
from vae.evaluate import probe
from vae.models import pretrained


@pytest.mark.parametrize("model", ["mnist", "fashion-2d"])
def test_the_curves_are_those_of_the_cards_and_the_baselines(model):
    dataset = pretrained.load_card(model)["data"]["name"]
    found = explorer(opened("features", model))
    curves = {curve["name"]: curve for curve in found["curves"]}
    cards = [pretrained.load_card(name) for name in VECTORS]
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


def test_the_features_of_a_plain_autoencoder_can_be_taken_away_too():
    app = opened("features", "mnist-2d")
    (choice,) = (one for one in app.segmented_control if one.label == "By which network")
    assert choice.value == "Handwritten digits, 2 numbers"
    choice.set_value("Autoencoder, the same network").run()
    (uploader,) = (one for one in app.file_uploader if "ZIP" in one.label)
    uploader.set_value([("a.png", picture(), "image/png")]).run()
    assert not app.exception
    _, table, _ = app.session_state["features.table"]
    assert list(table.columns) == ["z"]
    assert any("the 2 numbers of z" in note for note in notes(app))
    assert any("python -m vae.features mnist-2d-ae" in one.value for one in app.code)


@pytest.mark.parametrize("name", ["mnist", "fashion-2d"])
def test_like_is_compared_with_like_and_a_second_count_of_neighbours_agrees(name):
    (table,) = (
        one.proto.body for one in opened("features", name).get("html") if 'data-testid="alike"' in one.proto.body
    )
    vae_, twin = pretrained.load_pretrained(name), pretrained.load_pretrained(f"{name}-ae")
    assert f"Like with like: {vae_.latents} numbers each" in table
    assert twin.latents == vae_.latents
    assert [type(one) for one in twin.decoder] == [type(one) for one in vae_.decoder]
    parameters = [sum(one.numel() for one in model.decoder.parameters()) for model in (twin, vae_)]
    assert parameters[0] == parameters[1]
    rows = re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', table)
    shares = [[float(cell) for cell in re.findall(r"([\d.]+) %", cells)] for _, cells in rows]
    assert [title.split()[0] for title, _ in rows][1] == "Autoencoder,"
    for column in range(len(KINDS)):
        bold = ["<b>" in re.findall(r"<td>(.*?)</td>", cells)[column] for _, cells in rows]
        assert bold == [row[column] == max(one[column] for one in shares) for row in shares]
    dataset = pretrained.load_card(name)["data"]["name"]
    x, labels = data.fixed_binarisation(dataset).float(), data.load(dataset, "test").labels
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(11))  # other halves than the card's
    fit, score = order[:5000], order[5000:]
    for model, row in zip((vae_, twin), shares, strict=False):
        mu = torch.cat([model.encode(part).mean for part in x.split(1000)])
        nearest = torch.cdist(mu[score], mu[fit]).topk(5, largest=False).indices
        right = (labels[fit][nearest].mode(1).values == labels[score]).float().mean()
        assert row[0] == pytest.approx(100 * float(right), abs=2)


def test_the_features_of_the_picture_are_the_encoders_means_and_widths():
    app = opened("features", "mnist")
    (told,) = (one for one in notes(app) if "latents instead of 784 pixels" in one)
    model = pretrained.load_pretrained("mnist")
    q = model.encode(data.fixed_binarisation("mnist")[7:8].float())
    kl = (0.5 * (q.mean**2 + q.variance - 1) - q.stddev.log())[0]
    assert float(re.search(r"KL\s*([\d.]+) nats", told)[1]) == pytest.approx(float(kl.sum()), abs=0.06)
    first = int(kl.argmax())
    assert f"{float(q.mean[0, first]):.2f} ± {float(q.stddev[0, first]):.2f}".replace("-", "−") in told
