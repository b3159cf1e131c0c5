"""The queue of trainings, with processes that only pretend: who waits, who goes on, and what is said."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests import own_pictures
from vae.data import own
from vae.serve.jobs import asked
from vae.serve.jobs import queue as module
from vae.serve.jobs.asked import Stand, Wish
from vae.serve.jobs.limits import Limits
from vae.serve.jobs.queue import DAY, TRIES, Jobs, Refused
from vae.serve.jobs.training import DONE, FAILED, STOPPED
from vae.train.own.presets import preset

USUAL = Limits()


class Pretended:
    """A process that ends when a test says so."""

    def __init__(self, folder: Path):
        self.folder, self.returncode, self.killed = folder, None, False

    def poll(self) -> int | None:
        return self.returncode

    def kill(self) -> None:
        self.killed, self.returncode = True, -9

    def wait(self) -> None:
        assert self.returncode is not None


class Queue(Jobs):
    """Jobs without a thread, which a test turns by `look`."""

    def __init__(self, root: Path, limited: Limits = USUAL):
        self.begun: list[Pretended] = []
        super().__init__(root, limited, self._pretend)

    def _pretend(self, folder: Path, limited: Limits) -> Pretended:
        self.begun.append(Pretended(folder))
        return self.begun[-1]

    def _wake(self) -> None:
        pass

    def add(self, have: tuple[str, ...] = ()) -> str:
        pictures = own_pictures.some(24)
        return self.start(pictures, preset("mine", pictures, "quick"), have)

    def ends(self, status: int, said: str = "") -> None:
        """The process that began last does, and the queue sees it."""
        if said:
            asked.say(self.begun[-1].folder, said)
        self.begun[-1].returncode = status
        self.look()


@pytest.fixture
def queue(tmp_path) -> Queue:
    return Queue(tmp_path)


def test_one_trains_at_a_time_in_the_order_of_asking_and_the_others_know_their_place(queue):
    first, second, third = queue.add(), queue.add(), queue.add()
    queue.look()
    assert [queue.find(key).stand for key in (first, second, third)] == [Stand.TRAINING, Stand.WAITING, Stand.WAITING]
    assert [queue.place(key) for key in (first, second, third)] == [0, 1, 2]
    queue.ends(DONE)
    assert [queue.find(key).stand for key in (first, second, third)] == [Stand.DONE, Stand.TRAINING, Stand.WAITING]
    assert [queue.place(key) for key in (second, third)] == [0, 1]


def test_a_key_cannot_be_guessed_and_no_path_is_one(queue):
    key = queue.add()
    assert len(key) >= 32
    assert key != queue.add()
    for other in ("", "mine-", "mine-..", "../" + key, key + "/..", f"mine-/{key}", key[:-1], "mine-" + "0" * 32):
        assert queue.find(other) is None
        with pytest.raises(KeyError):
            queue.folder(other)


def test_a_lost_process_is_begun_anew_and_given_up_after_some_tries(queue):
    key = queue.add()
    queue.look()
    for tries in range(1, TRIES):
        queue.ends(-9)
        assert (queue.find(key).stand, queue.find(key).tries) == (Stand.TRAINING, tries)  # another process has it
    queue.ends(-9)
    assert queue.find(key).stand == Stand.FAILED
    assert str(TRIES) in queue.find(key).why
    assert len(queue.begun) == TRIES
    queue.wish(key, Wish())  # it goes on from its last save, with as many tries again
    queue.look()
    assert (queue.find(key).stand, queue.find(key).tries, queue.find(key).why) == (Stand.TRAINING, 0, "")


def test_a_process_that_fails_says_why_and_is_not_tried_again(queue):
    key = queue.add()
    queue.look()
    queue.ends(FAILED, "Its numbers went wrong.")
    assert (queue.find(key).stand, queue.find(key).why) == (Stand.FAILED, "Its numbers went wrong.")
    queue.look()
    assert len(queue.begun) == 1


def test_one_that_failed_of_itself_does_not_go_on_whatever_is_wished(queue):
    key = queue.add()
    queue.look()
    queue.ends(FAILED, "Its numbers went wrong.")
    queue.wish(key, Wish())
    queue.look()
    assert queue.find(key).stand == Stand.FAILED


def test_an_error_of_ours_is_not_tried_again_and_stands_in_the_log(queue, caplog):
    key = queue.add()
    queue.look()
    (queue.folder(key) / asked.LOG).write_text("Traceback: it went wrong here")
    queue.ends(1)
    assert queue.find(key).stand == Stand.FAILED
    assert "server's log" in queue.find(key).why
    assert "it went wrong here" in caplog.text
    queue.look()
    assert len(queue.begun) == 1


def test_one_that_was_stopped_goes_on_behind_those_that_wait(queue):
    first, second = queue.add(), queue.add()
    queue.look()
    queue.wish(first, Wish(stop=True))
    queue.ends(STOPPED)
    assert [queue.find(key).stand for key in (first, second)] == [Stand.STOPPED, Stand.TRAINING]
    queue.wish(first, Wish())
    assert queue.find(first).stand == Stand.WAITING
    assert queue.place(first) == 1
    queue.ends(DONE)
    assert queue.find(first).stand == Stand.TRAINING
    assert not asked.wish(queue.folder(first)).stop


def test_one_that_waits_can_be_stopped_before_it_began(queue):
    first, second = queue.add(), queue.add()
    queue.look()
    queue.wish(second, Wish(stop=True))
    queue.ends(DONE)
    assert queue.find(second).stand == Stand.STOPPED
    assert len(queue.begun) == 1
    assert queue.find(first).stand == Stand.DONE


def test_a_server_that_starts_again_goes_on_with_what_was_begun(queue, tmp_path):
    first, second = queue.add(), queue.add()
    queue.look()
    (tmp_path / ".mine-half").mkdir()  # of a folder that was being written
    again = Queue(tmp_path)
    assert [again.find(key).stand for key in (first, second)] == [Stand.WAITING, Stand.WAITING]
    again.look()
    assert [process.folder.name for process in again.begun] == [first]
    assert not (tmp_path / ".mine-half").exists()


def test_a_model_is_there_only_when_its_training_is_done(queue):
    key = queue.add()
    queue.look()
    assert queue.model(key) is None
    queue.ends(DONE)
    assert queue.model(key) == queue.root / key / "model" / key


def test_what_nobody_used_for_days_is_deleted_and_what_is_used_stays(queue):
    old, used, going = queue.add(), queue.add(), queue.add()
    for _ in (old, used):
        queue.look()
        queue.ends(DONE)
    assert [process.folder.name for process in queue.begun] == [old, used, going]
    past = time.time() - (queue.limits.days + 1) * DAY
    for key in (old, used, going):
        asked.write(queue.folder(key), replace(queue.find(key), touched=past, since=past))
    assert queue.model(used)  # somebody looks at it
    queue.look()
    assert [queue.find(key) is not None for key in (old, used, going)] == [False, True, True]


def test_one_that_was_stopped_stays_too_as_long_as_somebody_looks_at_it(queue):
    keys = queue.add(), queue.add()
    for key in keys:
        queue.wish(key, Wish(stop=True))
        past = time.time() - (queue.limits.days + 1) * DAY
        asked.write(queue.folder(key), replace(queue.find(key), touched=past, since=past))
    queue.used(keys[1])
    queue.look()
    assert [queue.find(key) is not None for key in keys] == [False, True]


@pytest.mark.parametrize(
    ("limited", "word"),
    [(Limits(queue=1), "waiting"), (Limits(disk=1), "room"), (Limits(each=1), "one visitor")],
    ids=["the queue", "the disk", "a visitor"],
)
def test_what_is_too_much_is_refused_in_a_sentence_and_leaves_nothing(tmp_path, limited, word):
    queue, have = Queue(tmp_path, limited), []
    if limited.disk > 1:
        have.append(queue.add())
    before = sorted(tmp_path.iterdir())
    with pytest.raises(Refused, match=word):
        queue.add(tuple(have))
    assert sorted(tmp_path.iterdir()) == before


def test_a_full_disk_is_said_and_nothing_half_written_stays(queue, monkeypatch):
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(own, "save", full)
    with pytest.raises(Refused, match="full"):
        queue.add()
    assert list(queue.root.iterdir()) == []


def test_one_is_ended_with_its_process_and_all_that_belongs_to_it(queue):
    key = queue.add()
    queue.look()
    folder = queue.folder(key)
    queue.end(key)
    assert queue.begun[0].killed
    assert not folder.exists()
    assert queue.find(key) is None


def test_a_folder_that_is_no_training_keeps_nobody_waiting(queue):
    bad = queue.root / "mine-0123"
    bad.mkdir()
    for content in ("", "{", "[]", json.dumps({"key": 3}), json.dumps({"stand": "odd"}), "\udcff"):
        (bad / asked.JOB).write_text(content, errors="surrogateescape")
        key = queue.add()
        queue.look()
        assert queue.find(key).stand == Stand.TRAINING
        queue.ends(DONE)


def test_what_is_only_measured_goes_before_what_is_trained(queue):
    first, second = queue.add(), queue.add()
    queue.look()
    brought = [queue.bring("mine", {"a": b"no model"}) for _ in range(2)]
    assert [queue.place(key) for key in (first, *brought, second)] == [0, 1, 2, 3]
    for expected in (*brought, second):
        queue.ends(DONE)
        queue.look()
        assert queue.find(expected).stand == Stand.TRAINING


def test_a_model_that_is_brought_is_bounded_in_bytes(queue, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_WEIGHTS", 1000)
    place = tmp_path / "large"
    place.write_bytes(bytes(1001))
    for large in (bytes(1001), place):
        with pytest.raises(Refused, match="MB"):
            queue.bring("large", {"a": b"", "b": large})
    place.write_bytes(b"no model")
    key = queue.bring("small", {"a": b"no model", "b": place})
    assert [(queue.folder(key) / asked.BROUGHT / name).read_bytes() for name in "ab"] == [b"no model"] * 2
