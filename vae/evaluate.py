"""Held-out numbers of a trained model, written to its card; `python -m vae.evaluate NAME`.

Everything is measured on the test set that ships with the project, under its one fixed binarisation, so the same
command prints the same card on a fresh clone. The card is the only place a model's numbers come from.

    python -m vae.evaluate mnist                     measure pretrained/mnist again
    python -m vae.evaluate mnist --run runs/mnist    take the weights from a training run first
"""

import argparse
import json
import sys
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from jaxtyping import Float, Int64
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from torch.distributions import Independent
from tqdm import tqdm

from vae import checkpoint, data, probe
from vae.conditions import accuracy
from vae.config import CHAPTER_RECIPES
from vae.decomposition import decompose
from vae.distributions import Joint, bits_per_dimension, kl_per_dimension, rsample
from vae.exact import Grid
from vae.holes import SAMPLES, decoded_from_prior, holes
from vae.models import VAE, Autoencoder, Conditional, Given, Ladder, Model
from vae.objective import importance_bound

ELBO_SAMPLES, IW_SAMPLES = 10, 1000
PICTURES, CHAPTER_PICTURES = 2000, 500  # whose tighter bounds are computed
ACTIVE = 0.01  # variance of a latent's posterior mean over the data: Burda et al. (2016), section 5
SEED = 0


@dataclass(frozen=True)
class Bound:
    """The ELBO of each test picture, its parts, and the encodings they came from.

    `kl` is that of each latent, in closed form, or of each layer of a hierarchical model, a mean over the samples;
    `mu` and `sigma` of such a model are those of each layer at the means of the layers above.
    """

    log_likelihood: Float[Tensor, "samples n"]
    kl: Float[Tensor, "n parts"]
    mu: Float[Tensor, "n d"]
    sigma: Float[Tensor, "n d"]

    @property
    def elbo(self) -> Float[Tensor, " n"]:
        """E_q[log p(x|z)] - KL, nats, the expectation as a mean over the samples."""
        return self.log_likelihood.mean(0) - self.kl.sum(1)


@torch.inference_mode()
def bound(
    model: Model,
    x: Float[Tensor, "n c h w"],
    y: Int64[Tensor, " n"] | None = None,
    samples: int = ELBO_SAMPLES,
    seed: int = SEED,
) -> Bound:
    """Every term of the ELBO for every picture; a conditional model is told the classes y."""
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    found: list[Bound] = []
    for rows in torch.arange(len(x)).split(500):
        part, told = x[rows].to(device), _told(model, y, rows)
        q, likelihoods, kl = told.encode(part), [], 0.0
        for _ in range(samples):
            z = rsample(q, generator)
            likelihoods.append(told.decode(z).log_prob(part))
            kl = kl + _kl_parts(q, told.prior, z) / samples
        mu, sigma = _moments(q)
        found.append(Bound(*(value.cpu() for value in (torch.stack(likelihoods), kl, mu, sigma))))
    likelihoods, kl, mu, sigma = ([getattr(part, field.name) for part in found] for field in fields(Bound))
    return Bound(torch.cat(likelihoods, 1), torch.cat(kl), torch.cat(mu), torch.cat(sigma))


def _moments(q: Independent | Joint) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b d"]]:
    """(mu, sigma) of q; of a joint distribution those of each layer at the means of the layers above."""
    if not isinstance(q, Joint):
        return q.mean, q.stddev
    middle = q.along(torch.zeros((*q.batch_shape, *q.event_shape), device=q.device))
    layers = [layer for layer, _ in q.conditionals(middle)]
    return middle, torch.cat([layer.stddev for layer in layers], -1)


def _told(model: Model, y: Int64[Tensor, " n"] | None, rows: Int64[Tensor, " b"]) -> Model | Given:
    """The model for some rows of a data set: a conditional one given their classes."""
    return model if y is None else model.given(y[rows].to(next(model.parameters()).device))


