"""Any uploaded bytes -> an upright uint8 picture, (h, w) or (h, w, 3), at most WORK_SIDE pixels on the long side."""

import ctypes
import io
import math
import re
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image, TiffImagePlugin

from vae.pictures.steps import WORK_SIDE, ImageError, Trail, luminance, smaller, to_uint8

# Megapixels that may be decoded, so that reading stays near 300 MB: JPEG shrinks while it decodes, WebP holds 4 copies.
MEGAPIXELS = {"JPEG": 64, "MPO": 64, "PNG": 36, "WEBP": 16, "AVIF": 16, "GIF": 36, "BMP": 36, "DIB": 36, "TIFF": 36}
JPEGS = ("JPEG", "MPO")  # an MPO is several JPEGs
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
MAX_BYTES = 25_000_000
MAX_ASPECT = 100  # long side / short side
MAX_SCANNED = 600e6  # pixels x scans of a JPEG: a few bytes make a scan, and each scan passes over every pixel
MAX_BUFFERED = 30e6  # pixels of a JPEG that is not read in one pass: up to 8 bytes for each of them
MAX_PIECE = 144e6  # bytes of a TIFF's strip or tile, which is held beside the picture
MAX_READS = 300_000  # times that a reader may ask for bytes: it spends Python on each piece of a file
MAX_EXIF, MAX_VALUE = 1_000_000, 250_000  # bytes of EXIF data and of a TIFF's value, which may become Python numbers
MARKER = re.compile(rb"\xff([^\x00\x01\xff\xd0-\xd8])")  # of a JPEG: what a length follows, and its end
TURNS = (None, "FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90")
# What Pillow's readers raise on files that are damaged or meant to do harm.
BROKEN = (ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, LookupError, MemoryError, OSError)
BROKEN += (RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zlib.error)
PIECES = "The file is in too many pieces to be read; save the picture anew."
DAMAGED = "The picture is damaged and cannot be read."
CUT_OFF = "The file ends before the picture does; copy or send it once more."
END, FILLER = b"\xff\xd9", b"\x5a\xa5" * 2  # of a JPEG; and bytes that would show, were they read as pixels
FTYP = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}  # brands of HEIC files
# What people send that is no picture file of these formats: its first bytes, and what to do.
OTHERS = (
    (b"%PDF", "This is a PDF document; save the picture in it as a PNG or JPEG."),
    (b"<svg", "This is an SVG drawing; export it as a PNG."),
    (b"<?xml", "This is an SVG drawing or another XML file; export the picture as a PNG."),
    (b"PK\x03\x04", "This is a ZIP archive; unpack it, and bring the pictures that are in it."),
    (b"Rar!\x1a\x07", "This is a RAR archive, which cannot be read here; pack the pictures as a ZIP."),
    (b"7z\xbc\xaf\x27\x1c", "This is a 7z archive, which cannot be read here; pack the pictures as a ZIP."),
    (b"\x1f\x8b", "This is a gzipped file, which cannot be read here; pack pictures as a ZIP."),
    (b"\0\0\x08\x01", "This is an IDX file of labels; Train reads it where both files of the pair are dropped."),
    (b"\0\0\x08\x03", "This is an IDX file of pictures; Train reads it where both files of the pair are dropped."),
    (b"\0\0\0\x0cJXL ", "This is a JPEG XL picture, which cannot be read here; save it as a PNG or JPEG."),
    (b"\xff\x0a", "This is a JPEG XL picture, which cannot be read here; save it as a PNG or JPEG."),
)


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


def read(data: bytes, trail: Trail) -> UInt8[np.ndarray, "h w *c"]:
    """The picture in the bytes of a file; of an animation the first. Raises ImageError."""
    return _composite(_decoded(data, trail), trail)


def read_array(array: Shaped[np.ndarray, "..."], trail: Trail) -> UInt8[np.ndarray, "h w *c"]:
    """The same of a decoded uint8 picture (h, w), (h, w, 3) or (h, w, 4). ValueError for another one."""
    if array.dtype != np.uint8 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise ValueError(f"array must be uint8 (h, w), (h, w, 3) or (h, w, 4), not {array.dtype} {array.shape}")
    _check_size(array.shape[1], array.shape[0], "BMP")
    return _composite(shrink(Image.fromarray(array)), trail)


