"""The numbers of a model whose z is a map: of each kind of pictures that it never saw, what comes back, at what cost.

Beside each stands what the Karhunen-Loeve transform does that was fitted to the pictures that the model was trained on.
"""

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from vae import data
from vae.data.bank import Bank
from vae.distributions import bits_per_dimension, kl, kl_per_dimension, psnr, reparameterised
from vae.evaluate.fidelity import Linear, ms_ssim
from vae.models import Spatial
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
SEED = 0
# Two codecs beside the model, from small files to large ones: their names, and their qualities.
CODECS = {"JPEG": (5, 15, 30, 50, 70, 85, 93), "WebP": (0, 10, 30, 50, 70, 85, 93)}
EXAMPLES = {"photos": 5, "fonts": 1}  # that ship, of the kinds that may: they are CC0, or drawn here
TILE, ACROSS = 64, 10  # pixels on a side of a thumbnail, and how many lie side by side


@dataclass(frozen=True)
class Came:
    """One picture: PSNR of z's first channels, sampled, and of all at their means, dB, and of the linear code of as
    many numbers; what they cost, in bits per pixel; -ELBO in bits per dimension."""

    psnr: dict[int, float]
    rates: dict[int, float]
    linear: dict[int, float]
    at_mean: float
    ms_ssim: float
    rate: float
    bits_per_dimension: float
    channel: list[tuple[float, float]]  # (rate, PSNR) of the linear channel
    codecs: dict[str, list[tuple[float, float]]]  # and of each codec


def transform(bank: Bank, mix: dict[str, float], channels: int) -> Transform:
    """The transform of training pictures."""
    train = bank.some(np.flatnonzero(bank.about["part"] == "train"))
    squares = data.grey(Crops(train, mix, SQUARE, FITTED)[torch.arange(FITTED)])
    return transform_of(blocks_of(squares).flatten(0, 2), channels)