def _kl_parts(q: Independent | Joint, prior: Independent | Joint | None, z: Tensor) -> Float[Tensor, "n parts"]:
    """KL by latent or by layer; 0 where there is no prior."""
    if prior is None:
        return torch.zeros_like(z)
    return q.kl_per_layer(z) if isinstance(q, Joint) else kl_per_dimension(q, prior)


def features(mu: Float[Tensor, "n d"], name: str) -> dict[str, dict[str, float]]:
    """Accuracy of a linear probe and of 5 nearest neighbours on the latent means, and on as many PCA components.

    Fitted on a random half of the test set, whose labels no model has seen, and scored on the other half.
    """
    labels, pixels, halves = probe.halved(name)
    values = {"latents": mu.numpy(), "pca": probe.components(mu.shape[1], pixels, halves[0])}
    found = {kind: probe.accuracy(rows, labels, *halves) for kind, rows in values.items()}
    return {key: {kind: found[kind][key] for kind in found} for key in found["pca"]}


def measure(model: Model, name: str, pictures: int = PICTURES) -> tuple[dict, Bound]:
    """The numbers of a card, and the bound they rest on."""
    x = data.fixed_binarisation(name)
    if not 2 <= pictures <= len(x):
        raise ValueError(f"the number of pictures must be from 2 to {len(x)}, not {pictures}")
    y = data.load(name, "test").labels if isinstance(model, Conditional) else None
    parts = bound(model, x, y)
    noise = float(parts.log_likelihood.var(0).mean() / (ELBO_SAMPLES * len(x))) ** 0.5
    numbers = {"reconstruction": estimate(-parts.log_likelihood.mean(0), noise, ELBO_SAMPLES)}
    if not isinstance(model, Autoencoder):
        numbers = bounds(model, x, y, parts, noise, pictures) | numbers
    return numbers | features(parts.mu, name) | compared(model, name, parts), parts


def compared(model: Model, name: str, parts: Bound) -> dict:
    """What the theory's chapters compare models by, as far as a model's family has it."""
    numbers = {}
    if isinstance(model, VAE):
        split = decompose(parts.mu, parts.sigma, torch.Generator().manual_seed(SEED))
        numbers["decomposition"] = rounded(split._asdict())
    if isinstance(model, VAE | Autoencoder):
        samples = decoded_from_prior(model, SAMPLES, torch.Generator().manual_seed(SEED))
        numbers["holes"] = rounded(holes(samples, data.grey(data.load(name, "test").images))._asdict())
    if isinstance(model, Conditional):
        share = accuracy(model, data.fixed_binarisation(name).float(), data.load(name, "test").labels)
        numbers["class_by_elbo"] = round(share, 4)
    return numbers


def rounded(numbers: dict[str, float]) -> dict[str, float]:
    """Numbers to four digits after the point, as a card holds them."""
    return {key: round(value, 4) for key, value in numbers.items()}


def bounds(
    model: Model,
    x: Float[Tensor, "n c h w"],
    y: Int64[Tensor, " n"] | None,
    parts: Bound,
    noise: float,
    pictures: int,
) -> dict:
    """What only a model with a prior has: ELBO, KL, and the tighter bounds of some random pictures."""
    elbo, kl = parts.elbo, parts.kl.sum(1)
    layered = isinstance(model, Ladder)
    numbers = {
        "negative_elbo": estimate(-elbo, noise, ELBO_SAMPLES),
        "kl": estimate(kl, 0.0, ELBO_SAMPLES if layered else 0),
        "bits_per_dimension": round(float(bits_per_dimension(-elbo.mean(), x[0].numel())), 4),
        f"kl_per_{'layer' if layered else 'dimension'}": [round(value, 4) for value in parts.kl.mean(0).tolist()],
    }
    if not layered:
        numbers["active_units"] = int((parts.mu.var(0) > ACTIVE).sum())
    some = torch.randperm(len(x), generator=torch.Generator().manual_seed(SEED))[:pictures]
    told = None if y is None else y[some]
    numbers["negative_iw"] = above(elbo, noise, some, iwae(model, x[some], told), IW_SAMPLES)
    if model.latents == 2 and isinstance(model, VAE):
        evidence, error = log_evidence(model, x[some])
        numbers["negative_log_evidence"] = above(elbo, noise, some, evidence, 0)
        numbers["gap"] = estimate(evidence - elbo[some], numbers["negative_log_evidence"]["error"], ELBO_SAMPLES)
        numbers["quadrature_error"] = round(error, 4)
    return numbers


