"""Pictures of one's own for tests: digits as files, in a folder for each of two classes."""

import io
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image
from torch import Tensor

from vae.train.run import Run

TINY = ("--preset", "quick", "--steps", "60", "--width", "16", "--latents", "2", "--batch", "16", "--ema", "0.9")
PLAIN = ("--shape", "bits-28", "--preparation", "plain")


def png(picture: Tensor) -> bytes:
    """A digit (1, 28, 28) as the bytes of a file."""
    out = io.BytesIO()
    Image.fromarray(picture[0].numpy()).save(out, "PNG")
    return out.getvalue()


def members(digits: Tensor, count: int = 60) -> list[tuple[str, bytes]]:
    """Names and bytes of files, in the order of their names."""
    return [(f"{'ab'[place % 2]}/{place:03}.png", png(digits[place])) for place in range(count)]


def folder(path: Path, digits: Tensor, count: int = 60) -> Path:
    """The same in a folder."""
    for name, content in members(digits, count):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


@contextmanager
def handlers() -> Iterator[None]:
    """The signal handlers are put back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Ctrl-C during a step."""
    advance = Run.advance

    def stopped(run: Run):
        if run.step == step:
            signal.raise_signal(signal.SIGINT)
        return advance(run)

    monkeypatch.setattr(Run, "advance", stopped)
