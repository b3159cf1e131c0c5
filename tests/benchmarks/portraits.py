"""What models make of portraits that they were never trained on, beside what principal components make of them.

    python -m tests.benchmarks.portraits [NAME] [--run DIR] [--pictures N]

Measures the weights that ship, or those in a run's folder, on the gallery's held-out pictures: -ELBO in bits per value
with its standard error, in nats, the KL in nats and in bits for each of 64 x 64 places; the mean of each picture's PSNR
and MS-SSIM, at the mean of q and at a sample of z. MS-SSIM is that of three scales, as 64 pixels have no more.

Beside it stand, fitted to the training pictures in the same run with as many numbers: principal components as they
are, without noise and so at no finite rate, and probabilistic ones with their exact posterior. Of these bits/value is
there twice: -ELBO of a normal over 256 levels, whose outermost bins hold the tails, and -log p(x) of the density, taken
as flat over each bin. What comes back is rounded to 256 levels, as it is shown.

Last, how far samples of the prior lie from real pictures: a Frechet distance in the features of a small network that
reads tags (`tests.benchmarks.tags`), of one half of the held-out pictures from as many others; the mean over many ways
to halve them, and its spread from one to another. Beside it the same of the other half itself, and of what the model
makes of it. Samples are means of p(x|z), as they are shown, at z from the prior, each layer's deviation times T.
"""

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.distributions import Independent

import vae
from tests.benchmarks import tags
from vae import data
from vae.data import gallery
from vae.data.catalogue import PORTRAITS
from vae.distributions import Joint, bits_per_dimension, kl, normal, psnr, reparameterised, rsample, standard_normal
from vae.evaluate.bounds import bound
from vae.evaluate.fidelity import ms_ssim
from vae.models import Model, checkpoint
from vae.train.recipes import RECIPES

SAMPLES, SEED = 4, 0  # of z, for each picture's ELBO
HALVINGS = 50
TEMPERATURES = (1.0, 0.8)
SCALES = 3  # of MS-SSIM: 64 pixels are 16 at the third, and its window has 11
AT_ONCE, FEWEST = 100, 4 * tags.FEATURES
OFTEN = 20  # held-out pictures that have a tag of which it is said how well it is read
HEADS = ("bits/value", "nats", "KL, nats", "bits/pixel", "PSNR mean, sample", "MS-SSIM mean, sample")
NAMES, WIDTHS = 32, (16, 9, 10, 12, 20, 23)  # letters of the table's columns