@torch.inference_mode()
def iwae(model: Model, x: Float[Tensor, "n c h w"], y: Int64[Tensor, " n"] | None = None) -> Float[Tensor, " n"]:
    """The importance-weighted bound of IW_SAMPLES draws for each picture, nats."""
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(SEED)
    parts = tqdm(torch.arange(len(x)).split(8), desc="IWAE bound", disable=None)
    return torch.cat(
        [importance_bound(_told(model, y, rows), x[rows].to(device), IW_SAMPLES, generator).cpu() for rows in parts]
    )


def log_evidence(model: VAE, x: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, " n"], float]:
    """log p(x) of each picture by quadrature, nats, and the largest error it states."""
    device, grid = next(model.parameters()).device, Grid(model)
    parts = [grid.evidence(part.to(device)) for part in tqdm(x.split(1000), desc="log p(x)", disable=None)]
    return torch.cat([part.log_evidence for part in parts]).cpu(), float(max(part.error.max() for part in parts))


def above(elbo: Float[Tensor, " n"], noise: float, some: Tensor, values: Float[Tensor, " k"], samples: int) -> dict:
    """The estimate for the whole test set of what lies above the ELBO and was computed for `some` of it.

    Pictures differ more than their gaps do, so the whole set's ELBO plus the mean gap is the tighter estimate.
    """
    gap = values - elbo[some]
    left_out = float(gap.var() / len(some)) * (1 - len(some) / len(elbo))
    value = {"value": round(float(-elbo.mean() - gap.mean()), 3)}
    return estimate(-values, (noise**2 + left_out) ** 0.5, samples) | value


def estimate(values: Float[Tensor, " n"], error: float, samples: int) -> dict:
    """A mean over test pictures, as the card holds it.

    `spread` is the standard deviation from picture to picture; `error` how far `value` may be from the mean over the
    whole test set because z was sampled (`samples` times; 0: no sampling) or pictures were left out.
    """
    return {
        "value": round(float(values.mean()), 3),
        "spread": round(float(values.std()), 3),
        "error": round(error, 4),
        "pictures": len(values),
        "samples": samples,
    }


def limits(model: Model, numbers: dict, dataset: data.Dataset) -> list[str]:
    """What a user should know before trusting the model, from its own numbers."""
    sentences = [f"It knows {dataset.title} only: any other picture comes back as the nearest thing it knows."]
    silent = model.latents - numbers.get("active_units", model.latents)
    if silent:
        sentences.append(f"{silent} of its {model.latents} latents are silent: moving them changes nothing.")
    if "gap" in numbers:
        who = "encoder, corrected by its decoder," if model.config.corrected else "encoder"
        sentences.append(f"Its {who} misses the true posterior by {numbers['gap']['value']} nats on average.")
    return sentences


def thumbnails(model: VAE, side: int = 10) -> Image.Image:
    """A sheet of side x side decoded pictures: the plane by quantiles of the prior for two latents, else samples."""
    if model.latents == 2:
        quantiles = model.prior.base_dist.icdf(torch.linspace(0.5, side - 0.5, side)[:, None] / side)[:, 0].cpu()
        z = torch.cartesian_prod(-quantiles, quantiles).flip(1)
    else:
        z = torch.randn(side**2, model.latents, generator=torch.Generator().manual_seed(SEED))
    with torch.inference_mode():
        pictures = model.decode(z.to(next(model.parameters()).device)).mean.cpu()
    channels, height, width = model.input_spec.shape
    tiled = (
        pictures.view(side, side, channels, height, width)
        .permute(0, 3, 1, 4, 2)
        .reshape(side * height, side * width, -1)
    )
    return Image.fromarray(tiled.mul(255).round().byte().numpy().squeeze())


