"""Any picture, and any damage to its file, gives a picture for the model or one sentence, and the same each time."""

import io
import re

import numpy as np
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from vae.models.spaces import Pictures
from vae.pictures import ImageError, Prepared, prepare

DIGIT = Pictures()
SPECS = (DIGIT, Pictures(preparation="garment"), Pictures(3, 24, 40, 256, "crop"), Pictures(1, 9, 7, 256, "crop"))
MODES = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "JPEG": ("L", "RGB", "CMYK"),
    "WEBP": ("RGB", "RGBA"),
    "GIF": ("1", "L", "P", "RGB"),
    "BMP": ("1", "L", "P", "RGB"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"),
}
ORIENTATION = 0x0112
SENTENCE = re.compile(r"[A-Z][^.\r\n]*\.")  # exactly one
PROGRAMMERS = re.compile(r"error|exception|traceback|errno|none|nan|\w+\(|0x|<|>|_", re.IGNORECASE)
FEW = settings(deadline=None, max_examples=60)


def pixels(width: int, height: int, mode: str, levels: int, seed: int) -> Image.Image:
    """Random pixels of so many different values, over the whole range that the mode has."""
    chance = np.random.default_rng(seed)
    channels = 1 if mode in ("1", "P", "I;16", "I", "F") else len(mode)
    values = chance.integers(0, levels, (height, width, channels)) / max(levels - 1, 1)
    if mode in ("I;16", "I"):
        return Image.fromarray((values[..., 0] * 65535).astype(np.uint16 if mode == "I;16" else np.int32))
    if mode == "F":
        return Image.fromarray((values[..., 0] * 20 - 10).astype(np.float32))
    squeezed = (
        np.rint(values * 255).astype(np.uint8).squeeze(2) if channels == 1 else np.rint(values * 255).astype(np.uint8)
    )
    if mode in ("1", "P"):
        return Image.fromarray(squeezed).convert(mode)
    return Image.frombytes(mode, (width, height), squeezed.tobytes())


@st.composite
def files(draw) -> bytes:
    """An image file: any format, mode, size to 64, orientation, random pixels."""
    kind = draw(st.sampled_from(sorted(MODES)))
    mode = draw(st.sampled_from(MODES[kind]))
    image = pixels(*draw(st.tuples(*[st.integers(1, 64)] * 2)), mode, draw(st.integers(1, 9)), draw(st.integers(0, 99)))
    options = {}
    if kind not in ("GIF", "BMP"):
        options["exif"] = Image.Exif()
        options["exif"][ORIENTATION] = draw(st.integers(0, 9))
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@st.composite
def damaged(draw) -> bytes:
    """One file with bytes flipped, cut off, put in, or taken from another."""
    content = bytearray(draw(files()))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        damage = draw(st.sampled_from(["flip", "cut", "insert", "splice"]))
        if damage == "flip":
            content[at : at + 1] = bytes(255 - byte for byte in content[at : at + 1])
        elif damage == "cut":
            del content[at:]
        elif damage == "insert":
            content[at:at] = draw(st.binary(min_size=1, max_size=9))
        else:
            content[at:] = draw(files())[at:]
    return bytes(content)


def outcome(uploaded: bytes, spec: Pictures) -> Prepared | str:
    """What came back, after checking that it is as promised."""
    try:
        prepared = prepare(uploaded, spec)
    except ImageError as refusal:
        sentence = str(refusal)
    else:
        assert prepared.picture.shape == (1, *spec.shape)
        assert prepared.picture.dtype == torch.float32
        assert ((prepared.picture >= 0) & (prepared.picture <= 1)).all()  # and so none is NaN
        return prepared
    assert SENTENCE.fullmatch(sentence)
    assert not PROGRAMMERS.search(sentence)
    return sentence


def as_values(prepared: Prepared | str) -> object:
    if isinstance(prepared, str):
        return prepared
    return prepared.picture.tolist(), [(step.name, step.text, step.image.tobytes()) for step in prepared.steps]


@FEW
@given(files(), st.sampled_from(SPECS))
def test_any_picture_is_served_or_refused_and_twice_the_same(uploaded, spec):
    first = outcome(uploaded, spec)
    assert as_values(first) == as_values(outcome(uploaded, spec))


@FEW
@given(files())
def test_any_whole_file_can_be_cropped(uploaded):
    assert isinstance(outcome(uploaded, SPECS[2]), Prepared)


@settings(deadline=None, max_examples=200)
@given(damaged(), st.sampled_from(SPECS))
def test_any_damaged_file_is_served_or_refused_and_twice_the_same(uploaded, spec):
    first = outcome(uploaded, spec)
    assert as_values(first) == as_values(outcome(uploaded, spec))


def drawing(digit: int, size: int, paper: int, ink: int) -> Image.Image:
    """A digit in Pillow's own font with an eighth of its size of paper around it."""
    font = ImageFont.load_default(size)
    left, top, right, bottom = font.getbbox(str(digit))
    margin = max(4, size // 8)
    image = Image.new("L", (right - left + 2 * margin, bottom - top + 2 * margin), paper)
    ImageDraw.Draw(image).text((margin - left, margin - top), str(digit), ink, font=font)
    return image


def saved(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@FEW
@given(
    digit=st.integers(0, 9),
    size=st.integers(40, 160),
    levels=st.sampled_from([(255, 0), (0, 255), (200, 60), (40, 180), (140, 255), (128, 20)]),
    more=st.tuples(*[st.integers(0, 300)] * 4),
)
@example(digit=0, size=104, levels=(255, 0), more=(0, 0, 0, 69))  # once a pixel lower with more paper
def test_a_digit_on_more_of_the_same_paper_is_the_same_digit(digit, size, levels, more):
    small = drawing(digit, size, *levels)
    left, top, right, bottom = more
    large = Image.new("L", (left + small.width + right, top + small.height + bottom), levels[0])
    large.paste(small, (left, top))
    expected, found = (prepare(saved(image), DIGIT).picture for image in (small, large))
    assert (found - expected).abs().mean() < 0.01
