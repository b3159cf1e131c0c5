"""Uploads of strangers: small drawings, archives of them, and files that are damaged or meant to do harm."""

import io
import stat
import zipfile

from PIL import Image, ImageDraw


def picture(seed: int = 0) -> bytes:
    """A stroke on light paper, another for each seed."""
    paper, out = Image.new("L", (60, 60), 230), io.BytesIO()
    ImageDraw.Draw(paper).line((20 + seed, 10, 40 - seed, 50), fill=20, width=6)
    paper.save(out, "PNG")
    return out.getvalue()


def archive(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, content in members:
            file.writestr(name, content)
    return out.getvalue()


def link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("link.png")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def encrypted(content: bytes) -> bytes:
    """The same archive with every flag of encryption set."""
    changed = bytearray(content)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        changed[content.index(mark) + offset] |= 1
    return bytes(changed)


def damaged() -> bytes:
    content = bytearray(archive(("x.png", picture())))
    content[60:90] = bytes(30)
    return bytes(content)


def lying() -> bytes:
    """A directory that says 100 bytes of a file that unpacks to 30 MB."""
    content = bytearray(archive(("x.png", bytes(30_000_000))))
    at = content.index(b"PK\x01\x02")
    content[at + 24 : at + 28] = (100).to_bytes(4, "little")
    return bytes(content)


def zip64(size: int) -> bytes:
    """An archive of one good picture and one whose entry says, in its ZIP64 field, that it unpacks to so many bytes."""
    content = archive(("lies.png", picture()), ("x.png", picture()))
    at = content.index(b"PK\x01\x02")
    extra = (1).to_bytes(2, "little") + (8).to_bytes(2, "little") + size.to_bytes(8, "little")
    entry = bytearray(content[at : at + 46 + 8])
    entry[24:28], entry[30:32] = b"\xff" * 4, len(extra).to_bytes(2, "little")
    end = bytearray(content[content.rindex(b"PK\x05\x06") :])
    rest = content[at + 46 + 8 : -len(end)]
    end[12:16] = (len(entry) + len(extra) + len(rest)).to_bytes(4, "little")
    return content[:at] + bytes(entry) + extra + rest + bytes(end)


def many(count: int, name: str = "{}.png", content: bytes = b"") -> bytes:
    """An archive of so many files."""
    return archive(*((name.format(index), content) for index in range(count)), method=zipfile.ZIP_STORED)


def nameless() -> bytes:
    """An archive whose one entry's name begins with NUL, which ends it."""
    return archive(("a.png", picture())).replace(b"a.png", b"\0.png")


HOSTILE = {
    "traversal": (archive(("../../x.png", picture())), "leads out of the archive"),
    "backslashes": (archive(("..\\..\\x.png", picture())), "leads out of the archive"),
    "absolute": (archive(("/etc/x.png", picture())), "leads out of the archive"),
    "drive": (archive(("C:\\x.png", picture())), "leads out of the archive"),
    "link": (archive((link(), b"/etc/passwd")), "a link"),
    "encrypted": (encrypted(archive(("x.png", picture()))), "encrypted"),
    "bzip2": (archive(("x.png", picture()), method=zipfile.ZIP_BZIP2), "packed in a way"),
    "bomb": (archive(("x.bmp", bytes(20_000_000))), "times smaller"),
    "large": (archive(("x.bmp", bytes(26_000_000))), "at most 25 MB"),
    "nested": (archive(("x.zip", archive(("y.png", picture())))), "a ZIP archive"),
    "text": (archive(("x.txt", b"hello")), "not a PNG"),
    "damaged": (damaged(), "damaged"),
    "lying": (lying(), "x.png"),
    "cut off": (archive(("x.png", picture()))[:-30], "damaged"),
    "nothing in it": (archive(), "no file in the archive"),
    "no picture": (b"<script>alert(1)</script>", "not a PNG"),
    "empty": (b"", "empty"),
}