def examples(name: str, each: int = 3) -> list[int]:
    """Indices of test pictures to show, `each` of every class, drawn at random once."""
    labels = data.load(name, "test").labels
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(SEED))
    return [int(i) for label in labels.unique() for i in order[labels[order] == label][:each]]


def write_card(folder: Path, pictures: int = PICTURES) -> dict:
    """Measure the model in a folder and write its card there; a page's model gets encodings and thumbnails too."""
    weights = folder / checkpoint.WEIGHTS
    model, training = checkpoint.load(weights), checkpoint.training_facts(weights)
    if "recipe" not in training:
        raise ValueError(f"{weights} does not say what it was trained on; vae.train writes weights that do")
    dataset = data.DATASETS[training["recipe"]["dataset"]]
    numbers, parts = measure(model, dataset.name, pictures)
    card = {
        "name": folder.name,
        "data": {"name": dataset.name, "title": dataset.title, "licence": dataset.licence, "credit": dataset.credit},
        "latents": model.latents,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "test": {"pictures": len(parts.mu), "binarisation_seed": data.BINARISATION_SEED, "unit": "nats per picture"},
        "numbers": numbers,
        "limits": limits(model, numbers, dataset),
        "training": training,
        "command": f"python -m vae.evaluate {folder.name}",
    }
    if folder.parent == checkpoint.PRETRAINED:
        card["examples"] = examples(dataset.name)
        encodings = {
            "mu": parts.mu.half(),
            "sigma": parts.sigma.half(),
            "reconstruction": parts.log_likelihood.mean(0).float(),
        }
        save_file(encodings, folder / checkpoint.ENCODINGS)
        thumbnails(model).save(folder / checkpoint.THUMBNAILS, optimize=True)
    (folder / checkpoint.CARD).write_text(json.dumps(card, indent=1) + "\n")
    return card


def take(run: Path, name: str) -> Path:
    """Copy a training run's weights to where they ship, smaller than they were trained; the folder there."""
    weights = run / checkpoint.WEIGHTS
    trained, facts = checkpoint.load(weights, "cpu"), checkpoint.training_facts(weights)
    folder = ships_in(name)
    dtype = torch.float16 if folder.parent == checkpoint.PRETRAINED else torch.int8
    checkpoint.save(trained, folder / checkpoint.WEIGHTS, facts, dtype)
    return folder


def ships_in(name: str) -> Path:
    """The folder of a model, whether it is there yet or not."""
    chapter = name in {recipe.name for recipe in CHAPTER_RECIPES}
    return checkpoint.PRETRAINED / checkpoint.CHAPTERS / name if chapter else checkpoint.PRETRAINED / name


def main(arguments: list[str] | None = None) -> int:
    """The command line; gives the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m vae.evaluate",
        description="Measures a model on the whole test set and writes pretrained/NAME/card.json.",
        epilog="example: python -m vae.evaluate mnist --run runs/mnist",
    )
    parser.add_argument("name", help="the model's folder in pretrained/")
    parser.add_argument("--run", type=Path, metavar="DIR", help="first take the weights of this training run")
    parser.add_argument(
        "--pictures",
        type=int,
        metavar="N",
        help="random test pictures for the IWAE bound and for log p(x), all other numbers take the whole set "
        f"(default: {PICTURES}, of a chapter's model {CHAPTER_PICTURES})",
    )
    options = parser.parse_args(arguments)
    try:
        folder = take(options.run, options.name) if options.run else ships_in(options.name)
        usual = PICTURES if folder.parent == checkpoint.PRETRAINED else CHAPTER_PICTURES
        numbers = write_card(folder, usual if options.pictures is None else options.pictures)["numbers"]
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    for key, value in numbers.items():
        if isinstance(value, dict) and "value" in value:
            print(f"{key:24} {value['value']:9.3f} nats  +- {value['error']:.4f}  ({value['pictures']} pictures)")
        else:
            print(f"{key:24} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
