"""The numbers of a model whose z is a map: of each kind of pictures that it never saw, what comes back, at what cost.

Beside each stands what the Karhunen-Loeve transform does that was fitted to the pictures that the model was trained on,
where these are known.
"""

import io
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.distributions import Distribution
from tqdm import tqdm

from vae import data
from vae.data.bank import Bank
from vae.distributions import bits_per_dimension, kl, kl_per_dimension, psnr, reparameterised
from vae.evaluate.fidelity import Linear, ms_ssim
from vae.models import Mapped, Spatial
from vae.models.families.spatial import Transform, blocks_of, transform_of
from vae.models.spaces import STEP
from vae.pictures.steps import WORK_SIDE
from vae.train.crops import Crops

KEPT = (4, 8, 16)  # channels
LEAST, MOST = 176, 768  # pixels on a side of a picture that is measured; larger ones are cut in the middle
EACH = 50  # pictures of a kind
FITTED = 1024  # squares of SQUARE pixels, to which the transform is fitted
SQUARE = 128
DISTORTIONS = tuple(10 ** (-step / 20) for step in range(44, 74, 2))  # of the linear channel: 22 to 36 dB
TRIED = (256, 512)  # pixels on the long side of photos that a network from elsewhere is asked for
PATIENCE = 120.0  # seconds of a core that it may take for the larger, and for others by their pixels
SEED = 0
# Two codecs beside the model, from small files to large ones: their names, and their qualities.
CODECS = {"JPEG": (5, 15, 30, 50, 70, 85, 93), "WebP": (0, 10, 30, 50, 70, 85, 93)}
EXAMPLES = {"photos": 5, "fonts": 1}  # that ship, of the kinds that may: they are CC0, or drawn here
TILE, ACROSS = 64, 10  # pixels on a side of a thumbnail, and how many lie side by side


@dataclass(frozen=True)
class Price:
    """What z's first channels cost, and all of them, in bits per pixel; -ELBO in bits per dimension."""

    rates: dict[int, float]
    rate: float
    bits_per_dimension: float


@dataclass(frozen=True)
class Transformed:
    """PSNR of the linear code of as many numbers, dB, and (rate, PSNR) of the linear channel."""

    psnr: dict[int, float]
    channel: list[tuple[float, float]]


@dataclass(frozen=True)
class Came:
    """One picture: PSNR of z's first channels, sampled, and of all at their means, dB."""

    psnr: dict[int, float]
    at_mean: float
    ms_ssim: float
    codecs: dict[str, list[tuple[float, float]]]  # (rate, PSNR) of each
    price: Price | None
    linear: Transformed | None


def transform(bank: Bank, mix: dict[str, float], channels: int) -> Transform:
    """The transform of training pictures."""
    train = bank.some(np.flatnonzero(bank.about["part"] == "train"))
    squares = data.grey(Crops(train, mix, SQUARE, FITTED)[torch.arange(FITTED)])
    return transform_of(blocks_of(squares).flatten(0, 2), channels)


