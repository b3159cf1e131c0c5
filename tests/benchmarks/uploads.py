"""What odd, broken and hostile files do to the reader: `python -m tests.benchmarks.uploads [WORD]`.

Gives each file to `vae.pictures.prepare` in a process of its own, and prints what came back, the seconds, and by
how much the peak of memory grew. The limit is a picture or one sentence within 2 s and 300 MB, and no other program
started. With a WORD only the files whose names have it.
"""

import io
import multiprocessing
import re
import resource
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vae.models.spaces import Pictures
from vae.pictures import FORMATS, ImageError, prepare
from vae.pictures.read import MEGAPIXELS

SECONDS, MEGABYTES, PATIENCE = 2.0, 300.0, 60.0
SPEC = Pictures()
SENTENCE = re.compile(r"[A-Z][^\n]*[^.\n]\.")
ORIENTATION, RESOLUTION = 274, 282  # EXIF and TIFF tags
Tag = tuple[int, int, int, int]  # number, type, count, value
PNG = b"\x89PNG\r\n\x1a\n"


def digit(width: int = 300, height: int = 300, mode: str = "RGB") -> Image.Image:
    """A black 5 in the middle of white paper."""
    image = Image.new("L", (width, height), 255)
    font = ImageFont.load_default(min(width, height) // 2)
    ImageDraw.Draw(image).text((width / 2, height / 2), "5", 0, font, anchor="mm")
    return image.convert(mode)


def file(image: Image.Image | np.ndarray, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(width: int, height: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, pixels: bytes = b"", *extra: bytes, bits: int = 8, colour: int = 0) -> bytes:
    """A PNG whose header says so, whatever its compressed pixels are."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return PNG + header + b"".join(extra) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def zeros(size: int) -> bytes:
    """That many zero bytes, compressed."""
    press, piece = zlib.compressobj(), bytes(1_000_000)
    whole = b"".join(press.compress(piece) for _ in range(size // len(piece)))
    return whole + press.compress(bytes(size % len(piece))) + press.flush()


def deep_png(image: Image.Image) -> bytes:
    """16 bits for each of three colours, which Pillow does not write."""
    rows = (np.asarray(image).astype(">u2") * 257).reshape(image.height, -1)
    pixels = b"".join(b"\0" + row.tobytes() for row in rows)
    return png(*image.size, zlib.compress(pixels), bits=16, colour=2)


def tiff(tags: list[Tag], pixels: bytes = b"", after: int = 0) -> bytes:
    """The tags as they stand, the pixels at 8, and where the next directory is."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", after)
    return b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + directory


def grey_tiff(width: int, height: int, *extra: Tag, content: bytes = b"", after: int = 0) -> bytes:
    """A TIFF of so many black pixels, unless `extra` or `content` say otherwise."""
    plain = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: height, 279: width * height}
    given = {tag for tag, *_ in extra}
    tags = [(tag, 4, 1, value) for tag, value in plain.items() if tag not in given]
    return tiff([*tags, *extra], content or bytes(min(width * height, 10_000)), after)


def deep_tiff(side: int, pixels: bytes, compression: int = 1) -> bytes:
    """16 bits for each of three colours, which Pillow does not write; the three bit depths stand after the pixels."""
    tags = [(258, 3, 3, 8 + len(pixels)), (259, 3, 1, compression), (262, 3, 1, 2), (277, 3, 1, 3)]
    tags.append((279, 4, 1, len(pixels)))
    return grey_tiff(side, side, *tags, content=pixels + struct.pack("<HHH", 16, 16, 16))


