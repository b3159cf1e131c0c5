"""Files of pictures: uploads, folders, ZIP archives; and a sentence about each that is left out."""

import io
import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vae.pictures.read import MAX_BYTES
from vae.pictures.steps import ImageError

MAX_FILES, MAX_TOTAL = 500, 200_000_000  # pictures of one request, and their bytes unpacked
MAX_RATIO, SMALL = 200, 1_000_000  # unpacked / packed of a file, where it is larger than SMALL bytes
MAX_NAME = 200  # letters of a file's name that are kept
ENTRY = b"PK\x01\x02"  # what each entry of a ZIP's directory begins with
# What zipfile raises on archives that are damaged or meant to do harm.
BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError)
BROKEN += (RuntimeError, MemoryError, OverflowError, LookupError)
UNSEEN = ("__MACOSX", "Thumbs.db", "desktop.ini")  # what systems leave in folders, beside hidden files


@dataclass(frozen=True)
class File:
    """A file's name and how its bytes are read, once they are needed; `read` raises ImageError."""

    name: str
    read: Callable[[], bytes]


def readable(name: str) -> str:
    """A name as it may be shown: what is not printable as Python would write it (a tab as \\t), and at most MAX_NAME
    letters, the last ones where it is longer."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in name)[-MAX_NAME:]


def uploads(files: Iterable[tuple[str, bytes]], most: int = MAX_FILES) -> tuple[list[File], list[str]]:
    """The files of an upload, ZIP archives unpacked one level deep, and a sentence about each that is refused."""
    found, refused = [], []
    for name, content in files:
        if content[:2] == b"PK" and zipfile.is_zipfile(io.BytesIO(content)):
            inside, complaints = _unpacked(name, content)
            found += inside
            refused += complaints
        else:
            found.append(File(readable(name), lambda content=content: content))
    return _few(found, refused, most)


def on_disk(path: Path) -> tuple[list[File], list[str]]:
    """The files of a folder and below it, in the order of their names, or those in one ZIP archive; and a sentence
    about each that is left out: links are not followed out of the folder. Hidden files are passed over in silence.
    """
    if path.is_file():
        content = _from_disk(path, MAX_TOTAL)
        if content[:2] != b"PK":
            raise ValueError(f"{path} is neither a folder nor a ZIP archive")
        return _unpacked(path.name, content)
    if not path.is_dir():
        raise ValueError(f"there is no folder {path}")
    root, found, refused = path.resolve(), [], []
    for one in sorted(path.rglob("*")):
        name = one.relative_to(path)
        if one.is_dir() or _unseen(name.parts):
            continue
        if not one.exists():
            refused.append(f"{readable(str(name))}: it is a link to nothing.")
        elif not one.resolve().is_relative_to(root):
            refused.append(f"{readable(str(name))}: it is a link that leads out of the folder.")
        elif not one.is_file():
            refused.append(f"{readable(str(name))}: it is no regular file.")
        else:
            found.append(File(readable(str(name)), lambda one=one: _from_disk(one, MAX_BYTES)))
    return found, refused


def _from_disk(path: Path, most: int) -> bytes:
    """Its bytes; one more than `most` where it has more."""
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except OSError as error:
        raise ImageError(f"It cannot be read: {error.strerror}.") from error


def _few(found: list[File], refused: list[str], most: int) -> tuple[list[File], list[str]]:
    if len(found) > MAX_FILES:
        refused = [*refused, f"Only the first {MAX_FILES} of {len(found)} pictures are taken."]
    return found[:MAX_FILES], refused


def _unseen(parts: tuple[str, ...]) -> bool:
    return any(part in UNSEEN or (part.startswith(".") and not part.startswith("..")) for part in parts)


def _unpacked(name: str, content: bytes) -> tuple[list[File], list[str]]:
    """The members of an archive, each unpacked when it is read; all that can be judged unread is judged here."""
    name = readable(name)
    if content.count(ENTRY) > 2 * MAX_FILES:  # before zipfile makes an object of each
        return [], [f"{name}: the archive has too many files; at most {MAX_FILES} can be read."]
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        members = archive.infolist()
    except BROKEN:
        return [], [f"{name}: the archive is damaged and cannot be read."]
    members = _seen(members)
    if sum(one.file_size for one in members) > MAX_TOTAL:
        return [], [f"{name}: unpacked it would have more than {MAX_TOTAL / 1e6:.0f} MB."]
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
        File(readable(str(name)), lambda name=name: _from_disk(path / name, MAX_BYTES))
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
            found.append(File(readable(member.filename), lambda member=member: _member(archive, member)))
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
