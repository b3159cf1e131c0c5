"""How often a picture is called one that the model does not know: `python -m tests.benchmarks.strangers`.

Prints for each set and model the share of pictures that are called strange, in %, with its standard error, and beside
it what the ELBO alone would say, with a limit that calls as many known pictures strange. Known pictures are test
pictures that no judge was fitted on, brought in three ways; a model's own encodings of them are left out. Pictures that
the preparation refuses with a sentence count as called strange; their share is printed too.

`--photos FOLDER --icons FOLDER --letters FOLDER` add pictures of your own, of which no judge has seen any; any other
`--set NAME FOLDER` too, and an archive does for a folder. `--model NAME` measures one model only.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import vae
from tests.no_digits import KINDS
from tests.pictures.small_digits import everything
from vae import data
from vae.evaluate import judge, strangers
from vae.inference import familiar
from vae.inference.familiar import Judges
from vae.inference.looks import MEASURES
from vae.models import pretrained
from vae.pictures.files import on_disk

HELD_OUT = 400  # known pictures, in each of the ways that they are brought
SEED = 7


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


def sets(name: str, rows: torch.Tensor, count: int) -> dict[str, list[bytes]]:
    """The files of each set, known ones first."""
    dataset, preparation = data.DATASETS[name], data.DATASETS[name].spec.preparation
    pictures, chance = data.test_set(name).images[rows, 0].numpy(), np.random.default_rng(SEED)
    shade = strangers.SHADE[preparation]
    found = {
        f"{dataset.title}, {word}": [way(picture, chance, shade) for picture in pictures]
        for word, way in strangers.WAYS.items()
    }
    if shade == 0:
        found["the same in uneven light"] = [strangers.on_paper(picture, chance, 0.3) for picture in pictures[:count]]
    drawings = "digits drawn by hand, 28 x 28"
    if preparation == "digit":
        found[drawings] = hand_drawn()
    makers: dict[str, Callable[[np.random.Generator], bytes]]
    makers = strangers.strangers(name, {each: judge.split(each)[1] for each in data.DATASETS}) | {"blank": blank}
    found |= {word: [make(chance) for _ in range(count)] for word, make in makers.items()}
    if preparation != "digit":
        found[drawings] = hand_drawn()
    return found | {"drawings of other things": [strangers.saved(kind()) for kind in KINDS]}


def elbo(measures: torch.Tensor) -> torch.Tensor:
    """Of each picture, nats."""
    return measures[:, MEASURES.index("reconstruction")] - measures[:, MEASURES.index("kl")]


def row(word: str, strange: torch.Tensor, by_elbo: torch.Tensor, refused: int) -> str:
    """One line of the table."""
    count = len(strange) + refused
    shares = [(int(one.sum()) + refused) / count for one in (strange, by_elbo)]
    error = 100 * (shares[0] * (1 - shares[0]) / count) ** 0.5
    refused_ = f"{100 * refused / count:6.1f}" if refused else "      "
    return f"{word[:38]:38} {count:5} {100 * shares[0]:6.1f} ± {error:3.1f} {refused_} {100 * shares[1]:10.1f}"


def measure(name: str, folders: dict[str, list[bytes]], count: int) -> None:
    """The table of one model."""
    model, dataset = vae.load_pretrained(name), pretrained.load_card(name)["data"]["name"]
    fitted = Judges.load(pretrained.folder_of(name) / pretrained.JUDGE)
    _, others = judge.split(dataset)
    company, held_out = judge.company_of(name, others[HELD_OUT:]), others[:HELD_OUT]
    usual = elbo(judge.measures_of(model, company, [*sets_of_known(dataset, others[HELD_OUT : 2 * HELD_OUT])]))
    limit = usual.quantile(familiar.FLAGGED)
    print(f"\n{name:38} {'n':>5} {'strange, %':>12} {'refused':>6} {'ELBO alone':>10}")
    for word, files in (sets(dataset, held_out, count) | folders).items():
        measures = judge.measures_of(model, company, files)
        strange = fitted.shares(measures) < familiar.FLAGGED
        print(row(word, strange, elbo(measures) < limit, len(files) - len(measures)), flush=True)


def sets_of_known(name: str, rows: torch.Tensor) -> list[bytes]:
    """Other known pictures, as they are in the data set."""
    return [strangers.saved(Image.fromarray(picture)) for picture in data.test_set(name).images[rows, 0].numpy()]


def read(folder: Path, most: int) -> list[bytes]:
    """Random files of a folder or an archive."""
    files, _ = on_disk(folder)
    chosen = np.random.default_rng(SEED).permutation(len(files))[:most]
    return [files[number].read() for number in chosen]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for word in ("photos", "icons", "letters"):
        parser.add_argument(f"--{word}", type=Path, metavar="FOLDER")
    parser.add_argument("--set", nargs=2, action="append", default=[], metavar=("NAME", "FOLDER"))
    parser.add_argument("--model", choices=vae.list_pretrained())
    parser.add_argument("--pictures", type=int, default=300, metavar="N", help="of each set, at most (default: 300)")
    options = parser.parse_args()
    given = {word: getattr(options, word) for word in ("photos", "icons", "letters") if getattr(options, word)}
    given |= {word: Path(folder) for word, folder in options.set}
    folders = {word: read(folder, options.pictures) for word, folder in given.items()}
    torch.set_num_threads(1)
    for name in [options.model] if options.model else vae.list_pretrained():
        measure(name, folders, options.pictures)


if __name__ == "__main__":
    main()