def jpeg_of(width: int, height: int) -> bytes:
    """A JPEG whose frame header says so."""
    content = bytearray(file(digit(), "JPEG"))
    at = content.index(b"\xff\xc0")
    content[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(content)


def gif_of(width: int, height: int) -> bytes:
    content = bytearray(file(digit(), "GIF"))
    content[6:10] = struct.pack("<HH", width, height)
    return bytes(content)


def bmp_of(width: int, height: int) -> bytes:
    content = bytearray(file(digit(), "BMP"))
    content[18:26] = struct.pack("<ii", width, height)
    return bytes(content)


def scans(count: int) -> bytes:
    """A progressive JPEG of 3 megapixels whose last scan is repeated."""
    plain = file(Image.new("L", (2000, 1500)), "JPEG", progressive=True)
    last = plain[plain.rindex(b"\xff\xda") : -2]
    return plain[:-2] + last * count + plain[-2:]


def animation(kind: str, frames: int, **options) -> bytes:
    """That many small frames, no two neighbours alike."""
    pair = [digit(32, 32), Image.new("RGB", (32, 32), "white")]
    return file(pair[0], kind, save_all=True, append_images=(pair * frames)[1:frames], duration=20, **options)


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return file(digit(300, 200), "JPEG", exif=exif)


def phone() -> bytes:
    """12 megapixels of grainy paper, darker to one side, on its side."""
    paper = np.asarray(digit(4000, 3000, "L")) * np.linspace(0.5, 0.9, 4000) * 0.8 + 30
    grainy = paper + np.random.default_rng(0).normal(0, 4, paper.shape)
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    return file(Image.fromarray(grainy.clip(0, 255).astype(np.uint8)).convert("RGB"), "JPEG", quality=92, exif=exif)


def floats() -> bytes:
    values = np.asarray(digit(mode="L")).astype(np.float32) / 255
    values[0, :3] = np.nan, np.inf, -np.inf
    return file(values, "TIFF")


def numbers(tag: int) -> bytes:
    """A TIFF, or EXIF data, where one tag has millions of rational numbers: Python objects, once they are asked for."""
    return grey_tiff(100, 100, (tag, 5, 2_900_000, 8), content=bytes(range(1, 9)) * 2_900_000)


def exif_text() -> bytes:
    return chunk(b"tEXt", b"Raw profile type exif\0\nexif\n9\n" + numbers(ORIENTATION)[:11_000_000].hex().encode())


def in_jpeg(segments: bytes) -> bytes:
    plain = file(digit(), "JPEG")
    return plain[:2] + segments + plain[2:]


def in_gif(blocks: bytes) -> bytes:
    """A GIF with them after its palette."""
    plain = file(digit(), "GIF")
    at = 13 + 3 * 2 ** (1 + plain[10] % 8)
    return plain[:at] + blocks + plain[at:]


def after_header(chunks: bytes) -> bytes:
    plain = file(digit())
    return plain[:33] + chunks + plain[33:]


def bmp_of_runs(runs: bytes) -> bytes:
    """A compressed BMP of 36 megapixels and 256 colours."""
    header = struct.pack("<IiiHHIIiiII", 40, 6000, 6000, 1, 8, 1, 0, 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 1078) + header + bytes(1024) + runs


def largest(kind: str, mode: str, side: int = 0, **options) -> bytes:
    """As many pixels as are read of this format, or a square of this side."""
    side = side or int(MEGAPIXELS[kind] ** 0.5 * 1000)
    return file(digit(side, side, mode), kind, **options)


CASES: dict[str, Callable[[], bytes]] = {
    **{f"half a {kind}": partial(lambda kind: half(file(noise(200, 200), kind)), kind) for kind in FORMATS},
    **{f"60 bytes of a {kind}": partial(lambda kind: file(digit(), kind)[:60], kind) for kind in FORMATS},
    "PNG header: 30000 x 30000": partial(png, 30_000, 30_000, zeros(1000)),
    "PNG header: 2^31 - 1 wide": partial(png, 2**31 - 1, 1, zeros(1000)),
    "PNG header: 5900 x 5900, no data": partial(png, 5900, 5900, zeros(1000)),
    "JPEG header: 65500 x 65500": partial(jpeg_of, 65500, 65500),
    "JPEG header: 8000 x 7900, no data": partial(jpeg_of, 8000, 7900),
    "GIF header: 65535 x 65535": partial(gif_of, 65535, 65535),
    "GIF header: 6000 x 6000, small frame": partial(gif_of, 6000, 6000),
    "BMP header: 100000 x 100000": partial(bmp_of, 100_000, 100_000),
    "BMP header: -300 x 300": partial(bmp_of, -300, 300),
    "BMP header: 300 x -300, upside down": partial(bmp_of, 300, -300),
    "BMP header: height -2^31": partial(bmp_of, 300, -(2**31)),
    "TIFF header: 60000 x 60000": partial(grey_tiff, 60_000, 60_000),
    "TIFF header: 2^32 - 1 strips": partial(grey_tiff, 100, 100, (273, 4, 2**32 - 1, 8), (279, 4, 2**32 - 1, 8)),
    "TIFF header: strip far outside": partial(grey_tiff, 100, 100, (273, 4, 1, 2**32 - 2)),
    "TIFF header: 2^32 - 1 bit depths": partial(grey_tiff, 100, 100, (258, 3, 2**32 - 1, 8)),
    "TIFF header: 65535 samples": partial(grey_tiff, 100, 100, (277, 3, 1, 65535)),
    "TIFF header: tiles of 60000 x 60000": lambda: grey_tiff(
        100, 100, (322, 4, 1, 60_000), (323, 4, 1, 60_000), (324, 4, 1, 8), (325, 4, 1, 10_000)
    ),
    "TIFF header: no tags": partial(tiff, []),
    "TIFF: a directory that follows itself": partial(grey_tiff, 100, 100, after=10_008),
    "TIFF: 1000 unknown tags of 2^31 bytes": lambda: grey_tiff(
        100, 100, *((60_000 + n, 1, 2**31, 8) for n in range(1000))
    ),
    "bomb: PNG of 20000 x 20000 zeros": lambda: png(20_000, 20_000, zeros(20_000 * 20_001)),
    "bomb: PNG, profile of 200 MB": lambda: after_header(chunk(b"iCCP", b"a\0\0" + zeros(200_000_000))),
    "bomb: PNG, text of 200 MB": lambda: png(9, 9, b"", chunk(b"zTXt", b"a\0\0" + zeros(200_000_000))),
    "bomb: PNG, 25 texts of 1 MB": lambda: png(9, 9, b"", *[chunk(b"zTXt", b"a\0\0" + zeros(1_000_000))] * 25),
    "bomb: JPEG of 200 scans": partial(scans, 200),
    "bomb: TIFF, 36 megapixels in 40 kB": lambda: file(Image.new("L", (6000, 6000)), "TIFF", compression="tiff_lzw"),
    "bomb: GIF of 10,000 frames": partial(animation, "GIF", 10_000),
    "bomb: PNG of 10,000 frames": partial(animation, "PNG", 10_000),
    "bomb: WEBP of 10,000 frames": partial(animation, "WEBP", 10_000, method=0),
    "bomb: TIFF of 1,000 pages": partial(animation, "TIFF", 1_000),
    "bomb: JPEG, 58 megapixels to hold": partial(largest, "JPEG", "RGB", progressive=True, subsampling=0, side=7600),
    "bomb: JPEG, CMYK to hold": partial(largest, "JPEG", "CMYK", progressive=True, side=7600),
    "bomb: TIFF, one deep strip": lambda: deep_tiff(6000, zeros(6000 * 6000 * 6), compression=8),
    "bomb: TIFF, 3 million strips": lambda: grey_tiff(
        100, 100, (273, 4, 3_000_000, 8), (279, 4, 3_000_000, 8), content=bytes(24_000_000)
    ),
    "bomb: TIFF, 3 million numbers": partial(numbers, RESOLUTION),
    "bomb: PNG, 3 million numbers in EXIF": lambda: after_header(chunk(b"eXIf", numbers(ORIENTATION))),
    "bomb: PNG, EXIF in a text": lambda: after_header(exif_text()),
    "bomb: WEBP, 3 million numbers in EXIF": lambda: file(digit(), "WEBP", exif=b"Exif\0\0" + numbers(ORIENTATION)),
    "largest PNG": partial(largest, "PNG", "RGBA", compress_level=1),
    "largest PNG, 16 bits": lambda: file(np.zeros((6000, 6000), np.uint16), compress_level=1),
    "largest JPEG": partial(largest, "JPEG", "RGB"),
    "largest JPEG, progressive": partial(largest, "JPEG", "RGB", progressive=True),
    "largest JPEG, CMYK": partial(largest, "JPEG", "CMYK"),
    "largest WEBP": partial(largest, "WEBP", "RGBA", method=0),
    "largest WEBP, lossless": partial(largest, "WEBP", "RGBA", lossless=True, method=0, quality=0),
    "largest GIF": partial(largest, "GIF", "L"),
    "largest BMP": partial(largest, "BMP", "L"),
    "largest TIFF, LZW": partial(largest, "TIFF", "RGBA", compression="tiff_lzw"),
    "largest TIFF, floats": lambda: file(np.zeros((6000, 6000), np.float32), "TIFF", compression="tiff_adobe_deflate"),
    "largest TIFF, CMYK": partial(largest, "TIFF", "CMYK", compression="tiff_lzw"),
    "largest TIFF, fax": partial(largest, "TIFF", "1", compression="group4"),
    "50000 x 1": lambda: file(Image.new("L", (50_000, 1))),
    "1 x 50000": lambda: file(Image.new("L", (1, 50_000)), "TIFF"),
    "0 x 0": partial(png, 0, 0),
    "0 x 9 GIF": partial(gif_of, 0, 9),
    "1 x 1": lambda: file(Image.new("L", (1, 1))),
    "2 x 2": lambda: file(np.array([[0, 255], [255, 0]], np.uint8)),
    "16-bit grey PNG": lambda: file(np.asarray(digit(mode="L")).astype(np.uint16) * 257),
    "16-bit RGB PNG": lambda: deep_png(digit()),
    "16-bit RGB TIFF": lambda: deep_tiff(300, (np.asarray(digit()).astype("<u2") * 257).tobytes()),
    "float TIFF with NaN and infinities": floats,
    "float TIFF of NaN": lambda: file(np.full((50, 50), np.nan, np.float32), "TIFF"),
    "CMYK JPEG": lambda: file(digit(mode="CMYK"), "JPEG"),
    "CMYK TIFF": lambda: file(digit(mode="CMYK"), "TIFF"),
    "LAB TIFF": lambda: file(digit().convert("LAB"), "TIFF"),
    "1-bit TIFF, fax group 3": lambda: file(digit(mode="1"), "TIFF", compression="group3"),
    "1-bit TIFF, fax group 4": lambda: file(digit(mode="1"), "TIFF", compression="group4"),
    "TIFF of three pages": partial(animation, "TIFF", 3),
    "palette, one colour clear": lambda: file(digit().quantize(16), transparency=1),
    "LA, all clear": lambda: file(Image.new("LA", (99, 99), (255, 0))),
    "RGBA, all clear": lambda: file(Image.new("RGBA", (99, 99), (255, 0, 0, 0))),
    **{f"{kind} of 3 frames": partial(animation, kind, 3) for kind in ("GIF", "WEBP", "PNG")},
    **{f"JPEG, EXIF orientation {n}": partial(turned, n) for n in range(1, 9)},
    "JPEG, EXIF orientation 99": partial(turned, 99),
    "12-megapixel phone photo": phone,
    "blank white": lambda: file(Image.new("L", (500, 500), 255)),
    "blank black": lambda: file(Image.new("L", (500, 500), 0)),
    "noise": lambda: file(noise(500, 500)),
    "HEIC": lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(1000),
    "AVIF": lambda: file(digit(), "AVIF"),
    "SVG": lambda: b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
    "PDF": lambda: file(digit(), "PDF"),
    "HTML": lambda: b"<!doctype html><html><script>alert(1)</script></html>",
    "EPS": lambda: file(digit(), "EPS"),
    "ICO": lambda: file(digit(64, 64), "ICO"),
    "empty": bytes,
    "one byte": lambda: b"\x89",
    "200 MB of zeros": lambda: bytes(200_000_000),
    "200 MB that begin as a PNG": lambda: file(digit()) + bytes(200_000_000),
    "24 MB that begin as a PNG": lambda: file(digit()) + bytes(24_000_000),
    "24 MB of JPEG segments": lambda: in_jpeg(b"\xff\xfe\0\2" * 6_000_000),
    "24 MB of JPEG fill bytes": lambda: in_jpeg(b"\xff" * 24_000_000),
    "24 MB of JPEG EXIF segments": lambda: in_jpeg((b"\xff\xe1\xff\xffExif\0\0" + bytes(65_527)) * 366),
    "24 MB of JPEG colour profiles": lambda: in_jpeg((b"\xff\xe2\xff\xffICC_PROFILE\0\1\1" + bytes(65_519)) * 366),
    "24 MB of PNG chunks": lambda: after_header(chunk(b"prVt", b"") * 2_000_000),
    "24 MB of PNG chunks at the end": lambda: file(digit())[:-12] + chunk(b"tEXt", b"a\0b") * 1_500_000,
    "24 MB of GIF comments": lambda: in_gif(b"!\xfe\x01a\0" * 4_800_000),
    "24 MB of GIF comment, byte by byte": lambda: in_gif(b"!\xfe" + b"\x01a" * 12_000_000 + b"\0"),
    "24 MB of BMP runs": lambda: bmp_of_runs(b"\x01\0" * 12_000_000),
    "a photo with a film behind it": lambda: phone() + noise(1500, 1500).tobytes(),
    "random bytes": lambda: noise(1000, 1000).tobytes(),
}


def child(path: str, answer: Connection) -> None:
    """Read, prepare, and send what came of it: (answer, whether it is allowed, seconds, MB)."""
    Image.init()  # imports every reader
    content = Path(path).read_bytes()
    started = []
    starts = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork")
    sys.addaudithook(lambda event, _: started.append(event) if event in starts else None)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    try:
        picture = prepare(content, SPEC).picture
        result, fine = "picture", picture.shape == (1, *SPEC.shape) and bool(((picture >= 0) & (picture <= 1)).all())
    except ImageError as refusal:
        result, fine = str(refusal), bool(SENTENCE.fullmatch(str(refusal)))
    except BaseException as error:
        result, fine = f"{type(error).__name__}: {error}", False
    seconds = time.perf_counter() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    result = f"started a program: {started}" if started else result
    answer.send((result, fine and not started, seconds, grown))


def outcome(path: Path) -> tuple[str, bool, float, float]:
    """What the child says, or that it died or did not end."""
    here, there = forks.Pipe(duplex=False)
    process = forks.Process(target=child, args=(str(path), there))
    process.start()
    there.close()
    try:
        return here.recv() if here.poll(PATIENCE) else ("no answer", False, PATIENCE, 0.0)
    except EOFError:
        return "the process died", False, 0.0, 0.0
    finally:
        process.kill()
        process.join()


def main() -> None:
    chosen = [name for name in CASES if len(sys.argv) < 2 or sys.argv[1] in name]
    print(f"{'file':38} {'answer':60} {'s':>6} {'MB':>6}")
    met = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen:
            path = Path(folder, "upload")
            path.write_bytes(CASES[name]())
            answer, fine, seconds, grown = outcome(path)
            within = fine and seconds <= SECONDS and grown <= MEGABYTES
            met += within
            shown = " ".join(answer.split())[:60]
            print(f"{name:38} {shown:60} {seconds:6.2f} {grown:6.0f}{'' if within else '  <- not met'}", flush=True)
    print(f"{met} of {len(chosen)} met a picture or one sentence within {SECONDS:.0f} s and {MEGABYTES:.0f} MB")


forks = multiprocessing.get_context("forkserver")  # each child is a fork of a process that has only imported
forks.set_forkserver_preload(["vae.pictures", "__main__"])

if __name__ == "__main__":
    main()
