"""The latent space: paths through it, what is said of places and groups."""

from vae.latent.aggregate import aggregate_log_density
from vae.latent.directions import Attribute, attribute
from vae.latent.paths import Judged, around, bilinear, embed, follow, judge, lerp, slerp

__all__ = [
    "Attribute",
    "Judged",
    "aggregate_log_density",
    "around",
    "attribute",
    "bilinear",
    "embed",
    "follow",
    "judge",
    "lerp",
    "slerp",
]
