"""Any uploaded bytes -> a checked, upright, prepared picture, and the record of every step on the way."""

import io
import math
import re
import struct
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Float, Shaped
from PIL import Image
from scipy import ndimage
from torch import Tensor

from vae.spec import InputSpec

# Megapixels that may be decoded, so that reading stays near 300 MB: JPEG shrinks while it decodes, WebP holds 4 copies.
MEGAPIXELS = {"JPEG": 64, "MPO": 64, "PNG": 36, "WEBP": 16, "GIF": 36, "BMP": 36, "DIB": 36, "TIFF": 36}
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
MAX_BYTES = 25_000_000
MAX_ASPECT = 100  # long side / short side
MAX_SCANNED = 600e6  # pixels x scans of a JPEG: a few bytes make a scan, and each scan passes over every pixel
MAX_BUFFERED = 30e6  # pixels of a JPEG that is not read in one pass: up to 8 bytes for each of them
MAX_PIECE = 144e6  # bytes of a TIFF's strip or tile, which is held beside the picture
MAX_READS = 300_000  # times that a reader may ask for bytes: it spends Python on each piece of a file
MAX_EXIF, MAX_VALUE = 1_000_000, 250_000  # bytes of EXIF data and of a TIFF's value, which may become Python numbers
MARKER = re.compile(rb"\xff([^\x00\x01\xff\xd0-\xd8])")  # of a JPEG: what a length follows, and its end
WORK_SIDE, SHOWN_SIDE = 1024, 512  # pixels on the long side, while working and in a step's picture
SWITCHES = {
    "digit": ("invert", "background", "contrast", "specks", "crop", "stroke", "centre"),
    "garment": ("invert", "contrast", "crop"),
    "crop": ("invert", "crop"),
}
TURNS = (None, "FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90")
# What Pillow's readers raise on files that are damaged or meant to do harm.
BROKEN = (ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, LookupError, MemoryError, OSError)
BROKEN += (RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zlib.error)
BOX = 20 / 28  # MNIST: the ink fits 20 x 20 of 28 x 28 pixels
STROKE = (1.9, 3.6)  # pixels of 28: the middle of MNIST's stroke widths; thinner and thicker ones are brought there
KEPT = "Not needed: it is as the model knows it"
PIECES = "The file is in too many pieces to be read; save the picture anew."
EMPTY = "There is nothing on this picture: draw or photograph one thing that stands out from its background."


class ImageError(ValueError):
    """A picture that cannot be read or prepared; the message is one sentence for the user."""


@dataclass(frozen=True)
class Step:
    """What was done and the uint8 picture (h, w) or (h, w, 3) after it, at most 512 pixels on the long side."""

    name: str
    text: str
    applied: bool
    switchable: bool
    image: Shaped[np.ndarray, "..."]


@dataclass(frozen=True)
class Prepared:
    """The picture a model reads, float32 in [0, 1] in steps of 1/255, and the steps that led to it."""

    picture: Float[Tensor, "1 c h w"]
    steps: tuple[Step, ...]


def prepare(data: bytes, spec: InputSpec, switches: Mapping[str, bool] = MappingProxyType({})) -> Prepared:
    """The picture (1, c, h, w) in the bytes of a PNG, JPEG, WebP, GIF, BMP or TIFF file, as `spec` wants it.

    `switches` overrides automatic decisions by step name. Raises ImageError for a picture that cannot be used and
    ValueError for a switch that does not exist.
    """
    trail = _Trail(spec, switches)
    return _finish(_composite(_decode(data, trail), trail), trail)


def prepare_array(
    array: Shaped[np.ndarray, "..."], spec: InputSpec, switches: Mapping[str, bool] = MappingProxyType({})
) -> Prepared:
    """The same from a decoded uint8 picture (h, w), (h, w, 3) or (h, w, 4), as a drawing pad has it."""
    if array.dtype != np.uint8 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise ValueError(f"array must be uint8 (h, w), (h, w, 3) or (h, w, 4), not {array.dtype} {array.shape}")
    trail = _Trail(spec, switches)
    _check_size(array.shape[1], array.shape[0], "BMP")
    return _finish(_composite(_shrink(Image.fromarray(array)), trail), trail)


