"""Pictures of one's own as a data set: what was brought and understood, prepared and held out, kept in one file."""

from vae.data.own.brought import Brought, brought, together
from vae.data.own.kept import FILE, NAME, load, open_in, opened, packed, save
from vae.data.own.made import LEAST, TooFew, entitled, made, own_set, read_on
from vae.data.own.pairs import is_idx, unpacked
from vae.data.own.sources import found_in, sampled
from vae.data.own.suggested import SHAPES, Shape, suggested
from vae.data.own.taken import taken

__all__ = [
    "FILE",
    "LEAST",
    "NAME",
    "SHAPES",
    "Brought",
    "Shape",
    "TooFew",
    "brought",
    "entitled",
    "found_in",
    "is_idx",
    "load",
    "made",
    "open_in",
    "opened",
    "own_set",
    "packed",
    "read_on",
    "sampled",
    "save",
    "suggested",
    "taken",
    "together",
    "unpacked",
]