def _decoded(data: bytes, trail: Trail) -> Image.Image:
    if not data:
        raise ImageError("The file is empty.")
    if len(data) > MAX_BYTES:
        raise ImageError(f"The file has {len(data) / 1e6:.0f} MB; at most {MAX_BYTES / 1e6:.0f} MB can be read.")
    _hush_pillow()
    if data.count(b"Exif\0\0") * 65_536 > MAX_EXIF:  # Pillow copies them all for each one more
        raise ImageError(PIECES)
    try:
        return _opened(data, trail)
    except ImageError:
        raise
    except Image.UnidentifiedImageError:
        raise ImageError(_unidentified(data)) from None
    except Image.DecompressionBombError:
        raise ImageError("The picture has too many pixels; make it smaller first.") from None
    except BROKEN as error:
        if data[:4] == b"RIFF" and int.from_bytes(data[4:8], "little") + 8 > len(data):
            raise ImageError(CUT_OFF) from None
        if "truncated" in str(error).lower():
            return _without_its_end(data, trail)
        raise ImageError(_broken(str(error).lower())) from None


def _hush_pillow() -> None:
    """What Pillow says of a visitor's file is no warning to the server.

    For good, not in a `catch_warnings` block: threads that leave such blocks out of order restore wrong filters.
    """
    warnings.filterwarnings("ignore", module=r"PIL\.")


def _hush_libtiff() -> None:
    """What libtiff has to say of a visitor's file goes to the server's stderr, unless it is told to say nothing."""
    try:
        mapped = Path("/proc/self/maps").read_text()
    except OSError:  # no Linux: it goes on talking
        return
    for path in {line.split()[-1] for line in mapped.splitlines() if "libtiff" in line}:
        library = ctypes.CDLL(path)
        for handler in (library.TIFFSetErrorHandler, library.TIFFSetWarningHandler):
            handler.argtypes, handler.restype = [ctypes.c_void_p], ctypes.c_void_p
            handler(None)


_hush_libtiff()


def megapixels(data: bytes) -> float:
    """What a file costs to decode, in millions of pixels by its own word, of which a JPEG's count a quarter; 0 for what
    is no picture."""
    width, height, kind = _head(data)
    return width * height / (4e6 if kind in JPEGS else 1e6)


def size_of(data: bytes) -> tuple[int, int]:
    """The width and height that a file says it has, before it is turned upright; (0, 0) for what is no picture."""
    return _head(data)[:2]


def _head(data: bytes) -> tuple[int, int, str]:
    _hush_pillow()
    try:
        with Image.open(_Source(data), formats=FORMATS) as image:
            return image.width, image.height, image.format
    except (ImageError, Image.DecompressionBombError, *BROKEN):
        return 0, 0, ""


def _opened(data: bytes, trail: Trail) -> Image.Image:
    with Image.open(_Source(data), formats=FORMATS) as image:
        return _upright(image, data, trail)


def _without_its_end(data: bytes, trail: Trail) -> Image.Image:
    """A picture whose file only lacks its last bytes; where pixels are lost too, what follows decides about them."""
    ends = bytes(len(FILLER)), FILLER
    if data[:2] == b"\xff\xd8":
        data, ends = data.rstrip(b"\xff"), (END, FILLER + END)
    try:
        picture = _opened(data + ends[0], trail)
        checked = _opened(data + ends[1], Trail())
    except BROKEN:
        raise ImageError(CUT_OFF) from None
    if picture.tobytes() != checked.tobytes():
        raise ImageError(CUT_OFF)
    return picture


def _broken(error: str) -> str:
    """One sentence for what a reader says of a file."""
    if any(word in error for word in ("unsupported", "not supported", "not available", "unknown")):
        return "Its colours are stored in a way that cannot be read here; save the picture as a PNG or JPEG."
    return DAMAGED


def _unidentified(data: bytes) -> str:
    """One sentence about a file that no reader takes."""
    if data[4:8] == b"ftyp" and data[8:12] in FTYP:
        return "This is a HEIC photo, which cannot be read here; share or export it as a JPEG."
    if data[4:12] == b"ftypavif":
        return DAMAGED
    if data[:4] in (b"II*\0", b"MM\0*"):
        return _strange_tiff(data)
    start = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    return next(
        (sentence for first, sentence in OTHERS if start.startswith(first)),
        "This is not a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF picture.",
    )


