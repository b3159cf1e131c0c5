"""Pictures of one's own -> what a model keeps of each: mu, sigma and KL, or an autoencoder's z, as a table, and whether
it knows them.

    python -m vae.features mnist photos/ --out features.csv
    python -m vae.features mnist photos.zip --out features.csv

Files may come from strangers: none is written to disk, all are checked before they are unpacked or decoded, and a bad
one costs one sentence instead of the others.
"""

import argparse
import csv
import io
import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from vae import data
from vae.data import own
from vae.distributions import kl_per_dimension
from vae.inference.familiar import Judges, Level, Verdict, judged
from vae.latent.encodings import Company
from vae.models import Model, checkpoint, pretrained
from vae.models.spaces import Layers, Vector
from vae.pictures import Content, ImageError, megapixels, prepare
from vae.pictures.files import File, on_disk

MAX_MEGAPIXELS = 1500  # of one request, as `megapixels` counts them: some 10 s of a core
ROWS = 64  # pictures that are encoded together
UNJUDGED = "not judged"
Judging = Callable[[Tensor, list[Content | None]], list[Verdict]]  # of pictures (n, c, h, w), and what was seen


@dataclass(frozen=True, eq=False)
class Table:
    """One row for each picture: q(z|x) = N(mu, diag(sigma^2)), and KL(q(z|x) || p(z)) in nats. A plain autoencoder has
    neither width nor prior: mu is all that it says, its z.

    `doubt` is why a picture is probably nothing that the model knows: "" where it knows it, or UNJUDGED.
    """

    names: list[str]
    doubt: list[str]
    mu: Float[Tensor, "n d"]
    sigma: Float[Tensor, "n d"] | None = None
    kl: Float[Tensor, " n"] | None = None

    @property
    def columns(self) -> dict[str, Tensor]:
        """The numbers by the names under which they are written."""
        if self.kl is None or self.sigma is None:
            return {"z": self.mu}
        return {"kl_nats": self.kl, "mu": self.mu, "sigma": self.sigma}


def extract(
    model: Model,
    files: Iterable[File],
    encode: Callable[[Model, Tensor], tuple[Tensor, ...]] | None = None,
    most: int | float = math.inf,
    judge: Judging | None = None,
) -> tuple[Table, list[str]]:
    """What the model keeps of each picture that can be read, and a sentence about each that cannot.

    `encode` runs `encoded` elsewhere, as on the engine's thread; `judge` says whether the model knows them. A model of
    bits reads a picture as the app does: binarised once, with the noise of the test set's seed. At most `most`
    megapixels are decoded, as `megapixels` counts them. ValueError for a model that reads a picture only with its
    class, or puts it at no single place z.
    """
    if model.config.classes:
        raise ValueError("features need a model that reads a picture alone, and this one reads it only with its class")
    if not isinstance(model.config.space, Vector):
        what = "several layers" if isinstance(model.config.space, Layers) else "a whole map"
        raise ValueError(f"features need a model that puts a picture at one place z, and this one has {what} of them")
    encode = encode or encoded
    rows, names, doubt, refused, spent = [], [], [], [], 0.0
    batch: list[Tensor] = []
    seen: list[Content | None] = []

    def finish() -> None:
        x = torch.cat(batch)
        rows.append(encode(model, x))
        doubt.extend([UNJUDGED] * len(x) if judge is None else map(_doubt, judge(x, list(seen))))
        batch.clear()
        seen.clear()

    for file in files:
        try:
            content = file.read()
            spent += megapixels(content)
            if spent > most:
                raise ImageError(f"The pictures before it had {most:.0f} megapixels, the most at once.")
            prepared = prepare(content, model.input_spec)
            batch.append(data.as_read(prepared.picture, model.input_spec))
            seen.append(prepared.content)
            names.append(file.name)
        except ImageError as error:
            refused.append(f"{file.name}: {error}")
        if len(batch) == ROWS:
            finish()
    if batch:
        finish()
    if not rows:
        none = torch.zeros(0, model.latents)
        rows.append((none,) if model.prior is None else (none, none, none[:, 0]))
    return Table(names, doubt, *(torch.cat(parts) for parts in zip(*rows, strict=True))), refused


def _doubt(verdict: Verdict) -> str:
    return verdict.why if verdict.level == Level.STRANGE else ""


