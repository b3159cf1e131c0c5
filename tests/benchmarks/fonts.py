"""Do digits from outside the data set land among their own kind: `python -m tests.benchmarks.fonts [--seed N]`.

Draws digits in the machine's fonts on papers of many kinds, saves them as image files, prepares them as the app does,
and takes the class by the 5 nearest encodings of the test set, as the map finds them. A refused picture counts as
wrong. Prints the share that is right, with 95 % Wilson intervals, and where the others went; first the same by the 5
nearest pictures, which no model has part in. `--wrong FILE` saves a sheet of the first model's wrong ones.
"""

import argparse
import io
import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

import vae
from vae import data
from vae.latent.encodings import Company, near
from vae.models import pretrained
from vae.pictures import ImageError, Prepared, prepare

FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts", "/Library/Fonts")
FOLDERS += ("/System/Library/Fonts", "~/Library/Fonts", "C:/Windows/Fonts")
SYMBOLS = ("D050000L", "Dingbats", "Symbol", "Wingdings", "Webdings", "Emoji")  # whose digits are no digits
FEWEST = 20
INSTALL = "apt-get install fonts-dejavu fonts-liberation fonts-freefont-ttf fonts-lato fonts-roboto-unhinted"
INSTALL += " fonts-open-sans fonts-quicksand fonts-comfortaa fonts-ebgaramond fonts-comic-neue fonts-sil-andika"
INSTALL += " fonts-opendyslexic fonts-inconsolata fonts-urw-base35 fonts-breip fonts-humor-sans fonts-isabella"
INSTALL += " fonts-dancingscript fonts-femkeklaver fonts-bwht fonts-rufscript fonts-kristi fonts-sjfonts fonts-klee"
INSTALL += " fonts-dkg-handwriting fonts-ecolier-court fonts-tomsontalks fonts-lobster fonts-leckerli-one"
MODELS = ("mnist", "mnist-2d")
CONTRAST = 3.0  # the least that is legible by WCAG 2.2, criterion 1.4.11
PAPERS = {"light": (200, 256), "dark": (0, 60), "coloured": (0, 256)}  # the levels of each colour channel
TEXTURES = ("plain", "gradient", "grain")


@dataclass(frozen=True)
class Sample:
    """A file with a digit in it, and how it was made."""

    digit: int
    font: str
    paper: str
    texture: str
    kind: str
    ink_is_dark: bool
    file: bytes


def families() -> dict[str, list[Path]]:
    """The font files whose ten digits are ten different shapes, by family."""
    found = defaultdict(list)
    paths = (path for folder in FOLDERS for path in Path(folder).expanduser().rglob("*"))
    for path in sorted(path for path in paths if path.suffix.lower() in (".ttf", ".otf")):
        try:
            font = ImageFont.truetype(path, 40)
            family = font.getname()[0]
            shapes = {bytes(font.getmask(str(digit))) for digit in range(10)}
        except OSError:
            continue
        if len(shapes) == 10 and all(map(any, shapes)) and not any(word in family for word in SYMBOLS):
            found[family].append(path)
    return found


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    """The contrast ratio of two colours, 0 to 255, by WCAG 2.2."""
    linear = [np.where(c <= 10, c / 3295, ((c / 255 + 0.055) / 1.055) ** 2.4) for c in (one, other)]
    low, high = sorted(float(c @ [0.2126, 0.7152, 0.0722]) for c in linear)
    return (high + 0.05) / (low + 0.05)


