"""Pictures of one size out of a bank: those that are trained on, those that are held out, those that may be shown."""

import io

import numpy as np
import torch
from jaxtyping import Int64
from PIL import Image

from vae.data.bank import Bank
from vae.data.idx import DataError
from vae.data.sets import Gallery, Split

SHOWN, ROW = "neutral_prompt", "row"  # columns: what may be shown, and shipped; which of all pictures it is
SEED = 1998


def parts(gallery: Gallery, bank: Bank) -> dict[str, Int64[np.ndarray, " rows"]]:
    """The rows of a bank of all pictures, or of most: "test" may be shown; "held out" are so many of all by chance, and
    those of "train" are in neither. Where some are missing, the column ROW says which there are.

    DataError where the bank does not say which may be shown.
    """
    if SHOWN not in bank.about:
        raise DataError(f"{gallery.title} need a column {SHOWN!r} that says which of them may be shown.")
    places = bank.about.get(ROW, np.arange(len(bank)))
    if ROW not in bank.about and len(bank) != gallery.pictures:
        raise DataError(f"{gallery.title} are {gallery.pictures:,} pictures, not {len(bank):,}.")
    order = torch.randperm(gallery.pictures, generator=torch.Generator().manual_seed(SEED)).numpy()
    away, shown = np.isin(places, order[: gallery.held_out]), bank.about[SHOWN].astype(bool)
    return {
        part: np.flatnonzero(rows) for part, rows in (("train", ~away & ~shown), ("held out", away), ("test", shown))
    }


def pictures(gallery: Gallery, bank: Bank, rows: Int64[np.ndarray, " n"]) -> Split:
    """Some pictures of a bank at the gallery's size; each pixel is the mean of those of the file that it covers."""
    _, height, width = gallery.spec.shape
    images = np.zeros((len(rows), *gallery.spec.shape), np.uint8)
    for place, row in enumerate(rows.tolist()):
        with Image.open(io.BytesIO(bank.content(row))) as image:
            small = image.convert("RGB").resize((width, height), Image.Resampling.BOX)
        images[place] = np.asarray(small).transpose(2, 0, 1)
    return Split(torch.from_numpy(images), torch.zeros(len(rows), dtype=torch.int64))
