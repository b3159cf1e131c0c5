"""Directions of z by the names of what they change in a picture: slant, stroke, width, brightness."""

from vae.latent.named.classes import Classes, block_of, seen
from vae.latent.named.directions import Named, explained, independent, slopes
from vae.latent.named.factors import FACTORS, Factor
from vae.latent.named.kept import Kept, deviation
from vae.latent.named.moves import moves
from vae.latent.named.reading import Measured, Reading, measured

__all__ = [
    "FACTORS",
    "Classes",
    "Factor",
    "Kept",
    "Measured",
    "Named",
    "Reading",
    "block_of",
    "deviation",
    "explained",
    "independent",
    "measured",
    "moves",
    "seen",
    "slopes",
]
