"""Pictures that a model knows, as people bring them, and pictures that it does not: what its judge is fitted on.

All of them are made here, from the two test sets and from chance; photographs, icons and letters, which the judge is
to tell as well, it has never seen (`python -m tests.benchmarks.strangers` shows it some).
"""

import io
import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFilter
from torch import Tensor

from vae import data
from vae.models.spaces import Pictures

Chance = np.random.Generator
Grey = UInt8[np.ndarray, "h w"]
Levels = UInt8[np.ndarray, "h w *c"]
SHEET = 320  # pixels on a side of a doodle
FINE = 8  # times as fine as a data set's pictures, while a stroke is drawn


def saved(image: Image.Image, kind: str = "PNG", **options: int) -> bytes:
    """The bytes of a picture's file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


# ---- pictures of a data set, as people bring them ----


def as_file(picture: Levels, chance: Chance, shade: float) -> bytes:
    """As it is in the data set."""
    return saved(Image.fromarray(picture))


def enlarged(picture: Grey, chance: Chance, shade: float) -> bytes:
    """Ten times as large, black on white or white on black, smooth or as a paint program draws: hard pixels."""
    levels = 255 - picture if chance.random() < 0.5 else picture
    if chance.random() < 0.5:
        return saved(Image.fromarray(levels).resize((280, 280), Image.Resampling.BICUBIC))
    return saved(Image.fromarray(levels).resize((280, 280), Image.Resampling.NEAREST))


def on_paper(picture: Grey, chance: Chance, shade: float) -> bytes:
    """As a photograph: coloured, off the middle of paper, in light that falls off, with grain and blur, a JPEG."""
    side = int(chance.integers(120, 300))
    height, width = (side + int(chance.uniform(0.05, 1.2) * side) for _ in range(2))
    top, left = int(chance.integers(0, height - side + 1)), int(chance.integers(0, width - side + 1))
    cover = np.zeros((height, width))
    large = Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC)
    cover[top : top + side, left : left + side] = np.asarray(large) / 255
    dark = chance.random() < 0.75
    levels = ((190, 255), (0, 90)) if dark else ((0, 50), (180, 255))
    paper, ink = (chance.uniform(*ends) for ends in levels)
    angle, (y, x) = chance.uniform(0, 2 * math.pi), np.mgrid[:height, :width]
    along = math.cos(angle) * x / width + math.sin(angle) * y / height
    light = (
        1 - (chance.uniform(0, shade) + chance.normal(0, 0.01, 3)) * ((along - along.min()) / np.ptp(along))[..., None]
    )
    grain = chance.normal(0, chance.uniform(0, 5), (height, width, 1)) + chance.normal(0, 1, (height, width, 3))
    colours = _dyed(cover[..., None], paper * chance.uniform(0.94, 1.06, 3), ink, chance) * light + grain
    image = Image.fromarray(np.rint(colours.clip(0, 255)).astype(np.uint8))
    image = image.filter(ImageFilter.GaussianBlur(chance.uniform(0, 1.2)))
    return saved(image, "JPEG", quality=int(chance.integers(50, 95)))


def _dyed(
    cover: Float[np.ndarray, "h w 1"], paper: Float[np.ndarray, " 3"], ink: float, chance: Chance
) -> Float[np.ndarray, "h w 3"]:
    """Levels from the paper's colour to that of the ink, half of the time by way of a colour, as a cloth's shades."""
    dye, depth = chance.normal(0, 1, 3), chance.uniform(0, 70) * (chance.random() < 0.5)
    dye = depth * (dye - dye.mean()) / np.abs(dye).max()
    return paper * (1 - cover) + (ink + 0.5 * dye) * cover + 4 * dye * cover * (1 - cover)


def sent_on(picture: Levels, chance: Chance, shade: float) -> bytes:
    """Larger or smaller, and a JPEG, as what was sent from one to another."""
    side = int(chance.integers(48, 400))
    image = Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC)
    return saved(image, "JPEG", quality=int(chance.integers(60, 96)))


def relit(picture: Levels, chance: Chance, shade: float) -> bytes:
    """In a little more or less light, of a slightly other colour."""
    light = chance.uniform(0.85, 1.15) * chance.uniform(0.97, 1.03, picture.shape[2])
    return saved(Image.fromarray(np.rint((picture * light).clip(0, 255)).astype(np.uint8)))


WAYS = {"as in the data set": as_file, "enlarged ten times": enlarged, "photographed on paper": on_paper}
IN_COLOUR = {"as in the data set": as_file, "sent on": sent_on, "in other light": relit}


def ways(spec: Pictures) -> dict[str, Callable[[Levels, Chance, float], bytes]]:
    """How pictures of a kind are brought."""
    return WAYS if spec.channels == 1 else IN_COLOUR


# How much the light on the paper falls off: a garment's preparation keeps greys, and so it keeps shadows too.
SHADE = {"digit": 0.3, "drawing": 0.3, "garment": 0.0}


def strokes(count: int, chance: Chance) -> UInt8[np.ndarray, "n 28 28"]:
    """Ones as many people draw them, laid out as MNIST's: a straight stroke of any pen, upright or leaning a little.
    Nearly all of MNIST's lean or are bent, and by hand."""
    return np.stack([_stroke(chance) for _ in range(count)])


