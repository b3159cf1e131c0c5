"""Files of pictures: uploads, folders, ZIP archives; and a sentence about each that is left out."""

import io
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from vae.pictures.read import MAX_BYTES
from vae.pictures.steps import ImageError

MAX_FILES, MAX_TOTAL = 500, 200_000_000  # pictures of one request, and their bytes unpacked
MAX_ARCHIVE = 200 * 2**20  # bytes of a ZIP archive itself
MAX_RATIO, SMALL = 200, 1_000_000  # unpacked / packed of a file, where it is larger than SMALL bytes
MAX_NAME = 200  # letters of a file's or folder's name that are kept
ENTRIES = 2  # of all archives together, for each picture that may be taken: some systems put a hidden file beside each
LOOKED = 20  # files in a folder that are looked at for each picture that may be taken
ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")  # what a ZIP begins with
ENTRY = b"PK\x01\x02"  # what each entry of a ZIP's directory begins with
# What zipfile raises on archives that are damaged or meant to do harm.
BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError)
BROKEN += (RuntimeError, MemoryError, OverflowError, LookupError)
# What means something to Markdown, HTML or Streamlit, as wide letters that look the same and mean nothing.
MARKS = str.maketrans({mark: chr(ord(mark) + 0xFEE0) for mark in "[]<>*`$:\\~|#"})
UNSEEN = ("__MACOSX", "Thumbs.db", "desktop.ini")  # what systems leave in folders, beside hidden files


@dataclass(frozen=True)
class File:
    """A file's name, how its bytes are read once they are needed, and the name of the folder that it is in, "" where
    it is in none; `read` raises ImageError."""

    name: str
    read: Callable[[], bytes]
    folder: str = ""


@dataclass
class _Room:
    """What may still be taken of the archives of one request, of at most `most` pictures: entries, and bytes."""

    most: int
    entries: int
    bytes: int