@dataclass
class _Trail:
    """The steps so far, and who decides: the user's switch or the automatic choice."""

    spec: InputSpec
    switches: Mapping[str, bool]
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self):
        allowed = SWITCHES[self.spec.preparation]
        for name in self.switches:
            if name not in allowed:
                raise ValueError(f"switches of {self.spec.preparation!r} are {', '.join(allowed)}, not {name!r}")

    def decide(self, name: str, automatic: bool) -> bool:
        return bool(self.switches.get(name, automatic))

    def add(self, name: str, done: str, image: np.ndarray, applied: bool = True, otherwise: str = "") -> None:
        """Record a step: the text is `done`, or `otherwise` where it was not needed, or that it is switched off."""
        if not applied:
            done = otherwise if self.switches.get(name, True) else "Switched off"
        shown = image if image.dtype == np.uint8 else _to_uint8(image)
        if max(shown.shape[:2]) > SHOWN_SIDE:
            scale = SHOWN_SIDE / max(shown.shape[:2])
            size = tuple(max(1, round(n * scale)) for n in shown.shape[1::-1])
            shown = np.asarray(Image.fromarray(shown).resize(size, Image.Resampling.BOX))
        switchable = name in SWITCHES[self.spec.preparation]
        self.steps.append(Step(name, done, applied, switchable, shown.copy()))


# ---- bytes -> an upright uint8 picture, (h, w) or (h, w, 3), at most WORK_SIDE pixels on the long side ----


