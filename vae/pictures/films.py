"""Decoded pictures as files to take away: GIF, WebP, MP4, a PNG strip, and their latents as NPZ."""

import io
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Shaped, UInt8
from PIL import Image
from torch import Tensor

PATIENCE = 30  # seconds that ffmpeg may take
QUALITY = 95  # of a WebP with loss
Frames = UInt8[np.ndarray, "n h w *c"]


@dataclass(frozen=True)
class Format:
    """A kind of film: the end of its file's name, its MIME type, and what makes it of frames, a width and a speed."""

    suffix: str
    mime: str
    write: Callable[[Frames, int, int], bytes]


def as_frames(pictures: Float[Tensor, "n c h w"]) -> Frames:
    """Pictures in [0, 1] as bytes, without a channel axis where they have one channel."""
    return pictures.clamp(0, 1).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).squeeze(-1).cpu().numpy()


def enlarged(frames: Frames, width: int) -> list[Image.Image]:
    """The frames as pictures with whole, sharp pixels, at least `width` wide."""
    times = max(1, -(-width // frames.shape[2]))
    size = (frames.shape[2] * times, frames.shape[1] * times)
    return [Image.fromarray(frame).resize(size, Image.Resampling.NEAREST) for frame in frames]


def there_and_back(frames: Frames) -> UInt8[np.ndarray, "m h w *c"]:
    """The frames and the way back, without a stop at either end when it is repeated."""
    return np.concatenate([frames, frames[-2:0:-1]])


def gif(frames: Frames, width: int, speed: int) -> bytes:
    """An endless GIF; `speed` in frames a second, which GIF keeps in hundredths of a second."""
    return _animated(enlarged(frames, width), "GIF", speed, optimize=False)


def webp(frames: Frames, width: int, speed: int) -> bytes:
    """An endless animated WebP without loss."""
    return _animated(enlarged(frames, width), "WEBP", speed, lossless=True, quality=0, method=0)


def _animated(pictures: list[Image.Image], kind: str, speed: int, **options) -> bytes:
    out = io.BytesIO()
    pictures[0].save(
        out, kind, save_all=True, append_images=pictures[1:], duration=round(1000 / speed), loop=0, **options
    )
    return out.getvalue()


def mp4(frames: Frames, width: int, speed: int) -> bytes:
    """H.264 by ffmpeg, which must be there. OSError says what it complained of."""
    pictures = [picture.convert("RGB") for picture in enlarged(frames, width)]
    size = f"{pictures[0].width}x{pictures[0].height}"
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", f"{speed}", "-i", "pipe:0"]
    # yuv420p is what every player reads; it wants even sides
    coding = ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-preset", "veryfast"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "film.mp4"
        command = ["ffmpeg", "-v", "error", *source, *coding, "-movflags", "+faststart", str(file)]
        raw = b"".join(picture.tobytes() for picture in pictures)
        done = subprocess.run(command, input=raw, capture_output=True, timeout=PATIENCE, check=False)
        if done.returncode:
            raise OSError(f"ffmpeg could not make the film: {done.stderr.decode(errors='replace').strip()[-200:]}")
        return file.read_bytes()


def sheet(frames: Frames, columns: int) -> UInt8[np.ndarray, "..."]:
    """One picture of them all, row by row; their number is a multiple of `columns`."""
    rows = frames.reshape(-1, columns, *frames.shape[1:])
    return np.concatenate([np.concatenate(list(row), axis=1) for row in rows])


def strip(frames: Frames, width: int, gap: int = 0) -> bytes:
    """One PNG with all frames in a row, each at least `width` wide."""
    out = io.BytesIO()
    _row(frames, width, gap).save(out, "PNG")
    return out.getvalue()


def light_strip(frames: Frames) -> bytes:
    """All frames in a row as they are, for a page: of colours a WebP a quarter as large as a PNG, which differs from
    them by less than is seen (some 43 dB); else a PNG."""
    if frames.ndim == 3:
        return strip(frames, frames.shape[2])
    out = io.BytesIO()
    _row(frames, frames.shape[2], 0).save(out, "WEBP", quality=QUALITY)
    return out.getvalue()


def _row(frames: Frames, width: int, gap: int) -> Image.Image:
    pictures = enlarged(frames, width)
    across, height = pictures[0].size
    sheet = Image.new(pictures[0].mode, ((across + gap) * len(pictures) - gap, height))
    for place, picture in enumerate(pictures):
        sheet.paste(picture, (place * (across + gap), 0))
    return sheet


def npz(**arrays: Shaped[np.ndarray, "..."]) -> bytes:
    """Named arrays as numpy's compressed file."""
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def formats() -> dict[str, Format]:
    """The films that can be made here; MP4 only where ffmpeg is."""
    found = {"GIF": Format("gif", "image/gif", gif), "WebP": Format("webp", "image/webp", webp)}
    return found | ({"MP4": Format("mp4", "video/mp4", mp4)} if shutil.which("ffmpeg") else {})
