"""The page Train without a browser: whatever is brought, a sentence says what is wrong with it; the page goes on."""

import os

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.app.pages.conftest import PAGE
from tests.app.pages.test_pages import checked, opened
from tests.data.own.uploads import as_file, idx, noise, photos
from tests.models.folders import TINY, written
from tests.pictures.archives import HOSTILE, archive, many, picture
from vae.app.session import brought
from vae.data import own
from vae.models.elsewhere import CONFIG, WEIGHTS
from vae.serve.jobs import asked
from vae.serve.jobs.limits import Limits, inside

FILES, FOLDER, BUILT_IN, SERVER = "Files or a ZIP", "A folder", "Pictures of this lab", "A folder on the server"
NETWORK = "A network that I kept"


def given(app: AppTest, files: list[tuple[str, bytes]], kind: str = FILES) -> AppTest:
    """The app after files came."""
    if app.segmented_control(key="train.kind").value != kind:
        checked(app.segmented_control(key="train.kind").set_value(kind).run())
    uploader = app.file_uploader(key=f"train.{kind}")
    return checked(uploader.set_value([(name, content, "") for name, content in files]).run())


def warnings(app: AppTest) -> list[str]:
    return [one.value for one in app.warning]


def left_out(app: AppTest) -> list[str]:
    """The sentences about files that were left out."""
    return [line for text in app.text for line in text.value.splitlines()]


def notes(app: AppTest) -> str:
    return " ".join(one.proto.body for one in app.get("html"))


def can_train(app: AppTest) -> bool:
    return any(button.key == "train.go" for button in app.button)


def chosen(app: AppTest) -> tuple[str, str]:
    """What the pictures are to become, and what is taken of each."""
    shape = app.selectbox(key="train.shape").value
    return shape, app.selectbox(key=f"train.way.{shape}").value


NOTHING = "There is no picture in this that can be read."


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_bad_file_alone_is_said_to_be_one_with_its_reason_in_sight(app, kind):
    content, word = HOSTILE[kind]
    given(app, [(f"{kind}.zip", content)])
    assert warnings(app) == [NOTHING]
    (sentence,) = left_out(app)
    assert word in sentence
    (why,) = [one for one in app.expander if one.label == "1 left out"]
    assert why.proto.expanded
    assert not can_train(app)


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_bad_file_among_good_ones_costs_a_sentence_and_the_others_are_learnt_from(app, kind):
    content, word = HOSTILE[kind]
    given(app, [*photos(20), (f"{kind}.zip", content)])
    assert warnings(app) == []
    (sentence,) = left_out(app)
    assert word in sentence
    assert "20 pictures" in notes(app)
    assert can_train(app)


def test_another_title_prepares_nothing_once_more(app, monkeypatch):
    given(app, photos(20))
    before = app.session_state["train.made"][1]
    monkeypatch.setattr(own, "made", None)  # whoever calls it fails
    checked(app.text_input(key="train.title").set_value("Birds").run())
    after = app.session_state["train.made"][1]
    assert (after.title, before.title) == ("Birds", "My pictures")
    assert after.pictures is before.pictures
    assert after.name != before.name


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (photos(1), "Only one picture can be used"),
        (photos(1) * 2, "Only one picture can be used"),
        (photos(19), "Only 19 pictures can be used"),
        ([("a/a.png", as_file(noise(9, 9))), ("b/b.png", as_file(noise(9, 9, seed=1)))], "Only 2 pictures can be used"),
        ([(f"{n}.png", as_file(np.zeros((40, 40), np.uint8))) for n in range(25)], "No picture can be used"),
        ([("i", idx(np.arange(9)))], NOTHING),
        ([("i", idx(noise(30, 9, 9))[:-1])], NOTHING),
        ([("dot.png", as_file(noise(1, 1)))], "Only one picture can be used"),
        ([("thread.png", as_file(noise(1, 20_000)))], NOTHING),
    ],
)
def test_too_little_is_said_in_a_sentence_and_more_may_be_brought(app, files, sentence):
    given(app, files)
    (warning,) = warnings(app)
    assert warning.startswith(sentence)
    given(app, photos(20))
    assert warnings(app) == []
    assert can_train(app)


