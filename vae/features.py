"""Pictures of one's own -> what a model keeps of each: mu, sigma and KL, as a table.

    python -m vae.features mnist photos/ --out features.csv

Files may come from strangers: none is written to disk, all are checked before they are unpacked or decoded, and a bad
one costs one sentence instead of the others.
"""

import argparse
import csv
import io
import lzma
import stat
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from vae import checkpoint, data, images
from vae.distributions import kl_per_dimension
from vae.models import VAE, Model

MAX_FILES, MAX_TOTAL = 500, 200_000_000  # pictures of one request, and their bytes unpacked
MAX_RATIO, SMALL = 200, 1_000_000  # unpacked / packed of a file, where it is larger than SMALL bytes
MAX_NAME = 200  # letters of a file's name that are kept
ROWS = 64  # pictures that are encoded together
ENTRY = b"PK\x01\x02"  # what each entry of a ZIP's directory begins with
# What zipfile raises on archives that are damaged or meant to do harm.
BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError)
BROKEN += (RuntimeError, MemoryError, OverflowError, LookupError)
UNSEEN = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")  # what systems leave in folders


@dataclass(frozen=True)
class File:
    """A file's name and how its bytes are read, once they are needed; `read` raises ImageError."""

    name: str
    read: Callable[[], bytes]


@dataclass(frozen=True, eq=False)
class Table:
    """One row for each picture: q(z|x) = N(mu, diag(sigma^2)), and KL(q(z|x) || p(z)) in nats."""

    names: list[str]
    mu: Float[Tensor, "n d"]
    sigma: Float[Tensor, "n d"]
    kl: Float[Tensor, " n"]


# ---- files ----


def readable(name: str) -> str:
    """A name as it may be shown: its printable letters, at most MAX_NAME of them, the last ones where it is longer."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)[-MAX_NAME:]


def uploads(files: Iterable[tuple[str, bytes]]) -> tuple[list[File], list[str]]:
    """The files of an upload, ZIP archives unpacked one level deep, and a sentence about each that is refused."""
    found, refused = [], []
    for name, content in files:
        if content[:2] == b"PK" and zipfile.is_zipfile(io.BytesIO(content)):
            inside, complaints = _unpacked(name, content)
            found += inside
            refused += complaints
        else:
            found.append(File(readable(name), lambda content=content: content))
    return _few(found, refused)


def folder(path: Path) -> list[File]:
    """The files in a folder and below it, in the order of their names; links are not followed out of it."""
    if not path.is_dir():
        raise ValueError(f"there is no folder {path}")
    root = path.resolve()
    paths = [one for one in sorted(path.rglob("*")) if one.is_file() and not _unseen(one.relative_to(path).parts)]
    inside = [one for one in paths if one.resolve().is_relative_to(root)]
    return [File(readable(str(one.relative_to(path))), lambda one=one: _from_disk(one)) for one in inside]


def _from_disk(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(images.MAX_BYTES + 1)
    except OSError as error:
        raise images.ImageError(f"It cannot be read: {error.strerror}.") from error


def _few(found: list[File], refused: list[str]) -> tuple[list[File], list[str]]:
    if len(found) > MAX_FILES:
        refused = [*refused, f"Only the first {MAX_FILES} of {len(found)} pictures are taken."]
    return found[:MAX_FILES], refused


def _unseen(parts: tuple[str, ...]) -> bool:
    return any(part in UNSEEN or part.startswith("._") for part in parts)


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
    members = [one for one in members if not one.is_dir() and not _unseen(PurePosixPath(one.filename).parts)]
    if sum(one.file_size for one in members) > MAX_TOTAL:
        return [], [f"{name}: unpacked it would have more than {MAX_TOTAL / 1e6:.0f} MB."]
    found, refused = [], []
    for member in members:
        reason = _reason(member)
        if reason:
            refused.append(f"{readable(member.filename)}: {reason}")
        else:
            found.append(File(readable(member.filename), lambda member=member: _member(archive, member)))
    return found, refused


def _reason(member: zipfile.ZipInfo) -> str | None:
    """Why a member is not unpacked; None where nothing speaks against it."""
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in member.filename:
        return "its path leads out of the archive."
    if stat.S_ISLNK(member.external_attr >> 16):
        return "it is a link, not a file."
    if member.flag_bits & 1:
        return "it is encrypted."
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "it is packed in a way that is not read here; pack it as usual."
    if member.file_size > images.MAX_BYTES:
        return f"it has {member.file_size / 1e6:.0f} MB; at most {images.MAX_BYTES / 1e6:.0f} MB can be read."
    if member.file_size > SMALL and member.file_size > MAX_RATIO * max(1, member.compress_size):
        return f"it is packed more than {MAX_RATIO} times smaller than it is, as no picture is."
    return None


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """A member's bytes; never more than it said it has, whatever it unpacks to."""
    try:
        with archive.open(member) as file:
            return file.read(member.file_size)
    except BROKEN:
        raise images.ImageError("It is damaged in the archive and cannot be unpacked.") from None


