"""Prepared pictures of every kind that people bring, against those recorded before the code was last rearranged.

    python -m tests.pictures.test_recorded

records them anew: do so where a preparation is meant to change, and look at what changed. recorded.npz has the
pictures, recorded.json of each the hash of its steps (names, texts, what was applied), their mean grey, and what was
seen on the way; or the sentence with which a picture was refused. Processors differ in the last digit of a resized
picture, and so by a level here and there.
"""

import hashlib
import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import vae
from tests.pictures import small_digits
from tests.pictures.drawings import LIGHTS, drawn, file, flag, line, noise, painted, photographed, ramp
from vae.models.spaces import Pictures

TESTS = Path(__file__).resolve().parents[1]
RECORD, PICTURES = (Path(__file__).with_name(f"recorded.{end}") for end in ("json", "npz"))
SCREENS = TESTS / "browser" / "pictures"
WHITE, BLACK = (255,) * 3, (0,) * 3
SPECS = {
    "digit": Pictures(),
    "digit, colour": Pictures(3, 32, 48, 256, "digit"),
    "garment": Pictures(preparation="garment"),
    "garment, colour": Pictures(3, 50, 20, 256, "garment"),
    "crop": Pictures(3, 24, 40, 256, "crop"),
    "crop, grey": Pictures(1, 9, 7, 256, "crop"),
}
SWITCHES = {
    "digit": ("invert", "background", "contrast", "specks", "crop", "stroke", "centre"),
    "garment": ("invert", "contrast", "crop"),
    "crop": ("invert", "crop"),
}


def stored(name: str, index: int) -> np.ndarray:
    """A picture (28, 28) of a test set as it lies there."""
    return vae.data.load(name, "test").images[index, 0].numpy()