def pictures(bank: Bank, kind: str, part: str = "test", most: int = MOST) -> Iterator[Float[Tensor, "1 3 h w"]]:
    """Some pictures of a kind, in the bank's order, those that are too small left out; their middle where a side has
    more than `most` pixels."""
    taken = 0
    for row in np.flatnonzero((bank.about["kind"] == kind) & (bank.about["part"] == part)).tolist():
        picture = bank.picture(row)
        height, width = (min(most, side) // STEP * STEP for side in picture.shape[:2])
        if min(height, width) < (LEAST if kind != "portraits" else SQUARE):
            continue
        top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
        yield torch.from_numpy(picture[top : top + height, left : left + width].copy()).permute(2, 0, 1)[None] / 255
        taken += 1
        if taken == EACH:
            return


@torch.inference_mode()
def came(model: Mapped, x: Float[Tensor, "1 3 h w"], fitted: Transform | None, generator: torch.Generator) -> Came:
    """What the model makes of one picture, and the transform where there is one."""
    q = model.encode(x)
    z = reparameterised(q, torch.randn(q.mean.shape, generator=generator))
    likelihood, all_channels = model.decode(z), model.latents
    decoded = {k: model.decode(z, torch.tensor([k])).mean for k in KEPT if k < all_channels}
    decoded[all_channels] = likelihood.mean
    return Came(
        {k: float(psnr(_eight_bits(found), x)) for k, found in decoded.items()},
        float(psnr(_eight_bits(model.decode(q.mean).mean), x)),
        float(ms_ssim(_eight_bits(likelihood.mean), x)) if min(x.shape[2:]) >= LEAST else math.nan,
        {name: [coded(x, name, quality) for quality in qualities] for name, qualities in CODECS.items()},
        None if model.prior is None else _price(model, x, q, z, likelihood, list(decoded)),
        None if fitted is None else _transformed(fitted, x, list(decoded), generator),
    )


def _price(
    model: Mapped,
    x: Float[Tensor, "1 3 h w"],
    q: Distribution,
    z: Float[Tensor, "1 k rows columns"],
    likelihood: Distribution,
    kept: list[int],
) -> Price:
    pixels, nats = x.shape[2] * x.shape[3], kl(q, model.prior, z)
    bits = kl_per_dimension(q, model.prior)[0].sum((1, 2)).cumsum(0) / math.log(2) / pixels
    return Price(
        {k: float(bits[k - 1]) for k in kept},
        float(nats) / math.log(2) / pixels,
        float(bits_per_dimension(nats - likelihood.log_prob(x), x[0].numel())),
    )


def _transformed(
    fitted: Transform, x: Float[Tensor, "1 3 h w"], kept: list[int], generator: torch.Generator
) -> Transformed:
    channel = [Linear(fitted, max(kept), distortion)(x, generator) for distortion in DISTORTIONS]
    return Transformed(
        {k: float(psnr(_eight_bits(Linear(fitted, k)(x)[0]), x)) for k in kept},
        [(float(bits), float(psnr(_eight_bits(found), x))) for found, bits in channel],
    )


def coded(x: Float[Tensor, "1 3 h w"], name: str, quality: int) -> tuple[float, float]:
    """What a codec's file takes, its head included, in bits per pixel, and the PSNR of the picture in it, dB."""
    file = io.BytesIO()
    image = Image.fromarray(x[0].mul(255).round().byte().permute(1, 2, 0).numpy())
    image.save(file, name.upper(), quality=quality, method=4)
    found = torch.from_numpy(np.array(Image.open(file).convert("RGB"))).permute(2, 0, 1)[None] / 255
    return 8 * len(file.getvalue()) / (image.width * image.height), float(psnr(found, x))


def _eight_bits(picture: Tensor) -> Tensor:
    """As it is shown and saved."""
    return picture.mul(255).round().div(255)


def measured(model: Spatial, bank: Bank, mix: dict[str, float], part: str = "test") -> dict[str, dict]:
    """The numbers of each kind: means over its pictures, of PSNR the mean of each picture's."""
    fitted, generator = transform(bank, mix, model.latents), torch.Generator().manual_seed(SEED)
    found = {
        kind: [came(model, x, fitted, generator) for x in tqdm(pictures(bank, kind, part), desc=kind, disable=None)]
        for kind in mix
    }
    return {kind: _means(rows) for kind, rows in found.items() if rows}


def measured_on(model: Mapped, bank: Bank, kind: str, side: int) -> dict[str, dict]:
    """The same numbers of the middle of each picture of one kind, without a transform: of a network whose training
    pictures are not here."""
    generator = torch.Generator().manual_seed(SEED)
    return {kind: _means([came(model, x, None, generator) for x in pictures(bank, kind, most=side)])}


def _means(rows: list[Came]) -> dict:
    similar = [row.ms_ssim for row in rows if not math.isnan(row.ms_ssim)]
    prices, linear = [row.price for row in rows if row.price], [row.linear for row in rows if row.linear]
    priced = _priced(prices) if prices else {}
    return {
        "pictures": len(rows),
        "psnr": {str(k): _mean([row.psnr[k] for row in rows]) for k in rows[0].psnr},
        "at_mean": _mean([row.at_mean for row in rows]),
        "ms_ssim": round(float(np.mean(similar)), 4) if similar else None,
        **priced,
        **(_beside(linear, priced["rate"]) if linear else {}),
        "codecs": {
            name: np.array([row.codecs[name] for row in rows]).mean(0).round(3).tolist() for name in rows[0].codecs
        },
    }


def _priced(rows: list[Price]) -> dict:
    bits = [row.bits_per_dimension for row in rows]
    return {
        "rates": {str(k): round(float(np.mean([row.rates[k] for row in rows])), 4) for k in rows[0].rates},
        "rate": round(float(np.mean([row.rate for row in rows])), 4),
        "bits_per_dimension": round(float(np.mean(bits)), 4),
        "error": round(float(np.std(bits, ddof=1) / len(bits) ** 0.5), 4) if len(bits) > 1 else None,
    }


def _beside(rows: list[Transformed], rate: float) -> dict:
    rates, levels = np.array([row.channel for row in rows]).mean(0).T  # from the lowest distortion's to the highest
    return {
        "linear": {str(k): _mean([row.psnr[k] for row in rows]) for k in rows[0].psnr},
        "linear_at_rate": round(float(np.interp(rate, np.sort(rates), levels[np.argsort(rates)])), 2),
    }


def refuse_slow(model: Mapped) -> None:
    """ValueError where a network makes more of a photo than pages can show, or takes longer for one than anybody waits.

    It is tried on small photos first: one that is refused has taken a few minutes at most.
    """
    space = model.config.space
    if space.channels > space.step**2:
        raise ValueError(
            f"it makes {space.channels} numbers of {space.step} x {space.step} pixels, and at most {space.step**2} "
            "can be shown"
        )
    for side in (64, 128, *TRIED):
        x, began = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(SEED)), time.process_time()
        with torch.inference_mode():
            model.decode(model.encode(x).mean)
        took, most = time.process_time() - began, PATIENCE * (side / max(TRIED)) ** 2
        if took > most:
            raise ValueError(
                f"it is too slow for this computer: a photo of {side} x {side} pixels takes it {took:.1f} seconds, and "
                f"at most {most:.1f} can be waited for"
            )


