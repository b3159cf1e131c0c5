"""Whatever is written is there whole or not at all, and with the mode that the umask gives."""

import os
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from vae import data
from vae.data import download
from vae.data.sets import IdxFile
from vae.evaluate import bounds, card
from vae.inference import posterior
from vae.inference.familiar import Judge, Judges
from vae.latent import projection
from vae.latent.encodings import Company
from vae.latent.named import Named
from vae.models import VAE, build, checkpoint, pretrained
from vae.models.files import DRAFTS, save_tensors, tidy, whole
from vae.models.spaces import Pictures
from vae.train import saved
from vae.train.recipes import Recipe
from vae.train.run import Run

SMALL = Pictures(height=4, width=4)
TINY = Recipe("tiny", "mnist", VAE.Config(Pictures(), 2, width=4), epochs=1, batch=20)
ROOT = Path(__file__).resolve().parents[2]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o022, 0o027, 0o077])
def umask(request):
    """The mode of a new file under the umask that is set."""
    before = os.umask(request.param)
    yield 0o666 & ~request.param
    os.umask(before)


def test_every_file_that_is_written_has_the_mode_that_the_umask_gives(umask, tmp_path, monkeypatch, digits):
    save_tensors({"a": torch.zeros(3)}, tmp_path / "tensors.safetensors")
    model = build(VAE.Config(SMALL, 2, width=4), torch.Generator().manual_seed(0)).eval().requires_grad_(False)
    checkpoint.save(model, tmp_path / "weights.safetensors")
    posterior.Plane(model, tmp_path / "planes")
    monkeypatch.setattr(data, "cache_folder", lambda name: tmp_path / name)
    monkeypatch.setattr(projection, "TSNE_PICTURES", 40)
    mu = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    projection.tsne(Company(mu, torch.ones(60, 3), digits[:60]))
    file = IdxFile("test", "labels", 3, "")
    (tmp_path / "data").mkdir()
    download._store(tmp_path / "data", file, b"abc")
    monkeypatch.setattr(pretrained, "PRETRAINED", tmp_path)
    monkeypatch.setattr(card, "subject", lambda *_: SimpleNamespace(parts=bounds.Bound(*torch.zeros(4, 2, 2))))
    monkeypatch.setattr(card, "measured", lambda of: {})
    monkeypatch.setattr(card, "thumbnails", lambda _: Image.new("L", (4, 4)))
    nobody = [Judge(torch.zeros(2, 1), torch.zeros(2, 1), torch.zeros(1)) for _ in range(2)]
    monkeypatch.setattr(card.judge, "make", lambda name: Judges(*nobody))
    monkeypatch.setattr(pretrained, "read_encodings", lambda folder: {"mu": torch.zeros(4, 2)})
    monkeypatch.setattr(card.directions, "directions", lambda model, mu: (Named((), torch.zeros(0, 2)), {}))
    monkeypatch.setattr(card.class_directions, "write", lambda folder: {})
    saved.write(Run(TINY, digits[:200]), tmp_path / "model")
    card.write_card(tmp_path / "model")
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) == 13
    assert {path.name: oct(mode(path)) for path in written} == {path.name: oct(umask) for path in written}


def test_a_draft_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def fill() -> None:
        with whole(path) as draft:
            draft.write_text("half")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fill()
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "old"


def test_what_a_killed_process_left_is_tidied_away_and_nothing_else(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from vae.models.files import whole\n"
        "with whole(Path(sys.argv[1], 'state')) as draft:\n    draft.write_text('half'); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT).returncode == -9
    (tmp_path / ".hidden").touch()
    (tmp_path / "kept.draft").touch()
    assert len(list(tmp_path.glob(DRAFTS))) == 1
    tidy(tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == [".hidden", "kept.draft"]


def test_a_disk_that_takes_no_more_is_an_os_error_with_the_systems_words(tmp_path):
    code = (
        "import resource, sys, torch; from pathlib import Path; from vae.models.files import save_tensors\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n    save_tensors({'a': torch.zeros(10000)}, Path(sys.argv[1], 'a.safetensors'))\n"
        "except OSError as error:\n    print(error.strerror)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "File too large\n", done.stderr
    assert list(tmp_path.iterdir()) == []
