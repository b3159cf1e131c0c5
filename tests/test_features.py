"""Features of folders and uploads: the numbers are the model's, and hostile files cost a sentence each."""

import csv
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import vae
from tests.no_digits import four_digits
from tests.pictures.archives import HOSTILE, archive, picture
from vae import data, features
from vae.distributions import normal, standard_normal
from vae.evaluate import strangers
from vae.evaluate.strangers import saved
from vae.models import Spatial, build
from vae.models.spaces import Pictures
from vae.pictures import files as shelf
from vae.pictures import megapixels, prepare

NAME = "mnist-2d"
LANDSCAPE = Path(__file__).parent / "cases" / "landscape.jpg"


@pytest.fixture(scope="module")
def model():
    return vae.load_pretrained(NAME, "cpu")


def test_the_table_holds_the_posterior_of_what_the_app_would_read(model):
    table, refused = features.extract(model, shelf.uploads([("a.png", picture()), ("b.png", picture(5))])[0])
    assert table.names == ["a.png", "b.png"]
    assert refused == []
    for row, content in enumerate((picture(), picture(5))):
        grey = prepare(content, model.input_spec).picture
        bits = torch.rand(grey.shape, generator=torch.Generator().manual_seed(2015)).lt(grey).float()
        q = model.encode(bits)
        torch.testing.assert_close(table.mu[row], q.mean[0])
        torch.testing.assert_close(table.sigma[row], q.stddev[0])
        mu, sigma = q.mean[0].double(), q.stddev[0].double()
        closed = (0.5 * (mu**2 + sigma**2 - 1) - sigma.log()).sum()
        torch.testing.assert_close(table.kl[row].double(), closed, rtol=1e-5, atol=1e-5)
        z = normal(mu, sigma).sample((50_000,))
        by_sampling = (normal(mu, sigma).log_prob(z) - standard_normal(2).log_prob(z)).mean()
        assert abs(by_sampling - closed) < 0.05


def test_more_pictures_than_one_batch_keep_their_order(model, monkeypatch):
    monkeypatch.setattr(features, "ROWS", 2)
    files, _ = shelf.uploads([(f"{seed}.png", picture(seed)) for seed in range(5)])
    table, _ = features.extract(model, files)
    assert table.names == [f"{seed}.png" for seed in range(5)]
    alone, _ = features.extract(model, files[4:])
    torch.testing.assert_close(table.mu[4:], alone.mu)


def test_csv_and_npz_read_back_as_they_were(model):
    table, _ = features.extract(model, shelf.uploads([("a,\n.png", picture()), ("=1+1.png", picture(3))])[0])
    rows = list(csv.DictReader(io.StringIO(features.as_csv(table).decode())))
    assert [row["file"] for row in rows] == [table.names[0], "'=1+1.png"]
    assert list(rows[0]) == ["file", "kl_nats", "mu_0", "mu_1", "sigma_0", "sigma_1", "doubt"]
    assert [row["doubt"] for row in rows] == table.doubt == [features.UNJUDGED] * 2
    back = np.array([[row["mu_0"], row["mu_1"]] for row in rows], dtype=np.float32)
    assert (back == table.mu.numpy()).all()
    with np.load(io.BytesIO(features.as_npz(table)), allow_pickle=False) as arrays:
        assert arrays["names"].tolist() == table.names
        assert (arrays["mu"] == table.mu.numpy()).all()
        assert (arrays["sigma"] == table.sigma.numpy()).all()
        assert (arrays["kl_nats"] == table.kl.numpy()).all()
        assert arrays["doubt"].tolist() == table.doubt


def test_what_the_model_does_not_know_is_doubted_in_the_words_of_the_app(model):
    digit = data.test_set("mnist").images[0, 0].numpy()
    known = strangers.enlarged(digit, np.random.default_rng(0), 0.0)
    files = [("seven.png", known), ("landscape.jpg", LANDSCAPE.read_bytes()), ("four.png", saved(four_digits()))]
    judge = features.judge_of(NAME, model)
    table, _ = features.extract(model, shelf.uploads(files)[0], judge=judge)
    rows = dict(zip(table.names, table.doubt, strict=True))
    assert rows["seven.png"] == ""
    assert rows["landscape.jpg"]
    assert rows["four.png"] == "4 separate things were found, and this model knows one digit at a time"
    prepared = prepare(files[1][1], model.input_spec)
    (verdict,) = judge(data.as_read(prepared.picture, model.input_spec), [prepared.content])
    assert rows["landscape.jpg"] == verdict.why


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_bad_file_costs_one_sentence_and_the_others_are_exported(model, kind):
    content, word = HOSTILE[kind]
    files, refused = shelf.uploads([("good.png", picture()), (f"{kind}.zip", content), ("too.png", picture(4))])
    table, more = features.extract(model, files)
    assert table.names == ["good.png", "too.png"]
    (sentence,) = refused + more
    assert word in sentence
    assert "\n" not in sentence
    assert "x." in sentence or kind in sentence, "the file is named"


