"""How often a picture is called one that the model does not know: `python -m tests.benchmarks.strangers`.

Prints for each set and model the share of pictures that are called strange, in %, with its standard error, and beside
it what the ELBO alone would say, with a limit that calls as many known pictures strange. Known pictures are test
pictures that no judge was fitted on, brought in three ways; a model's own encodings of them are left out. Pictures that
the preparation refuses with a sentence count as called strange; their share is printed too.

`--photos FOLDER --icons FOLDER --letters FOLDER` add pictures of your own, of which no judge was fitted on any; any
other `--set NAME FOLDER` too, and an archive does for a folder. `--model NAME` measures one model only.

No picture that choices are made by is in the table (sixteen of the measures, all but colours and ground, are older than
this rule). Of the files of your own it shows those whose CRC-32
is odd, `--choosing` the others; known pictures, and those that strangers are made of, are other test pictures for each,
and chance is seeded anew. Choose by `--choosing` alone, and print the table when the choice is made.

The README's sets: photos are 833 of birds, at most 768 pixels long, each a WebP file. Icons in colour are the 64-pixel
PNG files of npm's `emoji-datasource-google` 16.0.0 and the SVG files of `@iconify-json/twemoji` 1.2.5, icons of lines
those of `@iconify-json/lucide` 1.2.137 and `@iconify-json/tabler` 1.2.41 without the filled ones; all SVG is rendered
in its colours, or black, on white, 256 pixels on a side with a tenth of the icon free on each. Letters are A-Z and a-z
of random typefaces in Debian, 256 pixels on a side, black on white. Painted portraits are 128 pixels on a side. At most
1,000 files of a set, the emoji and both sets of lines in equal parts.
"""

import argparse
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image

import vae
from tests.no_digits import KINDS
from tests.pictures.small_digits import everything
from tests.registry import VECTORS
from vae import data
from vae.evaluate import judge, strangers
from vae.evaluate.judge import Seen
from vae.inference import familiar
from vae.inference.familiar import Judges, Level
from vae.inference.record import sketch
from vae.models import VAE, pretrained
from vae.pictures.files import on_disk

HELD_OUT = 400  # known pictures in each half, at most, and a fifth of those that no judge was fitted on
BATCH = 50  # pictures that are measured together
TABLE, CHOOSING = 1, 0  # the halves of all pictures: what a file's CRC-32 leaves when it is halved


def blank(chance: np.random.Generator) -> bytes:
    """One colour, or next to nothing on it."""
    picture = np.full((300, 300), chance.integers(0, 256), np.uint8)
    if chance.random() < 0.5:
        top, left = chance.integers(20, 280, 2)
        picture[top : top + 2, left : left + 2] = 255 - picture[0, 0]
    return strangers.saved(Image.fromarray(picture))


def hand_drawn() -> list[bytes]:
    """Digits drawn at 28 x 28 pixels, ten times enlarged."""
    return [strangers.saved(image.resize((280, 280), Image.Resampling.NEAREST)) for _, image in everything()]


def rows_of(dataset: str, half: int) -> torch.Tensor:
    """Test pictures that no judge was fitted on: of the first two lots one for each half, and after them every other
    one."""
    _, others = judge.split(dataset)
    lot = lot_of(dataset)
    return torch.cat([others[half * lot : (half + 1) * lot], others[2 * lot + half :: 2]])


