"""Held-out numbers of a trained model, written to its card; `python -m vae.evaluate NAME`.

Everything is measured on the test set that ships with the project, under its one fixed binarisation, so the same
command prints the same card on a fresh clone. The card is the only place a model's numbers come from.

    python -m vae.evaluate mnist                     measure pretrained/mnist again
    python -m vae.evaluate mnist --run runs/mnist    take the weights from a training run first
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from PIL import Image
from safetensors.torch import save_file
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from tqdm import tqdm

from vae import checkpoint, data
from vae.distributions import bits_per_dimension, kl_per_dimension, rsample
from vae.exact import Grid
from vae.models import VAE
from vae.objective import importance_bound

ELBO_SAMPLES, IW_SAMPLES, PICTURES = 10, 1000, 2000
ACTIVE = 0.01  # variance of a latent's posterior mean over the data: Burda et al. (2016), section 5
SEED = 0


@dataclass(frozen=True)
class Bound:
    """The ELBO of each test picture, its parts, and the encodings they came from."""

    log_likelihood: Float[Tensor, "samples n"]
    kl: Float[Tensor, "n d"]
    mu: Float[Tensor, "n d"]
    sigma: Float[Tensor, "n d"]

    @property
    def elbo(self) -> Float[Tensor, " n"]:
        """E_q[log p(x|z)] - KL, nats, the expectation as a mean over the samples."""
        return self.log_likelihood.mean(0) - self.kl.sum(1)


@torch.inference_mode()
def bound(model: VAE, x: Float[Tensor, "n c h w"], samples: int = ELBO_SAMPLES, seed: int = SEED) -> Bound:
    """Every term of the ELBO for every picture."""
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    likelihoods, kl, mu, sigma = [], [], [], []
    for part in x.split(500):
        part = part.to(device)
        q = model.encode(part)
        likelihoods.append(
            torch.stack([model.decode(rsample(q, generator)).log_prob(part) for _ in range(samples)]).cpu()
        )
        kl.append(kl_per_dimension(q, model.prior).cpu())
        mu.append(q.mean.cpu())
        sigma.append(q.stddev.cpu())
    return Bound(torch.cat(likelihoods, 1), torch.cat(kl), torch.cat(mu), torch.cat(sigma))


def features(mu: Float[Tensor, "n d"], name: str) -> dict[str, dict[str, float]]:
    """Accuracy of a linear probe and of 5 nearest neighbours on the latent means, and on as many PCA components.

    Fitted on a random half of the test set, whose labels no model has seen, and scored on the other half.
    """
    split = data.load(name, "test")
    order = torch.randperm(len(split.labels), generator=torch.Generator().manual_seed(SEED)).numpy()
    fit, score = order[: len(order) // 2], order[len(order) // 2 :]
    labels, pixels = split.labels.numpy(), data.grey(split.images).flatten(1).numpy()
    pca = PCA(mu.shape[1], random_state=SEED).fit(pixels[fit]).transform(pixels)
    result: dict[str, dict[str, float]] = {"linear_probe": {}, "nearest_neighbours": {}}
    for kind, values in (("latents", mu.numpy()), ("pca", pca)):
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        for classifier, key in ((probe, "linear_probe"), (KNeighborsClassifier(5), "nearest_neighbours")):
            result[key][kind] = round(classifier.fit(values[fit], labels[fit]).score(values[score], labels[score]), 4)
    return result


def measure(model: VAE, name: str, pictures: int = PICTURES) -> tuple[dict, Bound]:
    """The numbers of a card, and the bound they rest on."""
    x = data.fixed_binarisation(name)
    if not 2 <= pictures <= len(x):
        raise ValueError(f"the number of pictures must be from 2 to {len(x)}, not {pictures}")
    parts = bound(model, x)
    elbo, kl = parts.elbo, parts.kl.sum(1)
    noise = float(parts.log_likelihood.var(0).mean() / (ELBO_SAMPLES * len(x))) ** 0.5
    numbers = {
        "negative_elbo": estimate(-elbo, noise, ELBO_SAMPLES),
        "reconstruction": estimate(-parts.log_likelihood.mean(0), noise, ELBO_SAMPLES),
        "kl": estimate(kl, 0.0, 0),
        "bits_per_dimension": round(float(bits_per_dimension(-elbo.mean(), x[0].numel())), 4),
        "kl_per_dimension": [round(value, 4) for value in parts.kl.mean(0).tolist()],
        "active_units": int((parts.mu.var(0) > ACTIVE).sum()),
    }
    some = torch.randperm(len(x), generator=torch.Generator().manual_seed(SEED))[:pictures]
    numbers["negative_iw"] = above(elbo, noise, some, iwae(model, x[some]), IW_SAMPLES)
    if model.latents == 2:
        evidence, error = log_evidence(model, x[some])
        numbers["negative_log_evidence"] = above(elbo, noise, some, evidence, 0)
        numbers["gap"] = estimate(evidence - elbo[some], numbers["negative_log_evidence"]["error"], ELBO_SAMPLES)
        numbers["quadrature_error"] = round(error, 4)
    return numbers | features(parts.mu, name), parts


@torch.inference_mode()
def iwae(model: VAE, x: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    """The importance-weighted bound of IW_SAMPLES draws for each picture, nats."""
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(SEED)
    parts = tqdm(x.split(8), desc="IWAE bound", disable=None)
    return torch.cat([importance_bound(model, part.to(device), IW_SAMPLES, generator).cpu() for part in parts])


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


def limits(model: VAE, numbers: dict, dataset: data.Dataset) -> list[str]:
    """What a user should know before trusting the model, from its own numbers."""
    sentences = [f"It knows {dataset.title} only: any other picture comes back as the nearest thing it knows."]
    silent = model.latents - numbers["active_units"]
    if silent:
        sentences.append(f"{silent} of its {model.latents} latents are silent: moving them changes nothing.")
    if "gap" in numbers:
        sentences.append(f"Its encoder misses the true posterior by {numbers['gap']['value']} nats on average.")
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


def write_card(name: str, pictures: int = PICTURES) -> dict:
    """Measure pretrained/NAME and write its card, encodings and thumbnail sheet beside the weights."""
    folder = checkpoint.PRETRAINED / name
    weights = folder / checkpoint.WEIGHTS
    model, training = checkpoint.load(weights), checkpoint.training_facts(weights)
    if "recipe" not in training:
        raise ValueError(f"{weights} does not say what it was trained on; vae.train writes weights that do")
    dataset = data.DATASETS[training["recipe"]["dataset"]]
    numbers, parts = measure(model, dataset.name, pictures)
    card = {
        "name": name,
        "data": {"name": dataset.name, "title": dataset.title, "licence": dataset.licence, "credit": dataset.credit},
        "latents": model.latents,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "test": {"pictures": len(parts.mu), "binarisation_seed": data.BINARISATION_SEED, "unit": "nats per picture"},
        "numbers": numbers,
        "limits": limits(model, numbers, dataset),
        "examples": examples(dataset.name),
        "training": training,
        "command": f"python -m vae.evaluate {name}",
    }
    encodings = {
        "mu": parts.mu.half(),
        "sigma": parts.sigma.half(),
        "reconstruction": parts.log_likelihood.mean(0).float(),
    }
    save_file(encodings, folder / checkpoint.ENCODINGS)
    thumbnails(model).save(folder / checkpoint.THUMBNAILS, optimize=True)
    (folder / checkpoint.CARD).write_text(json.dumps(card, indent=1) + "\n")
    return card


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
        default=PICTURES,
        metavar="N",
        help=f"random test pictures for the IWAE bound and for log p(x); all others take the whole set ({PICTURES})",
    )
    options = parser.parse_args(arguments)
    try:
        if options.run:
            trained, facts = (
                checkpoint.load(options.run / checkpoint.WEIGHTS),
                checkpoint.training_facts(options.run / checkpoint.WEIGHTS),
            )
            checkpoint.save(trained, checkpoint.PRETRAINED / options.name / checkpoint.WEIGHTS, facts, torch.float16)
        numbers = write_card(options.name, options.pictures)["numbers"]
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
