"""Directions of z by the names of what they change in a picture: slant, stroke, width, brightness."""

from vae.latent.named.classes import Classes, block_of, seen
from vae.latent.named.directions import Named, explained, independent, slopes
from vae.latent.named.factors import FACTORS, Factor

__all__ = ["FACTORS", "Classes", "Factor", "Named", "block_of", "explained", "independent", "seen", "slopes"]