def _mean(values: list[float]) -> float:
    return round(float(np.mean(values)), 2)


def examples(bank: Bank) -> Bank:
    """Some pictures that ship, of those that nothing was trained on."""
    chance, rows = np.random.default_rng(SEED), []
    for kind, count in EXAMPLES.items():
        own = np.flatnonzero((bank.about["kind"] == kind) & (bank.about["part"] == "test"))
        rows.append(np.sort(chance.permutation(own)[:count]))
    return bank.some(np.concatenate(rows))


def thumbnails(model: Mapped, bank: Bank, kind: str) -> Image.Image:
    """A sheet of what comes back of pictures of a kind that nothing was trained on, made small: the middle of each, of
    few pictures more of each."""
    squares = [_squares(x) for x in pictures(bank, kind)]
    each = -(-ACROSS // len(squares))
    tiles = [square for pieces in squares for square in pieces[:each]]
    tiles = tiles[: max(1, len(tiles) // ACROSS) * ACROSS]
    with torch.inference_mode():
        back = model.decode(model.encode(torch.cat(tiles)).mean).mean
    rows = back.mul(255).round().byte().unflatten(0, (-1, min(ACROSS, len(tiles)))).permute(0, 3, 1, 4, 2)
    return Image.fromarray(rows.flatten(2, 3).flatten(0, 1).numpy())


def _squares(x: Float[Tensor, "1 3 h w"]) -> list[Float[Tensor, "1 3 side side"]]:
    """The middle of a picture, and its two ends, each made small."""
    side, (height, width) = min(x.shape[2:]), x.shape[2:]
    places = [((height - side) // 2, (width - side) // 2), (0, 0), (height - side, width - side)]
    return [
        F.interpolate(x[:, :, top : top + side, left : left + side], (TILE, TILE), mode="area") for top, left in places
    ]


def limits(numbers: dict[str, dict]) -> list[str]:
    """What a user should know before trusting the model, from its own numbers."""
    sentences = [f"A picture of more than {WORK_SIDE:,} pixels on its long side is made smaller first."]
    most = max(next(iter(numbers.values()))["psnr"], key=int)
    worst = min(numbers, key=lambda kind: numbers[kind]["psnr"][most])
    sentences.append(f"Of what it was measured on, {worst} come back worst: {numbers[worst]['psnr'][most]:.1f} dB.")
    losing = [kind for kind, one in numbers.items() if one["psnr"][most] < one["linear"][most]]
    if losing:
        sentences.append(f"Of {' and '.join(losing)} a linear code of as many numbers, without noise, gives more back.")
    return sentences


def limits_of_tried(numbers: dict) -> list[str]:
    """The same of a network from elsewhere."""
    return [
        f"A photo of more than {max(TRIED)} pixels on its long side is made smaller first.",
        f"What it has learned from is not known here. It was measured on {numbers['pictures']} photos of this lab, the "
        f"middle {TRIED[0]} x {TRIED[0]} pixels of each.",
    ]
