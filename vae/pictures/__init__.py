"""Pictures: files of any kind -> what a model reads, step by step; and decoded pictures -> files to take away."""

from vae.pictures.face.eyes import Eyes
from vae.pictures.part import WHOLE, Part
from vae.pictures.prepare import PREPARATIONS, prepare, prepare_array, upright
from vae.pictures.read import FORMATS, MAX_BYTES, megapixels
from vae.pictures.steps import Content, ImageError, Prepared, Step

__all__ = [
    "FORMATS",
    "MAX_BYTES",
    "PREPARATIONS",
    "WHOLE",
    "Content",
    "Eyes",
    "ImageError",
    "Part",
    "Prepared",
    "Step",
    "megapixels",
    "prepare",
    "prepare_array",
    "upright",
]
