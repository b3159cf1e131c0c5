"""Training on pictures of one's own from the command line: the same flags give the same weights, which are the best for
held-out pictures, and a run goes on without the pictures' files."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.train.ones_own import PLAIN, TINY, folder, handlers, members, png, stop_at
from vae.data import own
from vae.models import checkpoint
from vae.train import saved
from vae.train.command import main
from vae.train.command.line import _of_own, parser
from vae.train.own.held import BEST, HeldOut
from vae.train.run import Run
from vae.train.saved import LOG, STATE

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def command_line(tmp_path, monkeypatch, digits):
    """`main` with the tiny flags in a folder that has 60 pictures in pictures/."""
    monkeypatch.chdir(tmp_path)
    folder(tmp_path / "pictures", digits)
    for name in ("WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    with handlers():
        yield lambda *words: main([*words, "--device", "cpu"])


def begin(command_line, *words: str, data: str = "pictures") -> int:
    return command_line("--data", data, "--name", "mine", *TINY, *PLAIN, *words)


def weights(run: str) -> dict[str, torch.Tensor]:
    return load_file(Path(run) / checkpoint.WEIGHTS)


def same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def lines(run: str) -> list[dict]:
    return [json.loads(line) for line in (Path(run) / LOG).read_text().splitlines()]


def without_seconds(run: str) -> list[dict]:
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines(run)]


def test_the_same_flags_give_the_same_weights_and_a_stopped_run_that_goes_on_without_its_pictures_too(
    command_line, monkeypatch, capsys
):
    assert begin(command_line, "--out", "once") == 0
    assert begin(command_line, "--out", "twice") == 0
    with monkeypatch.context() as patch:
        stop_at(patch, 33)
        assert begin(command_line, "--out", "stopped") == 130
    shutil.rmtree("pictures")
    assert command_line("--name", "mine", "--out", "stopped", "--resume") == 0
    assert "Going on at step 40 of 60." in capsys.readouterr().err
    for other in ("twice", "stopped"):
        assert same(weights("once"), weights(other))
        assert same(load_file(f"once/{BEST}"), load_file(f"{other}/{BEST}"))
        assert without_seconds("once") == without_seconds(other)


def test_the_kept_weights_are_the_averaged_ones_of_the_best_look(command_line):
    assert begin(command_line, "--learning-rate", "0.03", "--to-the-end") == 0
    losses = {line["step"]: line["validation"]["loss"] for line in lines("runs/mine") if "validation" in line}
    best = min(losses, key=losses.get)
    facts = checkpoint.training_facts(Path("runs/mine") / checkpoint.WEIGHTS)
    assert (facts["kept_step"], facts["epochs"]) == (best, 20)
    mine = own.load(Path("runs/mine") / own.FILE)
    part = mine.part("train")
    run = Run(saved.recipe_of(Path("runs/mine")), part.images, labels=part.labels)
    while run.step < best:
        run.advance()
    assert same(weights("runs/mine"), dict(run.average.module.state_dict()))


def test_a_folder_a_zip_and_what_was_made_of_them_are_the_same_pictures(command_line, digits, tmp_path):
    assert begin(command_line, "--epochs", "1", "--steps", "1") == 1  # one or the other
    shutil.make_archive("packed", "zip", "pictures")
    names = []
    for number, data in enumerate(("pictures", "packed.zip", f"0/{own.FILE}")):
        shape = () if number == 2 else PLAIN
        assert command_line("--data", data, "--name", "mine", *TINY, *shape, "--out", str(number)) == 0
        names.append(own.load(Path(str(number)) / own.FILE).name)
    assert len(set(names)) == 1
    assert same(weights("0"), weights("1"))
    assert same(weights("0"), weights("2"))


def test_it_says_what_it_understood_before_it_begins(command_line, digits, capsys):
    Path("pictures/a/notes.txt").write_text("no picture")
    Path("pictures/b/twin.png").write_bytes(png(digits[1]))
    assert begin(command_line, "--title", "Numbers") == 0
    said = capsys.readouterr().err.splitlines()
    assert said[:6] == [
        "60 pictures, 28 x 28 pixels, grey. Classes by folder: a (30), b (30).",
        "2 left out, 1 of them as they are there already:",
        "  a/notes.txt: This is not a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF picture.",
        "  b/twin.png is b/001.png once more.",
        "They become bits-28: 28 x 28, black and white. The middle of each, as it is (plain).",
        "A model reads them 28 x 28, black and white, prepared as 'plain'. Held out: 6 to measure with and 3 to choose "
        "weights by; 51 are trained on.",
    ]
    mine = own.load(Path("runs/mine") / own.FILE)
    assert (mine.title, mine.class_names, mine.tested, mine.validated) == ("Numbers", ("a", "b"), 6, 3)


def test_many_left_out_are_counted_and_all_of_them_written_down(command_line, capsys):
    for number in range(15):
        Path(f"pictures/{number}.txt").write_text("no picture")
    assert begin(command_line) == 0
    assert "  and 5 more, all of them in runs/mine/left_out.txt" in capsys.readouterr().err
    assert len(Path("runs/mine/left_out.txt").read_text().splitlines()) == 15


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--latents", "40"), "51 training pictures are enough for 1 to 25 latents, not 40"),
        (("--beta", "0"), "beta must be above 0 and at most 100, not 0"),
        (("--beta", "nan"), "warmup, kl_warmup and beta are not below 0, not 200, 5 and nan"),
        (("--batch", "52"), "a batch of 52 needs at least as many pictures, not 51"),
        (("--warp", "2"), "warp and cut are shares from 0 to 1, not 2.0 and 0.0"),
        (("--side", "8"), "squares are cut for a model of pictures of any size, not for a vae"),
        (("--layers", "1", "1"), "a vae model has no --layers"),
        (("--preparation", "face"), "the preparation must be one of drawing, thing, plain, not 'face'"),
        (("--family", "principal"), "a principal model is convolutional, and reads pictures of 256 levels"),
        (("--name", "mnist"), "mnist is the name of a recipe or a model of the lab: choose another --name"),
        (("--name", "a/b"), "--name is made of letters, digits, dots, dashes and underscores, 60 at most, not 'a/b'"),
        (("--data", "nowhere"), "there is no folder or file nowhere"),
        (("--validate", "5"), "--validate goes with a recipe's name; of your own pictures some are always held back"),
        (("--resume", "--out", "empty"), "there is nothing to resume in empty"),
    ],
)
def test_a_mistake_is_one_sentence_and_status_1(words, said, command_line, capsys):
    assert begin(command_line, *words) == 1
    assert capsys.readouterr().err.splitlines()[-1] == said
    assert not (Path("runs/mine") / STATE).exists()


def test_what_cannot_be_trained_on_is_one_sentence(command_line, digits, capsys):
    Path("none").mkdir()
    Path("none/a.txt").write_text("no picture")
    Path("no.dat").write_bytes(b"nonsense")
    folder(Path("few"), digits, 19)
    for data, said in (
        ("none", "there is no picture that can be read, as a.txt: "),
        (
            "no.dat",
            "no.dat is neither a folder, nor a ZIP archive or an IDX file that can be read, nor",
        ),
        ("few", "Only 19 pictures can be used, and a network needs 20 to learn from, better some hundred."),
    ):
        assert command_line("--data", data, "--name", "mine", *TINY) == 1
        assert capsys.readouterr().err.splitlines()[-1].startswith(said)


def test_a_run_goes_on_only_with_what_it_was_begun_with(command_line, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        stop_at(patch, 3)
        assert begin(command_line) == 130
    assert command_line("--name", "mine", "--resume", "--beta", "4") == 1
    assert "begun with another recipe: beta was 1.0 and is 4.0 now" in capsys.readouterr().err
    assert begin(command_line) == 1
    assert "runs/mine holds a run already" in capsys.readouterr().err
    assert begin(command_line, "--resume") == 0  # the same command


def test_it_ends_where_it_only_learns_by_heart_even_if_the_last_look_is_a_better_one_unless_it_is_to_go_on(
    command_line, monkeypatch, capsys
):
    def scripted(held: HeldOut) -> dict[str, dict[str, float]]:
        loss = {10: 5.0, 80: 4.0}.get(held.run.step, 6.0)
        return {"validation": {"loss": loss}, "train": {"loss": 1.0}}

    monkeypatch.setattr(HeldOut, "numbers", scripted)
    assert begin(command_line, "--steps", "120") == 0
    assert "It ends at step 80 of 120" in capsys.readouterr().err  # the report after the look that decided it
    assert command_line("--name", "mine", "--resume") == 0  # there is nothing left to do
    assert lines("runs/mine")[-1]["step"] == 80
    facts = checkpoint.training_facts(Path("runs/mine") / checkpoint.WEIGHTS)
    assert facts["kept_step"] == 80
    assert begin(command_line, "--out", "all", "--steps", "120", "--to-the-end") == 0
    assert lines("all")[-1]["step"] == 120


def test_a_preset_is_what_a_flag_changes(digits, tmp_path):
    images, labels = digits[:60], torch.zeros(60, dtype=torch.int64)
    mine = own.own_set("mine", (), own.SHAPES["bits-28"].spec("plain"), images, labels)
    options = parser().parse_args(["--name", "mine", "--network", "conv", "--channels", "4", "8", "--steps", "7"])
    recipe = _of_own(options, mine, tmp_path, False)
    assert (recipe.model.network, recipe.model.channels, recipe.epochs, recipe.batch) == ("conv", (4, 8), 7, 51)
    assert _of_own(parser().parse_args(["--name", "mine", "--batch", "10"]), mine, tmp_path, False).epochs == 400


def test_two_processes_share_the_pictures_that_the_first_prepares(digits, tmp_path):
    folder(tmp_path / "pictures", digits)
    environment = os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    start = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--rdzv-backend=c10d"]
    start += ["--rdzv-endpoint=127.0.0.1:0", "--local-addr=127.0.0.1", "--monitor-interval=0.1", "-m", "vae.train"]
    asked = ["--data", "pictures", "--name", "mine", *TINY, *PLAIN, "--device", "cpu"]
    done = subprocess.run(
        [*start, *asked], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stderr.count("60 pictures, 28 x 28 pixels, grey.") == 1
    facts = checkpoint.training_facts(tmp_path / "runs/mine" / checkpoint.WEIGHTS)
    assert (facts["processes"], facts["recipe"]["batch"]) == (2, 16)


def test_the_names_of_files_decide_the_order_and_members_of_a_zip_are_the_same(digits, tmp_path):
    found, refused = own.found_in(folder(tmp_path / "pictures", digits, 4))
    assert ([file.name for file in found], refused) == (["a/000.png", "a/002.png", "b/001.png", "b/003.png"], [])
    assert sorted((file.name, file.read()) for file in found) == sorted(members(digits, 4))
