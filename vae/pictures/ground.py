"""What on a grey picture is ink, and what is the ground that it lies on."""

import numpy as np
from jaxtyping import Float, Int
from PIL import Image
from scipy import ndimage

from vae.pictures.steps import ImageError, luminance, smaller

BUSY = "Nothing stands out on this picture: cut it to one thing before a plain background."
TINY = "What is on this picture is too small: cut the picture close to it."
FEW = 20  # specks; more are noise
GAP = 0.15  # of the largest piece's extent: pieces that are no farther apart belong to one thing
THING = 0.12  # of the largest thing's ink: less is no thing of its own
TOUCHING = np.ones((3, 3))  # pixels are neighbours over corners too
Grey = Float[np.ndarray, "h w"]


def grey(values: Float[np.ndarray, "h w *c"]) -> tuple[Grey, str]:
    """Luminance, or the colour channel that shows far more than it (magenta on green); and which of them it is."""
    if values.ndim == 2:
        return values, "nothing"
    planes = {"luminance": luminance(values)}
    planes |= {name: np.ascontiguousarray(values[..., i]) for i, name in enumerate(("red", "green", "blue"))}
    spans = {name: np.ptp(coarsened(plane, 64)) for name, plane in planes.items()}
    best = max(spans, key=spans.get)
    by = best if spans[best] > 3 * spans["luminance"] else "luminance"
    return planes[by], by


def coarsened(values: Grey, side: int) -> Float[np.ndarray, "rows columns"]:
    """The picture with at most so many pixels on its long side."""
    return np.asarray(smaller(Image.fromarray(values), side)) if max(values.shape) > side else values


def is_clean(ink: Grey) -> bool:
    """Whether nearly all pixels are at either end, as in a bold drawing cropped tight, where a border says nothing."""
    low, high = np.mean(ink < ink.min() + 0.1 * np.ptp(ink)), np.mean(ink > ink.max() - 0.1 * np.ptp(ink))
    return bool(min(low, high) > 0.1 and low + high > 0.9)


def is_light(ink: Grey) -> bool:
    """Whether the ground is light: by the border if that is clear, else by which side stands out in few pixels."""
    coarse = coarsened(ink, 256)
    low, high = (np.percentile(_border(ink), (25, 75)) - coarse.min()) / max(np.ptp(coarse), 1e-6)
    if low > 0.6:
        return True
    if high < 0.4:
        return False
    if is_clean(ink):
        corners = ink[[0, 0, -1, -1], [0, -1, 0, -1]]
        return bool(np.median(corners) > (ink.min() + ink.max()) / 2)
    coarse = coarsened(ink, 64)
    around = ndimage.median_filter(coarse, max(3, round(0.3 * max(coarse.shape))))
    return bool(np.mean((coarse - around) ** 3) < 0)


def unevenness(ink: Grey) -> np.float64:
    """How much the border varies, from its 10th to its 90th percentile."""
    return np.ptp(np.percentile(_border(ink), (10, 90)))


def flat(ink: Grey) -> Grey:
    """Light ink without its ground, which is the opening (what is wider than any stroke) on a coarse grid."""
    ink = ndimage.gaussian_filter(ink, max(ink.shape) / 800)  # the grain of a photo
    coarse = coarsened(ink, 128)
    size = max(3, round(0.4 * max(coarse.shape)))
    pad = [(min(size, n - 1),) * 2 for n in coarse.shape]
    # Odd reflection goes on with a slope, which an opening would level at the edges.
    wide = ndimage.grey_opening(np.pad(coarse, pad, mode="reflect", reflect_type="odd"), size)
    wide = ndimage.gaussian_filter(wide, 1)
    wide = wide[pad[0][0] : wide.shape[0] - pad[0][0], pad[1][0] : wide.shape[1] - pad[1][0]]
    wide = np.asarray(Image.fromarray(wide).resize(ink.shape[::-1], Image.Resampling.BICUBIC))
    # Light falling on paper multiplies: with g = 1 - ink this is 1 - g / ground.
    return np.minimum((ink - wide) / np.maximum(1 - wide, 0.05), 1)


def ramp(ink: Grey) -> Grey:
    """For lines: the ground (as the border is, and its noise) exactly 0, ink near 1, a ramp between. ImageError where
    nothing is above the ground."""
    border = np.atleast_1d(ink.min()) if is_clean(ink) else _border(ink)
    paper = np.median(border)
    floor = paper + max(4 * 1.48 * np.median(np.abs(border - paper)), 0.03)
    above = ink[ink > floor]
    if not above.size:
        raise ImageError(BUSY)
    high = np.median(above[above >= (floor + np.percentile(above, 99)) / 2])
    low = min(floor, (paper + high) / 2)
    return np.clip((ink - low) / (high - low), 0, 1).astype(np.float32)


def span(ink: Grey) -> Grey:
    """For surfaces: the ground (the border's median) 0, the lightest parts 1. ImageError where they are as dark."""
    low, high = np.median(_border(ink)), np.percentile(ink, 99.5)
    if high - low < 0.03:
        raise ImageError(BUSY)
    return np.clip((ink - low - 0.02) / (high - low - 0.02), 0, 1).astype(np.float32)


def without_specks(ink: Grey) -> Grey:
    """Only the pieces that matter: none tiny beside the largest, none at the edge if a large one is inside. ImageError
    where all are tiny."""
    labels, n = ndimage.label(ink > 0.1 * ink.max(), TOUCHING)
    mass = ndimage.sum_labels(ink, labels, np.arange(n + 1))
    extent = np.array([0, *_extents(labels)])
    if extent.max() < 0.03 * max(ink.shape):
        raise ImageError(TINY if n <= FEW else BUSY)
    inside = np.where((extent > 0.08 * max(ink.shape)) & (mass > 0.02 * mass.max()), mass, 0)
    at_edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    inside[at_edge] = 0
    if inside.any():
        mass[at_edge] = 0
    keep = mass >= 0.04 * mass.max()
    keep[0] = False
    return ink * keep[labels]


def things(ink: Grey) -> int:
    """How many things there are: pieces with much of the ink, where a small gap does not part one thing in two."""
    labels, _ = ndimage.label(ink > 0.3 * ink.max(), TOUCHING)
    near = ndimage.distance_transform_edt(labels == 0) <= GAP / 2 * max(_extents(labels))
    groups, n = ndimage.label(near, TOUCHING)
    mass = ndimage.sum_labels(ink, groups, np.arange(1, n + 1))
    return int((mass > THING * mass.max()).sum())


def cut_out(ink: Grey) -> Float[np.ndarray, "rows columns"]:
    """The ink without the paper around it. ImageError where there is no ink."""
    rows, columns = (np.nonzero(ink.max(axis) > 0.1 * ink.max())[0] for axis in (1, 0))
    if not rows.size:
        raise ImageError(BUSY)
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _border(values: Grey) -> Float[np.ndarray, " n"]:
    """The pixels at the four edges."""
    n = max(1, round(0.04 * min(values.shape)))
    return np.concatenate([values[:n].ravel(), values[-n:].ravel(), values[:, :n].ravel(), values[:, -n:].ravel()])


def _extents(labels: Int[np.ndarray, "h w"]) -> list[int]:
    """The longer side of each labelled piece, in pixels."""
    return [max(side.stop - side.start for side in piece) for piece in ndimage.find_objects(labels)]
