"""How answers lie in their bytes: a layout names every field, for Python, which writes, and the browser, which reads.

The browser gets the layouts once, as a module (`vae.app.components.served`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

REST = "rest"  # of a count: as many as there are


@dataclass(frozen=True)
class Field:
    """Values of one name. `kind` is "f4", "u1" or "u2", little-endian, or the layout of a row.

    `count` is a number, or how many of them: "latents" or "pixels" of the model, or REST. A field with a count of 1 is
    one value, not a list of one.
    """

    name: str
    kind: str | tuple
    count: int | str = 1


Layout = tuple  # of fields, in their order


def numbers(*names: str) -> Layout:
    """One float32 each."""
    return tuple(Field(name, "f4") for name in names)


ENCODED = (Field("mu", "f4", "latents"), Field("sigma", "f4", "latents"))
PLACE = (
    *numbers("log_prior", "further_out", "drift", "log_likelihood", "log_posterior", "distance"),
    Field("round_trip_kl", "f4", "latents"),
    Field("mean", "u1", "pixels"),
)
PICTURES = (Field("means", "u1", REST),)
DRAWING = (
    *numbers("reconstruction", "reconstruction_error"),
    *ENCODED,
    Field("kl_per_dimension", "f4", "latents"),
    *(Field(name, "u1", "pixels") for name in ("prepared", "levels", "mean")),
)
EXAMPLE = (Field("mu", "f4", "latents"),)
NEAR = (Field("log_density", "f4"), Field("distances", "f4", 8), Field("indices", "f4", 8))
ANCESTRY = (
    *numbers("log_prior", "log_likelihood", "log_posterior", "within"),
    *ENCODED,
    Field("mean", "u1", "pixels"),
    Field("x", "u1", "pixels"),
)
DECODING = (Field("outputs", "f4", REST),)
SIDES = (
    Field("mu", "f4", 2),
    Field("sigma", "f4", 2),
    *numbers("reconstruction", "reconstruction_error", "kl", "expected_prior", "entropy"),
    *numbers("likelihood_at_mu", "prior_at_mu", "log_evidence", "evidence_error", "gap", "gap_error"),
)
SQUARE = numbers("left", "bottom", "width", "rows", "columns")
POSTERIOR = (
    *numbers("built"),
    *SIDES,
    *numbers("best"),
    Field("levels", "f4", 3),
    Field("squares", SQUARE, 3),
    Field("depths", "u2", REST),
)
PHOTO = (*numbers("psnr", "rate"), Field("mean", "u1", REST))
ORIGINAL = (Field("levels", "u1", REST),)
REFINED = (*numbers("bound", "first", "last"), Field("steps", (*ENCODED, *numbers("elbo", "error")), REST))


def first(found: tuple) -> dict[str, object]:
    """The fields of the first row of what was asked over rows, a named tuple."""
    return {name: values[0] for name, values in found._asdict().items()}


def written(layout: Layout, values: Mapping[str, object]) -> bytes:
    """The values in the order of the layout; what the layout does not name is left out, and so is a field with None."""
    return b"".join(_field(field, values[field.name]) for field in layout if values[field.name] is not None)


def _field(field: Field, value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(field.kind, tuple):
        return b"".join(written(field.kind, row) for row in value)
    return in_bytes(value) if field.kind == "u1" else np.asarray(value, f"<{field.kind}").tobytes()


def in_bytes(pictures: Tensor, most: int = 255) -> bytes:
    """Pictures in [0, 1] as `most` + 1 levels."""
    return np.rint(np.clip(pictures.numpy(), 0, 1) * np.float32(most)).astype(np.uint8).tobytes()


def as_lists(layout: Layout) -> list:
    """The layout as the browser reads it."""
    return [
        [field.name, as_lists(field.kind) if isinstance(field.kind, tuple) else field.kind, field.count]
        for field in layout
    ]