def test_why_none_of_them_can_be_prepared_is_in_sight(app):
    papers = [np.random.default_rng(n).integers(228, 232, (60, 60), np.uint8) for n in range(25)]
    given(app, [(f"{n}.png", as_file(paper)) for n, paper in enumerate(papers)])
    assert app.selectbox(key="train.shape").value == "bits-28"
    (warning,) = warnings(app)
    assert warning.startswith("No picture can be used")
    assert len(left_out(app)) == 25
    checked(app.selectbox(key="train.shape").set_value("colour-32").run())
    assert can_train(app)


def test_what_suits_the_pictures_is_chosen_anew_for_others_and_a_choice_stays_for_the_same(app):
    given(app, photos(20, 64))
    assert chosen(app) == ("colour-64", "crop")
    checked(app.selectbox(key="train.shape").set_value("bits-32").run())
    checked(app.text_input(key="train.title").set_value("x").run())
    assert chosen(app)[0] == "bits-32"
    given(app, [(f"{n}.png", picture(n)) for n in range(20)])
    assert chosen(app) == ("bits-28", "drawing")


def test_more_pictures_than_a_training_may_have_cost_a_sentence(app):
    given(app, [("many.zip", archive(*photos(70, 9)))])
    assert left_out(app) == ["Only the first 60 of 70 pictures are taken."]
    assert "60 pictures" in notes(app)
    given(app, [("too many.zip", many(200))])
    assert left_out(app) == ["too many.zip: The archive has too many files; at most 60 can be read."]


def test_files_that_come_one_after_the_other_are_read_once_and_add_up(app, monkeypatch):
    reads, add = [], own.Brought.add
    monkeypatch.setattr(own.Brought, "add", lambda found, file: reads.append(file.name) or add(found, file))
    given(app, photos(15))
    uploader = app.file_uploader(key=f"train.{FILES}")
    kept = [(file.file_id, file.name, file.getvalue(), "") for file in uploader.value]
    assert [content for _, _, content, _ in kept] == [b""] * 15  # Streamlit has let go of their bytes
    checked(app.run())
    uploader = app.file_uploader(key=f"train.{FILES}")
    uploader._files = [*kept[1:], *(("id" + name, name, content, "") for name, content in photos(22)[15:])]
    checked(uploader.run())
    assert "21 pictures" in notes(app)
    assert reads == [f"{n}.png" for n in range(22)]
    assert can_train(app)


def test_pictures_beyond_what_there_may_be_are_refused_when_they_come_later_too(app):
    given(app, photos(60, 9))
    kept = [(file.file_id, file.name, b"", "") for file in app.file_uploader(key=f"train.{FILES}").value]
    uploader = app.file_uploader(key=f"train.{FILES}")
    uploader._files = [*kept, ("x", "late.png", as_file(noise(9, 9, seed=99)), "")]
    checked(uploader.run())
    assert left_out(app) == ["late.png: there are 60 pictures already, the most at once."]
    assert "60 pictures" in notes(app)


def test_a_pair_in_which_labels_come_later_becomes_one_of_classes(app):
    given(app, [("i", idx(noise(30, 28, 28)))])
    (images,) = app.file_uploader(key=f"train.{FILES}").value
    uploader = app.file_uploader(key=f"train.{FILES}")
    uploader._files = [(images.file_id, "i", images.getvalue(), ""), ("x", "l", idx(np.arange(30) % 2), "")]
    checked(uploader.run())
    assert "Classes by folder: 0 (15), 1 (15)" in notes(app)


def test_hostile_names_of_folders_are_letters_on_the_page(app):
    hostile = ["<img src=x onerror=alert(1)>", "[here](http://x)", "**b**", "a\u202eb", "y" * 3000]
    files = [(f"{name}/{n}.png", content) for n, (_, content) in enumerate(photos(30)) for name in [hostile[n % 5]]]
    given(app, [("a.zip", archive(*files))])
    body = notes(app)
    assert "<img src=x" not in body
    assert 'href="http://x' not in body
    assert "<b>b</b>" not in body
    assert "\u202e" not in body
    assert can_train(app)