# ---- features ----


def extract(
    model: Model,
    files: Iterable[File],
    encode: Callable[[VAE, Tensor], tuple[Tensor, Tensor, Tensor]] | None = None,
) -> tuple[Table, list[str]]:
    """What the model keeps of each picture that can be read, and a sentence about each that cannot.

    `encode` runs `encoded` elsewhere, as on the engine's thread. A model of bits reads a picture as the app does:
    binarised once, with the noise of the test set's seed. ValueError for a model without q(z|x) and p(z) of one layer.
    """
    if not isinstance(model, VAE):
        raise ValueError(f"features need a model with q(z|x) and p(z) of one layer, not a {model.config.family}")
    encode = encode or encoded
    rows, names, refused = [], [], []
    batch: list[Tensor] = []
    for file in files:
        try:
            batch.append(data.as_read(images.prepare(file.read(), model.input_spec).picture, model.input_spec))
            names.append(file.name)
        except images.ImageError as error:
            refused.append(f"{file.name}: {error}")
        if len(batch) == ROWS:
            rows.append(encode(model, torch.cat(batch)))
            batch = []
    if batch:
        rows.append(encode(model, torch.cat(batch)))
    empty = torch.zeros(0, model.latents)
    mu, sigma, kl = (torch.cat(parts) for parts in zip(*rows, strict=True)) if rows else (empty, empty, empty[:, 0])
    return Table(names, mu, sigma, kl), refused


@torch.inference_mode()
def encoded(model: VAE, x: Float[Tensor, "b c h w"]) -> tuple[Tensor, Tensor, Tensor]:
    """(mu, sigma, KL) of each picture, on the CPU."""
    q = model.encode(x.to(next(model.parameters()).device))
    return q.mean.cpu(), q.stddev.cpu(), kl_per_dimension(q, model.prior).sum(1).cpu()


# ---- tables ----


def as_csv(table: Table) -> bytes:
    """One line a picture: file, kl_nats, mu_0 ..., sigma_0 ...; numbers that read back as the same float32.

    A name that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    latents, out = range(table.mu.shape[1]), io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["file", "kl_nats", *(f"mu_{d}" for d in latents), *(f"sigma_{d}" for d in latents)])
    values = torch.cat([table.kl[:, None], table.mu, table.sigma], 1).numpy()
    for name, row in zip(table.names, values, strict=True):
        writer.writerow([f"'{name}" if name[:1] in "=+-@" else name, *(f"{value:.9g}" for value in row)])
    return out.getvalue().encode("utf-8", "replace")


def as_npz(table: Table) -> bytes:
    """Arrays names (n,), mu (n, d), sigma (n, d) and kl_nats (n,); read without pickle."""
    out = io.BytesIO()
    arrays = {"mu": table.mu.numpy(), "sigma": table.sigma.numpy(), "kl_nats": table.kl.numpy()}
    np.savez_compressed(out, names=np.array(table.names, dtype=np.str_), **arrays)
    return out.getvalue()


FORMATS = {".csv": as_csv, ".npz": as_npz}


def main(arguments: list[str] | None = None) -> int:
    """The command line; gives the exit status: 1 where no picture could be read."""
    parser = argparse.ArgumentParser(
        prog="python -m vae.features",
        description="Writes what a model keeps of each picture in a folder and below it: the mean mu and standard "
        "deviation sigma of q(z|x), and KL(q(z|x) || p(z)) in nats. Pictures are prepared as the app prepares uploads; "
        "those that cannot be read are named, and the others are written all the same.",
        epilog="example: python -m vae.features mnist photos/ --out features.csv",
    )
    parser.add_argument(
        "model", metavar="MODEL", help=f"{', '.join(checkpoint.list_pretrained())}, or a file model.safetensors"
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="the pictures: PNG, JPEG, WebP, GIF, BMP or TIFF")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, default=Path("features.csv"), help=".csv or .npz (default: features.csv)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: auto)")
    options = parser.parse_args(arguments)
    try:
        if options.out.suffix not in FORMATS:
            raise ValueError(f"--out must end in {' or '.join(FORMATS)}, not {options.out.name!r}")
        from_file = options.model.endswith(".safetensors")
        model = (checkpoint.load if from_file else checkpoint.load_pretrained)(options.model, options.device)
        files = folder(options.folder)
        table, refused = extract(model, tqdm(files, disable=None))
        options.out.write_bytes(FORMATS[options.out.suffix](table))
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    for sentence in refused:
        print(sentence, file=sys.stderr)
    print(f"{len(table.names)} of {len(files)} pictures are in {options.out}")
    return 0 if table.names else 1


if __name__ == "__main__":
    sys.exit(main())
