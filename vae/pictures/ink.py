"""One light thing on black, as the models of digits and garments know it: found, cut out, fitted and centred."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy import ndimage

from vae.pictures.ground import Grey, cut_out, flat, grey, is_clean, is_light, things, unevenness, without_specks
from vae.pictures.kept import colours, correlation, edges, ground
from vae.pictures.steps import Content, ImageError, Preparation, Trail, fitting, place, resize

KEPT = "Not needed: it is as the model knows it"
EMPTY = "There is nothing on this picture: draw or photograph one thing that stands out from its background."


@dataclass
class Sheet:
    """A drawing on its way, light ink on a dark ground, and what the steps before have decided about it."""

    ink: Grey  # in [0, 1], but for what comes before the contrast
    size: tuple[int, int]  # (height, width) of the picture that the model reads
    trail: Trail
    ready: bool  # it is as the model knows it, so that nothing is done to it unasked
    original: Grey  # as it came
    colours: float = 1.0  # how much of its colours the grey tells
    swapped: bool = False  # what looks like the ground is the ink, as the visitor wants it
    cut: bool = False  # there is no paper around the ink
    share: float = 1.0  # of the model's picture: what the ink is to fit in

    @property
    def box(self) -> tuple[int, int]:
        """(height, width) that the ink is to fit in."""
        return max(1, round(self.size[0] * self.share)), max(1, round(self.size[1] * self.share))

    def wants(self, step: "InkStep") -> bool:
        """Whether a step is done that only pictures as the model knows them can do without."""
        return self.trail.decide(step.name, not self.ready)

    def take(self, step: "InkStep", ink: Grey, done: str, applied: bool = True, otherwise: str = KEPT) -> None:
        """The ink after a step, which `done` tells; `otherwise` where it was not needed."""
        self.ink = ink
        self.trail.add(step.name, done, ink, applied, KEPT if self.ready else otherwise)


class InkStep(ABC):
    """What is done to a sheet, under the name of its switch."""

    name: ClassVar[str]

    @property
    def switchable(self) -> bool:
        """Whether a visitor may overrule it."""
        return True

    @abstractmethod
    def __call__(self, sheet: Sheet) -> None:
        """Does it, and records that."""


@dataclass(frozen=True)
class Layout:
    """Where all pictures of a data set have their ink: the longer side fills the box, the mass is in the middle.

    What is merely as small as they are was drawn by hand, and is too high, too large or too thin.
    """

    box: float  # of the picture; the ink may be a pixel smaller
    off: float  # pixels that the mass may lie beside the middle

    def fits(self, ink: Grey) -> bool:
        """Whether light ink on black lies like that."""
        if not ink.any():
            return False
        height, width = ink.shape
        side = max(np.ptp(np.nonzero(ink.max(axis))[0]) + 1 for axis in (1, 0))
        most = round(self.box * height)
        off = np.array(ndimage.center_of_mass(ink)) - (height / 2, width / 2)
        return bool(most - 1 <= side <= most and np.abs(off).max() < self.off)


@dataclass(frozen=True)
class Ink(Preparation):
    """One light thing on black. Pictures from a data set, or made for the model, are left as they are: those of its
    size, on clean black or white, that lie as `layout` says, where there is one."""

    steps: tuple[InkStep, ...]
    layout: Layout | None = None

    @property
    def switches(self) -> tuple[str, ...]:
        """The names of the steps that may be overruled, in their order."""
        return tuple(step.name for step in self.steps if step.switchable)

    def __call__(
        self, picture: UInt8[np.ndarray, "h w *c"], shape: tuple[int, int, int], trail: Trail
    ) -> Float[np.ndarray, "height width"]:
        """See `Preparation`; ImageError where nothing stands out."""
        _, height, width = shape
        ink, by = grey(picture / np.float32(255))
        trail.add("grey", f"Turned to grey by {by}", ink, picture.ndim == 3, "It is grey")
        if np.ptp(ink) < 0.03:
            raise ImageError(EMPTY)
        ready, told = self._is_ready(ink, (height, width)), colours(picture, ink)
        sheet = Sheet(ink, (height, width), trail, ready, original=ink, colours=told)
        for step in self.steps:
            step(sheet)
        return sheet.ink

    def _is_ready(self, ink: Grey, size: tuple[int, int]) -> bool:
        black, white = np.mean(ink < 0.01), np.mean(ink > 0.99)
        if ink.shape != size or max(black, white) <= 0.05:
            return False
        return self.layout is None or self.layout.fits(1 - ink if white > black else ink)


# ---- the steps ----


class Invert(InkStep):
    """Makes the ink light."""

    name = "invert"

    def __call__(self, sheet: Sheet) -> None:
        ink = sheet.ink
        light = bool(np.mean(ink > 0.99) > np.mean(ink < 0.01)) if sheet.ready else is_light(ink)
        invert = sheet.trail.decide(self.name, light)
        sheet.ink = 1 - ink if invert else ink
        sheet.swapped = invert != light
        done = "Swapped light and dark: the ink becomes light"
        sheet.trail.add(self.name, done, sheet.ink, invert, "The ink is light already")


class Background(InkStep):
    """Takes away what light and shadow do to paper."""

    name = "background"

    def __call__(self, sheet: Sheet) -> None:
        uneven = not sheet.ready and not is_clean(sheet.ink) and unevenness(sheet.ink) > 0.06
        apply = sheet.trail.decide(self.name, bool(uneven))
        ink = flat(sheet.ink) if apply else sheet.ink
        sheet.take(self, ink, "Evened out the light", apply, "The light is even")


@dataclass(frozen=True)
class Contrast(InkStep):
    """Makes the ground black and the ink white, by a function that finds both."""

    name = "contrast"
    stretched: Callable[[Grey], Grey]

    def __call__(self, sheet: Sheet) -> None:
        ink = sheet.ink
        apply = sheet.wants(self)
        if apply and sheet.swapped:
            ink = (ink - ink.min()) / np.ptp(ink)
        elif apply:
            ink = self.stretched(ink)
        sheet.take(self, np.clip(ink, 0, 1), "Stretched the contrast: background black, ink white", apply)


class Specks(InkStep):
    """Leaves only the pieces that matter."""

    name = "specks"

    def __call__(self, sheet: Sheet) -> None:
        ink = without_specks(sheet.ink) if sheet.wants(self) else sheet.ink
        removed = bool(((sheet.ink > 0.1) & (ink == 0)).any())
        sheet.take(self, ink, "Removed specks", removed, "No specks were found")


@dataclass(frozen=True)
class Cut(InkStep):
    """Cuts off the paper around the ink, which is then to fit in a share of the model's picture."""

    name = "crop"
    share: float = 1.0

    def __call__(self, sheet: Sheet) -> None:
        if not sheet.ready:
            original, ink = sheet.original, sheet.ink
            sheet.trail.content = Content(
                things=things(ink),
                kept=correlation(original, ink),
                edges=edges(original, ink),
                colours=sheet.colours,
                ground=ground(original, ink),
            )
        sheet.cut = sheet.wants(self)
        sheet.share = self.share if sheet.cut else 1.0
        sheet.take(self, cut_out(sheet.ink) if sheet.cut else sheet.ink, "Cut out the content", sheet.cut)