def colours(paper: str, texture: str, chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two colours that the paper changes between, and an ink legible on both."""
    while True:
        near = chance.integers(*PAPERS[paper], 3)
        far = np.clip(near + chance.integers(-40, 41), 0, 255) if texture == "gradient" else near
        ink = chance.integers(0, 256, 3)
        saturated = np.ptp(near) > 100 or paper != "coloured"
        if saturated and min(contrast(ink, near), contrast(ink, far)) >= CONTRAST:
            return near, far, ink


def draw(fonts: dict[str, list[Path]], chance: np.random.Generator) -> Sample:
    family = str(chance.choice(list(fonts)))
    path = fonts[family][chance.integers(len(fonts[family]))]
    digit, size = int(chance.integers(10)), int(np.exp(chance.uniform(*np.log((24, 400)))))
    paper, texture = str(chance.choice(list(PAPERS))), str(chance.choice(TEXTURES))
    near, far, ink = colours(paper, texture, chance)

    mask = Image.new("L", (2 * size, 2 * size))
    ImageDraw.Draw(mask).text((size, size), str(digit), 255, ImageFont.truetype(path, size), anchor="mm")
    mask = mask.rotate(chance.uniform(-8, 8), Image.Resampling.BICUBIC)
    mask = np.asarray(mask.crop(mask.getbbox())) / 255
    margin = max(4, size // 8)
    height, width = (n + 2 * margin + int(chance.uniform(0.2, 2) * size) for n in mask.shape)
    top, left = (int(chance.integers(margin, n - m - margin)) for n, m in zip((height, width), mask.shape, strict=True))
    cover = np.zeros((height, width, 1))
    cover[top : top + mask.shape[0], left : left + mask.shape[1], 0] = mask
    angle = chance.uniform(0, 2 * math.pi)
    y, x = np.mgrid[:height, :width]
    along = math.cos(angle) * x / width + math.sin(angle) * y / height
    along = (along - along.min())[..., None] / np.ptp(along)
    picture = ((1 - along) * near + along * far) * (1 - cover) + ink * cover
    if texture == "grain":
        picture = picture + chance.normal(0, 5, picture.shape)
    kind = str(chance.choice(["PNG", "JPEG", "WEBP"]))
    buffer = io.BytesIO()
    image = Image.fromarray(np.rint(picture.clip(0, 255)).astype(np.uint8))
    image.save(buffer, kind, **({} if kind == "PNG" else {"quality": int(chance.integers(30, 96))}))
    dark = contrast(ink, np.zeros(3)) < contrast(near, np.zeros(3))
    return Sample(digit, f"{family}: {path.stem}", paper, texture, kind, dark, buffer.getvalue())


def outcome(sample: Sample, prepared: Prepared | None) -> str:
    """What the preparation made of the polarity and the stroke."""
    if prepared is None:
        return "refused"
    steps = {step.name: step for step in prepared.steps}
    if steps["invert"].applied != sample.ink_is_dark and "luminance" in steps["grey"].text:
        return "ink taken for paper"
    return steps["stroke"].text.split(":")[0] if steps["stroke"].applied else "strokes as they were"


def bits(prepared: Prepared) -> torch.Tensor:
    """What the app shows the model of a prepared picture."""
    return data.binarise(prepared.picture, torch.Generator().manual_seed(data.BINARISATION_SEED))


def neighbours(name: str) -> Callable[[torch.Tensor], int]:
    """From bits (1, 1, 28, 28) to the commonest class among the 5 nearest encodings of the test set."""
    model, around = vae.load_pretrained(name, "cpu"), company(name)
    labels = data.load("mnist", "test").labels

    def classify(bits: torch.Tensor) -> int:
        with torch.inference_mode():
            nearest = near(around, model.encode(bits).mean).indices[0, :5]
        return int(labels[nearest].mode().values)

    return classify


def company(name: str) -> Company:
    return Company(*pretrained.load_encodings(name), data.load("mnist", "test").images)


def by_pixels(picture: torch.Tensor) -> int:
    """The commonest class among the 5 test pictures that are nearest to a prepared picture."""
    split = data.load("mnist", "test")
    distances = torch.cdist(picture.flatten(1), data.grey(split.images).flatten(1))[0]
    return int(split.labels[distances.topk(5, largest=False).indices].mode().values)


def own_accuracy(name: str) -> float:
    """The same measure on the test set's own digits, each among all others."""
    measured, labels = company(name).measured, data.load("mnist", "test").labels
    right = 0
    for at in range(0, len(measured), 1000):
        nearest = torch.cdist(measured[at : at + 1000], measured).topk(6, largest=False).indices[:, 1:]
        right += int((labels[nearest].mode(1).values == labels[at : at + 1000]).sum())
    return right / len(measured)


def wilson(right: int, count: int) -> str:
    """The share in percent with its 95 % interval."""
    z, share = 1.96, right / count
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return f"{100 * share:5.1f} % [{100 * (middle - half):4.1f}, {100 * (middle + half):4.1f}] of {count}"


def report(samples: list[Sample], outcomes: list[str], classes: list[int | None]) -> None:
    right = [sample.digit == found for sample, found in zip(samples, classes, strict=True)]
    print(f"{'all':24} {wilson(sum(right), len(right))}")
    groups = [[getattr(sample, what) for sample in samples] for what in ("paper", "texture", "kind")]
    for keys in [*groups, outcomes]:
        print()
        for key in sorted(set(keys)):
            hits = [hit for hit, other in zip(right, keys, strict=True) if other == key]
            print(f"{key:24} {wilson(sum(hits), len(hits))}")
    print(f"\ndrawn \\ found {''.join(f'{digit:5}' for digit in range(10))}")
    for digit in range(10):
        row = [found for sample, found in zip(samples, classes, strict=True) if sample.digit == digit]
        print(f"{digit:13} {''.join(f'{row.count(found) or chr(183):>5}' for found in range(10))}")
    by_font = defaultdict(list)
    for sample, hit in zip(samples, right, strict=True):
        by_font[sample.font.split(":")[0]].append(hit)
    print("\nworst families, wrong of drawn")
    for font, hits in sorted(by_font.items(), key=lambda item: -item[1].count(False))[:12]:
        print(f"{font:32} {hits.count(False):3} of {len(hits)}")


def sheet(path: str, rows: list[tuple[Sample, Prepared | None, int | None]]) -> None:
    """One cell for each wrong sample: the file, what was made of it, and what was found."""
    page = Image.new("RGB", (12 * 140, 90 * math.ceil(len(rows) / 12)), "grey")
    for n, (sample, prepared, found) in enumerate(rows):
        at = 140 * (n % 12), 90 * (n // 12)
        with Image.open(io.BytesIO(sample.file)) as file:
            page.paste(file.convert("RGB").resize((64, 64)), at)
        if prepared is not None:
            page.paste(Image.fromarray(prepared.steps[-1].image).resize((64, 64), 0), (at[0] + 66, at[1]))
        ImageDraw.Draw(page).text((at[0], at[1] + 66), f"{sample.digit}->{found} {sample.font.split(':')[0][:12]}")
    page.save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--wrong", metavar="FILE", help="save a sheet of the first model's wrong ones")
    options = parser.parse_args()
    torch.set_num_threads(1)
    fonts = families()
    print(f"{sum(map(len, fonts.values()))} fonts of {len(fonts)} families")
    if sum(map(len, fonts.values())) < FEWEST:
        parser.exit(1, f"That is fewer than {FEWEST}; more come with\n{INSTALL}\n")

    chance = np.random.default_rng(options.seed)
    samples = [draw(fonts, chance) for _ in range(options.count)]
    results: list[Prepared | None] = []
    spec = data.DATASETS["mnist"].spec
    for sample in samples:
        try:
            results.append(prepare(sample.file, spec))
        except ImageError:
            results.append(None)
    outcomes = [outcome(*pair) for pair in zip(samples, results, strict=True)]
    right = sum(
        result is not None and by_pixels(result.picture) == sample.digit
        for sample, result in zip(samples, results, strict=True)
    )
    print(f"\nby the 5 nearest test pictures, without a model: {wilson(right, len(samples))}")
    for name in MODELS:
        classify = neighbours(name)
        classes = [None if result is None else classify(bits(result)) for result in results]
        print(f"\n== {name}: 5 nearest encodings; the test set's own digits {100 * own_accuracy(name):.1f} %\n")
        report(samples, outcomes, classes)
        if options.wrong and name == MODELS[0]:
            rows = zip(samples, results, classes, strict=True)
            sheet(options.wrong, [row for row in rows if row[0].digit != row[2]])


if __name__ == "__main__":
    main()
