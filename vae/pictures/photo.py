"""A photo as it is: upright, in colour, and of any shape."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from vae.pictures.steps import Preparation, Trail, resize


@dataclass(frozen=True)
class Photo(Preparation):
    """The whole picture, its sides cut to multiples of `step` pixels; a picture that is smaller is enlarged to one."""

    step: int

    @property
    def switches(self) -> tuple[str, ...]:
        """None: there is nothing to overrule."""
        return ()

    def __call__(
        self, picture: UInt8[np.ndarray, "h w *c"], shape: tuple[int, int | None, int | None], trail: Trail
    ) -> Float[np.ndarray, "height width *channels"]:
        """See `Preparation`; refuses no picture."""
        values = picture / np.float32(255)
        height, width = (max(self.step, side) for side in values.shape[:2])
        values = resize(values, height, width)
        rows, columns = (side // self.step * self.step for side in (height, width))
        top, left = (height - rows) // 2, (width - columns) // 2
        values = values[top : top + rows, left : left + columns]
        right = values.shape[:2] == picture.shape[:2]
        done = f"Cut to {columns} x {rows} pixels, so that squares of {self.step} fit"
        trail.add("size", done, values, not right, f"{columns} x {rows} pixels")
        return values