def judge_of(name: str, model: Model) -> Judging | None:
    """The judge of a model that ships; None where it has none."""
    file = pretrained.folder_of(name) / pretrained.JUDGE
    if not file.is_file():
        return None
    with own.open_in(file.parent):
        pictures = data.test_set(pretrained.load_card(name)["data"]["name"]).images
    company = Company(*pretrained.load_encodings(name), pictures)
    return partial(judged, model, company, Judges.load(file))


@torch.inference_mode()
def encoded(model: Model, x: Float[Tensor, "b c h w"]) -> tuple[Tensor, ...]:
    """(mu, sigma, KL) of each picture, or (mu,) where z has no distribution, on the CPU."""
    q = model.encode(x)
    if model.prior is None:
        return (q.mean.cpu(),)
    return q.mean.cpu(), q.stddev.cpu(), kl_per_dimension(q, model.prior).sum(1).cpu()


# ---- tables ----


def as_csv(table: Table) -> bytes:
    """One line a picture: file, kl_nats, mu_0 ..., sigma_0 ..., doubt, or file, z_0 ..., doubt; numbers that read back
    as the same float32.

    A name that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    head = []
    for name, column in table.columns.items():
        head += [name] if column.ndim == 1 else [f"{name}_{d}" for d in range(column.shape[1])]
    writer.writerow(["file", *head, "doubt"])
    columns = [column[:, None] if column.ndim == 1 else column for column in table.columns.values()]
    values = torch.cat(columns, 1).numpy()
    for name, row, doubt in zip(table.names, values, table.doubt, strict=True):
        writer.writerow([f"'{name}" if name[:1] in "=+-@" else name, *(f"{value:.9g}" for value in row), doubt])
    return out.getvalue().encode("utf-8", "replace")


def as_npz(table: Table) -> bytes:
    """Arrays names (n,), mu (n, d), sigma (n, d), kl_nats (n,) and doubt (n,), or names, z and doubt; read without
    pickle."""
    out = io.BytesIO()
    arrays = {name: column.numpy() for name, column in table.columns.items()}
    texts = {"names": np.array(table.names, dtype=np.str_), "doubt": np.array(table.doubt, dtype=np.str_)}
    np.savez_compressed(out, **texts, **arrays)
    return out.getvalue()


FORMATS = {".csv": as_csv, ".npz": as_npz}


def main(arguments: list[str] | None = None) -> int:
    """The command line; gives the exit status: 1 where no picture could be read."""
    known = [*pretrained.list_pretrained(), *pretrained.list_own()]
    parser = argparse.ArgumentParser(
        prog="python -m vae.features",
        description="Writes what a model keeps of each picture in a folder and below it: the mean mu and standard "
        "deviation sigma of q(z|x), KL(q(z|x) || p(z)) in nats, or of a plain autoencoder its z, and why it is "
        "probably nothing that the model knows: doubt, empty where nothing says so. Pictures are prepared as the app "
        "prepares uploads; those that cannot be read are named, and the others are written all the same.",
        epilog="example: python -m vae.features mnist photos/ --out features.csv",
    )
    parser.add_argument("model", metavar="MODEL", help=f"{', '.join(known)}, or a file model.safetensors")
    parser.add_argument(
        "folder", metavar="FOLDER", type=Path, help="the pictures: PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF; or a ZIP"
    )
    parser.add_argument(
        "--out", metavar="FILE", type=Path, default=Path("features.csv"), help=".csv or .npz (default: features.csv)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: auto)")
    options = parser.parse_args(arguments)
    try:
        if options.out.suffix not in FORMATS:
            raise ValueError(f"--out must end in {' or '.join(FORMATS)}, not {options.out.name!r}")
        from_file = options.model.endswith(".safetensors")
        model = (checkpoint.load if from_file else pretrained.load_pretrained)(options.model, options.device)
        files, left_out = on_disk(options.folder)
        judge = None if from_file else judge_of(options.model, model)
        table, refused = extract(model, tqdm(files, disable=None), judge=judge)
        refused = left_out + refused
        options.out.write_bytes(FORMATS[options.out.suffix](table))
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    for sentence in refused:
        print(sentence, file=sys.stderr)
    doubts = sum(doubt not in ("", UNJUDGED) for doubt in table.doubt)
    said = f"; {doubts} of them are probably nothing that the model knows" if doubts else ""
    print(f"{len(table.names)} of {len(files) + len(left_out)} pictures are in {options.out}{said}")
    return 0 if table.names else 1


if __name__ == "__main__":
    sys.exit(main())