def lot_of(dataset: str) -> int:
    """How many known pictures there are in each half."""
    return min(HELD_OUT, len(judge.split(dataset)[1]) // 5)


Files = Callable[[np.random.Generator], list[bytes]]


def sets(name: str, half: int, count: int) -> dict[str, Files]:
    """What makes the files of each set, known ones first."""
    dataset, preparation = data.DATASETS[name], data.DATASETS[name].spec.preparation
    images, shade = strangers.levels(data.test_set(name).images), strangers.SHADE.get(preparation)
    known, ways = images[rows_of(name, half)[: min(lot_of(name), 2 * count)]], strangers.ways(dataset.spec)

    def brought(way: Callable, some: np.ndarray, shade: float | None) -> Files:
        return lambda chance: [way(picture, chance, shade or 0.0) for picture in some]

    def made(make: Callable[[np.random.Generator], bytes]) -> Files:
        return lambda chance: [make(chance) for _ in range(count)]

    found = {f"{dataset.title}, {word}": brought(way, known, shade) for word, way in ways.items()}
    if shade == 0:
        found["the same in uneven light"] = brought(strangers.on_paper, known[:count], 0.3)
    if preparation in strangers.MORE:
        more = strangers.MORE[preparation](count, np.random.default_rng([half, 1]))
        found["straight strokes, enlarged ten times"] = brought(strangers.enlarged, more, shade)
    drawings = {"digits drawn by hand, 28 x 28": lambda _: hand_drawn()}
    if preparation == "digit":
        found |= drawings
    makers = strangers.strangers(name, {each: rows_of(each, half) for each in strangers.beside(name)}) | {
        "blank": blank
    }
    found |= {word: made(make) for word, make in makers.items()}
    if preparation != "digit":
        found |= drawings
    return found | {"drawings of other things": lambda _: [strangers.saved(kind()) for kind in KINDS]}


def prepared(dataset: str, half: int, number: int, files: Files) -> tuple[Seen, int]:
    """The pictures of a set as models read them, and how many files their preparation refused."""
    found = files(np.random.default_rng([7, half, number]))
    seen = judge.seen(data.DATASETS[dataset].spec, found)
    return seen, len(found) - len(seen.x)


def elbo(model: VAE, x: Float[torch.Tensor, "n c h w"]) -> Float[torch.Tensor, " n"]:
    """Of each picture, nats."""
    found = [torch.zeros(0)]
    for part in x.split(BATCH):
        seen = sketch(model, part)
        found.append(seen.reconstruction - seen.kl_per_dimension.sum(1))
    return torch.cat(found)


def row(word: str, strange: torch.Tensor, by_elbo: torch.Tensor, refused: int) -> str:
    """One line of the table."""
    count = len(strange) + refused
    shares = [(int(one.sum()) + refused) / count for one in (strange, by_elbo)]
    error = 100 * (shares[0] * (1 - shares[0]) / count) ** 0.5
    refused_ = f"{100 * refused / count:6.1f}" if refused else "      "
    return f"{word[:38]:38} {count:5} {100 * shares[0]:6.1f} ± {error:3.1f} {refused_} {100 * shares[1]:10.1f}"


def measure(name: str, pictures: dict[str, tuple[Seen, int]]) -> None:
    """The table of one model."""
    model, dataset = vae.load_pretrained(name), pretrained.load_card(name)["data"]["name"]
    fitted = Judges.load(pretrained.folder_of(name) / pretrained.JUDGE)
    _, others = judge.split(dataset)
    lot = lot_of(dataset)
    company = judge.company_of(pretrained.folder_of(name), others[2 * lot :])
    files = in_the_data_set(dataset, others[2 * lot : 3 * lot])
    limit = elbo(model, judge.seen(model.input_spec, files).x).quantile(familiar.FLAGGED)
    print(f"\n{name:38} {'n':>5} {'strange, %':>12} {'refused':>6} {'ELBO alone':>10}")
    for word, (seen, refused) in pictures.items():
        verdicts = familiar.judged(model, company, fitted, *seen)
        strange = torch.tensor([verdict.level == Level.STRANGE for verdict in verdicts])
        print(row(word, strange, elbo(model, seen.x) < limit, refused), flush=True)


def in_the_data_set(name: str, rows: torch.Tensor) -> list[bytes]:
    """Known pictures as they are there."""
    return [strangers.saved(Image.fromarray(picture)) for picture in strangers.levels(data.test_set(name).images[rows])]


def read(folder: Path, half: int, most: int, chance: np.random.Generator) -> list[bytes]:
    """Random files of a half of a folder or an archive."""
    files, _ = on_disk(folder)
    found = []
    for number in chance.permutation(len(files)):
        file = files[number].read()
        if len(found) < most and zlib.crc32(file) % 2 == half:
            found.append(file)
    return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for word in ("photos", "icons", "letters"):
        parser.add_argument(f"--{word}", type=Path, metavar="FOLDER")
    parser.add_argument("--set", nargs=2, action="append", default=[], metavar=("NAME", "FOLDER"))
    parser.add_argument("--model", choices=VECTORS)
    parser.add_argument(
        "--pictures",
        type=int,
        default=200,
        metavar="N",
        help="of each set, at most, of known ones twice as many (default: 200)",
    )
    parser.add_argument("--choosing", action="store_true", help="the half of all pictures that choices are made by")
    options = parser.parse_args()
    half = CHOOSING if options.choosing else TABLE
    given = {word: getattr(options, word) for word in ("photos", "icons", "letters") if getattr(options, word)}
    given |= {word: Path(folder) for word, folder in options.set}
    folders = {word: partial(read, folder, half, options.pictures) for word, folder in given.items()}
    torch.set_num_threads(1)
    names = [options.model] if options.model else VECTORS
    by_dataset = {pretrained.load_card(name)["data"]["name"]: [] for name in names}
    for name in names:
        by_dataset[pretrained.load_card(name)["data"]["name"]].append(name)
    for dataset, models in by_dataset.items():  # each picture is prepared once for all of them
        every = enumerate((sets(dataset, half, options.pictures) | folders).items())
        pictures = {word: prepared(dataset, half, number, files) for number, (word, files) in every}
        for name in models:
            measure(name, pictures)


if __name__ == "__main__":
    main()
