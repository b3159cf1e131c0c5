"""Data sets: what there is, where it comes from, and its pictures and labels as tensors."""

from vae.data.bits import BINARISATION_SEED, as_read, binarise, fixed_binarisation, grey, test_inputs
from vae.data.catalogue import BANKS, DATASETS, SETS
from vae.data.download import fetch
from vae.data.idx import DataError
from vae.data.sets import Collection, Dataset, Gallery, Set, Split
from vae.data.splits import cache_folder, groups, hold_out, load, load_bank, test_set

__all__ = [
    "BANKS",
    "BINARISATION_SEED",
    "DATASETS",
    "SETS",
    "Collection",
    "DataError",
    "Dataset",
    "Gallery",
    "Set",
    "Split",
    "as_read",
    "binarise",
    "cache_folder",
    "fetch",
    "fixed_binarisation",
    "grey",
    "groups",
    "hold_out",
    "load",
    "load_bank",
    "test_inputs",
    "test_set",
]