class _Source(io.BytesIO):
    """The bytes of a file, for readers that would take minutes for millions of small pieces or large values."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > MAX_READS:
            raise ImageError(PIECES)
        if (size or 0) > MAX_VALUE and self.getbuffer()[:2] in (b"II", b"MM"):
            raise OSError("a value that no picture needs")  # Pillow then leaves out the rest of the directory
        return super().read(size)


def _decode(data: bytes, trail: _Trail) -> Image.Image:
    if not data:
        raise ImageError("The file is empty.")
    if len(data) > MAX_BYTES:
        raise ImageError(f"The file has {len(data) / 1e6:.0f} MB; at most {MAX_BYTES / 1e6:.0f} MB can be read.")
    # For good, not in a `catch_warnings` block: threads that leave such blocks out of order restore wrong filters.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        if data.count(b"Exif\0\0") * 65_536 > MAX_EXIF:  # Pillow copies them all for each one more
            raise ImageError(PIECES)
        with Image.open(_Source(data), formats=FORMATS) as image:
            return _read(image, data, trail)
    except ImageError:
        raise
    except Image.UnidentifiedImageError:
        raise ImageError("This is not a PNG, JPEG, WebP, GIF, BMP or TIFF picture.") from None
    except Image.DecompressionBombError:
        raise ImageError("The picture has too many pixels; make it smaller first.") from None
    except BROKEN:
        raise ImageError("The picture is damaged and cannot be read.") from None


def _read(image: Image.Image, data: bytes, trail: _Trail) -> Image.Image:
    kind, (width, height) = image.format, image.size
    _check_size(width, height, kind)
    if kind in ("JPEG", "MPO"):
        scans = _scans(data)
        in_one_pass = scans == [image.layers] and "progressive" not in image.info
        if len(scans) * width * height > MAX_SCANNED or (width * height > MAX_BUFFERED and not in_one_pass):
            raise ImageError("This JPEG takes too much to read; save it smaller, or as a PNG.")
        scale = max(1.0, max(width, height) / WORK_SIDE)
        image.draft(None, (math.ceil(width / scale), math.ceil(height / scale)))
    several = kind in ("GIF", "WEBP", "PNG", "TIFF") and image.is_animated
    if kind == "TIFF":
        if _piece(image) > MAX_PIECE:
            raise ImageError("The pieces of this TIFF are too large; save the picture as a PNG.")
        image.is_animated = True  # else loading would unpack every value of its EXIF data
    if kind == "PNG":
        image.load()  # EXIF data may follow the pixels
    orientation = _orientation(image)
    image.load()
    picture = _shrink(image)
    name = "JPEG" if kind == "MPO" else kind
    text = f"Read a {name} of {width} x {height} pixels" + (", the first picture of several" if several else "")
    trail.add("read", text, np.asarray(picture.convert("RGB")))
    if orientation != 1 and kind != "TIFF":  # Pillow has turned a TIFF by now
        picture = picture.transpose(Image.Transpose[TURNS[orientation - 1]])
    text = f"Turned upright (EXIF orientation {orientation})"
    trail.add("orientation", text, np.asarray(picture.convert("RGB")), orientation != 1, "It is upright")
    return picture


def _scans(data: bytes) -> list[int]:
    """How many colours each scan of a JPEG has; a film or another picture that follows its end does not count."""
    scans, at = [], 2
    for _ in range(MAX_READS):
        marker = MARKER.search(data, at)
        if marker is None or marker[1] == b"\xd9":
            return scans
        end = marker.end()
        if marker[1] == b"\xda":
            scans.append(data[end + 2] if end + 2 < len(data) else 0)
        at = end + max(2, int.from_bytes(data[end : end + 2]))
    raise ImageError(PIECES)


def _piece(tiff: Image.Image) -> int:
    """The bytes of a strip or tile."""
    tag = tiff.tag_v2
    width, height = tag.get(322, tiff.width), tag.get(323, min(tag.get(278, tiff.height), tiff.height))
    return width * height * tag.get(277, 1) * max(tag.get(258, (1,))) // 8


def _check_size(width: int, height: int, kind: str) -> None:
    if width < 1 or height < 1:
        raise ImageError("The picture has no pixels.")
    if width * height > 1e6 * MEGAPIXELS[kind]:
        raise ImageError(f"The picture has {width} x {height} pixels, more than {MEGAPIXELS[kind]} million.")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(f"The picture is too narrow: {width} x {height} pixels.")


def _orientation(image: Image.Image) -> int:
    if max(len(image.info.get(name) or "") for name in ("exif", "Raw profile type exif")) > MAX_EXIF:
        return 1
    try:
        orientation = image.getexif().get(0x0112, 1)
    except BROKEN:
        return 1
    return int(orientation) if orientation in range(1, 9) else 1


def _shrink(image: Image.Image) -> Image.Image:
    """The picture as uint8 L, RGB or RGBA, at most WORK_SIDE pixels on the long side."""
    if image.mode.startswith(("I", "F")):
        mode = image.mode[0]  # Pillow cannot shrink 16-bit modes
    elif image.has_transparency_data:
        mode = "RGBA"
    else:
        mode = "L" if image.mode in ("1", "L") else "RGB"
    factor = max(1, max(image.size) // WORK_SIDE)
    bands = []  # a copy of the whole picture in another mode would take too much memory
    for top in range(0, image.height, 64 * factor):
        band = image.crop((0, top, image.width, min(top + 64 * factor, image.height)))
        bands.append(np.asarray(band.convert(mode).reduce(factor)))
    small = Image.fromarray(np.concatenate(bands))
    small = _fit(small, WORK_SIDE) if max(small.size) > WORK_SIDE else small
    return Image.fromarray(_eight_bits(np.asarray(small))) if mode in "IF" else small


def _fit(image: Image.Image, side: int) -> Image.Image:
    scale = side / max(image.size)
    size = tuple(max(1, round(n * scale)) for n in image.size)
    return image.resize(size, Image.Resampling.BOX)


def _eight_bits(values: np.ndarray) -> np.ndarray:
    """uint8 from integers, whose range is the next power of two, or from floats, from minimum to maximum."""
    whole = values.dtype.kind in "iu"
    with np.errstate(invalid="ignore"):  # signalling NaNs
        values = values.astype(np.float64)
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    if whole and low >= 0:
        low, high = 0.0, 2.0 ** max(8, int(high).bit_length()) - 1
    values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    return _to_uint8((values - low) / max(high - low, np.finfo(np.float64).tiny))


def _to_uint8(values: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def _composite(picture: Image.Image, trail: _Trail) -> np.ndarray:
    """uint8 (h, w) or (h, w, 3): transparency filled with black or white, whichever keeps the drawing visible."""
    rgba = np.asarray(picture)
    if picture.mode != "RGBA":
        trail.add("transparency", "", rgba, False, "Nothing is transparent")
        return rgba
    colour, alpha = rgba[..., :3].astype(np.float32), rgba[..., 3:] / np.float32(255)
    level = _luminance(colour)[alpha[..., 0] > 0.5 * alpha.max()] / 255  # empty where all is transparent
    fill = 0.0
    if level.size:
        # A card with a drawing on it and a clear rim: fill the rim like the card, not like the ink's opposite.
        card = level.size > 0.5 * alpha.size and level.std() > 0.1
        fill = 255.0 * ((np.median(level) > 0.5) if card else (level.mean() < 0.5))
    filled = np.rint(colour * alpha + fill * (1 - alpha)).astype(np.uint8)
    clear = bool((rgba[..., 3] < 255).any())
    text = f"Filled what is transparent with {'white' if fill else 'black'}"
    trail.add("transparency", text, filled, clear, "Nothing is transparent")
    return filled


def _luminance(colour: np.ndarray) -> np.ndarray:
    return colour @ np.array([0.299, 0.587, 0.114], np.float32) if colour.ndim == 3 else colour


# ---- an upright picture -> what the model reads ----


def _finish(array: np.ndarray, trail: _Trail) -> Prepared:
    spec = trail.spec
    final = _crop_centre(array, trail) if spec.preparation == "crop" else _isolate(array, trail)
    final = _to_uint8(final)
    if spec.channels == 3 and final.ndim == 2:
        final = np.repeat(final[..., None], 3, axis=2)
    planes = final[None] if final.ndim == 2 else final.transpose(2, 0, 1)
    picture = torch.from_numpy(planes.astype(np.float32) / np.float32(255))[None]
    return Prepared(picture, tuple(trail.steps))


def _crop_centre(array: np.ndarray, trail: _Trail) -> np.ndarray:
    spec, values = trail.spec, array / np.float32(255)
    if spec.channels == 1 and values.ndim == 3:
        values = _luminance(values)
        trail.add("grey", "Turned to grey", values)
    invert = trail.decide("invert", False)
    values = 1 - values if invert else values
    trail.add("invert", "Swapped light and dark", values, invert, "Light and dark are kept")
    height, width = values.shape[:2]
    scale = min(height / spec.height, width / spec.width)
    h, w = max(1, round(spec.height * scale)), max(1, round(spec.width * scale))
    crop = trail.decide("crop", True) and (h, w) != (height, width)
    if crop:
        top, left = (height - h) // 2, (width - w) // 2
        values = values[top : top + h, left : left + w]
    trail.add("crop", f"Cut out the middle, {w} x {h} pixels", values, crop, "The shape is right already")
    whole = not trail.decide("crop", True)  # then it is fitted in, with black beside it
    h, w = _fitting(values.shape[:2], (spec.height, spec.width)) if whole else (spec.height, spec.width)
    values = _place(_resize(values, h, w), spec, (spec.height - h) // 2, (spec.width - w) // 2)
    trail.add("size", f"Resized to {w} x {h}", values)
    return values


def _isolate(array: np.ndarray, trail: _Trail) -> np.ndarray:
    """(h, w) in [0, 1]: one light thing on black, cropped, fitted and centred."""
    spec, digit = trail.spec, trail.spec.preparation == "digit"
    ink, by = _grey(array / np.float32(255))
    trail.add("grey", f"Turned to grey by {by}", ink, array.ndim == 3, "It is grey")
    if np.ptp(ink) < 0.03:
        raise ImageError(EMPTY)

    # A picture of the model's own size with clean black or white around: from a data set, or made for it.
    black, white = np.mean(ink < 0.01), np.mean(ink > 0.99)
    ready = bool(ink.shape == (spec.height, spec.width) and max(black, white) > 0.05)
    light = bool(white > black) if ready else _is_light(ink)
    invert = trail.decide("invert", light)
    ink = 1 - ink if invert else ink
    trail.add("invert", "Swapped light and dark: the ink becomes light", ink, invert, "The ink is light already")
    if digit:
        uneven = not ready and not _is_clean(ink) and np.ptp(np.percentile(_border(ink), (10, 90))) > 0.06
        background = trail.decide("background", bool(uneven))
        ink = _flatten(ink) if background else ink
        trail.add("background", "Evened out the light", ink, background, KEPT if ready else "The light is even")
    contrast = trail.decide("contrast", not ready)
    if contrast and invert == light:
        ink = _ink_ramp(ink) if digit else _span(ink)
    elif contrast:  # the user wants the background as ink
        ink = (ink - ink.min()) / np.ptp(ink)
    ink = np.clip(ink, 0, 1)
    trail.add("contrast", "Stretched the contrast: background black, ink white", ink, contrast, KEPT)
    if digit:
        before = ink
        ink = _without_specks(ink) if trail.decide("specks", not ready) else ink
        removed = bool(((before > 0.1) & (ink == 0)).any())
        trail.add("specks", "Removed specks", ink, removed, KEPT if ready else "There are none")
    crop = trail.decide("crop", not ready)
    ink = _content(ink) if crop else ink
    trail.add("crop", "Cut out the content", ink, crop, KEPT)
    share = BOX if digit and crop else 1.0
    box = max(1, round(spec.height * share)), max(1, round(spec.width * share))
    if digit:
        ink = _stroke(ink, box, trail, crop, ready)
    h, w = _fitting(ink.shape, box)
    if (h, w) != ink.shape:
        ink = _resize(ink, h, w)
        trail.add("size", f"Resized to {w} x {h}", ink)
    centre = trail.decide("centre", not ready)
    top, left = (spec.height - h) // 2, (spec.width - w) // 2
    if digit and centre and ink.any():
        rows, columns = ndimage.center_of_mass(ink)  # MNIST's is at index 14.0 of 28
        top = min(max(round(spec.height / 2 - rows), 0), spec.height - h)
        left = min(max(round(spec.width / 2 - columns), 0), spec.width - w)
    ink = _place(ink, spec, top, left)
    trail.add("centre", "Centred by mass" if digit else "Centred", ink, centre, KEPT)
    return ink


def _grey(values: np.ndarray) -> tuple[np.ndarray, str]:
    """Luminance, or the colour channel that shows far more than it (magenta on green)."""
    if values.ndim == 2:
        return values, "nothing"
    planes = {"luminance": _luminance(values)}
    planes |= {name: np.ascontiguousarray(values[..., i]) for i, name in enumerate(("red", "green", "blue"))}
    spans = {name: np.ptp(_coarse(plane, 64)) for name, plane in planes.items()}
    best = max(spans, key=spans.get)
    by = best if spans[best] > 3 * spans["luminance"] else "luminance"
    return planes[by], by


def _fitting(shape: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    scale = min(box[0] / shape[0], box[1] / shape[1])
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def _resize(values: np.ndarray, height: int, width: int) -> np.ndarray:
    if values.shape[:2] == (height, width):
        return values
    planes = [np.ascontiguousarray(plane) for plane in np.atleast_3d(values).transpose(2, 0, 1)]
    planes = [np.asarray(Image.fromarray(p).resize((width, height), Image.Resampling.LANCZOS)) for p in planes]
    return np.clip(planes[0] if values.ndim == 2 else np.stack(planes, axis=-1), 0, 1)


def _place(values: np.ndarray, spec: InputSpec, top: int, left: int) -> np.ndarray:
    page = np.zeros((spec.height, spec.width, *values.shape[2:]), np.float32)
    page[top : top + values.shape[0], left : left + values.shape[1]] = values
    return page


def _border(values: np.ndarray) -> np.ndarray:
    n = max(1, round(0.04 * min(values.shape)))
    return np.concatenate([values[:n].ravel(), values[-n:].ravel(), values[:, :n].ravel(), values[:, -n:].ravel()])


def _is_clean(ink: np.ndarray) -> bool:
    """Whether nearly all pixels are at either end, as in a bold drawing cropped tight, where a border says nothing."""
    low, high = np.mean(ink < ink.min() + 0.1 * np.ptp(ink)), np.mean(ink > ink.max() - 0.1 * np.ptp(ink))
    return bool(min(low, high) > 0.1 and low + high > 0.9)


def _is_light(ink: np.ndarray) -> bool:
    """Whether the background is light: by the border if that is clear, else by which side stands out in few pixels."""
    coarse = _coarse(ink, 256)
    low, high = (np.percentile(_border(ink), (25, 75)) - coarse.min()) / max(np.ptp(coarse), 1e-6)
    if low > 0.6 or high < 0.4:
        return bool(low > 0.6)
    if _is_clean(ink):
        return bool(np.median(ink[[0, 0, -1, -1], [0, -1, 0, -1]]) > (ink.min() + ink.max()) / 2)
    coarse = _coarse(ink, 64)
    return bool(np.mean((coarse - ndimage.median_filter(coarse, max(3, round(0.3 * max(coarse.shape))))) ** 3) < 0)


def _coarse(values: np.ndarray, side: int) -> np.ndarray:
    return np.asarray(_fit(Image.fromarray(values), side)) if max(values.shape) > side else values


def _flatten(ink: np.ndarray) -> np.ndarray:
    """Light ink without its background, which is the opening (what is wider than any stroke) on a coarse grid."""
    ink = ndimage.gaussian_filter(ink, max(ink.shape) / 800)  # the grain of a photo
    coarse = _coarse(ink, 128)
    size = max(3, round(0.4 * max(coarse.shape)))
    pad = [(min(size, n - 1),) * 2 for n in coarse.shape]
    # Odd reflection goes on with a slope, which an opening would level at the edges.
    wide = ndimage.grey_opening(np.pad(coarse, pad, mode="reflect", reflect_type="odd"), size)
    wide = ndimage.gaussian_filter(wide, 1)
    wide = wide[pad[0][0] : wide.shape[0] - pad[0][0], pad[1][0] : wide.shape[1] - pad[1][0]]
    wide = np.asarray(Image.fromarray(wide).resize(ink.shape[::-1], Image.Resampling.BICUBIC))
    # Light falling on paper multiplies: with g = 1 - ink this is 1 - g / background.
    return np.minimum((ink - wide) / np.maximum(1 - wide, 0.05), 1)


def _ink_ramp(ink: np.ndarray) -> np.ndarray:
    """Background (as the border is, and its noise) exactly 0, ink near 1, a ramp between."""
    border = np.atleast_1d(ink.min()) if _is_clean(ink) else _border(ink)
    paper = np.median(border)
    floor = paper + max(4 * 1.48 * np.median(np.abs(border - paper)), 0.03)
    above = ink[ink > floor]
    if not above.size:
        raise ImageError(EMPTY)
    high = np.median(above[above >= (floor + np.percentile(above, 99)) / 2])
    low = min(floor, (paper + high) / 2)
    return np.clip((ink - low) / (high - low), 0, 1).astype(np.float32)


def _span(ink: np.ndarray) -> np.ndarray:
    """Background (the border's median) 0, the lightest parts 1."""
    low, high = np.median(_border(ink)), np.percentile(ink, 99.5)
    if high - low < 0.03:
        raise ImageError(EMPTY)
    return np.clip((ink - low - 0.02) / (high - low - 0.02), 0, 1).astype(np.float32)


def _without_specks(ink: np.ndarray) -> np.ndarray:
    """Only the pieces that matter: none tiny beside the largest, none at the edge if a large one is inside."""
    labels, n = ndimage.label(ink > 0.1 * ink.max(), np.ones((3, 3)))
    mass = ndimage.sum_labels(ink, labels, np.arange(n + 1))
    extent = np.array([0] + [max(s.stop - s.start for s in piece) for piece in ndimage.find_objects(labels)])
    if extent.max() < 0.03 * max(ink.shape):
        raise ImageError(EMPTY)
    inside = np.where((extent > 0.08 * max(ink.shape)) & (mass > 0.02 * mass.max()), mass, 0)
    at_edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    inside[at_edge] = 0
    if inside.any():
        mass[at_edge] = 0
    keep = mass >= 0.04 * mass.max()
    keep[0] = False
    return ink * keep[labels]


def _content(ink: np.ndarray) -> np.ndarray:
    rows, columns = (np.nonzero(ink.max(axis) > 0.1 * ink.max())[0] for axis in (1, 0))
    if not rows.size:
        raise ImageError(EMPTY)
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _stroke(ink: np.ndarray, box: tuple[int, int], trail: _Trail, crop: bool, ready: bool) -> np.ndarray:
    """Strokes that would be far thinner or thicker than MNIST's at the model's size get its usual width."""
    fine = max(2, 160 // max(box))
    drawn = _resize(ink, *_fitting(ink.shape, (fine * box[0], fine * box[1])))
    unit = fine * max(box) / (20 if crop else 28)  # one pixel of MNIST's
    mask = np.pad(drawn > 0.5 * drawn.max(), math.ceil(STROKE[0] * unit) if crop else 0)
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    ridge = depth[mask & (depth == ndimage.maximum_filter(depth, 3))]
    width = (2 * np.median(ridge) - 1) / unit if ridge.size else STROKE[0]
    wanted = min(max(width, STROKE[0]), STROKE[1])
    apply = trail.decide("stroke", not ready) and bool(abs(width - wanted) > 0.1)
    if apply:
        outside = ndimage.distance_transform_edt(~mask)
        drawn = np.clip(depth - outside + (wanted - width) / 2 * unit + 0.5, 0, 1).astype(np.float32)
        ink = _content(drawn) if crop else drawn
    text = f"Made the strokes {'thicker' if wanted > width else 'thinner'}: {width:.1f} to {wanted:.1f} pixels of 28"
    trail.add("stroke", text, ink, apply, KEPT if ready else "The strokes are about as wide as usual")
    return ink