def _stroke(chance: Chance) -> UInt8[np.ndarray, "28 28"]:
    pen, middle = chance.uniform(1.6, 6) * FINE, 14 * FINE
    lean = math.radians(chance.uniform(-10, 22)) if chance.random() < 0.6 else 0.0
    y = (20 * FINE - pen * math.sin(abs(lean))) / 2
    x = y * math.tan(lean)
    image = Image.new("L", (28 * FINE, 28 * FINE))
    ImageDraw.Draw(image).line((middle - x, middle + y, middle + x, middle - y), 255, round(pen))
    return np.asarray(image.resize((28, 28), Image.Resampling.BOX))


# What people bring that a data set has too little of, by its preparation.
MORE = {"digit": strokes}


# ---- pictures of nothing that it knows ----


def collage(pictures: UInt8[np.ndarray, "n h w 3"], chance: Chance) -> bytes:
    """Some of a data set's pictures beside and below one another."""
    rows, columns = chance.integers(1, 4, 2)
    columns = columns + (rows * columns == 1)
    page = [np.hstack([pictures[chance.integers(len(pictures))] for _ in range(columns)]) for _ in range(rows)]
    return saved(Image.fromarray(np.vstack(page)))


def resized(pictures: UInt8[np.ndarray, "n h w"]) -> UInt8[np.ndarray, "n 28 28"]:
    """As large as those of MNIST."""
    if pictures.shape[1:] == (28, 28):
        return pictures
    return np.stack([np.asarray(Image.fromarray(one).resize((28, 28), Image.Resampling.BOX)) for one in pictures])


def several(pictures: UInt8[np.ndarray, "n rows columns"], chance: Chance) -> bytes:
    """A few of a data set's pictures on a sheet, or in a row."""
    page = _row(pictures, chance) if chance.random() < 0.4 else _sheet(pictures, chance)
    image = Image.fromarray(255 - page if chance.random() < 0.7 else page)
    return saved(image.resize((5 * image.width, 5 * image.height), Image.Resampling.BICUBIC))


def _row(pictures: UInt8[np.ndarray, "n rows columns"], chance: Chance) -> Grey:
    count, step = int(chance.integers(2, 5)), int(chance.integers(20, 32))
    page = np.zeros((40, step * count + 14), np.uint8)
    for number in range(count):
        place = page[6:34, step * number + 2 : step * number + 30]
        np.maximum(place, pictures[chance.integers(len(pictures))], out=place)
    return page


def _sheet(pictures: UInt8[np.ndarray, "n rows columns"], chance: Chance) -> Grey:
    side, count = int(chance.integers(2, 5)), int(chance.integers(2, 6))
    page = np.zeros((40 * side, 40 * side), np.uint8)
    for cell in chance.permutation(side**2)[:count]:
        top, left = 40 * np.array(divmod(int(cell), side)) + chance.integers(0, 12, 2)
        page[top : top + 28, left : left + 28] = pictures[chance.integers(len(pictures))]
    return page


def _colour(chance: Chance) -> tuple[int, ...]:
    return tuple(chance.integers(0, 256, 3).tolist())


def doodle(chance: Chance, is_filled: bool) -> bytes:
    """A few ellipses, boxes, polygons and curves over one another, in colours or as lines, on a plain ground."""
    white = chance.random() < 0.8
    ground = _colour(chance) if chance.random() < 0.3 else (255 * white,) * 3
    image = Image.new("RGB", (SHEET, SHEET), ground)
    pen = ImageDraw.Draw(image)
    line = (0, 0, 0) if sum(ground) > 380 else (255, 255, 255)
    for _ in range(int(chance.integers(1, 7))):
        colours = {"fill": _colour(chance)} if is_filled else {"outline": line, "width": int(chance.integers(6, 26))}
        _draw(pen, chance, colours)
    return saved(image.filter(ImageFilter.GaussianBlur(chance.uniform(0, 1.5))))


def emblem(chance: Chance) -> bytes:
    """A large shape in the middle and small ones on it, in colours or greys, as signs and icons are."""
    is_grey = chance.random() < 0.5
    image = Image.new("RGB", (SHEET, SHEET), (255 * (chance.random() < 0.8),) * 3)
    pen = ImageDraw.Draw(image)
    for number in range(int(chance.integers(2, 8))):
        fill = (int(chance.integers(0, 256)),) * 3 if is_grey else _colour(chance)
        places, sizes = ((140, 180), (70, 140)) if number == 0 else ((90, 230), (8, 50))
        _draw(pen, chance, {"fill": fill}, places, sizes)
    return saved(image.filter(ImageFilter.GaussianBlur(chance.uniform(0, 1.5))))


