"""Data sets: what there is, where it comes from, and its pictures and labels as tensors."""

from vae.data.bits import BINARISATION_SEED, as_read, binarise, fixed_binarisation, grey, test_inputs
from vae.data.catalogue import BANKS, DATASETS, ELSEWHERE, PHOTOS, SETS, dataset_of, set_of
from vae.data.download import fetch
from vae.data.idx import DataError
from vae.data.sets import OWN, SHOWN, Collection, Dataset, Gallery, Own, Set, Split
from vae.data.splits import cache_folder, groups, hold_out, load, load_bank, test_set, tested

__all__ = [
    "BANKS",
    "BINARISATION_SEED",
    "DATASETS",
    "ELSEWHERE",
    "OWN",
    "PHOTOS",
    "SETS",
    "SHOWN",
    "Collection",
    "DataError",
    "Dataset",
    "Gallery",
    "Own",
    "Set",
    "Split",
    "as_read",
    "binarise",
    "cache_folder",
    "dataset_of",
    "fetch",
    "fixed_binarisation",
    "grey",
    "groups",
    "hold_out",
    "load",
    "load_bank",
    "set_of",
    "test_inputs",
    "test_set",
    "tested",
]