def _strange_tiff(data: bytes) -> str:
    """What values a TIFF holds that no reader takes."""
    try:
        directory = TiffImagePlugin.ImageFileDirectory_v2(data[:8])
        source = _Source(data)
        source.seek(directory.next)
        directory.load(source)
        bits, kind = max(directory.get(258, (1,))), max(directory.get(339, (1,)))
    except (ImageError, *BROKEN):
        return DAMAGED
    if not {256, 257} <= set(directory):
        return DAMAGED
    what = {1: "whole numbers", 2: "signed numbers", 3: "floating-point numbers"}.get(kind, "numbers")
    return f"This TIFF holds {what} of {bits} bits, which cannot be read here; save it with 8 or 16 bits, or as a PNG."


def _upright(image: Image.Image, data: bytes, trail: Trail) -> Image.Image:
    kind = image.format
    width, height = image.size
    _check_size(width, height, kind)
    several = kind in ("GIF", "WEBP", "PNG", "TIFF") and image.is_animated
    if kind in JPEGS:
        _before_a_jpeg(image, data)
    if kind == "TIFF":
        _before_a_tiff(image)
    if kind == "PNG":
        image.load()  # EXIF data may follow the pixels
    orientation = _orientation(image)
    image.load()
    picture = shrink(image)
    name = "JPEG" if kind in JPEGS else kind
    article = "an" if name == "AVIF" else "a"
    text = f"Read {article} {name} of {width} x {height} pixels" + (", the first picture of several" if several else "")
    trail.add("read", text, np.asarray(picture.convert("RGB")))
    if orientation != 1 and kind != "TIFF":  # Pillow has turned a TIFF by now
        picture = picture.transpose(Image.Transpose[TURNS[orientation - 1]])
    text = f"Turned upright (EXIF orientation {orientation})"
    trail.add("orientation", text, np.asarray(picture.convert("RGB")), orientation != 1, "It is upright")
    return picture


def _before_a_jpeg(image: Image.Image, data: bytes) -> None:
    """Refuses one that takes minutes, and lets the others shrink while they decode."""
    scans = _scans(data)
    pixels = image.width * image.height
    in_one_pass = scans == [image.layers] and "progressive" not in image.info
    if len(scans) * pixels > MAX_SCANNED or (pixels > MAX_BUFFERED and not in_one_pass):
        raise ImageError("This JPEG takes too much to read; save it smaller, or as a PNG.")
    scale = max(1.0, max(image.size) / WORK_SIDE)
    image.draft(None, (math.ceil(image.width / scale), math.ceil(image.height / scale)))


def _before_a_tiff(image: Image.Image) -> None:
    """Refuses one of large pieces, and keeps the others' EXIF data packed."""
    if _piece(image) > MAX_PIECE:
        raise ImageError("The pieces of this TIFF are too large; save the picture as a PNG.")
    image.is_animated = True  # else loading would unpack every value of its EXIF data


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
    width = tag.get(322, tiff.width)
    height = tag.get(323, min(tag.get(278, tiff.height), tiff.height))
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


def shrink(image: Image.Image) -> Image.Image:
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
    small = smaller(small, WORK_SIDE) if max(small.size) > WORK_SIDE else small
    return Image.fromarray(_eight_bits(np.asarray(small))) if mode in "IF" else small


def _eight_bits(values: Shaped[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
    """uint8 from integers, whose range is the next power of two, or from floats, from minimum to maximum."""
    whole = values.dtype.kind in "iu"
    with np.errstate(invalid="ignore"):  # signalling NaNs
        values = values.astype(np.float64)
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    if whole and low >= 0:
        low, high = 0.0, 2.0 ** max(8, int(high).bit_length()) - 1
    values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    return to_uint8((values - low) / max(high - low, np.finfo(np.float64).tiny))


def _composite(picture: Image.Image, trail: Trail) -> UInt8[np.ndarray, "h w *c"]:
    """The pixels: transparency filled with black or white, whichever keeps the drawing visible."""
    rgba = np.asarray(picture)
    if picture.mode != "RGBA":
        trail.add("transparency", "", rgba, False, "Nothing is transparent")
        return rgba
    colour, alpha = rgba[..., :3].astype(np.float32), rgba[..., 3:] / np.float32(255)
    level = luminance(colour)[alpha[..., 0] > 0.5 * alpha.max()] / 255  # empty where all is transparent
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
