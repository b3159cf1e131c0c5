"""What x is and what z is: a picture before a model can read it, and the space of its latents."""

from dataclasses import dataclass

STEP = 8  # pixels on a side of the square that one place of a map speaks for
PREPARATIONS = ("digit", "garment", "drawing", "thing", "plain", "crop", "face", "photo")


@dataclass(frozen=True)
class Pictures:
    """The picture a model reads: its shape, its grey levels, and how an uploaded picture becomes one.

    `levels` is 2 for models of binarised pixels and 256 for models of 8-bit pixels.
    `preparation` says what `vae.pictures.prepare` does: "digit" (light ink on black, cropped, 20 x 20 box
    centred by mass, as MNIST was made), "garment" (light on black, cropped, 28 x 28, as Fashion-MNIST was made),
    "drawing" and "thing" (the same of whatever else is drawn, or stands out), "plain" (the largest centred crop of the
    right shape, in grey), "crop" (the same, colours kept), "face" (turned and scaled until the eyes lie where they do
    in portraits) or "photo" (the whole picture, whatever its size; `height` and `width` are None then).
    """

    channels: int = 1
    height: int | None = 28
    width: int | None = 28
    levels: int = 2
    preparation: str = "digit"

    def __post_init__(self):
        if self.channels not in (1, 3):
            raise ValueError(f"channels must be 1 or 3, not {self.channels}")
        if (self.height is None, self.width is None) != (self.preparation == "photo",) * 2:
            raise ValueError(
                f"a picture of any size is a photo, and nothing else is, not {self.preparation!r} of "
                f"{self.height} x {self.width}"
            )
        if self.height is not None and (self.height < 1 or self.width < 1):
            raise ValueError(f"a picture must have at least one pixel, not {self.height} x {self.width}")
        if self.levels not in (2, 256):
            raise ValueError(f"levels must be 2 or 256, not {self.levels}")
        if self.preparation not in PREPARATIONS:
            raise ValueError(f"preparation must be one of {', '.join(PREPARATIONS)}, not {self.preparation!r}")

    @property
    def shape(self) -> tuple[int, int | None, int | None]:
        """(channels, height, width)."""
        return self.channels, self.height, self.width

    @property
    def is_binary(self) -> bool:
        """Whether its pixels are bits."""
        return self.levels == 2

    @property
    def pixels(self) -> int:
        """The number of values in one picture: channels x height x width."""
        return self.channels * self.height * self.width


@dataclass(frozen=True)
class Vector:
    """z is one vector of `size` latents."""

    size: int

    def shape(self, height: int, width: int) -> tuple[int, ...]:
        """That of z, for a picture of so many pixels."""
        return (self.size,)


@dataclass(frozen=True)
class Layers:
    """z has several layers of latents, from the top; what a place in one of them means, those above it decide."""

    sizes: tuple[int, ...]

    @property
    def size(self) -> int:
        """The latents of all layers."""
        return sum(self.sizes)

    def shape(self, height: int, width: int) -> tuple[int, ...]:
        """That of z, for a picture of so many pixels."""
        return (self.size,)


@dataclass(frozen=True)
class Map:
    """z is a picture itself: `channels` numbers for each `step` x `step` pixels of x, whatever the size of x."""

    channels: int
    step: int

    def shape(self, height: int, width: int) -> tuple[int, ...]:
        """That of z, for a picture of so many pixels."""
        return self.channels, height // self.step, width // self.step


Latents = Vector | Layers | Map
