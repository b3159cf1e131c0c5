"""Files that are there whole or not at all, and that everybody may read whom the umask lets."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

DRAFTS = ".*.draft"


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A draft to write to, which then becomes `path` in one step; of an error, or a full disk, nothing stays.

    The file gets the mode that the umask gives any new one, whoever writes the draft. The folder is made if need be.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix, suffix = f".{path.name}.", DRAFTS[2:]
    with tempfile.TemporaryDirectory(
        prefix=prefix, suffix=suffix, dir=path.parent, ignore_cleanup_errors=True
    ) as folder:
        draft = Path(folder, path.name)
        draft.touch()
        mode = draft.stat().st_mode
        yield draft
        draft.chmod(mode)
        draft.replace(path)


def tidy(folder: Path) -> None:
    """Remove drafts of processes that were killed while they wrote."""
    for draft in folder.glob(DRAFTS):
        shutil.rmtree(draft, ignore_errors=True)


def save_tensors(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """A safetensors file, whole or not at all; OSError where it cannot be written."""
    with whole(path) as draft:
        try:
            save_file(tensors, draft, metadata)  # makes its file for the owner's eyes only
        except SafetensorError as error:
            raise _as_os_error(error, path) from error


def _as_os_error(error: SafetensorError, path: Path) -> OSError:
    """What the system said, which safetensors keeps in the text only."""
    code = re.search(r"os error (\d+)", str(error))
    return OSError(int(code[1]), os.strerror(int(code[1])), str(path)) if code else OSError(str(error))
