"""How much of a picture is left of it once it is only light ink on black: what is lost there, no model ever sees."""

import numpy as np
from jaxtyping import UInt8
from scipy import ndimage

from vae.pictures.ground import Grey, coarsened

SIDE = 160  # pixels on the long side: finer than that is grain


def correlation(original: Grey, ink: Grey) -> float:
    """How well the ink tells how light each pixel was, from 0 to 1: the size of their correlation."""
    a, b = (coarsened(grey, SIDE) for grey in (original, ink))
    spread = float(a.std() * b.std())
    return abs(float(((a - a.mean()) * (b - b.mean())).mean())) / spread if spread > 0 else 0.0


def edges(original: Grey, ink: Grey) -> float:
    """The share of the original's edges, as squared gradients, that lie where the ink has its own."""
    there, here = (ndimage.gaussian_gradient_magnitude(coarsened(grey, SIDE), 1.0) ** 2 for grey in (original, ink))
    near = ndimage.binary_dilation(here > 0.02 * here.max(), iterations=2)
    total = float(there.sum())
    return float(there[near].sum()) / total if total > 0 else 0.0


def colours(picture: UInt8[np.ndarray, "h w *c"], original: Grey) -> float:
    """The share of the colours' variance that the grey tells, as a line through each channel; 1 for a grey picture."""
    if picture.ndim == 2:
        return 1.0
    grey = coarsened(original, SIDE)
    planes = [coarsened(np.ascontiguousarray(picture[..., i], np.float32), SIDE) for i in range(picture.shape[2])]
    total = sum(float(plane.var()) for plane in planes)
    if total == 0 or grey.var() == 0:
        return 1.0
    together = [float(((plane - plane.mean()) * (grey - grey.mean())).mean()) for plane in planes]
    return min(1.0, sum(one**2 for one in together) / float(grey.var()) / total)


def ground(original: Grey, ink: Grey) -> float:
    """How plain the ground is: 1 where nothing varies there but the light, as a slope; 0 where it varies as much as the
    whole picture does."""
    whole, here = coarsened(original, SIDE), coarsened(ink, SIDE)
    bare = here < 0.1 * here.max()
    if not bare.any():
        return 1.0
    rows, columns = np.nonzero(bare)
    slope = np.stack([rows, columns, np.ones(len(rows))], 1).astype(np.float64)
    levels = whole[bare].astype(np.float64)
    left = levels - slope @ np.linalg.lstsq(slope, levels, rcond=None)[0]
    return max(0.0, 1 - float(left.std()) / float(whole.std()))
