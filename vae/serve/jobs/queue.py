"""The trainings of all visitors: one after the other, each a process of its own, known by keys that nobody can guess.

All that is known of a training lies in its folder, so that a server that starts again finds what it had begun.
"""

import logging
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from threading import Condition, Thread

import platformdirs

from vae.data import Own, own
from vae.data.own.made import TITLE
from vae.pictures.files import unmarked
from vae.serve.jobs import asked
from vae.serve.jobs.asked import Asked, Stand, Wish
from vae.serve.jobs.limits import MOST_WEIGHTS, Limits, limits
from vae.serve.jobs.training import DONE, FAILED, STOPPED
from vae.train.recipes import Recipe

log = logging.getLogger(__name__)

PREFIX = "mine-"  # of keys, which are the names of the models too
TRIES = 3  # processes that one training may lose
LOOK = 1.0  # seconds between looks at what is running
DAY = 86_400.0
LOST = "Its process was lost {tries} times, perhaps because the server had too little memory. It can go on from there."

OURS = "An error of the lab's own ended it. The server's log says which."


class Refused(ValueError):
    """A training that is not taken now; the message is one sentence for the visitor."""


class Jobs:
    """The queue; every method may be called from any thread."""

    def __init__(self, root: Path, limited: Limits, run: Callable[[Path, Limits], subprocess.Popen] | None = None):
        self.root, self.limits, self._run = root, limited, run or begun
        self._changed = Condition()
        self._running: dict[str, subprocess.Popen] = {}
        self._thread: Thread | None = None
        root.mkdir(parents=True, exist_ok=True)
        for draft in root.glob(f".{PREFIX}*"):  # of a server that went while it wrote
            shutil.rmtree(draft, ignore_errors=True)
        for one in self._all():
            if one.stand == Stand.TRAINING:  # when the server went
                self._set(one.key, stand=Stand.WAITING)
        with self._changed:
            self._wake()

    # ---- what visitors do ----

    def start(self, pictures: Own, recipe: Recipe, have: Sequence[str] = ()) -> str:
        """Ask for a training; its key. Refused with the reason where it cannot be taken, as from a visitor who has too
        many already."""
        needed = 2 * pictures.pictures.images.nbytes / 1e6 + 100

        def put(draft: Path, key: str) -> Asked:
            own.save(pictures, draft / own.FILE)
            return Asked(key, pictures.title, asdict(replace(recipe, name=key)))

        return self._begin(put, needed, have)

    def bring(self, title: str, files: Mapping[str, bytes | Path], have: Sequence[str] = ()) -> str:
        """Ask for a model to be measured that somebody brings; its key.

        It comes as files by the names that `vae.load` knows in a folder: their bytes, or where they lie.
        """
        sizes = [len(one) if isinstance(one, bytes) else one.stat().st_size for one in files.values()]
        if (size := max(sizes)) > MOST_WEIGHTS:
            raise Refused(f"The file has {size / 1e6:.0f} MB; at most {MOST_WEIGHTS / 1e6:.0f} MB can be read.")

        def put(draft: Path, key: str) -> Asked:
            (draft / asked.BROUGHT).mkdir()
            for name, one in files.items():
                if isinstance(one, bytes):
                    (draft / asked.BROUGHT / name).write_bytes(one)
                else:
                    shutil.copyfile(one, draft / asked.BROUGHT / name)
            return Asked(key, unmarked(title)[:TITLE].strip() or "My network", {})

        return self._begin(put, 3 * sum(sizes) / 1e6, have)

    def _begin(self, put: Callable[[Path, str], Asked], needed: float, have: Sequence[str]) -> str:
        """A new folder, there as a whole, and in the queue; `needed` megabytes."""
        with self._changed:
            self._refuse_where_full(needed, len(have))
            key = PREFIX + secrets.token_hex(16)
            draft = self.root / f".{key}"
            try:
                draft.mkdir()
                asked.write(draft, put(draft, key))
                draft.rename(self.root / key)
            except OSError as error:
                shutil.rmtree(draft, ignore_errors=True)
                raise Refused(asked.unsaved(error)) from error
            self._wake()
            return key

    def find(self, key: str) -> Asked | None:
        """A training by its key; None where there is none, or what says of it is damaged."""
        if not self._is_here(key):
            return None
        try:
            return asked.read(self.root / key)
        except ValueError as error:
            log.warning("a training cannot be read: %s", error)
            return None

    def folder(self, key: str) -> Path:
        """Where all of it lies; KeyError where there is none."""
        if not self._is_here(key):
            raise KeyError(key)
        return self.root / key

    def model(self, key: str) -> Path | None:
        """The folder of the finished model; None where there is none, or none yet."""
        found = self.find(key)
        if found is None or found.stand != Stand.DONE:
            return None
        self._set(key, touched=time.time())
        return self.root / key / asked.MODEL / key

    def place(self, key: str) -> int:
        """How many others are before it; 0 where it is being trained, or next."""
        with self._changed:
            waiting = [one.key for one in self._waiting()]
            return (waiting.index(key) if key in waiting else 0) + (len(self._running) if key in waiting else 0)

    def used(self, key: str) -> None:
        """Somebody looks at what is not trained now: its days begin anew."""
        with self._changed:
            found = self.find(key)
            if found is not None and found.stand in (Stand.STOPPED, Stand.FAILED):
                self._set(key, touched=time.time())

    def wish(self, key: str, wished: Wish) -> None:
        """What its process is to do from now on; one that stopped, or whose processes were lost, goes on where it is
        not to stop."""
        with self._changed:
            folder = self.folder(key)
            asked.ask(folder, wished)
            found = asked.read(folder)
            if (found.stand == Stand.STOPPED or is_lost(found)) and not (wished.stop or wished.pause):
                self._set(key, stand=Stand.WAITING, since=time.time(), why="", tries=0)
            if found.stand == Stand.WAITING and wished.stop:
                self._set(key, stand=Stand.STOPPED)
            self._wake()

    def end(self, key: str) -> None:
        """Forget it, with all that lies in its folder."""
        with self._changed:
            folder = self.folder(key)
            process = self._running.pop(key, None)
            if process is not None:
                process.kill()
                process.wait()
            shutil.rmtree(folder, ignore_errors=True)
            self._wake()

    # ---- the queue ----

    def look(self) -> None:
        """Take in what has ended, forget what nobody wants any more, and begin what is next."""
        with self._changed:
            for key, process in list(self._running.items()):
                if process.poll() is not None:
                    del self._running[key]
                    self._ended(key, process.returncode)
            self._expire()
            for one in self._waiting()[: max(0, self.limits.at_once - len(self._running))]:
                self._set(one.key, stand=Stand.TRAINING)
                self._running[one.key] = self._run(self.root / one.key, self.limits)

    def _ended(self, key: str, status: int) -> None:
        said = asked.said(self.root / key)
        if status == DONE:
            self._set(key, stand=Stand.DONE, why=said)
        elif status == STOPPED:
            self._set(key, stand=Stand.STOPPED)
        elif status == FAILED:
            self._set(key, stand=Stand.FAILED, why=said or "It could not be trained.")
        elif status > 0:  # an error of ours, which would come again
            log.error("the training %s ended with %d: %s", key[:10], status, _end(self.root / key / asked.LOG))
            self._set(key, stand=Stand.FAILED, why=OURS)
        else:
            tries = asked.read(self.root / key).tries + 1
            log.warning("the process of the training %s ended with %d", key[:10], status)
            lost = tries >= TRIES
            self._set(
                key,
                tries=tries,
                stand=Stand.FAILED if lost else Stand.WAITING,
                why=LOST.format(tries=tries) if lost else "",
            )

    def _expire(self) -> None:
        now = time.time()
        for one in self._all():
            if one.key not in self._running and now - max(one.touched, one.since) > self.limits.days * DAY:
                shutil.rmtree(self.root / one.key, ignore_errors=True)

    def _waiting(self) -> list[Asked]:
        """The next first: what is only measured takes a minute, and so goes before what is trained."""

        def turn(one: Asked) -> tuple[bool, float]:
            return not (self.root / one.key / asked.BROUGHT).is_dir(), one.since

        return sorted((one for one in self._all() if one.stand == Stand.WAITING), key=turn)

    def _refuse_where_full(self, needed: float, have: int) -> None:
        if have >= self.limits.each:
            raise Refused(
                f"You have {have} trainings, which is all that one visitor may have. Delete one of them first."
            )
        waiting = len(self._waiting())
        if waiting >= self.limits.queue:
            raise Refused(f"{waiting} trainings are waiting already, which is all that this server takes. Try later.")
        taken = sum(file.stat().st_size for file in self.root.rglob("*") if file.is_file()) / 1e6
        free = shutil.disk_usage(self.root).free / 1e6
        if taken + needed > self.limits.disk or needed > free:
            raise Refused("The server has no room for another training just now. Try later.")

    def _is_here(self, key: str) -> bool:
        name = key.removeprefix(PREFIX)
        return key != name and name.isalnum() and (self.root / key / asked.JOB).is_file()

    def _all(self) -> list[Asked]:
        found = []
        for path in self.root.glob(f"{PREFIX}*/{asked.JOB}"):
            try:
                found.append(asked.read(path.parent))
            except ValueError as error:  # somebody else wrote it, or the disk lost it
                log.warning("a training cannot be read: %s", error)
        return found

    def _set(self, key: str, **values: object) -> None:
        asked.write(self.root / key, replace(asked.read(self.root / key), **values))

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = Thread(target=self._watch, name="trainings", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _watch(self) -> None:
        while True:
            self.look()
            with self._changed:
                busy = self._running or self._waiting()
                self._changed.wait(LOOK if busy else DAY / 24)


def is_lost(found: Asked) -> bool:
    """Whether it was given up only because its processes were lost: it can go on."""
    return found.stand == Stand.FAILED and found.tries >= TRIES


def _end(path: Path, most: int = 2000) -> str:
    """The last letters of a log."""
    return path.read_text(errors="replace")[-most:] if path.is_file() else ""


def begun(folder: Path, limited: Limits) -> subprocess.Popen:
    """The process of a training, whose folder is there."""
    bounds = map(str, (limited.minutes, limited.memory, limited.nice))
    command = [sys.executable, "-m", "vae.serve.jobs.process", str(folder), *bounds]
    home = Path(__file__).resolve().parents[3]
    with (folder / asked.LOG).open("ab") as out:
        return subprocess.Popen(
            command, cwd=home, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )


@cache
def jobs() -> Jobs:
    """Those of this server, in VAE_LAB_CACHE or the user's cache folder; opened on first use."""
    home = os.environ.get("VAE_LAB_CACHE") or platformdirs.user_cache_dir("vae-lab", appauthor=False)
    return Jobs(Path(home).expanduser() / "trainings", limits())
