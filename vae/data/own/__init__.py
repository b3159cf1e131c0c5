"""Pictures of one's own as a data set: what was brought and understood, prepared and held out, kept in one file."""

from vae.data.own.brought import Brought, brought, together
from vae.data.own.kept import FILE, load, opened, packed, save
from vae.data.own.made import LEAST, TooFew, made, own_set
from vae.data.own.pairs import is_idx, unpacked
from vae.data.own.suggested import SHAPES, Shape, suggested
from vae.data.own.taken import taken

__all__ = [
    "FILE",
    "LEAST",
    "SHAPES",
    "Brought",
    "Shape",
    "TooFew",
    "brought",
    "is_idx",
    "load",
    "made",
    "opened",
    "own_set",
    "packed",
    "save",
    "suggested",
    "taken",
    "together",
    "unpacked",
]
