"""How much of a picture is left of it once it is only light ink on black: what is lost there, no model ever sees."""

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