def pictures(bank: Bank, kind: str, part: str = "test") -> Iterator[Float[Tensor, "1 3 h w"]]:
    """Some pictures of a kind, in the bank's order, those that are too small left out."""
    taken = 0
    for row in np.flatnonzero((bank.about["kind"] == kind) & (bank.about["part"] == part)).tolist():
        picture = bank.picture(row)
        height, width = (min(MOST, side) // STEP * STEP for side in picture.shape[:2])
        if min(height, width) < (LEAST if kind != "portraits" else SQUARE):
            continue
        top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
        yield torch.from_numpy(picture[top : top + height, left : left + width].copy()).permute(2, 0, 1)[None] / 255
        taken += 1
        if taken == EACH:
            return


@torch.inference_mode()
def came(model: Spatial, x: Float[Tensor, "1 3 h w"], fitted: Transform, generator: torch.Generator) -> Came:
    """What the model makes of one picture, and the transform."""
    q = model.encode(x)
    z = reparameterised(q, torch.randn(q.mean.shape, generator=generator))
    likelihood, nats = model.decode(z), kl(q, model.prior, z)
    all_channels = model.latents
    decoded = {k: model.decode(z, torch.tensor([k])).mean for k in KEPT if k < all_channels}
    decoded[all_channels] = likelihood.mean
    linear = {k: Linear(fitted, k)(x)[0] for k in decoded}
    channel = [Linear(fitted, all_channels, distortion)(x, generator) for distortion in DISTORTIONS]
    bits = kl_per_dimension(q, model.prior)[0].sum((1, 2)).cumsum(0) / math.log(2) / (x.shape[2] * x.shape[3])
    return Came(
        {k: float(psnr(_eight_bits(found), x)) for k, found in decoded.items()},
        {k: float(bits[k - 1]) for k in decoded},
        {k: float(psnr(_eight_bits(found), x)) for k, found in linear.items()},
        float(psnr(_eight_bits(model.decode(q.mean).mean), x)),
        float(ms_ssim(_eight_bits(likelihood.mean), x)) if min(x.shape[2:]) >= LEAST else math.nan,
        float(nats) / math.log(2) / (x.shape[2] * x.shape[3]),
        float(bits_per_dimension(nats - likelihood.log_prob(x), x[0].numel())),
        [(float(bits), float(psnr(_eight_bits(found), x))) for found, bits in channel],
        {name: [coded(x, name, quality) for quality in qualities] for name, qualities in CODECS.items()},
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
    fitted, generator, numbers = transform(bank, mix, model.latents), torch.Generator().manual_seed(SEED), {}
    for kind in mix:
        rows = [came(model, x, fitted, generator) for x in tqdm(pictures(bank, kind, part), desc=kind, disable=None)]
        if rows:
            numbers[kind] = _means(rows)
    return numbers


def _means(rows: list[Came]) -> dict:
    rates, levels = np.array([row.channel for row in rows]).mean(0).T  # from the lowest distortion's to the highest
    rate = float(np.mean([row.rate for row in rows]))
    similar = [row.ms_ssim for row in rows if not math.isnan(row.ms_ssim)]
    bits = [row.bits_per_dimension for row in rows]
    return {
        "pictures": len(rows),
        "psnr": {str(k): _mean([row.psnr[k] for row in rows]) for k in rows[0].psnr},
        "rates": {str(k): round(float(np.mean([row.rates[k] for row in rows])), 4) for k in rows[0].rates},
        "linear": {str(k): _mean([row.linear[k] for row in rows]) for k in rows[0].linear},
        "at_mean": _mean([row.at_mean for row in rows]),
        "ms_ssim": round(float(np.mean(similar)), 4) if similar else None,
        "rate": round(rate, 4),
        "linear_at_rate": round(float(np.interp(rate, np.sort(rates), levels[np.argsort(rates)])), 2),
        "bits_per_dimension": round(float(np.mean(bits)), 4),
        "error": round(float(np.std(bits, ddof=1) / len(bits) ** 0.5), 4) if len(bits) > 1 else None,
        "codecs": {
            name: np.array([row.codecs[name] for row in rows]).mean(0).round(3).tolist() for name in rows[0].codecs
        },
    }


def _mean(values: list[float]) -> float:
    return round(float(np.mean(values)), 2)


def examples(bank: Bank) -> Bank:
    """Some pictures that ship, of those that nothing was trained on."""
    chance, rows = np.random.default_rng(SEED), []
    for kind, count in EXAMPLES.items():
        own = np.flatnonzero((bank.about["kind"] == kind) & (bank.about["part"] == "test"))
        rows.append(np.sort(chance.permutation(own)[:count]))
    return bank.some(np.concatenate(rows))


def thumbnails(model: Spatial, bank: Bank, kind: str) -> Image.Image:
    """A sheet of what comes back of pictures of a kind that nothing was trained on, the middle of each, made small."""
    tiles = []
    for x in pictures(bank, kind):
        side = min(x.shape[2:])
        top, left = (x.shape[2] - side) // 2, (x.shape[3] - side) // 2
        square = x[:, :, top : top + side, left : left + side]
        tiles.append(F.interpolate(square, (TILE, TILE), mode="area"))
    tiles = tiles[: max(1, len(tiles) // ACROSS) * ACROSS]
    with torch.inference_mode():
        back = model.decode(model.encode(torch.cat(tiles)).mean).mean
    rows = back.mul(255).round().byte().unflatten(0, (-1, min(ACROSS, len(tiles)))).permute(0, 3, 1, 4, 2)
    return Image.fromarray(rows.flatten(2, 3).flatten(0, 1).numpy())


def limits(numbers: dict[str, dict]) -> list[str]:
    """What a user should know before trusting the model, from its own numbers."""
    sentences = [f"A picture of more than {WORK_SIDE:,} pixels on its long side is made smaller first."]
    most = str(max(KEPT))
    worst = min(numbers, key=lambda kind: numbers[kind]["psnr"][most])
    sentences.append(f"Of what it was measured on, {worst} come back worst: {numbers[worst]['psnr'][most]:.1f} dB.")
    losing = [kind for kind, one in numbers.items() if one["psnr"][most] < one["linear"][most]]
    if losing:
        sentences.append(f"Of {' and '.join(losing)} a linear code of as many numbers, without noise, gives more back.")
    return sentences
