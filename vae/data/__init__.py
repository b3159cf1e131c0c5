"""Data sets: what there is, where it comes from, and its pictures and labels as tensors."""

from vae.data.bits import BINARISATION_SEED, as_read, binarise, fixed_binarisation, grey
from vae.data.catalogue import DATASETS
from vae.data.download import fetch
from vae.data.idx import DataError
from vae.data.sets import Dataset, Split
from vae.data.splits import cache_folder, hold_out, load, test_set

__all__ = [
    "BINARISATION_SEED",
    "DATASETS",
    "DataError",
    "Dataset",
    "Split",
    "as_read",
    "binarise",
    "cache_folder",
    "fetch",
    "fixed_binarisation",
    "grey",
    "hold_out",
    "load",
    "test_set",
]