@dataclass(frozen=True)
class Stroke(InkStep):
    """Brings strokes that are far thinner or thicker than a data set's to its usual widths, in pixels of 28."""

    name = "stroke"
    least: float
    most: float

    def __call__(self, sheet: Sheet) -> None:
        mask, unit = self._enlarged(sheet)
        depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
        width = self._width(mask, depth, unit)
        wanted = min(max(width, self.least), self.most)
        apply = sheet.wants(self) and abs(width - wanted) > 0.1
        ink = sheet.ink
        if apply:
            outside = ndimage.distance_transform_edt(~mask)
            ink = np.clip(depth - outside + (wanted - width) / 2 * unit + 0.5, 0, 1).astype(np.float32)
            ink = cut_out(ink) if sheet.cut else ink
        way = "thicker" if wanted > width else "thinner"
        done = f"Made the strokes {way}: {width:.1f} to {wanted:.1f} pixels of 28"
        sheet.take(self, ink, done, apply, "The strokes are about as wide as usual")

    def _enlarged(self, sheet: Sheet) -> tuple[Bool[np.ndarray, "h w"], float]:
        """Where the ink is, large enough to measure its lines and with room for them to grow; and how many of these
        pixels make one of 28."""
        fine = max(2, 160 // max(sheet.box))  # times as many pixels as the model has
        drawn = resize(sheet.ink, *fitting(sheet.ink.shape, (fine * sheet.box[0], fine * sheet.box[1])))
        unit = fine * max(sheet.box) / (28 * sheet.share)
        room = math.ceil(self.least * unit) if sheet.cut else 0
        return np.pad(drawn > 0.5 * drawn.max(), room), unit

    def _width(self, mask: Bool[np.ndarray, "h w"], depth: Grey, unit: float) -> float:
        """The median width of the lines, in pixels of 28, by how deep their middles lie in the ink."""
        ridge = depth[mask & (depth == ndimage.maximum_filter(depth, 3))]
        return float((2 * np.median(ridge) - 1) / unit) if ridge.size else self.least


class Fit(InkStep):
    """Brings the ink to the size of its box."""

    name = "size"

    @property
    def switchable(self) -> bool:
        return False

    def __call__(self, sheet: Sheet) -> None:
        height, width = fitting(sheet.ink.shape, sheet.box)
        if (height, width) != sheet.ink.shape:
            sheet.take(self, resize(sheet.ink, height, width), f"Resized to {width} x {height}")


@dataclass(frozen=True)
class Centre(InkStep):
    """Puts the ink on a black page: its mass in the middle, or else its box."""

    name = "centre"
    by_mass: bool = False

    @property
    def switchable(self) -> bool:
        """A box lies in the middle with or without this step."""
        return self.by_mass

    def __call__(self, sheet: Sheet) -> None:
        apply = sheet.wants(self)
        page = np.array(sheet.size)
        free = page - sheet.ink.shape
        corner = free // 2
        if self.by_mass and apply and sheet.ink.any():
            mass = ndimage.center_of_mass(sheet.ink)  # MNIST's is at index 14.0 of 28
            corner = np.clip(np.rint(page / 2 - mass), 0, free).astype(int)
        ink = place(sheet.ink, sheet.size, int(corner[0]), int(corner[1]))
        sheet.take(self, ink, "Centred by mass" if self.by_mass else "Centred", apply)