def test_three_hundred_folders_are_no_classes_and_a_sentence_says_so(held, monkeypatch):
    monkeypatch.setattr(held, "limits", Limits(megapixels=40))
    app = given(
        opened(page=PAGE), [("a.zip", archive(*((f"{n}/a.png", c) for n, (_, c) in enumerate(photos(300, 9)))))]
    )
    assert "300 pictures" in notes(app)
    assert "Its 300 folders are no classes: of those there may be 40." in notes(app)
    assert can_train(app)


def test_a_folder_is_read_as_one_whatever_its_files_are_called(app):
    files = [(f"in/{kind}/{name}", content) for kind in ("a", "b") for name, content in photos(12, 20 + ord(kind) % 2)]
    given(app, [*files, ("in/.hidden/x.png", b"no")], FOLDER)
    assert "Classes by folder: a (12), b (12)" in notes(app)
    assert left_out(app) == []


# ---- what is chosen, and what is begun ----

HOSTILE_TITLE = "[x](http://x) **b** :red[c] <i>d</i> $e$"


def test_a_title_of_hostile_text_is_letters_wherever_it_is_shown(app, held):
    given(app, photos(20))
    checked(app.text_input(key="train.title").set_value(HOSTILE_TITLE).run())
    checked(app.button(key="train.go").click().run())
    (one,) = held._all()
    assert one.title == "［x］(http：//x) ＊＊b＊＊ ：red［c］ ＜i＞d＜/i＞ ＄e＄"[:40].strip()
    assert "<i>d" not in notes(app)
    checked(app.button(key="train.another").click().run())
    (label,) = [button.label for button in app.button if button.key == f"to.{one.key}"]
    assert label == f"{one.title}: {held.find(one.key).stand.value}"


def test_the_same_pictures_twice_are_two_trainings_of_whoever_asks(app, held):
    other = opened(page=PAGE)
    for visit in (app, other, app):
        if not can_train(visit):
            given(visit, photos(20))
        checked(visit.button(key="train.go").click().run())
        if visit is app:
            checked(visit.button(key="train.another").click().run())
    keys = {one.key for one in held._all()}
    assert len(keys) == 3
    assert len({own.load(held.folder(key) / own.FILE).name for key in keys}) == 1
    assert len({button.key for button in app.button if (button.key or "").startswith("to.")}) == 2


def test_a_training_that_cannot_be_taken_now_is_a_sentence(app, held, monkeypatch):
    monkeypatch.setattr(held, "limits", Limits(each=1))
    given(app, photos(20))
    checked(app.button(key="train.go").click().run())
    checked(app.button(key="train.another").click().run())
    given(app, photos(20))
    checked(app.button(key="train.go").click().run())
    (warning,) = warnings(app)
    assert warning.startswith("You have 1 trainings")


def test_a_training_whose_pictures_or_facts_are_damaged_is_a_sentence_and_can_be_deleted(app, held):
    given(app, photos(20))
    checked(app.button(key="train.go").click().run())
    (one,) = held._all()
    (held.folder(one.key) / own.FILE).write_bytes(b"no")
    checked(app.run())
    assert "damaged" in warnings(app)[0]
    checked(app.button(key="train.delete").click().run())
    assert held._all() == []
    given(app, photos(20))
    checked(app.button(key="train.go").click().run())
    (one,) = held._all()
    (held.folder(one.key) / asked.JOB).write_text("{")
    checked(app.run())
    assert "a training that is not here" in warnings(app)[0]


def test_a_network_from_elsewhere_is_known_by_its_files(app, held, tmp_path):
    place = written(tmp_path / "vae", TINY)
    checked(app.segmented_control(key="train.kind").set_value(NETWORK).run())
    uploader = app.file_uploader(key="train.network_file")
    checked(uploader.set_value([("old.ckpt", b"", "")]).run())
    assert "may run code" in warnings(app)[0]
    files = [(name, (place / name).read_bytes(), "") for name in (CONFIG, WEIGHTS[0])]
    checked(app.file_uploader(key="train.network_file").set_value(files).run())
    assert warnings(app) == []
    checked(app.text_input(key="train.network_title.My network").set_value("<b>Mine</b>").run())
    checked(app.button(key="train.open").click().run())
    (one,) = held._all()
    assert one.title == "＜b＞Mine＜/b＞"
    brought = held.folder(one.key) / asked.BROUGHT
    assert {file.name: file.read_bytes() for file in brought.iterdir()} == {name: content for name, content, _ in files}