@dataclass(frozen=True)
class Linear:
    """Probabilistic principal components: p(z) = N(0, I), p(x|z) = N(mean + W z, s^2 I), with the exact posterior.

    Tipping and Bishop, Probabilistic Principal Component Analysis (1999), eq. 6 to 8, where W = U (L - s^2 I)^1/2.
    """

    mean: Float[Tensor, " d"]
    directions: Float[Tensor, "k d"]
    variances: Float[Tensor, " k"]
    noise: float  # s^2, the mean of the variances that are left

    @classmethod
    def of(cls, x: Float[Tensor, "n c h w"], k: int) -> "Linear":
        """The most likely one of these pictures; its components by a randomised decomposition."""
        flat = x.flatten(1)
        mean = flat.mean(0)
        flat = flat - mean
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            _, values, vectors = torch.svd_lowrank(flat, q=min(*flat.shape, k + 64), niter=4)
        variances = values[:k].square() / len(flat)
        left = float(flat.square().sum(0).sum() / len(flat) - variances.sum())
        return cls(mean, vectors[:, :k].T.contiguous(), variances, left / (len(mean) - k))

    def code(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """The places along the components."""
        return (x.flatten(1) - self.mean) @ self.directions.T

    def picture(self, code: Float[Tensor, "n k"]) -> Float[Tensor, "n c h w"]:
        """What a code says."""
        return (self.mean + code @ self.directions).unflatten(1, PORTRAITS.spec.shape)

    def posterior(self, x: Float[Tensor, "n c h w"]) -> Independent:
        """p(z|x)."""
        kept = (self.variances - self.noise).sqrt() / self.variances
        return normal(self.code(x) * kept, (self.noise / self.variances).sqrt().expand(len(x), -1))

    def decoded(self, z: Float[Tensor, "n k"]) -> Float[Tensor, "n c h w"]:
        """The mean of p(x|z)."""
        return self.picture(z * (self.variances - self.noise).sqrt())

    def log_density(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """log p(x) of x in [0, 1], nats."""
        flat, code = x.flatten(1) - self.mean, self.code(x)
        left = (flat.square().sum(1) - code.square().sum(1)) / self.noise
        values = self.variances.log().sum() + (flat.shape[1] - len(self.variances)) * math.log(self.noise)
        along = (code.square() / self.variances).sum(1)
        return -0.5 * (flat.shape[1] * math.log(2 * math.pi) + values + along + left)

    def log_levels(self, x: Float[Tensor, "n c h w"], z: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
        """log P(x|z) of a normal over 256 levels, nats: the outermost bins hold the tails."""
        away, scale, half = (x - self.decoded(z)).double(), self.noise**-0.5, 0.5 / 255
        upper, lower = (away + half) * scale, (away - half) * scale
        # log(cdf(u) - cdf(l)), from the side where both are small, so that the difference is not lost
        turned = lower > 0
        upper, lower = torch.where(turned, -lower, upper), torch.where(turned, -upper, lower)
        low, high = torch.special.log_ndtr(lower), torch.special.log_ndtr(upper)
        inside = high + torch.log(-torch.expm1(low - high))
        first, last = x < half, x > 1 - half
        below = torch.special.log_ndtr((away + half) * scale)
        above = torch.special.log_ndtr(-(away - half) * scale)
        return torch.where(first, below, torch.where(last, above, inside)).flatten(1).sum(1).float()


@dataclass(frozen=True)
class Row:
    """Of each picture: PSNR and MS-SSIM at the mean of q, and at a sample of z; -ELBO or -log p(x), and KL, nats."""

    psnr: tuple[Float[Tensor, " n"], ...] = ()
    likeness: tuple[Float[Tensor, " n"], ...] = ()
    nats: Float[Tensor, " n"] | None = None
    kl: Float[Tensor, " n"] | None = None

    def __str__(self) -> str:
        cells = ["", "", "", ""]
        if self.nats is not None:
            bits = bits_per_dimension(self.nats, PORTRAITS.spec.pixels)
            cells[:2] = f"{bits.mean():.3f} ± {bits.std() / len(bits) ** 0.5:.3f}", f"{self.nats.mean():.0f}"
        if self.kl is not None:
            places = PORTRAITS.spec.height * PORTRAITS.spec.width
            cells[2:] = f"{self.kl.mean():.1f}", f"{self.kl.mean() / math.log(2) / places:.4f}"
        cells.append(", ".join(f"{one.mean():.2f}" for one in self.psnr))
        cells.append(", ".join(f"{one.mean():.4f}" for one in self.likeness))
        return "".join(cell.rjust(width) for cell, width in zip(cells, WIDTHS, strict=True))


def back(
    x: Float[Tensor, "n c h w"], *pictures: Float[Tensor, "n c h w"]
) -> tuple[tuple[Float[Tensor, " n"], ...], tuple[Float[Tensor, " n"], ...]]:
    """PSNR and MS-SSIM of what came back, as it is shown."""
    shown = [rounded(picture) for picture in pictures]
    return tuple(psnr(one, x) for one in shown), tuple(ms_ssim(one, x, SCALES) for one in shown)


def rounded(picture: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """To 256 levels."""
    return picture.clamp(0, 1).mul(255).round().div(255)


def in_parts(x: Tensor, each: Callable[[Tensor], Tensor]) -> Tensor:
    return torch.cat([each(part) for part in x.split(AT_ONCE)])


@torch.inference_mode()
def of_model(model: Model, x: Float[Tensor, "n c h w"]) -> Row:
    """The model's."""
    found, generator = bound(model, x, samples=SAMPLES, seed=SEED), torch.Generator().manual_seed(SEED)

    def decoded(spread: float) -> Float[Tensor, "n c h w"]:
        return in_parts(x, lambda part: drawn(model, model.encode(part), spread * noise(model, len(part), generator)))

    return Row(*back(x, decoded(0.0), decoded(1.0)), -found.elbo, found.kl.sum(1))


def noise(model: Model, count: int, generator: torch.Generator) -> Float[Tensor, "n d"]:
    return torch.randn(count, model.latents, generator=generator)


def drawn(model: Model, p: Independent | Joint, eps: Float[Tensor, "n d"]) -> Float[Tensor, "n c h w"]:
    """What the model draws of places of p(z) or q(z|x)."""
    return model.decode(reparameterised(p, eps)).mean.cpu()


def of_linear(linear: Linear, x: Float[Tensor, "n c h w"]) -> tuple[Row, Row]:
    """Probabilistic principal components: by the bound of a normal over 256 levels, and by the density."""
    q, generator = linear.posterior(x), torch.Generator().manual_seed(SEED)
    divergence = kl(q, standard_normal(len(linear.variances)), q.mean)
    z = rsample(q, generator)
    levels = [linear.log_levels(*part) for part in zip(x.split(AT_ONCE), z.split(AT_ONCE), strict=True)]
    return (
        Row(*back(x, linear.decoded(q.mean), linear.decoded(z)), divergence - torch.cat(levels), divergence),
        Row(nats=PORTRAITS.spec.pixels * math.log(255) - linear.log_density(x)),
    )


@torch.inference_mode()
def others(model: Model, linear: Linear, x: Float[Tensor, "n c h w"]) -> dict[str, Float[Tensor, "n c h w"]]:
    """What real pictures are compared with, by what it is: as many each time, and of real ones in their order."""
    generator = torch.Generator().manual_seed(SEED)
    again = in_parts(x, lambda part: drawn(model, model.encode(part), noise(model, len(part), generator)))
    found, eps = {"real": x, "what came back of real": again}, noise(model, len(x), generator)
    for temperature in TEMPERATURES:
        samples = in_parts(temperature * eps, lambda part: drawn(model, model.prior, part))
        found[f"model, T = {temperature}"] = samples
        found[f"probabilistic PCA, T = {temperature}"] = linear.decoded(temperature * eps)
    return found


def apart(real: Float[Tensor, "n d"], other: Float[Tensor, "n d"]) -> tuple[float, float]:
    """The Frechet distance of one half of real pictures from others in place of the other half, of their features: the
    mean over ways to halve them, and the standard deviation from one to another."""
    generator, half, found = torch.Generator().manual_seed(SEED), len(real) // 2, []
    for _ in range(HALVINGS):
        here, there = torch.randperm(len(real), generator=generator)[: 2 * half].chunk(2)
        found.append(tags.frechet(real[here], other[there]))
    return float(np.mean(found)), float(np.std(found))


def pictures_of(bank: data.bank.Bank, part: str) -> tuple[UInt8[Tensor, "n c h w"], np.ndarray]:
    """The pictures of a part, and their tags."""
    rows = gallery.parts(PORTRAITS, bank)[part]
    return gallery.pictures(PORTRAITS, bank, rows).images, bank.about["tags"][rows].astype(bool)


def main() -> None:
    names = [recipe.name for recipe in RECIPES.values() if recipe.dataset == PORTRAITS.name]
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "name", nargs="?", choices=names, default=PORTRAITS.name, help="the model (default: %(default)s)"
    )
    parser.add_argument("--run", metavar="DIR", type=Path, help="measure the weights in this folder of a training")
    parser.add_argument("--pictures", metavar="N", type=int, default=PORTRAITS.held_out, help="of so many by chance")
    options = parser.parse_args()
    if options.pictures < FEWEST:
        parser.error(f"two halves of fewer than {FEWEST} pictures tell nothing of how far apart they lie")
    try:
        model = checkpoint.load(options.run / checkpoint.WEIGHTS) if options.run else vae.load_pretrained(options.name)
        bank = data.load_bank(PORTRAITS.name)
    except ValueError as error:
        parser.exit(1, f"{error}\n")
    images, words = pictures_of(bank, "held out")
    chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(SEED))[: options.pictures]
    x, y = data.grey(images[chosen]), torch.from_numpy(words)[chosen]
    train, train_words = pictures_of(bank, "train")
    print(f"{len(x):,} held-out portraits, {len(train):,} that were trained on; {model.latents} numbers for each")

    start = time.perf_counter()
    linear = Linear.of(data.grey(train), model.latents)
    print(f"principal components in {time.perf_counter() - start:.0f} s\n")
    levels, density = of_linear(linear, x)
    rows = {
        "model": of_model(model, x),
        "probabilistic PCA, 256 levels": levels,
        "probabilistic PCA, density": density,
        "PCA, no limit of the rate": Row(*back(x, linear.picture(linear.code(x)))),
    }
    print(f"{'':{NAMES}}{''.join(head.rjust(width) for head, width in zip(HEADS, WIDTHS, strict=True))}")
    for name, row in rows.items():
        print(f"{name:{NAMES}}{row}")

    network = tags.trained(train, torch.from_numpy(train_words))
    with torch.inference_mode():
        scores = in_parts(x, network)
    often = [tag for tag in range(y.shape[1]) if int(y[:, tag].sum()) >= OFTEN]
    areas = [tags.auc(scores[:, tag], y[:, tag]) for tag in often]
    print(
        f"\nAUC of {len(often)} tags of held-out portraits: {np.mean(areas):.2f}, {min(areas):.2f} to {max(areas):.2f}"
    )
    print(f"\nFrechet distance of {len(x) // 2} real pictures from as many others: mean, and spread by the halving")
    real = tags.seen(network, x)
    for name, other in others(model, linear, x).items():
        mean, spread = apart(real, tags.seen(network, rounded(other)))
        print(f"{name:{NAMES}}{mean:8.3f} ± {spread:.3f}")


if __name__ == "__main__":
    main()