def _draw(
    pen: ImageDraw.ImageDraw,
    chance: Chance,
    colours: dict,
    places: tuple[int, int] = (60, 260),
    sizes: tuple[int, int] = (20, 130),
) -> None:
    (y, x), (h, w) = chance.uniform(*places, 2), chance.uniform(*sizes, 2)
    kind = chance.integers(4)
    if kind < 2:
        (pen.ellipse, pen.rectangle)[kind]((x - w, y - h, x + w, y + h), **colours)
    elif kind == 2:
        angles = np.sort(chance.uniform(0, 2 * math.pi, int(chance.integers(3, 9))))
        reach = chance.uniform(0.4, 1, len(angles))
        corners = zip((x + w * reach * np.cos(angles)).tolist(), (y + h * reach * np.sin(angles)).tolist(), strict=True)
        pen.polygon(list(corners), **colours)
    else:
        colour, width = colours.get("fill", colours.get("outline")), colours.get("width", int(chance.integers(6, 26)))
        pen.line(_curve(chance.uniform(40, 280, (int(chance.integers(2, 5)), 2))), colour, width, "curve")


def _curve(points: np.ndarray) -> list[tuple[float, ...]]:
    """Bézier's."""
    t, n = np.linspace(0, 1, 40)[:, None], len(points) - 1
    places = sum(math.comb(n, i) * (1 - t) ** (n - i) * t**i * point for i, point in enumerate(points))
    return [tuple(place) for place in places.tolist()]


def cloud(chance: Chance) -> bytes:
    """Noise with the spectrum of photographs, 1 / f^a (Field, 1987), at times with a subject before it."""
    shape = tuple(chance.integers(100, 300, 2).tolist())
    steepness, mix = chance.uniform(0.8, 2.2), chance.normal(0, 0.5, (3, 3)) + 1
    picture = _noise(shape, steepness, chance) @ mix
    picture /= picture.std()
    if chance.random() < 0.5:
        subject = _noise(shape, steepness, chance) @ mix
        subject = subject / subject.std() + 2 * chance.normal(size=3)
        y, x = (np.mgrid[: shape[0], : shape[1]].T / shape[::-1]).T - 0.5
        inside = _noise(shape, 2.2, chance)[..., :1] - (14.4 * (y**2 + x**2) - 1.2)[..., None]
        share = 1 / (1 + np.exp(-8 * inside))
        picture = picture * (1 - share) + subject * share
    levels = 128 + chance.uniform(30, 70) * picture
    return saved(Image.fromarray(np.rint(levels.clip(0, 255)).astype(np.uint8)))


def _noise(shape: tuple[int, ...], steepness: float, chance: Chance) -> np.ndarray:
    """Three channels of it, each of mean 0 and standard deviation 1."""
    frequencies = np.hypot(np.fft.fftfreq(shape[0])[:, None] * shape[0], np.fft.rfftfreq(shape[1]) * shape[1])
    frequencies[0, 0] = np.inf
    waves = chance.normal(size=(3, *frequencies.shape)) + 1j * chance.normal(size=(3, *frequencies.shape))
    noise = np.fft.irfft2(waves / frequencies**steepness, s=shape)
    return (noise / noise.std((1, 2), keepdims=True)).transpose(1, 2, 0)


def dots(chance: Chance) -> bytes:
    """Noise without any order, grey or coloured or black and white."""
    side = int(chance.choice([28, 100, 300]))
    if chance.random() < 0.5:
        return saved(Image.fromarray(chance.integers(0, 256, (side, side, 3), np.uint8)))
    return saved(Image.fromarray(255 * chance.integers(0, 2, (side, side), np.uint8)))


def levels(images: UInt8[Tensor, "n c h w"]) -> UInt8[np.ndarray, "n h w *c"]:
    """Pictures as files have them: grey ones without channels."""
    return images[:, 0].numpy() if images.shape[1] == 1 else images.permute(0, 2, 3, 1).numpy()


def beside(dataset: str) -> list[str]:
    """The data set, and those whose pictures its models are shown as strangers: all that have classes."""
    return [*(name for name, one in data.DATASETS.items() if one.class_names and name != dataset), dataset]


def strangers(dataset: str, rows: dict[str, Tensor]) -> dict[str, Callable[[Chance], bytes]]:
    """What makes pictures of each kind that the models of a data set do not know, of these rows of each set."""
    pictures = {name: levels(data.test_set(name).images[chosen]) for name, chosen in rows.items()}
    put = several if pictures[dataset].ndim == 3 else collage
    together = pictures[dataset] if put is collage else resized(pictures[dataset])
    others = [data.dataset_of(name) for name in rows if name != dataset]

    def of_another(other: data.Dataset | data.Gallery, way: Callable) -> Callable[[Chance], bytes]:
        own, shade = pictures[other.name], SHADE.get(other.spec.preparation, 0.0)
        return lambda chance: way(own[chance.integers(len(own))], chance, shade)

    return {
        **{f"{other.title}, {word}": of_another(other, way) for other in others for word, way in WAYS.items()},
        "several on a sheet": lambda chance: put(together, chance),
        "doodles, filled": lambda chance: doodle(chance, is_filled=True),
        "doodles, lines": lambda chance: doodle(chance, is_filled=False),
        "doodles, emblems": emblem,
        "clouds": cloud,
        "noise": dots,
    }