def test_a_network_that_is_brought_has_a_title_of_letters_too(app, held):
    checked(app.segmented_control(key="train.kind").set_value("A network that I kept").run())
    file = (f"{HOSTILE_TITLE.replace('/', '')}.safetensors", b"no", "")
    checked(app.file_uploader(key="train.network_file").set_value(file).run())
    checked(app.button(key="train.open").click().run())
    (one,) = held._all()
    assert one.title == "［x］(http：x) ＊＊b＊＊ ：red［c］ ＜i＞d＜i＞ ＄e＄"[:40].strip()


# ---- a folder on the server ----


@pytest.fixture
def root(tmp_path, monkeypatch):
    place = tmp_path / "shared"
    place.mkdir()
    monkeypatch.setenv("VAE_LAB_TRAIN_FROM", str(place))
    return place.resolve()


def asked_for(path: str) -> AppTest:
    app = opened(page=PAGE)
    checked(app.segmented_control(key="train.kind").set_value(SERVER).run())
    return checked(app.text_input(key="train.path").set_value(path).run())


def test_a_folder_or_archive_on_the_server_is_read(held, root):
    (root / "in" / "a").mkdir(parents=True)
    for name, content in photos(25):
        (root / "in" / "a" / name).write_bytes(content)
    (root / "a.zip").write_bytes(archive(*photos(22)))
    assert "25 pictures" in notes(asked_for("in"))
    assert "22 pictures" in notes(asked_for("a.zip"))


@pytest.mark.parametrize(
    "path",
    ["..", "../out", "/etc", "none", "out", "round", "a\0b", "x" * 10_000, "in/" * 3000, "~", "*"],
)
def test_a_path_that_leads_nowhere_or_out_is_one_sentence(held, root, path):
    (root.parent / "out").mkdir()
    (root / "out").symlink_to(root.parent / "out")
    (root / "round").symlink_to(root / "round")
    assert warnings(asked_for(path)) == ["There is no such folder or ZIP below shared."]
    with pytest.raises(ValueError, match="There is no such folder"):
        inside(root, path)


@pytest.mark.parametrize("content", [b"", b"hello", as_file(noise(9, 9))])
def test_a_file_that_is_no_archive_is_one_sentence(held, root, content):
    (root / "x.png").write_bytes(content)
    assert warnings(asked_for("x.png")) == ["x.png is neither a folder nor a ZIP archive"]


def test_a_pipe_on_the_server_is_not_waited_for(held, root):
    os.mkfifo(root / "pipe")
    assert len(warnings(asked_for("pipe"))) == 1


def test_a_folder_without_rights_or_files_or_with_too_many_is_one_sentence(held, root, monkeypatch):
    (root / "empty").mkdir()
    (root / "full").mkdir()
    for n in range(1300):
        (root / "full" / f"{n:04}.png").touch()
    assert warnings(asked_for("empty")) == [NOTHING]
    app = asked_for("full")
    assert "Only the first 60 pictures in the folder are taken." in left_out(app)
    scan = os.scandir

    def refusing(path="."):  # whoever runs the tests may have all rights
        if os.fspath(path).endswith("empty"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert left_out(asked_for("empty")) == ["empty: the folder cannot be read: Permission denied."]


def test_what_was_read_takes_little_room(held):
    """Each copy has at most 128 pixels on its long side."""
    app = given(opened(page=PAGE), [(f"{n}.bmp", as_file(noise(900, 900, 3, seed=n), "BMP")) for n in range(8)])
    found = app.session_state[brought.WHOLE][1]
    assert len(found) == 8
    assert found.size < 8 * 128 * 128 * 3 * 1.1
