"""Features of folders and uploads: the numbers are the model's, and hostile files cost a sentence each."""

import csv
import io
import stat
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

import vae
from vae import features, images
from vae.distributions import normal, standard_normal

NAME = "mnist-2d"


def picture(seed: int = 0) -> bytes:
    """A stroke on light paper, another for each seed."""
    paper, out = Image.new("L", (60, 60), 230), io.BytesIO()
    ImageDraw.Draw(paper).line((20 + seed, 10, 40 - seed, 50), fill=20, width=6)
    paper.save(out, "PNG")
    return out.getvalue()


def archive(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, content in members:
            file.writestr(name, content)
    return out.getvalue()


@pytest.fixture(scope="module")
def model():
    return vae.load_pretrained(NAME, "cpu")


def test_the_table_holds_the_posterior_of_what_the_app_would_read(model):
    table, refused = features.extract(model, features.uploads([("a.png", picture()), ("b.png", picture(5))])[0])
    assert table.names == ["a.png", "b.png"]
    assert refused == []
    for row, content in enumerate((picture(), picture(5))):
        grey = images.prepare(content, model.input_spec).picture
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
    files, _ = features.uploads([(f"{seed}.png", picture(seed)) for seed in range(5)])
    table, _ = features.extract(model, files)
    assert table.names == [f"{seed}.png" for seed in range(5)]
    alone, _ = features.extract(model, files[4:])
    torch.testing.assert_close(table.mu[4:], alone.mu)


def test_csv_and_npz_read_back_as_they_were(model):
    table, _ = features.extract(model, features.uploads([("a,\n.png", picture()), ("=1+1.png", picture(3))])[0])
    rows = list(csv.DictReader(io.StringIO(features.as_csv(table).decode())))
    assert [row["file"] for row in rows] == [table.names[0], "'=1+1.png"]
    assert list(rows[0]) == ["file", "kl_nats", "mu_0", "mu_1", "sigma_0", "sigma_1"]
    back = np.array([[row["mu_0"], row["mu_1"]] for row in rows], dtype=np.float32)
    assert (back == table.mu.numpy()).all()
    with np.load(io.BytesIO(features.as_npz(table)), allow_pickle=False) as arrays:
        assert arrays["names"].tolist() == table.names
        assert (arrays["mu"] == table.mu.numpy()).all()
        assert (arrays["sigma"] == table.sigma.numpy()).all()
        assert (arrays["kl_nats"] == table.kl.numpy()).all()


def link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("link.png")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def encrypted(content: bytes) -> bytes:
    """The same archive with every flag of encryption set."""
    changed = bytearray(content)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        changed[content.index(mark) + offset] |= 1
    return bytes(changed)


def damaged() -> bytes:
    content = bytearray(archive(("x.png", picture())))
    content[60:90] = bytes(30)
    return bytes(content)


def lying() -> bytes:
    """A directory that says 100 bytes of a file that unpacks to 30 MB."""
    content = bytearray(archive(("x.png", bytes(30_000_000))))
    at = content.index(b"PK\x01\x02")
    content[at + 24 : at + 28] = (100).to_bytes(4, "little")
    return bytes(content)


HOSTILE = {
    "traversal": (archive(("../../x.png", picture())), "leads out of the archive"),
    "backslashes": (archive(("..\\..\\x.png", picture())), "leads out of the archive"),
    "absolute": (archive(("/etc/x.png", picture())), "leads out of the archive"),
    "drive": (archive(("C:\\x.png", picture())), "leads out of the archive"),
    "link": (archive((link(), b"/etc/passwd")), "a link"),
    "encrypted": (encrypted(archive(("x.png", picture()))), "encrypted"),
    "bzip2": (archive(("x.png", picture()), method=zipfile.ZIP_BZIP2), "packed in a way"),
    "bomb": (archive(("x.bmp", bytes(20_000_000))), "times smaller"),
    "large": (archive(("x.bmp", bytes(26_000_000))), "at most 25 MB"),
    "nested": (archive(("x.zip", archive(("y.png", picture())))), "not a PNG"),
    "text": (archive(("x.txt", b"hello")), "not a PNG"),
    "damaged": (damaged(), "damaged"),
    "lying": (lying(), "x.png"),
    "cut off": (archive(("x.png", picture()))[:-30], "not a PNG"),
    "no picture": (b"<script>alert(1)</script>", "not a PNG"),
    "empty": (b"", "empty"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_bad_file_costs_one_sentence_and_the_others_are_exported(model, kind):
    content, word = HOSTILE[kind]
    files, refused = features.uploads([("good.png", picture()), (f"{kind}.zip", content), ("too.png", picture(4))])
    table, more = features.extract(model, files)
    assert table.names == ["good.png", "too.png"]
    (sentence,) = refused + more
    assert word in sentence
    assert "\n" not in sentence
    assert "x." in sentence or kind in sentence, "the file is named"


def test_good_files_of_an_archive_are_taken_beside_bad_ones(model):
    content = archive(("a/1.png", picture()), ("../2.png", picture()), ("3.txt", b"no"), ("__MACOSX/._1.png", b"no"))
    files, refused = features.uploads([("all.zip", content)])
    table, more = features.extract(model, files)
    assert table.names == ["a/1.png"]
    assert [sentence.split(":")[0] for sentence in refused + more] == ["../2.png", "3.txt"]


def test_too_many_files_and_too_many_bytes_are_refused_before_they_are_unpacked(monkeypatch):
    many = archive(*((f"{index}.png", b"") for index in range(2 * features.MAX_FILES + 1)))
    assert features.uploads([("many.zip", many)]) == (
        [],
        [f"many.zip: the archive has too many files; at most {features.MAX_FILES} can be read."],
    )
    large = archive(*((f"{index}.png", bytes(900_000)) for index in range(3)))
    monkeypatch.setattr(features, "MAX_TOTAL", 2_000_000)
    assert features.uploads([("large.zip", large)]) == ([], ["large.zip: unpacked it would have more than 2 MB."])
    monkeypatch.setattr(features, "MAX_FILES", 3)
    files, refused = features.uploads([(f"{seed}.png", picture(seed)) for seed in range(5)])
    assert [file.name for file in files] == ["0.png", "1.png", "2.png"]
    assert refused == ["Only the first 3 of 5 pictures are taken."]


def test_names_lose_what_cannot_be_shown():
    assert features.readable("a\x00\n\u202eb.png") == "a\ufffd\ufffd\ufffdb.png"
    assert len(features.readable("x" * 5000)) == features.MAX_NAME


def test_a_folder_is_read_below_but_not_beyond(tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "out.png"
    (inside / "deep").mkdir(parents=True)
    outside.write_bytes(picture())
    (inside / "deep" / "b.png").write_bytes(picture())
    (inside / "a.png").write_bytes(picture())
    (inside / "link.png").symlink_to(outside)
    assert [file.name for file in features.folder(inside)] == ["a.png", "deep/b.png"]


@pytest.mark.parametrize("suffix", features.FORMATS)
def test_the_command_line_writes_what_the_library_computes(tmp_path, capsys, model, suffix):
    (tmp_path / "a.png").write_bytes(picture())
    (tmp_path / "bad.png").write_bytes(b"no")
    out = tmp_path / f"features{suffix}"
    assert features.main([NAME, str(tmp_path), "--out", str(out), "--device", "cpu"]) == 0
    said = capsys.readouterr()
    assert "1 of 2 pictures are in" in said.out
    assert "bad.png: This is not a PNG" in said.err
    table, _ = features.extract(model, features.uploads([("a.png", picture())])[0])
    if suffix == ".csv":
        assert out.read_bytes() == features.as_csv(table)
    else:
        with np.load(out) as arrays:
            assert (arrays["mu"] == table.mu.numpy()).all()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["nothing", "."], "there is no pretrained model"),
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
