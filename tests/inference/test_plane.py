"""The plane's file: what is in it against the decoder; no other process, full disk or damage makes it false."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.inference.test_posterior import SMALL, toy
from vae.inference import plane
from vae.inference.plane import EXTENT, KIND, NEAR, SIDE, UNIT, WIDTH, fingerprint, kept

ROOT = Path(__file__).resolve().parents[2]


def only(folder: Path) -> Path:
    (file,) = folder.glob("*.plane")
    return file


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with the plane of `toy()`, to be copied."""
    folder = tmp_path_factory.mktemp("planes")
    kept(toy(), folder)
    return folder


@pytest.fixture
def folder(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "planes"))


def test_every_place_holds_what_the_decoder_says_there(made):
    model, found = toy(), kept(toy(), made)
    cells = torch.randint(SIDE * SIDE, (2000,), generator=torch.Generator().manual_seed(1)).numpy()
    middles = np.stack([cells % SIDE, cells // SIDE], 1) * WIDTH + WIDTH / 2 - EXTENT
    blocks = np.stack([cells % SIDE // 2, cells // SIDE // 2], 1) * 2 * WIDTH + WIDTH - EXTENT
    far = np.hypot(*blocks.T) > NEAR
    assert 0.6 < far.mean() < 0.7
    z = torch.from_numpy(np.where(far[:, None], blocks, middles)).float()
    logits = model.decode(z).base_dist.logits.flatten(1)
    place = found.place[cells]
    np.testing.assert_allclose(found.log_odds[:, place].T / UNIT, logits, atol=0.51 / UNIT)
    constant = -F.softplus(logits).sum(1) - z.square().sum(1) / 2 - np.log(2 * np.pi)
    np.testing.assert_allclose(found.constant[place], constant, atol=1e-3)


def test_the_file_is_half_as_large_as_one_place_a_cell_would_make_it(made):
    assert only(made).stat().st_size < 0.52 * (2 * SMALL.pixels + 4) * SIDE**2


def test_the_plane_is_decoded_once_for_the_same_decoder_and_again_for_another(folder):
    shares: list[float] = []
    kept(toy(), folder, shares.append)
    assert shares == []
    kept(toy(1), folder, shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert fingerprint(toy()) != fingerprint(toy(1))
    assert len(list(folder.glob("*.plane"))) == 2


def torn(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def zeros(content: bytes) -> bytes:
    return bytes(len(content))


def of_another_kind(content: bytes) -> bytes:
    return b"VAE Lab: a plane, 9th kind\n".ljust(len(KIND)) + content[len(KIND) :]


@pytest.mark.parametrize("damage", [torn, flipped, zeros, of_another_kind], ids=lambda damage: damage.__name__)
def test_a_damaged_file_is_not_trusted_whatever_its_size(folder, damage):
    right, file = only(folder).read_bytes(), only(folder)
    file.write_bytes(damage(right))
    kept(toy(), folder)
    assert file.read_bytes() == right


def test_what_was_used_longest_ago_makes_room_and_what_killed_processes_left_goes(folder, monkeypatch):
    size = only(folder).stat().st_size
    monkeypatch.setattr(plane, "BUDGET", 3 * size + size // 2)
    older = folder / "decoder-of-an-older-version.i16"
    older.write_bytes(bytes(size))
    kept(toy(1), folder)
    names = [f"{fingerprint(toy(seed))}.plane" for seed in range(3)]
    for age, name in enumerate([names[1], names[0], older.name]):  # the oldest last
        os.utime(folder / name, (time.time() - 100 - age, time.time() - 100 - age))
    left = folder / f".{names[2]}.abc.draft"
    left.mkdir()
    kept(toy(), folder)  # used now
    kept(toy(2), folder)
    assert sorted(file.name for file in folder.iterdir()) == sorted(["lock", *names])
    monkeypatch.setattr(plane, "BUDGET", 2 * size)
    kept(toy(3), folder)
    assert {file.name for file in folder.glob("*.plane")} == {names[2], f"{fingerprint(toy(3))}.plane"}


def test_a_plane_over_the_budget_of_the_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(plane, "BUDGET", 10**6)
    with pytest.raises(ValueError, match="over the 1 MB that planes may take"):
        kept(toy(), tmp_path)
    assert not list(tmp_path.glob("*.plane"))


def test_a_folder_that_cannot_be_written_is_read(folder):
    for path in (*folder.iterdir(), folder):
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        with pytest.MonkeyPatch.context() as patch:  # root may write everywhere
            patch.setattr(os, "utime", lambda path: (_ for _ in ()).throw(PermissionError(13, "no", str(path))))
            kept(toy(), folder, lambda share: pytest.fail("decoded again"))
    finally:
        folder.chmod(0o755)


# Two processes that want the same plane, as two servers of one machine do; each says how often it was told a share.
WANTS = """
from pathlib import Path
from tests.inference.test_posterior import toy
from vae.inference.plane import kept
shares = []
try:
    found = kept(toy(), Path("{folder}"), shares.append)
    print(len(shares) > 0, int(found.log_odds.sum()))
except OSError as error:
    print(error.strerror or repr(error))
"""


def two(folder: Path, before: str = "") -> list[str]:
    """The last line of each of two processes that start at once; `before` is a command that must succeed first."""
    ask = f"{sys.executable} -c '{WANTS.format(folder=folder)}'"
    script = f"{before or 'true'} && {{ {ask} & one=$!; {ask} & other=$!; wait $one && wait $other; }}"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    inside = ["unshare", "-rm"] if before else []
    done = subprocess.run(
        [*inside, "bash", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


def test_of_two_processes_at_once_one_decodes_and_both_have_the_plane(tmp_path):
    found = [line.split() for line in two(tmp_path)]
    assert sorted(decoded for decoded, _ in found) == ["False", "True"]
    assert found[0][1] == found[1][1]


def may_mount() -> bool:
    return (
        shutil.which("unshare") is not None
        and subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode == 0
    )


@pytest.mark.skipif(not may_mount(), reason="no small disk can be made here")
@pytest.mark.parametrize(("megabytes", "said"), [(6, {"True", "False"}), (3, {"No space left on device"})])
def test_on_a_small_disk_no_process_dies(tmp_path, megabytes, said):
    """One toy's plane has 4.2 MB: two of them do not fit into 6, and not even one into 3."""
    found = two(tmp_path, f"mount -t tmpfs -o size={megabytes}m none {tmp_path}")
    assert all(found), found
    assert {line if line.startswith("No") else line.split()[0] for line in found} == said
    assert len(found) == 2


def test_where_a_disk_cannot_reserve_the_file_is_written_instead(tmp_path, monkeypatch, made):
    monkeypatch.setattr(os, "posix_fallocate", lambda *_: (_ for _ in ()).throw(OSError(95, "not supported")))
    kept(toy(), tmp_path)
    assert only(tmp_path).read_bytes() == only(made).read_bytes()


def test_other_errors_of_the_disk_leave_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "posix_fallocate", lambda *_: (_ for _ in ()).throw(OSError(28, "no space left")))
    with pytest.raises(OSError, match="no space"):
        kept(toy(), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["lock"]
