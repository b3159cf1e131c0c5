"""What is looked at of a file of weights before anything else opens it: whether it may run code, and how large it is.

Only safetensors files are read: numbers, and a header of JSON that says where they lie. Pickles run what they hold, and
most other files of models are pickles or programs inside. Those are known by their ending or their first bytes, so that
a sentence can say what to do; whatever is no safetensors file is refused all the same.
"""

import json
import re
from pathlib import Path
from typing import NamedTuple

MOST_HEADER = 4 * 2**20  # bytes of a header; one of MOST_ENTRIES tensors with long names has less
MOST_ENTRIES = 20_000  # tensors of a file; the largest autoencoders have some hundreds
# Kinds of numbers, as safetensors calls them, that can be read as float32; what is left out is complex, or packed.
NUMBERS = (
    *("BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64"),
    *("F8_E4M3", "F8_E5M2", "F16", "BF16", "F32", "F64"),
)
MOST_SIDES, LONGEST_SIDE = 8, 2**40  # of a tensor's shape; one with a side of 0 may claim any other without a byte
START = 2**16  # bytes that say what a file is
_SAVED = "`safetensors.torch.save_file(model.state_dict(), 'model.safetensors')`"


class Refusal(NamedTuple):
    """What a file is that is not read, and what to do."""

    what: str
    remedy: str


PICKLE = Refusal("it is a pickle, as `torch.save` writes it", f"Save the weights with safetensors: {_SAVED}.")
SCRIPT = Refusal(
    "it is a program, as TorchScript or `torch.export` write it, with pickles inside",
    f"Save the weights of the model that it was made from with safetensors: {_SAVED}.",
)
ONNX = Refusal(
    "it is an ONNX program, which may name libraries and other files",
    f"Save the weights of the model that it was exported from with safetensors: {_SAVED}.",
)
KERAS = Refusal(
    "it is an HDF5 or Keras file, which may hold functions",
    f"Save the weights of the same network in PyTorch with safetensors: {_SAVED}.",
)
NUMPY = Refusal("it is a NumPy file, which may hold pickles", f"Save the weights with safetensors: {_SAVED}.")
ARCHIVE = Refusal("it is an archive, which may hold pickles", "Unpack it, and give the folder or a safetensors file.")

ENDINGS = {
    **dict.fromkeys((".ckpt", ".pt", ".pth", ".bin", ".pkl", ".pickle", ".joblib", ".dill"), PICKLE),
    **dict.fromkeys((".pt2", ".ptl", ".torchscript", ".jit"), SCRIPT),
    ".onnx": ONNX,
    **dict.fromkeys((".h5", ".hdf5", ".keras"), KERAS),
    **dict.fromkeys((".npy", ".npz"), NUMPY),
    **dict.fromkeys((".zip", ".tar", ".gz", ".tgz", ".mar"), ARCHIVE),
}
# What begins so, in this order. ONNX has no mark of its own: it begins with its version and who wrote it.
BEGINNINGS = (
    (re.compile(rb"PK\x03\x04.*(constants\.pkl|/code/|archive_format|models/model\.json)", re.DOTALL), SCRIPT),
    (re.compile(rb"PK\x03\x04.*\.pkl", re.DOTALL), PICKLE),
    (re.compile(rb"PK(\x03\x04|\x05\x06)"), ARCHIVE),
    (re.compile(rb"\x80[\x02-\x05]"), PICKLE),
    # of protocols 0 and 1; names are bounded, for a long one would cost its length at every byte
    (re.compile(rb"[(\]}lcd].*c[A-Za-z_][\w.]{0,99}\n[A-Za-z_][\w.]{0,99}\n", re.DOTALL), PICKLE),
    (re.compile(rb"\x89HDF\r\n\x1a\n"), KERAS),
    (re.compile(rb"\x93NUMPY"), NUMPY),
    (re.compile(rb"\x1f\x8b|.{257}ustar", re.DOTALL), ARCHIVE),
    (re.compile(rb"\x08[\x01-\x20][\x12\x1a\x3a\x42]"), ONNX),
)


def check(path: Path, most: int | None = None) -> None:
    """ValueError, in a sentence or two, unless a file is safetensors as far as its header tells, and not too large.

    `most` is how many bytes the file may have, where a caller says so. Of the file no more than its first
    8 + MOST_HEADER bytes are read. What the header says of the tensors is left to the safetensors library.
    """
    if not path.is_file():
        raise ValueError(f"there is no weights file {path}")
    size = path.stat().st_size
    if most is not None and size > most:
        raise ValueError(f"{path} has {size / 1e6:.1f} MB, and at most {most / 1e6:.1f} MB are read")
    refuse_ending(path)
    try:
        with path.open("rb") as file:
            start = file.read(START)
            length = int.from_bytes(start[:8], "little")
            # a pickle's first bytes may be those of a length, so that what follows decides
            if length > size - 8 or start[8:9] != b"{":
                _refuse_content(path, start)
                raise ValueError(f"{path} is not a readable safetensors file: it does not begin with a header")
            if length > MOST_HEADER:
                raise ValueError(
                    f"{path} is not read: its safetensors header has {length:,} bytes, of at most {MOST_HEADER:,}"
                )
            file.seek(8)
            header = file.read(length)
    except OSError as error:
        raise ValueError(f"{path} is not a readable safetensors file: {error}") from error
    _check_header(path, header)


def refuse_ending(path: Path) -> None:
    """ValueError where a file's ending is one of those that may run code, whatever it holds."""
    if refusal := ENDINGS.get(path.suffix.lower()):
        raise ValueError(_sentence(path, refusal))


def _refuse_content(path: Path, start: bytes) -> None:
    """ValueError where the first bytes are those of a file that may run code."""
    for beginning, refusal in BEGINNINGS:
        if beginning.match(start):
            raise ValueError(_sentence(path, refusal))


def _sentence(path: Path, refusal: Refusal) -> str:
    return f"{path} is not read: {refusal.what}, and may run code when it is opened. {refusal.remedy}"


def _check_header(path: Path, header: bytes) -> None:
    try:
        entries = json.loads(header)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} is not a readable safetensors file: its header is not JSON: {str(error)[:100]}"
        ) from error
    if len(entries) > MOST_ENTRIES:
        raise ValueError(
            f"{path} is not read: its safetensors header has {len(entries):,} entries, of at most {MOST_ENTRIES:,}"
        )
    for name, entry in entries.items():
        if name != "__metadata__" and not (isinstance(entry, dict) and _is_plain(entry)):
            raise ValueError(
                f"{path} is not a readable safetensors file: {name[:80]!r} is not a tensor of whole or floating-point "
                f"numbers with at most {MOST_SIDES} sides"
            )


def _is_plain(entry: dict) -> bool:
    shape = entry.get("shape")
    return (
        entry.get("dtype") in NUMBERS
        and isinstance(shape, list)
        and len(shape) <= MOST_SIDES
        and all(type(side) is int and 0 <= side <= LONGEST_SIDE for side in shape)
    )