def turned(orientation: int, kind: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return file(flag(), kind, exif=exif)


def on_clear(pen: int) -> np.ndarray:
    """A 2 of one grey on nothing, (200, 200, 4)."""
    ink = np.rint(drawn(2) * 255).astype(np.uint8)
    return np.dstack([np.full((200, 200, 3), pen, np.uint8), ink])


def in_a_frame() -> np.ndarray:
    """A 5 within a drawn border."""
    paper = Image.fromarray(painted(drawn(5), WHITE, BLACK))
    ImageDraw.Draw(paper).rectangle((3, 3, 196, 196), outline=BLACK, width=4)
    return np.asarray(paper)


def clear_corners() -> np.ndarray:
    """A 5 on a card (200, 200, 4) without two of its corners."""
    card = np.dstack([painted(drawn(5), WHITE, BLACK), np.full((200, 200), 255, np.uint8)])
    card[:20, :20, 3] = card[-20:, -20:, 3] = 0
    return card


def two() -> np.ndarray:
    """A 4 and an 8 side by side, grey (200, 400)."""
    return np.rint(255 * (1 - np.hstack([drawn(4), drawn(8)]))).astype(np.uint8)


def disc() -> np.ndarray:
    """White on black, (300, 300)."""
    y, x = np.mgrid[:300, :300] - 150
    return np.where(x**2 + y**2 < 100**2, 255, 0).astype(np.uint8)


def garment() -> np.ndarray:
    """A brown shirt (300, 200, 3) on light ground."""
    picture = np.full((300, 200, 3), 250, np.uint8)
    picture[60:260, 50:150] = (90, 40, 30)
    picture[60:120, 30:170] = (110, 60, 40)
    return picture


def spotted() -> np.ndarray:
    """A 6 among specks, grey (200, 200)."""
    paper = np.rint(255 * (1 - drawn(6))).astype(np.uint8)
    paper[10:13, 20:23] = paper[180:182, 150:152] = paper[60:62, 30:32] = 40
    return paper


def busy() -> np.ndarray:
    """A page of text and a chart (600, 800, 3)."""
    page = Image.new("RGB", (800, 600), (250, 250, 252))
    pen = ImageDraw.Draw(page)
    for row in range(12):
        pen.text((20, 20 + 22 * row), f"{row} nats per picture, and what they are worth", (30, 30, 40))
    for column in range(30):
        pen.rectangle(
            (20 + 25 * column, 580 - 9 * (column % 7) ** 2, 40 + 25 * column, 580), (60, 20 + 7 * column, 160)
        )
    return np.asarray(page)


def speck() -> np.ndarray:
    page = np.full((900, 900), 255, np.uint8)
    page[400:412, 400:404] = 0
    return page


def palette() -> bytes:
    image = Image.fromarray((drawn(2) > 0.5).astype(np.uint8)).convert("P")
    image.putpalette([9, 9, 9, 255, 255, 255])
    return file(image, transparency=0)


def film() -> bytes:
    frames = [Image.fromarray(flag()), Image.fromarray(255 - flag())]
    return file(frames[0], "GIF", save_all=True, append_images=frames[1:])


def floats() -> np.ndarray:
    values = (ramp() * 7 - 3).astype(np.float32)
    values[0, :3] = np.nan, np.inf, -np.inf
    return values


# Bytes of files, or arrays as a drawing pad has them, by what they are.
INPUTS: dict[str, Callable[[], bytes | np.ndarray]] = {
    "PNG": lambda: file(flag()),
    "JPEG": lambda: file(flag(), "JPEG", quality=95),
    "JPEG, progressive": lambda: file(flag(), "JPEG", progressive=True),
    "JPEG, CMYK": lambda: file(Image.fromarray(flag()).convert("CMYK"), "JPEG"),
    "WebP": lambda: file(flag(), "WEBP", lossless=True),
    "GIF": lambda: file(flag(), "GIF"),
    "GIF, film": film,
    "BMP": lambda: file(flag(), "BMP"),
    "TIFF, LZW": lambda: file(flag(), "TIFF", compression="tiff_lzw"),
    "AVIF": lambda: file(flag(), "AVIF", quality=100),
    "one bit": lambda: file(Image.fromarray(ramp() > 0.5)),
    "grey": lambda: file(np.rint(ramp() * 255).astype(np.uint8)),
    "grey, alpha": lambda: file(Image.fromarray(np.rint(ramp() * 255).astype(np.uint8)).convert("LA")),
    "16 bits": lambda: file((ramp() * 65535).round().astype(np.uint16)),
    "12 bits of 16": lambda: file((ramp() * 4095).round().astype(np.uint16)),
    "TIFF, 32 bits": lambda: file((ramp() * 65535).round().astype(np.int32), "TIFF"),
    "TIFF, floats": lambda: file(floats(), "TIFF"),
    **{f"JPEG, orientation {n}": lambda n=n: turned(n, "JPEG") for n in range(1, 10)},
    **{f"{kind}, orientation 6": lambda kind=kind: turned(6, kind) for kind in ("PNG", "WEBP", "TIFF")},
    "black on white": lambda: file(painted(drawn(2), WHITE, BLACK)),
    "white on black": lambda: file(painted(drawn(2), BLACK, WHITE)),
    "blue on yellow": lambda: file(painted(drawn(5), (250, 240, 120), (20, 30, 150))),
    "magenta on green": lambda: file(painted(drawn(5), (0, 215, 0), (255, 60, 255))),
    "faint": lambda: file(painted(drawn(8), (200,) * 3, (160,) * 3)),
    "in a corner": lambda: file(painted(drawn(9, 300, 90, (0.2, 0.8)), WHITE, BLACK), "JPEG"),
    "four times as large": lambda: file(painted(np.kron(drawn(7), np.ones((4, 4))), WHITE, BLACK)),
    "cut tight": lambda: file(painted(drawn(0)[52:148, 60:140], WHITE, BLACK)),
    "touches the edge": lambda: file(painted(drawn(4)[40:, 80:], WHITE, BLACK)),
    **{f"photo, {light}": lambda light=light: file(photographed(light), "JPEG") for light in LIGHTS},
    "photo, inverted": lambda: file(255 - photographed("shadow")),
    "thin pen": lambda: file(line(2)),
    "thick brush": lambda: file(line(80)),
    "black on clear": lambda: file(on_clear(0)),
    "white on clear": lambda: file(on_clear(255), "WEBP", lossless=True),
    "palette on clear": palette,
    "clear": lambda: file(np.zeros((28, 28, 4), np.uint8)),
    "clear corners": lambda: file(clear_corners()),
    "frame": lambda: file(in_a_frame()),
    "frame, inverted": lambda: file(255 - in_a_frame()),
    "specks": lambda: file(spotted()),
    "two things": lambda: file(two()),
    "disc": lambda: file(disc()),
    "shirt": lambda: file(garment()),
    "shirt, inverted": lambda: file(255 - garment()),
    "busy": lambda: file(busy()),
    "noise": lambda: file(noise(300, 300)),
    "white": lambda: file(np.full((50, 50), 255, np.uint8)),
    "one pixel": lambda: file(np.zeros((1, 1), np.uint8)),
    "two pixels": lambda: file(np.array([[0, 255]], np.uint8)),
    "speck": lambda: file(speck()),
    "narrow": lambda: file(np.rint(np.linspace(0, 255, 900)).astype(np.uint8)[None].repeat(10, 0)),
    "12 megapixels": lambda: file(np.kron(flag(), np.ones((125, 100, 1), np.uint8)), "JPEG", quality=90),
    "large, alpha": lambda: file(np.kron(clear_corners(), np.ones((6, 6, 1), np.uint8)), compress_level=1),
    "too narrow": lambda: file(np.zeros((1, 300), np.uint8)),
    "no picture": lambda: b"hello",
    "no end": lambda: file(flag(), "JPEG")[:-2],
    "half": lambda: file(noise(40, 40, 3), "JPEG")[:900],
    "pad, grey": lambda: np.rint(255 * (1 - drawn(3, 280, 200))).astype(np.uint8),
    "pad, white on black": lambda: np.rint(255 * drawn(3, 280, 200)).astype(np.uint8),
    "pad, empty": lambda: np.full((280, 280), 255, np.uint8),
    "pad, colour": lambda: painted(drawn(1), (230, 220, 210), (40, 40, 90)),
    "pad, alpha": clear_corners,
    **{
        f"{name} {index}{', inverted' if flip else ''}": lambda name=name, index=index, flip=flip: (
            flip ^ stored(name, index)
        )
        for name in ("mnist", "fashion-mnist")
        for index in (0, 4321)
        for flip in (0, 255)
    },
    **{
        f"small {digit}, style {style}": lambda digit=digit, style=style: small_digits.saved(
            small_digits.drawn(digit, style)
        )
        for style, digit in enumerate((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 5, 8))
    },
    **{path.name: path.read_bytes for path in sorted((TESTS / "cases").glob("*.jpg"))},
    **{path.name: path.read_bytes for path in sorted(SCREENS.glob("*.png"))},
}
SWITCHED = ("photo, shadow", "mnist 0", "shirt", "PNG", "small 3, style 3", "black on clear", "pad, colour")


def thrown(kind: str) -> dict[str, dict[str, bool]]:
    """Each switch of a kind off and on, and all of them at once."""
    found = {}
    for word, way in (("off", False), ("on", True)):
        found |= {f"{kind}, {name} {word}": {name: way} for name in SWITCHES[kind]}
        found[f"{kind}, all {word}"] = dict.fromkeys(SWITCHES[kind], way)
    return found


def digest(*parts: object) -> str:
    whole = hashlib.sha256()
    for part in parts:
        content = part if isinstance(part, bytes) else str(part).encode()
        whole.update(len(content).to_bytes(8) + content)
    return whole.hexdigest()[:12]


def outcome(given: bytes | np.ndarray, spec: Pictures, switches: dict[str, bool]) -> tuple[dict, np.ndarray]:
    """What came back: in words and numbers, and the picture as bytes; no picture where it was refused."""
    prepare = vae.images.prepare if isinstance(given, bytes) else vae.images.prepare_array
    try:
        found = prepare(given, spec, switches)
    except vae.images.ImageError as refusal:
        return {"refused": str(refusal)}, np.zeros(0, np.uint8)
    steps = [(step.name, step.text, step.applied, step.switchable, step.image.shape) for step in found.steps]
    content = found.content
    said = {
        "steps": digest(*steps),
        "greys": [round(float(step.image.mean()), 2) for step in found.steps],
        "things": content.things,
        "seen": [math.nan if value is None else value for value in (content.kept, content.edges)],
        "pixels": found.picture.numel(),
    }
    return said, np.rint(255 * found.picture.numpy()).astype(np.uint8)


@cache
def outcomes(name: str) -> dict[str, tuple[dict, np.ndarray]]:
    """What becomes of an input for each kind of model, and with the switches thrown."""
    given, found = INPUTS[name](), {}
    for kind, spec in SPECS.items():
        found[kind] = outcome(given, spec, {})
        if name in SWITCHED and kind in SWITCHES:
            found |= {word: outcome(given, spec, switches) for word, switches in thrown(kind).items()}
    return found


def input_digest(name: str) -> str:
    given = INPUTS[name]()
    return digest(given if isinstance(given, bytes) else given.tobytes())


@cache
def recorded() -> tuple[dict, dict[str, np.ndarray]]:
    """What was said, and the pictures, which lie one after the other in the order in which they are spoken of."""
    said, whole, pictures = json.loads(RECORD.read_text()), np.load(PICTURES)["pictures"], {}
    for name, kinds in said.items():
        for kind, words in kinds.items():
            if "pixels" in words:
                pictures[f"{name}|{kind}"], whole = np.split(whole, [words["pixels"]])
    return said, pictures


@pytest.mark.parametrize("name", INPUTS)
def test_a_picture_is_prepared_as_it_was_recorded(name):
    said, pictures = recorded()
    if (SCREENS / name).is_file() and input_digest(name) != said.get(name, {}).get("input"):
        pytest.skip("this picture of the README was taken since")
    for kind, (words, picture) in outcomes(name).items():
        before = said[name][kind]
        assert words.keys() == before.keys(), kind
        for key in {"refused", "steps", "things"} & words.keys():
            assert words[key] == before[key], (kind, key)
        if "refused" not in words:
            np.testing.assert_allclose(words["greys"], before["greys"], atol=0.3, err_msg=kind)
            assert words["seen"] == pytest.approx(before["seen"], rel=1e-3, nan_ok=True), kind
            apart = np.abs(picture.astype(int).flatten() - pictures[f"{name}|{kind}"])
            assert apart.max() <= 3, kind
            assert apart.mean() < 0.1, kind


def test_what_is_recorded_is_of_every_kind():
    said, pictures = recorded()
    words = [one for kinds in said.values() for kind, one in kinds.items() if kind != "input"]
    assert set(said) >= {name for name in INPUTS if not (SCREENS / name).is_file()}
    assert len({picture.tobytes() for picture in pictures.values()}) > 450, "most pictures differ"
    assert 20 < sum("refused" in one for one in words) < len(words) / 4, "some are refused, most are not"


if __name__ == "__main__":
    said, pictures = {}, []
    for name in INPUTS:
        said[name] = {"input": input_digest(name)} | {kind: words for kind, (words, _) in outcomes(name).items()}
        pictures += [picture.flatten() for _, picture in outcomes(name).values()]
    lines = [f"{json.dumps(name)}: {json.dumps(words, ensure_ascii=False)}" for name, words in said.items()]
    RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    np.savez_compressed(PICTURES, pictures=np.concatenate(pictures))