def readable(name: str) -> str:
    """A name as it may be shown: what is not printable as Python would write it (a tab as \\t), and at most MAX_NAME
    letters, the last ones where it is longer."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in name[-MAX_NAME:])[-MAX_NAME:]


def unmarked(name: str) -> str:
    """The same for a name that strangers give and pages show among their own words: it has no links, and is no HTML."""
    return readable(name).translate(MARKS)


def uploads(
    files: Iterable[tuple[str, bytes]], most: int = MAX_FILES, most_bytes: int = MAX_TOTAL
) -> tuple[list[File], list[str]]:
    """The first `most` files of an upload, ZIP archives unpacked one level deep, and a sentence about each that is
    refused. The archives may have `most_bytes` unpacked, all together. Hidden files of a folder are passed over in
    silence.
    """
    found, refused, room = [], [], _Room(most, ENTRIES * most, most_bytes)
    for name, content in files:
        parts = PurePosixPath(name).parts
        if len(parts) > 1 and _unseen(parts):
            continue
        if content[:4] in ARCHIVES:
            inside, complaints = _unpacked(name, content, room)
            found += inside
            refused += complaints
        else:
            found.append(_file(name, lambda content=content: content))
    if len(found) > most:
        refused.append(f"Only the first {most:,} of {len(found):,} pictures are taken.")
    return found[:most], refused


def on_disk(path: Path, most: int | None = None, most_bytes: int = MAX_TOTAL) -> tuple[list[File], list[str]]:
    """The files of a folder and below it, in the order of their names, or those in one ZIP archive; and a sentence
    about each that is left out: links are not followed out of the folder. Hidden files are passed over in silence.

    Of a folder the first `most` are taken, all where it is None; then no more are looked for. ValueError, in one
    sentence, where the path is neither a folder nor a ZIP archive that can be read.
    """
    if path.is_file():
        content = _from_disk(path, MAX_ARCHIVE)
        if content[:4] not in ARCHIVES:
            raise ValueError(f"{readable(path.name)} is neither a folder nor a ZIP archive")
        limit = MAX_FILES if most is None else most
        return _unpacked(path.name, content, _Room(limit, ENTRIES * limit, most_bytes))
    if not path.is_dir():
        raise ValueError(f"there is no folder {path}")
    found, refused = [], []
    for one in _below(path, None if most is None else LOOKED * most, refused):
        if len(found) == most:
            refused.append(f"Only the first {most:,} pictures in the folder are taken.")
            break
        found.append(_file(str(one.relative_to(path)), lambda one=one: _from_disk(one, MAX_BYTES)))
    return found, refused


def _below(top: Path, most: int | None, refused: list[str]) -> Iterator[Path]:
    """The regular files below a folder that are not hidden, in the order of their names, found as they are asked for;
    where there are more than `most` entries the rest is not looked at. What is left out gets its sentence."""
    root, looked, left = top.resolve(), 0, [top]
    while left:
        path = left.pop()
        name = readable(str(path.relative_to(top)))
        if path != top and os.path.islink(path):
            if not os.path.exists(path):
                refused.append(f"{name}: it is a link to nothing.")
            elif not path.resolve().is_relative_to(root):
                refused.append(f"{name}: it is a link that leads out of the folder.")
            elif os.path.isfile(path):  # of a folder inside, the files come by themselves
                yield path
        elif os.path.isdir(path):
            try:
                with os.scandir(path) as entries:
                    names = [entry.name for entry in islice(entries, None if most is None else most - looked + 1)]
            except OSError as error:
                refused.append(f"{readable(path.name)}: the folder cannot be read: {error.strerror}.")
                continue
            looked += len(names)
            if most is not None and looked > most:
                refused.append(f"The folder has more than {most:,} files; the others are not looked at.")
                names, most = names[:-1], looked - 1
            left += [path / one for one in sorted(names, reverse=True) if not _unseen((one,))]
        elif os.path.isfile(path):
            yield path
        else:
            refused.append(f"{name}: it is no regular file, or one that cannot be looked at.")


def _from_disk(path: Path, most: int) -> bytes:
    """Its bytes; one more than `most` where it has more."""
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except OSError as error:
        raise ImageError(f"It cannot be read: {error.strerror}.") from error


def _file(name: str, read: Callable[[], bytes]) -> File:
    folder = PurePosixPath(name.replace("\\", "/")).parent.name
    return File(readable(name), read, "" if folder == ".." else readable(folder))


def _unseen(parts: tuple[str, ...]) -> bool:
    return any(part in UNSEEN or (part.startswith(".") and not part.startswith("..")) for part in parts)


def _unpacked(name: str, content: bytes, room: _Room) -> tuple[list[File], list[str]]:
    """The members of an archive, each unpacked when it is read; all that can be judged unread is judged here, and what
    they take is taken from the room."""
    name, entries = readable(name), content.count(ENTRY)
    if len(content) > MAX_ARCHIVE:
        return [], [f"{name}: The archive has more than {MAX_ARCHIVE / 2**20:.0f} MB, the most that can be read."]
    if entries > room.entries:  # before zipfile makes an object of each
        return [], [f"{name}: The archive has too many files; at most {room.most:,} can be read."]
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        members = archive.infolist()
    except BROKEN:
        return [], [f"{name}: The archive is damaged and cannot be read."]
    members = _seen(members)
    reasons = [_reason(one) for one in members]
    size = sum(one.file_size for one, reason in zip(members, reasons, strict=True) if not reason)
    if not members:
        return [], [f"{name}: there is no file in the archive."]
    if size > room.bytes:
        return [], [f"{name}: unpacked it would have more than {room.bytes / 1e6:.0f} MB."]
    room.entries -= entries
    room.bytes -= size
    return _listed(name, archive, members)


def archived(path: Path) -> tuple[list[File], list[str]]:
    """The files in a ZIP archive of one's own, however many there are, in the order of their names, each read from the
    disk when it is needed; and a sentence about each that is refused. ValueError where it is no archive."""
    try:
        archive = zipfile.ZipFile(path)
        members = sorted(_seen(archive.infolist()), key=lambda one: PurePosixPath(one.filename))
        return _listed(readable(path.name), archive, members)
    except BROKEN as error:
        raise ValueError(f"{path} is no ZIP archive that can be read: {error}") from error


def below(path: Path) -> list[File]:
    """The files of a folder of one's own and below it, however many there are and wherever links lead, in the order of
    their names; hidden ones are passed over."""
    names = (one.relative_to(path) for one in sorted(path.rglob("*")) if not one.is_dir())
    return [
        _file(str(name), lambda name=name: _from_disk(path / name, MAX_BYTES))
        for name in names
        if not _unseen(name.parts)
    ]


def _seen(members: list[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    """Those that are files, and not what systems leave in archives."""
    files = [one for one in members if not one.filename.endswith("/")]
    return [one for one in files if not _unseen(PurePosixPath(one.filename).parts)]


def _listed(name: str, archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> tuple[list[File], list[str]]:
    """The members that nothing speaks against, and a sentence about each other."""
    found, refused = [], []
    for member in members:
        reason = _reason(member)
        if reason:
            refused.append(f"{readable(member.filename) or name}: {reason}")
        else:
            found.append(_file(member.filename, lambda member=member: _member(archive, member)))
    return found, refused


def _reason(member: zipfile.ZipInfo) -> str | None:
    """Why a member is not unpacked; None where nothing speaks against it."""
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if not member.filename:
        return "it has no name."
    if path.is_absolute() or ".." in path.parts or ":" in member.filename:
        return "its path leads out of the archive."
    if stat.S_ISLNK(member.external_attr >> 16):
        return "it is a link, not a file."
    if member.flag_bits & 1:
        return "it is encrypted."
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "it is packed in a way that is not read here; pack it as usual."
    if member.file_size > MAX_BYTES:
        return f"it has {member.file_size / 1e6:.0f} MB; at most {MAX_BYTES / 1e6:.0f} MB can be read."
    if member.file_size > SMALL and member.file_size > MAX_RATIO * max(1, member.compress_size):
        return f"it is packed more than {MAX_RATIO} times smaller than it is, as no picture is."
    return None


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """A member's bytes; never more than it said it has, whatever it unpacks to."""
    try:
        with archive.open(member) as file:
            return file.read(member.file_size)
    except BROKEN:
        raise ImageError("It is damaged in the archive and cannot be unpacked.") from None