def test_good_files_of_an_archive_are_taken_beside_bad_ones(model):
    content = archive(("a/1.png", picture()), ("../2.png", picture()), ("3.txt", b"no"), ("__MACOSX/._1.png", b"no"))
    files, refused = shelf.uploads([("all.zip", content)])
    table, more = features.extract(model, files)
    assert table.names == ["a/1.png"]
    assert [sentence.split(":")[0] for sentence in refused + more] == ["../2.png", "3.txt"]


def test_a_folder_of_links_says_so_on_the_command_line(tmp_path, capsys):
    (tmp_path / "photo.png").write_bytes(picture())
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "one.png").symlink_to(tmp_path / "photo.png")
    assert features.main([NAME, str(tmp_path / "links"), "--out", str(tmp_path / "x.csv"), "--device", "cpu"]) == 1
    said = capsys.readouterr()
    assert "0 of 1 pictures" in said.out
    assert "one.png: it is a link that leads out of the folder." in said.err


def test_the_command_line_takes_a_zip(tmp_path, capsys):
    (tmp_path / "all.zip").write_bytes(archive(("a.png", picture()), ("b.png", picture(4)), ("c.txt", b"no")))
    assert features.main([NAME, str(tmp_path / "all.zip"), "--out", str(tmp_path / "x.csv"), "--device", "cpu"]) == 0
    assert "2 of 3 pictures" in capsys.readouterr().out


def test_the_pixels_of_one_request_are_bounded_before_they_are_decoded(model, monkeypatch):
    decoded = []
    monkeypatch.setattr(features, "prepare", lambda *given: decoded.append(1) or prepare(*given))
    files, _ = shelf.uploads([(f"{seed}.png", picture(seed)) for seed in range(5)])
    each = megapixels(picture())
    table, refused = features.extract(model, files, most=2.5 * each)
    assert table.names == ["0.png", "1.png"]
    assert len(decoded) == 2
    assert len(refused) == 3
    assert "the most at once" in refused[0]


@pytest.mark.parametrize("suffix", features.FORMATS)
def test_the_command_line_writes_what_the_library_computes(tmp_path, capsys, model, suffix):
    (tmp_path / "a.png").write_bytes(picture())
    (tmp_path / "bad.png").write_bytes(b"no")
    out = tmp_path / f"features{suffix}"
    assert features.main([NAME, str(tmp_path), "--out", str(out), "--device", "cpu"]) == 0
    said = capsys.readouterr()
    assert "1 of 2 pictures are in" in said.out
    assert "bad.png: This is not a PNG" in said.err
    judge = features.judge_of(NAME, model)
    table, _ = features.extract(model, shelf.uploads([("a.png", picture())])[0], judge=judge)
    if suffix == ".csv":
        assert out.read_bytes() == features.as_csv(table)
    else:
        with np.load(out) as arrays:
            assert (arrays["mu"] == table.mu.numpy()).all()
            assert arrays["doubt"].tolist() == table.doubt


def test_of_a_plain_autoencoder_the_table_holds_its_z(tmp_path, capsys):
    (tmp_path / "a.png").write_bytes(picture())
    arguments = ["mnist-2d-ae", str(tmp_path), "--device", "cpu", "--out"]
    for suffix in features.FORMATS:
        assert features.main([*arguments, str(tmp_path / f"z{suffix}")]) == 0
    plain = vae.load_pretrained("mnist-2d-ae", "cpu")
    x = data.as_read(prepare(picture(), plain.input_spec).picture, plain.input_spec)
    z = plain.encoder(x).chunk(2, dim=-1)[0].detach().numpy()
    (row,) = csv.DictReader(io.StringIO((tmp_path / "z.csv").read_text()))
    assert list(row) == ["file", "z_0", "z_1", "doubt"]
    assert [np.float32(row[name]) for name in ("z_0", "z_1")] == z[0].tolist()
    with np.load(tmp_path / "z.npz") as arrays:
        assert set(arrays) == {"names", "z", "doubt"}
        assert (arrays["z"] == z).all()
    assert "1 of 1 pictures" in capsys.readouterr().out
    nothing, _ = features.extract(plain, [])
    assert features.as_csv(nothing) == b"file,z_0,z_1,doubt\n"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["nothing", "."], "there is no pretrained model"),
        (["mnist-ladder", "."], "puts a picture at one place z, and this one has several layers"),
        (["mnist-conditional", "."], "reads it only with its class"),
        ([NAME, "/nowhere"], "there is no folder"),
        ([NAME, ".", "--out", "x.pkl"], "must end in .csv or .npz"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_sentence(capsys, arguments, word):
    assert features.main(arguments) == 1
    said = capsys.readouterr().err
    assert word in said
    assert said.count("\n") == 1


def test_help_is_complete():
    command = [sys.executable, "-m", "vae.features", "--help"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "example: python -m vae.features mnist photos/ --out features.csv" in " ".join(said.split())
    for word in ("MODEL", "FOLDER", "--out", "--device", ".npz"):
        assert word in said


def test_a_model_whose_z_is_a_map_is_refused_for_that_reason():
    config = Spatial.Config(Pictures(3, None, None, 256, "photo"), 4, "conv", channels=(4, 8), blocks=(0, 0))
    with pytest.raises(ValueError, match="this one has a whole map of them"):
        features.extract(build(config).eval(), [])
